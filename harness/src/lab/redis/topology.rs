//! The registry of topologies: one line each; its file has the rest.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use super::topology_kind::{Reached, TopologyKind};

macro_rules! topologies {
    ($($variant:ident => $kind:path),+ $(,)?) => {
        /// How Redis is run. [`Topology::kind`] says what there is to know of it.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
        #[serde(rename_all = "kebab-case")]
        #[allow(missing_docs)] // Each is documented by its kind.
        pub enum Topology {
            #[default]
            $($variant),+
        }

        impl Topology {
            /// Every one, in the order of the documentation.
            pub const ALL: &[Topology] = &[$(Topology::$variant),+];

            /// Its description.
            pub fn kind(self) -> &'static TopologyKind {
                match self {
                    $(Topology::$variant => &$kind),+
                }
            }
        }
    };
}

topologies! {
    Standalone => super::standalone::KIND,
    Tls => super::tls::KIND,
    Replica => super::replica::KIND,
    Replicas => super::replicas::KIND,
    Sentinel => super::sentinel::KIND,
    Cluster => super::cluster::KIND,
}

impl Topology {
    /// Its word in scenarios.
    pub fn name(self) -> &'static str {
        self.kind().name
    }

    /// How a store reaches its servers.
    pub fn reached(self) -> Reached {
        self.kind().reached
    }

    /// Whether another server takes over when one is lost.
    pub fn fails_over(self) -> bool {
        self.kind().fails_over
    }
}

impl JsonSchema for Topology {
    fn schema_name() -> Cow<'static, str> {
        "Topology".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let each = |topology: &Topology| {
            let TopologyKind { name, about, .. } = topology.kind();
            json_schema!({ "description": about, "type": "string", "const": name })
        };
        let all: Vec<Schema> = Topology::ALL.iter().map(each).collect();
        json_schema!({ "description": "How Redis is run.", "oneOf": all })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topology_is_written_in_a_scenario_by_the_name_of_its_kind() {
        for topology in Topology::ALL {
            assert_eq!(serde_json::to_value(topology).unwrap(), topology.name());
        }
    }

    #[test]
    fn the_table_in_the_documentation_is_the_registry() {
        let page = include_str!("../../../../docs/labs.md");
        let cells = |line: &str| -> Vec<String> {
            line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect()
        };
        let (_, table) = page.split_once("| `topology` |").unwrap();
        let rows: Vec<Vec<String>> =
            table.lines().skip(2).take_while(|line| line.starts_with('|')).map(cells).collect();
        let of = |topology: &Topology| {
            let TopologyKind { name, servers, reached, fails_over, .. } = topology.kind();
            let default = if *topology == Topology::default() { " (default)" } else { "" };
            let takes_over = if *fails_over { "yes" } else { "no" };
            [format!("`{name}`{default}"), (*servers).to_owned(), reached.proxies().to_owned(), takes_over.to_owned()]
        };
        let expected: Vec<[String; 4]> = Topology::ALL.iter().map(of).collect();
        let shown: Vec<&[String]> = rows.iter().map(|row| &row[..4]).collect();
        assert_eq!(shown, expected, "docs/labs.md, Topologies: the first four columns");
    }
}
