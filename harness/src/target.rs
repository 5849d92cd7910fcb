//! The system under test. A [`Target`] builds [`Client`]s; a client executes one operation at a time and reports what it saw.
//! The targets that a scenario can name are in [`targets`](crate::targets).

use std::future::{Future, ready};

use firedrill_reports::run::Fact;
use firedrill_storage::Policy;

use crate::clock::Clock;
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
    /// The process that it acts for.
    pub process: Process,
    /// Bytes of payload for an operation that writes a whole session; or which recorded command it is
    /// ([`Operation::recorded`]).
    pub payload_bytes: u32,
}

impl Operation {
    /// Above every size of a payload: Redis takes 512 MiB.
    const RECORDED: u32 = 1 << 31;

    /// The command of this number among all that recordings of the load have.
    pub(crate) fn of_recording(self, number: u32) -> Self {
        Self { payload_bytes: Self::RECORDED | number, ..self }
    }

    /// Which command of a recording it is; `None` for any other operation.
    pub fn recorded(&self) -> Option<usize> {
        let recorded = self.kind == OpKind::Command && self.payload_bytes & Self::RECORDED != 0;
        recorded.then_some((self.payload_bytes & !Self::RECORDED) as usize)
    }

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
    /// What the server said where it refused, fit to be shown: its code first.
    pub refusal: Option<String>,
}

impl Default for Observation {
    fn default() -> Self {
        Self {
            presence: Presence::Unsaid,
            cause: Cause::None,
            version: 0,
            owner: None,
            tokens: Vec::new(),
            refusal: None,
        }
    }
}

impl Observation {
    /// The operation was answered, and found its session `there` or not: both are truthful answers of a healthy target.
    pub fn answered(&mut self, there: bool) -> Outcome {
        self.presence = if there { Presence::Present } else { Presence::Absent };
        Outcome::Ok
    }

    /// The operation may have taken effect, or not: it timed out, or its connection was cut.
    pub fn unknown(&mut self, cause: Cause) -> Outcome {
        self.cause = cause;
        Outcome::Unknown
    }

    /// The operation certainly had no effect.
    pub fn failed(&mut self, cause: Cause) -> Outcome {
        self.cause = cause;
        Outcome::Failed
    }

    /// A fallback answered the operation, and not Redis.
    pub fn degraded(&mut self) -> Outcome {
        self.cause = Cause::Fallback;
        Outcome::Degraded
    }

    /// The outcome of an operation that was answered, by Redis or a fallback.
    pub(crate) fn outcome(&self) -> Outcome {
        if self.cause == Cause::Fallback { Outcome::Degraded } else { Outcome::Ok }
    }

    /// Clears it and keeps the allocation.
    pub fn clear(&mut self) {
        self.presence = Presence::Unsaid;
        self.cause = Cause::None;
        self.version = 0;
        self.owner = None;
        self.tokens.clear();
        self.refusal = None;
    }
}

/// What a target offers beside its operations. Faults, gates and settings of a scenario need one or the other; validation
/// asks the target for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ability {
    /// It runs as a process of its own, which faults hit and whose memory is sampled.
    Process,
    /// It takes the time from the drill's clock, which faults move.
    StoreClock,
    /// It finds its Redis by the drill's resolver, which faults change.
    StoreNames,
    /// It finds its Redis by a name whose address the drill can change.
    HostName,
    /// Its password for Redis can be changed while it runs.
    StorePassword,
    /// It gives every session a lifetime in Redis (`store.ttl`).
    Expiry,
    /// It ends each of its calls itself, by `store.timeout`.
    Deadline,
    /// [`Target::connected`] says whether it is connected to Redis.
    Connection,
    /// [`Target::held`] says how many sessions it has in memory.
    Held,
    /// It reports what its fallback does.
    Fallback,
    /// It reports what its circuit breaker does.
    Breaker,
    /// [`Target::deploy`] changes its policy under load.
    Deploys,
    /// It knows which user owns a session.
    Users,
    /// A planted defect can be put into it.
    Defects,
    /// Several of it can share a load.
    Instances,
    /// It reaches Redis by TLS.
    Tls,
    /// It encrypts its sessions where `store.encryption` says so.
    Encryption,
    /// It finds its way among several servers, and as a user of few rights.
    Topologies,
}

impl Ability {
    /// What a target without it does instead: the rest of a sentence that begins with the target.
    pub fn lacking(self) -> &'static str {
        match self {
            Ability::Process => "does not run in its own process",
            Ability::StoreClock => "takes the time of its machine, which a drill does not change",
            Ability::StoreNames => "resolves names as its machine does, which a drill does not change",
            Ability::HostName => "finds its Redis by an address that does not change",
            Ability::StorePassword => "keeps the password that it started with",
            Ability::Expiry => "gives its sessions no lifetime",
            Ability::Deadline => "has no deadline of its own for a call",
            Ability::Connection => "does not say whether it is connected to Redis",
            Ability::Held => "does not say how many sessions it holds in memory",
            Ability::Fallback => "does not report what its fallback does",
            Ability::Breaker => "does not report when its circuit breaker opens",
            Ability::Deploys => "keeps the settings that it started with",
            Ability::Users => "does not know which user owns a session",
            Ability::Defects => "has no place for a planted defect",
            Ability::Instances => "is one process in a drill",
            Ability::Tls => "speaks plain TCP only",
            Ability::Encryption => "does not encrypt its sessions",
            Ability::Topologies => "reaches one server without TLS only",
        }
    }
}

/// Why a target could not be built.
pub type BuildError = Box<dyn std::error::Error + Send + Sync>;

/// Something that operations can be sent to. One of your own needs the operations that it carries out and a [`Client`]:
///
/// ```no_run
/// use firedrill::prelude::*;
/// use redis::{AsyncCommands as _, RedisResult, aio::MultiplexedConnection};
///
/// /// Keeps each session as a list of the writes to it.
/// #[derive(Clone)]
/// struct Lists {
///     redis: MultiplexedConnection,
///     prefix: String,
/// }
///
/// impl Lists {
///     async fn connect(site: Site) -> RedisResult<Self> {
///         let redis = redis::Client::open(site.redis_url())?.get_multiplexed_async_connection().await?;
///         Ok(Self { redis, prefix: site.prefix().to_owned() })
///     }
///
///     async fn carry_out(&mut self, op: &Operation, seen: &mut Observation) -> RedisResult<bool> {
///         let key = format!("{}session:{}", self.prefix, op.session);
///         Ok(match op.kind {
///             OpKind::Create => self.redis.rpush::<_, _, u64>(&key, 0).await? > 0,
///             OpKind::Append => self.redis.rpush_exists::<_, _, u64>(&key, op.token()).await? > 0,
///             _ => {
///                 seen.tokens = self.redis.lrange(&key, 0, -1).await?;
///                 let there = !seen.tokens.is_empty();
///                 seen.tokens.retain(|token| *token > 0);
///                 there
///             }
///         })
///     }
/// }
///
/// impl Target for Lists {
///     type Client = Self;
///
///     const OPERATIONS: &'static [OpKind] = &[OpKind::Create, OpKind::Read, OpKind::Append];
///
///     fn client(&self) -> Self {
///         self.clone()
///     }
/// }
///
/// impl Client for Lists {
///     async fn execute(&mut self, op: &Operation, seen: &mut Observation) -> Outcome {
///         match self.carry_out(op, seen).await {
///             Ok(there) => seen.answered(there),
///             Err(_) => seen.unknown(Cause::ConnectionLost),
///         }
///     }
/// }
///
/// # async fn example() -> Result<(), DrillError> {
/// Drill::shipped("concurrent-writes").target(Lists::connect).run().await?.assert_passed();
/// # Ok(())
/// # }
/// ```
pub trait Target: Send + Sync + 'static {
    /// What sends them. It stays on the worker thread that made it.
    type Client: Client + 'static;

    /// The operations that its clients carry out: a load that asks for another is refused before anything starts.
    const OPERATIONS: &'static [OpKind];

    /// What it offers beside them.
    const ABILITIES: &'static [Ability] = &[];

    /// A new client for one lane of a worker: called on the worker's own runtime. Must not wait for the network: a
    /// target that is away shows in the operations, it does not stop the load.
    fn client(&self) -> Self::Client;

    /// The measured load begins at this clock's zero.
    fn load_begins(&self, _clock: Clock) {}

    /// Whether it has nothing left to recover from. Must answer within a second, whatever Redis does.
    fn settled(&self) -> impl Future<Output = bool> + Send {
        ready(true)
    }

    /// Whether it says that it is connected to Redis; `None` if it has no say ([`Ability::Connection`]). Must answer
    /// within a second.
    fn connected(&self) -> impl Future<Output = Option<bool>> + Send {
        ready(None)
    }

    /// Sessions that it holds in memory now, including those that have expired and were not dropped; `None` if it cannot
    /// tell ([`Ability::Held`]).
    fn held(&self) -> Option<u64> {
        None
    }

    /// How often it has tried to connect to Redis so far; `None` if it does not count.
    fn attempts(&self) -> Option<u64> {
        None
    }

    /// What a reader of the report must know of how the load reached it, as whole sentences without an end.
    fn remarks(&self) -> Vec<String> {
        Vec::new()
    }

    /// Changes its policy under load, and returns how many sessions were lost by it; `None` if it cannot
    /// ([`Ability::Deploys`]).
    fn deploy(&self, _policy: Policy) -> Option<u64> {
        None
    }

    /// The same target without anything that it remembers, for the final reads; `None` if it has no way to rebuild
    /// itself: the final reads then go through a new one from its factory, or through itself if there is none.
    ///
    /// # Errors
    /// Why it could not be built.
    fn rebuilt(&self) -> impl Future<Output = Result<Option<Self>, BuildError>> + Send
    where
        Self: Sized,
    {
        ready(Ok(None))
    }

    /// What the report says of it, in the order to be shown.
    fn describe(&self) -> Vec<Fact> {
        vec![fact("target", std::any::type_name::<Self>())]
    }
}

/// A line of the report about the target.
pub fn fact(key: &str, value: impl Into<String>) -> Fact {
    Fact { key: key.to_owned(), value: value.into() }
}

/// One lane to a target.
#[allow(async_fn_in_trait)] // clients live on one current-thread runtime: their futures need not be Send
pub trait Client {
    /// Carries out `op` and notes in `seen` (cleared before) what the answer said. The future may be dropped at the
    /// operation's deadline: the next call must then not see a leftover answer.
    async fn execute(&mut self, op: &Operation, seen: &mut Observation) -> Outcome;

    /// Opens what its operations will need, before the first of them is due. What fails here shows in the operations.
    async fn prepare(&mut self) {}
}
