//! The description of a planted defect, and how it gets into the store.

use std::sync::Arc;
use std::time::Duration;

use firedrill_storage::{SessionStore, StoreBuilder, TriviaSession};

use crate::lab::{Access, LabError, Reached, RedisUrl, Topology};
use crate::relay::Relay;

/// The store that is driven.
pub type Store = Arc<dyn SessionStore<TriviaSession>>;

/// A defect and its description.
pub struct Planted {
    pub(super) name: &'static str,
    pub(super) about: &'static str,
    /// For the documentation: the checkers and gates that show it, in Markdown.
    pub caught_by: &'static str,
    pub(super) plant: Plant,
    pub(super) needs: Needs,
}

/// Where a defect is put.
pub enum Plant {
    /// Into the store's settings.
    Settings(fn(&mut StoreBuilder)),
    /// Between the store and Redis. The relay must live as long as the store.
    Path(fn(&mut StoreBuilder, &Access) -> Result<Relay, LabError>),
    /// Around the store.
    Around(fn(Store, &Place<'_>) -> Result<Store, LabError>),
}

/// Where the sound store keeps its sessions.
pub struct Place<'a> {
    /// The Redis.
    pub url: &'a RedisUrl,
    /// What its keys begin with.
    pub prefix: &'a str,
    /// How long its sessions live.
    pub ttl: Duration,
}

/// The topologies in which a defect can be drilled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Needs {
    /// Any.
    Nothing,
    /// One server without TLS: it has a connection of its own to Redis.
    OneServer,
    /// A server with a certificate.
    Tls,
}

impl Planted {
    /// Why it cannot be drilled in `topology`, and what to do.
    pub fn unfit_on(&self, topology: Topology) -> Option<(&'static str, &'static str)> {
        match self.needs {
            Needs::OneServer if topology.reached() != Reached::Plainly => Some((
                "this defect has its own connection to Redis, which leads to one server without TLS",
                "leave lab.topology or the defect out",
            )),
            Needs::Tls if topology.reached() != Reached::ByTls => {
                Some(("without TLS there is no certificate that could go unverified", "set lab.topology = \"tls\""))
            }
            _ => None,
        }
    }

    /// Plants it in the settings of a store that reaches Redis by `access`, where it belongs there. What it needs beside the
    /// store has to live as long as that. Must be called on a runtime.
    ///
    /// # Errors
    /// Where the system gives no port, or TLS cannot be set up.
    pub fn adjust(&self, settings: &mut StoreBuilder, access: &Access) -> Result<Option<Relay>, LabError> {
        match self.plant {
            Plant::Settings(adjust) => adjust(settings),
            Plant::Path(adjust) => return adjust(settings, access).map(Some),
            Plant::Around(_) => {}
        }
        Ok(None)
    }

    /// Plants it around `sound`, where it belongs there.
    ///
    /// # Errors
    /// Where its own connection to Redis cannot be set up.
    pub fn around(&self, sound: Store, place: &Place<'_>) -> Result<Store, LabError> {
        match self.plant {
            Plant::Around(plant) => plant(sound, place),
            Plant::Settings(_) | Plant::Path(_) => Ok(sound),
        }
    }
}
