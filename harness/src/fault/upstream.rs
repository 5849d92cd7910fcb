//! Redirects the load's path to another server. Several faults may do so at overlapping times.

use tokio::sync::Mutex;

use super::overlay::Overlay;
use crate::proxy::{ProxyControl, ProxyError};

/// Where the path leads, and which faults want it elsewhere: host and port.
#[derive(Default)]
pub(super) struct UpstreamOverride(Mutex<Option<Overlay<String>>>);

impl UpstreamOverride {
    /// Redirects the path of `proxy` to `upstream` for `fault`; returns once it leads there and the open connections
    /// are cut.
    ///
    /// # Errors
    /// Same as [`ProxyControl::lead_to`]; [`UpstreamOverride::back`] must be called anyway.
    pub async fn lead(&self, proxy: &dyn ProxyControl, fault: u32, upstream: String) -> Result<(), ProxyError> {
        let mut state = self.0.lock().await;
        let overlay = match &mut *state {
            Some(overlay) => overlay,
            free => free.insert(Overlay::over(proxy.upstream().await?)),
        };
        overlay.want(fault, upstream.clone());
        proxy.lead_to(&upstream).await
    }

    /// Ends the redirection for `fault`. Does nothing if there was none.
    ///
    /// # Errors
    /// Same as [`ProxyControl::lead_to`]; it may then be called again.
    pub async fn back(&self, proxy: &dyn ProxyControl, fault: u32) -> Result<(), ProxyError> {
        let mut state = self.0.lock().await;
        let Some(overlay) = state.as_mut().filter(|overlay| overlay.is_wanted_by(fault)) else { return Ok(()) };
        if let Some(upstream) = overlay.without(fault) {
            proxy.lead_to(upstream).await?;
        }
        overlay.leave(fault);
        if overlay.is_free() {
            *state = None;
        }
        Ok(())
    }
}
