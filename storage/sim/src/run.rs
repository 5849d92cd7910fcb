//! Runs a schedule: real stores over a simulated network, with a clock that stands still while any task can run.

use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use firedrill_storage::{
    Acked, AppendStore, BreakerConfig, Clock, Effect, FallbackStats, Key, KeyRing, Policy, Progress, Randomness,
    RetryProfile, SessionId, StoreBuilder, StoreError, Switchable,
};
use parking_lot::Mutex;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::history::{Call, Outcome};
use crate::network::SimNetwork;
use crate::record::{self, Item, Items};
use crate::redis::path::Path;
use crate::redis::resp::Command;
use crate::redis::server::Server;
use crate::schedule::{Action, Caller, Op, Schedule, Setting};

/// The deadline of a call.
pub const DEADLINE: Duration = Duration::from_millis(200);

/// How long recovery may take after every fault is undone.
const PATIENCE: Duration = Duration::from_secs(120);

/// Writes that Redis acknowledged and then lost.
#[derive(Debug, Clone)]
pub struct Tail {
    /// When, in the order of the calls.
    pub at: u64,
    /// The sessions concerned.
    pub sessions: Vec<usize>,
}

/// A switch of policy.
#[derive(Debug, Clone, Copy)]
pub struct Switched {
    /// When, in the order of the calls.
    pub at: u64,
    /// The process that switched.
    pub process: usize,
    /// The new policy.
    pub to: Policy,
    /// Whether the process had reported that memory and Redis agree.
    pub complete: bool,
}

/// A session at the end: its version and items, `None` if there is none, or why it could not be read.
pub type Last = Result<Option<(u64, Vec<u64>)>, String>;

/// The result of a schedule.
#[derive(Debug, Default)]
pub struct Run {
    /// Every call, in the order they began.
    pub calls: Vec<Call>,
    /// Sessions at the end, as a newly started process sees them: version and items.
    pub last: Vec<Last>,
    /// The counters of each process at the end.
    pub stats: Vec<FallbackStats>,
    /// Processes that did not recover in time.
    pub stuck: Vec<usize>,
    /// What Redis lost.
    pub tails: Vec<Tail>,
    /// Sessions that Redis evicted, and when.
    pub evicted: Vec<(u64, usize)>,
    /// Whether a process's keys were rotated.
    pub rotated: bool,
    /// The policy switches.
    pub switched: Vec<Switched>,
    /// Sessions that processes filled their memory with: how many, and how many of them were refused.
    pub filled: Vec<(usize, usize)>,
}

/// Virtual time as the stores see it.
pub struct TokioClock(pub Instant);

impl Clock for TokioClock {
    fn now(&self) -> u64 {
        self.0.elapsed().as_nanos() as u64
    }
}

struct Process {
    store: Switchable<Items>,
    path: Arc<Path>,
    keys: Option<Arc<KeyRing>>,
}

struct World {
    setting: Setting,
    origin: Instant,
    server: Server,
    processes: Vec<Process>,
    history: Mutex<History>,
    /// The users of the sessions.
    families: Vec<usize>,
}

#[derive(Default)]
struct History {
    calls: Vec<Call>,
    order: u64,
    items: u64,
    filled: Vec<(usize, usize)>,
}

impl History {
    fn next(&mut self) -> u64 {
        self.order += 1;
        self.order
    }
}

/// Runs a schedule from its first event until every fault is undone and the stores have recovered.
pub fn run(schedule: &Schedule) -> Run {
    record::set_up(schedule.setting.unites);
    runtime().block_on(async { simulate(schedule, &Server::new(schedule.seed)).await })
}

/// The data commands that reach the server in a schedule, in order.
pub fn record(schedule: &Schedule) -> Vec<Command> {
    let runtime = runtime();
    record::set_up(schedule.setting.unites);
    runtime.block_on(async {
        let server = Server::new(schedule.seed);
        server.record();
        simulate(schedule, &server).await;
        server.recorded()
    })
}

fn runtime() -> tokio::runtime::Runtime {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.unwrap_or_else(|error| panic!("no runtime for a simulation: {error}"))
}

async fn simulate(schedule: &Schedule, server: &Server) -> Run {
    let setting = schedule.setting;
    let origin = Instant::now();
    let processes = (0..setting.processes).map(|number| start(schedule, number, server, origin)).collect();
    let (server, history, families) = (server.clone(), Mutex::default(), schedule.families());
    let world = Arc::new(World { setting, origin, server, processes, history, families });
    let mut run = Run::default();
    // Let them connect, like processes that have served for a while.
    sleep(Duration::from_millis(20)).await;
    let mut calls = Vec::new();
    for event in &schedule.events {
        sleep_until(origin + Duration::from_millis(20 + event.at)).await;
        world.act(event.action, &mut run, &mut calls);
    }
    sleep(Duration::from_millis(1)).await;
    world.heal();
    for call in calls {
        if timeout(PATIENCE, call).await.is_err() {
            run.stuck.push(0);
        }
    }
    run.stuck.extend(world.recovered().await);
    world.look_back(&mut run).await;
    run.stats = world.processes.iter().map(|process| process.store.stats()).collect();
    let mut history = world.history.lock();
    run.calls = std::mem::take(&mut history.calls);
    run.filled = std::mem::take(&mut history.filled);
    drop(history);
    run
}

fn start(schedule: &Schedule, number: usize, server: &Server, origin: Instant) -> Process {
    let setting = schedule.setting;
    let seed = schedule.seed.wrapping_mul(31).wrapping_add(number as u64);
    let path = Path::new(server, seed);
    let keys = setting.encrypted.then(|| Arc::new(KeyRing::new(key(0), vec![])));
    let retry = RetryProfile::doubling(Duration::from_millis(20), Duration::from_millis(100));
    let builder = StoreBuilder {
        policy: setting.policy,
        network: Some(Arc::new(SimNetwork(Arc::clone(&path)))),
        randomness: Randomness::seeded(seed),
        clock: Arc::new(TokioClock(origin)),
        command_timeout: DEADLINE,
        connect_timeout: Duration::from_millis(150),
        retry,
        warm_capacity: setting.capacity,
        sliding: setting.sliding,
        keyring: keys.clone(),
        cleanup_every: None,
        breaker: setting.breaker.then(|| BreakerConfig {
            failures: 2,
            open_for: Duration::from_millis(300),
            probes: 1,
        }),
        ..StoreBuilder::new("redis://simulated:6379")
    };
    let builder = match setting.planted {
        Some(defect) => builder.planted(defect).unwrap_or_else(|error| panic!("{error}")),
        None => builder,
    };
    let store = builder.build_switchable().unwrap_or_else(|error| panic!("a simulated store: {error}"));
    Process { store, path, keys }
}

fn key(number: usize) -> Key {
    let hex = format!("{:064x}", number + 1);
    Key::from_hex(&hex).unwrap_or_else(|error| panic!("a key: {error}"))
}

/// The id of a session.
pub fn id(session: usize) -> SessionId {
    SessionId::new(&format!("s{session}")).unwrap_or_else(SessionId::random)
}

fn session_of(key: &[u8]) -> Option<usize> {
    std::str::from_utf8(key).ok()?.strip_prefix("session:s")?.parse().ok()
}

impl World {
    fn act(self: &Arc<Self>, action: Action, run: &mut Run, calls: &mut Vec<tokio::task::JoinHandle<()>>) {
        let path = |process: usize| &self.processes[process % self.processes.len()].path;
        match action {
            Action::Call { process, op, session, caller } => {
                let world = Arc::clone(self);
                calls.push(tokio::spawn(world.call(process, op, session, caller)));
            }
            Action::Doom { process, fate } => path(process).doom(fate),
            Action::Delay { process, ms } => path(process).set_delay(ms),
            Action::Cut { process } => path(process).cut(),
            Action::Part { process, partition } => path(process).part(Some(partition)),
            Action::Mend { process } => path(process).part(None),
            Action::Crash { lose } => self.lost(self.server.crash(lose), run),
            Action::Restart => self.server.restart(),
            Action::FailOver { lose } => self.lost(self.server.fail_over(lose), run),
            Action::Freeze => self.server.freeze(true),
            Action::Thaw => self.server.freeze(false),
            Action::Refuse { refusal } => self.server.refuse(Some(refusal)),
            Action::Accept => self.server.refuse(None),
            Action::Forget => self.server.forget_scripts(),
            Action::Evict { session } => {
                if self.server.evict(format!("session:{}", id(session)).as_bytes()) {
                    run.evicted.push((self.history.lock().next(), session));
                }
            }
            Action::Panic => record::panic_once(),
            Action::Switch { process, policy } => {
                let process = process % self.processes.len();
                let store = &self.processes[process].store;
                let complete = store.policy() == Policy::DualWrite && store.progress().is_complete();
                run.switched.push(Switched { at: self.history.lock().next(), process, to: policy, complete });
                store.switch_to(policy);
            }
            Action::Fill { process, sessions } => {
                let world = Arc::clone(self);
                calls.push(tokio::spawn(async move { world.fill(process, sessions).await }));
            }
            Action::Rotate { process } => {
                let process = &self.processes[process % self.processes.len()];
                if let Some(keys) = &process.keys {
                    run.rotated = true;
                    keys.rotate(key(keys.ids().len()));
                }
            }
        }
    }

    fn lost(&self, keys: Vec<Vec<u8>>, run: &mut Run) {
        let sessions: Vec<usize> = keys
            .iter()
            .filter_map(|key| {
                let key = String::from_utf8_lossy(key).replace("session:gone:", "session:");
                session_of(key.as_bytes())
            })
            .collect();
        if !sessions.is_empty() {
            run.tails.push(Tail { at: self.history.lock().next(), sessions });
        }
    }

    async fn call(self: Arc<Self>, process: usize, op: Op, session: usize, caller: Caller) {
        let process = process % self.processes.len();
        let store = self.processes[process].store.store();
        let mut item = None;
        if !matches!(op, Op::Get | Op::Touch | Op::Destroy | Op::LogOut | Op::Rename(_)) {
            let mut history = self.history.lock();
            history.items += 1;
            item = Some(history.items);
        }
        let mut expected = 0;
        let mut wrote: Vec<u64> = item.into_iter().collect();
        if op == Op::Update {
            let read = || self.get(&*store, session);
            let outcome =
                self.do_call(process, Op::Get, session, None, vec![], Caller { patience: None, ..caller }, read).await;
            let Outcome::Acked { items: Some(read), version, .. } = outcome else { return };
            expected = version;
            wrote.splice(0..0, read);
        }
        let user = format!("u{}", self.families.get(session).unwrap_or(&session));
        let data = Items::new(user.as_str(), &wrote);
        let ttl = Duration::from_millis(self.setting.ttl);
        let call = || async {
            let (id, new) = (id(session), id);
            match op {
                Op::Create => written(store.create(&id, data, ttl).await),
                Op::Put => written(store.put(&id, data, ttl).await),
                Op::Update => written(store.update(&id, expected, data, ttl).await),
                Op::Append => written(store.append(&id, Item { n: item.unwrap_or_default() }, ttl).await),
                Op::Get => self.get(&*store, session).await,
                Op::Touch => found(store.touch(&id, ttl).await),
                Op::Destroy => found(store.destroy(&id).await),
                Op::LogOut => {
                    let ended = store.destroy_by_user(&user, None).await;
                    found(ended.map(|acked| Acked { value: acked.value > 0, served_by: acked.served_by }))
                }
                Op::Rename(to) => written(store.rename(&id, &new(to), ttl).await),
            }
        };
        self.do_call(process, op, session, item, wrote.clone(), caller, call).await;
    }

    /// Creates sessions that no other call uses.
    async fn fill(&self, process: usize, sessions: usize) {
        let store = self.processes[process % self.processes.len()].store.store();
        let mut refused = 0;
        for number in 0..sessions {
            let id = id(1_000 + number);
            let made = store.create(&id, Items::new("filler", &[]), Duration::from_millis(self.setting.ttl)).await;
            refused += usize::from(made.is_err());
        }
        self.history.lock().filled.push((sessions, refused));
    }

    async fn get(&self, store: &dyn AppendStore<Items>, session: usize) -> Outcome {
        match store.get(&id(session), Duration::from_millis(self.setting.ttl)).await {
            Ok(acked) => {
                let fallback = acked.served_by == firedrill_storage::ServedBy::Fallback;
                let version = acked.value.as_ref().map_or(0, |session| session.version);
                let items = acked.value.map(|session| session.data.numbers());
                Outcome::Acked { fallback, found: items.is_some(), version, items }
            }
            Err(error) => failed(&error),
        }
    }

    #[allow(clippy::too_many_arguments)]
    async fn do_call<F: Future<Output = Outcome>>(
        &self,
        process: usize,
        op: Op,
        session: usize,
        item: Option<u64>,
        wrote: Vec<u64>,
        caller: Caller,
        call: impl FnOnce() -> F,
    ) -> Outcome {
        let number = {
            let mut history = self.history.lock();
            let from = history.next();
            let start = self.origin.elapsed().as_millis() as u64;
            history.calls.push(Call {
                process,
                session,
                op,
                wrote,
                item,
                start,
                end: None,
                from,
                to: None,
                slow: caller.slow.unwrap_or_default(),
                outcome: Outcome::Panicked,
            });
            history.calls.len() - 1
        };
        let call = slowly(call(), caller.slow);
        let outcome = match caller.patience {
            None => call.await,
            Some(ms) => timeout(Duration::from_millis(ms), call).await.unwrap_or(Outcome::Dropped),
        };
        let mut history = self.history.lock();
        let to = history.next();
        let call = &mut history.calls[number];
        call.outcome = outcome.clone();
        if outcome != Outcome::Dropped {
            call.end = Some(self.origin.elapsed().as_millis() as u64);
            call.to = Some(to);
        }
        outcome
    }

    /// Undoes every fault.
    fn heal(&self) {
        self.server.freeze(false);
        self.server.refuse(None);
        if !self.server.is_up() {
            self.server.restart();
        }
        let most = self.processes.iter().filter_map(|process| Some(process.keys.as_ref()?.ids().len())).max();
        for process in &self.processes {
            process.path.heal();
            if let (Some(keys), Some(most)) = (&process.keys, most) {
                (keys.ids().len()..most).for_each(|number| keys.rotate(key(number)));
            }
        }
        record::set_up(self.setting.unites);
    }

    /// Waits until no process has anything left to tell Redis, and returns those that still have.
    async fn recovered(&self) -> Vec<usize> {
        let begun = Instant::now();
        // Long enough to reconnect and to notice what has changed.
        sleep(Duration::from_millis(500)).await;
        loop {
            let well = |process: &Process| {
                let store = &process.store;
                let Progress { waiting, filling, .. } = store.progress();
                store.policy() == Policy::Memory || !store.stats().active && waiting == 0 && !filling
            };
            let stuck: Vec<usize> =
                self.processes.iter().enumerate().filter(|(_, process)| !well(process)).map(|(at, _)| at).collect();
            if stuck.is_empty() || begun.elapsed() > PATIENCE {
                return stuck;
            }
            sleep(Duration::from_millis(50)).await;
        }
    }

    /// Reads every session: through each process, and through one that was just started.
    async fn look_back(self: &Arc<Self>, run: &mut Run) {
        let sessions = self.history.lock().calls.iter().map(|call| call.last_session() + 1).max().unwrap_or_default();
        for session in 0..sessions {
            for process in 0..self.processes.len() {
                Arc::clone(self).call(process, Op::Get, session, Caller::default()).await;
            }
        }
        let path = Path::new(&self.server, 7);
        path.set_delay(0);
        let builder = StoreBuilder {
            policy: Policy::FailFast,
            network: Some(Arc::new(SimNetwork(path))),
            keyring: self.processes[0].keys.clone(),
            ..StoreBuilder::new("redis://simulated:6379")
        };
        let fresh = builder.build::<Items>().unwrap_or_else(|error| panic!("a simulated store: {error}"));
        for session in 0..sessions {
            let last = fresh.store.get(&id(session), Duration::from_secs(3_600)).await;
            let last = last.map(|acked| acked.value.map(|session| (session.version, session.data.numbers())));
            run.last.push(last.map_err(|error| error.to_string()));
        }
    }
}

/// Polls a call only every `pause` milliseconds, however often it was woken.
async fn slowly<T>(call: impl Future<Output = T>, pause: Option<u64>) -> T {
    let Some(pause) = pause.map(Duration::from_millis) else { return call.await };
    let (mut call, mut waits) = (std::pin::pin!(call), std::pin::pin!(sleep(Duration::ZERO)));
    std::future::poll_fn(|context| {
        while waits.as_mut().poll(context).is_ready() {
            if let Poll::Ready(done) = call.as_mut().poll(context) {
                return Poll::Ready(done);
            }
            waits.as_mut().reset(Instant::now() + pause);
        }
        Poll::Pending
    })
    .await
}

/// Losses that a process has reported: items or whole sessions.
pub fn reported(stats: &FallbackStats) -> u64 {
    stats.lost_items + stats.lost_sessions + stats.evicted_sessions
}

fn written(done: Result<Acked<u64>, StoreError>) -> Outcome {
    match done {
        Ok(acked) => acknowledged(acked.served_by, true, acked.value),
        Err(error) => failed(&error),
    }
}

fn found(done: Result<Acked<bool>, StoreError>) -> Outcome {
    match done {
        Ok(acked) => acknowledged(acked.served_by, acked.value, 0),
        Err(error) => failed(&error),
    }
}

fn acknowledged(by: firedrill_storage::ServedBy, found: bool, version: u64) -> Outcome {
    Outcome::Acked { fallback: by == firedrill_storage::ServedBy::Fallback, found, version, items: None }
}

fn failed(error: &StoreError) -> Outcome {
    match error.effect() {
        Effect::None => Outcome::Refused(error.to_string()),
        Effect::Unknown => Outcome::Unknown(error.to_string()),
    }
}
