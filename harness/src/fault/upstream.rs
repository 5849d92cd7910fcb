//! Redirects the path of the load to another server. Several faults may do so at overlapping times.

use tokio::sync::Mutex;

use super::overlay::Overlay;
use crate::proxy::{ProxyControl, ProxyError};

/// Where the path leads, and who wants it elsewhere: host and port.
#[derive(Default)]
pub(super) struct UpstreamOverride(Mutex<Option<Overlay<String>>>);

impl UpstreamOverride {
    /// `fault` leads the path of `proxy` to `upstream`; returns when it leads there and what was open is cut.
    ///
    /// # Errors
    /// As [`ProxyControl::lead_to`]; [`UpstreamOverride::back`] is still due.
    pub async fn lead(&self, proxy: &dyn ProxyControl, fault: u32, upstream: String) -> Result<(), ProxyError> {
        let mut state = self.0.lock().await;
        let overlay = match &mut *state {
            Some(overlay) => overlay,
            free => free.insert(Overlay::over(proxy.upstream().await?)),
        };
        overlay.want(fault, upstream.clone());
        proxy.lead_to(&upstream).await
    }

    /// `fault` wants the path elsewhere no more. Does nothing where it never did.
    ///
    /// # Errors
    /// As [`ProxyControl::lead_to`]; then it may be asked for again.
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
