//! A store whose TLS verifies nothing: it accepts any certificate, so it sends its password and its sessions to any
//! impostor of Redis. The storage crate cannot be configured that way, so its connections go in plain text to a port of
//! the harness, and from there over unverified TLS to the server.

use std::sync::Arc;

use firedrill_storage::{StoreBuilder, TlsOptions};
use tokio::net::TcpStream;

use super::caught::caught_alone;
use super::plant::{Needs, Plant, Planted};
use crate::lab::{Access, LabError, RedisUrl};
use crate::relay::{Relay, carry, tls};

/// The description of this defect.
pub(super) static DEFECT: Planted = Planted {
    name: "tls-unverified",
    about: "The TLS client accepts any certificate, so an impostor of Redis sees everything.",
    source: "S: TLS without certificate verification",
    drills: &[caught_alone("tls-impostor", &[], &["impostor.trusted"])],
    plant: Plant::Path(adjust),
    needs: Needs::Tls,
};

/// Plants the defect in the settings of a store that reaches Redis by `access`; it lasts as long as the relay. Must be
/// called on a runtime.
fn adjust(settings: &mut StoreBuilder, access: &Access) -> Result<Relay, LabError> {
    let (server, name, connector) = (access.url.address(), tls::name(access.url.host())?, tls::unverifying()?);
    let relay = Relay::start(move |store| {
        let (server, name, connector) = (server.clone(), name.clone(), connector.clone());
        async move {
            // If the server is unreachable, close the connection, which is what the store would see without the relay.
            let Ok(stream) = TcpStream::connect(server).await else { return };
            let _ = (store.set_nodelay(true), stream.set_nodelay(true));
            let Ok(stream) = connector.connect(name, stream).await else { return };
            carry(store, stream, Arc::default()).await;
        }
    })
    .map_err(|error| LabError::system("opening a port for the store".to_owned(), error))?;
    let (host, port) = (relay.address().ip().to_string(), relay.address().port());
    let url = RedisUrl::plain(&host, port)?.with_login_of(&access.url)?;
    settings.redis_url = url.expose().to_owned();
    settings.tls = TlsOptions::default();
    Ok(relay)
}
