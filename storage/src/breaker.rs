//! A circuit breaker: after too many failures in a row no call reaches Redis for a while. That relieves a server in
//! trouble, and callers do not wait for it.
//!
//! ```text
//!            more than `failures` in a row           `open_for` is over
//!   Closed ──────────────────────────────▶ Open ──────────────────────────▶ HalfOpen
//!     ▲                                     ▲                                 │   │
//!     │                                     └───────── a probe fails ─────────┘   │
//!     └───────────────────────── a probe is answered ─────────────────────────────┘
//! ```
//! Half-open lets `probes` calls through at once and refuses the others. A dropped probe frees its place, so a
//! cancelled call never leaves the breaker stuck. A call's result counts only for the period in which the call was
//! admitted: a delayed failure from an earlier closed period does not open a breaker that has recovered since, and a
//! delayed answer closes none.
//!
//! A failure means that Redis cannot serve: no connection, no answer in time, a cut connection. Every answer is a
//! success, even a refusal or a conflict.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

use crate::error::StoreError;
use crate::event::{Event, EventSink};
use crate::outage::Witness;
use crate::planted;

/// Settings of a breaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BreakerConfig {
    /// Opens after more than this many failures in a row.
    pub failures: u32,
    /// How long it stays open, so that no call reaches Redis.
    pub open_for: Duration,
    /// Calls let through at once while half-open; at least one.
    pub probes: u32,
}

impl Default for BreakerConfig {
    /// More than 5 failures in a row, 30 s, one probe at a time.
    fn default() -> Self {
        Self { failures: 5, open_for: Duration::from_secs(30), probes: 1 }
    }
}

/// What a breaker lets through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BreakerState {
    /// Every call.
    #[default]
    Closed,
    /// None.
    Open,
    /// Probes only.
    HalfOpen,
}

/// Counters of a breaker since it was created.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct BreakerStats {
    /// What it lets through now.
    pub state: BreakerState,
    /// How often it opened, failed probes included.
    pub opens: u64,
    /// Probes let through.
    pub probes: u64,
    /// Calls refused without reaching Redis.
    pub refused: u64,
}

/// The breaker of one store.
pub(crate) struct Breaker {
    config: BreakerConfig,
    inner: Mutex<Inner>,
    events: EventSink,
    witness: Witness,
}

#[derive(Default)]
struct Inner {
    phase: Phase,
    /// Counts the changes of phase: a permit from an earlier period says nothing about this one.
    period: u64,
    opens: u64,
    probes: u64,
    refused: u64,
    /// When it left the closed state, and the number of probes before that.
    outage: Option<(Instant, u64)>,
}

#[derive(Clone, Copy)]
enum Phase {
    Closed { failures: u32 },
    Open { until: Instant },
    HalfOpen { under_way: u32 },
}

impl Default for Phase {
    fn default() -> Self {
        Phase::Closed { failures: 0 }
    }
}

/// The right to make one call. Dropping it without a verdict only frees its place.
#[must_use]
pub(crate) struct Permit {
    breaker: Arc<Breaker>,
    period: u64,
}

impl Breaker {
    pub(crate) fn new(config: BreakerConfig, events: EventSink, witness: Witness) -> Arc<Self> {
        let config = BreakerConfig { probes: config.probes.max(1), ..config };
        Arc::new(Self { config, inner: Mutex::default(), events, witness })
    }

    /// Lets one call through, or refuses it at once.
    pub(crate) fn admit(self: &Arc<Self>) -> Result<Permit, StoreError> {
        let mut inner = self.inner.lock();
        if let Phase::Open { until } = inner.phase
            && Instant::now() >= until
            && !planted::seam!(breaker_never_probes)
        {
            inner.enter(Phase::HalfOpen { under_way: 0 });
            self.say(Event::BreakerHalfOpen);
        }
        let refusal = match &mut inner.phase {
            Phase::Closed { .. } => None,
            Phase::HalfOpen { under_way } if *under_way < self.config.probes => {
                *under_way += 1;
                inner.probes += 1;
                None
            }
            Phase::HalfOpen { .. } => Some("the circuit breaker is half-open and its probes are under way"),
            Phase::Open { .. } => Some("the circuit breaker is open"),
        };
        match refusal {
            None => Ok(Permit { breaker: Arc::clone(self), period: inner.period }),
            Some(reason) => {
                inner.refused += 1;
                Err(StoreError::Unavailable { reason: reason.to_owned() })
            }
        }
    }

    /// Whether every call is let through.
    pub(crate) fn is_closed(&self) -> bool {
        matches!(self.inner.lock().phase, Phase::Closed { .. })
    }

    /// Waits until it is no longer open, so that a probe may be let through.
    pub(crate) async fn ready(&self) {
        loop {
            let until = match self.inner.lock().phase {
                Phase::Open { until } if Instant::now() < until => until,
                _ => return,
            };
            tokio::time::sleep_until(until).await;
        }
    }

    pub(crate) fn stats(&self) -> BreakerStats {
        let inner = self.inner.lock();
        let state = match inner.phase {
            Phase::Closed { .. } => BreakerState::Closed,
            Phase::Open { .. } => BreakerState::Open,
            Phase::HalfOpen { .. } => BreakerState::HalfOpen,
        };
        BreakerStats { state, opens: inner.opens, probes: inner.probes, refused: inner.refused }
    }

    fn settle(&self, period: u64, failed: bool) {
        let mut inner = self.inner.lock();
        if inner.period != period {
            return;
        }
        match (&mut inner.phase, failed) {
            (Phase::Closed { failures }, false) => *failures = 0,
            (Phase::Closed { failures }, true) if *failures < self.config.failures => *failures += 1,
            (Phase::Closed { .. } | Phase::HalfOpen { .. }, true) => self.open(&mut inner),
            (Phase::HalfOpen { .. }, false) => self.close(&mut inner),
            // It gives no permits while open.
            (Phase::Open { .. }, _) => {}
        }
    }

    fn open(&self, inner: &mut Inner) {
        let now = Instant::now();
        inner.opens += 1;
        if inner.outage.is_none() {
            inner.outage = Some((now, inner.probes));
            let reason = format!("{} failures in a row", self.config.failures + 1);
            self.witness.away("the circuit breaker opens: no call reaches Redis", &reason);
        }
        inner.enter(Phase::Open { until: now + self.config.open_for });
        self.say(Event::BreakerOpened { opens: inner.opens, probes: inner.probes });
    }

    fn close(&self, inner: &mut Inner) {
        let (since, probes_before) = inner.outage.take().unwrap_or((Instant::now(), inner.probes));
        let (lasted, probes) = (since.elapsed(), inner.probes - probes_before);
        inner.enter(Phase::Closed { failures: 0 });
        self.witness.back("the circuit breaker is closed: Redis answers", &format!("probes: {probes}"));
        self.say(Event::BreakerClosed { lasted, probes });
    }

    fn release(&self, period: u64) {
        let mut inner = self.inner.lock();
        if let Inner { phase: Phase::HalfOpen { under_way }, period: now, .. } = &mut *inner
            && *now == period
        {
            *under_way = under_way.saturating_sub(1);
        }
    }

    /// Reports a change while the lock is held, so that events come in the order of the changes.
    fn say(&self, event: Event) {
        (self.events)(event);
    }
}

impl Inner {
    fn enter(&mut self, phase: Phase) {
        self.phase = phase;
        self.period += 1;
    }
}

impl Permit {
    /// Reports how the call ended.
    pub(crate) fn settle(self, error: Option<&StoreError>) {
        let failed = error.is_some_and(|error| match error {
            StoreError::Timeout { .. } => !planted::seam!(timeouts_count_as_answers),
            StoreError::Unavailable { .. } | StoreError::GaveUp { .. } | StoreError::ConnectionLost => true,
            _ => planted::seam!(bad_values_open_breaker),
        });
        self.breaker.settle(self.period, failed);
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.breaker.release(self.period);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::outage::OutageLog;

    const LOST: StoreError = StoreError::ConnectionLost;

    fn config() -> BreakerConfig {
        BreakerConfig { failures: 2, open_for: Duration::from_secs(30), probes: 1 }
    }

    fn breaker(config: BreakerConfig) -> (Arc<Breaker>, Arc<Mutex<Vec<Event>>>) {
        let events = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&events);
        (
            Breaker::new(
                config,
                Arc::new(move |event| sink.lock().push(event)),
                Arc::new(OutageLog::default()).witness(),
            ),
            events,
        )
    }

    fn fail(breaker: &Arc<Breaker>) {
        breaker.admit().unwrap().settle(Some(&LOST));
    }

    #[tokio::test(start_paused = true)]
    async fn it_opens_after_more_than_so_many_failures_in_a_row_and_refuses_at_once() {
        let (breaker, events) = breaker(config());
        fail(&breaker);
        fail(&breaker);
        breaker.admit().unwrap().settle(None);
        fail(&breaker);
        fail(&breaker);
        assert!(breaker.is_closed());
        fail(&breaker);
        let refused = breaker.admit().map(drop).unwrap_err();
        assert_eq!(refused.to_string(), "storage unavailable: the circuit breaker is open");
        assert_eq!(refused.effect(), crate::error::Effect::None);
        assert_eq!(*events.lock(), [Event::BreakerOpened { opens: 1, probes: 0 }]);
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_is_no_success_for_the_caller_is_none_of_the_breakers_failures() {
        let (breaker, _) = breaker(BreakerConfig { failures: 0, ..config() });
        let refused = StoreError::Refused { code: "OOM".to_owned(), answer: "OOM command not allowed".to_owned() };
        let corrupt = StoreError::Corrupt { reason: String::new() };
        for error in [StoreError::NotFound, StoreError::Conflict { current: 3 }, corrupt, refused] {
            breaker.admit().unwrap().settle(Some(&error));
        }
        assert!(breaker.is_closed());
        fail(&breaker);
        assert!(!breaker.is_closed());
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_that_was_given_up_closes_no_breaker() {
        let (breaker, _) = breaker(BreakerConfig { failures: 0, ..config() });
        fail(&breaker);
        tokio::time::advance(Duration::from_secs(31)).await;
        breaker.admit().unwrap().settle(Some(&StoreError::GaveUp { attempts: 10 }));
        assert!(!breaker.is_closed());
    }

    #[tokio::test(start_paused = true)]
    async fn half_open_lets_one_probe_through_and_its_answer_closes() {
        let (breaker, events) = breaker(config());
        (0..3).for_each(|_| fail(&breaker));
        tokio::time::advance(Duration::from_secs(29)).await;
        assert!(breaker.admit().is_err());
        tokio::time::advance(Duration::from_secs(1)).await;
        let probe = breaker.admit().unwrap();
        for _ in 0..100 {
            assert!(breaker.admit().is_err(), "a stampede");
        }
        probe.settle(None);
        assert!(breaker.is_closed());
        let closed = Event::BreakerClosed { lasted: Duration::from_secs(30), probes: 1 };
        assert_eq!(events.lock()[1..], [Event::BreakerHalfOpen, closed]);
        assert_eq!(breaker.stats(), BreakerStats { state: BreakerState::Closed, opens: 1, probes: 1, refused: 101 });
    }

    #[tokio::test(start_paused = true)]
    async fn a_failed_probe_opens_it_again_for_the_whole_time() {
        let (breaker, _) = breaker(config());
        (0..3).for_each(|_| fail(&breaker));
        tokio::time::advance(Duration::from_secs(31)).await;
        fail(&breaker);
        tokio::time::advance(Duration::from_secs(29)).await;
        assert!(breaker.admit().is_err());
        breaker.ready().await;
        assert!(breaker.admit().is_ok());
        assert_eq!(breaker.stats().opens, 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_cancelled_probe_gives_its_place_back() {
        let (breaker, _) = breaker(config());
        (0..3).for_each(|_| fail(&breaker));
        tokio::time::advance(Duration::from_secs(30)).await;
        for _ in 0..10 {
            drop(breaker.admit().unwrap());
        }
        breaker.admit().unwrap().settle(None);
        assert!(breaker.is_closed());
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_admitted_before_says_nothing_about_now() {
        let (breaker, _) = breaker(config());
        let (late, later) = (breaker.admit().unwrap(), breaker.admit().unwrap());
        (0..3).for_each(|_| fail(&breaker));
        late.settle(None);
        assert!(!breaker.is_closed(), "a delayed answer must close nothing");
        tokio::time::advance(Duration::from_secs(30)).await;
        let probe = breaker.admit().unwrap();
        later.settle(Some(&LOST));
        assert!(breaker.admit().is_err(), "a delayed failure must not free the probe's place");
        probe.settle(None);
        assert!(breaker.is_closed());
    }

    /// The textbook breaker: derives what it admits from a list of events.
    struct Model {
        config: BreakerConfig,
        now: u64,
        failures: u32,
        /// When it opened; `None`: closed.
        opened: Option<u64>,
        probing: bool,
        under_way: Vec<u64>,
        period: u64,
    }

    impl Model {
        fn admits(&mut self) -> Option<u64> {
            if let Some(opened) = self.opened {
                if !self.probing && self.now - opened >= self.config.open_for.as_secs() {
                    self.probing = true;
                    self.period += 1;
                }
                let probes = self.under_way.iter().filter(|period| **period == self.period).count();
                if !self.probing || probes >= self.config.probes as usize {
                    return None;
                }
            }
            self.under_way.push(self.period);
            Some(self.period)
        }

        fn ends(&mut self, period: u64, failed: Option<bool>) {
            let at = self.under_way.iter().position(|p| *p == period).unwrap();
            self.under_way.remove(at);
            let Some(failed) = failed.filter(|_| period == self.period) else { return };
            self.failures = if failed { self.failures + 1 } else { 0 };
            if failed && (self.probing || self.failures > self.config.failures) {
                (self.opened, self.probing, self.failures) = (Some(self.now), false, 0);
                self.period += 1;
            } else if !failed && self.probing {
                (self.opened, self.probing) = (None, false);
                self.period += 1;
            }
        }
    }

    #[derive(Debug, Clone)]
    enum Step {
        Begin,
        /// The call at this position among those in flight ends: answered, failed or dropped.
        End(prop::sample::Index, Option<bool>),
        Wait(u64),
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn it_behaves_as_the_model(
            failures in 0..4_u32,
            probes in 1..4_u32,
            steps in prop::collection::vec(prop_oneof![
                4 => Just(Step::Begin),
                4 => (any::<prop::sample::Index>(), prop::option::weighted(0.8, prop::bool::weighted(0.7)))
                    .prop_map(|(at, end)| Step::End(at, end)),
                1 => (0..20_u64).prop_map(Step::Wait),
            ], 1..200),
        ) {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
            runtime.block_on(async {
                let config = BreakerConfig { failures, open_for: Duration::from_secs(10), probes };
                let (breaker, _) = breaker(config);
                let mut model = Model {
                    config, now: 0, failures: 0, opened: None, probing: false, under_way: vec![], period: 0,
                };
                let mut calls = Vec::new();
                for step in steps {
                    match step {
                        Step::Begin => {
                            let (admitted, expected) = (breaker.admit().ok(), model.admits());
                            assert_eq!(admitted.is_some(), expected.is_some());
                            calls.extend(admitted.zip(expected));
                        }
                        Step::End(at, end) if !calls.is_empty() => {
                            let (permit, period) = calls.remove(at.index(calls.len()));
                            model.ends(period, end);
                            match end {
                                Some(failed) => permit.settle(failed.then_some(&LOST)),
                                None => drop(permit),
                            }
                        }
                        Step::End(..) => {}
                        Step::Wait(seconds) => {
                            model.now += seconds;
                            tokio::time::advance(Duration::from_secs(seconds)).await;
                        }
                    }
                }
                // Whatever happened before: after a while it lets a call through again, and an answer closes it.
                drop(calls);
                tokio::time::advance(Duration::from_secs(10)).await;
                breaker.admit().unwrap().settle(None);
                assert!(breaker.is_closed());
            });
        }
    }
}
