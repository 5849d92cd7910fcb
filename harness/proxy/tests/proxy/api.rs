//! Toxiproxy's HTTP API, request by request, in front of a real redis-server. A client that somebody else wrote drives it in
//! `harness/tests/labs/toxiproxy.rs`.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use firedrill_proxy::ApiOptions;
use serde_json::{Value, json};

use crate::http::http_with_host;
use crate::support::{Client, DEADLINE, Received, World, any_port, http, wait_until};

/// A world whose proxy is driven only through the API.
struct ApiFixture {
    world: World,
    api: SocketAddr,
}

impl ApiFixture {
    fn new() -> Self {
        let world = World::new();
        let api = world.server.serve_api(any_port()).unwrap();
        Self { world, api }
    }

    fn raw(&self, request: &str, body: &str) -> (u16, String) {
        http(self.api, request, body)
    }

    /// Like [`ApiFixture::raw`], for JSON answers.
    fn call(&self, request: &str, body: &str) -> (u16, Value) {
        let (status, body) = self.raw(request, body);
        (status, if body.is_empty() { Value::Null } else { serde_json::from_str(&body).unwrap() })
    }

    /// Adds a toxic to the proxy `redis`.
    fn add(&self, toxic: &Value) {
        assert_eq!(self.call("POST /proxies/redis/toxics", &toxic.to_string()).0, 200, "{toxic}");
    }

    fn remove(&self, toxic: &str) {
        assert_eq!(self.raw(&format!("DELETE /proxies/redis/toxics/{toxic}"), "").0, 204, "{toxic}");
    }
}

#[test]
fn a_proxy_goes_down_and_up() {
    let fixture = ApiFixture::new();
    let mut client = fixture.world.client();
    client.ping();
    let address = fixture.world.proxy.listen_addr();
    assert_eq!(fixture.call("POST /proxies/redis", r#"{"enabled":false}"#).1["enabled"], false);
    assert_eq!(client.read(DEADLINE), Received::End);
    assert_eq!(TcpStream::connect(address).unwrap_err().kind(), ErrorKind::ConnectionRefused);
    assert_eq!(fixture.call("GET /proxies/redis", "").1["enabled"], false);
    assert_eq!(fixture.call("POST /proxies/redis", r#"{"enabled":true}"#).1["enabled"], true);
    fixture.world.client().ping();
}

#[test]
fn a_toxic_delays_an_open_connection_in_the_direction_it_names() {
    let fixture = ApiFixture::new();
    let mut client = fixture.world.client();
    client.ping();
    for (stream, held_up, held_down) in [("upstream", 6, 0), ("downstream", 0, 7)] {
        fixture.add(&json!({ "type": "latency", "stream": stream, "attributes": { "latency": 600_000 } }));
        client.send("PING");
        wait_until("the transfer to be held", || {
            let stats = fixture.world.proxy.stats();
            (stats.upstream.held_bytes(), stats.downstream.held_bytes()) == (held_up, held_down)
        });
        fixture.remove(&format!("latency_{stream}"));
        client.expect(b"+PONG\r\n");
    }
}

#[test]
fn a_50_kb_session_under_latency_is_late_once() {
    let fixture = ApiFixture::new();
    let mut client = fixture.world.client();
    client.set("small", 100);
    client.set("session", 50_000);
    fixture.add(&json!({ "type": "latency", "attributes": { "latency": 100 } }));
    let small = (0..3).map(|_| client.get("small", 100)).min().unwrap();
    let session = (0..3).map(|_| client.get("session", 50_000)).min().unwrap();
    assert!(small >= Duration::from_millis(100) && session >= Duration::from_millis(100));
    assert!(session < small.mul_f64(1.8), "50 KB: {session:?}, 100 bytes: {small:?}");
}

#[test]
fn a_noop_is_added_shown_and_removed_like_any_toxic_and_changes_nothing() {
    let fixture = ApiFixture::new();
    let mut client = fixture.world.client();
    client.set("session", 50_000);
    let shown = |stream: &str| json!({ "name": format!("noop_{stream}"), "type": "noop", "stream": stream, "toxicity": 1.0, "attributes": {} });
    for stream in ["upstream", "downstream"] {
        let asked = json!({ "type": "noop", "stream": stream }).to_string();
        assert_eq!(fixture.call("POST /proxies/redis/toxics", &asked), (200, shown(stream)));
    }
    client.get("session", 50_000);
    let changed = fixture.call("PATCH /proxies/redis/toxics/noop_upstream", r#"{"attributes":{}}"#);
    assert_eq!(changed, (200, shown("upstream")));
    assert_eq!(fixture.raw("DELETE /proxies/redis/toxics/noop_upstream", ""), (204, String::new()));
    client.get("session", 50_000);
    assert_eq!(fixture.call("GET /proxies/redis/toxics", ""), (200, json!([shown("downstream")])));
}

#[test]
fn reset_brings_all_up_without_toxics() {
    let fixture = ApiFixture::new();
    fixture.add(&json!({ "type": "timeout", "attributes": { "timeout": 0 } }));
    assert_eq!(fixture.call("POST /proxies/redis", r#"{"enabled":false}"#).0, 200);
    assert_eq!(fixture.raw("POST /reset", ""), (204, String::new()));
    assert!(fixture.world.proxy.enabled() && fixture.world.proxy.toxics().is_empty());
    fixture.world.client().ping();
}

#[test]
fn a_toxic_is_gone_when_the_call_that_removes_it_returns() {
    let fixture = ApiFixture::new();
    let mut clients: Vec<Client> = (0..20).map(|_| fixture.world.client()).collect();
    let slow = r#"{"type":"bandwidth","attributes":{"rate":0}}"#;
    for _ in 0..20 {
        assert_eq!(fixture.call("POST /proxies/redis/toxics", slow).0, 200);
        clients.iter_mut().for_each(|client| client.send("PING"));
        let start = Instant::now();
        assert_eq!(fixture.raw("DELETE /proxies/redis/toxics/bandwidth_downstream", ""), (204, String::new()));
        assert!(start.elapsed() < DEADLINE);
        clients.iter_mut().for_each(|client| client.expect(b"+PONG\r\n"));
    }
}

#[test]
fn answers_have_toxiproxys_statuses_and_shapes() {
    let fixture = ApiFixture::new();
    let upstream = fixture.world.redis.address().to_string();
    let body = json!({ "name": "new", "listen": "127.0.0.1:0", "upstream": upstream, "Logger": {} }).to_string();

    let (status, made) = fixture.call("POST /proxies", &body);
    let listen = made["listen"].as_str().unwrap().to_owned();
    assert_eq!(status, 201);
    let shown = json!({ "name": "new", "listen": listen, "upstream": upstream, "enabled": true, "toxics": [] });
    assert_eq!(made, shown);
    assert_ne!(listen.parse::<SocketAddr>().unwrap().port(), 0);
    assert_eq!(fixture.call("GET /proxies/new", ""), (200, shown.clone()));
    assert_eq!(fixture.call("GET /proxies", "").1["new"], shown);

    let toxic = json!({ "name": "slow", "type": "latency", "stream": "downstream", "toxicity": 1.0,
                        "attributes": { "latency": 5, "jitter": 0 } });
    let asked = r#"{"name":"slow","type":"latency","attributes":{"latency":5}}"#;
    assert_eq!(fixture.call("POST /proxies/new/toxics", asked), (200, toxic.clone()));
    assert_eq!(fixture.call("GET /proxies/new/toxics/slow", ""), (200, toxic.clone()));
    assert_eq!(fixture.call("GET /proxies/new", "").1["toxics"], json!([toxic]));
    for (method, latency) in [("POST", 6), ("PATCH", 7)] {
        let change = json!({ "attributes": { "latency": latency } }).to_string();
        let (status, changed) = fixture.call(&format!("{method} /proxies/new/toxics/slow"), &change);
        assert_eq!((status, &changed["attributes"]), (200, &json!({ "latency": latency, "jitter": 0 })));
    }
    assert_eq!(fixture.raw("DELETE /proxies/new/toxics/slow", ""), (204, String::new()));

    for method in ["POST", "PATCH"] {
        for enabled in [false, true] {
            let (status, changed) =
                fixture.call(&format!("{method} /proxies/new"), &json!({ "enabled": enabled }).to_string());
            assert_eq!((status, &changed["enabled"], &changed["listen"]), (200, &json!(enabled), &json!(listen)));
        }
    }
    assert_eq!(fixture.raw("POST /reset", ""), (204, String::new()));
    assert_eq!(fixture.raw("DELETE /proxies/new", ""), (204, String::new()));
}

#[test]
fn errors_have_toxiproxys_statuses_and_words() {
    let fixture = ApiFixture::new();
    let taken = fixture.world.redis.address();
    let errors = [
        ("GET /proxies/none", "", 404, "proxy not found"),
        ("PATCH /proxies/none", "{}", 404, "proxy not found"),
        ("DELETE /proxies/none", "", 404, "proxy not found"),
        ("GET /proxies/none/toxics", "", 404, "proxy not found"),
        ("GET /proxies/redis/toxics/none", "", 404, "toxic not found"),
        ("PATCH /proxies/redis/toxics/none", "{}", 404, "toxic not found"),
        ("DELETE /proxies/redis/toxics/none", "", 404, "toxic not found"),
        ("POST /proxies", r#"{"upstream":"a:1"}"#, 400, "missing required field: name"),
        ("POST /proxies", r#"{"name":"a"}"#, 400, "missing required field: upstream"),
        ("POST /proxies", r#"{"name":"redis","upstream":"a:1"}"#, 409, "proxy already exists"),
        (
            "POST /populate",
            r#"[{"name":"a","upstream":"b:1"},{"name":"c"}]"#,
            400,
            "missing required field: upstream at proxy 2",
        ),
        ("POST /proxies/redis/toxics", r#"{"type":"noise"}"#, 400, "invalid toxic type"),
        (
            "POST /proxies/redis/toxics",
            r#"{"type":"latency","stream":"sideways"}"#,
            400,
            "stream was invalid, can be either upstream or downstream",
        ),
    ];
    for (request, body, status, error) in errors {
        let (seen, answer) = fixture.call(request, body);
        assert_eq!(seen, status, "{request} {body}");
        assert_eq!((&answer["error"], &answer["status"]), (&json!(error), &json!(status)), "{request} {body}");
    }

    assert_eq!(fixture.call("POST /proxies/redis/toxics", r#"{"type":"latency"}"#).0, 200);
    let (status, again) = fixture.call("POST /proxies/redis/toxics", r#"{"type":"latency"}"#);
    assert_eq!((status, again), (409, json!({ "error": "toxic already exists", "status": 409 })));

    for (request, body) in [
        ("POST /proxies", "{"),
        ("POST /populate", "{}"),
        ("PATCH /proxies/redis", ""),
        ("POST /proxies/redis/toxics", r#"{"type":"latency","name":"half","attributes":{"latency":0.5}}"#),
        ("PATCH /proxies/redis/toxics/latency_downstream", r#"{"attributes":{"latency":"5"}}"#),
    ] {
        let (status, answer) = fixture.call(request, body);
        assert_eq!((status, &answer["status"]), (400, &json!(400)), "{request} {body}");
        assert!(answer["error"].as_str().unwrap().starts_with("bad request body: "), "{answer}");
    }

    let conflict = json!({ "name": "second", "listen": taken.to_string(), "upstream": "a:1" }).to_string();
    let (status, answer) = fixture.call("POST /proxies", &conflict);
    assert_eq!((status, &answer["status"]), (500, &json!(500)));
    assert_eq!(fixture.call("GET /proxies/second", "").0, 404);
    assert_eq!(fixture.raw("GET /nowhere", ""), (404, "404 page not found\n".into()));
    assert_eq!(fixture.raw("PUT /proxies", "").0, 405);
}

#[test]
fn browsers_are_refused() {
    let fixture = ApiFixture::new();
    let (status, body) = fixture.raw("GET /proxies\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64)", "");
    assert_eq!((status, body.as_str()), (403, "User agent not allowed\n"));
    assert_eq!(fixture.raw("GET /proxies\nUser-Agent: toxiproxy-cli/2.12", "").0, 200);
}

#[test]
fn pages_of_other_names_and_origins_are_refused() {
    let fixture = ApiFixture::new();
    let foreign = fixture.raw("GET /proxies\nOrigin: http://evil.example", "");
    assert_eq!(foreign, (403, "Origin not allowed\n".to_owned()));
    let options = ApiOptions { allow_hosts: vec!["toxiproxy".to_owned()], ..ApiOptions::default() };
    let api = fixture.world.server.serve_api_with(any_port(), options).unwrap();
    let known_as = |host: &str| http_with_host(api, host, "GET /proxies", "");
    for known in ["localhost:8474", "toxiproxy:8474", &api.to_string()] {
        assert_eq!(known_as(known).0, 200, "{known}");
    }
    let (status, body) = known_as("rebound.evil.example");
    assert_eq!(status, 403);
    assert!(body.contains("--allow-host rebound.evil.example"), "{body}");
}

#[test]
fn a_client_that_sends_half_a_request_or_none_is_disconnected() {
    let world = World::new();
    let options = ApiOptions { patience: Duration::from_millis(200), ..ApiOptions::default() };
    let api = world.server.serve_api_with(any_port(), options).unwrap();
    let whole = "GET /version HTTP/1.1\r\nHost: localhost\r\n\r\n";
    for sent in [
        "",
        "GET /proxies HTTP/1.1\r\nHo",
        "POST /proxies HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{",
        whole,
    ] {
        let mut client = TcpStream::connect(api).unwrap();
        client.set_read_timeout(Some(DEADLINE)).unwrap();
        client.write_all(sent.as_bytes()).unwrap();
        let mut answer = String::new();
        client.read_to_string(&mut answer).unwrap_or_else(|error| panic!("{sent:?}: {error}, after {answer:?}"));
        let expected = match sent {
            "" => "",
            answered if answered == whole => "HTTP/1.1 200",
            half if half.starts_with("POST") => "HTTP/1.1 408",
            _ => answer.as_str(),
        };
        assert!(answer.starts_with(expected), "{sent:?}: {answer:?}");
    }
}

#[test]
fn connections_beyond_the_bound_are_refused_until_others_close() {
    let fixture = ApiFixture::new();
    let mut clients: Vec<TcpStream> = (0..300).map(|_| TcpStream::connect(fixture.api).unwrap()).collect();
    let last = clients.last_mut().unwrap();
    last.set_read_timeout(Some(DEADLINE)).unwrap();
    let mut answer = String::new();
    last.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 503"), "{answer:?}");
    drop(clients);
    wait_until("room", || {
        let mut client = TcpStream::connect(fixture.api).unwrap();
        client.write_all(b"GET /version HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = Vec::new();
        client.read_to_end(&mut answer).is_ok() && answer.starts_with(b"HTTP/1.1 200")
    });
}

#[test]
fn populating_leaves_a_matching_proxy_as_it_is_and_replaces_another() {
    let fixture = ApiFixture::new();
    let mut client = fixture.world.client();
    client.ping();
    fixture.call("POST /proxies/redis/toxics", r#"{"type":"latency"}"#);
    let (listen, upstream) = (fixture.world.proxy.listen_addr().to_string(), fixture.world.redis.address().to_string());

    let same = json!([{ "name": "redis", "listen": listen, "upstream": upstream }]).to_string();
    let (status, answer) = fixture.call("POST /populate", &same);
    assert_eq!((status, answer["proxies"][0]["toxics"].as_array().unwrap().len()), (201, 1));
    client.ping();

    let other = json!([{ "name": "redis", "listen": listen, "upstream": "127.0.0.1:1" }]).to_string();
    let (status, answer) = fixture.call("POST /populate", &other);
    assert_eq!((status, &answer["proxies"][0]["upstream"]), (201, &json!("127.0.0.1:1")));
    assert_eq!(answer["proxies"][0]["toxics"], json!([]));
    assert_eq!(client.read(DEADLINE), Received::End);
}

#[test]
fn a_disabled_proxy_keeps_no_port_until_it_goes_up() {
    let fixture = ApiFixture::new();
    let upstream = fixture.world.redis.address().to_string();
    let port = fixture.world.proxy.listen_addr().to_string();
    let body = json!({ "name": "later", "listen": port, "upstream": upstream, "enabled": false }).to_string();
    let (status, made) = fixture.call("POST /proxies", &body);
    assert_eq!((status, &made["enabled"], &made["listen"]), (201, &json!(false), &json!(port)));
    // The port belongs to the other proxy, which is up.
    assert_eq!(fixture.call("PATCH /proxies/later", r#"{"enabled":true}"#).0, 500);
    fixture.call("DELETE /proxies/redis", "");
    assert_eq!(fixture.call("PATCH /proxies/later", r#"{"enabled":true}"#).0, 200);
    Client::connect(port.parse().unwrap()).ping();
}
