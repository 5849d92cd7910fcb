//! One client's connection through a proxy: two sockets, two links, and the toxics that work on them. A single task
//! carries both ways.

use std::future::poll_fn;
use std::io;
use std::mem::MaybeUninit;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context, Poll};
use std::time::Instant;

use socket2::SockRef;
use tokio::net::TcpStream;
use tokio::sync::watch;

use super::alarm::Alarms;
use super::chain::{Wanted, earlier};
use super::link::{Ends, Flow, Link, Turns};
use super::plan::Plan;
use super::stats::{Counters, add};
use super::toxic::Direction;

/// What the connections of a proxy share.
pub(crate) struct Shared {
    pub seed: u64,
    pub counters: Counters,
    pub alarms: Alarms,
    pub plans: watch::Receiver<Arc<Plan>>,
}

/// Why a connection is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// Both sides have ended their streams.
    Finished,
    /// A toxic has closed it.
    Closed,
    /// A toxic has reset it.
    Reset,
    /// One side has broken it off.
    Broken,
}

struct Connection {
    number: u64,
    // Before the sockets: what a connection loses is counted before its ends can see that it is over.
    up: Link,
    down: Link,
    client: TcpStream,
    server: TcpStream,
    turns: Turns,
    alarm: Option<Instant>,
    shared: Arc<Shared>,
}

/// Connects `client` to `upstream` and carries data between them until one of them, a toxic, or the end of the task ends it.
pub(crate) async fn carry(client: TcpStream, upstream: Arc<str>, number: u64, shared: Arc<Shared>) {
    let _open = Open::count(&shared);
    let Ok(server) = connect(&client, &upstream).await else {
        add(&shared.counters.refused, 1);
        tracing::debug!(%upstream, "the server behind the proxy is not to be reached");
        // A reset is as near to "connection refused" as a proxy that has accepted can come. If the client is gone
        // already, there is nobody left to tell.
        let _ = client.set_zero_linger();
        return;
    };
    let mut connection = Connection {
        number,
        up: Link::new(Direction::Upstream, shared.clone()),
        down: Link::new(Direction::Downstream, shared.clone()),
        client,
        server,
        turns: Turns::default(),
        alarm: None,
        shared: shared.clone(),
    };
    let end = connection.run(shared.plans.clone()).await;
    connection.finish(end);
}

async fn connect(client: &TcpStream, upstream: &str) -> io::Result<TcpStream> {
    client.set_nodelay(true)?;
    let server = TcpStream::connect(upstream).await?;
    server.set_nodelay(true)?;
    Ok(server)
}

impl Connection {
    async fn run(&mut self, mut plans: watch::Receiver<Arc<Plan>>) -> End {
        loop {
            // Held as long as it is in force: whoever replaces the plan waits for this.
            let plan = plans.borrow_and_update().clone();
            if !self.obey(&plan) {
                return End::Closed;
            }
            tokio::select! {
                biased;
                changed = plans.changed() => {
                    if changed.is_err() {
                        return End::Closed;
                    }
                }
                end = poll_fn(|cx| self.poll(cx)) => return end,
            }
        }
    }

    /// Puts the toxics of `plan` to work. Answers whether the connection can go on.
    fn obey(&mut self, plan: &Plan) -> bool {
        let now = Instant::now();
        let wanted = |direction| {
            plan.toxics
                .iter()
                .filter(|active| active.spec.stream == direction)
                .filter_map(|active| {
                    let rng = active.takes(self.shared.seed, self.number)?;
                    Some(Wanted { serial: active.serial, toxic: active.spec.toxic, rng })
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
            (Ok(Flow::Waiting(at)), Ok(Flow::Done)) | (Ok(Flow::Done), Ok(Flow::Waiting(at))) => self.wait(cx, at, now),
            (Ok(Flow::Waiting(a)), Ok(Flow::Waiting(b))) => self.wait(cx, earlier(a, b), now),
        }
    }

    fn wait(&mut self, cx: &Context<'_>, until: Option<Instant>, now: Instant) -> Poll<End> {
        if let Some(at) = until {
            let set_in_time = self.alarm.is_some_and(|set| now < set && set <= at);
            if !set_in_time {
                self.shared.alarms.wake_at(at, cx.waker().clone());
                self.alarm = Some(at);
            }
        }
        Poll::Pending
    }

    fn finish(self, end: End) {
        if matches!(end, End::Closed | End::Reset) {
            add(&self.shared.counters.cut, 1);
        }
        // Errors are of no interest here: they say that a socket is gone, which is what is wanted.
        match end {
            End::Finished => {}
            End::Closed => [&self.client, &self.server].into_iter().for_each(discard_unread),
            // A side that breaks off is passed on as what it is: the other side gets a reset too.
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

/// Counts a connection as open for as long as it lives, whichever way it ends.
struct Open(Arc<Shared>);

impl Open {
    fn count(shared: &Arc<Shared>) -> Self {
        add(&shared.counters.open, 1);
        Self(shared.clone())
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.counters.open.fetch_sub(1, Relaxed);
    }
}
