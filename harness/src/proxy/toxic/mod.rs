//! Toxics: what can be done to the data on a link, one file per kind, in the words and units of Toxiproxy. Several toxics
//! on one link work one after the other, in the order in which they were added.
//!
//! ```text
//!           ┌─ stage ──┐   ┌─ stage ───┐
//! sender ──▶│ latency  │──▶│ bandwidth │──▶ receiver
//!           │ inbox ▮▮ │   │ inbox ▮   │
//!           └──────────┘   └───────────┘
//! ```
//!
//! The upstream link goes from client to server, the downstream link from server to client. Whether a toxic works on a
//! connection is drawn once, by its toxicity.

mod bandwidth;
mod latency;
mod limit_data;
mod reset_peer;
mod slicer;
mod slow_close;
pub(crate) mod stage;
mod timeout;

use std::time::Instant;

use rand_xoshiro::Xoshiro256PlusPlus;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

pub use bandwidth::Bandwidth;
pub use latency::Latency;
pub use limit_data::LimitData;
pub use reset_peer::ResetPeer;
pub use slicer::Slicer;
pub use slow_close::SlowClose;
pub use timeout::Timeout;

use super::error::ProxyError;
use stage::Stage;

/// Which way data goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// From client to server.
    Upstream,
    /// From server to client.
    Downstream,
}

impl Direction {
    /// Its name in Toxiproxy's API.
    pub fn name(self) -> &'static str {
        match self {
            Self::Upstream => "upstream",
            Self::Downstream => "downstream",
        }
    }
}

/// A kind of toxic with its attributes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", content = "attributes", rename_all = "snake_case")]
#[allow(missing_docs)] // each variant is the kind that its type documents
pub enum Toxic {
    Latency(Latency),
    Bandwidth(Bandwidth),
    SlowClose(SlowClose),
    Timeout(Timeout),
    ResetPeer(ResetPeer),
    Slicer(Slicer),
    LimitData(LimitData),
}

impl Toxic {
    /// The kinds, by the names that Toxiproxy's API gives them.
    pub const KINDS: [&'static str; 7] =
        ["latency", "bandwidth", "slow_close", "timeout", "reset_peer", "slicer", "limit_data"];

    /// A toxic from the name of its kind and its attributes; what is not given is 0, what is not known is ignored.
    ///
    /// # Errors
    /// When there is no such kind, or the attributes are not what it needs.
    pub fn parse(kind: &str, attributes: Map<String, Value>) -> Result<Self, ProxyError> {
        if !Self::KINDS.contains(&kind) {
            return Err(ProxyError::ToxicKind(kind.to_owned()));
        }
        let toxic: Self = serde_json::from_value(json!({ "type": kind, "attributes": attributes }))
            .map_err(|error| ProxyError::Attributes(error.to_string()))?;
        toxic.check()?;
        Ok(toxic)
    }

    /// The name of its kind in Toxiproxy's API.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Latency(_) => "latency",
            Self::Bandwidth(_) => "bandwidth",
            Self::SlowClose(_) => "slow_close",
            Self::Timeout(_) => "timeout",
            Self::ResetPeer(_) => "reset_peer",
            Self::Slicer(_) => "slicer",
            Self::LimitData(_) => "limit_data",
        }
    }

    /// The attributes by name.
    pub fn attributes(&self) -> Map<String, Value> {
        match serde_json::to_value(self) {
            Ok(Value::Object(mut whole)) => match whole.remove("attributes") {
                Some(Value::Object(attributes)) => attributes,
                _ => Map::new(),
            },
            _ => Map::new(),
        }
    }

    /// The same kind with some attributes changed.
    ///
    /// # Errors
    /// When the attributes are not what the kind needs.
    pub fn changed(&self, attributes: Map<String, Value>) -> Result<Self, ProxyError> {
        let mut merged = self.attributes();
        merged.extend(attributes);
        Self::parse(self.kind(), merged)
    }

    pub(crate) fn check(&self) -> Result<(), ProxyError> {
        match self {
            Self::Slicer(slicer) => slicer.check().map_err(ProxyError::Attributes),
            _ => Ok(()),
        }
    }

    /// Sets the toxic to work on one link.
    pub(crate) fn stage(&self, rng: Xoshiro256PlusPlus, now: Instant) -> Box<dyn Stage> {
        match *self {
            Self::Latency(toxic) => Box::new(toxic.stage(rng)),
            Self::Bandwidth(toxic) => Box::new(toxic.stage(now)),
            Self::SlowClose(toxic) => Box::new(toxic),
            Self::Timeout(toxic) => Box::new(toxic),
            Self::ResetPeer(toxic) => Box::new(toxic),
            Self::Slicer(toxic) => Box::new(toxic.stage(rng, now)),
            Self::LimitData(toxic) => Box::new(toxic),
        }
    }
}

/// A toxic as a proxy holds it, and as Toxiproxy's API shows it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ToxicSpec {
    /// Unique on its proxy.
    pub name: String,
    /// Kind and attributes.
    #[serde(flatten)]
    pub toxic: Toxic,
    /// The link it works on.
    pub stream: Direction,
    /// The share of connections it works on, 0 to 1.
    pub toxicity: f32,
}

impl ToxicSpec {
    /// `toxic` on every connection of one link, under Toxiproxy's default name for it (`latency_downstream`).
    pub fn new(stream: Direction, toxic: Toxic) -> Self {
        Self { name: Self::default_name(toxic.kind(), stream), toxic, stream, toxicity: 1.0 }
    }

    /// The name that a toxic gets which is not given one.
    pub fn default_name(kind: &str, stream: Direction) -> String {
        format!("{kind}_{}", stream.name())
    }
}

/// What to change of a toxic.
#[derive(Debug, Clone, Default)]
pub struct ToxicChange {
    /// New values of some attributes, by name.
    pub attributes: Map<String, Value>,
    /// A new toxicity.
    pub toxicity: Option<f32>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(value: Value) -> Map<String, Value> {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn every_kind_parses_with_nothing_given_but_the_slicer() {
        for kind in Toxic::KINDS {
            let parsed = Toxic::parse(kind, Map::new());
            match kind {
                "slicer" => assert!(matches!(parsed, Err(ProxyError::Attributes(_)))),
                _ => assert_eq!(parsed.unwrap().kind(), kind),
            }
        }
    }

    #[test]
    fn unknown_attributes_are_ignored_and_wrong_ones_refused() {
        let parsed = Toxic::parse("latency", object(json!({ "latency": 5, "enabled": true }))).unwrap();
        assert_eq!(parsed, Toxic::Latency(Latency { latency: 5, jitter: 0 }));
        for wrong in [json!({ "latency": -1 }), json!({ "latency": "5" })] {
            assert!(matches!(Toxic::parse("latency", object(wrong)), Err(ProxyError::Attributes(_))));
        }
        assert!(matches!(Toxic::parse("noise", Map::new()), Err(ProxyError::ToxicKind(_))));
    }

    #[test]
    fn a_change_keeps_what_it_does_not_name() {
        let toxic = Toxic::Latency(Latency { latency: 100, jitter: 7 });
        assert_eq!(
            toxic.changed(object(json!({ "latency": 200 }))).unwrap(),
            Toxic::Latency(Latency { latency: 200, jitter: 7 })
        );
    }

    #[test]
    fn a_toxic_is_shown_as_toxiproxy_shows_it() {
        let spec = ToxicSpec::new(Direction::Upstream, Toxic::LimitData(LimitData { bytes: 9 }));
        assert_eq!(
            serde_json::to_value(spec).unwrap(),
            json!({ "name": "limit_data_upstream", "type": "limit_data", "attributes": { "bytes": 9 },
                    "stream": "upstream", "toxicity": 1.0 })
        );
    }
}
