//! A port on which connecting hangs, as behind a firewall that drops SYNs. Nobody accepts, and the accept queue is full:
//! Linux then drops the SYN of every further client (net/ipv4/tcp_input.c, `tcp_conn_request`), whose connect() neither
//! succeeds nor is refused. Once the queue has room again, a client's next retransmission connects it.

use std::collections::HashSet;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::sync::oneshot;

use crate::listening::Listening;

/// The shortest backlog with which Linux falls back to no SYN cookies. The queue holds one connection more
/// (include/net/sock.h, `sk_acceptq_is_full`).
const BACKLOG: i32 = 1;

/// On loopback a connection is established at once, so an attempt that takes this long hangs.
const PATIENCE: Duration = Duration::from_millis(100);

/// If the queue takes more connections than this, the system ignores the backlog.
const MOST_FILLERS: usize = 64;

/// Tells the accept loop whether connecting hangs.
pub(crate) struct HangOrder {
    pub hang: bool,
    /// Told when it is so.
    pub done: oneshot::Sender<io::Result<()>>,
}

/// A full accept queue. Clients can connect again once it is dropped and the listener has its old backlog.
pub(crate) struct FullQueue {
    fillers: Vec<TcpStream>,
}

impl FullQueue {
    /// Fills the queue of `listener`, from which nobody may accept meanwhile.
    pub async fn of(listener: &Listening) -> io::Result<Self> {
        listener.set_backlog(BACKLOG)?;
        let mut address = listener.local_addr()?;
        if address.ip().is_unspecified() {
            address.set_ip(if address.is_ipv4() {
                [127, 0, 0, 1].into()
            } else {
                std::net::Ipv6Addr::LOCALHOST.into()
            });
        }
        let mut fillers = Vec::new();
        while fillers.len() < MOST_FILLERS {
            match tokio::time::timeout(PATIENCE, TcpStream::connect(address)).await {
                Ok(filler) => fillers.push(filler?),
                Err(_) => return Ok(Self { fillers }),
            }
        }
        Err(io::Error::other("the system's accept queue is never full"))
    }

    /// The addresses of the connections that fill it, which the accept loop will meet.
    pub fn addresses(&self) -> HashSet<SocketAddr> {
        self.fillers.iter().filter_map(|filler| filler.local_addr().ok()).collect()
    }
}
