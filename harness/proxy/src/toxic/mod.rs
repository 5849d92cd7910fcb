//! Toxics: what can be done to the data on a link, one file per kind, in the words and units of Toxiproxy. Several toxics
//! on one link apply in the order in which they were added.
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
//!
//! A new kind is a file here that implements [`ToxicKind`], and a line in the list that makes [`KINDS`]. A custom kind
//! works in process without that line: [`Proxy::add_toxic`](crate::Proxy::add_toxic) takes any of them.

mod bandwidth;
mod kind;
mod latency;
mod limit_data;
mod noop;
mod reset_peer;
mod slicer;
mod slow_close;
mod spec;
mod stage;
mod timeout;

use serde_json::{Map, Value};

pub use kind::{Registered, Toxic, ToxicKind};
pub use spec::{Connections, Direction, ToxicChange, ToxicSpec};
pub(crate) use stage::after;
#[cfg(test)]
pub(crate) use stage::testing;
pub use stage::{Chunk, Inbox, Stage, Step, ToxicRng, Undo};

use crate::error::ProxyError;

/// Publishes each kind and lists it.
macro_rules! kinds {
    ($($file:ident::$kind:ident,)*) => {
        $(pub use $file::$kind;)*

        /// The kinds that clients of the API can ask for.
        pub const KINDS: &[Registered] = &[$(Registered::of::<$kind>()),*];
    };
}

// In the order of the documentation.
kinds! {
    latency::Latency,
    bandwidth::Bandwidth,
    slow_close::SlowClose,
    timeout::Timeout,
    reset_peer::ResetPeer,
    slicer::Slicer,
    limit_data::LimitData,
    noop::Noop,
}

/// A toxic from the name of its kind and its attributes; a missing attribute has its default, an unknown one is ignored.
///
/// # Errors
/// [`ProxyError::ToxicKind`] when there is no such kind, [`ProxyError::Attributes`] when the attributes are not what it
/// needs.
pub fn parse(kind: &str, attributes: Map<String, Value>) -> Result<Toxic, ProxyError> {
    kind_of(kind)?.parse(attributes)
}

/// A registered kind by its name.
///
/// # Errors
/// [`ProxyError::ToxicKind`] when there is none.
pub fn kind_of(name: &str) -> Result<&'static Registered, ProxyError> {
    let unknown = || {
        let kinds = KINDS.iter().map(|kind| kind.name).collect::<Vec<_>>().join(", ");
        ProxyError::ToxicKind { kind: name.to_owned(), kinds }
    };
    KINDS.iter().find(|registered| registered.name == name).ok_or_else(unknown)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(value: Value) -> Map<String, Value> {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn every_kind_parses_with_nothing_given() {
        for kind in KINDS {
            assert_eq!(parse(kind.name, Map::new()).unwrap().kind(), kind.name);
        }
    }

    #[test]
    fn names_are_unique_and_every_kind_says_what_it_does() {
        let names: std::collections::BTreeSet<_> = KINDS.iter().map(|kind| kind.name).collect();
        assert_eq!(names.len(), KINDS.len());
        assert!(KINDS.iter().all(|kind| kind.about.ends_with('.')));
    }

    #[test]
    fn unknown_attributes_are_ignored_and_wrong_ones_refused() {
        let parsed = parse("latency", object(json!({ "latency": 5, "enabled": true }))).unwrap();
        assert_eq!(parsed, Latency { latency: 5, jitter: 0 }.into());
        for wrong in [json!({ "latency": 0.5 }), json!({ "latency": "5" })] {
            assert!(matches!(parse("latency", object(wrong)), Err(ProxyError::Attributes(_))));
        }
        let unknown = parse("noise", Map::new()).unwrap_err().to_string();
        assert!(unknown.contains("\"noise\"") && unknown.contains("slow_close"), "{unknown}");
    }

    #[test]
    fn a_change_keeps_what_it_does_not_name() {
        let toxic = Toxic::from(Latency { latency: 100, jitter: 7 });
        assert_eq!(
            toxic.changed(object(json!({ "latency": 200 }))).unwrap(),
            Latency { latency: 200, jitter: 7 }.into()
        );
        assert_ne!(toxic, LimitData { bytes: 100 }.into());
    }
}
