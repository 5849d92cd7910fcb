//! The proxies of one server.

use std::collections::BTreeMap;
use std::sync::Arc;

use firedrill_timer::Timer;
use parking_lot::Mutex;
use tokio::runtime::Handle;

use super::error::ProxyError;
use super::place::Place;
use super::proxy::Proxy;

/// The proxies by name, and what is needed to create more.
pub(crate) struct Registry {
    runtime: Handle,
    timer: Timer,
    seed: u64,
    proxies: Mutex<BTreeMap<String, Arc<Proxy>>>,
}

impl Registry {
    /// An empty registry; its proxies will live on `runtime`.
    pub fn new(runtime: Handle, timer: Timer, seed: u64) -> Self {
        Self { runtime, timer, seed, proxies: Mutex::default() }
    }

    /// The runtime that the proxies live on.
    #[cfg(feature = "api")]
    pub fn runtime(&self) -> &Handle {
        &self.runtime
    }

    pub async fn create(
        &self,
        name: &str,
        listen: impl Into<Place>,
        upstream: String,
        enabled: bool,
    ) -> Result<Arc<Proxy>, ProxyError> {
        let proxy = {
            let mut proxies = self.proxies.lock();
            if proxies.contains_key(name) {
                return Err(ProxyError::ProxyExists(name.to_owned()));
            }
            let (runtime, timer) = (self.runtime.clone(), self.timer.clone());
            let proxy = Arc::new(Proxy::new(name.to_owned(), listen.into(), upstream, runtime, timer, self.seed));
            proxies.insert(name.to_owned(), proxy.clone());
            proxy
        };
        if enabled && let Err(error) = proxy.set_enabled(true).await {
            self.proxies.lock().remove(name);
            return Err(error);
        }
        Ok(proxy)
    }

    pub fn get(&self, name: &str) -> Result<Arc<Proxy>, ProxyError> {
        self.proxies.lock().get(name).cloned().ok_or_else(|| ProxyError::NoProxy(name.to_owned()))
    }

    pub fn list(&self) -> Vec<Arc<Proxy>> {
        self.proxies.lock().values().cloned().collect()
    }

    pub async fn delete(&self, name: &str) -> Result<(), ProxyError> {
        let proxy = self.proxies.lock().remove(name).ok_or_else(|| ProxyError::NoProxy(name.to_owned()))?;
        proxy.retire().await;
        Ok(())
    }

    pub async fn reset(&self) -> Result<(), ProxyError> {
        let mut result = Ok(());
        for proxy in self.list() {
            result = proxy.reset().await.and(result);
        }
        result
    }
}
