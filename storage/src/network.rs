//! How connections to servers are opened, and where jitter comes from. A simulation replaces these two, and the clock,
//! to repeat a run exactly.

use std::io;
use std::sync::Arc;
#[cfg(target_os = "linux")]
use std::time::Duration;

use async_trait::async_trait;
use foldhash::SharedSeed;
use foldhash::fast::SeedableRandomState;
use parking_lot::Mutex;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
#[cfg(target_os = "linux")]
use redis::io::tcp::socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, ToSocketAddrs};

/// A stream of bytes to a server.
pub trait Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send + 'static> Stream for T {}

/// Opens streams instead of TCP: through a proxy or a tunnel, or to a simulated server.
#[async_trait]
pub trait Network: Send + Sync + 'static {
    /// Opens a stream to `host` (a name or an IP address) and `port`. The caller keeps the deadline, and adds TLS on
    /// top if the URL asks for it.
    async fn connect(&self, host: &str, port: u16) -> io::Result<Box<dyn Stream>>;
}

/// How long the kernel waits for a peer that acknowledges nothing.
#[cfg(target_os = "linux")]
const ACKNOWLEDGE_WITHIN: Duration = Duration::from_secs(10);

/// Opens a TCP stream as a store without a [`Network`] does: without Nagle's delay, and on Linux closed after 10 s in which
/// the peer acknowledges nothing (TCP_USER_TIMEOUT).
///
/// # Errors
/// If the name cannot be resolved, or none of its addresses connected.
pub async fn tcp(to: impl ToSocketAddrs) -> io::Result<TcpStream> {
    let tcp = TcpStream::connect(to).await?;
    tcp.set_nodelay(true)?;
    #[cfg(target_os = "linux")]
    SockRef::from(&tcp).set_tcp_user_timeout(Some(ACKNOWLEDGE_WITHIN))?;
    Ok(tcp)
}

/// The source of a store's jitter, and of what divides its sessions among shards. Default: the thread's own generator.
#[derive(Clone, Default)]
pub struct Randomness(Option<Arc<Seeded>>);

struct Seeded {
    seed: u64,
    rng: Mutex<StdRng>,
}

impl Randomness {
    /// The same sequence for the same seed.
    pub fn seeded(seed: u64) -> Self {
        Self(Some(Arc::new(Seeded { seed, rng: Mutex::new(StdRng::seed_from_u64(seed)) })))
    }

    /// A number in `0.5..=1.0`, by which a pause is shortened.
    pub(crate) fn shortening(&self) -> f64 {
        match &self.0 {
            Some(seeded) => seeded.rng.lock().random_range(0.5..=1.0),
            None => rand::random_range(0.5..=1.0),
        }
    }

    /// Hashes session ids. Without a seed, nobody outside can predict which ids collide.
    pub(crate) fn hasher(&self) -> SeedableRandomState {
        static FIXED: SharedSeed = SharedSeed::from_u64(0);
        match &self.0 {
            Some(seeded) => SeedableRandomState::with_seed(seeded.seed, &FIXED),
            None => SeedableRandomState::random(),
        }
    }
}
