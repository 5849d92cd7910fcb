//! The path to servers that announce their own addresses, where no fault is of the network, and to a server without faults:
//! it leads to the one that faults hit, counts nothing and cannot be disturbed.

use std::net::SocketAddr;
use std::sync::Arc;

use crate::lab::{Group, Lab};
use crate::proxy::{ProxyControl, ProxyError, ProxyStats, ToxicSpec};

/// No proxy.
pub(super) struct Direct {
    lab: Arc<Lab>,
    /// Where it leads if the lab is one server after all.
    otherwise: SocketAddr,
}

impl Direct {
    pub fn new(lab: Arc<Lab>) -> Self {
        Self { lab, otherwise: SocketAddr::from(([127, 0, 0, 1], 0)) }
    }
}

#[async_trait::async_trait]
impl ProxyControl for Direct {
    fn listen_addr(&self) -> SocketAddr {
        self.lab.group().map_or(self.otherwise, Group::address)
    }

    fn stats(&self) -> Option<ProxyStats> {
        None
    }

    async fn set_enabled(&self, _: bool) -> Result<(), ProxyError> {
        Err(ProxyError::PassedBy)
    }

    async fn upstream(&self) -> Result<String, ProxyError> {
        Err(ProxyError::PassedBy)
    }

    async fn lead_to(&self, _: &str) -> Result<(), ProxyError> {
        Err(ProxyError::PassedBy)
    }

    async fn add_toxic(&self, _: ToxicSpec) -> Result<(), ProxyError> {
        Err(ProxyError::PassedBy)
    }

    async fn remove_toxic(&self, _: &str) -> Result<(), ProxyError> {
        Err(ProxyError::PassedBy)
    }
}
