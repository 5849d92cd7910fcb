//! One client's connection through a proxy: two sockets, two links, and the toxics on them. A single task handles both
//! directions.

use std::future::poll_fn;
use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context, Poll};
use std::time::Instant;

use firedrill_timer::Sleep;
use parking_lot::Mutex;
use socket2::SockRef;
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::watch;

use super::chain::{Chain, Wanted, earlier};
use super::command::{Exchange, Reader};
use super::descriptors::spared;
use super::link::{Ends, Flow, Link, Turns};
use super::shared::Shared;
use super::snapshot::Snapshot;
use super::stats::{Counters, add};
use super::toxic::Direction;

/// Why a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// Both sides ended their streams.
    Finished,
    /// A toxic closed it.
    Closed,
    /// A toxic reset it.
    Reset,
    /// One side broke it off.
    Broken,
}

/// A new client.
pub(crate) struct Accepted {
    pub client: TcpStream,
    /// Its number, counted by the proxy.
    pub number: u64,
    /// How often connections had been cut when it was accepted.
    pub cuts: u64,
    /// Its counters.
    pub counters: Arc<Counters>,
}

struct Connection {
    number: u64,
    cuts: u64,
    // Declared before the sockets, so that a connection's losses are counted before its ends can see that it is over.
    up: Link,
    down: Link,
    client: TcpStream,
    server: TcpStream,
    turns: Turns,
    /// When the toxics next need to act.
    alarm: Sleep,
    shared: Arc<Shared>,
    counters: Arc<Counters>,
    /// The reader of its commands, if they are read.
    exchange: Option<Arc<Mutex<Exchange>>>,
}

/// Connects a client to `upstream` and forwards data between them until either of them, a toxic, or the end of the task
/// ends it.
pub(crate) async fn carry(accepted: Accepted, upstream: Arc<str>, shared: Arc<Shared>) {
    let Accepted { client, number, cuts, counters } = accepted;
    let mut open = Open::count(&counters);
    let Ok(server) = connect(&client, &upstream).await else {
        open.ended = true;
        add(&counters.refused, 1);
        tracing::debug!(%upstream, "the server behind the proxy is unreachable");
        // A proxy that has accepted can no longer refuse the connection: a reset comes closest. If the client is
        // already gone, this does not matter.
        let _ = client.set_zero_linger();
        return;
    };
    let exchange = shared.reads_commands.load(Relaxed).then(|| Arc::new(Mutex::new(Exchange::default())));
    let link = |direction| {
        let read = |exchange| Chain::read_by(Reader::new(direction, exchange), Instant::now());
        Link::new(direction, counters.clone(), exchange.clone().map(read).unwrap_or_default())
    };
    let mut connection = Connection {
        number,
        cuts,
        up: link(Direction::Upstream),
        down: link(Direction::Downstream),
        client,
        server,
        turns: Turns::default(),
        alarm: shared.timer.sleep_until(Instant::now()),
        shared: shared.clone(),
        counters: counters.clone(),
        exchange,
    };
    let end = connection.run(shared.snapshots.clone()).await;
    open.ended = true;
    connection.finish(end);
}

async fn connect(client: &TcpStream, upstream: &str) -> io::Result<TcpStream> {
    client.set_nodelay(true)?;
    let mut failed = io::ErrorKind::AddrNotAvailable.into();
    for address in tokio::net::lookup_host(upstream).await? {
        let socket = spared(if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? })?;
        match socket.connect(address).await {
            Ok(server) => {
                server.set_nodelay(true)?;
                return Ok(server);
            }
            Err(error) => failed = error,
        }
    }
    Err(failed)
}

impl Connection {
    async fn run(&mut self, mut snapshots: watch::Receiver<Arc<Snapshot>>) -> End {
        let mut snapshot = snapshots.borrow_and_update().clone();
        let mut goes_on = self.obey(&snapshot);
        while goes_on {
            tokio::select! {
                biased;
                changed = snapshots.changed() => {
                    if changed.is_err() {
                        return End::Closed;
                    }
                }
                end = poll_fn(|cx| self.poll(cx)) => return end,
            }
            // A caller that replaces a snapshot waits until nobody holds the old one. So keep the old one until the new
            // one is held and applied: otherwise a third snapshot could come in between, and the second would be
            // missed.
            let next = snapshots.borrow_and_update().clone();
            goes_on = self.obey(&next);
            drop(std::mem::replace(&mut snapshot, next));
        }
        End::Closed
    }

    /// Applies the toxics of `snapshot`. Returns whether the connection can continue.
    fn obey(&mut self, snapshot: &Snapshot) -> bool {
        if snapshot.cuts > self.cuts {
            return false;
        }
        if let Some(exchange) = &self.exchange {
            exchange.lock().arm(snapshot.triggers.clone());
        }
        let now = Instant::now();
        let wanted = |direction| {
            snapshot
                .toxics
                .iter()
                .filter(|active| active.spec.stream == direction)
                .filter_map(|active| {
                    let rng = active.takes(self.shared.seed, self.number);
                    if Arc::ptr_eq(&self.counters, &self.shared.counters) {
                        active.meet(self.number, rng.is_some());
                    }
                    Some(Wanted { serial: active.serial, toxic: active.spec.toxic.clone(), rng: rng? })
                })
                .collect::<Vec<_>>()
        };
        let (upstream, downstream) = (wanted(Direction::Upstream), wanted(Direction::Downstream));
        let up = self.up.reshape(upstream, now);
        let down = self.down.reshape(downstream, now);
        up && down
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        let now = Instant::now();
        let Self { client, server, turns, .. } = self;
        let up = self.up.poll(cx, &mut Ends { source: client, sink: server, turns }, now);
        let down = self.down.poll(cx, &mut Ends { source: server, sink: client, turns }, now);
        match (up, down) {
            (Err(_), _) | (_, Err(_)) => Poll::Ready(End::Broken),
            (Ok(Flow::Reset), _) | (_, Ok(Flow::Reset)) => Poll::Ready(End::Reset),
            (Ok(Flow::Close), _) | (_, Ok(Flow::Close)) => Poll::Ready(End::Closed),
            (Ok(Flow::Done), Ok(Flow::Done)) => Poll::Ready(End::Finished),
            (Ok(Flow::Waiting(at)), Ok(Flow::Done)) | (Ok(Flow::Done), Ok(Flow::Waiting(at))) => self.wait(cx, at),
            (Ok(Flow::Waiting(a)), Ok(Flow::Waiting(b))) => self.wait(cx, earlier(a, b)),
        }
    }

    fn wait(&mut self, cx: &mut Context<'_>, until: Option<Instant>) -> Poll<End> {
        if let Some(at) = until {
            self.alarm.reset(at);
            if Pin::new(&mut self.alarm).poll(cx).is_ready() {
                // Due since the links were polled.
                cx.waker().wake_by_ref();
            }
        }
        Poll::Pending
    }

    fn finish(self, end: End) {
        if matches!(end, End::Closed | End::Reset) {
            add(&self.counters.cut, 1);
        }
        // Errors do not matter: they mean that a socket is gone, which is the goal.
        match end {
            End::Finished => {}
            End::Closed => [&self.client, &self.server].into_iter().for_each(discard_unread),
            // A side that breaks off is reported as such: the other side gets a reset too.
            End::Reset | End::Broken => {
                let _ = self.client.set_zero_linger();
                let _ = self.server.set_zero_linger();
            }
        }
    }
}

/// Empties a socket's receive buffer: closing it with unread data would send a reset instead of an orderly end.
fn discard_unread(socket: &TcpStream) {
    let mut scratch = [MaybeUninit::uninit(); 16 * 1024];
    for _ in 0..64 {
        match SockRef::from(socket).recv(&mut scratch) {
            Ok(1..) => {}
            Ok(0) | Err(_) => return,
        }
    }
}

/// Counts a connection as open while it lives, however it ends.
struct Open {
    counters: Arc<Counters>,
    /// Whether it ended on its own; otherwise the proxy was taken down and cut it.
    ended: bool,
}

impl Open {
    fn count(counters: &Arc<Counters>) -> Self {
        add(&counters.open, 1);
        Self { counters: counters.clone(), ended: false }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        if !self.ended {
            add(&self.counters.cut, 1);
        }
        self.counters.open.fetch_sub(1, Relaxed);
    }
}
