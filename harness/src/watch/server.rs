//! One thread that serves everything that is watched. A panic in it ends one connection, never a drill.

use std::convert::Infallible;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::http::request::Parts;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use tokio_util::sync::CancellationToken;

use crate::proxy::http::{Limits, serve};

/// A browser opens up to six connections, and keeps them.
const LIMITS: Limits = Limits { clients: 32, patience: Duration::from_secs(30) };

/// An answer as a whole.
pub type Answer = Response<Full<Bytes>>;

/// What is served at an address.
pub trait Site: Send + Sync {
    /// Answers a request; its body, if any, is not read. Must not block.
    fn answer(&self, head: &Parts) -> Answer;
}

/// A short answer in words.
pub fn text(status: StatusCode, words: &str) -> Answer {
    let mut answer = Response::new(Full::from(format!("{words}\n")));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    answer
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
                let service = service_fn(move |request: Request<Incoming>| {
                    let site = site.clone();
                    async move { Ok::<_, Infallible>(site.answer(&request.into_parts().0)) }
                });
                Ok(serve(listener, service, LIMITS))
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
