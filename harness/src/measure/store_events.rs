//! What the fallback, the circuit breaker and the store itself did, from the notes of a history; and the reads whose
//! users got "no such session".

use std::collections::{HashMap, HashSet};

use firedrill_reports::run::{Activation, BreakerOutage, Deploy, Drained, Fallback, Missing, StoreEvents};
use firedrill_storage::Event;

use super::ms;
use crate::clock::Nanos;
use crate::history::{History, Note, OpKind, OpRecord, Outcome, Step};

/// The events of the fallback and the store in a drill; `absent` holds the positions of operations that deny a session
/// that must exist.
pub fn store_events(history: &History, absent: &[usize]) -> (Fallback, StoreEvents) {
    let mut fallback = Fallback::default();
    let mut store_events = StoreEvents { missing: missing(history, absent), ..StoreEvents::default() };
    let mut evicted: HashMap<u32, Carried> = HashMap::new();
    let mut probes: HashMap<u32, Probes> = HashMap::new();
    // Which store each activation and each outage of a breaker is of.
    let (mut fallbacks, mut breakers): (Vec<u32>, Vec<u32>) = (Vec::new(), Vec::new());
    for note in &history.notes {
        let Note::Store { at, instance, event } = note else {
            if matches!(note, Note::StoreRebuilt { .. }) {
                evicted.values_mut().for_each(Carried::anew);
            }
            continue;
        };
        match event {
            Event::FallbackStarted { cause } => {
                fallbacks.push(*instance);
                fallback.activations.push(Activation {
                    started_ms: ms(*at),
                    cause: cause.name().to_owned(),
                    ..Activation::default()
                });
            }
            Event::FallbackEnded { served, .. } => {
                if let Some(open) = latest_of(*instance, &fallbacks, &mut fallback.activations) {
                    open.ended_ms = Some(ms(*at));
                    open.served = *served;
                }
            }
            Event::DrainStarted { .. } => {
                if let Some(open) = latest_of(*instance, &fallbacks, &mut fallback.activations) {
                    open.drain_from_ms.get_or_insert(ms(*at));
                }
            }
            Event::Drained { written, deleted, merged, lost } => {
                add(&mut fallback.drained, [*written, *deleted, *merged, *lost]);
            }
            Event::Lost { sessions } => fallback.sessions_lost += sessions,
            // Every store is switched at the same time.
            Event::Switched { from, to } if *instance == 0 => {
                store_events.deploys.push(Deploy { at_ms: ms(*at), from: from.to_string(), to: to.to_string() });
            }
            Event::CarriedOver { written, deleted, merged, lost } => {
                add(&mut store_events.carried_over, [*written, *deleted, *merged, *lost]);
            }
            Event::Evicted { lost, .. } => evicted.entry(*instance).or_default().now(*lost),
            Event::Dropped { writes, .. } => store_events.dropped += writes,
            Event::BreakerOpened { probes: so_far, .. } => {
                let probes = probes.entry(*instance).or_default();
                let before = probes.until(*so_far);
                let last = latest_of(*instance, &breakers, &mut store_events.breaker);
                match last.filter(|last| last.closed_ms.is_none()) {
                    Some(open) => {
                        // It opened again because a probe failed.
                        let at_once = before.max(1);
                        open.opens += 1;
                        open.probes += at_once;
                        open.at_once = open.at_once.max(at_once);
                    }
                    None => {
                        probes.outage = *so_far;
                        breakers.push(*instance);
                        store_events.breaker.push(BreakerOutage {
                            opened_ms: ms(*at),
                            opens: 1,
                            ..BreakerOutage::default()
                        });
                    }
                }
            }
            Event::BreakerClosed { probes: in_outage, .. } => {
                let probes = probes.entry(*instance).or_default();
                let at_once = probes.until(probes.outage + in_outage);
                if let Some(open) = latest_of(*instance, &breakers, &mut store_events.breaker) {
                    open.closed_ms = Some(ms(*at));
                    open.probes = *in_outage;
                    open.at_once = open.at_once.max(at_once);
                }
            }
            _ => {}
        }
    }
    store_events.evicted = evicted.values().map(Carried::sum).sum();
    store_events.told = busiest_second(&history.notes);
    // The store reports what a fallback served when the fallback ends. If it never ended, because its process or the
    // drill ended first, count the operations.
    for at in 0..fallback.activations.len() {
        let next = (at + 1..fallbacks.len()).find(|next| fallbacks[*next] == fallbacks[at]);
        let until = next.map_or(f64::INFINITY, |next| fallback.activations[next].started_ms);
        let activation = &mut fallback.activations[at];
        if activation.ended_ms.is_none() {
            let while_it_was_on = activation.started_ms..until;
            let by = fallbacks[at];
            let served = |op: &&OpRecord| {
                op.outcome == Outcome::Degraded
                    && history.header.instance_of(op.process) == by
                    && while_it_was_on.contains(&ms(op.ended))
            };
            activation.served = history.ops.ops.iter().filter(served).count() as u64;
        }
    }
    (fallback, store_events)
}

/// The most events of the store within a second.
fn busiest_second(notes: &[Note]) -> u64 {
    const SECOND: Nanos = 1_000_000_000;
    let told = notes.iter().filter(|note| matches!(note, Note::Store { .. }));
    let mut times: Vec<Nanos> = told.map(Note::at).collect();
    times.sort_unstable();
    let within = |(first, from): (usize, &Nanos)| times[first..].partition_point(|at| at - from < SECOND);
    times.iter().enumerate().map(within).max().unwrap_or(0) as u64
}

/// The probes of a circuit breaker since its store was built, by the store's count.
#[derive(Debug, Default)]
struct Probes {
    /// By the latest count.
    now: u64,
    /// When the current outage began.
    outage: u64,
}

impl Probes {
    /// How many there were since the previous count. A lower count than before comes from another store.
    fn until(&mut self, count: u64) -> u64 {
        if count < self.now {
            *self = Self::default();
        }
        let since = count - self.now;
        self.now = count;
        since
    }
}

/// The latest of `all` that store `instance` had; `whose` says which store each is of.
fn latest_of<'a, T>(instance: u32, whose: &[u32], all: &'a mut [T]) -> Option<&'a mut T> {
    let at = whose.iter().rposition(|one| *one == instance)?;
    all.get_mut(at)
}

/// A counter of the store since it was built, carried over when another store takes its place.
#[derive(Debug, Default)]
struct Carried {
    before: u64,
    now: u64,
}

impl Carried {
    /// Sets the store's current count. A lower count than before comes from another store.
    fn now(&mut self, count: u64) {
        if count < self.now {
            self.anew();
        }
        self.now = count;
    }

    /// Continues with the counter of another store.
    fn anew(&mut self) {
        self.before += std::mem::take(&mut self.now);
    }

    fn sum(&self) -> u64 {
        self.before + self.now
    }
}

fn add(sum: &mut Drained, [written, deleted, merged, lost]: [u64; 4]) {
    sum.written += written;
    sum.deleted += deleted;
    sum.merged += merged;
    sum.lost += lost;
}

/// Summarises `missing` (positions of operations that deny a session that must exist) within the load.
fn missing(history: &History, missing: &[usize]) -> Missing {
    let mut found = Missing::default();
    let mut sessions = HashSet::new();
    let reads = missing.iter().filter_map(|position| history.ops.ops.get(*position));
    for op in reads.filter(|op| op.step == Step::Load && op.kind == OpKind::Read) {
        found.reads += 1;
        sessions.insert(op.session);
        let (from, to) = (ms(op.started), ms(op.ended));
        found.from_ms = Some(found.from_ms.map_or(from, |known: f64| known.min(from)));
        found.to_ms = Some(found.to_ms.map_or(to, |known: f64| known.max(to)));
    }
    found.sessions = sessions.len() as u64;
    found
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use firedrill_storage::FallbackCause;

    use super::*;
    use crate::history::{FORMAT_VERSION, Header, OpBatch};
    use crate::measure::tests::op;

    const S: Nanos = 1_000_000_000;

    fn header() -> Header {
        Header {
            version: FORMAT_VERSION,
            scenario: "x".to_owned(),
            seed: 1,
            ttl_ns: S,
            ttl_slack_ns: 0,
            sliding: true,
            sessions_per_user: std::num::NonZeroU32::MIN,
            instances: std::num::NonZeroU32::MIN,
            counter: false,
            epoch_ms: 0,
        }
    }

    #[test]
    fn a_fallback_that_never_ended_has_served_what_was_acknowledged_since_it_began() {
        let degraded = |at| op(at, Outcome::Degraded);
        let started =
            |at| Note::Store { at, instance: 0, event: Event::FallbackStarted { cause: FallbackCause::Timeout } };
        let history = History {
            header: header(),
            ops: OpBatch {
                ops: vec![degraded(2 * S), op(3 * S, Outcome::Ok), degraded(5 * S), degraded(6 * S)],
                ..OpBatch::default()
            },
            // The second one's process ended before its fallback did.
            notes: vec![
                started(S),
                Note::Store {
                    at: 3 * S,
                    instance: 0,
                    event: Event::FallbackEnded { lasted: Duration::ZERO, served: 1 },
                },
                started(4 * S),
                started(5 * S + S / 2),
            ],
        };
        let served: Vec<u64> =
            store_events(&history, &[]).0.activations.iter().map(|activation| activation.served).collect();
        assert_eq!(served, [1, 1, 1]);
    }

    #[test]
    fn the_probes_of_each_half_open_period_are_counted() {
        let opened = |opens, probes| Event::BreakerOpened { opens, probes };
        let closed = |probes| Event::BreakerClosed { lasted: Duration::ZERO, probes };
        let told = |events: Vec<Event>| {
            let notes = events.into_iter().enumerate().map(|(at, event)| Note::Store {
                at: at as Nanos * S,
                instance: 0,
                event,
            });
            let history = History { header: header(), ops: OpBatch::default(), notes: notes.collect() };
            let breaker = store_events(&history, &[]).1.breaker;
            breaker.into_iter().map(|outage| (outage.opens, outage.probes, outage.at_once)).collect::<Vec<_>>()
        };
        let one_by_one = vec![opened(1, 0), opened(2, 1), opened(3, 2), closed(3), opened(4, 3), closed(1)];
        assert_eq!(told(one_by_one), [(3, 3, 1), (1, 1, 1)]);
        assert_eq!(told(vec![opened(1, 0), opened(2, 7), closed(12)]), [(2, 12, 7)]);
        let killed_while_open = vec![opened(1, 0), opened(2, 4), opened(1, 0), closed(1)];
        assert_eq!(told(killed_while_open), [(3, 1, 4)]);
    }

    #[test]
    fn of_several_stores_each_ends_its_own_activation() {
        let started = |at, instance| Note::Store {
            at,
            instance,
            event: Event::FallbackStarted { cause: FallbackCause::Timeout },
        };
        let ended = |at, instance, served| Note::Store {
            at,
            instance,
            event: Event::FallbackEnded { lasted: Duration::ZERO, served },
        };
        let header = Header { instances: std::num::NonZeroU32::new(2).unwrap(), ..crate::history::testing::header(S) };
        let by = |process, at| OpRecord { process, ..op(at, Outcome::Degraded) };
        let history = History {
            header,
            ops: OpBatch { ops: vec![by(0, 2 * S), by(1, 2 * S), by(1, 3 * S)], ..OpBatch::default() },
            notes: vec![started(S, 0), started(S, 1), ended(4 * S, 0, 7)],
        };
        let found = store_events(&history, &[]).0.activations;
        let found: Vec<_> = found.iter().map(|one| (one.ended_ms, one.served)).collect();
        assert_eq!(found, [(Some(4_000.0), 7), (None, 2)]);
    }

    #[test]
    fn what_a_process_that_was_killed_had_counted_is_carried_over() {
        let mut evicted = Carried::default();
        for count in [2, 5, 1, 4] {
            evicted.now(count);
        }
        evicted.anew();
        evicted.now(6);
        assert_eq!(evicted.sum(), 5 + 4 + 6);
    }
}
