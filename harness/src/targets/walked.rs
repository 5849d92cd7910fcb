//! One session walked through its operations, without load or faults: what was asked, what came back, and what of it was seen
//! at Redis.

use async_trait::async_trait;

use crate::history::{OpKind, Outcome, Presence, Token};

/// One session's life.
#[derive(Debug, Clone)]
pub struct Walk {
    /// Its operations, up to the first that went wrong.
    pub acts: Vec<Act>,
    /// What went wrong with the last of them; `None` if nothing did.
    pub wrong: Option<String>,
    /// Whether the application did as described and still nothing of it was seen at Redis.
    pub without_redis: bool,
}

/// One operation of it.
#[derive(Debug, Clone)]
pub struct Act {
    /// What it was to do.
    pub kind: OpKind,
    /// Its requests.
    pub exchanges: Vec<Exchange>,
    /// How it ended.
    pub outcome: Outcome,
    /// Whether the session was there.
    pub presence: Presence,
    /// The tokens that it wrote or found.
    pub tokens: Vec<Token>,
    /// What was seen at Redis meanwhile.
    pub seen: Seen,
}

/// A request, and its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exchange {
    /// The number of the step in its operation, from 1.
    pub step: usize,
    /// `POST /cart`.
    pub request: String,
    /// What was sent with it: the names of cookies, and the body.
    pub with: Vec<String>,
    /// Its answer: status, headers that matter, the beginning of the body. Empty without one.
    pub answer: Vec<String>,
    /// Values captured from it.
    pub captured: Vec<(String, String)>,
}

/// Counts what reaches Redis.
#[async_trait]
pub trait Witness: Sync {
    /// What has reached it so far.
    async fn seen(&self) -> Seen;
}

/// What has reached Redis.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Seen {
    /// Bytes that went through the proxy towards Redis; `None` if the proxy does not count.
    pub bytes: Option<u64>,
    /// Commands of the class `@write` that Redis has carried out; `None` if others use it too.
    pub writes: Option<u64>,
}
