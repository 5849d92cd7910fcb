//! The listening side of a proxy: a port that remains the proxy's own while the proxy is down, and the accept loop.

use std::collections::HashSet;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use nix::errno::Errno;
use socket2::{Domain, Socket, Type};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

use super::connection::{Accepted, carry};
use super::descriptors::spared;
use super::hang::{FullQueue, HangOrder};
use super::shared::Shared;
use crate::listening::Listening;

/// The most connections that may wait to be accepted.
const BACKLOG: i32 = 1024;

/// A port held by a socket that does not listen: clients are refused, but the system gives the port to no other
/// process. Otherwise a client that keeps connecting to a free port would eventually be assigned that very port, and
/// connect to itself.
pub(crate) struct Reservation {
    _socket: Socket,
    addr: SocketAddr,
    /// The socket that will listen when the port is next opened, so that a proxy can come up even if no descriptor is
    /// left.
    next: Option<Socket>,
}

impl Reservation {
    /// Takes the port of `addr`; any free port if it is 0.
    pub fn take(addr: SocketAddr) -> io::Result<Self> {
        let socket = bind(addr)?;
        let bound = socket.local_addr()?.as_socket();
        Ok(Self { _socket: socket, addr: bound.unwrap_or(addr), next: None })
    }

    /// The address, with the actual port.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Takes the descriptor needed to reopen the port, from the reserve if necessary. While the port is open, or if no
    /// descriptor is left, this happens when the port is opened.
    pub fn prepare(&mut self) {
        if self.next.is_none() {
            self.next = bind_from_reserve(self.addr).ok();
        }
    }

    /// Opens the port to clients.
    pub fn listen(&mut self) -> io::Result<std::net::TcpListener> {
        let socket = self.next.take().map_or_else(|| bind(self.addr), Ok)?;
        socket.listen(BACKLOG)?;
        socket.set_nonblocking(true)?;
        Ok(socket.into())
    }
}

fn bind(addr: SocketAddr) -> io::Result<Socket> {
    spared(bind_from_reserve(addr)?)
}

/// Opens a port of the API, which may take the last descriptors.
#[cfg(feature = "api")]
pub(crate) fn listen(addr: SocketAddr) -> io::Result<std::net::TcpListener> {
    let socket = bind_from_reserve(addr)?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

/// `[::]` is every interface, IPv4 and IPv6, whatever the system's default is, and IPv4 alone where there is no IPv6.
fn bind_from_reserve(addr: SocketAddr) -> io::Result<Socket> {
    if !addr.is_ipv6() || !addr.ip().is_unspecified() {
        return bind_one(addr, None);
    }
    match bind_one(addr, Some(false)) {
        Err(error) if lacks_ipv6(&error) => bind_one((Ipv4Addr::UNSPECIFIED, addr.port()).into(), None),
        bound => bound,
    }
}

fn lacks_ipv6(error: &io::Error) -> bool {
    matches!(error.raw_os_error().map(Errno::from_raw), Some(Errno::EAFNOSUPPORT | Errno::EADDRNOTAVAIL))
}

fn bind_one(addr: SocketAddr, only_v6: Option<bool>) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(addr), Type::STREAM, None)?;
    if let Some(only) = only_v6 {
        socket.set_only_v6(only)?;
    }
    // Lets the reservation and the listener share the port; two listeners still cannot.
    socket.set_reuse_address(true)?;
    socket.bind(&addr.into())?;
    Ok(socket)
}

/// Accepts clients and runs their connections until told to stop (or until the sender of that signal is gone); then
/// closes the listener and cuts the open connections. While it is told to let connecting hang, it accepts nobody, and the
/// open connections go on.
pub(crate) async fn serve(
    listener: Listening,
    shared: Arc<Shared>,
    mut hangs: mpsc::Receiver<HangOrder>,
    stop: oneshot::Receiver<()>,
) {
    let mut open = JoinSet::new();
    let mut full: Option<FullQueue> = None;
    let mut fillers = HashSet::new();
    tokio::pin!(stop);
    loop {
        tokio::select! {
            biased;
            _ = &mut stop => break,
            Some(HangOrder { hang, done }) = hangs.recv() => {
                // Nobody to tell: the caller has given up.
                let _ = done.send(obey(&listener, hang, &mut full, &mut fillers).await);
            }
            accepted = listener.accept(), if full.is_none() => match accepted {
                Ok(client) => {
                    let peer = client.peer_addr().ok();
                    if peer.is_some_and(|peer| fillers.remove(&peer)) {
                        continue;
                    }
                    #[cfg(debug_assertions)]
                    crate::planted_panic("proxy");
                    let counters = shared.counters_of(peer);
                    // Close a connection beyond the limit: the remaining descriptors are reserved for the API.
                    let Ok(client) = spared(client) else {
                        counters.refused.fetch_add(1, Relaxed);
                        continue;
                    };
                    counters.accepted.fetch_add(1, Relaxed);
                    let accepted = Accepted {
                        client,
                        number: shared.numbers.fetch_add(1, Relaxed),
                        cuts: shared.snapshots.borrow().cuts,
                        counters,
                    };
                    let upstream = shared.upstream.lock().clone();
                    open.spawn(carry(accepted, upstream, shared.clone()));
                }
                Err(error) => {
                    tracing::warn!(%error, "the proxy cannot accept a client");
                    // Usually out of file descriptors: retrying at once would only burn CPU.
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
            },
            Some(ended) = open.join_next() => report_panic(ended),
        }
    }
    drop(listener);
    open.abort_all();
    while let Some(ended) = open.join_next().await {
        report_panic(ended);
    }
}

/// Lets connecting hang, or lets clients connect again. `fillers` are the connections that fill the queue.
async fn obey(
    listener: &Listening,
    hang: bool,
    full: &mut Option<FullQueue>,
    fillers: &mut HashSet<SocketAddr>,
) -> io::Result<()> {
    if hang && full.is_none() {
        let queue = FullQueue::of(listener).await.inspect_err(|_| drop(listener.set_backlog(BACKLOG)))?;
        fillers.extend(queue.addresses());
        *full = Some(queue);
    } else if !hang {
        listener.set_backlog(BACKLOG)?;
        *full = None;
    }
    Ok(())
}

fn report_panic(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        tracing::error!(%error, "a proxied connection ended in a bug of the proxy");
    }
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;
    use std::net::TcpStream;

    use super::*;

    fn any_port() -> SocketAddr {
        "127.0.0.1:0".parse().unwrap()
    }

    #[test]
    fn a_reserved_port_refuses_until_it_is_opened_and_again_after() {
        let mut port = Reservation::take(any_port()).unwrap();
        let addr = port.addr();
        let refused = || TcpStream::connect(addr).unwrap_err().kind();
        assert_eq!(refused(), ErrorKind::ConnectionRefused);
        for round in 0..3 {
            if round > 0 {
                port.prepare();
            }
            assert_eq!(refused(), ErrorKind::ConnectionRefused, "prepared, it does not listen yet");
            let listener = port.listen().unwrap();
            TcpStream::connect(addr).unwrap();
            drop(listener);
            assert_eq!(refused(), ErrorKind::ConnectionRefused);
        }
    }

    #[tokio::test]
    async fn a_port_is_opened_again_while_a_copy_of_its_closed_listener_is_about() {
        let mut port = Reservation::take(any_port()).unwrap();
        let listener = port.listen().unwrap();
        let _copy = listener.try_clone().unwrap();
        drop(Listening::on(listener).unwrap());
        let _again = port.listen().unwrap();
        TcpStream::connect(port.addr()).unwrap();
    }

    #[test]
    fn every_interface_is_ipv4_and_ipv6_at_once() {
        // Bound, and not listened on: nobody can connect.
        let port = Reservation::take("[::]:0".parse().unwrap()).unwrap();
        match port.addr() {
            SocketAddr::V6(addr) => {
                assert!(addr.ip().is_unspecified());
                assert!(!port._socket.only_v6().unwrap());
            }
            // This machine has no IPv6.
            SocketAddr::V4(addr) => assert!(addr.ip().is_unspecified()),
        }
        assert_ne!(port.addr().port(), 0);
    }

    #[test]
    fn a_port_that_somebody_listens_on_cannot_be_taken() {
        let other = std::net::TcpListener::bind(any_port()).unwrap();
        let error = Reservation::take(other.local_addr().unwrap()).err().unwrap();
        assert_eq!(error.kind(), ErrorKind::AddrInUse);
    }
}
