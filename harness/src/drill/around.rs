//! What is done to a target around its loads: building it, operations that each run once, and the wait until it has
//! settled.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::error::DrillError;
use super::order::Order;
use super::recorder::StepResult;
use super::setup::{Setup, try_out};
use crate::history::Step;
use crate::target::Operation;
use crate::targets::{Driver, Job, Site};

/// Concurrent operations outside the loads.
const LANES: usize = 32;

/// The deadline of an operation outside the loads.
const DEADLINE: Duration = Duration::from_secs(5);

/// Builds the target of `order` at `site`: the custom one, or the scenario's.
///
/// # Errors
/// [`DrillError::Target`].
pub async fn build(order: &Order, site: Site) -> Result<Arc<dyn Driver>, DrillError> {
    let built = match &order.target {
        Some(own) => own.build(site).await,
        None => order.plan.scenario.target.kind.build(site).await,
    };
    built.map_err(DrillError::Target)
}

/// Each operation once.
pub fn each_once(step: Step, operations: Vec<Operation>) -> Job {
    Job::List { step, operations, lanes: LANES, deadline: DEADLINE }
}

/// Expects that some of the operations were acknowledged, if there were any and nobody stopped them.
///
/// # Errors
/// If Redis itself refuses what the target sends, [`RedisFailure::Lacks`](crate::lab::RedisFailure::Lacks) with its words; else
/// [`DrillError::NothingWorked`].
pub async fn must_work(result: &StepResult, order: &Order, setup: &Setup) -> Result<(), DrillError> {
    if result.nothing_ok() && !order.stop.is_cancelled() {
        try_out(&order.plan, &setup.lab).await?;
        return Err(DrillError::NothingWorked { operations: result.total(), seen: result.seen() });
    }
    Ok(())
}

/// Waits until `target` has settled, or until it was told to stop, but no longer than `within`.
pub async fn settle(target: &dyn Driver, stop: &CancellationToken, within: Duration) {
    let deadline = Instant::now() + within;
    while Instant::now() < deadline && !stop.is_cancelled() && !target.settled().await {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
