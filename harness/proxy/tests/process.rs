//! Tests that concern the whole process: its threads and its file descriptors. They run one at a time.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "proxy/http.rs"]
mod http;

use std::net::TcpStream;
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

use firedrill_proxy::ProxyServer;
use http::http;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use serde_json::{Value, json};

fn alone() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(|failed| failed.into_inner())
}

/// The number of proxy threads in this process.
fn threads() -> usize {
    std::fs::read_dir("/proc/self/task")
        .unwrap()
        .filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("comm")).ok())
        .filter(|name| name.trim() == "firedrill-proxy")
        .count()
}

#[test]
fn starting_and_dropping_many_servers_leaves_no_thread_behind() {
    let _alone = alone();
    for seed in 0..50 {
        drop(ProxyServer::start(seed).unwrap());
    }
    // A joined thread may still be listed for a moment.
    let deadline = Instant::now() + Duration::from_secs(10);
    while threads() > 0 {
        assert!(Instant::now() < deadline, "{} threads are left", threads());
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn the_api_answers_when_proxies_and_their_connections_have_taken_all_other_descriptors() {
    let _alone = alone();
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, 400, hard).unwrap();
    let server = ProxyServer::start(1).unwrap();
    let api = server.serve_api("127.0.0.1:0".parse().unwrap()).unwrap();
    let create = |number: usize| {
        let body = json!({ "name": format!("p{number}"), "listen": "127.0.0.1:0", "upstream": api.to_string() });
        let (status, answer) = http(api, "POST /proxies", &body.to_string());
        (status, serde_json::from_str::<Value>(&answer).unwrap())
    };

    let refused = (0..400).find_map(|number| match create(number) {
        (201, _) => None,
        (status, answer) => Some((number, status, answer)),
    });
    let (made, status, answer) = refused.expect("the descriptors never ran out");
    assert!(made > 100, "only {made} proxies were made");
    assert_eq!(status, 503, "{answer}");
    assert!(answer["error"].as_str().unwrap().contains("no file descriptors are left"), "{answer}");

    // New clients are turned away, and the API still answers.
    let proxy = server.get("p0").unwrap();
    let clients: Vec<TcpStream> = (0..20).map(|_| TcpStream::connect(proxy.listen_addr()).unwrap()).collect();
    for _ in 0..20 {
        assert_eq!(http(api, "GET /version", "").0, 200);
    }
    drop(clients);
    let deadline = Instant::now() + Duration::from_secs(30);
    while proxy.stats().accepted == 0 && proxy.stats().refused < 20 {
        assert!(Instant::now() < deadline, "{:?}", proxy.stats());
        std::thread::sleep(Duration::from_millis(2));
    }

    // Deleting a proxy makes room for another.
    assert_eq!(http(api, "DELETE /proxies/p1", "").0, 204);
    assert_eq!(create(1).0, 201);
    drop(server);
    setrlimit(Resource::RLIMIT_NOFILE, soft, hard).unwrap();
}

#[test]
fn the_api_answers_with_ten_thousand_proxies() {
    const DESCRIPTORS: u64 = 20_000;
    let _alone = alone();
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    if hard < DESCRIPTORS {
        println!("skipped: {hard} descriptors are too few");
        return;
    }
    setrlimit(Resource::RLIMIT_NOFILE, DESCRIPTORS, hard).unwrap();
    let server = ProxyServer::start(1).unwrap();
    let api = server.serve_api("127.0.0.1:0".parse().unwrap()).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let anywhere = "127.0.0.1:0".parse().unwrap();
    let made = runtime.block_on(async {
        for number in 0..10_000 {
            if server.create(&format!("p{number}"), anywhere, api.to_string(), true).await.is_err() {
                return number;
            }
        }
        10_000
    });
    // Each has two sockets, and the last descriptors are reserved for the API.
    assert!((9_500..10_000).contains(&made), "{made} proxies were made");
    let (status, answer) = http(api, "GET /proxies", "");
    assert_eq!((status, serde_json::from_str::<Value>(&answer).unwrap().as_object().unwrap().len()), (200, made));
    let body = json!({ "name": "another", "listen": "127.0.0.1:0", "upstream": api.to_string() }).to_string();
    assert_eq!(http(api, "POST /proxies", &body).0, 503);
    // The test's own connections to the API use what one proxy leaves.
    for number in 0..10 {
        assert_eq!(http(api, &format!("DELETE /proxies/p{number}"), "").0, 204);
    }
    assert_eq!(http(api, "POST /proxies", &body).0, 201);
    drop(server);
    setrlimit(Resource::RLIMIT_NOFILE, soft, hard).unwrap();
}
