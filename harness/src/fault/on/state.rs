//! A fault that begins when the store under drill reports a state (`on = { state = … }`). The states are what stores
//! report as events; [`STATES`] has one row for each.

use std::fmt;
use std::time::Instant;

use firedrill_storage::Event;
use schemars::JsonSchema;
use serde::Serialize;
use tokio::sync::mpsc::UnboundedReceiver;

use super::super::kind::Flaw;
use crate::clock::Nanos;
use crate::history::{Notes, Reported};
use crate::registry::{Named, Registered};
use crate::target::Ability;
use crate::units::Span;

/// A state that a store reports.
pub struct StoreState {
    name: &'static str,
    about: &'static str,
    /// What a target must be able to do to report it.
    pub ability: Ability,
    /// Whether this event reports that it begins.
    begins: fn(&Event) -> bool,
}

/// Every state, in the order of the documentation.
static STATES: &[&StoreState] = &[
    &StoreState {
        name: "fallback",
        about: "the fallback has taken over",
        ability: Ability::Fallback,
        begins: |event| matches!(event, Event::FallbackStarted { .. }),
    },
    &StoreState {
        name: "draining",
        about: "Redis accepts writes again, and the fallback begins to write back what it lacks",
        ability: Ability::Fallback,
        begins: |event| matches!(event, Event::DrainStarted { .. }),
    },
    &StoreState {
        name: "recovered",
        about: "the fallback is over",
        ability: Ability::Fallback,
        begins: |event| matches!(event, Event::FallbackEnded { .. }),
    },
    &StoreState {
        name: "breaker-open",
        about: "the circuit breaker has opened",
        ability: Ability::Breaker,
        begins: |event| matches!(event, Event::BreakerOpened { .. }),
    },
    &StoreState {
        name: "breaker-half-open",
        about: "the circuit breaker lets probes through",
        ability: Ability::Breaker,
        begins: |event| matches!(event, Event::BreakerHalfOpen),
    },
    &StoreState {
        name: "breaker-closed",
        about: "the circuit breaker has closed",
        ability: Ability::Breaker,
        begins: |event| matches!(event, Event::BreakerClosed { .. }),
    },
];

impl Registered for StoreState {
    const WHAT: &'static str = "StoreState";

    fn all() -> &'static [&'static Self] {
        STATES
    }

    fn name(&self) -> &'static str {
        self.name
    }

    fn about(&self) -> &'static str {
        self.about
    }
}

/// When a fault begins, by what the store reports.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OnState {
    /// The state whose beginning the store reports.
    pub(super) state: Named<StoreState>,
    /// At its beginning of this number, counted from 1 since `at` (default: 1).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) nth: Option<u64>,
    /// How long after that beginning (default: at once).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) after: Option<Span>,
}

impl OnState {
    /// The state that it waits for.
    pub fn state(&self) -> Named<StoreState> {
        self.state
    }

    pub(super) fn check(&self) -> Result<(), Flaw> {
        match self.nth {
            Some(0) => Err(Flaw::new("on", "`nth` counts from 1")),
            _ => Ok(()),
        }
    }
}

impl fmt::Display for OnState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.after {
            Some(after) => write!(f, "{after} after")?,
            None => write!(f, "at")?,
        }
        write!(f, " `{}`", self.state)?;
        match self.nth {
            None | Some(1) => Ok(()),
            Some(nth) => write!(f, " number {nth}"),
        }
    }
}

/// A fault's wait for its state.
pub struct Waiting {
    on: OnState,
    reported: UnboundedReceiver<Reported>,
    /// How often the state has begun since the present wait did.
    begun: u64,
}

impl Waiting {
    /// Listens to what is added to `notes` from now on.
    pub fn new(on: &OnState, notes: &Notes) -> Self {
        Self { on: on.clone(), reported: notes.listen(), begun: 0 }
    }

    /// What it waits for, in words.
    pub fn words(&self) -> String {
        self.on.to_string()
    }

    /// The state's name, and how often it has begun in the present wait.
    pub fn so_far(&self) -> (&'static str, u64) {
        (self.on.state.name, self.begun)
    }

    /// How long after the state's beginning the fault is due.
    pub fn after(&self) -> Nanos {
        self.on.after.unwrap_or_default().nanos()
    }

    /// Waits for the state to begin after `from`, as often as it must, and returns when it did.
    pub async fn reached(&mut self, from: Instant) -> Instant {
        self.begun = 0;
        while let Some(Reported { at, event, .. }) = self.reported.recv().await {
            if at >= from && (self.on.state.begins)(&event) {
                self.begun += 1;
                if self.begun == self.on.nth.unwrap_or(1) {
                    return at;
                }
            }
        }
        // Nobody is left who could report.
        std::future::pending().await
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use firedrill_storage::FallbackCause;

    use super::super::On;
    use super::*;

    fn on(text: &str) -> OnState {
        match toml::from_str(text).unwrap() {
            On::State(on) => on,
            On::Command(on) => panic!("{on}"),
        }
    }

    #[test]
    fn it_says_when_it_is_due() {
        assert_eq!(on("state = 'draining'").to_string(), "at `draining`");
        assert_eq!(
            on("state = 'breaker-open'\nafter = '20ms'\nnth = 3").to_string(),
            "20ms after `breaker-open` number 3"
        );
        let flaw = on("state = 'draining'\nnth = 0").check().unwrap_err();
        assert_eq!((flaw.key, flaw.problem.as_str()), ("on", "`nth` counts from 1"));
    }

    #[tokio::test]
    async fn it_waits_for_the_nth_beginning_of_its_own_state_since_it_waits() {
        let notes = Notes::default();
        let mut waiting = Waiting::new(&on("state = 'draining'\nnth = 2\nafter = '20ms'"), &notes);
        let start = Instant::now();
        let moment = |ms| start + Duration::from_millis(ms);
        let drain = Event::DrainStarted { waiting: 1 };
        let away = Event::FallbackStarted { cause: FallbackCause::Timeout };
        for (ms, event) in [(1, &drain), (5, &drain), (6, &away), (7, &drain), (8, &drain)] {
            notes.store(moment(ms), 0, event.clone());
        }
        assert_eq!((waiting.reached(moment(3)).await, waiting.after()), (moment(7), 20_000_000));
        assert_eq!(waiting.so_far(), ("draining", 2));
        let more = tokio::time::timeout(Duration::from_millis(1), waiting.reached(moment(3))).await;
        assert!(more.is_err(), "the one that is left is the first of the next wait");
        assert_eq!(waiting.so_far(), ("draining", 1));
    }
}
