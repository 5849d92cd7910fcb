//! The closed loop: virtual users, each waiting for its answer and thinking before it goes on.

use std::cell::Cell;
use std::rc::Rc;

use super::lane::{Lane, Watch};
use super::script::UserStream;
use super::worker::Worker;
use crate::clock::Nanos;
use crate::target::Target;

/// How far a cap on the rate lets users catch up after they were slow: a burst of at most this much time.
const CATCH_UP: Nanos = 10_000_000;

/// When the users of a block act.
#[derive(Clone)]
pub(super) struct Hours {
    pub(super) from: Nanos,
    pub(super) to: Nanos,
    pub(super) cap: Option<Rc<RateCap>>,
}

/// Lets the users of one worker send at most once per spacing, on average.
pub(super) struct RateCap {
    spacing: Nanos,
    next: Cell<Nanos>,
}

impl RateCap {
    pub(super) fn per_second(rate: f64, from: Nanos) -> Self {
        Self { spacing: (1e9 / rate) as Nanos, next: Cell::new(from) }
    }

    /// When a user who is ready at `ready` may send.
    fn slot(&self, ready: Nanos) -> Nanos {
        let slot = self.next.get().max(ready - CATCH_UP);
        self.next.set(slot + self.spacing);
        slot.max(ready)
    }
}

/// Acts as the users of `streams` until the block's end, and waits until everything sent is settled.
pub(super) async fn run<T: Target>(
    worker: Rc<Worker<T>>,
    watch: Rc<Watch>,
    hours: Hours,
    streams: impl Iterator<Item = UserStream>,
) {
    let users: Vec<_> = streams
        .map(|stream| {
            let lane = Lane::new(Rc::clone(&worker), &watch);
            tokio::task::spawn_local(user(Rc::clone(&worker), lane, hours.clone(), stream))
        })
        .collect();
    for user in users {
        // a user's task neither panics (its client's panics are caught) nor is it cancelled
        let _ = user.await;
    }
}

async fn user<T: Target>(worker: Rc<Worker<T>>, mut lane: Lane<T>, hours: Hours, mut stream: UserStream) {
    let mut due = hours.from + stream.first_pause();
    loop {
        if due >= hours.to {
            break;
        }
        worker.alarm.until(due).await;
        if let Some(cap) = &hours.cap {
            due = cap.slot(due);
            if due >= hours.to {
                break;
            }
            worker.alarm.until(due).await;
        }
        if worker.alarm.stopped() {
            break;
        }
        let Some((op, pause)) = stream.next() else { break };
        worker.recorder.count(|counts| counts.planned += 1);
        due = lane.carry_out(due, op).await + pause;
        tokio::task::consume_budget().await;
    }
}
