//! A relay of the harness on 127.0.0.1, between a client and a server that do not know about it: a port, and a handler
//! for each connection.

pub mod tls;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::io::InspectReader;

use crate::proxy::Listening;

/// Pause before the next accept if the system cannot accept.
const PAUSE: Duration = Duration::from_millis(10);

/// A port and its connections; both end with this value.
pub struct Relay {
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl Relay {
    /// Opens a free port of 127.0.0.1 and runs `serve` for every connection to it. Must be called on a runtime.
    ///
    /// # Errors
    /// If no port is available.
    pub fn start<F, D>(serve: F) -> io::Result<Self>
    where
        F: Fn(TcpStream) -> D + Send + 'static,
        D: Future<Output = ()> + Send + 'static,
    {
        Self::start_at((Ipv4Addr::LOCALHOST, 0).into(), serve)
    }

    /// The same at this address.
    ///
    /// # Errors
    /// If the address is not available.
    pub fn start_at<F, D>(address: SocketAddr, serve: F) -> io::Result<Self>
    where
        F: Fn(TcpStream) -> D + Send + 'static,
        D: Future<Output = ()> + Send + 'static,
    {
        let listener = std::net::TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        let listener = Listening::on(listener)?;
        let address = listener.local_addr()?;
        let task = tokio::spawn(async move {
            // Dropping the task drops the set, and dropping the set ends every connection.
            let mut open = JoinSet::new();
            loop {
                tokio::select! {
                    accepted = listener.accept() => match accepted {
                        Ok(client) => drop(open.spawn(serve(client))),
                        Err(error) => {
                            tracing::warn!(%error, "a relay cannot accept a client");
                            tokio::time::sleep(PAUSE).await;
                        }
                    },
                    Some(_) = open.join_next() => {}
                }
            }
        });
        Ok(Self { address, task })
    }

    /// The address that clients connect to.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops the relay, and returns once its port is closed.
    pub async fn stop(mut self) {
        self.task.abort();
        // An error means that the task was aborted, as intended.
        let _ = (&mut self.task).await;
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Forwards bytes between `client` and `server` until either side ends, and adds the number of bytes from the client to
/// `heard`.
pub async fn carry<C, S>(client: C, server: S, heard: Arc<AtomicU64>)
where
    C: AsyncRead + AsyncWrite,
    S: AsyncRead + AsyncWrite,
{
    let (client_says, client_hears) = tokio::io::split(client);
    let (server_says, server_hears) = tokio::io::split(server);
    let client_says = InspectReader::new(client_says, |bytes| {
        heard.fetch_add(bytes.len() as u64, Relaxed);
    });
    // A Redis client that closes its side expects nothing more, so the end of one direction ends both.
    tokio::select! {
        _ = copy(client_says, server_hears) => {}
        _ = copy(server_says, client_hears) => {}
    }
}

async fn copy<R, W>(mut from: R, mut to: W) -> io::Result<()>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    tokio::io::copy(&mut from, &mut to).await?;
    to.shutdown().await
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt as _;

    use super::*;

    /// A relay in front of an echo server.
    fn before_an_echo(heard: &Arc<AtomicU64>) -> Relay {
        let heard = heard.clone();
        Relay::start(move |client| {
            let (ours, theirs) = tokio::io::duplex(64);
            tokio::spawn(async move {
                let (mut reader, mut writer) = tokio::io::split(theirs);
                let _ = tokio::io::copy(&mut reader, &mut writer).await;
            });
            carry(client, ours, heard.clone())
        })
        .unwrap()
    }

    #[tokio::test]
    async fn it_passes_on_what_both_say_and_counts_what_it_hears() {
        let heard = Arc::default();
        let relay = before_an_echo(&heard);
        let mut client = TcpStream::connect(relay.address()).await.unwrap();
        let said = vec![7; 100_000];
        let (mut reader, mut writer) = client.split();
        let mut answer = vec![0; said.len()];
        tokio::try_join!(writer.write_all(&said), reader.read_exact(&mut answer)).unwrap();
        assert_eq!(answer, said);
        assert_eq!(heard.load(Relaxed), 100_000);
    }

    #[tokio::test]
    async fn its_end_is_the_end_of_its_connections_and_of_its_port() {
        let relay = before_an_echo(&Arc::default());
        let address = relay.address();
        let mut client = TcpStream::connect(address).await.unwrap();
        client.write_all(b"x").await.unwrap();
        assert_eq!(client.read_u8().await.unwrap(), b'x');
        relay.stop().await;
        assert!(client.read_u8().await.is_err());
        assert!(TcpStream::connect(address).await.is_err());
    }
}
