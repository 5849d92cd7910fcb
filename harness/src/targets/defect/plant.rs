//! The description of a planted defect, and how to plant it in the store.

use std::sync::Arc;
use std::time::Duration;

use firedrill_storage::planted::{self, Hooks};
use firedrill_storage::{AppendStore, EventSink, StoreBuilder, TriviaSession};

use super::caught::Drilled;
use crate::lab::{Access, LabError, Reached, RedisUrl, Topology};
use crate::relay::Relay;

/// The store under test.
pub type Store = Arc<dyn AppendStore<TriviaSession>>;

/// A defect and its description.
pub struct Planted {
    pub(super) name: &'static str,
    pub(super) about: &'static str,
    /// What it reproduces, in Markdown: public reports, or a line of a reference system's note.
    pub source: &'static str,
    /// Where it must be caught, and by what: at most four drills.
    pub drills: &'static [Drilled],
    pub(super) plant: Plant,
    pub(super) needs: Needs,
}

/// Where to plant a defect.
pub enum Plant {
    /// In the store's settings.
    Settings(fn(&mut StoreBuilder)),
    /// Between the store and Redis. The relay must live as long as the store.
    Path(fn(&mut StoreBuilder, &Access) -> Result<Relay, LabError>),
    /// Inside the store.
    Inside(&'static planted::Planted),
    /// Around the store.
    Around(fn(Store, &Place<'_>) -> Result<Store, LabError>),
}

/// Where the sound store keeps its sessions.
pub struct Place<'a> {
    /// The URL of the Redis.
    pub url: &'a RedisUrl,
    /// The prefix of its keys.
    pub prefix: &'a str,
    /// How long its sessions live.
    pub ttl: Duration,
    /// Receives what it reports.
    pub events: EventSink,
}

/// The topologies in which a defect can be drilled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Needs {
    /// Any.
    Nothing,
    /// One server without TLS: the defect has its own connection to Redis.
    OneServer,
    /// A server with a certificate.
    Tls,
}

impl Planted {
    /// Why the defect cannot be drilled in `topology`, and what to do about it.
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

    /// Plants a defect of the settings, of the store's inside or of the path to Redis in a store that reaches Redis by `access`. The returned
    /// relay must live as long as the store. Must be called on a runtime.
    ///
    /// # Errors
    /// If no port is available, or TLS cannot be set up.
    pub fn adjust(&self, settings: &mut StoreBuilder, access: &Access) -> Result<Option<Relay>, LabError> {
        match self.plant {
            Plant::Settings(adjust) => adjust(settings),
            Plant::Inside(defect) => settings.planted = Hooks::of(defect),
            Plant::Path(adjust) => return adjust(settings, access).map(Some),
            Plant::Around(_) => {}
        }
        Ok(None)
    }

    /// Plants a defect that wraps the store around `sound`; returns `sound` unchanged for any other defect.
    ///
    /// # Errors
    /// If the defect's own connection to Redis cannot be set up.
    pub fn around(&self, sound: Store, place: &Place<'_>) -> Result<Store, LabError> {
        match self.plant {
            Plant::Around(plant) => plant(sound, place),
            Plant::Settings(_) | Plant::Inside(_) | Plant::Path(_) => Ok(sound),
        }
    }
}
