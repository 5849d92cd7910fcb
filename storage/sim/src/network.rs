//! The network between the processes and the server, as the stores see it.

use std::io;
use std::sync::Arc;

use async_trait::async_trait;
use firedrill_storage::{Network, Stream};

use crate::redis::connection::serve;
use crate::redis::fate::Partition;
use crate::redis::path::Path;

/// Bytes in flight on one connection before the sender has to wait.
const WINDOW: usize = 1 << 20;

/// A process's network: every address leads to the one server.
pub struct SimNetwork(pub Arc<Path>);

#[async_trait]
impl Network for SimNetwork {
    async fn connect(&self, _host: &str, _port: u16) -> io::Result<Box<dyn Stream>> {
        let path = &self.0;
        tokio::time::sleep(path.delay()).await;
        match path.partition() {
            Some(Partition::Refused) => return Err(io::ErrorKind::ConnectionRefused.into()),
            Some(Partition::Silent) => std::future::pending().await,
            None => {}
        }
        if !path.server().is_up() {
            return Err(io::ErrorKind::ConnectionRefused.into());
        }
        let (near, far) = tokio::io::duplex(WINDOW);
        let task = tokio::spawn(serve(path.server().clone(), Arc::clone(path), far));
        path.serves(task.abort_handle());
        Ok(Box::new(near))
    }
}
