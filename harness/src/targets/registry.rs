//! The kinds of target that a scenario can name. A new one is its file and its line here.

use super::kind::Kind;
use crate::registry::{Named, Registered};
use crate::target::Ability;

static KINDS: &[&dyn Kind] = &[
    // In the order of the documentation.
    &super::store::StoreKind,
    &super::redis::RedisKind,
    &super::http::HttpKind,
    &super::null::NullKind,
];

/// A kind of target, by name.
pub type TargetKind = Named<dyn Kind>;

impl Registered for dyn Kind {
    const WHAT: &'static str = "TargetKind";

    fn all() -> &'static [&'static Self] {
        KINDS
    }

    fn instead_of(name: &str) -> Option<&'static str> {
        (name == "app").then_some(
            "session-server is an application like any other: write kind = \"http\", and run it with --app session-server",
        )
    }

    fn name(&self) -> &'static str {
        Kind::name(self)
    }

    fn about(&self) -> &'static str {
        Kind::about(self)
    }
}

impl Default for TargetKind {
    /// The storage crate, in process.
    fn default() -> Self {
        Named::new(&super::store::StoreKind)
    }
}

impl TargetKind {
    /// The kind that drives what a scenario's `[app]` describes.
    pub fn described() -> Self {
        Named::new(&super::http::HttpKind)
    }

    /// Why something that needs `ability` cannot be asked of this target, and which one to take instead; `None` if it can.
    pub fn lacks(self, ability: Ability) -> Option<(String, String)> {
        if self.abilities().contains(&ability) {
            return None;
        }
        let able: Vec<String> = KINDS
            .iter()
            .filter(|kind| kind.abilities().contains(&ability))
            .map(|kind| format!("[target] kind = \"{}\"", kind.name()))
            .collect();
        let message = format!("the {} target {}", Registered::name(&*self), ability.lacking());
        Some((message, format!("set {}", able.join(" or "))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::OpKind;

    #[test]
    fn what_a_target_lacks_is_said_with_those_that_have_it() {
        let redis = TargetKind::find("redis").unwrap();
        let (message, help) = redis.lacks(Ability::Connection).unwrap();
        assert_eq!(message, "the redis target does not say whether it is connected to Redis");
        assert_eq!(help, "set [target] kind = \"store\" or [target] kind = \"http\"");
        assert_eq!(TargetKind::default().lacks(Ability::Connection), None);
    }

    #[test]
    fn every_kind_reads_and_creates_sessions_as_every_drill_does() {
        for kind in KINDS {
            for needed in [OpKind::Create, OpKind::Read] {
                assert!(kind.operations().contains(&needed), "{} {needed:?}", kind.name());
            }
        }
    }
}
