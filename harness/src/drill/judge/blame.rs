//! Blames the environment for what Redis evicted, for what it refused because it ran out of memory or disk, and for
//! whatever the machine ran out of, unless a fault or a setting of the scenario asked for it. The target is not accused
//! of the consequences.

use firedrill_reports::run::{Check, CheckVerdict, Gate, GateVerdict};
use firedrill_reports::text;

use crate::check;
use crate::drill::sampler::Counted;
use crate::fault::Shortage;
use crate::history::SessionNo;
use crate::plan::Plan;
use crate::property::Property;
use crate::scenario::RedisSpec;

/// Gates on Redis's own counters keep their verdict, whatever else happened.
const OF_REDIS: &str = "redis.";

/// How many evicted sessions are listed.
const NAMED: usize = 20;

/// What Redis refused on its own, or what the machine ran out of, in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Blame(String);

impl Blame {
    /// `None` if Redis refused nothing or the scenario asked for it. `words` is Redis's message.
    pub(super) fn of(plan: &Plan, counted: Option<Counted>, words: Option<&str>) -> Option<Self> {
        let counted = counted?;
        let limited = plan.scenario.lab.redis.maxmemory != RedisSpec::default().maxmemory;
        let misconf = if asked(plan, Shortage::Disk) { 0 } else { counted.misconf };
        let oom = if limited || asked(plan, Shortage::Memory) { 0 } else { counted.oom };
        let (refused, code) = (misconf + oom, if misconf > 0 { "MISCONF" } else { "OOM" });
        // The message may be about something that a fault asked for.
        let words = words.filter(|words| words.contains(code)).unwrap_or(code);
        (refused > 0).then(|| Self(format!("Redis refused {}: \"{words}\"", text::counted(refused, "command"))))
    }

    /// Blames the machine for running out of something, as `words` say.
    pub(super) fn on_the_machine(words: String) -> Self {
        Self(words)
    }

    /// Why the drill's result does not count.
    pub(super) fn doubt(&self) -> String {
        format!("{}; no fault and no setting of the scenario asks for it", self.0)
    }

    /// Withdraws accusations that this may explain: gates, except those on Redis's own counters, and losses, because a
    /// fallback could not write back what it held.
    pub(super) fn excuse(&self, gates: &mut [Gate], checks: &mut [Check]) {
        for gate in
            gates.iter_mut().filter(|gate| gate.verdict == GateVerdict::Fail && !gate.name.starts_with(OF_REDIS))
        {
            gate.verdict = GateVerdict::Unknown;
            gate.note = format!("{} is not {}; but {}", gate.actual_text, gate.limit, self.0);
        }
        doubt(checks, Property::WRITES | Property::DESTROYS | Property::EXPIRY | Property::INDEX, &self.0);
    }
}

/// Withdraws the verdicts of invalid checks that rely on one of `kept`, with `why` as the reason.
fn doubt(checks: &mut [Check], kept: Property, why: &str) {
    let relies =
        |check: &Check| check::named(&check.name).is_ok_and(|checker| checker.facts().relies_on.intersects(kept));
    for check in checks.iter_mut().filter(|check| check.verdict == CheckVerdict::Invalid && relies(check)) {
        check.verdict = CheckVerdict::Unknown;
        check.summary = format!("{}; but {why}", check.summary);
    }
}

/// Why the eviction of `keys` keys is not the target's fault.
fn evicted(keys: u64) -> String {
    format!("Redis evicted {}, and no fault asked for it", text::counted(keys, "key"))
}

/// The number of keys that Redis evicted although no fault of the plan asked for it.
pub(super) fn evicted_unasked(plan: &Plan, counted: Option<&Counted>) -> u64 {
    match asked(plan, Shortage::Room) {
        true => 0,
        false => counted.map_or(0, |counted| counted.evicted_before + counted.evicted),
    }
}

/// Whether a fault of the plan makes Redis run out of this.
fn asked(plan: &Plan, shortage: Shortage) -> bool {
    plan.faults.iter().any(|fault| fault.kind.asks_for(shortage))
}

/// Why a drill with `keys` evicted keys does not count. `missing` are the sessions that existed and were not found:
/// Redis does not say which keys it evicted, so none of these can be blamed on the store.
pub(super) fn doubt_of_eviction(keys: u64, missing: &[SessionNo]) -> String {
    let mut said = format!("{}: its memory is too small", evicted(keys));
    if !missing.is_empty() {
        let sessions = text::counted(missing.len() as u64, "session");
        let names: Vec<String> = missing.iter().take(NAMED).map(SessionNo::to_string).collect();
        said += &format!("; {sessions} found missing, which Redis may have evicted: {}", names.join(", "));
        if missing.len() > NAMED {
            said += &format!(" and {} more", missing.len() - NAMED);
        }
    }
    said
}

/// Marks checks that rely on kept keys as unknown: they cannot tell evicted keys from keys that the store lost.
pub(super) fn doubt_after_eviction(checks: &mut [Check], keys: u64) {
    doubt(checks, Property::WRITES | Property::EXPIRY | Property::INDEX, &evicted(keys));
}

/// Marks gates on missing sessions as unknown, for the same reason.
pub(super) fn doubt_gates_after_eviction(gates: &mut [Gate], keys: u64) {
    let of_contents = |gate: &Gate| {
        let (starts, ends) = (["checks.", "missing."], [".missing", ".steady"]);
        starts.iter().any(|start| gate.name.starts_with(start)) || ends.iter().any(|end| gate.name.ends_with(end))
    };
    for gate in gates.iter_mut().filter(|gate| gate.verdict == GateVerdict::Fail && of_contents(gate)) {
        gate.verdict = GateVerdict::Unknown;
        gate.note = evicted(keys);
    }
}

#[cfg(test)]
mod tests {
    use firedrill_reports::run::Unit;

    use super::*;
    use crate::scenario::{Source, parse};

    const MISCONF: &str = "MISCONF Errors writing to the AOF file: No space left on device";

    fn plan(rest: &str) -> Plan {
        let text = format!("name = \"x\"\nabout = \"y\"\n[[load]]\nrate = \"9/s\"\nfor = \"5s\"\n{rest}");
        Plan::of(parse(&Source { name: "x.toml".to_owned(), text }, &[]).unwrap(), 1).unwrap()
    }

    fn refused(misconf: u64, oom: u64) -> Option<Counted> {
        Some(Counted { misconf, oom, ..Counted::default() })
    }

    #[test]
    fn what_the_scenario_asks_for_is_not_the_environments_fault() {
        let of = |rest: &str, misconf, oom| Blame::of(&plan(rest), refused(misconf, oom), None).is_some();
        assert!(!of("", 0, 0) && of("", 3, 0) && of("", 0, 3));
        let fault = |kind: &str| format!("[[fault]]\nkind = \"{kind}\"\nat = \"1s\"\nfor = \"1s\"\n");
        assert!(!of(&fault("server.oom"), 0, 3) && !of(&fault("process.disk-full"), 3, 0));
        assert!(of(&fault("server.oom"), 3, 0), "a fault that fills the memory asks for no full disk");
        assert!(of(&fault("process.disk-full"), 0, 3), "nor one that fills the disk for full memory");
        for other in ["proxy.down", "process.stop", "server.readonly", "server.auth"] {
            assert!(of(&fault(other), 3, 0) && of(&fault(other), 0, 3), "{other}");
        }
        let limit = "[lab]\nredis = { maxmemory = \"4MB\" }\n";
        assert!(!of(limit, 0, 3) && of(limit, 3, 0), "a limit on memory asks for no full disk");
    }

    #[test]
    fn sessions_that_may_have_been_evicted_are_named() {
        let said = doubt_of_eviction(40, &(0..23).collect::<Vec<SessionNo>>());
        assert!(said.contains("evicted 40 keys") && said.contains("23 sessions found missing"), "{said}");
        assert!(
            said.ends_with(": 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19 and 3 more"),
            "{said}"
        );
        let counted = Counted { evicted_before: 3, evicted: 4, ..Counted::default() };
        assert_eq!(evicted_unasked(&plan(""), Some(&counted)), 7, "the preload's too");
    }

    #[test]
    fn the_servers_own_words_are_reported_and_their_consequences_accuse_nobody() {
        let blame = Blame::of(&plan(""), refused(7, 0), Some(MISCONF)).unwrap();
        assert!(blame.doubt().contains("refused 7 commands") && blame.doubt().contains(MISCONF), "{}", blame.doubt());
        let check = |name: &str| Check {
            name: name.to_owned(),
            about: String::new(),
            verdict: CheckVerdict::Invalid,
            counts: true,
            examined: 50,
            offences: 7,
            sessions: 0,
            summary: "7 of 50 are gone".to_owned(),
            causes: Vec::new(),
            samples: Vec::new(),
        };
        let gate = |name: &str| Gate::new(name, "= 0", Unit::Count, Some(7.0), GateVerdict::Fail);
        let (mut gates, mut checks) =
            ([gate("redis.evicted"), gate("after.errors")], [check("lost-writes"), check("isolation")]);
        blame.excuse(&mut gates, &mut checks);
        assert_eq!(gates.each_ref().map(|gate| gate.verdict), [GateVerdict::Fail, GateVerdict::Unknown]);
        assert_eq!(checks.each_ref().map(|check| check.verdict), [CheckVerdict::Unknown, CheckVerdict::Invalid]);
    }
}
