//! A connection to Redis that loses replies: commands are executed without an acknowledgement.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

/// A proxy to a server that loses some of its replies: half of these by a cut connection, half by silence. Lives as
/// long as the test's runtime.
pub struct BadLine {
    port: u16,
    losses: Arc<Losses>,
}

#[derive(Default)]
struct Losses {
    per_mille: AtomicU32,
    /// How long each reply is on its way, milliseconds.
    way_back: AtomicU64,
    trap: Mutex<Option<Trap>>,
}

/// Waits for a request.
struct Trap {
    mark: Vec<u8>,
    /// Whether its reply is lost too.
    mute: bool,
    caught: oneshot::Sender<Caught>,
}

/// A request that the line holds.
pub struct Caught {
    deliver: Option<oneshot::Sender<()>>,
    /// While this exists, the client waits for a reply that is lost.
    _cut: oneshot::Sender<()>,
}

impl Caught {
    /// Forwards it to the server. If this is dropped without delivery, the connection is cut and the server never sees
    /// the request.
    pub fn deliver(&mut self) {
        if let Some(deliver) = self.deliver.take() {
            deliver.send(()).unwrap();
        }
    }
}

impl BadLine {
    /// A proxy to the server at this port on the same machine.
    pub async fn to(upstream: u16, seed: u64) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let losses = Arc::new(Losses::default());
        let line = Self { port, losses: Arc::clone(&losses) };
        tokio::spawn(async move {
            for number in 0.. {
                let Ok((client, _)) = listener.accept().await else { return };
                let random = StdRng::seed_from_u64(seed + number);
                tokio::spawn(forward(client, upstream, Arc::clone(&losses), random));
            }
        });
        line
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// From now on, loses this share of the replies.
    pub fn lose(&self, per_mille: u32) {
        self.losses.per_mille.store(per_mille, Ordering::SeqCst);
    }

    /// From now on, each reply is on its way for this many milliseconds.
    pub fn slow_replies(&self, ms: u64) {
        self.losses.way_back.store(ms, Ordering::SeqCst);
    }

    /// Holds the next request that contains `mark` until it is delivered.
    pub fn hold(&self, mark: &str) -> oneshot::Receiver<Caught> {
        self.set_trap(mark, false)
    }

    /// Holds the next request that contains `mark`, and loses its reply and every later reply on that connection.
    pub fn catch(&self, mark: &str) -> oneshot::Receiver<Caught> {
        self.set_trap(mark, true)
    }

    fn set_trap(&self, mark: &str, mute: bool) -> oneshot::Receiver<Caught> {
        let (caught, receiver) = oneshot::channel();
        *self.losses.trap.lock() = Some(Trap { mark: mark.as_bytes().to_vec(), mute, caught });
        receiver
    }
}

async fn forward(mut client: TcpStream, upstream: u16, losses: Arc<Losses>, mut random: StdRng) {
    let Ok(server) = TcpStream::connect(("127.0.0.1", upstream)).await else { return };
    let (mut from_client, mut to_client) = client.split();
    let (mut from_server, mut to_server) = server.into_split();
    let mute = AtomicBool::new(false);
    let asked = async {
        let mut buffer = vec![0; 65_536];
        while let Ok(bytes @ 1..) = from_client.read(&mut buffer).await {
            let request = &buffer[..bytes];
            let Some(trap) = losses.trap.lock().take_if(|trap| holds(request, &trap.mark)) else {
                if to_server.write_all(request).await.is_err() {
                    return;
                }
                continue;
            };
            mute.store(trap.mute, Ordering::SeqCst);
            let (deliver, delivered) = oneshot::channel();
            let (cut, released) = oneshot::channel::<()>();
            let _ = trap.caught.send(Caught { deliver: Some(deliver), _cut: cut });
            if delivered.await.is_err() || to_server.write_all(request).await.is_err() {
                return;
            }
            if trap.mute {
                let _ = released.await;
                return;
            }
        }
    };
    let answered = async {
        let mut buffer = vec![0; 65_536];
        while let Ok(bytes @ 1..) = from_server.read(&mut buffer).await {
            if mute.load(Ordering::SeqCst) {
                continue;
            }
            if random.random_range(0..1_000) < losses.per_mille.load(Ordering::SeqCst) {
                if random.random() {
                    return;
                }
                // Silent for good; the client gives up this connection.
                std::future::pending::<()>().await;
            }
            tokio::time::sleep(Duration::from_millis(losses.way_back.load(Ordering::SeqCst))).await;
            if to_client.write_all(&buffer[..bytes]).await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        () = asked => {}
        () = answered => {}
    }
}

fn holds(request: &[u8], mark: &[u8]) -> bool {
    request.windows(mark.len()).any(|part| part == mark)
}
