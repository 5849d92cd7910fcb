//! What faults need from a proxy, whether it runs in this process or on a Toxiproxy server.

use std::net::SocketAddr;

use super::command::{Trigger, TriggerStats};
use super::error::ProxyError;
use super::proxy::{Proxy, ProxyChange};
use super::stats::{ProxyStats, ToxicReach};
use super::toxic::ToxicSpec;

/// One proxy, seen from outside.
#[async_trait::async_trait]
pub trait ProxyControl: Send + Sync {
    /// The address that clients connect to.
    fn listen_addr(&self) -> SocketAddr;

    /// Its counters, without probes; `None` if it does not count.
    fn stats(&self) -> Option<ProxyStats>;

    /// See [`Proxy::expect_probe`]; a proxy without counters has nothing to leave out.
    fn expect_probe(&self, _address: SocketAddr) {}

    /// See [`Proxy::forget_probe`].
    fn forget_probe(&self, _address: SocketAddr) {}

    /// Closes the open connections but keeps accepting new ones.
    ///
    /// # Errors
    /// [`ProxyError::Remote`].
    async fn cut(&self) -> Result<(), ProxyError>;

    /// Takes it down or brings it up, and returns once that is done.
    ///
    /// # Errors
    /// Same as [`Proxy::set_enabled`] and [`ProxyError::Remote`].
    async fn set_enabled(&self, enabled: bool) -> Result<(), ProxyError>;

    /// The server behind it, host and port, as the proxy addresses it.
    ///
    /// # Errors
    /// [`ProxyError::Remote`].
    async fn upstream(&self) -> Result<String, ProxyError>;

    /// Puts another server, host and port, behind it, and cuts the connections to the previous one. Returns once that
    /// is done; a proxy that is down stays down.
    ///
    /// # Errors
    /// Same as [`Proxy::update`] and [`ProxyError::Remote`].
    async fn lead_to(&self, upstream: &str) -> Result<(), ProxyError>;

    /// See [`Proxy::redirect`].
    ///
    /// # Errors
    /// [`ProxyError::EmbeddedOnly`] if it cannot.
    async fn redirect(&self, _upstream: &str) -> Result<(), ProxyError> {
        Err(ProxyError::EmbeddedOnly("lead only new connections to another server"))
    }

    /// See [`Proxy::set_hanging`].
    ///
    /// # Errors
    /// Same as [`Proxy::set_hanging`], and [`ProxyError::EmbeddedOnly`] if it cannot.
    async fn set_hanging(&self, _hanging: bool) -> Result<(), ProxyError> {
        Err(ProxyError::EmbeddedOnly("let connecting hang"))
    }

    /// Adds a toxic after the existing ones.
    ///
    /// # Errors
    /// Same as [`Proxy::add_toxic`] and [`ProxyError::Remote`].
    async fn add_toxic(&self, spec: ToxicSpec) -> Result<(), ProxyError>;

    /// Removes a toxic.
    ///
    /// # Errors
    /// Same as [`Proxy::remove_toxic`] and [`ProxyError::Remote`].
    async fn remove_toxic(&self, name: &str) -> Result<(), ProxyError>;

    /// See [`Proxy::toxic_reach`]; a proxy without counters does not know it.
    fn toxic_reach(&self, _name: &str) -> Option<ToxicReach> {
        None
    }

    /// See [`Proxy::read_commands`].
    ///
    /// # Errors
    /// [`ProxyError::CommandsUnread`] if it cannot.
    fn read_commands(&self) -> Result<(), ProxyError> {
        Err(ProxyError::CommandsUnread)
    }

    /// See [`Proxy::add_trigger`].
    ///
    /// # Errors
    /// [`ProxyError::CommandsUnread`] if it cannot read commands.
    async fn add_trigger(&self, _trigger: Trigger) -> Result<u64, ProxyError> {
        Err(ProxyError::CommandsUnread)
    }

    /// See [`Proxy::remove_trigger`].
    ///
    /// # Errors
    /// [`ProxyError::CommandsUnread`] if it cannot read commands.
    async fn remove_trigger(&self, _number: u64) -> Result<(), ProxyError> {
        Err(ProxyError::CommandsUnread)
    }

    /// See [`Proxy::trigger_stats`].
    fn trigger_stats(&self, _number: u64) -> Option<TriggerStats> {
        None
    }
}

#[async_trait::async_trait]
impl ProxyControl for Proxy {
    fn listen_addr(&self) -> SocketAddr {
        Proxy::listen_addr(self)
    }

    fn stats(&self) -> Option<ProxyStats> {
        Some(Proxy::stats(self))
    }

    fn expect_probe(&self, address: SocketAddr) {
        Proxy::expect_probe(self, address);
    }

    fn forget_probe(&self, address: SocketAddr) {
        Proxy::forget_probe(self, address);
    }

    async fn cut(&self) -> Result<(), ProxyError> {
        Proxy::cut(self).await;
        Ok(())
    }

    async fn set_enabled(&self, enabled: bool) -> Result<(), ProxyError> {
        Proxy::set_enabled(self, enabled).await
    }

    async fn upstream(&self) -> Result<String, ProxyError> {
        Ok(Proxy::upstream(self).to_string())
    }

    async fn lead_to(&self, upstream: &str) -> Result<(), ProxyError> {
        self.update(ProxyChange { upstream: Some(upstream.to_owned()), ..ProxyChange::default() }).await
    }

    async fn redirect(&self, upstream: &str) -> Result<(), ProxyError> {
        Proxy::redirect(self, upstream).await;
        Ok(())
    }

    async fn set_hanging(&self, hanging: bool) -> Result<(), ProxyError> {
        Proxy::set_hanging(self, hanging).await
    }

    async fn add_toxic(&self, spec: ToxicSpec) -> Result<(), ProxyError> {
        Proxy::add_toxic(self, spec).await
    }

    async fn remove_toxic(&self, name: &str) -> Result<(), ProxyError> {
        Proxy::remove_toxic(self, name).await
    }

    fn toxic_reach(&self, name: &str) -> Option<ToxicReach> {
        Proxy::toxic_reach(self, name)
    }

    fn read_commands(&self) -> Result<(), ProxyError> {
        Proxy::read_commands(self);
        Ok(())
    }

    async fn add_trigger(&self, trigger: Trigger) -> Result<u64, ProxyError> {
        Ok(Proxy::add_trigger(self, trigger).await)
    }

    async fn remove_trigger(&self, number: u64) -> Result<(), ProxyError> {
        Proxy::remove_trigger(self, number).await;
        Ok(())
    }

    fn trigger_stats(&self, number: u64) -> Option<TriggerStats> {
        Proxy::trigger_stats(self, number)
    }
}
