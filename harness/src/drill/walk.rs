//! One session walked through its operations before the load, and for `firedrill try`.

use super::error::DrillError;
use super::observer::Stage;
use super::order::Order;
use super::resources;
use super::runtime::apart;
use super::setup::Setup;
use super::witness::Witnessed;
use crate::history::{Notes, OpKind};
use crate::targets::{Seen, Walk};

/// One session's life, and what the application printed meanwhile.
pub struct Walked {
    /// Its operations.
    pub walk: Walk,
    /// The end of the application's log; empty if the drill did not start it.
    pub log_tail: String,
}

/// Starts the lab of `order`, walks one session through its operations without load or faults, and ends the lab; `None` if
/// the target is not an application that somebody described.
///
/// # Errors
/// As of a drill, up to its load.
pub async fn walk(order: Order) -> Result<Option<Walked>, DrillError> {
    resources::secure(&order)?;
    let stop = order.stop.clone();
    apart(stop, async move || {
        Setup::during(&order, async |setup| {
            let witness = Witnessed::of(setup);
            let walk = walked(&order, setup, &witness).await?;
            let log_tail = setup.apps.first().map_or(String::new(), |app| app.log_tail());
            Ok(walk.map(|walk| Walked { walk, log_tail }))
        })
        .await
    })
    .await
}

async fn walked(order: &Order, setup: &Setup, witness: &Witnessed) -> Result<Option<Walk>, DrillError> {
    let site = setup.site(&order.plan, Notes::default());
    order.plan.scenario.target.kind.walk(&site, witness).await.map_err(DrillError::Target)
}

/// The walk before the load; `None` if the target is not an application that somebody described.
///
/// # Errors
/// [`DrillError::Walk`] if an operation does not do what its description says; [`DrillError::WithoutRedis`].
pub(super) async fn of_target(order: &Order, setup: &Setup, witness: &Witnessed) -> Result<Option<Walk>, DrillError> {
    if order.target.is_some() || order.plan.scenario.app.is_none() {
        return Ok(None);
    }
    order.step(Stage::Setup, "walking one session through its operations");
    let walk = walked(order, setup, witness).await?;
    match walk.as_ref().map(|walk| (&walk.wrong, walk.without_redis)) {
        Some((Some(wrong), _)) => Err(DrillError::Walk(wrong.clone())),
        Some((None, true)) => Err(DrillError::WithoutRedis),
        _ => Ok(walk),
    }
}

/// Why the preload makes the drill inconclusive: it was acknowledged, and Redis did not see as many writes.
pub(super) fn unseen_writes(walk: &Walk, order: &Order, before: Seen, after: Seen) -> Option<String> {
    let create = walk.acts.iter().find(|act| act.kind == OpKind::Create)?;
    // Many applications write a session to Redis only once it holds something.
    if create.seen.writes.unwrap_or(0) == 0 {
        return None;
    }
    let made = order.plan.load.preload().len() as u64;
    let writes = after.writes?.saturating_sub(before.writes?);
    (writes < made).then(|| {
        format!(
            "the application did not use the Redis it was given: it made {made} sessions, and Redis saw {writes} writes"
        )
    })
}
