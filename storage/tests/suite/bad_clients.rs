//! session-server against clients that hold connections and send nothing, or only half a request.

use std::io::{Read, Write};
use std::net::TcpStream;

use hyper::StatusCode;
use nix::sys::signal::Signal;

use crate::app::App;
use crate::support::{PATIENCE, eventually};

fn with(variables: &[(&str, &str)]) -> App {
    App::start(&[&[("USE_MEMORY_SESSIONS", "true")], variables].concat())
}

/// A connection on which `head` was sent.
fn client(app: &App, head: &str) -> TcpStream {
    let mut client = TcpStream::connect(app.address()).unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    client.write_all(head.as_bytes()).unwrap();
    client
}

/// Everything received until the server closes the connection.
fn rest(mut client: TcpStream) -> String {
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    answer
}

#[tokio::test]
async fn health_answers_beside_300_silent_clients_which_are_closed_in_time() {
    let app = with(&[("CLIENT_TIMEOUT", "2")]);
    let silent: Vec<TcpStream> = (0..300).map(|_| client(&app, "")).collect();
    assert_eq!(app.client().get("/health").await.status, StatusCode::OK);
    for client in silent {
        rest(client);
    }
}

#[tokio::test]
async fn a_half_sent_head_and_a_pause_between_requests_end_with_the_clients_time() {
    let app = with(&[("CLIENT_TIMEOUT", "1")]);
    let half = client(&app, "GET /health HTTP/1.1\r\nhost: x\r\n");
    let pausing = client(&app, "GET /health HTTP/1.1\r\nhost: x\r\n\r\n");
    assert!(!rest(half).contains("200 OK"));
    assert!(rest(pausing).starts_with("HTTP/1.1 200 OK"));
}

#[tokio::test]
async fn a_connection_beyond_the_bound_is_answered_with_503_until_another_ends() {
    let app = with(&[("MAX_CONNECTIONS", "3"), ("CLIENT_TIMEOUT", "3600")]);
    let held: Vec<TcpStream> = (0..3).map(|_| client(&app, "GET /health HTTP/1.1\r\n")).collect();
    let refused = eventually("the bound", async || {
        let answer = rest(client(&app, "GET /health HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"));
        answer.starts_with("HTTP/1.1 503").then_some(answer)
    })
    .await;
    assert!(refused.contains("too_many_connections") && refused.contains("Retry-After: 1"), "{refused}");
    drop(held);
    eventually("room", async || {
        let answer = rest(client(&app, "GET /health HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"));
        answer.starts_with("HTTP/1.1 200").then_some(())
    })
    .await;
}

#[tokio::test]
async fn half_sent_heads_and_silent_clients_do_not_delay_the_end() {
    let app = with(&[("CLIENT_TIMEOUT", "3600"), ("SHUTDOWN_GRACE", "600")]);
    let half = client(&app, "POST /api/game/session HTTP/1.1\r\nhost: x\r\n");
    let silent = client(&app, "");
    assert_eq!(app.client().get("/health").await.status, StatusCode::OK);
    app.signal(Signal::SIGTERM);
    // Within the tests' patience, which is far shorter than the grace.
    let ended = app.ended();
    assert!(ended.status.success(), "{}", ended.said);
    assert!(!ended.said.contains("before every request"), "{}", ended.said);
    drop((half, silent));
}
