//! A toxic in place: its name on the proxy, the link it affects, and the share of connections it affects.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::kind::Toxic;

/// The direction of data.
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

/// The connections that a toxic may affect, by when they were opened. Toxiproxy has no such choice, and its API does not
/// show it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Connections {
    /// All of them.
    #[default]
    All,
    /// Those that were open when the toxic was added.
    Open,
    /// Those opened since.
    New,
}

/// A toxic as a proxy holds it, and as Toxiproxy's API shows it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ToxicSpec {
    /// Unique on its proxy.
    pub name: String,
    /// Kind and attributes.
    #[serde(flatten)]
    pub toxic: Toxic,
    /// The affected link.
    pub stream: Direction,
    /// The share of affected connections, 0 to 1.
    pub toxicity: f32,
    /// The connections that it may affect.
    #[serde(skip)]
    pub connections: Connections,
}

impl ToxicSpec {
    /// `toxic` on every connection of one link, with Toxiproxy's default name (`latency_downstream`).
    pub fn new(stream: Direction, toxic: impl Into<Toxic>) -> Self {
        let toxic = toxic.into();
        Self {
            name: Self::default_name(toxic.kind(), stream),
            toxic,
            stream,
            toxicity: 1.0,
            connections: Connections::All,
        }
    }

    /// Whether it may spare connections.
    pub fn is_partial(&self) -> bool {
        self.toxicity < 1.0 || self.connections != Connections::All
    }

    /// The name of a toxic that is not given one.
    pub fn default_name(kind: &str, stream: Direction) -> String {
        format!("{kind}_{}", stream.name())
    }
}

/// Changes to a toxic.
#[derive(Debug, Clone, Default)]
pub struct ToxicChange {
    /// New values of some attributes, by name.
    pub attributes: Map<String, Value>,
    /// The new toxicity.
    pub toxicity: Option<f32>,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::limit_data::LimitData;
    use super::*;

    #[test]
    fn a_toxic_is_shown_as_toxiproxy_shows_it() {
        let spec = ToxicSpec::new(Direction::Upstream, LimitData { bytes: 9 });
        assert_eq!(
            serde_json::to_value(spec).unwrap(),
            json!({ "name": "limit_data_upstream", "type": "limit_data", "attributes": { "bytes": 9 },
                    "stream": "upstream", "toxicity": 1.0 })
        );
    }
}
