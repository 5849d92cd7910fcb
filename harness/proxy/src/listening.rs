//! A port that clients connect to, and that closes when it should.

use std::net::{Shutdown, SocketAddr};
use std::{io, net};

use socket2::SockRef;
use tokio::net::{TcpListener, TcpStream};

/// A listener that accepts nothing once it is dropped. A plain [`TcpListener`] would: a child process holds a copy of
/// it between fork and exec, and Linux keeps listening for that copy.
pub struct Listening(TcpListener);

impl Listening {
    /// Wraps a non-blocking listener. Must be called on a runtime.
    ///
    /// # Errors
    /// If the runtime has ended.
    pub fn on(listener: net::TcpListener) -> io::Result<Self> {
        Ok(Self(TcpListener::from_std(listener)?))
    }

    /// Accepts the next client.
    ///
    /// # Errors
    /// The errors of accept(2).
    pub async fn accept(&self) -> io::Result<TcpStream> {
        self.0.accept().await.map(|(client, _)| client)
    }

    /// Sets how many connections may wait to be accepted.
    ///
    /// # Errors
    /// The errors of listen(2).
    pub fn set_backlog(&self, backlog: i32) -> io::Result<()> {
        // A second listen(2) on a listening socket changes only that (net/ipv4/af_inet.c, inet_listen).
        SockRef::from(&self.0).listen(backlog)
    }

    /// The local address and port.
    ///
    /// # Errors
    /// The errors of getsockname(2).
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        // On Linux, this ends listening for all holders of a copy (net/ipv4/af_inet.c, inet_shutdown). It fails only if
        // nothing listens any more.
        let _ = SockRef::from(&self.0).shutdown(Shutdown::Both);
    }
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;
    use std::net::Ipv4Addr;

    use super::*;

    #[tokio::test]
    async fn a_dropped_listener_accepts_nothing_although_a_starting_process_has_a_copy() {
        let listener = net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        listener.set_nonblocking(true).unwrap();
        let _copy = listener.try_clone().unwrap();
        let listening = Listening::on(listener).unwrap();
        let address = listening.local_addr().unwrap();
        let client = TcpStream::connect(address).await.unwrap();
        assert_eq!(listening.accept().await.unwrap().peer_addr().unwrap(), client.local_addr().unwrap());
        drop(listening);
        assert_eq!(TcpStream::connect(address).await.unwrap_err().kind(), ErrorKind::ConnectionRefused);
    }
}
