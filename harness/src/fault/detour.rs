//! The path of the load led elsewhere. Several faults may want that at overlapping times: the path leads where the latest of
//! those that are on wants it, and where it led before them all when the last of them is over.

use tokio::sync::Mutex;

use crate::proxy::{ProxyControl, ProxyError};

/// Where the path leads, and who wants it elsewhere.
#[derive(Default)]
pub(super) struct Detour(Mutex<Wishes>);

#[derive(Default)]
struct Wishes {
    /// Where it led before; `None` while nobody has led it elsewhere.
    original: Option<String>,
    /// The faults (by position in the scenario) that are on, and where each leads it: host and port.
    wanted: Vec<(u32, String)>,
}

impl Detour {
    /// `fault` leads the path of `proxy` to `upstream`; returns when it leads there and what was open is cut.
    ///
    /// # Errors
    /// As [`ProxyControl::lead_to`]; [`Detour::back`] is due all the same.
    pub async fn lead(&self, proxy: &dyn ProxyControl, fault: u32, upstream: String) -> Result<(), ProxyError> {
        let mut wishes = self.0.lock().await;
        if wishes.original.is_none() {
            wishes.original = Some(proxy.upstream().await?);
        }
        wishes.wanted.retain(|(other, _)| *other != fault);
        wishes.wanted.push((fault, upstream.clone()));
        proxy.lead_to(&upstream).await
    }

    /// `fault` wants the path elsewhere no more. Does nothing where it never did.
    ///
    /// # Errors
    /// As [`ProxyControl::lead_to`]; then it may be asked for again.
    pub async fn back(&self, proxy: &dyn ProxyControl, fault: u32) -> Result<(), ProxyError> {
        let mut wishes = self.0.lock().await;
        wishes.wanted.retain(|(other, _)| *other != fault);
        let last = wishes.wanted.last().map(|(_, upstream)| upstream);
        let Some(upstream) = last.or(wishes.original.as_ref()) else { return Ok(()) };
        proxy.lead_to(upstream).await?;
        if wishes.wanted.is_empty() {
            wishes.original = None;
        }
        Ok(())
    }
}
