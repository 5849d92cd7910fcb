//! An external Toxiproxy server: `firedrill proxy`, a separate process that implements Toxiproxy's API.

#[path = "../../proxy/tests/proxy/http.rs"]
mod http;

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Stdio};

use serde_json::Value;

use crate::support::firedrill;

/// A server with one foreign proxy. Ends with this value.
pub struct Server {
    pub process: Child,
    pub api: SocketAddr,
    /// Kept open: a process that prints into a closed pipe may end on its own.
    _errors: BufReader<std::process::ChildStderr>,
    _folder: tempfile::TempDir,
}

impl Server {
    pub fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("toxiproxy.json");
        std::fs::write(&config, r#"[{"name": "theirs", "listen": "127.0.0.1:0", "upstream": "127.0.0.1:1"}]"#).unwrap();
        let mut command = firedrill();
        command.args(["proxy", "-port", "0", "-config"]).arg(&config).stderr(Stdio::piped());
        let mut process = command.spawn().unwrap();
        let mut errors = BufReader::new(process.stderr.take().unwrap());
        let mut line = String::new();
        errors.read_line(&mut line).unwrap();
        let api = line.trim().rsplit("http://").next().unwrap().parse().unwrap();
        Self { process, api, _errors: errors, _folder: folder }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.api)
    }

    /// The names of its proxies.
    pub fn proxies(&self) -> Vec<String> {
        self.snapshot().as_object().unwrap().keys().cloned().collect()
    }

    /// Its proxies with their toxics, as listed by the API.
    pub fn snapshot(&self) -> Value {
        let (status, body) = http::http(self.api, "GET /proxies", "");
        assert_eq!(status, 200);
        serde_json::from_str(&body).unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
