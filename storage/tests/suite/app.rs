//! The test's own session-server as a real process, and a small HTTP client for it.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::{HeaderMap, Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::support::PATIENCE;

/// A secret of the length that session-server requires; no log may show it.
pub const SECRET: &str = "a-cookie-secret-of-forty-two-characters-xx";

/// A running session-server, always ended with the test.
pub struct App {
    child: Child,
    address: SocketAddr,
    /// Its standard output and standard error, each available once it has closed.
    said: [Option<mpsc::Receiver<String>>; 2],
}

/// How it ended, and everything it wrote.
pub struct Ended {
    pub status: ExitStatus,
    pub said: String,
}

impl App {
    /// Starts it with these variables and waits until it listens.
    pub fn start(variables: &[(&str, &str)]) -> Self {
        let mut child = spawn(variables);
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut first = String::new();
        out.read_line(&mut first).unwrap();
        let err = child.stderr.take().unwrap();
        let Some(address) = first.trim_end().strip_prefix("listening on http://") else {
            let mut said = String::new();
            let _ = BufReader::new(err).read_to_string(&mut said);
            panic!("session-server does not start: {first}{said}");
        };
        let address = address.parse().unwrap();
        let said = [Some(collect(out)), Some(collect(err))];
        Self { child, address, said }
    }

    /// Runs it when it is expected to end by itself.
    pub fn fail(variables: &[(&str, &str)]) -> Ended {
        let mut child = spawn(variables);
        let said = [Some(collect(child.stdout.take().unwrap())), Some(collect(child.stderr.take().unwrap()))];
        Self { child, address: ([127, 0, 0, 1], 0).into(), said }.ended()
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id() as i32), signal).unwrap();
    }

    /// Waits until it has ended.
    pub fn ended(mut self) -> Ended {
        let deadline = Instant::now() + PATIENCE;
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(Instant::now() < deadline, "session-server does not end");
            std::thread::sleep(Duration::from_millis(5));
        };
        let said = self.said.iter_mut().filter_map(Option::take).map(|said| said.recv_timeout(PATIENCE).unwrap());
        Ended { status, said: said.collect() }
    }

    /// A client with its own cookie jar.
    pub fn client(&self) -> Client {
        Client { address: self.address, cookie: None }
    }
}

impl Drop for App {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn(variables: &[(&str, &str)]) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_session-server"));
    command.env_clear().env("PORT", "0").env("SESSION_SECRET", SECRET);
    command.envs(variables.iter().copied()).stdout(Stdio::piped()).stderr(Stdio::piped()).stdin(Stdio::null());
    // SAFETY: prctl is a plain system call; nothing is allocated between fork and exec.
    unsafe {
        command.pre_exec(|| nix::sys::prctl::set_pdeathsig(Signal::SIGKILL).map_err(std::io::Error::from));
    }
    command.spawn().unwrap()
}

/// Reads to the end on its own thread, so that a full pipe blocks nothing.
fn collect(mut from: impl Read + Send + 'static) -> mpsc::Receiver<String> {
    let (send, receive) = mpsc::channel();
    std::thread::spawn(move || {
        let mut said = Vec::new();
        let _ = from.read_to_end(&mut said);
        let _ = send.send(String::from_utf8_lossy(&said).into_owned());
    });
    receive
}

/// A response.
#[derive(Debug)]
pub struct Reply {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub text: String,
}

impl Reply {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
    }

    /// The code of a typed error.
    pub fn code(&self) -> String {
        self.json()["error"]["code"].as_str().unwrap_or_default().to_owned()
    }
}

/// One browser: it keeps the cookie.
pub struct Client {
    address: SocketAddr,
    /// `name=value`
    pub cookie: Option<String>,
}

impl Client {
    pub async fn get(&mut self, path: &str) -> Reply {
        self.ask(Method::GET, path, "").await
    }

    pub async fn post(&mut self, path: &str, json: &str) -> Reply {
        self.ask(Method::POST, path, json).await
    }

    /// Begins a game and keeps its cookie.
    pub async fn begin(&mut self) -> Reply {
        let reply = self.post("/api/game/session", r#"{"userId":"ada","bytes":1000}"#).await;
        assert_eq!(reply.status, StatusCode::CREATED, "{reply:?}");
        reply
    }

    pub async fn answer(&mut self, question: u64, choice: u32) -> Reply {
        self.post("/api/game/answer", &format!(r#"{{"questionId":{question},"answer":{choice}}}"#)).await
    }

    pub async fn ask(&mut self, method: Method, path: &str, json: &str) -> Reply {
        let mut request = Request::builder().method(method).uri(path).header("host", self.address.to_string());
        if !json.is_empty() {
            request = request.header("content-type", "application/json");
        }
        self.send(request, json.to_owned()).await
    }

    pub async fn send(&mut self, mut request: hyper::http::request::Builder, body: String) -> Reply {
        if let Some(cookie) = &self.cookie {
            request = request.header("cookie", cookie);
        }
        let request = request.body(Full::new(Bytes::from(body))).unwrap();
        let reply = tokio::time::timeout(PATIENCE, exchange(self.address, request)).await.expect("no answer");
        if let Some(cookie) = reply.headers.get("set-cookie") {
            let cookie = cookie.to_str().unwrap().split(';').next().unwrap().to_owned();
            self.cookie = (!cookie.ends_with('=')).then_some(cookie);
        }
        reply
    }
}

async fn exchange(address: SocketAddr, request: Request<Full<Bytes>>) -> Reply {
    let stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
    let connection = tokio::spawn(connection);
    let response = sender.send_request(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let text = String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap();
    drop(sender);
    let _ = connection.await;
    Reply { status: parts.status, headers: parts.headers, text }
}
