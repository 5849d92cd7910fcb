//! The load's path to a Redis server, as the nemesis sees it: it sends probes along the path and reads the proxy's
//! counters. A probe announces itself to the proxy before it connects and is left out of the counters, which show only
//! the harm to the load.

use std::fmt;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};

use super::{FaultError, Impact};
use crate::lab::{DialError, Dialer, Server, ServerConnection};
use crate::proxy::{LinkStats, ProxyControl, ProxyStats};

const PING: &[u8] = b"*1\r\n$4\r\nPING\r\n";

/// A server and the load's path to it.
pub(super) struct Path {
    server: Arc<dyn Server>,
    /// The proxy in front of it, if there is one.
    proxy: Option<Arc<dyn ProxyControl>>,
    /// Probes use TLS if the load does.
    dialer: Dialer,
}

/// What a probe observed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ProbeResult {
    /// An answer arrived this long after the request.
    Answered(Duration),
    /// The connection was refused.
    Refused,
    /// The connection was closed before an answer.
    Closed,
    /// Nothing arrived for this long.
    Silent(Duration),
}

impl fmt::Display for ProbeResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ProbeResult::Answered(after) => write!(f, "a probe was answered after {}", millis(*after)),
            ProbeResult::Refused => f.write_str("a probe was refused a connection"),
            ProbeResult::Closed => f.write_str("a probe's connection was closed without a reply"),
            ProbeResult::Silent(waited) => write!(f, "a probe got no reply within {}", millis(*waited)),
        }
    }
}

/// The counters at one moment.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Snapshot(ProxyStats);

/// What happened to the load between two moments.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Damage {
    /// Whether the proxy counts at all.
    pub counted: bool,
    /// Connections that the proxy closed or refused.
    pub cut: u64,
    /// Connections that ended for any reason.
    pub ended: u64,
    /// Delayed transfers.
    pub delayed: u64,
    /// Their mean delay.
    pub mean_delay: Duration,
    /// Bytes that were lost.
    pub dropped: u64,
    /// Bytes that arrived.
    pub carried: u64,
}

impl Damage {
    /// Whether `hits` hit the load, and the `words` for it. If the proxy does not count, the probe decides, because it
    /// took the load's path.
    pub fn hit(&self, hits: u64, words: String) -> (bool, String) {
        match self.counted {
            true => (hits > 0, words),
            false => (true, "what the load suffered is not counted by this proxy".to_owned()),
        }
    }

    /// Returns `words` only if the proxy counts what they describe.
    pub fn if_counted(&self, words: String) -> Option<String> {
        self.counted.then_some(words)
    }
}

impl Path {
    /// The path to `server` through `proxy`, if there is one; `dialer` opens its connections.
    pub fn new(server: Arc<dyn Server>, proxy: Option<Arc<dyn ProxyControl>>, dialer: Dialer) -> Self {
        Self { server, proxy, dialer }
    }

    /// The server at its end.
    pub(super) fn server(&self) -> &Arc<dyn Server> {
        &self.server
    }

    /// Whether the load uses TLS.
    pub(super) fn is_tls(&self) -> bool {
        self.dialer.is_tls()
    }

    /// Opens a probe's connection.
    async fn open(&self) -> Result<ServerConnection, DialError> {
        let address = self.proxy.as_ref().map(|proxy| proxy.listen_addr()).or_else(|| self.server.address());
        let address = address.ok_or_else(|| DialError::Connect(ErrorKind::AddrNotAvailable.into()))?;
        let stream = self.connect(address).await?;
        self.dialer.secure(stream).await
    }

    /// Connects; to a proxy, from an address announced beforehand.
    async fn connect(&self, address: SocketAddr) -> std::io::Result<TcpStream> {
        let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        // Only a proxy in this process counts. For another machine, the source address is not known in advance.
        let Some(proxy) = self.proxy.as_ref().filter(|_| address.ip().is_loopback()) else {
            return socket.connect(address).await;
        };
        socket.bind(SocketAddr::new(address.ip(), 0))?;
        let mut announced = Announced::to(&**proxy, socket.local_addr()?);
        let connected = socket.connect(address).await;
        announced.connected = connected.is_ok();
        connected
    }

    /// The proxy in front of the server.
    ///
    /// # Errors
    /// [`FaultError::NoProxy`].
    pub(super) fn proxy(&self) -> Result<&dyn ProxyControl, FaultError> {
        self.proxy.as_deref().ok_or_else(|| FaultError::NoProxy { address: self.server.url().address() })
    }

    /// The proxy's counters; `None` if there is no proxy, or one that does not count.
    fn stats(&self) -> Option<ProxyStats> {
        self.proxy.as_ref()?.stats()
    }

    /// The impact of a fault that makes the whole path unusable; there is no `harm` if only probes ever used it.
    pub(super) fn impact(&self, harm: bool, evidence: String) -> Impact {
        if self.used() {
            Impact { bit: harm, evidence }
        } else {
            Impact { bit: false, evidence: format!("{evidence}; the load never came this way") }
        }
    }

    /// Whether the load ever used this path.
    fn used(&self) -> bool {
        self.stats().is_none_or(|stats| stats.accepted > 0)
    }

    /// Cuts the open connections but leaves the path open for new ones.
    ///
    /// # Errors
    /// [`FaultError::NoProxy`], or if the proxy is gone.
    pub(super) async fn cut(&self) -> Result<(), FaultError> {
        Ok(self.proxy()?.cut().await?)
    }

    /// Open connections of the load; `None` if they are not counted.
    pub(super) fn open_connections(&self) -> Option<u64> {
        self.stats().map(|stats| stats.open)
    }

    /// The current counters.
    pub(super) fn snapshot(&self) -> Snapshot {
        Snapshot(self.stats().unwrap_or_default())
    }

    /// The harm to the load since `then`.
    pub(super) fn damage(&self, then: &Snapshot) -> Damage {
        let counters = self.stats();
        let now = counters.unwrap_or_default();
        let since = |value: fn(&ProxyStats) -> u64| value(&now).saturating_sub(value(&then.0));
        let delayed = since(|stats| both(stats, |link| link.delayed_transfers));
        let delay = since(|stats| both(stats, |link| link.delay.as_nanos() as u64));
        Damage {
            counted: counters.is_some(),
            cut: since(|stats| stats.cut + stats.refused),
            ended: since(|stats| stats.accepted.saturating_sub(stats.open)),
            delayed,
            mean_delay: Duration::from_nanos(delay.checked_div(delayed).unwrap_or_default()),
            dropped: since(|stats| both(stats, |link| link.dropped_bytes)),
            carried: since(|stats| both(stats, |link| link.sent_bytes)),
        }
    }

    /// Sends a PING along the path. Any answer counts, even a refusal by Redis.
    pub(super) async fn ping(&self, within: Duration) -> ProbeResult {
        self.probe(PING, |come| !come.is_empty(), within).await.0
    }

    /// Sends `size` bytes along the path and waits until all of them have come back.
    pub(super) async fn echo(&self, size: usize, within: Duration) -> ProbeResult {
        let mut request = format!("*2\r\n$4\r\nECHO\r\n${size}\r\n").into_bytes();
        request.resize(request.len() + size, b'x');
        request.extend_from_slice(b"\r\n");
        self.probe(&request, |come| come.len() >= size, within).await.0
    }

    /// Sends `request` along the path and reads until `lines` lines have arrived. Returns what the probe observed and
    /// all bytes received, even if they are fewer.
    pub(super) async fn ask(&self, request: &[u8], lines: usize, within: Duration) -> (ProbeResult, Vec<u8>) {
        let complete = |come: &[u8]| come.iter().filter(|byte| **byte == b'\n').count() >= lines;
        self.probe(request, complete, within).await
    }

    /// Sends a PING along the path and then nothing, until the connection is closed.
    pub(super) async fn idle(&self, within: Duration) -> (ProbeResult, Vec<u8>) {
        self.probe(PING, |_| false, within).await
    }

    /// Opens a connection, uses it, closes it, and waits until the other side has closed it too, which counts as the
    /// answer.
    pub(super) async fn close(&self, within: Duration) -> ProbeResult {
        let begun = Instant::now();
        let exchange = async {
            let mut stream = self.open().await?;
            converse(&mut stream, PING, |come| !come.is_empty(), &mut Vec::new()).await?;
            stream.shutdown().await?;
            let ended = Instant::now();
            match tokio::io::copy(&mut stream, &mut tokio::io::sink()).await {
                // A server may close a TLS connection without a close_notify.
                Err(error) if error.kind() != ErrorKind::UnexpectedEof => Err(DialError::Connect(error)),
                _ => Ok(ended.elapsed()),
            }
        };
        match tokio::time::timeout(within, exchange).await {
            Ok(Ok(after)) => ProbeResult::Answered(after),
            Ok(Err(_)) => ProbeResult::Closed,
            Err(_) => ProbeResult::Silent(begun.elapsed()),
        }
    }

    /// The local address that clients connect to, if there is a proxy.
    pub(super) fn address(&self) -> Option<SocketAddr> {
        self.proxy.as_ref().map(|proxy| proxy.listen_addr())
    }

    /// How long an attempt to connect along the path neither succeeds nor is refused; `None` if it does within `within`.
    pub(super) async fn hangs(&self, within: Duration) -> Option<Duration> {
        let begun = Instant::now();
        let address = self.address()?;
        match tokio::time::timeout(within, self.connect(address)).await {
            Ok(_) => None,
            Err(_) => Some(begun.elapsed()),
        }
    }

    /// Opens a connection along the path, including the store's own handshake, and closes it.
    ///
    /// # Errors
    /// Why the connection failed.
    pub(super) async fn shake_hands(&self, within: Duration) -> Result<(), DialError> {
        let opened = tokio::time::timeout(within, self.open()).await;
        opened.unwrap_or_else(|_| Err(DialError::Connect(ErrorKind::TimedOut.into()))).map(drop)
    }

    /// Sends `request` and reads until the answer is `complete`.
    async fn probe(
        &self,
        request: &[u8],
        complete: impl Fn(&[u8]) -> bool,
        within: Duration,
    ) -> (ProbeResult, Vec<u8>) {
        let begun = Instant::now();
        let mut come = Vec::new();
        let exchange = async {
            let mut stream = match self.open().await {
                Ok(stream) => stream,
                Err(error) if error.is_refused() => return ProbeResult::Refused,
                // Accepted but reset at once, because the server behind the proxy is gone.
                Err(_) => return ProbeResult::Closed,
            };
            let sent = Instant::now();
            match converse(&mut stream, request, complete, &mut come).await {
                Ok(()) => ProbeResult::Answered(sent.elapsed()),
                Err(_) => ProbeResult::Closed,
            }
        };
        let seen =
            tokio::time::timeout(within, exchange).await.unwrap_or_else(|_| ProbeResult::Silent(begun.elapsed()));
        (seen, come)
    }
}

/// A probe that is announced to a proxy. Unless it connects, it is withdrawn: its address may be a client's next.
struct Announced<'p> {
    proxy: &'p dyn ProxyControl,
    probe: SocketAddr,
    connected: bool,
}

impl<'p> Announced<'p> {
    fn to(proxy: &'p dyn ProxyControl, probe: SocketAddr) -> Self {
        proxy.expect_probe(probe);
        Self { proxy, probe, connected: false }
    }
}

impl Drop for Announced<'_> {
    fn drop(&mut self) {
        if !self.connected {
            self.proxy.forget_probe(self.probe);
        }
    }
}

/// The sum over both directions.
fn both(stats: &ProxyStats, value: fn(&LinkStats) -> u64) -> u64 {
    value(&stats.upstream) + value(&stats.downstream)
}

/// Writes `request` and reads into `come` until it is `complete`.
pub(super) async fn converse(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    request: &[u8],
    complete: impl Fn(&[u8]) -> bool,
    come: &mut Vec<u8>,
) -> std::io::Result<()> {
    let (mut reader, mut writer) = tokio::io::split(stream);
    let read = async {
        let mut buffer = vec![0; 64 * 1024];
        while !complete(come) {
            match reader.read(&mut buffer).await? {
                0 => return Err(ErrorKind::UnexpectedEof.into()),
                some => come.extend_from_slice(&buffer[..some]),
            }
        }
        Ok(())
    };
    // Concurrent, because a large reply starts before the whole request has been sent.
    let write = async {
        writer.write_all(request).await?;
        // TLS may still buffer encrypted data.
        writer.flush().await
    };
    tokio::try_join!(write, read).map(drop)
}

/// A duration for display: `50 ms`, `0.4 ms`.
pub(super) fn millis(time: Duration) -> String {
    let ms = time.as_secs_f64() * 1e3;
    if ms >= 10.0 { format!("{ms:.0} ms") } else { format!("{ms:.1} ms") }
}

/// `1 connection`, `2 connections`.
pub(super) fn count(n: u64, noun: &str) -> String {
    format!("{n} {noun}{}", if n == 1 { "" } else { "s" })
}
