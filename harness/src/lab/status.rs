//! Whether an application answers.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// The time limit for one look at whether an application answers.
const LOOK_DEADLINE: Duration = Duration::from_secs(1);

/// The status with which the application at `address` answers a GET of `path`; `None` if none arrives within a second.
pub async fn status(address: SocketAddr, path: &str) -> Option<u16> {
    let asking = async {
        let mut stream = TcpStream::connect(address).await.ok()?;
        let request = format!("GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.ok()?;
        let mut head = Vec::new();
        // "HTTP/1.1 200" is all that is needed.
        while head.len() < 12 && stream.read_buf(&mut head).await.ok()? > 0 {}
        let line = std::str::from_utf8(head.get(..12)?).ok()?;
        line.strip_prefix("HTTP/1.")?.get(2..)?.parse().ok()
    };
    tokio::time::timeout(LOOK_DEADLINE, asking).await.ok().flatten()
}
