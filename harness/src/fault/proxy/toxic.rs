//! A fault that consists of one toxic of the proxy: it is set on one direction or both, a probe notices it, and the
//! proxy's counters show what it did to the load. The kind determines the toxic, the probe, and the counter that shows
//! the harm.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use super::super::aim::Aim;
use super::super::context::Site;
use super::super::kind::Kind;
use super::super::path::{Damage, ProbeResult, Snapshot, count, millis};
use super::super::reach::{ConnectionAge, Reach};
use super::super::{Fault, FaultError, Impact};
use super::stream::Stream;
use crate::proxy::toxic::Toxic;
use crate::proxy::{Direction, ProxyError, ToxicReach, ToxicSpec};
use crate::units::Span;

/// A kind injected by a toxic.
pub(super) trait ByToxic: Kind {
    /// The affected direction.
    fn stream(&self) -> Stream;

    /// The toxic.
    fn toxic(&self) -> Toxic;

    /// The parameters in words.
    fn detail(&self) -> String;

    /// How to detect the toxic.
    fn probe(&self) -> Probe;

    /// Whether a probe that observed `seen` noticed the toxic.
    fn felt(&self, seen: ProbeResult) -> bool;

    /// What a probe observed, in words.
    fn words(&self, seen: ProbeResult) -> String {
        seen.to_string()
    }

    /// The age of the connections that it can affect.
    fn age(&self) -> ConnectionAge {
        ConnectionAge::All
    }

    /// The part of the load's damage that it caused.
    fn harm(&self, damage: &Damage) -> Harm;

    /// Builds the kind's fault.
    fn fault(&self, site: &Site) -> Arc<dyn Fault> {
        Arc::new(ToxicFault {
            kind: self.clone(),
            index: site.index,
            aim: Aim::new(site.index, site.context.clone()),
            reach: Reach { connections: site.reach.connections.or(Some(self.age())), ..site.reach.clone() },
            before: Mutex::default(),
            felt: Mutex::default(),
        })
    }
}

/// A number as a toxic holds it: what is more than that is as good as for ever.
pub(super) fn number(number: impl TryInto<i64>) -> i64 {
    number.try_into().unwrap_or(i64::MAX)
}

/// A time in a toxic's milliseconds.
pub(super) fn ms(span: Span) -> i64 {
    number(span.0.as_millis())
}

/// A probe, and the longest that it waits.
pub(super) struct Probe {
    pub what: ProbeKind,
    pub patience: Duration,
}

/// What a probe does.
pub(super) enum ProbeKind {
    /// Sends a PING.
    Ping,
    /// Sends this many bytes and waits until all of them come back.
    Echo(usize),
    /// Closes its connection and waits until the other side has closed it too.
    Close,
}

/// The harm that the toxic did to the load.
pub(super) struct Harm {
    /// The number of hits; 0 if there were none.
    pub hits: u64,
    /// The wording while it holds.
    pub words: String,
    /// The wording at its end, if it differs from the evidence.
    pub total: Option<String>,
}

impl Harm {
    /// Delayed transfers.
    pub fn held_back(damage: &Damage) -> Self {
        let transfers = count(damage.delayed, "transfer");
        Self {
            hits: damage.delayed,
            words: format!("{transfers} of the load held back"),
            total: Some(format!("{transfers} held back, {} on average", millis(damage.mean_delay))),
        }
    }

    /// Connections that were cut; `verb` says how.
    pub fn cut(damage: &Damage, verb: &str) -> Self {
        let connections = count(damage.cut, "connection");
        Self {
            hits: damage.cut,
            words: format!("{connections} of the load {verb}"),
            total: Some(format!("{connections} {verb}")),
        }
    }
}

struct ToxicFault<K> {
    kind: K,
    index: u32,
    aim: Aim,
    reach: Reach,
    before: Mutex<Snapshot>,
    felt: Mutex<Option<ProbeResult>>,
}

impl<K: ByToxic> ToxicFault<K> {
    /// What a probe observes, and whether it notices the toxic. Once one has, no further probe is sent: more would only
    /// blur the harm to the load.
    async fn feel(&self, within: Duration) -> (ProbeResult, bool) {
        let before = *self.felt.lock();
        if let Some(seen) = before {
            return (seen, true);
        }
        let Probe { what, patience } = self.kind.probe();
        let (path, within) = (self.aim.path(), within.min(patience));
        let seen = match what {
            ProbeKind::Ping => path.ping(within).await,
            ProbeKind::Echo(size) => path.echo(size, within).await,
            ProbeKind::Close => path.close(within).await,
        };
        let felt = self.kind.felt(seen);
        if felt {
            *self.felt.lock() = Some(seen);
        }
        (seen, felt)
    }

    /// The harm to the load since the toxic was set.
    fn suffered(&self) -> Damage {
        let before = *self.before.lock();
        self.aim.path().damage(&before)
    }

    /// The load's connections that it has affected and spared; `None` if it affects all of them.
    fn met(&self) -> Option<ToxicReach> {
        let (path, directions) = (self.aim.path(), self.kind.stream().directions());
        path.proxy().ok()?.toxic_reach(&self.name(*directions.first()?))
    }

    /// Two faults of one kind may be active at once, so the name contains the fault's number.
    fn name(&self, direction: Direction) -> String {
        format!("fault-{}-{}", self.index, ToxicSpec::default_name(self.kind.toxic().kind(), direction))
    }
}

#[async_trait::async_trait]
impl<K: ByToxic> Fault for ToxicFault<K> {
    fn kind(&self) -> &'static str {
        K::NAME
    }

    fn detail(&self) -> String {
        let words = [self.kind.detail(), self.reach.words()];
        words.into_iter().filter(|words| !words.is_empty()).collect::<Vec<_>>().join(", ")
    }

    async fn inject(&self) -> Result<(), FaultError> {
        let path = self.aim.take().await?;
        *self.before.lock() = path.snapshot();
        *self.felt.lock() = None;
        for &direction in self.kind.stream().directions() {
            let spec = ToxicSpec {
                name: self.name(direction),
                toxicity: self.reach.share() as f32,
                connections: self.reach.age().into(),
                ..ToxicSpec::new(direction, self.kind.toxic())
            };
            path.proxy()?.add_toxic(spec).await?;
        }
        Ok(())
    }

    async fn heal(&self) -> Result<(), FaultError> {
        let (path, mut result) = (self.aim.path(), Ok(()));
        for &direction in self.kind.stream().directions() {
            match path.proxy()?.remove_toxic(&self.name(direction)).await {
                Ok(()) | Err(ProxyError::NoToxic(_)) => {}
                Err(error) => result = Err(error.into()),
            }
        }
        if result.is_ok() {
            self.aim.release();
        }
        result
    }

    async fn impact(&self, within: Duration) -> Impact {
        // A probe's connection may be one that is spared, so the proxy's count of those affected is the evidence.
        if let Some(met) = self.met() {
            let damage = self.suffered();
            let Harm { hits, words, .. } = self.kind.harm(&damage);
            let bit = met.affected > 0 && hits > 0;
            return Impact { bit, evidence: format!("{}; {words}", met_words(met)) };
        }
        let (seen, felt) = self.feel(within).await;
        let damage = self.suffered();
        let Harm { hits, words, .. } = self.kind.harm(&damage);
        let (hit, suffered) = damage.hit(hits, words);
        Impact { bit: felt && hit, evidence: format!("{}; {suffered}", self.kind.words(seen)) }
    }

    fn damage(&self) -> Option<String> {
        let damage = self.suffered();
        let total = damage.if_counted(self.kind.harm(&damage).total?)?;
        Some(match self.met() {
            Some(met) => format!("{total}; {}", met_words(met)),
            None => total,
        })
    }
}

/// `3 of 12 connections affected`.
fn met_words(ToxicReach { affected, spared }: ToxicReach) -> String {
    format!("{affected} of {} affected", count(affected + spared, "connection"))
}
