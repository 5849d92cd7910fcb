//! The path between one process and the server, with delays, cuts and partitions.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::fate::{Fate, Partition};
use super::server::Server;

/// The path from one process to the server.
pub struct Path {
    state: Mutex<State>,
    server: Server,
}

struct State {
    rng: StdRng,
    /// The longest time that a message takes, in milliseconds.
    delay: u64,
    partition: Option<Partition>,
    /// Each is for the next data command.
    fates: VecDeque<Fate>,
    lines: Vec<tokio::task::AbortHandle>,
}

impl Path {
    /// A path to `server`.
    pub fn new(server: &Server, seed: u64) -> Arc<Self> {
        let state = State {
            rng: StdRng::seed_from_u64(seed),
            delay: 1,
            partition: None,
            fates: VecDeque::new(),
            lines: Vec::new(),
        };
        Arc::new(Self { state: Mutex::new(state), server: server.clone() })
    }

    /// From now on, messages take up to this many milliseconds.
    pub fn set_delay(&self, delay: u64) {
        self.state.lock().delay = delay;
    }

    /// The next data command meets this fate.
    pub fn doom(&self, fate: Fate) {
        self.state.lock().fates.push_back(fate);
    }

    /// Cuts every open connection.
    pub fn cut(&self) {
        self.state.lock().lines.drain(..).for_each(|line| line.abort());
    }

    /// Cuts the process off, or reconnects it.
    pub fn part(&self, partition: Option<Partition>) {
        self.state.lock().partition = partition;
        if partition == Some(Partition::Refused) {
            self.cut();
        }
        self.server.ring();
    }

    /// Undoes every fault of the path.
    pub fn heal(&self) {
        let mut state = self.state.lock();
        state.fates.clear();
        state.delay = 1;
        drop(state);
        self.part(None);
    }

    pub(crate) fn is_apart(&self) -> bool {
        self.state.lock().partition == Some(Partition::Silent)
    }

    pub(crate) fn delay(&self) -> Duration {
        let mut state = self.state.lock();
        let most = state.delay;
        Duration::from_millis(state.rng.random_range(0..=most))
    }

    pub(crate) fn fate(&self) -> Option<Fate> {
        self.state.lock().fates.pop_front()
    }

    pub(crate) fn partition(&self) -> Option<Partition> {
        self.state.lock().partition
    }

    pub(crate) fn server(&self) -> &Server {
        &self.server
    }

    /// Adds a connection that this task serves.
    pub(crate) fn serves(&self, task: tokio::task::AbortHandle) {
        self.state.lock().lines.push(task);
    }
}
