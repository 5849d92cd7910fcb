//! What may stand before the servers of a topology: others then know each server by the address of its door.

use std::fmt::Debug;
use std::net::SocketAddr;

use super::super::error::LabError;

/// Puts something before servers, such as a proxy.
#[async_trait::async_trait]
pub trait Doors: Debug + Send + Sync {
    /// The address, of this machine, under which the server at `server` is to be known from now on.
    ///
    /// # Errors
    /// Why nothing can stand there.
    async fn before(&self, server: SocketAddr) -> Result<SocketAddr, LabError>;
}
