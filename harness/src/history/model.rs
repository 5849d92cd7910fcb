//! What one operation leaves in the history.

use std::num::NonZeroU32;

use crate::clock::Nanos;

/// The number of a session within a drill, from 0. Its id is derived from the seed ([`crate::load`]).
pub type SessionNo = u32;

/// The number of a virtual user. Operations of one process never overlap in a closed loop; in an open loop a process is
/// the owner of a session, who may have several requests under way.
pub type Process = u32;

/// A unique mark that a write leaves in a session and reads show again: the index of the operation that wrote it, plus
/// one (so that 0 is free to mean "none").
pub type Token = u64;

/// What a listing shows in place of a session's number for an id that no session of the drill has.
pub const FOREIGN: Token = Token::MAX;

/// How many sessions a listing asks for.
pub const LIST_LIMIT: usize = 50;

/// What an operation does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum OpKind {
    /// Makes a new session.
    Create = 0,
    /// Reads a session and extends its life.
    Read = 1,
    /// Adds one item (its token) to a session.
    Append = 2,
    /// Overwrites a session whole; what it then holds is this operation's token alone.
    Put = 3,
    /// Extends a session's life.
    Touch = 4,
    /// Ends a session.
    Destroy = 5,
    /// Claims the session's one reward for this operation's token. Its tokens are then the one claimant that the record
    /// names: its own, or another's.
    Award = 6,
    /// Asks for the latest sessions of the user whose session it names. Its tokens are then their numbers, in the order
    /// of the answer; [`FOREIGN`] for an id that no session of the drill has.
    List = 7,
    /// Asks how many sessions there are. Its one token is then their number.
    Count = 8,
}

impl OpKind {
    /// Every kind, in the order of their numbers.
    pub const ALL: [OpKind; 9] = [
        OpKind::Create,
        OpKind::Read,
        OpKind::Append,
        OpKind::Put,
        OpKind::Touch,
        OpKind::Destroy,
        OpKind::Award,
        OpKind::List,
        OpKind::Count,
    ];

    /// The word used in scenarios and reports.
    pub fn name(self) -> &'static str {
        match self {
            OpKind::Create => "create",
            OpKind::Read => "read",
            OpKind::Append => "append",
            OpKind::Put => "put",
            OpKind::Touch => "touch",
            OpKind::Destroy => "destroy",
            OpKind::Award => "award",
            OpKind::List => "list",
            OpKind::Count => "count",
        }
    }
}

/// Which step of the drill an operation belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Step {
    /// Fills the store before the load; not measured.
    Preload = 0,
    /// Brings caches and connections to temperature; not measured.
    Warmup = 1,
    /// The measured load.
    Load = 2,
    /// The last reads of every session, after healing and recovery.
    Final = 3,
}

impl Step {
    /// Every step, in the order of their numbers.
    pub const ALL: [Step; 4] = [Step::Preload, Step::Warmup, Step::Load, Step::Final];
}

/// How an operation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Outcome {
    /// Acknowledged by the store itself.
    Ok = 0,
    /// Acknowledged by the fallback.
    Degraded = 1,
    /// Certainly without effect.
    Failed = 2,
    /// Perhaps with effect: a timeout, a cut connection.
    Unknown = 3,
}

impl Outcome {
    /// Every outcome, in the order of their numbers.
    pub const ALL: [Outcome; 4] = [Outcome::Ok, Outcome::Degraded, Outcome::Failed, Outcome::Unknown];

    /// The word used in scenarios and reports.
    pub fn name(self) -> &'static str {
        match self {
            Outcome::Ok => "ok",
            Outcome::Degraded => "degraded",
            Outcome::Failed => "failed",
            Outcome::Unknown => "unknown",
        }
    }

    /// Whether the caller was told that it was done.
    pub fn acknowledged(self) -> bool {
        matches!(self, Outcome::Ok | Outcome::Degraded)
    }
}

/// Whether the session was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Presence {
    /// The operation does not tell (it failed, or it is a write that creates).
    Unsaid = 0,
    /// "No such session": a truthful answer, and an append or touch that was therefore without effect.
    Absent = 1,
    /// The session was there.
    Present = 2,
}

impl Presence {
    /// Every presence, in the order of their numbers.
    pub const ALL: [Presence; 3] = [Presence::Unsaid, Presence::Absent, Presence::Present];
}

/// Why an operation was not `ok`, by class. Kept as a number in the history, as a word everywhere else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Cause {
    /// It was ok.
    None = 0,
    /// No connection: refused, or not within the deadline.
    Unreachable = 1,
    /// Sent, no answer within the deadline.
    Timeout = 2,
    /// The connection was cut before the answer.
    ConnectionLost = 3,
    /// The server refused (READONLY, OOM, MISCONF, NOAUTH, LOADING …).
    Refused = 4,
    /// A version conflict that the operation's retries did not settle.
    Conflict = 5,
    /// The id is taken.
    AlreadyExists = 6,
    /// What came back is not a session.
    Corrupt = 7,
    /// The load generator settled it: the target did not return by the operation's deadline.
    Abandoned = 8,
    /// The fallback answered.
    Fallback = 9,
}

impl Cause {
    /// Every cause, in the order of their numbers.
    pub const ALL: [Cause; 10] = [
        Cause::None,
        Cause::Unreachable,
        Cause::Timeout,
        Cause::ConnectionLost,
        Cause::Refused,
        Cause::Conflict,
        Cause::AlreadyExists,
        Cause::Corrupt,
        Cause::Abandoned,
        Cause::Fallback,
    ];

    /// The word used in reports.
    pub fn name(self) -> &'static str {
        match self {
            Cause::None => "none",
            Cause::Unreachable => "unreachable",
            Cause::Timeout => "timeout",
            Cause::ConnectionLost => "connection-lost",
            Cause::Refused => "refused",
            Cause::Conflict => "conflict",
            Cause::AlreadyExists => "already-exists",
            Cause::Corrupt => "corrupt",
            Cause::Abandoned => "abandoned",
            Cause::Fallback => "fallback",
        }
    }
}

/// One operation, invocation and completion together. Fixed size, so that recording it is one copy into a buffer; what
/// a read found (its tokens) lies in the arena of the batch it was recorded in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpRecord {
    /// Number of the operation, unique in the drill; a write's token is this plus one.
    pub index: u64,
    /// When it was due.
    pub planned: Nanos,
    /// When it was sent.
    pub started: Nanos,
    /// When its outcome was known.
    pub ended: Nanos,
    /// Version of the session that the answer named; 0 where none.
    pub version: u64,
    /// The session operated on.
    pub session: SessionNo,
    /// Who did it.
    pub process: Process,
    /// The session whose data was in the answer, as the data itself says; [`OpRecord::NO_OWNER`] where it says nothing.
    pub owner: SessionNo,
    /// Where the tokens found begin in the batch's arena.
    pub tokens_at: u32,
    /// How many tokens were found, in the order in which the session holds them.
    pub tokens_len: u32,
    /// What it did.
    pub kind: OpKind,
    /// Which step it belongs to.
    pub step: Step,
    /// How it ended.
    pub outcome: Outcome,
    /// Whether the session was found.
    pub presence: Presence,
    /// Why it was not ok.
    pub cause: Cause,
}

impl OpRecord {
    /// Marks an answer that does not say whose data it holds.
    pub const NO_OWNER: SessionNo = SessionNo::MAX;

    /// The token this operation writes.
    pub fn token(&self) -> Token {
        self.index + 1
    }
}

/// Operations recorded together, with the tokens their reads found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OpBatch {
    /// The operations, in the order of their completion within one worker.
    pub ops: Vec<OpRecord>,
    /// The arena: the tokens of all reads of this batch, one after the other.
    pub tokens: Vec<Token>,
}

impl OpBatch {
    /// The tokens that `op` (one of this batch) found.
    pub fn tokens_of(&self, op: &OpRecord) -> &[Token] {
        let at = op.tokens_at as usize;
        self.tokens.get(at..at + op.tokens_len as usize).unwrap_or(&[])
    }

    /// Empties the batch and keeps its memory.
    pub fn clear(&mut self) {
        self.ops.clear();
        self.tokens.clear();
    }
}

/// Something that happened beside the operations.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Note {
    /// A fault took hold.
    FaultOn {
        /// When, as observed.
        at: Nanos,
        /// Its position in the scenario, from 0.
        fault: u32,
        /// Its kind, as in the scenario.
        kind: String,
    },
    /// A fault was undone.
    FaultOff {
        /// When, as observed.
        at: Nanos,
        /// Its position in the scenario, from 0.
        fault: u32,
        /// Its kind, as in the scenario.
        kind: String,
    },
    /// Time jumped forward, for what lives in Redis and for the store alike.
    ClockJumped {
        /// Nothing had jumped before.
        at: Nanos,
        /// Everything that was there at `at` had jumped by then.
        until: Nanos,
        /// How far, in nanoseconds.
        by_ns: i64,
    },
    /// The store's fallback took over.
    FallbackStarted {
        /// When.
        at: Nanos,
        /// What the first failing call saw.
        cause: String,
    },
    /// The store's fallback was over.
    FallbackEnded {
        /// When.
        at: Nanos,
        /// Operations that it served.
        served: u64,
    },
    /// The fallback's sessions were written back.
    Drained {
        /// When.
        at: Nanos,
        /// Sessions written back.
        written: u64,
        /// Deletions carried out.
        deleted: u64,
        /// Sessions merged.
        merged: u64,
        /// Items no merge could keep.
        lost: u64,
    },
    /// Sessions were dropped by the store without having reached Redis.
    SessionsLost {
        /// When.
        at: Nanos,
        /// How many.
        sessions: u64,
    },
    /// The store's policy was changed.
    Deployed {
        /// When.
        at: Nanos,
        /// The policy before.
        from: String,
        /// The policy from then on.
        to: String,
    },
    /// After such a change: everything that only memory had is in Redis.
    CarriedOver {
        /// When.
        at: Nanos,
        /// Sessions written.
        written: u64,
        /// Deletions carried out.
        deleted: u64,
        /// Sessions merged.
        merged: u64,
        /// Items no merge could keep.
        lost: u64,
    },
    /// A silent cache was back, without what it had dropped.
    WritesDropped {
        /// When.
        at: Nanos,
        /// Writes and deletions dropped.
        writes: u64,
        /// Sessions taken out of Redis because of them.
        invalidated: u64,
    },
    /// Memory was full: what made room so far, since the store was built.
    Evicted {
        /// When.
        at: Nanos,
        /// Copies of what Redis has.
        copies: u64,
        /// Sessions that existed nowhere else.
        lost: u64,
    },
    /// The circuit breaker opened.
    BreakerOpened {
        /// When.
        at: Nanos,
        /// How often so far, since the store was built.
        opens: u64,
        /// Probes so far.
        probes: u64,
    },
    /// The circuit breaker lets probes through.
    BreakerHalfOpen {
        /// When.
        at: Nanos,
    },
    /// The circuit breaker was closed by a probe's answer.
    BreakerClosed {
        /// When.
        at: Nanos,
        /// Probes that this took.
        probes: u64,
    },
    /// The store's own memory was dropped and the store built anew.
    StoreRebuilt {
        /// When.
        at: Nanos,
    },
    /// The keys under the drill's prefix, looked at directly in Redis when the load is over and before the final reads.
    KeyScan {
        /// When.
        at: Nanos,
        /// Keys found.
        keys: u64,
        /// Of these, keys that will never expire: the first few, by name without the prefix.
        immortal: Vec<String>,
        /// How many keys will never expire.
        immortal_count: u64,
    },
}

impl Note {
    /// When it happened.
    pub fn at(&self) -> Nanos {
        match self {
            Note::FaultOn { at, .. }
            | Note::FaultOff { at, .. }
            | Note::ClockJumped { at, .. }
            | Note::FallbackStarted { at, .. }
            | Note::FallbackEnded { at, .. }
            | Note::Drained { at, .. }
            | Note::SessionsLost { at, .. }
            | Note::StoreRebuilt { at }
            | Note::Deployed { at, .. }
            | Note::CarriedOver { at, .. }
            | Note::WritesDropped { at, .. }
            | Note::Evicted { at, .. }
            | Note::BreakerOpened { at, .. }
            | Note::BreakerHalfOpen { at }
            | Note::BreakerClosed { at, .. }
            | Note::KeyScan { at, .. } => *at,
        }
    }
}

/// What stands at the head of a history: enough to judge it without the scenario.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Header {
    /// Format version of the file.
    pub version: u32,
    /// Name of the scenario.
    pub scenario: String,
    /// The seed everything was derived from.
    pub seed: u64,
    /// Lifetime of a session after its last use, in nanoseconds.
    pub ttl_ns: i64,
    /// How far Redis's and the harness's view of an expiry may lie apart, in nanoseconds.
    pub ttl_slack_ns: i64,
    /// Whether a read extends the life of a session.
    pub sliding: bool,
    /// How many sessions each user has: session n is one of user n divided by this, rounded down. At least 1, which
    /// versions before 3 had always.
    #[serde(default = "one")]
    pub sessions_per_user: NonZeroU32,
    /// Wall clock at the epoch, milliseconds since 1970-01-01 UTC.
    pub epoch_ms: i64,
}

fn one() -> NonZeroU32 {
    NonZeroU32::MIN
}

impl Header {
    /// The user whose session `session` is.
    pub fn user_of(&self, session: SessionNo) -> u32 {
        session / self.sessions_per_user
    }
}

/// A whole history in memory, as the checkers take it.
#[derive(Debug, Clone)]
pub struct History {
    /// Its head.
    pub header: Header,
    /// The operations, sorted by [`OpRecord::started`].
    pub ops: OpBatch,
    /// What happened beside them, sorted by time.
    pub notes: Vec<Note>,
}
