//! What an operation is, what each kind does to its session, and what one operation leaves in the history. Every other
//! module asks here: [`OpKind::effects`] is the one table, the methods of [`OpRecord`] read it.

use serde::Deserialize;
use strum::{EnumCount, IntoStaticStr};

use crate::clock::Nanos;

/// The number of a session within a drill, from 0. Its id is derived from the seed ([`crate::load`]).
pub type SessionNo = u32;

/// Whose operations are in an order: a virtual user's. Operations of one process never overlap in a closed loop; in an open
/// loop a process is the owner of a session, who may have several requests in flight. Where several stores share a load, a
/// process is the store that carries an operation, and has many in flight.
pub type Process = u32;

/// A unique mark that a write leaves in a session and reads show again: the index of the operation that wrote it, plus
/// one (so that 0 is free to mean "none").
pub type Token = u64;

/// What a listing shows in place of a session's number for an id that no session of the drill has.
pub const FOREIGN: Token = Token::MAX;

/// How many sessions a listing asks for.
pub const LIST_LIMIT: usize = 50;

/// An enum that is a number in the history and a word everywhere else.
macro_rules! coded {
    ($(#[$about:meta])* pub enum $name:ident { $($(#[$each:meta])* $variant:ident = $number:literal,)+ }) => {
        $(#[$about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, EnumCount, IntoStaticStr, Deserialize)]
        #[strum(serialize_all = "kebab-case")]
        #[serde(rename_all = "kebab-case")]
        #[repr(u8)]
        pub enum $name {
            $($(#[$each])* $variant = $number,)+
        }

        impl $name {
            /// How many there are. Array types use this, not `ALL.len()`: rustc 1.95 reports a cycle for that when it
            /// optimises.
            pub const COUNT: usize = <Self as EnumCount>::COUNT;

            /// Every one, in the order of their numbers.
            pub const ALL: [Self; Self::COUNT] = [$(Self::$variant),+];

            /// The word used in scenarios, reports and exports.
            pub fn name(self) -> &'static str {
                self.into()
            }
        }
    };
}

coded! {
    /// What an operation does.
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
        /// Asks how the store is. Degraded: a fallback answers, or Redis refuses writes. Failed: nothing answers.
        Health = 9,
        /// Gives a session a new id, as at a login. It stays the same session, and callers that used the old id when that
        /// happened has failed without effect.
        Renew = 10,
        /// Reads a session under the id that it had before its last renewal, or under one that it never had. Its one token
        /// is how many sessions there were: 0 or 1. It has none if there was no such id to look at.
        Revisit = 11,
        /// Ends every session of the user whose session it names.
        LogoutEverywhere = 12,
        /// Adds one to a session that is a counter ([`Header::counter`](super::Header::counter)).
        Increment = 13,
        /// Any other command, of which only one thing is judged: whose data is in its answer.
        Command = 14,
    }
}

impl OpKind {
    /// What this kind of operation does to its session: the one table.
    pub const fn effects(self) -> Effects {
        use {Content::*, Extends::*, Tells::*};
        match self {
            //                    makes  content   tells         extends
            OpKind::Create => row(true, Adds, Nothing, Always),
            OpKind::Read => row(false, Keeps, Presence, WhereReadsDo),
            OpKind::Append => row(false, Adds, UnlessAbsent, Always),
            OpKind::Put => row(true, Replaces, Nothing, Always),
            OpKind::Touch => row(false, Keeps, Presence, Always),
            OpKind::Destroy => row(false, Removes, Nothing, Never),
            OpKind::Award => row(false, Claims, Presence, Perhaps),
            OpKind::List => row(false, Keeps, Nothing, Never),
            OpKind::Count => row(false, Keeps, Nothing, Never),
            OpKind::Health => row(false, Keeps, Nothing, Never),
            OpKind::Renew => row(false, Keeps, Presence, Always),
            OpKind::Revisit => row(false, Keeps, Nothing, Never),
            OpKind::LogoutEverywhere => row(false, Removes, Nothing, Never),
            OpKind::Increment => row(false, Counts, UnlessAbsent, Always),
            OpKind::Command => row(false, Keeps, Nothing, Never),
        }
    }

    /// Whether it ends its session, alone or with others.
    pub const fn ends_session(self) -> bool {
        matches!(self.effects().content, Content::Removes)
    }

    /// Whether it asks about more than its session: it does nothing to it and does not tell whether it is there.
    pub const fn is_survey(self) -> bool {
        let Effects { makes, content, tells, extends } = self.effects();
        matches!((makes, content, tells, extends), (false, Content::Keeps, Tells::Nothing, Extends::Never))
    }
}

const fn row(makes: bool, content: Content, tells: Tells, extends: Extends) -> Effects {
    Effects { makes, content, tells, extends }
}

/// What a kind of operation does to its session, where it takes effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Effects {
    /// Whether it makes a session if there is none.
    pub makes: bool,
    /// What becomes of the session's content.
    pub content: Content,
    /// How its answer tells that the session was there.
    pub tells: Tells,
    /// Whether it extends the session's lifetime.
    pub extends: Extends,
}

/// What becomes of a session's content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    /// It stays as it is.
    Keeps,
    /// The operation's token may be in it from then on.
    Adds,
    /// It is the operation's token alone.
    Replaces,
    /// The session's reward is claimed.
    Claims,
    /// The number that it is grows by one.
    Counts,
    /// It ends with its session.
    Removes,
}

/// How an acknowledgement tells that the session was there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tells {
    /// It does not.
    Nothing,
    /// By the presence it names.
    Presence,
    /// It was, unless the answer was "no such session".
    UnlessAbsent,
}

/// Whether an operation that found its session extends the lifetime.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extends {
    /// It does not.
    Never,
    /// It does where reads do ([`Header::sliding`](super::Header::sliding)).
    WhereReadsDo,
    /// It does where reads do, and may elsewhere: a claim that comes too late only reads.
    Perhaps,
    /// It does.
    Always,
}

coded! {
    /// Which step of the drill an operation belongs to.
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
}

coded! {
    /// How an operation ended.
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
}

impl Outcome {
    /// Whether it was acknowledged.
    pub fn acknowledged(self) -> bool {
        matches!(self, Outcome::Ok | Outcome::Degraded)
    }
}

/// As reports have it. That an answer denies a session that must be there shows only in the whole history: such an
/// operation is `missing` in reports, and acknowledged here.
impl From<Outcome> for firedrill_reports::run::Outcome {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Ok => Self::Ok,
            Outcome::Degraded => Self::Degraded,
            Outcome::Failed => Self::Failed,
            Outcome::Unknown => Self::Unknown,
        }
    }
}

coded! {
    /// Whether the session was found.
    pub enum Presence {
        /// The operation does not tell (it failed, or it is a write that creates).
        Unsaid = 0,
        /// "No such session": a truthful answer, and an append or touch that was therefore without effect.
        Absent = 1,
        /// The session was there.
        Present = 2,
    }
}

coded! {
    /// Why an operation was not `ok`, by class. Kept as a number in the history, as a word everywhere else.
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
        /// The session got a new id meanwhile, and the operation used the old one; or it may have got one that was never told.
        Renewed = 10,
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

    /// Whether it is a read whose reply can accuse the target.
    pub fn is_answered_read(&self) -> bool {
        self.kind == OpKind::Read && self.outcome.acknowledged()
    }

    /// Whether it leaves its token in the session, where it takes effect.
    pub fn writes_token(&self) -> bool {
        matches!(self.kind.effects().content, Content::Adds | Content::Replaces)
    }

    /// Whether it is an append or put whose token the session certainly took. (That a create's token is there is not
    /// promised.)
    pub fn certainly_adds(&self) -> bool {
        matches!(self.kind, OpKind::Append | OpKind::Put)
            && self.outcome.acknowledged()
            && self.presence != Presence::Absent
    }

    /// Whether it is of a kind that writes the session's data for certain where it is acknowledged. A claim that comes too
    /// late only reads.
    pub fn certainly_writes(&self) -> bool {
        self.kind.effects().makes || self.certainly_adds()
    }

    /// Whether it may have written the session's data.
    pub fn perhaps_writes(&self) -> bool {
        use Content::{Adds, Claims, Counts, Replaces};
        matches!(self.kind.effects().content, Adds | Replaces | Claims | Counts) && self.perhaps_effective()
    }

    /// Whether it may have had its effect, now or later.
    pub fn perhaps_effective(&self) -> bool {
        match self.outcome {
            Outcome::Failed => false,
            Outcome::Unknown => true,
            // A destroy that found nothing may still have left word that the session is to go.
            Outcome::Ok | Outcome::Degraded => self.presence != Presence::Absent || self.kind == OpKind::Destroy,
        }
    }

    /// The last moment at which it can have had its effect, where it may have had one: that of an unknown outcome may
    /// come at any time.
    pub fn latest_effect(&self) -> Nanos {
        if self.outcome == Outcome::Unknown { Nanos::MAX } else { self.ended }
    }

    /// Whether it may have made a session where there was none.
    pub fn perhaps_creates(&self) -> bool {
        self.kind.effects().makes && self.perhaps_effective()
    }

    /// Whether it may have ended the session, for its user at least.
    pub fn perhaps_destroys(&self) -> bool {
        (self.kind.ends_session() && self.perhaps_effective()) || self.perhaps_strays()
    }

    /// Whether it is a renewal that may have left the session under an id which nobody was told: the answer that names it did
    /// not come.
    pub fn perhaps_strays(&self) -> bool {
        self.kind == OpKind::Renew
            && self.outcome == Outcome::Unknown
            && matches!(self.cause, Cause::Renewed | Cause::Abandoned)
    }

    /// Whether it was acknowledged and shows that the session was there before it.
    pub fn found_session(&self) -> bool {
        self.outcome.acknowledged()
            && match self.kind.effects().tells {
                Tells::Nothing => false,
                Tells::Presence => self.presence == Presence::Present,
                Tells::UnlessAbsent => self.presence != Presence::Absent,
            }
    }

    /// Whether it was acknowledged and says whether the session was there.
    pub fn says_whether_found(&self) -> bool {
        self.outcome.acknowledged()
            && match self.kind.effects().tells {
                Tells::Nothing => false,
                Tells::Presence => self.presence != Presence::Unsaid,
                Tells::UnlessAbsent => true,
            }
    }

    /// Whether the answer was "no such session". A failed operation can say so too.
    pub fn denies_session(&self) -> bool {
        self.presence == Presence::Absent && self.outcome != Outcome::Unknown
    }

    /// Whether it was acknowledged and found or made the session.
    pub fn proves_session(&self) -> bool {
        self.outcome.acknowledged() && self.kind.effects().makes || self.found_session()
    }

    /// Whether it certainly set the lifetime to run from its start again, where reads do (`sliding`) or do not.
    pub fn certainly_extends(&self, sliding: bool) -> bool {
        self.proves_session()
            && match self.kind.effects().extends {
                Extends::Never => false,
                Extends::WhereReadsDo | Extends::Perhaps => sliding,
                Extends::Always => true,
            }
    }

    /// Whether it may have extended the life of a session that was there, whatever it said in the end. What makes
    /// sessions is left out: see [`OpRecord::perhaps_creates`].
    pub fn perhaps_extends(&self, sliding: bool) -> bool {
        let Effects { makes, extends, .. } = self.kind.effects();
        !makes
            && self.presence != Presence::Absent
            && match extends {
                Extends::Never => false,
                Extends::WhereReadsDo => sliding,
                Extends::Perhaps | Extends::Always => true,
            }
    }
}

/// Operations recorded together, with the tokens their reads found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OpBatch {
    /// The operations, in the order of their completion within one worker.
    pub ops: Vec<OpRecord>,
    /// The arena: the tokens of all reads of this batch, in sequence.
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
