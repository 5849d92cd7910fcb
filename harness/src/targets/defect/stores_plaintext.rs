//! A store that has keys but encrypts nothing: anyone who reads Redis or its dump reads the sessions.

use firedrill_storage::StoreBuilder;

use super::caught::caught_alone;
use super::plant::{Needs, Plant, Planted};

/// The description of this defect.
pub(super) static DEFECT: Planted = Planted {
    name: "stores-plaintext",
    about: "The store ignores its keys, so sessions are in Redis in plain text.",
    source: "R2: nothing is readable at rest",
    drills: &[caught_alone("secret-kept", &[], &["checks.secrets"])],
    plant: Plant::Settings(adjust),
    needs: Needs::Nothing,
};

/// Plants the defect in the store's settings.
fn adjust(settings: &mut StoreBuilder) {
    settings.keyring = None;
}
