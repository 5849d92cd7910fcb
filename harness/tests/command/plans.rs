//! The same seed gives the same plan: a digest of every operation and every fault of each shipped scenario is in
//! `plans.txt`.

use std::fmt::Write as _;

use firedrill::load::{LoadPlan, Pacing, Planned};
use firedrill::plan::Plan;
use firedrill::scenario::{parse, shipped};
use firedrill::target::Operation;
use ring::digest::{Context, SHA256};

/// The seed of every digest.
const SEED: u64 = 7;

/// Virtual users never stop, so only this many operations of each go into the digest.
const OF_A_USER: usize = 200;

/// Set it to rewrite `plans.txt` after a change that should change plans.
const REWRITE: &str = "FIREDRILL_REWRITE_PLANS";

struct Digest(Context);

impl Digest {
    fn number(&mut self, number: impl Into<i128>) {
        self.0.update(&number.into().to_le_bytes());
    }

    fn operation(&mut self, op: &Operation) {
        self.number(op.index);
        self.number(op.kind as u8);
        self.number(op.session);
        self.number(op.process);
        self.number(op.payload_bytes);
    }

    fn load(&mut self, plan: &LoadPlan) {
        plan.preload().iter().chain(&plan.warmup()).for_each(|op| self.operation(op));
        for block in 0..plan.blocks().len() {
            for Planned { at, op } in plan.open(block).into_iter().flatten() {
                self.number(at);
                self.operation(&op);
            }
            let users = match plan.blocks()[block].pacing {
                Pacing::Closed { users, .. } => users,
                Pacing::Open { .. } => 0,
            };
            for user in (0..users).filter_map(|user| plan.user(block, user)) {
                for (op, pause) in user.take(OF_A_USER) {
                    self.operation(&op);
                    self.number(pause);
                }
            }
        }
    }
}

fn digest(plan: &Plan) -> String {
    let mut digest = Digest(Context::new(&SHA256));
    digest.load(&plan.load);
    for window in plan.timeline.windows() {
        digest.number(window.fault);
        digest.number(window.on);
        digest.number(window.off);
    }
    digest.0.finish().as_ref()[..8].iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

#[test]
fn the_plan_of_every_shipped_scenario_is_the_one_on_record() {
    let now: String = shipped()
        .iter()
        .map(|one| {
            let plan = Plan::of(parse(&one.source(), &[]).unwrap(), SEED).unwrap();
            format!("{} {}\n", digest(&plan), one.name)
        })
        .collect();
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/command/plans.txt");
    if std::env::var_os(REWRITE).is_some() {
        return std::fs::write(path, now).unwrap();
    }
    let record = std::fs::read_to_string(path).unwrap();
    let others: Vec<_> = now.lines().filter(|line| !record.lines().any(|known| known == *line)).collect();
    assert!(
        now == record,
        "plans at seed {SEED} differ from tests/command/plans.txt; {REWRITE}=1 rewrites it:\n{}",
        others.join("\n")
    );
}
