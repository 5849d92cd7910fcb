//! The test's own redis-server: a free port, nothing on disk, ended with the test.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use crate::support::DEADLINE;

/// A redis-server that has answered.
pub struct Redis {
    process: Child,
    address: SocketAddr,
}

impl Redis {
    pub fn start() -> Self {
        // Another process may take the free port before redis-server does.
        for _ in 0..5 {
            let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap();
            let mut redis = Self { process: spawn(address), address };
            if redis.answers() {
                return redis;
            }
        }
        panic!("redis-server does not start");
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Waits until this server, and not another one, answers; `false` if it has ended.
    fn answers(&mut self) -> bool {
        let deadline = Instant::now() + DEADLINE;
        while Instant::now() < deadline {
            if self.process.try_wait().unwrap().is_some() {
                return false;
            }
            if ask(self.address).is_some_and(|info| info.contains(&format!("process_id:{}\r", self.process.id()))) {
                return true;
            }
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        false
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn spawn(address: SocketAddr) -> Child {
    let mut command = Command::new("redis-server");
    // Keep anything it might write out of the source tree.
    command.args(["--bind", "127.0.0.1", "--save", "", "--port", &address.port().to_string()]);
    command.arg("--dir").arg(env!("CARGO_TARGET_TMPDIR"));
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().expect("redis-server is needed for the tests: apt-get install redis-server")
}

fn ask(address: SocketAddr) -> Option<String> {
    let mut socket = TcpStream::connect(address).ok()?;
    socket.set_read_timeout(Some(DEADLINE)).ok()?;
    socket.write_all(b"INFO server\r\nQUIT\r\n").ok()?;
    let mut answer = String::new();
    socket.read_to_string(&mut answer).ok()?;
    Some(answer)
}
