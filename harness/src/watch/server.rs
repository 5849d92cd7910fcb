//! One thread that serves everything that is watched. A panic in it ends one connection, never a drill.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::JoinHandle;

use hyper::http::request::Parts;
use tokio_util::sync::CancellationToken;

use crate::serve_http::{Answer, answer_on};

/// What is served at an address.
pub trait Site: Send + Sync {
    /// Answers a request; its body, if any, is not read. Must not block.
    fn answer(&self, head: &Parts) -> Answer;
}

/// Opens a port, and says where.
///
/// # Errors
/// The system's, if the address is not available.
pub fn listen(address: SocketAddr) -> io::Result<(TcpListener, SocketAddr)> {
    let listener = TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}

/// A running server. Dropping it ends it.
pub struct Server {
    stop: CancellationToken,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Serves each site on its listener.
    ///
    /// # Errors
    /// The system's, if it provides no thread or no descriptor.
    pub fn start(sites: Vec<(TcpListener, Arc<dyn Site>)>) -> io::Result<Self> {
        let stop = CancellationToken::new();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let served: Vec<_> = {
            let _inside = runtime.enter();
            let served = sites.into_iter().map(|(listener, site)| {
                let listener = tokio::net::TcpListener::from_std(listener)?;
                Ok(answer_on(listener, move |head| site.answer(head)))
            });
            served.collect::<io::Result<_>>()?
        };
        let stopped = stop.clone();
        let serving = move || {
            runtime.block_on(async {
                for site in served {
                    tokio::spawn(site);
                }
                stopped.cancelled().await;
            });
        };
        let thread = std::thread::Builder::new().name("firedrill-watch".to_owned()).spawn(serving)?;
        Ok(Self { stop, thread: Some(thread) })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.cancel();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
