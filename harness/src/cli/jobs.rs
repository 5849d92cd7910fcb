//! Parallel drills: which ones may run side by side, and how they are run.

use std::io;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::mpsc;
use std::thread;

use crate::gate::Dimension;
use crate::lab::Reached;
use crate::load::{Pacing, Think};
use crate::plan::Plan;

/// A gate on a time below this many seconds measures the machine as much as the target.
const CLOSE: f64 = 1.0;

/// Above this rate, in operations per second, the load keeps a core busy.
const BUSY: f64 = 1_000.0;

/// How much of the machine a drill needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Room {
    /// It mostly waits, and its gates leave enough margin for neighbours.
    Shared,
    /// It starts a group of servers.
    Group,
    /// It measures precisely, or leaves no capacity for others.
    Alone,
}

impl Room {
    /// The room that `plan` needs.
    pub fn of(plan: &Plan) -> Self {
        let scenario = &plan.scenario;
        let times = scenario.gates.iter().any(|gate| match gate.of.row().dimension {
            Dimension::Time => gate.limit.quantity() < CLOSE,
            Dimension::Rate => true,
            Dimension::Share | Dimension::Count | Dimension::Bytes => false,
        });
        let claims = scenario.claims.iter().next().is_some();
        if times || claims || plan.load.blocks().iter().any(|block| is_busy(&block.pacing)) {
            Room::Alone
        } else if scenario.lab.topology.reached() == Reached::ByAnnouncement {
            Room::Group
        } else {
            Room::Shared
        }
    }

    /// How many of `all` places it takes.
    fn places(self, all: usize) -> usize {
        match self {
            Room::Shared => 1,
            Room::Group => all.min(2),
            Room::Alone => all,
        }
    }
}

fn is_busy(pacing: &Pacing) -> bool {
    match pacing {
        Pacing::Open { stages, .. } => stages.iter().any(|stage| stage.from_rate.max(stage.to_rate) > BUSY),
        Pacing::Closed { think, rate_cap, .. } => *think == Think::None && rate_cap.is_none_or(|rate| rate > BUSY),
    }
}

/// Runs tasks on threads, as many at once as fit into `places`, and calls `ended` with each result on this thread.
/// Tasks at the front start first; a task that fits may overtake one that does not fit yet. Once `ended` breaks, no
/// further task starts, and the running ones are waited for. A panic of a task is passed on.
///
/// # Errors
/// The system's error if it provides no thread for a task: neither that task nor any later one has started.
pub fn side_by_side<T: Send>(
    mut waiting: Vec<(Room, impl FnOnce() -> T + Send)>,
    places: usize,
    mut ended: impl FnMut(T) -> ControlFlow<()>,
) -> io::Result<()> {
    let mut free = places;
    let (done, finished) = mpsc::channel();
    thread::scope(|scope| {
        let mut begun = Ok(());
        loop {
            while let Some(next) = waiting.iter().position(|(room, _)| room.places(places) <= free) {
                let (room, task) = waiting.remove(next);
                free -= room.places(places);
                let done = done.clone();
                let body = move || {
                    let result = catch_unwind(AssertUnwindSafe(task));
                    // The receiver is gone only if the waiting thread has panicked.
                    let _ = done.send((room, result));
                };
                if let Err(error) = thread::Builder::new().spawn_scoped(scope, body) {
                    begun = Err(error);
                    free += room.places(places);
                    waiting.clear();
                }
            }
            if free == places {
                break;
            }
            let Ok((room, result)) = finished.recv() else { break };
            free += room.places(places);
            let result = result.unwrap_or_else(|panic| resume_unwind(panic));
            if ended(result).is_break() {
                waiting.clear();
            }
        }
        begun
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::scenario::{parse, shipped};

    fn room(scenario: &str) -> Room {
        let shipped = shipped().iter().find(|shipped| shipped.name == scenario).unwrap();
        let scenario = parse(&shipped.source(), &[]).unwrap();
        Room::of(&Plan::of(scenario, 7).unwrap())
    }

    #[test]
    fn what_measures_closely_is_alone_and_a_group_takes_two_places() {
        assert_eq!(room("redis-outage"), Room::Shared);
        assert_eq!(room("sentinel-failover"), Room::Group);
        assert_eq!(room("latency-claims"), Room::Alone, "claims");
        assert_eq!(room("hundred-users"), Room::Alone, "p95 and rate");
    }

    #[test]
    fn every_scenario_of_the_ci_set_may_have_neighbours() {
        for shipped in shipped() {
            let scenario = parse(&shipped.source(), &[]).unwrap();
            if scenario.tags.iter().any(|tag| tag == "ci") {
                assert_ne!(room(shipped.name), Room::Alone, "{}", shipped.name);
            }
        }
    }

    /// What is running at each moment.
    #[derive(Default)]
    struct Watched {
        running: Mutex<Vec<usize>>,
        together: Mutex<Vec<Vec<usize>>>,
    }

    impl Watched {
        fn task(&self, index: usize) -> usize {
            let mut running = self.running.lock().unwrap();
            running.push(index);
            self.together.lock().unwrap().push(running.clone());
            drop(running);
            thread::yield_now();
            self.running.lock().unwrap().retain(|&other| other != index);
            index
        }
    }

    #[test]
    fn no_more_run_than_fit_and_what_is_alone_is_alone() {
        let rooms = [Room::Alone, Room::Shared, Room::Group, Room::Shared, Room::Shared];
        let (watched, mut ended) = (Watched::default(), Vec::new());
        let task = |(index, room): (usize, Room)| {
            (room, {
                let watched = &watched;
                move || watched.task(index)
            })
        };
        side_by_side(rooms.into_iter().enumerate().map(task).collect(), 2, |index| {
            ended.push(index);
            ControlFlow::Continue(())
        })
        .unwrap();
        ended.sort_unstable();
        assert_eq!(ended, [0, 1, 2, 3, 4]);
        for together in watched.together.into_inner().unwrap() {
            let places: usize = together.iter().map(|&index| rooms[index].places(2)).sum();
            assert!(places <= 2, "{together:?}");
        }
    }

    #[test]
    fn after_breaking_off_none_begins() {
        let mut ended = Vec::new();
        side_by_side((0..4).map(|index| (Room::Shared, move || index)).collect(), 1, |index| {
            ended.push(index);
            if index == 1 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })
        .unwrap();
        assert_eq!(ended, [0, 1]);
    }
}
