//! What is driven. A [`Target`] makes [`Client`]s; a client carries out one operation at a time and says what it saw.

pub mod app;
mod attempts;
pub mod defect;
pub mod redis;
pub mod store;

pub use app::AppTarget;
pub use redis::{RedisTarget, RedisTargetError};
pub use store::StoreTarget;

use crate::history::{Cause, OpKind, Outcome, Presence, Process, SessionNo, Token};

/// One operation of the plan, as a client gets it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Operation {
    /// Unique in the drill; the token that a write leaves is this plus one.
    pub index: u64,
    /// What to do.
    pub kind: OpKind,
    /// With which session.
    pub session: SessionNo,
    /// On behalf of whom.
    pub process: Process,
    /// Bytes of payload for an operation that writes a whole session.
    pub payload_bytes: u32,
}

impl Operation {
    /// The token this operation writes.
    pub fn token(&self) -> Token {
        self.index + 1
    }
}

/// What a client saw while it carried out an operation. One per lane, used again and again, so that nothing is
/// allocated per operation.
#[derive(Debug, Clone)]
pub struct Observation {
    /// Whether the session was there.
    pub presence: Presence,
    /// Why the outcome is not ok.
    pub cause: Cause,
    /// Version of the session that the answer named; 0 where none.
    pub version: u64,
    /// Whose data the answer held, as the data itself says.
    pub owner: Option<SessionNo>,
    /// The tokens the session held, in its own order.
    pub tokens: Vec<Token>,
}

impl Default for Observation {
    fn default() -> Self {
        Self { presence: Presence::Unsaid, cause: Cause::None, version: 0, owner: None, tokens: Vec::new() }
    }
}

impl Observation {
    /// Forgets what was seen and keeps the memory.
    pub fn clear(&mut self) {
        self.presence = Presence::Unsaid;
        self.cause = Cause::None;
        self.version = 0;
        self.owner = None;
        self.tokens.clear();
    }
}

/// Something that operations can be sent to.
pub trait Target: Send + Sync + 'static {
    /// What sends them. It stays on the worker thread that made it.
    type Client: Client + 'static;

    /// A new client for one lane of a worker: called on the worker's own runtime. Must not wait for the network: a
    /// target that is away shows in the operations, it does not stop the load.
    fn client(&self) -> Self::Client;
}

/// One lane to a target.
#[allow(async_fn_in_trait)] // clients live on one current-thread runtime: their futures need not be Send
pub trait Client {
    /// Carries out `op` and notes in `seen` (cleared before) what the answer said. The future may be dropped at the
    /// operation's deadline: the next call must then not see a leftover answer.
    async fn execute(&mut self, op: &Operation, seen: &mut Observation) -> Outcome;
}
