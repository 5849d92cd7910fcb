//! Its seam is in `keyring/mod.rs`.

use super::{Planted, Shown};

pub(crate) static DEFECT: Planted = Planted {
    name: "forgets-old-keys",
    about: "After a key rotation, values under the old key cannot be read.",
    source: "spring-projects/spring-session#1939",
    scenarios: &[],
    shown_by: Shown::Probe,
    keeps_contract: true,
    lua: None,
};
