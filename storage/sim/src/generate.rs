//! Random schedules, each from its seed: traffic, and a few episodes of failure.

use firedrill_storage::Policy;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};

use crate::redis::commands::Refusal;
use crate::redis::fate::{Fate, Partition};
use crate::schedule::{Action, Caller, Event, Op, Schedule, Setting};

/// The schedule of a seed, under this policy, or under any if `None`.
pub fn generate(seed: u64, policy: Option<Policy>) -> Schedule {
    let mut rng = StdRng::seed_from_u64(seed);
    let setting = setting(&mut rng, seed, policy);
    let mut generator = Generator { rng, setting, events: Vec::new(), sessions: 1, length: 0 };
    if generator.rng.random_bool(0.004) {
        generator.crowd();
    }
    generator.fill();
    if seed.is_multiple_of(3) {
        // From a source of its own: every other seed keeps the schedule that it was reported with.
        generator.rng = StdRng::seed_from_u64(!seed);
        generator.renew();
    }
    let setting = generator.setting;
    let mut events = generator.events;
    events.sort_by_key(|event| event.at);
    Schedule { seed, setting, events }
}

fn setting(rng: &mut StdRng, seed: u64, policy: Option<Policy>) -> Setting {
    // Most run under the default policy, which promises most.
    let policies = [
        Policy::Drain,
        Policy::Drain,
        Policy::Drain,
        Policy::Drain,
        Policy::DualWrite,
        Policy::SilentCache,
        Policy::Degrade,
        Policy::FailFast,
    ];
    let policy = policy.unwrap_or_else(|| match policies.choose(rng).copied().unwrap_or_default() {
        // Not by a draw of its own: every other seed keeps the schedule that it was reported with.
        Policy::FailFast if seed.is_multiple_of(2) => Policy::ReadOnly,
        policy => policy,
    });
    let short = rng.random_bool(0.1);
    Setting {
        policy,
        processes: [1, 1, 2, 2, 3][rng.random_range(0..5)],
        capacity: if rng.random_bool(0.1) { 3 } else { 64 },
        ttl: if short { 800 } else { 3_600_000 },
        sliding: !rng.random_bool(if short { 0.6 } else { 0.1 }),
        encrypted: rng.random_bool(0.15),
        unites: !rng.random_bool(0.2),
        breaker: rng.random_bool(0.15),
        ..Setting::default()
    }
}

struct Generator {
    rng: StdRng,
    setting: Setting,
    events: Vec<Event>,
    sessions: usize,
    length: u64,
}

impl Generator {
    fn fill(&mut self) {
        self.sessions = self.rng.random_range(1..=4);
        self.length = self.rng.random_range(600..3_000);
        if self.rng.random_bool(0.3) {
            let ms = self.rng.random_range(2..40);
            for process in 0..self.setting.processes {
                self.push(0, Action::Delay { process, ms });
            }
        }
        for session in 0..self.sessions {
            let at = self.rng.random_range(0..100);
            let process = self.process();
            self.push(at, Action::Call { process, op: Op::Create, session, caller: Caller::default() });
        }
        for _ in 0..self.rng.random_range(1..=3) {
            self.episode();
        }
        // Some traffic all the time, most of it while something is wrong.
        let wrong = self.wrong();
        for _ in 0..self.rng.random_range(6..28) {
            let at = self.moment(&wrong);
            self.call(at);
        }
    }

    /// When something goes wrong.
    fn wrong(&self) -> Vec<u64> {
        let wrong = self.events.iter().filter(|event| !matches!(event.action, Action::Call { .. }));
        wrong.map(|event| event.at).collect()
    }

    fn moment(&mut self, wrong: &[u64]) -> u64 {
        match wrong.choose(&mut self.rng) {
            Some(at) if self.rng.random_bool(0.7) => at.saturating_sub(60) + self.rng.random_range(0..400),
            _ => self.rng.random_range(0..self.length),
        }
    }

    /// Some sessions get another id, and are used by both.
    fn renew(&mut self) {
        let wrong = self.wrong();
        let mut ids: Vec<usize> = (0..self.sessions).collect();
        for _ in 0..self.rng.random_range(1..=4) {
            let session = ids[self.rng.random_range(0..ids.len())];
            let to = ids.len();
            ids.push(to);
            let at = self.moment(&wrong);
            let (process, caller) = (self.process(), self.caller());
            self.push(at, Action::Call { process, op: Op::Rename(to), session, caller });
            for _ in 0..self.rng.random_range(0..6) {
                let ops = [Op::Append, Op::Append, Op::Get, Op::Update, Op::Put, Op::Touch, Op::Destroy, Op::LogOut];
                let op = ops.choose(&mut self.rng).copied().unwrap_or(Op::Get);
                // Nobody knows the new id before, so nobody makes a session under it.
                let (session, at) = match self.rng.random_bool(0.5) && op != Op::Put {
                    true => (to, at + self.rng.random_range(0..600)),
                    false => (session, at.saturating_sub(50) + self.rng.random_range(0..200)),
                };
                let (process, caller) = (self.process(), self.caller());
                self.push(at, Action::Call { process, op, session, caller });
            }
        }
    }

    /// As many sessions as memory holds, in an outage.
    fn crowd(&mut self) {
        self.setting.capacity = 2_048;
        let process = self.process();
        self.push(200, Action::Part { process, partition: Partition::Refused });
        self.push(230, Action::Fill { process, sessions: 2_040 });
        self.push(900, Action::Mend { process });
    }

    fn push(&mut self, at: u64, action: Action) {
        self.events.push(Event { at, action });
    }

    fn process(&mut self) -> usize {
        self.rng.random_range(0..self.setting.processes)
    }

    fn call(&mut self, at: u64) {
        let ops = [
            Op::Append,
            Op::Append,
            Op::Append,
            Op::Append,
            Op::Get,
            Op::Get,
            Op::Get,
            Op::Put,
            Op::Update,
            Op::Touch,
            Op::Destroy,
            Op::Create,
        ];
        let op = ops.choose(&mut self.rng).copied().unwrap_or(Op::Get);
        let caller = self.caller();
        let (process, session) = (self.process(), self.rng.random_range(0..self.sessions));
        self.push(at, Action::Call { process, op, session, caller });
    }

    fn caller(&mut self) -> Caller {
        let patience = self.rng.random_bool(0.08).then(|| self.rng.random_range(1..150));
        let slow = self.rng.random_bool(0.1).then(|| self.rng.random_range(1..80));
        Caller { patience, slow }
    }

    /// Something goes wrong for a while.
    fn episode(&mut self) {
        let from = self.rng.random_range(100..self.length);
        let until = from + self.rng.random_range(1..900);
        let process = self.process();
        let lose = if self.rng.random_bool(0.5) { self.rng.random_range(1..6) } else { 0 };
        match self.rng.random_range(0..15) {
            0 | 1 => {
                self.push(from, Action::Crash { lose });
                self.push(until, Action::Restart);
            }
            2 => self.push(from, Action::FailOver { lose }),
            3 | 4 => {
                let partition = if self.rng.random_bool(0.5) { Partition::Silent } else { Partition::Refused };
                self.push(from, Action::Part { process, partition });
                self.push(until, Action::Mend { process });
            }
            5 => {
                self.push(from, Action::Freeze);
                self.push(until, Action::Thaw);
            }
            6 => {
                let refusals = [Refusal::OutOfMemory, Refusal::ReadOnly, Refusal::CannotSave];
                let refusal = refusals[self.rng.random_range(0..3)];
                self.push(from, Action::Refuse { refusal });
                self.push(until, Action::Accept);
            }
            7 | 8 => {
                for _ in 0..self.rng.random_range(1..5) {
                    let at = self.rng.random_range(from..=until);
                    let fate = self.fate();
                    self.push(at, Action::Doom { process, fate });
                }
            }
            9 => self.push(from, Action::Cut { process }),
            10 => {
                self.push(from, Action::Crash { lose });
                self.push(from + 1, Action::Restart);
                let again = until + self.rng.random_range(1..200);
                self.push(again, Action::Crash { lose: 0 });
                self.push(again + 150, Action::Restart);
            }
            11 => {
                self.push(from, Action::Part { process, partition: Partition::Refused });
                self.push(until, Action::Panic);
                self.push(until, Action::Mend { process });
            }
            12 => {
                let session = self.rng.random_range(0..self.sessions);
                self.push(from, Action::Evict { session });
                self.push(until, Action::Forget);
            }
            13 if self.setting.encrypted => {
                self.push(from, Action::Rotate { process });
                let process = self.process();
                self.push(from, Action::Part { process, partition: Partition::Refused });
                self.push(until, Action::Mend { process });
            }
            13 => self.push(from, Action::Cut { process }),
            _ => self.switch(from, until, process),
        }
    }

    /// A migration, or the way back.
    fn switch(&mut self, from: u64, until: u64, process: usize) {
        if self.setting.policy == Policy::FailFast {
            return;
        }
        self.push(from, Action::Switch { process, policy: Policy::DualWrite });
        if self.rng.random_bool(0.5) {
            self.push(from + 30, Action::Crash { lose: 0 });
            self.push(from + 40, Action::Restart);
        }
        let policy = if self.rng.random_bool(0.5) { Policy::Memory } else { self.setting.policy };
        self.push(until + 1_000, Action::Switch { process, policy });
    }

    fn fate(&mut self) -> Fate {
        match self.rng.random_range(0..5) {
            0 => Fate::CutBefore,
            1 => Fate::CutAfter,
            2 => Fate::Unanswered,
            3 => Fate::Late(self.rng.random_range(20..600)),
            _ => Fate::LateAnswer(self.rng.random_range(20..600)),
        }
    }
}
