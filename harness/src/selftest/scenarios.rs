//! The self-test's own scenarios: short ones, each with the situations that some defects need. Others are the shipped ones.

use crate::scenario::{Shipped, Source, shipped_named};

macro_rules! embed {
    ($($name:literal),* $(,)?) => {
        &[$((
            $name,
            include_str!(concat!("scenarios/", $name, ".toml")),
        )),*]
    };
}

/// Each with its name.
fn own() -> &'static [(&'static str, &'static str)] {
    embed![
        "appends-only",
        "awards",
        "bad-values",
        "breaker-closes",
        "cut-while-creating",
        "everyday",
        "health-asked",
        "idle-in-memory",
        "kept-in-use",
        "listed-and-counted",
        "listings",
        "logins",
        "puts-at-once",
        "reads-only",
        "refused-in-outage",
        "replies-lost",
        "secret-kept",
        "shared-sessions",
        "short-outage",
        "spoilt-ciphertexts",
        "steady-reads",
        "unhurried-users",
    ]
}

/// The scenario called `name`: one of the self-test's own, or a shipped one.
pub fn source(name: &str) -> Option<Source> {
    let own = own().iter().find(|(own, _)| *own == name);
    let own = own.map(|(name, text)| Source { name: format!("{name}.toml"), text: (*text).to_owned() });
    own.or_else(|| shipped_named(name).ok().map(Shipped::source))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::parse;

    #[test]
    fn each_of_its_own_is_valid_and_has_the_name_of_its_file() {
        for (name, _) in own() {
            assert_eq!(parse(&source(name).unwrap(), &[]).unwrap().name, *name);
            assert!(shipped_named(name).is_err(), "{name} is shipped too");
        }
    }
}
