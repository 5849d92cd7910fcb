//! What the API makes of anything at all in a request's path and body.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::{Value, json};

use super::body::{AskedProxy, AskedToxic, toxic_change};
use super::error::ApiError;
use super::path::clean;
use super::text_of;
use crate::server::ProxyServer;
use crate::toxic::{KINDS, Toxic, ToxicSpec};

const WORDS: [&str; 24] = [
    "POST /proxies/redis/toxics",
    "PATCH /proxies/redis/toxics/slow",
    "DELETE /proxies/redis",
    "//",
    "/../",
    "%2f",
    "%ff",
    "\"name\":\"",
    "\"ATTRIBUTES\":{\"latency\":1}",
    "\"type\":\"slicer\"",
    "\"type\":\"limit_data\"",
    "\"stream\":\"Upstream\"",
    "\"toxicity\":0.1",
    "\"enabled\":null",
    "\"upstream\":\"127.0.0.1:1\"",
    "\"listen\":\"127.0.0.1:0\"",
    "\\ud800",
    "\\u017ftream",
    "null",
    "true",
    "-0.0",
    "1e999",
    "[[[[[[[[[[[[[[[[",
    "{\"a\":{\"a\":{\"a\":",
];

/// What is refused is refused in Toxiproxy's way, with a reason.
fn is_refusal(error: &ApiError) {
    assert!(error.status == 400 && !error.error.ends_with(": ") && !error.error.is_empty(), "{error:?}");
}

fn spec(body: &str) -> Result<ToxicSpec, ApiError> {
    let asked = AskedToxic::read(body)?;
    let kind = asked.kind()?;
    asked.spec(kind)
}

/// What is asked for is refused, or shown such that it asks for the same.
fn reads_back(body: &str) {
    match spec(body) {
        Ok(toxic) => {
            let shown = serde_json::to_string(&toxic).unwrap();
            assert_eq!(spec(&shown).as_ref(), Ok(&toxic), "{shown}");
        }
        Err(error) => is_refusal(&error),
    }
    let given = |one: &AskedProxy| {
        let AskedProxy { name, listen, upstream, enabled } = one;
        json!({ "name": name, "listen": listen, "upstream": upstream, "enabled": enabled })
    };
    match AskedProxy::read(body) {
        Ok(one) => assert_eq!(AskedProxy::read(&given(&one).to_string()), Ok(one)),
        Err(error) => is_refusal(&error),
    }
    match AskedProxy::read_all(body) {
        Ok(all) => {
            let shown = Value::from(all.iter().map(given).collect::<Vec<_>>()).to_string();
            assert_eq!(AskedProxy::read_all(&shown), Ok(all));
        }
        Err(error) => is_refusal(&error),
    }
    for kind in KINDS {
        let toxic: Toxic = kind.parse(kind.defaults()).unwrap();
        match toxic_change(body, &toxic) {
            Ok(change) => {
                if let Ok(changed) = toxic.changed(change.attributes) {
                    assert_eq!(changed.attributes().len(), toxic.attributes().len());
                }
            }
            Err(error) => is_refusal(&error),
        }
    }
}

/// Whether `body` would make a proxy listen where other tests, or other programs, may want to.
fn takes_a_port(body: &str) -> bool {
    let elsewhere = |asked: &AskedProxy| !matches!(asked.listen.as_deref(), None | Some("" | "127.0.0.1:0"));
    let several = AskedProxy::read_all(body).is_ok_and(|all| all.iter().any(elsewhere));
    several || AskedProxy::read(body).is_ok_and(|one| elsewhere(&one))
}

/// The status and the body of the answer to a request.
fn answer(api: SocketAddr, method: &str, path: &str, body: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(api).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let length = body.len();
    let head =
        format!("{method} {path} HTTP/1.1\r\nHost: {api}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
    // A server that refuses a request does not read all of it.
    let _ = stream.write_all(&[head.as_bytes(), body.as_bytes()].concat());
    let mut all = Vec::new();
    stream.read_to_end(&mut all).unwrap();
    let all = String::from_utf8_lossy(&all).into_owned();
    let (head, body) = all.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer to {method} {path}: {all}"));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    (status.unwrap_or_else(|| panic!("{head}")), body.to_owned())
}

/// Method and path in the first line of an input, as far as a client can send them at all.
fn request_line(line: &str) -> (&str, String) {
    const METHODS: [&str; 6] = ["GET", "POST", "PATCH", "DELETE", "HEAD", "PUT"];
    let (method, path) = line.split_once(' ').unwrap_or(("GET", line));
    let method = METHODS.into_iter().find(|known| *known == method).unwrap_or("POST");
    let path: String = path.chars().filter(char::is_ascii_graphic).collect();
    (method, format!("/{}", path.strip_prefix('/').unwrap_or(&path)))
}

#[test]
fn any_request_is_refused_with_a_reason_or_shown_as_it_was_asked_for_and_the_server_goes_on() {
    let server = ProxyServer::start(7).unwrap();
    let api = server.serve_api(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    firedrill_fuzz::fuzz("toxiproxy", &WORDS, |input| {
        let text = text_of(input);
        let (line, body) = text.split_once('\n').unwrap_or((&text, ""));
        reads_back(body);
        let (method, path) = request_line(line);
        if let Some(cleaned) = clean(&path) {
            assert!(cleaned.starts_with('/') && clean(&cleaned).is_none(), "{path} is cleaned to {cleaned}");
        }
        if takes_a_port(body) {
            return;
        }
        runtime.block_on(async {
            let redis =
                server.create("redis", SocketAddr::from(([127, 0, 0, 1], 0)), "127.0.0.1:1", false).await.unwrap();
            redis.add_toxic(spec(r#"{"name":"slow","type":"latency"}"#).unwrap()).await.unwrap();
        });
        let (status, said) = answer(api, method, &path, body);
        assert!((200..=204).contains(&status) || (301..=499).contains(&status), "{status} {said}");
        if let Ok(error) = serde_json::from_str::<Value>(&said)
            && let Some(told) = error.get("status")
        {
            assert_eq!(told, status, "{said}");
            assert!(error["error"].as_str().is_some_and(|reason| !reason.is_empty()), "{said}");
        }
        let (status, proxies) = answer(api, "GET", "/proxies", "");
        let proxies: Value = serde_json::from_str(&proxies).unwrap_or_else(|error| panic!("{error}: {proxies}"));
        assert_eq!((status, proxies.as_object().map(|all| all.len())), (200, Some(server.list().len())));
        runtime.block_on(async {
            for proxy in server.list() {
                server.delete(proxy.name()).await.unwrap();
            }
        });
    });
}
