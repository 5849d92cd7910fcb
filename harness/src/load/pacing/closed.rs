//! The closed loop: virtual users, each of which waits for its reply and thinks before it continues.

use std::cell::Cell;
use std::rc::Rc;

use super::super::lane::{Deadlines, Lane};
use super::super::streams::UserStream;
use super::super::worker::Worker;
use crate::clock::Nanos;
use crate::target::Target;

/// The most time that users may make up with a burst after they fell behind their rate cap.
const CATCH_UP: Nanos = 10_000_000;

/// How long before its first operation a user connects: before the load begins, if it begins with the load.
const AHEAD: Nanos = 250_000_000;

/// When a block's users are active.
#[derive(Clone)]
pub(in crate::load) struct Hours {
    pub(in crate::load) from: Nanos,
    pub(in crate::load) to: Nanos,
    pub(in crate::load) cap: Option<Rc<RateCap>>,
    /// When the last user begins, after the first.
    pub(in crate::load) ramp: Nanos,
}

/// Limits one worker's users to one operation per spacing, on average.
pub(in crate::load) struct RateCap {
    spacing: Nanos,
    next: Cell<Nanos>,
}

impl RateCap {
    pub(in crate::load) fn per_second(rate: f64, from: Nanos) -> Self {
        Self { spacing: (1e9 / rate) as Nanos, next: Cell::new(from) }
    }

    /// When a user that is ready at `ready` may send.
    fn slot(&self, ready: Nanos) -> Nanos {
        let slot = self.next.get().max(ready - CATCH_UP);
        self.next.set(slot + self.spacing);
        slot.max(ready)
    }
}

/// Plays the users of `streams`, each with its place among all in 0..1, until the end of the block, then waits until every operation is settled.
pub(in crate::load) async fn run<T: Target>(
    worker: Rc<Worker<T>>,
    deadlines: Rc<Deadlines>,
    hours: Hours,
    streams: impl Iterator<Item = (f64, UserStream)>,
) {
    let users: Vec<_> = streams
        .map(|(place, stream)| {
            let begins = hours.from + (hours.ramp as f64 * place) as Nanos;
            let lane = Lane::new(Rc::clone(&worker), &deadlines);
            tokio::task::spawn_local(user(Rc::clone(&worker), lane, hours.clone(), begins, stream))
        })
        .collect();
    for user in users {
        // A user's task never panics (panics of its client are caught), and nobody cancels it.
        let _ = user.await;
    }
}

async fn user<T: Target>(
    worker: Rc<Worker<T>>,
    mut lane: Lane<T>,
    hours: Hours,
    begins: Nanos,
    mut stream: UserStream,
) {
    let mut due = begins + stream.first_pause();
    let mut waits = worker.waits();
    // Users that begin one after the other also connect one after the other.
    waits.until(begins - AHEAD).await;
    lane.prepare().await;
    loop {
        if due >= hours.to {
            break;
        }
        waits.until(due).await;
        if let Some(cap) = &hours.cap {
            due = cap.slot(due);
            if due >= hours.to {
                break;
            }
            waits.until(due).await;
        }
        if worker.stopped() {
            break;
        }
        let Some((op, pause)) = stream.next() else { break };
        worker.recorder.count(|counts| counts.planned += 1);
        due = lane.carry_out(due, op).await + pause;
        tokio::task::consume_budget().await;
    }
}
