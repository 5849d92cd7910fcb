//! The path that the load takes to Redis, seen by the nemesis: it sends probes along it and reads the proxy's counters.
//! Probes pass through the same counters as the load, so whatever may have been their share is taken off: a fault that
//! only the probes met has bitten nobody.

use std::fmt;
use std::io::ErrorKind;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::{Bite, FaultError};
use crate::lab::{DialError, Dialer, Line};
use crate::proxy::{Direction, LinkStats, ProxyControl, ProxyError, ProxyStats, Toxic, ToxicSpec, toxic};

/// A sender that pauses for so long begins a new transfer, as the proxy counts them.
const PROXY_PAUSE: Duration = Duration::from_millis(5);

/// A request up to this long goes out, and is read by the proxy, in one piece.
const ONE_PIECE: usize = 1_024;

/// No answer of one line is longer.
const LINE: usize = 256;

/// More than both sides send for a TLS connection to come about, certificates included.
const HANDSHAKE: usize = 16 * 1024;

const PING: &[u8] = b"*1\r\n$4\r\nPING\r\n";

/// The way through the proxy.
pub(super) struct Path {
    proxy: Arc<dyn ProxyControl>,
    /// Probes speak TLS where the load does.
    dialer: Dialer,
    /// Connections of probes that the proxy may have counted.
    connects: AtomicU64,
    /// Bytes of probes, there and back.
    bytes: AtomicU64,
    /// Delayed transfers that may have been those of probes.
    delayed: AtomicU64,
}

/// A probe under way: all transfers that are delayed meanwhile are taken for its own.
struct Share<'a> {
    path: &'a Path,
    delayed_before: u64,
    /// What it leaves in the proxy and may be let go later: transfers each way.
    leaves: u64,
}

impl<'a> Share<'a> {
    fn open(path: &'a Path) -> Self {
        Self { path, delayed_before: path.proxy_delayed(), leaves: 1 }
    }
}

impl Drop for Share<'_> {
    fn drop(&mut self) {
        let meanwhile = self.path.proxy_delayed() - self.delayed_before;
        self.path.delayed.fetch_add(meanwhile + 2 * self.leaves, Relaxed);
    }
}

/// What a probe saw.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Seen {
    /// An answer, this long after the request was sent.
    Answered(Duration),
    /// No connection.
    Refused,
    /// The connection was closed before an answer.
    Closed,
    /// Nothing at all, for this long.
    Silent(Duration),
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Seen::Answered(after) => write!(f, "a probe was answered after {}", millis(*after)),
            Seen::Refused => f.write_str("a probe was refused a connection"),
            Seen::Closed => f.write_str("a probe's connection was closed without an answer"),
            Seen::Silent(waited) => write!(f, "a probe got no answer within {}", millis(*waited)),
        }
    }
}

/// The counters at one moment, the probes' share beside them.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Snapshot {
    stats: ProxyStats,
    connects: u64,
    bytes: u64,
    delayed: u64,
}

/// What happened to the load between two moments.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Toll {
    /// Whether the proxy counts at all.
    pub counted: bool,
    /// Connections that the proxy ended or refused.
    pub cut: u64,
    /// Connections that have ended, whoever ended them.
    pub ended: u64,
    /// Transfers held back.
    pub delayed: u64,
    /// How long they were held back on average.
    pub mean_delay: Duration,
    /// Bytes that never arrived.
    pub dropped: u64,
    /// Bytes that arrived.
    pub carried: u64,
}

impl Toll {
    /// Whether so many `hits` hit the load, and the `words` for it. A proxy that does not count leaves it to the probe,
    /// which came the very way that the load takes.
    pub fn hit(&self, hits: u64, words: String) -> (bool, String) {
        match self.counted {
            true => (hits > 0, words),
            false => (true, "what the load suffered is not counted by this proxy".to_owned()),
        }
    }

    /// What there is to tell at the end, where there is something.
    pub fn told(&self, words: String) -> Option<String> {
        self.counted.then_some(words)
    }
}

impl Path {
    /// The path through `proxy` to a Redis to which `dialer` opens connections.
    pub fn new(proxy: Arc<dyn ProxyControl>, dialer: Dialer) -> Self {
        Self { proxy, dialer, connects: AtomicU64::new(0), bytes: AtomicU64::new(0), delayed: AtomicU64::new(0) }
    }

    /// Whether the load comes by TLS.
    pub(super) fn is_tls(&self) -> bool {
        self.dialer.is_tls()
    }

    /// Opens a probe's connection, which will carry about so many `bytes`.
    async fn open(&self, bytes: usize) -> Result<Line, DialError> {
        let opening = if self.dialer.is_tls() { HANDSHAKE } else { 0 };
        let stream = TcpStream::connect(self.proxy.listen_addr()).await?;
        self.bytes.fetch_add((opening + bytes) as u64, Relaxed);
        self.dialer.secure(stream).await
    }

    pub(super) fn proxy(&self) -> &dyn ProxyControl {
        &*self.proxy
    }

    /// The proxy's counters; zeros where it has none.
    fn stats(&self) -> ProxyStats {
        self.proxy.stats().unwrap_or_default()
    }

    /// The bite of a fault that makes the whole path unusable: no `harm` where nobody but the probes ever came this way.
    pub(super) fn bite(&self, harm: bool, evidence: String) -> Bite {
        if self.used() {
            Bite { bit: harm, evidence }
        } else {
            Bite { bit: false, evidence: format!("{evidence}; the load never came this way") }
        }
    }

    /// Whether anybody but the probes ever came this way.
    fn used(&self) -> bool {
        self.proxy.stats().is_none_or(|stats| stats.accepted > self.connects.load(Relaxed))
    }

    /// Cuts the connections that are open now, and leaves the path open for new ones. `fault` is who asks for it.
    ///
    /// # Errors
    /// When the proxy is gone.
    pub(super) async fn cut(&self, fault: u32) -> Result<(), FaultError> {
        // Whatever a black hole held is closed when it goes.
        let name = format!("fault-{fault}-cut");
        let hole = Toxic::Timeout(toxic::Timeout { timeout: 0 });
        let spec = ToxicSpec { name: name.clone(), ..ToxicSpec::new(Direction::Downstream, hole) };
        match self.proxy.add_toxic(spec).await {
            // An earlier call was given up half-way.
            Ok(()) | Err(ProxyError::ToxicExists(_)) => Ok(self.proxy.remove_toxic(&name).await?),
            Err(error) => Err(error.into()),
        }
    }

    /// Connections of the load that are open now; `None` where nobody counts them.
    pub(super) fn open_connections(&self) -> Option<u64> {
        self.proxy.stats().map(|stats| stats.open)
    }

    /// The counters now.
    pub(super) fn snapshot(&self) -> Snapshot {
        Snapshot {
            stats: self.stats(),
            connects: self.connects.load(Relaxed),
            bytes: self.bytes.load(Relaxed),
            delayed: self.delayed.load(Relaxed),
        }
    }

    /// What the load has suffered since `then`.
    pub(super) fn toll(&self, then: &Snapshot) -> Toll {
        let now = self.snapshot();
        let since = |value: fn(&ProxyStats) -> u64| value(&now.stats).saturating_sub(value(&then.stats));
        let probe_bytes = now.bytes - then.bytes;
        let probes = now.connects.saturating_sub(then.connects);
        let delayed = since(delayed);
        let delay = since(|stats| both(stats, |link| link.delay.as_nanos() as u64));
        Toll {
            counted: self.proxy.stats().is_some(),
            cut: since(|stats| stats.cut + stats.refused).saturating_sub(probes),
            ended: since(|stats| stats.accepted.saturating_sub(stats.open)).saturating_sub(probes),
            delayed: delayed.saturating_sub(now.delayed - then.delayed),
            mean_delay: Duration::from_nanos(delay.checked_div(delayed).unwrap_or_default()),
            dropped: since(|stats| both(stats, |link| link.dropped_bytes)).saturating_sub(probe_bytes),
            carried: since(|stats| both(stats, |link| link.sent_bytes)).saturating_sub(probe_bytes),
        }
    }

    fn proxy_delayed(&self) -> u64 {
        delayed(&self.stats())
    }

    /// Sends a PING along the path. Any answer counts, a refusal of Redis as well.
    pub(super) async fn ping(&self, within: Duration) -> Seen {
        self.probe(PING, 1, |come| !come.is_empty(), within).await.0
    }

    /// Sends `size` bytes along the path and waits until they have all come back.
    pub(super) async fn echo(&self, size: usize, within: Duration) -> Seen {
        let mut request = format!("*2\r\n$4\r\nECHO\r\n${size}\r\n").into_bytes();
        request.resize(request.len() + size, b'x');
        request.extend_from_slice(b"\r\n");
        self.probe(&request, size, |come| come.len() >= size, within).await.0
    }

    /// Sends `request` along the path and reads until `lines` lines have come. Beside what was seen: what has come, also
    /// where it was less.
    pub(super) async fn ask(&self, request: &[u8], lines: usize, within: Duration) -> (Seen, Vec<u8>) {
        let complete = |come: &[u8]| come.iter().filter(|byte| **byte == b'\n').count() >= lines;
        self.probe(request, LINE * lines, complete, within).await
    }

    /// Sends a PING along the path and then nothing more, until the connection is closed.
    pub(super) async fn idle(&self, within: Duration) -> (Seen, Vec<u8>) {
        self.probe(PING, LINE, |_| false, within).await
    }

    /// Opens a connection, uses it, ends it, and waits until the other side has ended it too: the answer is that end.
    pub(super) async fn close(&self, within: Duration) -> Seen {
        self.connects.fetch_add(1, Relaxed);
        let begun = Instant::now();
        let exchange = async {
            let mut stream = self.open(PING.len() + LINE).await?;
            converse(&mut stream, PING, |come| !come.is_empty(), &mut Vec::new()).await?;
            stream.shutdown().await?;
            let ended = Instant::now();
            match tokio::io::copy(&mut stream, &mut tokio::io::sink()).await {
                // A server that ends a TLS connection without saying so has ended it.
                Err(error) if error.kind() != ErrorKind::UnexpectedEof => Err(DialError::Connect(error)),
                _ => Ok(ended.elapsed()),
            }
        };
        match tokio::time::timeout(within, exchange).await {
            Ok(Ok(after)) => Seen::Answered(after),
            Ok(Err(_)) => Seen::Closed,
            Err(_) => Seen::Silent(begun.elapsed()),
        }
    }

    /// Opens a connection along the path, which the store's own way of shaking hands is part of, and ends it.
    ///
    /// # Errors
    /// Why the two did not come together.
    pub(super) async fn shake_hands(&self, within: Duration) -> Result<(), DialError> {
        let _share = Share::open(self);
        self.connects.fetch_add(1, Relaxed);
        let opened = tokio::time::timeout(within, self.open(0)).await;
        let opened = opened.unwrap_or_else(|_| Err(DialError::Connect(ErrorKind::TimedOut.into()))).map(drop);
        if opened.as_ref().is_err_and(DialError::is_refused) {
            self.connects.fetch_sub(1, Relaxed);
        }
        opened
    }

    /// Sends `request`, whose answer has about `answer` bytes, and reads until it is `complete`.
    async fn probe(
        &self,
        request: &[u8],
        answer: usize,
        complete: impl Fn(&[u8]) -> bool,
        within: Duration,
    ) -> (Seen, Vec<u8>) {
        let mut share = Share::open(self);
        let begun = Instant::now();
        let mut come = Vec::new();
        // Counted before the proxy can count it.
        self.connects.fetch_add(1, Relaxed);
        let exchange = async {
            let mut stream = match self.open(request.len() + answer + PING.len()).await {
                Ok(stream) => stream,
                Err(error) if error.is_refused() => {
                    self.connects.fetch_sub(1, Relaxed);
                    return Seen::Refused;
                }
                // Accepted, and reset at once because the server behind the proxy is not there.
                Err(_) => return Seen::Closed,
            };
            let sent = Instant::now();
            match converse(&mut stream, request, complete, &mut come).await {
                Ok(()) => Seen::Answered(sent.elapsed()),
                Err(_) => Seen::Closed,
            }
        };
        let seen = tokio::time::timeout(within, exchange).await.unwrap_or_else(|_| Seen::Silent(begun.elapsed()));
        share.leaves = match seen {
            Seen::Silent(_) if request.len() <= ONE_PIECE => 1,
            Seen::Silent(waited) => 1 + (waited.as_nanos() / PROXY_PAUSE.as_nanos()) as u64,
            Seen::Answered(_) | Seen::Refused | Seen::Closed => 0,
        };
        (seen, come)
    }
}

/// The sum over both ways.
fn both(stats: &ProxyStats, value: fn(&LinkStats) -> u64) -> u64 {
    value(&stats.upstream) + value(&stats.downstream)
}

fn delayed(stats: &ProxyStats) -> u64 {
    both(stats, |link| link.delayed_transfers)
}

/// Writes all and reads into `come` until that is `complete`.
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
    // Both at once: a large answer begins before the request has gone out in full.
    let write = async {
        writer.write_all(request).await?;
        // What TLS has encrypted is not yet sent.
        writer.flush().await
    };
    tokio::try_join!(write, read).map(drop)
}

/// A length of time for people: `50 ms`, `0.4 ms`.
pub(super) fn millis(time: Duration) -> String {
    let ms = time.as_secs_f64() * 1e3;
    if ms >= 10.0 { format!("{ms:.0} ms") } else { format!("{ms:.1} ms") }
}

/// `1 connection`, `2 connections`.
pub(super) fn count(n: u64, noun: &str) -> String {
    format!("{n} {noun}{}", if n == 1 { "" } else { "s" })
}
