//! A store that reports the URL it could not reach, password included: it ends up in logs, alerts and reports.

use std::sync::Arc;

use firedrill_storage::{Event, StoreBuilder};

use super::caught::caught_alone;
use super::plant::{Needs, Plant, Planted};

/// The description of this defect.
pub(super) static DEFECT: Planted = Planted {
    name: "leaks-its-password",
    about: "When the fallback takes over, the store reports the URL that it cannot reach, with the password.",
    source: "R7: health and logs leak no secret",
    drills: &[caught_alone("secret-kept", &[], &["checks.secrets"])],
    plant: Plant::Settings(adjust),
    needs: Needs::Nothing,
};

/// Plants the defect in the store's settings.
fn adjust(settings: &mut StoreBuilder) {
    let (url, tell) = (settings.redis_url.clone(), Arc::clone(&settings.events));
    settings.events = Arc::new(move |event| {
        if let Event::FallbackStarted { .. } = event {
            tell(Event::Refused { code: "AWAY".to_owned(), answer: format!("AWAY cannot reach {url}") });
        }
        tell(event);
    });
}
