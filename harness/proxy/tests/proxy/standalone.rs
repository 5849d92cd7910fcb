//! The proxy on its own, as a replacement for `toxiproxy-server`: its configuration file, its metrics, its end.

use std::io::ErrorKind;
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::sync::mpsc;
use std::thread::JoinHandle;

use firedrill_proxy::{ProxyError, StandaloneOptions, run_standalone};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::oneshot;

use crate::support::{Client, DEADLINE, Received, World, any_port, http, wait_until};

/// A stand-alone proxy on a thread.
struct Standalone {
    api: SocketAddr,
    stop: oneshot::Sender<()>,
    thread: JoinHandle<Result<(), ProxyError>>,
}

impl Standalone {
    fn start(config: Option<PathBuf>) -> Self {
        let (tell, told) = mpsc::channel();
        let (stop, stopped) = oneshot::channel::<()>();
        let host = any_port().ip().to_string();
        let options = StandaloneOptions { host, port: "0".into(), config, ..StandaloneOptions::default() };
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            let listening = |address, failed: Option<_>| {
                assert!(failed.is_none(), "{failed:?}");
                tell.send(address).unwrap();
            };
            runtime.block_on(run_standalone(&options, listening, async { stopped.await.unwrap() }))
        });
        Self { api: told.recv_timeout(DEADLINE).unwrap(), stop, thread }
    }

    fn get(&self, path: &str) -> String {
        let (status, body) = http(self.api, &format!("GET {path}"), "");
        assert_eq!(status, 200);
        body
    }
}

fn config_file(json: &str) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("toxiproxy.json");
    std::fs::write(&file, json).unwrap();
    (folder, file)
}

#[test]
fn the_configured_proxies_are_made_and_end_with_it() {
    let world = World::new();
    let upstream = world.redis.address().to_string();
    let config = json!([
        { "name": "up", "listen": any_port().to_string(), "upstream": upstream },
        { "name": "down", "listen": "localhost:0", "upstream": upstream, "enabled": false },
    ]);
    let (_folder, file) = config_file(&config.to_string());
    let alone = Standalone::start(Some(file));
    let proxies: Value = serde_json::from_str(&alone.get("/proxies")).unwrap();
    assert_eq!((&proxies["up"]["enabled"], &proxies["down"]["enabled"]), (&json!(true), &json!(false)));
    let address: SocketAddr = proxies["up"]["listen"].as_str().unwrap().parse().unwrap();
    let mut client = Client::connect(address);
    client.ping();

    let api = alone.api;
    alone.stop.send(()).unwrap();
    alone.thread.join().unwrap().unwrap();
    assert_eq!(client.read(DEADLINE), Received::End);
    for gone in [api, address] {
        assert_eq!(TcpStream::connect(gone).unwrap_err().kind(), ErrorKind::ConnectionRefused);
    }
}

#[test]
fn metrics_count_bytes_under_toxiproxys_names() {
    let world = World::new();
    let alone = Standalone::start(None);
    let upstream = world.redis.address();
    let body = json!({ "name": "redis", "listen": "127.0.0.1:0", "upstream": upstream.to_string() }).to_string();
    let (_, made) = http(alone.api, "POST /proxies", &body);
    let made: Value = serde_json::from_str(&made).unwrap();
    let listen = made["listen"].as_str().unwrap();
    Client::connect(listen.parse().unwrap()).ping();

    let labels =
        |direction| format!(r#"{{direction="{direction}",listener="{listen}",proxy="redis",upstream="{upstream}"}}"#);
    for expected in [
        format!("toxiproxy_proxy_received_bytes_total{} 6", labels("upstream")),
        format!("toxiproxy_proxy_sent_bytes_total{} 7", labels("downstream")),
        r#"firedrill_proxy_connections_accepted_total{proxy="redis"} 1"#.into(),
    ] {
        wait_until(&expected, || alone.get("/metrics").lines().any(|line| line == expected));
    }
    alone.stop.send(()).unwrap();
    alone.thread.join().unwrap().unwrap();
}

#[tokio::test]
async fn a_configuration_that_cannot_be_carried_out_is_reported_by_its_file_and_the_api_is_served() {
    let run = async |config: PathBuf| {
        let (mut said, mut served) = (String::new(), false);
        let options = StandaloneOptions { port: "0".into(), config: Some(config), ..StandaloneOptions::default() };
        let listening = |address, failed: Option<ProxyError>| {
            said = failed.unwrap().to_string();
            served = http(address, "GET /version", "").0 == 200;
        };
        run_standalone(&options, listening, async {}).await.unwrap();
        assert!(served);
        said
    };
    for (json, reason) in [
        ("{", "bad request body"),
        (r#"[{"name":"a"}]"#, "missing required field: upstream at proxy 1"),
        (r#"[{"name":"a","upstream":"b:1","listen":"nowhere"}]"#, "nowhere"),
    ] {
        let (_folder, file) = config_file(json);
        let said = run(file.clone()).await;
        assert!(said.contains(file.to_str().unwrap()) && said.contains(reason), "{said}");
    }
    assert!(run("/no/such/file".into()).await.contains("/no/such/file"));
}

#[tokio::test]
async fn a_host_that_is_none_is_refused() {
    let options = StandaloneOptions { host: "no host".into(), ..StandaloneOptions::default() };
    let error = run_standalone(&options, |_, _| panic!("it started"), async {}).await.unwrap_err();
    assert!(matches!(error, ProxyError::Address { .. }), "{error}");
}
