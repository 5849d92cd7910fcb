//! Sentences about a run, shared by the terminal and the HTML report so that both say the same.

use crate::run::{
    Check, CheckVerdict, Drained, Fallback, Fault, GateVerdict, Generator, Offence, Reached, Refusal, ResourceSample,
    Run, StoreEvents, Verdict,
};
use crate::text;

/// The verdict in a sentence: how many gates and checks held, or the first reason why it is not `passed`.
pub fn headline(run: &Run) -> String {
    match (run.verdict, run.reasons.first()) {
        (Verdict::Passed, _) => tally(run),
        (_, Some(reason)) => reason.clone(),
        (_, None) => tally(run),
    }
}

fn tally(run: &Run) -> String {
    let (held, gates) = gates_held(run);
    let checks = checks(run);
    let more = |count: u64, says: &str| match count {
        0 => String::new(),
        count => format!(", {} {says}", text::count(count)),
    };
    let vacuous = more(checks.vacuous, "with nothing to examine");
    let reported = more(run.checks.iter().filter(|check| !check.counts).count() as u64, "only reported");
    let (gates, counting) = (text::counted(gates, "gate"), text::counted(checks.counting, "check"));
    format!("{held} of {gates} held, {} of {counting} valid{vacuous}{reported}.", checks.valid)
}

/// How many gates held, and how many there are.
pub fn gates_held(run: &Run) -> (u64, u64) {
    let held = run.gates.iter().filter(|gate| gate.verdict == GateVerdict::Pass).count();
    (held as u64, run.gates.len() as u64)
}

/// The checks that count towards the verdict.
pub struct Checks {
    /// How many count.
    pub counting: u64,
    /// How many of them examined something and found it valid.
    pub valid: u64,
    /// How many of them had nothing to examine.
    pub vacuous: u64,
}

/// Counts the checks that count towards the verdict.
pub fn checks(run: &Run) -> Checks {
    let counting = run.checks.iter().filter(|check| check.counts);
    let vacuous = counting.clone().filter(|check| check.vacuous()).count() as u64;
    let valid = counting.clone().filter(|check| check.verdict == CheckVerdict::Valid).count() as u64;
    Checks { counting: counting.count() as u64, valid: valid - vacuous, vacuous }
}

/// How many checks are valid, as in a column of a table: "9/14, 5 empty".
pub fn valid(checks: &Checks) -> String {
    let vacuous = match checks.vacuous {
        0 => String::new(),
        count => format!(", {count} empty"),
    };
    format!("{}/{}{vacuous}", checks.valid, checks.counting)
}

/// A check's result in a few words.
pub fn answer(check: &Check) -> &'static str {
    match check.verdict {
        _ if check.vacuous() => "nothing to examine",
        CheckVerdict::Valid => check.verdict.name(),
        _ if !check.counts => "reported",
        _ => check.verdict.name(),
    }
}

/// A check's finding in one line.
pub fn finding(check: &Check) -> &str {
    let says = if check.summary.is_empty() { &check.about } else { &check.summary };
    says.strip_prefix(answer(check)).map_or(says.as_str(), |rest| rest.trim_start_matches(": "))
}

/// Which operations of the mix no state of the target met, a sentence for each such state: "destroy, award while the fallback
/// was active".
pub fn never_reached(run: &Run) -> Vec<String> {
    let mut states: Vec<(&str, Vec<&str>)> = Vec::new();
    for cell in run.reached.iter().filter(|cell| cell.outcomes.total() == 0) {
        match states.last_mut() {
            Some((state, ops)) if *state == cell.state => ops.push(&cell.op),
            _ => states.push((&cell.state, vec![&cell.op])),
        }
    }
    states.into_iter().map(|(state, ops)| format!("{} {}", ops.join(", "), while_in(state))).collect()
}

/// A state of the target as the end of a sentence.
fn while_in(state: &str) -> String {
    match state {
        Reached::CONNECTED => "while it was connected".to_owned(),
        Reached::FALLBACK => "while the fallback was active".to_owned(),
        phase => format!("in the phase {phase}"),
    }
}

/// The refusals of Redis, whose codes are in capitals, or of an application, one sentence per code.
pub fn refusals(run: &Run) -> Vec<String> {
    let sentence = |refusal: &Refusal| {
        let to = match refusal.count {
            0 => "a connection, or an operation that the fallback then answered".to_owned(),
            count => text::counted(count, "operation"),
        };
        let of_redis = refusal.code.bytes().all(|letter| letter.is_ascii_uppercase());
        let who = if of_redis { "Redis" } else { "the application" };
        format!("{who} refused {to}: \"{}\"", refusal.answer)
    };
    run.refusals.iter().map(sentence).collect()
}

/// The machine's stalls in one sentence; `None` if there were none.
pub fn stalls(run: &Run) -> Option<String> {
    let machine = &run.machine;
    (!machine.stalls.is_empty()).then(|| {
        format!(
            "the machine stalled the harness for {} in all, for at most {} at once",
            text::millis(machine.denied_ms()),
            text::millis(machine.longest_ms())
        )
    })
}

/// Whether the load generator delivered, in one line.
pub fn generator_line(generator: &Generator) -> String {
    let g = generator;
    let delivered = text::rate(g.delivered_rate);
    let mut parts = vec![match g.target_rate {
        Some(target) => format!("{} asked, {delivered} delivered", text::rate(target)),
        None => format!("{delivered} delivered in a closed loop"),
    }];
    parts.push(format!(
        "{} planned, {} dropped, {} abandoned",
        text::count(g.planned),
        text::count(g.dropped),
        text::count(g.abandoned)
    ));
    parts.push(format!("slip p99 {}, max {}", text::millis(g.p99_slip_ms), text::millis(g.max_slip_ms)));
    parts.extend(own_cpu(g).map(|(share, cores)| format!("CPU {share} of {cores}")));
    parts.join(" · ")
}

/// The generator's CPU use, if it was measured, and the number of cores it refers to.
pub fn own_cpu(generator: &Generator) -> Option<(String, String)> {
    let cores = text::counted(u64::from(generator.cores), "core");
    generator.cpu_percent.map(|cpu| (text::percent(cpu / 100.0), cores))
}

/// A fault's kind, preceded by its name if it has one.
pub fn fault_name(fault: &Fault) -> String {
    match fault.name.is_empty() || fault.name == fault.index.to_string() {
        true => fault.kind.clone(),
        false => format!("{}: {}", fault.name, fault.kind),
    }
}

/// Whether a fault took effect, with the evidence.
pub fn impact(fault: &Fault) -> String {
    let bit = if fault.bit { "bit" } else { "never bit" };
    if fault.evidence.is_empty() { bit.to_string() } else { format!("{bit}: {}", fault.evidence) }
}

/// When a fault was active, as observed; the plan if it never took hold.
pub fn fault_window(fault: &Fault) -> String {
    match fault.onset_ms {
        Some(onset) => text::window(onset, fault.end_ms),
        None => format!("planned {}", planned_window(fault)),
    }
}

/// When a fault was planned, or when a person started and ended it.
pub fn planned_window(fault: &Fault) -> String {
    let window = text::window(fault.planned_at_ms, fault.planned_for_ms.map(|long| fault.planned_at_ms + long));
    match (fault.by_hand, fault.planned_for_ms) {
        (false, _) => window,
        (true, Some(_)) => format!("by hand, {window}"),
        (true, None) => "by hand, and nobody started it".to_string(),
    }
}

/// The recovery time and its definition.
pub fn recovery(run: &Run) -> String {
    let time = run.recovery_ms.map(text::millis);
    match (time, run.recovery_note.as_str()) {
        (Some(time), "") => time,
        (Some(time), note) => format!("{time}. {note}"),
        (None, "") => "not measured".to_string(),
        (None, note) => note.to_string(),
    }
}

/// What the fallback did: one sentence per activation, then what became of its sessions. Empty if it was never needed
/// and nothing was lost.
pub fn fallback(fallback: &Fallback) -> Vec<String> {
    let mut sentences: Vec<String> = fallback
        .activations
        .iter()
        .map(|activation| {
            let cause = if activation.cause.is_empty() { String::new() } else { format!(" ({})", activation.cause) };
            let state = if activation.ended_ms.is_some() { "active" } else { "still active at the end," };
            let unprovoked = if activation.unprovoked { "; no fault was on" } else { "" };
            format!(
                "{state} {}{cause}, {} served{unprovoked}",
                text::window(activation.started_ms, activation.ended_ms),
                text::counted(activation.served, "operation")
            )
        })
        .collect();
    let drained = fallback.drained;
    if drained != Drained::default() {
        sentences.push(format!(
            "drained: {} written back, {} carried out, {} merged, {} lost",
            text::counted(drained.written, "session"),
            text::counted(drained.deleted, "deletion"),
            text::count(drained.merged),
            text::counted(drained.lost, "item"),
        ));
    }
    if fallback.sessions_lost > 0 {
        sentences.push(format!("{} dropped without reaching Redis", text::counted(fallback.sessions_lost, "session")));
    }
    sentences
}

/// The peak memory and CPU use of the driven process and Redis, one sentence each, if sampled.
pub fn resources(run: &Run) -> Vec<String> {
    type Figure = fn(&ResourceSample) -> Option<u64>;
    let parts: [(&str, Figure, Figure); 2] = [
        ("process", |sample| sample.process_rss_bytes, |sample| sample.process_cpu_ms),
        ("Redis", |sample| sample.redis_used_memory_bytes, |sample| sample.redis_cpu_ms),
    ];
    let says = |(name, memory, cpu): (&str, Figure, Figure)| {
        let most = text::bytes(run.resources.iter().filter_map(memory).max()? as f64);
        let cpu = cpu_share(&run.resources, cpu);
        let cpu = cpu.map_or_else(String::new, |share| format!(", {} of one core", text::percent(share)));
        Some(format!("{name}: at most {most} of memory{cpu}"))
    };
    parts.into_iter().filter_map(says).collect()
}

/// The share of one core over all samples. If a figure drops, the process was restarted.
fn cpu_share(samples: &[ResourceSample], cpu_ms: impl Fn(&ResourceSample) -> Option<u64>) -> Option<f64> {
    let known: Vec<(f64, u64)> = samples.iter().filter_map(|sample| Some((sample.at_ms, cpu_ms(sample)?))).collect();
    let wall = known.last()?.0 - known.first()?.0;
    let steps = known.windows(2).map(|pair| match (pair[0].1, pair[1].1) {
        (before, after) if after >= before => after - before,
        (_, anew) => anew,
    });
    let used = steps.fold(0, u64::saturating_add) as f64;
    (wall > 0.0).then_some(used / wall)
}

/// What the store did besides its fallback, one sentence each. Empty if there was nothing.
pub fn store(store: &StoreEvents) -> Vec<String> {
    let mut sentences: Vec<String> = store
        .deploys
        .iter()
        .map(|deploy| format!("at {} switched from {} to {}", text::moment(deploy.at_ms), deploy.from, deploy.to))
        .collect();
    let carried = store.carried_over;
    if carried != Drained::default() {
        sentences.push(format!(
            "carried over to Redis: {}, {}, {} merged, {} lost",
            text::counted(carried.written, "session"),
            text::counted(carried.deleted, "deletion"),
            text::count(carried.merged),
            text::counted(carried.lost, "item"),
        ));
    }
    sentences.extend(store.breaker.iter().map(|outage| {
        let state = if outage.closed_ms.is_some() { "open" } else { "still open at the end," };
        let (window, probes) =
            (text::window(outage.opened_ms, outage.closed_ms), text::counted(outage.probes, "probe"));
        format!("circuit breaker {state} {window}, opened {}, {probes}", text::counted(outage.opens, "time"))
    }));
    let missing = &store.missing;
    if let (Some(from), to) = (missing.from_ms, missing.to_ms) {
        let (reads, sessions) = (text::counted(missing.reads, "read"), text::counted(missing.sessions, "session"));
        sentences.push(format!("{reads} of {sessions} found nothing, {}", text::window(from, to)));
    }
    if store.evicted > 0 {
        sentences.push(format!("{} evicted from memory", text::counted(store.evicted, "session")));
    }
    if store.dropped > 0 {
        sentences.push(format!("{} dropped while Redis was away", text::counted(store.dropped, "write")));
    }
    sentences
}

/// An offence in words. A text that names the session itself, as the checkers' texts do, needs no location in front.
pub fn offence(offence: &Offence) -> String {
    let itself = format!("session {}", offence.session);
    if !offence.session.is_empty() && offence.text.starts_with(&itself) {
        return offence.text.clone();
    }
    let mut parts = Vec::new();
    if !offence.session.is_empty() {
        parts.push(itself);
    }
    if let Some(at) = offence.at_ms {
        parts.push(format!("at {}", text::moment(at)));
    }
    if !offence.operations.is_empty() {
        let numbers: Vec<String> = offence.operations.iter().map(u64::to_string).collect();
        parts.push(format!("op {}", numbers.join(", ")));
    }
    if parts.is_empty() { offence.text.clone() } else { format!("{}: {}", parts.join(", "), offence.text) }
}

/// The most operations that a command names.
const MOST_NAMED: usize = 50;

/// The flags of `firedrill history` that show the operations behind an offence, and those around it; `None` if the offence
/// names neither.
pub fn history_flags(offence: &Offence) -> Option<String> {
    let mut flags = Vec::new();
    // A session that is not a number is not the drill's.
    if offence.session.parse::<u32>().is_ok() {
        flags.push(format!("--session {}", offence.session));
    }
    if flags.is_empty() && offence.operations.is_empty() {
        return None;
    }
    if let Some(at_ms) = offence.at_ms.filter(|at_ms| at_ms.is_finite()) {
        flags.push(format!("--around {}s", plain_seconds(at_ms)));
    }
    flags.extend(operations_flag(&offence.operations));
    Some(flags.join(" "))
}

/// The flag of `firedrill history` that shows these operations; `None` without any.
pub fn operations_flag(operations: &[u64]) -> Option<String> {
    let named: Vec<String> = operations.iter().take(MOST_NAMED).map(u64::to_string).collect();
    (!named.is_empty()).then(|| format!("--operations {}", named.join(",")))
}

/// Milliseconds as seconds, to the millisecond, without trailing zeros.
fn plain_seconds(ms: f64) -> String {
    let text = format!("{:.3}", ms / 1000.0);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_operations_behind_an_offence_are_named_by_flags() {
        let offence = Offence {
            session: "17".to_owned(),
            operations: vec![431, 9_120],
            at_ms: Some(6_500.0),
            text: "lost".to_owned(),
            cause: String::new(),
        };
        assert_eq!(history_flags(&offence).unwrap(), "--session 17 --around 6.5s --operations 431,9120");
        let of_all = Offence { session: String::new(), at_ms: Some(-12.25), ..offence.clone() };
        assert_eq!(history_flags(&of_all).unwrap(), "--around -0.012s --operations 431,9120");
        let nothing = Offence { session: "foreign-id".to_owned(), operations: Vec::new(), ..offence };
        assert_eq!(history_flags(&nothing), None);
    }
}
