//! `server.idle-timeout`: the server closes connections that have been idle for a second or so, as firewalls and some
//! hosted servers do. The first command after a pause then meets a closed connection.

use std::time::Duration;

use parking_lot::Mutex;

use super::super::context::FaultContext;
use super::super::path::{Seen, Snapshot, count};
use super::super::{Bite, Fault, FaultError};
use super::{Hand, Setting};
use crate::scenario::units::Span;

/// Redis looks after idle connections about once a second.
const LATE: Duration = Duration::from_secs(3);

/// Parameters of `server.idle-timeout`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IdleTimeout {
    /// How long a connection may be idle, in whole seconds.
    pub timeout: Span,
}

pub(in crate::fault) struct IdleTimeoutFault {
    spec: IdleTimeout,
    hand: Hand,
    before: Mutex<Snapshot>,
    felt: Mutex<bool>,
}

impl IdleTimeoutFault {
    pub fn new(index: u32, spec: IdleTimeout, context: FaultContext) -> Result<Self, FaultError> {
        Ok(Self { spec, hand: Hand::new(index, context)?, before: Mutex::default(), felt: Mutex::default() })
    }

    /// Whether a probe's connection is closed for being idle. Once one has been, no other is opened.
    async fn feel(&self, within: Duration) -> (bool, String) {
        if !*self.felt.lock() {
            let (seen, come) = self.hand.context.path.idle(within.min(self.spec.timeout.0 + LATE)).await;
            if seen != Seen::Closed || come.is_empty() {
                return (false, "a probe's idle connection stayed open".to_owned());
            }
            *self.felt.lock() = true;
        }
        (true, "a probe's connection was answered and then closed for being idle".to_owned())
    }
}

#[async_trait::async_trait]
impl Fault for IdleTimeoutFault {
    fn kind(&self) -> &'static str {
        "server.idle-timeout"
    }

    fn detail(&self) -> String {
        format!("after {}", self.spec.timeout)
    }

    async fn inject(&self) -> Result<(), FaultError> {
        *self.before.lock() = self.hand.context.path.snapshot();
        *self.felt.lock() = false;
        self.hand.change(Setting::Config("timeout"), self.spec.timeout.0.as_secs()).await
    }

    async fn heal(&self) -> Result<(), FaultError> {
        self.hand.give_back().await
    }

    async fn proof(&self, within: Duration) -> Bite {
        let (felt, told) = self.feel(within).await;
        let before = *self.before.lock();
        let toll = self.hand.context.path.toll(&before);
        let (hit, ended) = toll.hit(toll.ended, format!("{} of the load ended", count(toll.ended, "connection")));
        self.hand.context.path.bite(felt && hit, format!("{told}; {ended}"))
    }
}
