//! Which Firedrill this is. `harness/build.rs` finds out when it is compiled.

/// What `--version` prints after the name: the version, the commit, and how it was built.
pub const LONG: &str = concat!(
    env!("CARGO_PKG_VERSION"),
    "\ncommit ",
    env!("FIREDRILL_COMMIT_TEXT"),
    "\nbuild  ",
    env!("FIREDRILL_BUILD")
);
