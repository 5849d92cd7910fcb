//! What the lanes of a target have in common, and what becomes of an operation on one of them.

use std::sync::Arc;

use super::cluster::{Cluster, Redirect};
use super::connection::{Failure, Reply};
use super::dialler::{Dialler, Node};
use super::vocabulary::Vocabulary;
use crate::history::{Cause, Outcome};
use crate::target::{Observation, Operation};

/// What the lanes of a target have in common.
pub(super) struct Setup {
    /// Distinguishes the target from others in the process.
    pub(super) number: u64,
    pub(super) dialler: Dialler,
    pub(super) first: Arc<Node>,
    pub(super) cluster: Option<Cluster>,
    pub(super) vocabulary: Vocabulary,
    pub(super) pipeline: u32,
    pub(super) reconnect_after: u64,
}

impl Setup {
    /// What `reply` to `op` says, and what follows from it.
    #[inline]
    pub(super) fn answer(&self, op: &Operation, reply: &Reply<'_>, seen: &mut Observation) -> Answer {
        let error = reply.error();
        if let (Some(error), true) = (error, self.cluster.is_some())
            && let Some(redirect) = Redirect::read(error)
        {
            return Answer::Redirected(redirect);
        }
        let demoted = error.is_some_and(|error| error.starts_with(b"READONLY"));
        Answer::Seen { outcome: self.vocabulary.observe(op, reply, seen), demoted }
    }

    /// A server does not answer: in a cluster, another one may have taken over.
    pub(super) fn doubt(&self) {
        if let Some(cluster) = &self.cluster {
            cluster.doubt();
        }
    }
}

/// What became of an operation that was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
    /// What it saw is noted.
    Seen {
        outcome: Outcome,
        /// The server has become a replica; a new connection may lead to its successor.
        demoted: bool,
    },
    /// It was not carried out, and belongs elsewhere.
    Redirected(Redirect),
}

impl Answer {
    pub(super) fn is_demoted(&self) -> bool {
        matches!(self, Answer::Seen { demoted: true, .. })
    }
}

/// Why an operation has no answer.
#[derive(Debug, Clone)]
pub(super) enum Trouble {
    /// It was never sent.
    Unsent(Cause),
    /// The connection failed under it.
    Failed(Failure),
}

impl Trouble {
    /// Notes it for the operation.
    pub(super) fn settle(self, seen: &mut Observation) -> Outcome {
        match self {
            Trouble::Unsent(cause) => seen.failed(cause),
            Trouble::Failed(Failure::Unsent) => seen.failed(Cause::ConnectionLost),
            Trouble::Failed(Failure::Lost) => seen.unknown(Cause::ConnectionLost),
            Trouble::Failed(Failure::NotRedis) => seen.unknown(Cause::Corrupt),
        }
    }
}
