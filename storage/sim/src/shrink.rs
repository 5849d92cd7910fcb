//! Shrinks a failing schedule: removes everything that the failure does not need.

use crate::oracle::{Kind, judge};
use crate::run::run;
use crate::schedule::{Action, Caller, Schedule, Setting};

/// Returns the shortest schedule found that still breaks the same promise. Deterministic.
pub fn shrink(schedule: &Schedule, kind: Kind) -> Schedule {
    let fails = |schedule: &Schedule| judge(schedule, &run(schedule)).iter().any(|found| found.kind == kind);
    let mut best = schedule.clone();
    let mut size = best.events.len().div_ceil(2).max(1);
    loop {
        let mut shorter = false;
        let mut at = 0;
        while at < best.events.len() {
            let mut less = best.clone();
            less.events.drain(at..(at + size).min(best.events.len()));
            if fails(&less) {
                best = less;
                shorter = true;
            } else {
                at += size;
            }
        }
        if size > 1 {
            size = size.div_ceil(2);
        } else if !shorter {
            break;
        }
    }
    simplify(&mut best, &fails);
    best
}

/// Replaces unusual settings by the usual ones wherever the schedule still fails.
fn simplify(best: &mut Schedule, fails: &impl Fn(&Schedule) -> bool) {
    let usual = Setting::default();
    let changes: [fn(&mut Setting, Setting); 7] = [
        |setting, usual| setting.encrypted = usual.encrypted,
        |setting, usual| setting.breaker = usual.breaker,
        |setting, usual| setting.unites = usual.unites,
        |setting, usual| setting.sliding = usual.sliding,
        |setting, usual| setting.capacity = usual.capacity,
        |setting, usual| setting.ttl = usual.ttl,
        |setting, _| setting.processes = (setting.processes - 1).max(1),
    ];
    for change in changes {
        let mut simpler = best.clone();
        change(&mut simpler.setting, usual);
        if simpler != *best && fails(&simpler) {
            *best = simpler;
        }
    }
    for at in 0..best.events.len() {
        let Action::Call { process, op, session, caller } = best.events[at].action else { continue };
        for caller in [Caller::default(), Caller { patience: None, ..caller }, Caller { slow: None, ..caller }] {
            let mut simpler = best.clone();
            simpler.events[at].action = Action::Call { process, op, session, caller };
            if simpler != *best && fails(&simpler) {
                *best = simpler;
                break;
            }
        }
    }
}
