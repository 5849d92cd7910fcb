//! All proxies of a process, and the thread that they run on.

use std::net::SocketAddr;
use std::sync::{Arc, mpsc};
use std::{io, thread};

use firedrill_timer::Timer;
#[cfg(feature = "api")]
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

#[cfg(feature = "api")]
use super::api::{self, ApiOptions};
use super::error::ProxyError;
#[cfg(feature = "api")]
use super::listener;
#[cfg(feature = "api")]
use super::place::{EXPOSED, is_exposed};
use super::proxy::Proxy;
use super::registry::Registry;

/// Owns proxies. Dropping it ends its thread, and with it every proxy, connection and API listener.
pub struct ProxyServer {
    registry: Arc<Registry>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl ProxyServer {
    /// Starts the proxies' thread. `seed` determines jitter, packet sizes and toxicity.
    ///
    /// # Errors
    /// [`ProxyError::Start`] if the system provides no thread or no timer.
    pub fn start(seed: u64) -> Result<Self, ProxyError> {
        let (stop, stopped) = oneshot::channel();
        let (started, start) = mpsc::channel();
        let thread = thread::Builder::new()
            .name("firedrill-proxy".into())
            .spawn(move || run(&started, stopped))
            .map_err(ProxyError::Start)?;
        let (runtime, timer) = start.recv().map_err(|_| ProxyError::Stopped)?.map_err(ProxyError::Start)?;
        let registry = Arc::new(Registry::new(runtime, timer, seed));
        Ok(Self { registry, stop: Some(stop), thread: Some(thread) })
    }

    /// Serves Toxiproxy's HTTP API on `addr`. Returns the address with its actual port.
    ///
    /// # Errors
    /// [`ProxyError::Listen`] if the port is not available.
    #[cfg(feature = "api")]
    pub fn serve_api(&self, addr: SocketAddr) -> Result<SocketAddr, ProxyError> {
        self.serve_api_with(addr, ApiOptions::default())
    }

    /// Like [`ProxyServer::serve_api`], with options.
    ///
    /// # Errors
    /// [`ProxyError::Listen`] if the port is not available.
    #[cfg(feature = "api")]
    pub fn serve_api_with(&self, addr: SocketAddr, options: ApiOptions) -> Result<SocketAddr, ProxyError> {
        let failed = |source| ProxyError::Listen { address: addr.to_string(), source };
        let listener = listener::listen(addr).map_err(failed)?;
        let bound = listener.local_addr().map_err(failed)?;
        if is_exposed(bound) {
            tracing::warn!(target: EXPOSED, "the API listens on all interfaces, IPv4 and IPv6, as it was asked to: {bound}");
        }
        let _runtime = self.registry.runtime().enter();
        let listener = TcpListener::from_std(listener).map_err(failed)?;
        self.registry.runtime().spawn(api::serve(listener, self.registry.clone(), options));
        Ok(bound)
    }

    /// Creates a proxy that listens on `listen` (port 0 for any) and connects to `upstream` (host:port).
    ///
    /// # Errors
    /// If the name is taken or the port is not available.
    pub async fn create(
        &self,
        name: &str,
        listen: SocketAddr,
        upstream: impl Into<String>,
        enabled: bool,
    ) -> Result<Arc<Proxy>, ProxyError> {
        self.registry.create(name, listen, upstream.into(), enabled).await
    }

    /// The proxy called `name`.
    ///
    /// # Errors
    /// [`ProxyError::NoProxy`].
    pub fn get(&self, name: &str) -> Result<Arc<Proxy>, ProxyError> {
        self.registry.get(name)
    }

    #[cfg(feature = "api")]
    pub(super) fn registry(&self) -> &Registry {
        &self.registry
    }

    /// All proxies, sorted by name.
    pub fn list(&self) -> Vec<Arc<Proxy>> {
        self.registry.list()
    }

    /// Cuts a proxy's connections, releases its port and removes it.
    ///
    /// # Errors
    /// [`ProxyError::NoProxy`].
    pub async fn delete(&self, name: &str) -> Result<(), ProxyError> {
        self.registry.delete(name).await
    }

    /// Brings every proxy up and removes all toxics.
    ///
    /// # Errors
    /// If a port cannot be reopened; the other proxies are reset anyway.
    pub async fn reset(&self) -> Result<(), ProxyError> {
        self.registry.reset().await
    }
}

impl Drop for ProxyServer {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // The panic hook has already reported a panic there.
            let _ = thread.join();
        }
    }
}

/// The proxies' thread: runs until a message is sent to `stopped` or its sender is dropped.
fn run(started: &mpsc::Sender<io::Result<(Handle, Timer)>>, stopped: oneshot::Receiver<()>) {
    let runtime = match Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return report(started, Err(error)),
    };
    let timer = {
        let _runtime = runtime.enter();
        Timer::start()
    };
    report(started, timer.map(|timer| (runtime.handle().clone(), timer)));
    // A message and a dropped sender both mean the end.
    let _ = runtime.block_on(stopped);
    // A pending name lookup must not delay the end.
    runtime.shutdown_background();
}

fn report(started: &mpsc::Sender<io::Result<(Handle, Timer)>>, result: io::Result<(Handle, Timer)>) {
    // The starter waits for this; if it is gone, the thread ends on its own.
    let _ = started.send(result);
}
