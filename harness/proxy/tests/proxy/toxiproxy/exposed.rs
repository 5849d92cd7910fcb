//! Proxies and an API on every interface, in a network namespace of its own: on the machine's own interfaces, tests do not
//! listen.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::sync::Mutex;
use std::time::Duration;

use firedrill_proxy::ProxyServer;
use tokio::runtime::Runtime;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use super::{differences, send};
use crate::support::any_port;

const TEST: &str = "toxiproxy::exposed::addresses_without_a_host_are_every_interface_ipv4_and_ipv6";
const INSIDE: &str = "FIREDRILL_TEST_NAMESPACE";

/// Lines that say that something is exposed.
static LINES: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Keeps those lines.
struct Lines;

impl Subscriber for Lines {
    fn enabled(&self, event: &Metadata<'_>) -> bool {
        event.target() == "firedrill_proxy::exposed"
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        struct Message;
        impl Visit for Message {
            fn record_debug(&mut self, _: &Field, value: &dyn std::fmt::Debug) {
                LINES.lock().unwrap().push(format!("{value:?}"));
            }
        }
        event.record(&mut Message);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

fn ip(words: &str) {
    let done = Command::new("ip").args(words.split(' ')).status().expect("`ip` of iproute2 is needed");
    assert!(done.success(), "ip {words}");
}

/// What a server behind a proxy says first.
fn greeting(address: &str) -> Result<String, ErrorKind> {
    let mut client = TcpStream::connect(address).map_err(|error| error.kind())?;
    client.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let mut said = String::new();
    client.read_to_string(&mut said).map_err(|error| error.kind())?;
    Ok(said)
}

#[test]
fn addresses_without_a_host_are_every_interface_ipv4_and_ipv6() {
    if std::env::var_os(INSIDE).is_some() {
        return inside();
    }
    let namespace = || {
        let mut command = Command::new("unshare");
        command.args(["--map-root-user", "--net", "--"]);
        command
    };
    let allowed = namespace().arg("true").output();
    let available = allowed.as_ref().is_ok_and(|output| output.status.success());
    assert!(available, "this test needs a network namespace, and none is available: {allowed:?}");
    let program = std::env::current_exe().unwrap();
    let output = namespace().arg(program).args(["--exact", TEST, "--nocapture"]).env(INSIDE, "1").output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let failed = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("1 passed"), "{said}\n{failed}");
}

fn inside() {
    tracing::subscriber::set_global_default(Lines).unwrap();
    ip("link set lo up");
    ip("address add 10.99.0.1/32 dev lo");
    let runtime = Runtime::new().unwrap();
    let (found, _) = differences(&runtime, "exposed");
    assert!(found.is_empty(), "{}", found.join("\n"));
    LINES.lock().unwrap().clear();

    let upstream = TcpListener::bind("127.0.0.1:0").unwrap();
    let server = ProxyServer::start(1).unwrap();
    let behind = upstream.local_addr().unwrap();
    std::thread::spawn(move || {
        for client in upstream.incoming() {
            let _ = client.unwrap().write_all(b"hello");
        }
    });
    let api = server.serve_api(any_port()).unwrap();
    let make = |name: &str, listen: &str| {
        let body = format!(r#"{{"name":"{name}","listen":"{listen}","upstream":"{behind}"}}"#);
        let answer = send(api, "POST /proxies", None, &body);
        assert_eq!(answer.status, 201, "{}", answer.body);
    };
    make("short", ":26380");
    make("long", "0.0.0.0:26379");
    make("here", "127.0.0.1:26378");
    for port in [26_380, 26_379] {
        for host in ["127.0.0.1", "[::1]", "10.99.0.1"] {
            assert_eq!(greeting(&format!("{host}:{port}")), Ok("hello".to_owned()), "{host}:{port}");
        }
    }
    assert_eq!(greeting("127.0.0.1:26378"), Ok("hello".to_owned()));
    for host in ["[::1]", "10.99.0.1"] {
        assert_eq!(greeting(&format!("{host}:26378")), Err(ErrorKind::ConnectionRefused), "{host}");
    }
    // One line for each, and not another when it comes up again.
    for enabled in [false, true] {
        send(api, "PATCH /proxies/short", None, &format!(r#"{{"enabled":{enabled}}}"#));
    }
    assert_eq!(greeting("[::1]:26380"), Ok("hello".to_owned()));
    let every = server.serve_api("[::]:8474".parse().unwrap()).unwrap();
    for host in ["127.0.0.1", "[::1]", "10.99.0.1"] {
        let address = format!("{host}:{}", every.port()).parse().unwrap();
        assert_eq!(send(address, "GET /version", None, "").status, 200, "{host}");
    }
    assert_eq!(
        *LINES.lock().unwrap(),
        [
            "the proxy \"short\" listens on all interfaces, IPv4 and IPv6, as it was asked to: [::]:26380",
            "the proxy \"long\" listens on all interfaces, IPv4 and IPv6, as it was asked to: [::]:26379",
            "the API listens on all interfaces, IPv4 and IPv6, as it was asked to: [::]:8474",
        ]
    );
}
