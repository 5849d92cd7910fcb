//! The left side of a gate: which phase, which operation, which figure.
//!
//! ```text
//! recovery                               time from the fault's end until the steady state holds again
//! fallback.activations | served | lost   how often the fallback took over, what it answered, what it lost
//! app.memory | redis.memory               the most memory that the application, and Redis, had
//! connection.down                         the longest time for which the target said that Redis is away
//! sessions.active                         sessions in Redis when the load was over
//! sessions.held                          sessions in the store's memory then, those that have expired and were not dropped included
//! claims.refuted                          claims of the scenario that did not hold
//! redis.evicted                          keys that Redis threw out to make room, while the load ran
//! redis.keys-commands                    calls of KEYS, which blocks Redis, while the load ran
//! impostor.trusted                       connections that took a proxy.impostor for Redis
//! checks.CHECKER.offences                how often a checker saw its promise broken
//! breaker.opens | probes                 how often the circuit breaker opened, failed probes included; probes let through
//! missing.reads | sessions | for         reads that found nothing though nobody destroyed the session; of how many; first to last
//! PHASE.errors | degraded | rate         share of operations not acknowledged; share the fallback acknowledged; ok per second
//! PHASE.QUANTILE                         response time over all operations: p50 p90 p95 p99 p999 max mean
//! PHASE.OPERATION.errors | QUANTILE      the same for one kind of operation
//! PHASE.OPERATION.service.QUANTILE       service time, without the wait for a free connection
//! ```
//! `PHASE` is `before`, `during`, `recovery`, `after` or `all`.

use super::limit::{Dimension, Limit};
use crate::check;
use crate::history::OpKind;

/// A stretch of the measured load.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Phase {
    /// Until the first fault takes hold; everything where there is no fault.
    Before,
    /// From there until the last fault has ended.
    During,
    /// From there until the steady state holds again.
    Recovery,
    /// From there to the end of the load.
    After,
    /// The whole measured load.
    All,
}

impl Phase {
    /// Every phase, in the order of time.
    pub const ALL: [Phase; 5] = [Phase::Before, Phase::During, Phase::Recovery, Phase::After, Phase::All];

    /// The word used in scenarios and reports.
    pub fn name(self) -> &'static str {
        match self {
            Phase::Before => "before",
            Phase::During => "during",
            Phase::Recovery => "recovery",
            Phase::After => "after",
            Phase::All => "all",
        }
    }
}

/// A figure of a latency distribution.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Latency {
    /// The arithmetic mean.
    Mean,
    /// The largest.
    Max,
    /// The value that this share of the operations stays at or below.
    Quantile(f64),
}

impl Latency {
    fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "mean" => Latency::Mean,
            "max" => Latency::Max,
            "p50" => Latency::Quantile(0.5),
            "p90" => Latency::Quantile(0.9),
            "p95" => Latency::Quantile(0.95),
            "p99" => Latency::Quantile(0.99),
            "p999" => Latency::Quantile(0.999),
            _ => return None,
        })
    }
}

/// What a gate looks at.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Metric {
    /// Time from the end of the last fault until the steady state holds again.
    Recovery,
    /// How often the fallback took over.
    Activations,
    /// Operations that the fallback answered.
    Served,
    /// Sessions and items that the fallback lost, as the store itself counted.
    Lost,
    /// The most resident memory of the application.
    AppMemory,
    /// The most memory that Redis used.
    RedisMemory,
    /// The longest time for which the target said that it is not connected to Redis.
    ConnectionDown,
    /// Sessions in Redis when the load was over.
    ActiveSessions,
    /// Sessions that the store held in memory when the load was over, expired or not.
    HeldSessions,
    /// Claims of the scenario that did not hold.
    RefutedClaims,
    /// Keys that Redis threw out to make room while the load ran.
    Evicted,
    /// Calls of KEYS while the load ran: for each of them everybody else waits.
    KeysCommands,
    /// Connections that took an impostor for Redis.
    ImpostorTrusted,
    /// How often the checker of this name saw its promise broken.
    Offences(&'static str),
    /// How often the circuit breaker opened.
    BreakerOpens,
    /// Probes that it let through.
    BreakerProbes,
    /// Reads that found nothing though nobody destroyed the session.
    MissingReads,
    /// The sessions of these reads.
    MissingSessions,
    /// Time from the first to the last of these reads.
    MissingFor,
    /// Share of operations that failed or are unknown.
    Errors(Phase, Option<OpKind>),
    /// Share of operations that the fallback acknowledged.
    Degraded(Phase, Option<OpKind>),
    /// Acknowledged operations per second.
    Rate(Phase, Option<OpKind>),
    /// Response time, from the planned instant.
    Response(Phase, Option<OpKind>, Latency),
    /// Service time, from the actual start.
    Service(Phase, Option<OpKind>, Latency),
}

/// What a metric has to do with the scenario's faults.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AboutFaults {
    /// Nothing.
    No,
    /// Where there are faults it says how the target bore them: a fault that never took hold leaves it without meaning.
    WhereTheyAre,
    /// It is measured from one.
    Always,
}

/// A metric of the whole drill and what there is to know of it.
struct Named {
    key: &'static str,
    metric: Metric,
    dimension: Dimension,
    about_faults: AboutFaults,
}

const fn named(key: &'static str, metric: Metric, dimension: Dimension, about_faults: AboutFaults) -> Named {
    Named { key, metric, dimension, about_faults }
}

/// Every metric whose key is a fixed word; `checks.CHECKER.offences`, and those of a phase, are parsed.
const NAMED: [Named; 18] = {
    use AboutFaults::{Always, No, WhereTheyAre};
    use Dimension::{Bytes, Count, Time};
    [
        named("recovery", Metric::Recovery, Time, Always),
        named("fallback.activations", Metric::Activations, Count, WhereTheyAre),
        named("fallback.served", Metric::Served, Count, WhereTheyAre),
        named("fallback.lost", Metric::Lost, Count, WhereTheyAre),
        named("app.memory", Metric::AppMemory, Bytes, No),
        named("redis.memory", Metric::RedisMemory, Bytes, No),
        named("connection.down", Metric::ConnectionDown, Time, No),
        named("sessions.active", Metric::ActiveSessions, Count, No),
        named("sessions.held", Metric::HeldSessions, Count, No),
        named("claims.refuted", Metric::RefutedClaims, Count, No),
        named("redis.evicted", Metric::Evicted, Count, No),
        named("redis.keys-commands", Metric::KeysCommands, Count, No),
        named("impostor.trusted", Metric::ImpostorTrusted, Count, No),
        named("breaker.opens", Metric::BreakerOpens, Count, WhereTheyAre),
        named("breaker.probes", Metric::BreakerProbes, Count, WhereTheyAre),
        named("missing.reads", Metric::MissingReads, Count, WhereTheyAre),
        named("missing.sessions", Metric::MissingSessions, Count, WhereTheyAre),
        named("missing.for", Metric::MissingFor, Time, WhereTheyAre),
    ]
};

impl Metric {
    /// What it is measured in.
    pub fn dimension(self) -> Dimension {
        match self {
            Metric::Errors(..) | Metric::Degraded(..) => Dimension::Share,
            Metric::Rate(..) => Dimension::Rate,
            Metric::Response(..) | Metric::Service(..) => Dimension::Time,
            named => named.named().map_or(Dimension::Count, |named| named.dimension),
        }
    }

    /// Whether there is something to measure only where the scenario has a fault.
    pub fn needs_fault(self) -> bool {
        match self {
            Metric::Errors(phase, _)
            | Metric::Degraded(phase, _)
            | Metric::Rate(phase, _)
            | Metric::Response(phase, ..)
            | Metric::Service(phase, ..) => matches!(phase, Phase::During | Phase::Recovery | Phase::After),
            named => named.about_faults() == AboutFaults::Always,
        }
    }

    /// What it has to do with faults, where it is not of a phase: a phase that there was not has no operations.
    pub fn about_faults(self) -> AboutFaults {
        self.named().map_or(AboutFaults::No, |named| named.about_faults)
    }

    fn named(self) -> Option<&'static Named> {
        NAMED.iter().find(|named| named.metric == self)
    }

    /// Whether it is sampled beside the load, not taken from the operations.
    pub fn is_of_resources(self) -> bool {
        matches!(
            self,
            Metric::AppMemory
                | Metric::RedisMemory
                | Metric::ConnectionDown
                | Metric::ActiveSessions
                | Metric::HeldSessions
        )
    }

    fn parse(key: &str) -> Option<Self> {
        if let Some(named) = NAMED.iter().find(|named| named.key == key) {
            return Some(named.metric);
        }
        let parts: Vec<&str> = key.split('.').collect();
        if let ["checks", name, "offences"] = parts.as_slice() {
            return checker(name).map(Metric::Offences);
        }
        let (phase, rest) = parts.split_first()?;
        let phase = Phase::ALL.into_iter().find(|known| known.name() == *phase)?;
        let kind = rest.first().and_then(|word| OpKind::ALL.into_iter().find(|kind| kind.name() == *word));
        let rest = if kind.is_some() { &rest[1..] } else { rest };
        match rest {
            ["errors"] => Some(Metric::Errors(phase, kind)),
            ["degraded"] => Some(Metric::Degraded(phase, kind)),
            ["rate"] => Some(Metric::Rate(phase, kind)),
            ["service", figure] => Some(Metric::Service(phase, kind, Latency::parse(figure)?)),
            [figure] => Some(Metric::Response(phase, kind, Latency::parse(figure)?)),
            _ => None,
        }
    }
}

/// The checker of this name.
fn checker(name: &str) -> Option<&'static str> {
    check::all().iter().map(|checker| checker.name()).find(|known| *known == name)
}

/// A gate as the scenario has it.
#[derive(Debug, Clone, PartialEq)]
pub struct GateSpec {
    /// As written: `during.errors`.
    pub key: String,
    /// What it looks at.
    pub metric: Metric,
    /// What must hold.
    pub limit: Limit,
}

/// A gate that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GateError {
    /// The key names nothing that is measured.
    #[error("nothing is measured as `{0}`")]
    Key(String),
    /// The limit does not fit what the key names.
    #[error("`{limit}` is no limit for `{key}`")]
    Limit {
        /// The gate's key.
        key: String,
        /// As written.
        limit: String,
        /// A limit that would fit.
        example: &'static str,
    },
}

impl GateError {
    /// Whether the key is wrong (else the limit is).
    pub fn in_key(&self) -> bool {
        matches!(self, GateError::Key(_))
    }

    /// What would be right.
    pub fn help(&self) -> String {
        match self {
            GateError::Key(_) => {
                "write recovery, fallback.activations|served|lost, app.memory, redis.memory|evicted|keys-commands, \
                 connection.down, sessions.active|held, claims.refuted, impostor.trusted, checks.CHECKER.offences, \
                 breaker.opens|probes, missing.reads|sessions|for, PHASE.errors|degraded|rate, PHASE.p95 or \
                 PHASE.read.p95; a PHASE is before, during, recovery, after or all"
                    .to_owned()
            }
            GateError::Limit { example, .. } => format!("write it like \"{example}\""),
        }
    }
}

impl GateSpec {
    /// Reads one entry of `[gates]`.
    pub fn parse(key: &str, limit: &str) -> Result<Self, GateError> {
        let metric = Metric::parse(key).ok_or_else(|| GateError::Key(key.to_owned()))?;
        let dimension = metric.dimension();
        let limit = Limit::parse(limit, dimension).ok_or_else(|| GateError::Limit {
            key: key.to_owned(),
            limit: limit.to_owned(),
            example: dimension.example(),
        })?;
        Ok(Self { key: key.to_owned(), metric, limit })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_a_key_is_understood() {
        let metric = |key: &str| Metric::parse(key).unwrap();
        assert_eq!(metric("recovery"), Metric::Recovery);
        assert_eq!(metric("fallback.activations"), Metric::Activations);
        assert_eq!(metric("redis.evicted"), Metric::Evicted);
        assert_eq!(metric("redis.keys-commands"), Metric::KeysCommands);
        assert_eq!(metric("impostor.trusted"), Metric::ImpostorTrusted);
        assert_eq!(metric("checks.lost-answers.offences"), Metric::Offences("lost-answers"));
        assert_eq!(metric("breaker.probes"), Metric::BreakerProbes);
        assert_eq!(metric("missing.for"), Metric::MissingFor);
        assert_eq!(metric("during.errors"), Metric::Errors(Phase::During, None));
        assert_eq!(metric("app.memory"), Metric::AppMemory);
        assert_eq!(metric("redis.memory"), Metric::RedisMemory);
        assert_eq!(metric("connection.down"), Metric::ConnectionDown);
        assert_eq!(metric("sessions.active"), Metric::ActiveSessions);
        assert_eq!(metric("sessions.held"), Metric::HeldSessions);
        assert_eq!(metric("recovery.errors"), Metric::Errors(Phase::Recovery, None));
        assert_eq!(metric("after.p99"), Metric::Response(Phase::After, None, Latency::Quantile(0.99)));
        assert_eq!(
            metric("after.read.p95"),
            Metric::Response(Phase::After, Some(OpKind::Read), Latency::Quantile(0.95))
        );
        assert_eq!(
            metric("before.append.service.max"),
            Metric::Service(Phase::Before, Some(OpKind::Append), Latency::Max)
        );
    }

    #[test]
    fn each_key_of_the_table_is_told_of_and_names_one_metric() {
        let help = GateError::Key(String::new()).help();
        for (at, named) in NAMED.iter().enumerate() {
            assert_eq!(Metric::parse(named.key), Some(named.metric));
            assert!(NAMED[..at].iter().all(|other| other.metric != named.metric), "{} is there twice", named.key);
            let (of, figure) = named.key.split_once('.').unwrap_or((named.key, ""));
            assert!(help.contains(of) && help.contains(figure), "the help leaves out {}", named.key);
        }
    }

    #[test]
    fn the_phases_after_the_first_need_a_fault() {
        let needs = |key: &str| Metric::parse(key).unwrap().needs_fault();
        assert!(needs("recovery") && needs("during.errors") && needs("after.read.p95") && needs("recovery.rate"));
        assert!(!needs("before.errors") && !needs("all.p99") && !needs("fallback.activations"));
    }

    #[test]
    fn a_key_that_nothing_measures_is_refused() {
        for key in [
            "during",
            "later.errors",
            "during.read",
            "during.fly.p95",
            "during.p96",
            "fallback",
            "checks.no-such.offences",
        ] {
            assert_eq!(GateSpec::parse(key, "<= 1%"), Err(GateError::Key(key.to_owned())), "{key}");
        }
    }

    #[test]
    fn a_limit_in_the_wrong_unit_is_refused_with_one_that_fits() {
        let error = GateSpec::parse("during.errors", "<= 50ms").unwrap_err();
        assert_eq!(error.to_string(), "`<= 50ms` is no limit for `during.errors`");
        assert_eq!(error.help(), "write it like \"<= 1%\"");
    }
}
