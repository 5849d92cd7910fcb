//! The table of metrics. To add one, write its row; what it reads is in [`Measured`].

use super::Missing::{Never, Unknown};
use firedrill_reports::run::Outcome;

use super::{Basis, Measured, Need, Row, Subject};
use crate::gate::Dimension::{self, Bytes, Count, Rate, Share, Time};
use crate::measure::longest_down;
use crate::target::Ability;

/// Every metric.
pub static ROWS: [Row; 35] = [
    Row {
        key: "recovery",
        dimension: Time,
        needs: Need::Fault,
        missing: Never("the steady state did not return before the load ended"),
        basis: Basis::Time,
        about: "from the end of the last fault until the steady state held again",
        source: |measured, _| measured.recovery,
    },
    fallback("fallback.activations", Count, "how often the fallback took over", |measured, _| {
        Some(measured.fallback.activations.len() as f64)
    }),
    Row {
        key: "fallback.unprovoked",
        dimension: Count,
        needs: Need::Nothing,
        missing: Unknown("it was not measured"),
        basis: Basis::Time,
        about: "how often the fallback took over outside every fault, deploy and recovery; `= 0` unless a gate says \
                otherwise",
        source: |measured, _| {
            Some(measured.fallback.activations.iter().filter(|activation| activation.unprovoked).count() as f64)
        },
    },
    fallback("fallback.served", Count, "operations that the fallback answered", |measured, _| {
        Some(measured.fallback.activations.iter().map(|activation| activation.served).sum::<u64>() as f64)
    }),
    Row {
        basis: Basis::Contents,
        ..fallback(
            "fallback.lost",
            Count,
            "sessions and items that the fallback lost, by the store's own count",
            |measured, _| Some((measured.fallback.sessions_lost + measured.fallback.drained.lost) as f64),
        )
    },
    sampled(
        "app.memory",
        Bytes,
        Need::Target(Ability::Process),
        "the most resident memory of the application",
        |measured, _| measured.most(|sample| sample.process_rss_bytes),
    ),
    sampled(
        "process.memory-growth",
        Bytes,
        Need::Nothing,
        "growth of resident memory per minute of the load, by a straight line through all samples: of the application, \
         else of the harness, which holds the store and what it records of the load",
        |measured, _| measured.memory_growth(),
    ),
    sampled("redis.memory", Bytes, Need::Nothing, "the most memory that Redis used", |measured, _| {
        measured.most(|sample| sample.redis_used_memory_bytes)
    }),
    Row {
        basis: Basis::Time,
        ..sampled(
            "redis.cpu",
            Share,
            Need::Nothing,
            "CPU time that Redis used while the load ran, as a share of one core",
            |measured, _| measured.cpu(|sample| sample.redis_cpu_ms),
        )
    },
    Row {
        basis: Basis::Time,
        ..sampled(
            "connection.down",
            Time,
            Need::Target(Ability::Connection),
            "the longest time for which the target reported no connection to Redis (asked twice a second)",
            |measured, _| longest_down(measured.resources),
        )
    },
    Row {
        missing: Unknown("nobody counted the connections"),
        basis: Basis::Time,
        ..sampled(
            "connections.attempts",
            Rate,
            Need::Nothing,
            "the most attempts to connect to Redis in a second, by the target's own count or the fault proxy's; in a \
             scenario with faults, at most 100/s unless a gate says otherwise (the `store` target, \
             and an application that takes `{{store.timeout}}`)",
            |measured, _| measured.connection_attempts(),
        )
    },
    Row {
        missing: Unknown("RUST_LOG was set, and asks for more or fewer lines than the application's own choice"),
        basis: Basis::Time,
        ..sampled(
            "app.log-lines",
            Rate,
            Need::Target(Ability::Process),
            "the most lines that the application wrote to its log and output in a second; in a \
             scenario with faults, at most 100/s unless a gate says otherwise; not measured if `RUST_LOG` is set",
            |measured, _| measured.busiest(|sample| sample.log_lines),
        )
    },
    Row {
        key: "events.told",
        dimension: Rate,
        needs: Need::Nothing,
        missing: Unknown("it was not measured"),
        basis: Basis::Time,
        about: "the most events that the store reported in a second; in a scenario with faults, at most 100/s unless a \
                gate says otherwise",
        source: |measured, _| Some(measured.store.told as f64),
    },
    sampled("sessions.active", Count, Need::Nothing, "sessions in Redis at the end of the load", |measured, _| {
        measured.active.map(|sessions| sessions as f64)
    }),
    sampled(
        "sessions.held",
        Count,
        Need::Target(Ability::Held),
        "sessions in the store's own memory at the end of the load, including expired ones still held; target \
         `store` only",
        |measured, _| measured.held.map(|sessions| sessions as f64),
    ),
    Row {
        key: "claims.refuted",
        dimension: Count,
        needs: Need::Claims,
        missing: Unknown("a claim could not be measured"),
        basis: Basis::Contents,
        about: "claims that did not hold",
        source: |measured, _| measured.refuted(),
    },
    counted_by_redis("redis.evicted", "keys that Redis evicted while the load ran", |measured, _| {
        measured.evicted.map(|keys| keys as f64)
    }),
    counted_by_redis(
        "redis.keys-commands",
        "calls of KEYS while the load ran, by any client: each blocks all others",
        |measured, _| measured.keys_commands.map(|calls| calls as f64),
    ),
    Row {
        key: "impostor.trusted",
        dimension: Count,
        needs: Need::Impostor,
        missing: Unknown("no impostor took hold"),
        basis: Basis::Contents,
        about: "connections that took a `proxy.impostor` for Redis",
        source: |measured, _| measured.trusted.map(|connections| connections as f64),
    },
    Row {
        key: "checks.CHECKER.offences",
        dimension: Count,
        needs: Need::Nothing,
        missing: Unknown("the checker does not apply to this target"),
        basis: Basis::Contents,
        about: "violations that the checker found, as in `checks.lost-writes.offences`: limits how much may be lost if \
                the checker only reports",
        source: |measured, subject| measured.offences(subject),
    },
    breaker("breaker.opens", "how often the circuit breaker opened, failed probes included", |measured, _| {
        Some(measured.store.breaker.iter().map(|outage| outage.opens).sum::<u64>() as f64)
    }),
    breaker("breaker.probes", "probes that the circuit breaker let through", |measured, _| {
        Some(measured.store.breaker.iter().map(|outage| outage.probes).sum::<u64>() as f64)
    }),
    breaker(
        "breaker.probes-at-once",
        "the most probes that a half-open circuit breaker let through before the first of them ended; at most \
         `store.breaker.probes` unless a gate says otherwise",
        |measured, _| Some(measured.store.breaker.iter().map(|outage| outage.at_once).max().unwrap_or(0) as f64),
    ),
    Row {
        key: "calls.longest",
        dimension: Time,
        needs: Need::Target(Ability::Deadline),
        missing: Unknown("no operation of the load was a single call of the store"),
        basis: Basis::Time,
        about: "the longest service time of an operation that is one call of the store; in a scenario with faults, at \
                most twice `store.timeout` and 250 ms unless a gate says otherwise",
        source: |measured, _| measured.longest_call,
    },
    on_faults(
        "missing.reads",
        Count,
        "reads of the load that found no session although it was not destroyed",
        |measured, _| Some(measured.store.missing.reads as f64),
    ),
    on_contents("missing.sessions", Count, "sessions of these reads", |measured, _| {
        Some(measured.store.missing.sessions as f64)
    }),
    on_contents("missing.for", Time, "from the first of these reads to the last", |measured, _| {
        let missing = &measured.store.missing;
        Some(missing.to_ms.zip(missing.from_ms).map_or(0.0, |(to, from)| (to - from) / 1e3))
    }),
    of_phase("PHASE.errors", Share, "operations that failed or whose outcome is unknown", |measured, subject| {
        measured.share(subject, |outcome| !outcome.acknowledged())
    }),
    of_phase("PHASE.degraded", Share, "operations that the fallback acknowledged", |measured, subject| {
        measured.share(subject, |outcome| outcome == Outcome::Degraded)
    }),
    Row {
        basis: Basis::Contents,
        ..of_phase(
            "PHASE.missing",
            Share,
            "operations answered with \"no such session\" although the session must exist",
            |measured, subject| measured.share(subject, |outcome| outcome == Outcome::Missing),
        )
    },
    of_phase(
        "PHASE.rate",
        Rate,
        "operations acknowledged within the phase, per second, whenever they were due",
        |measured, subject| measured.rate(subject),
    ),
    of_phase(
        "PHASE.QUANTILE",
        Time,
        "response time, from the instant at which the operation was due",
        |measured, subject| measured.latency(subject, |latencies| latencies.response),
    ),
    of_phase(
        "PHASE.corrected.QUANTILE",
        Time,
        "response time, in a closed loop including the operations that users did not send while they waited",
        |measured, subject| measured.corrected(subject),
    ),
    of_phase(
        "PHASE.service.QUANTILE",
        Time,
        "service time, without the wait for a free connection",
        |measured, subject| measured.latency(subject, |latencies| latencies.service),
    ),
    of_phase("PHASE.slip.QUANTILE", Time, "how late operations were sent", |measured, subject| {
        measured.latency(subject, |latencies| latencies.slip)
    }),
];

type Source = fn(&Measured<'_>, &Subject) -> Option<f64>;

/// A metric that says how the target bore the faults.
const fn on_faults(key: &'static str, dimension: Dimension, about: &'static str, source: Source) -> Row {
    let missing = Unknown("it was not measured");
    Row { key, dimension, needs: Need::FaultsToTakeHold, missing, basis: Basis::Time, about, source }
}

/// The same of what is stored.
const fn on_contents(key: &'static str, dimension: Dimension, about: &'static str, source: Source) -> Row {
    let row = on_faults(key, dimension, about, source);
    Row { basis: Basis::Contents, ..row }
}

/// A count of the fallback's.
const fn fallback(key: &'static str, dimension: Dimension, about: &'static str, source: Source) -> Row {
    Row {
        key,
        dimension,
        needs: Need::Target(Ability::Fallback),
        missing: Unknown("it was not measured"),
        basis: Basis::Time,
        about,
        source,
    }
}

/// A metric that is sampled beside the load.
const fn sampled(key: &'static str, dimension: Dimension, needs: Need, about: &'static str, source: Source) -> Row {
    Row { key, dimension, needs, missing: Unknown("it could not be sampled"), basis: Basis::Contents, about, source }
}

/// A count of Redis's own.
const fn counted_by_redis(key: &'static str, about: &'static str, source: Source) -> Row {
    Row {
        key,
        dimension: Count,
        needs: Need::Nothing,
        missing: Unknown("Redis could not be asked"),
        basis: Basis::Contents,
        about,
        source,
    }
}

/// A count of the circuit breaker's.
const fn breaker(key: &'static str, about: &'static str, source: Source) -> Row {
    Row {
        key,
        dimension: Count,
        needs: Need::Target(Ability::Breaker),
        missing: Unknown("it was not measured"),
        basis: Basis::Time,
        about,
        source,
    }
}

/// A metric of the operations of a phase.
const fn of_phase(key: &'static str, dimension: Dimension, about: &'static str, source: Source) -> Row {
    Row {
        key,
        dimension,
        needs: Need::Phase,
        missing: Unknown("no operation fell into this phase"),
        basis: Basis::Time,
        about,
        source,
    }
}
