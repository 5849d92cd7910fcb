//! A store that looks up the name of its Redis once, and connects to that address for ever.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use firedrill_storage::network::tcp;
use firedrill_storage::{Network, StoreBuilder, Stream};
use tokio::sync::OnceCell;

use super::caught::caught_alone;
use super::plant::{Needs, Plant, Planted};

/// The description of this defect.
pub(super) static DEFECT: Planted = Planted {
    name: "looks-up-once",
    about: "The name of Redis is looked up once; after that the store connects to the address it found then.",
    source: "StackExchange/StackExchange.Redis#1015: the address of the first connect is kept",
    drills: &[caught_alone("address-moved", &["load.for=7s"], &["during.degraded"])],
    plant: Plant::Settings(adjust),
    needs: Needs::Nothing,
};

/// Plants the defect in the store's settings.
fn adjust(settings: &mut StoreBuilder) {
    settings.network = Some(Arc::new(LooksUpOnce::default()));
}

/// Resolves by the machine, once.
#[derive(Default)]
struct LooksUpOnce(OnceCell<Vec<SocketAddr>>);

#[async_trait::async_trait]
impl Network for LooksUpOnce {
    async fn connect(&self, host: &str, port: u16) -> io::Result<Box<dyn Stream>> {
        let look_up = async || Ok::<_, io::Error>(tokio::net::lookup_host((host, port)).await?.collect());
        let found = self.0.get_or_try_init(look_up).await?;
        Ok(Box::new(tcp(found.as_slice()).await?))
    }
}
