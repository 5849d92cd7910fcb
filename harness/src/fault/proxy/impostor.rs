//! `proxy.impostor`: an impostor between the store and Redis presents a certificate that another authority signed for
//! the same address. It forwards everything in both directions, so a client that accepts its certificate notices
//! nothing; a client that verifies it has no Redis until the fault is healed.
//!
//! ```text
//! store ─TLS─▶ proxy ─▶ impostor ─▶ Redis          store ─TLS─▶ proxy ─▶ Redis
//!                while it holds                           before and after
//! ```

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use firedrill_storage::redis_store::HandshakeError;
use parking_lot::Mutex;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

use serde::{Deserialize, Serialize};

use super::super::context::{FaultContext, Site};
use super::super::kind::{Docs, Hits, Kind, Unfit};
use super::super::path::count;
use super::super::{Fault, FaultError, Impact};
use crate::lab::{Authority, DialError, LabError, Reached, Topology};
use crate::relay::{Relay, carry, tls};

/// The time limit for a probe's handshake.
const PATIENCE: Duration = Duration::from_secs(1);

/// `proxy.impostor`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Impostor {}

impl Kind for Impostor {
    const NAME: &'static str = "proxy.impostor";
    const HITS: Hits = Hits::Network;
    const DOCS: Docs = Docs {
        about: "an impostor between the store and Redis presents a certificate of another authority for the same \
                address and forwards everything; for `lab.topology = \"tls\"`",
        seen_in: "a machine in the middle, a wrong DNS entry, another environment's certificate",
        injected_by: "the fault proxy connects to a harness port that speaks TLS and forwards to Redis; connections \
                      are cut at both ends of the fault",
        evidence: "a probe that trusts the drill's authority alone refuses the certificate, **and** connections of \
                   the load met it. The impostor counts the connections that refused it (by TLS alert) and accepted \
                   it, and the bytes it received; the report shows the counts",
        undone_by: "the proxy gets its former upstream back",
    };

    fn unfit_on(&self, topology: Topology) -> Option<Unfit> {
        (topology.reached() != Reached::ByTls).then_some(Unfit {
            why: "without TLS there is no certificate to forge",
            cure: "set lab.topology = \"tls\"",
        })
    }

    fn build(&self, site: &Site) -> Result<Arc<dyn Fault>, FaultError> {
        Ok(Arc::new(ImpostorFault::new(site.index, site.context.clone())?))
    }
}

pub(in crate::fault) struct ImpostorFault {
    index: u32,
    context: FaultContext,
    mask: Arc<Mask>,
    relay: Mutex<Option<Relay>>,
    felt: Mutex<bool>,
    /// Refusals by probes.
    probes: AtomicU64,
}

/// The impostor's certificate, its upstream, and what it received.
struct Mask {
    shows: TlsAcceptor,
    /// The port of Redis without TLS.
    redis: String,
    /// Connections that rejected its certificate.
    refused: AtomicU64,
    /// Connections that accepted it.
    trusted: AtomicU64,
    /// Bytes received on those.
    heard: Arc<AtomicU64>,
}

impl Mask {
    async fn meet(self: Arc<Self>, client: TcpStream) {
        // Without TCP_NODELAY it is merely slow.
        let _ = client.set_nodelay(true);
        let client = match self.shows.accept(client).await {
            Ok(client) => client,
            Err(error) if tls::was_refused(&error) => {
                self.refused.fetch_add(1, Relaxed);
                return;
            }
            // The client left before it saw anything.
            Err(_) => return,
        };
        self.trusted.fetch_add(1, Relaxed);
        let Ok(redis) = TcpStream::connect(&self.redis).await else { return };
        let _ = redis.set_nodelay(true);
        carry(client, redis, self.heard.clone()).await;
    }

    fn forget(&self) {
        [&self.refused, &self.trusted, &self.heard].into_iter().for_each(|counter| counter.store(0, Relaxed));
    }
}

impl ImpostorFault {
    /// # Errors
    /// [`ServerError::Tls`](crate::lab::ServerError::Tls) if no certificate can be issued for the host.
    pub fn new(index: u32, context: FaultContext) -> Result<Self, FaultError> {
        let certified = Authority::new("Firedrill impostor authority")?.certify(context.lab.access().url.host())?;
        let mask = Mask {
            shows: tls::showing(&certified)?,
            redis: context.path.server().url().address(),
            refused: AtomicU64::new(0),
            trusted: AtomicU64::new(0),
            heard: Arc::default(),
        };
        Ok(Self {
            index,
            context,
            mask: Arc::new(mask),
            relay: Mutex::default(),
            felt: Mutex::default(),
            probes: AtomicU64::new(0),
        })
    }

    /// Whether a verifying probe is shown a certificate that it rejects. Once that has happened, no further probe is
    /// sent.
    async fn feel(&self, within: Duration) -> (bool, String) {
        if !*self.felt.lock() {
            match self.context.path.shake_hands(within.min(PATIENCE)).await {
                Err(DialError::Handshake(HandshakeError::Untrusted)) => {
                    self.probes.fetch_add(1, Relaxed);
                    *self.felt.lock() = true;
                }
                Err(error) => return (false, format!("a probe could not shake hands: {error}")),
                Ok(()) => return (false, "a probe accepted the impostor's certificate".to_owned()),
            }
        }
        (true, "a probe refused the certificate of another authority".to_owned())
    }

    /// The load's connections that accepted the impostor's certificate, and those that rejected it.
    fn met(&self) -> (u64, u64) {
        let refused = self.mask.refused.load(Relaxed).saturating_sub(self.probes.load(Relaxed));
        (self.mask.trusted.load(Relaxed), refused)
    }
}

#[async_trait::async_trait]
impl Fault for ImpostorFault {
    fn kind(&self) -> &'static str {
        Impostor::NAME
    }

    fn detail(&self) -> String {
        String::new()
    }

    async fn inject(&self) -> Result<(), FaultError> {
        self.mask.forget();
        self.probes.store(0, Relaxed);
        *self.felt.lock() = false;
        let mask = self.mask.clone();
        let relay = Relay::start(move |client| mask.clone().meet(client))
            .map_err(|error| LabError::system("opening the impostor's port".to_owned(), error))?;
        let address = relay.address().to_string();
        *self.relay.lock() = Some(relay);
        Ok(self.context.upstream.lead(self.context.path.proxy()?, self.index, address).await?)
    }

    async fn heal(&self) -> Result<(), FaultError> {
        self.context.upstream.back(self.context.path.proxy()?, self.index).await?;
        let relay = self.relay.lock().take();
        if let Some(relay) = relay {
            relay.stop().await;
        }
        Ok(())
    }

    async fn impact(&self, within: Duration) -> Impact {
        let (felt, told) = self.feel(within).await;
        let (trusted, refused) = self.met();
        let evidence = format!("{told}; {} of the load met it too", count(trusted + refused, "connection"));
        self.context.path.impact(felt && trusted + refused > 0, evidence)
    }

    fn damage(&self) -> Option<String> {
        let (trusted, refused) = self.met();
        let refused = format!("{} refused the impostor", count(refused, "connection"));
        Some(match trusted {
            0 => format!("{refused}, none trusted it"),
            _ => {
                let heard = firedrill_reports::text::bytes(self.mask.heard.load(Relaxed) as f64);
                format!("{refused}, {trusted} trusted it and sent it {heard}")
            }
        })
    }

    fn trusted(&self) -> Option<u64> {
        Some(self.met().0)
    }
}
