//! A list of operations, each executed once, as fast as the lanes allow: preload, warm-up, final reads.

use std::cell::RefCell;
use std::rc::Rc;

use super::super::lane::{Deadlines, Lane};
use super::super::worker::Worker;
use crate::target::{Operation, Target};

/// Runs `operations` on `lanes` lanes; an operation's planned instant is when a lane picks it up.
pub(in crate::load) async fn run<T: Target>(
    worker: Rc<Worker<T>>,
    deadlines: Rc<Deadlines>,
    lanes: usize,
    operations: impl Iterator<Item = Operation> + 'static,
) {
    let operations = Rc::new(RefCell::new(operations));
    let lanes: Vec<_> = (0..lanes)
        .map(|_| {
            let (worker, operations) = (Rc::clone(&worker), Rc::clone(&operations));
            let mut lane = Lane::new(Rc::clone(&worker), &deadlines);
            tokio::task::spawn_local(async move {
                while !worker.stopped() {
                    let Some(op) = operations.borrow_mut().next() else { break };
                    worker.recorder.count(|counts| counts.planned += 1);
                    lane.carry_out(worker.clock.now(), op).await;
                    tokio::task::consume_budget().await;
                }
            })
        })
        .collect();
    for lane in lanes {
        // A lane's task never panics (panics of its client are caught), and nobody cancels it.
        let _ = lane.await;
    }
}
