//! A store that reports every call that Redis does not answer: the log of an outage grows with the traffic, and hides
//! what matters.

use std::time::Duration;

use async_trait::async_trait;
use firedrill_storage::{Acked, Event, EventSink, ServedBy, Session, SessionId, StoreError, TriviaSession};

use super::caught::caught_alone;
use super::plant::{Needs, Plant, Planted, Store};
use super::spoil::Spoil;

/// The description of this defect.
pub(super) static DEFECT: Planted = Planted {
    name: "tells-every-failure",
    about: "The store reports an event for every read that Redis does not answer.",
    source: "S2: a warning once, no log spam",
    drills: &[caught_alone(
        "redis-outage",
        &["load.for=5s", r#"fault=[{ kind = "proxy.down", at = "1s", for = "2s" }]"#],
        &["events.told"],
    )],
    plant: Plant::Around(|store, place| Ok(TellsEveryFailure { inner: store, events: place.events.clone() }.planted())),
    needs: Needs::Nothing,
};

/// Wraps a sound store and reports the reads that Redis does not answer.
struct TellsEveryFailure {
    inner: Store,
    events: EventSink,
}

#[async_trait]
impl Spoil for TellsEveryFailure {
    fn inner(&self) -> &Store {
        &self.inner
    }

    async fn get(&self, id: &SessionId, ttl: Duration) -> Result<Acked<Option<Session<TriviaSession>>>, StoreError> {
        let answered = self.inner.get(id, ttl).await;
        if !matches!(&answered, Ok(Acked { served_by: ServedBy::Primary, .. })) {
            (self.events)(Event::Refused { code: "AWAY".to_owned(), answer: "AWAY Redis did not answer".to_owned() });
        }
        answered
    }
}
