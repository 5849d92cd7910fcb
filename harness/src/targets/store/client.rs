//! One caller of the store, or of one of several, like an application that uses the storage crate.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use firedrill_storage::award::claim;
use firedrill_storage::{
    Acked, Answer, Claim, ClaimToken, Effect, HealthStatus, ServedBy, SessionData, SessionId, StoreError, Timestamp,
    TriviaSession, UserId,
};

use super::super::defect::Store;
use super::super::settings::UpdateMode;
use super::renewals::{Renewals, Taken};
use crate::history::{Cause, FOREIGN, LIST_LIMIT, OpKind, Outcome, Presence, SessionNo};
use crate::ids::{session_id, session_no};
use crate::target::{Client, Observation, Operation};

/// How many times a compare-and-set is attempted before a conflict fails the operation.
const CAS_ATTEMPTS: usize = 16;

/// How a store is used.
#[derive(Debug, Clone, Copy)]
pub struct Usage {
    /// The seed of the session ids.
    pub seed: u64,
    /// How long sessions live after their last use.
    pub ttl: Duration,
    /// How an answer is added to a session.
    pub update: UpdateMode,
    /// The number of sessions per user.
    pub sessions_per_user: NonZeroU32,
}

/// One caller of the store.
pub struct StoreClient {
    stores: Arc<[Store]>,
    usage: Usage,
    renewals: Arc<Renewals>,
}

impl StoreClient {
    /// Creates a caller that uses `stores`, of which there is at least one, as `usage` says.
    pub fn new(stores: Arc<[Store]>, usage: Usage) -> Self {
        Self { stores, usage, renewals: Arc::default() }
    }

    /// The same beside others that renew the same sessions.
    pub(super) fn beside(self, renewals: Arc<Renewals>) -> Self {
        Self { renewals, ..self }
    }

    /// The store that carries `op`. Of several, the operation's process is the number.
    fn store(&self, op: &Operation) -> &Store {
        &self.stores[op.process as usize % self.stores.len()]
    }
}

/// The result of an operation: whether the session existed, and which store says so.
type Done = Result<Acked<Presence>, StoreError>;

impl Client for StoreClient {
    async fn execute(&mut self, op: &Operation, seen: &mut Observation) -> Outcome {
        let Some(id) = SessionId::new(&session_id(self.usage.seed, op.session)) else {
            // Cannot happen: a derived id is a UUID, which is always valid.
            return settle(Err(StoreError::NotFound), seen);
        };
        let taken = match self.taken(id, op).await {
            Ok(taken) => taken,
            Err(error) => return settle(Err(error), seen),
        };
        let id = &taken.id;
        let done = match op.kind {
            OpKind::Create => self.create(id, op, seen).await,
            OpKind::Read => self.read(id, op, seen).await,
            OpKind::Append => self.append(id, op, seen).await,
            OpKind::Put => self.put(id, op, seen).await,
            OpKind::Touch => self.store(op).touch(id, self.usage.ttl).await.map(found),
            OpKind::Destroy => self.store(op).destroy(id).await.map(found),
            OpKind::Award => self.award(id, op, seen).await,
            OpKind::List => self.list(op, seen).await,
            OpKind::Count => self.count(op, seen).await,
            OpKind::Health => self.health(op).await,
            OpKind::Renew => self.renew(&taken, op, seen).await,
            OpKind::Revisit => self.revisit(&taken, op, seen).await,
            OpKind::LogoutEverywhere => self.log_out(op).await,
            // No scenario may ask for them: a session of the store is no counter, and its commands are its own.
            OpKind::Increment | OpKind::Command => return seen.failed(Cause::Refused),
        };
        let used_the_id = !op.kind.is_survey() && op.kind != OpKind::LogoutEverywhere;
        if used_the_id && denies(&done) && self.renewals.changed(op.session, &taken) {
            // True of the id that this request had, which is not the session's any more.
            return seen.failed(Cause::Renewed);
        }
        settle(done, seen)
    }
}

impl StoreClient {
    /// The session's id. After a renewal of unknown outcome, the next operation looks which one it is.
    async fn taken(&self, first: SessionId, op: &Operation) -> Result<Taken, StoreError> {
        loop {
            let taken = self.renewals.take(op.session, first.clone());
            let Some(doubtful) = &taken.doubtful else { return Ok(taken) };
            let there = without_effect(self.store(op).get(doubtful, self.usage.ttl).await)?.value.is_some();
            self.renewals.resolve(op.session, doubtful, there);
        }
    }

    async fn renew(&self, taken: &Taken, op: &Operation, seen: &mut Observation) -> Done {
        let to = self.store(op).successor(&taken.id);
        let renewal = self.renewals.begin(op.session, taken, &to);
        match self.store(op).rename(&taken.id, &to, self.usage.ttl).await {
            Ok(acked) => {
                renewal.settle(true);
                seen.version = acked.value;
                Ok(said(acked, Presence::Present))
            }
            Err(error) => {
                if error.effect() == Effect::None {
                    renewal.settle(false);
                }
                Err(error)
            }
        }
    }

    /// Looks for the session where it must not be.
    async fn revisit(&self, taken: &Taken, op: &Operation, seen: &mut Observation) -> Done {
        let former = taken.former.clone().unwrap_or_else(|| self.store(op).successor(&taken.id));
        let acked = self.store(op).get(&former, self.usage.ttl).await?;
        seen.tokens.push(u64::from(acked.value.is_some()));
        Ok(said(acked, Presence::Unsaid))
    }

    async fn log_out(&self, op: &Operation) -> Done {
        let acked = self.store(op).destroy_by_user(&self.user_of(op.session).to_string(), None).await?;
        Ok(said(acked, Presence::Unsaid))
    }

    async fn create(&self, id: &SessionId, op: &Operation, seen: &mut Observation) -> Done {
        let session = self.session(id, op);
        let acked = self.store(op).create(id, session, self.usage.ttl).await?;
        seen.version = acked.value;
        Ok(said(acked, Presence::Present))
    }

    async fn put(&self, id: &SessionId, op: &Operation, seen: &mut Observation) -> Done {
        let mut session = self.session(id, op);
        session.append(answer(op));
        let acked = self.store(op).put(id, session, self.usage.ttl).await?;
        seen.version = acked.value;
        Ok(said(acked, Presence::Present))
    }

    async fn read(&self, id: &SessionId, op: &Operation, seen: &mut Observation) -> Done {
        let acked = self.store(op).get(id, self.usage.ttl).await?;
        let found = Acked { value: presence(acked.value.is_some()), served_by: acked.served_by };
        if let Some(session) = acked.value {
            seen.version = session.version;
            seen.owner = self.owner(op.session, id, &session.data);
            seen.tokens.extend(session.data.answers.iter().map(|answer| answer.question));
        }
        Ok(found)
    }

    async fn append(&self, id: &SessionId, op: &Operation, seen: &mut Observation) -> Done {
        let acked = match self.usage.update {
            UpdateMode::Atomic => self.store(op).append(id, answer(op), self.usage.ttl).await?,
            UpdateMode::CompareAndSet => self.compare_and_set(id, op).await?,
            UpdateMode::ReadModifyWrite => self.read_modify_write(id, op).await?,
        };
        seen.version = acked.value;
        Ok(said(acked, Presence::Present))
    }

    /// Claims the session's reward for this operation, and notes who has it.
    async fn award(&self, id: &SessionId, op: &Operation, seen: &mut Observation) -> Done {
        // A number is always a valid token.
        let token = ClaimToken::new(&op.token().to_string()).unwrap_or_else(ClaimToken::random);
        let acked = claim(&**self.store(op), id, &token, self.usage.ttl).await?;
        seen.tokens.extend(match &acked.value {
            Claim::Awarded | Claim::Pending => Some(op.token()),
            Claim::Taken { by } => by.as_ref().and_then(|claimant| claimant.as_str().parse().ok()),
        });
        Ok(said(acked, Presence::Present))
    }

    /// Lists the latest sessions of the session's user.
    async fn list(&self, op: &Operation, seen: &mut Observation) -> Done {
        let acked = self.store(op).list_by_user(&self.user_of(op.session).to_string(), LIST_LIMIT).await?;
        let number = |id: &SessionId| self.number(id).map_or(FOREIGN, u64::from);
        seen.tokens.extend(acked.value.iter().map(number));
        Ok(said(acked, Presence::Unsaid))
    }

    async fn count(&self, op: &Operation, seen: &mut Observation) -> Done {
        let acked = self.store(op).count().await?;
        seen.tokens.push(acked.value);
        Ok(said(acked, Presence::Unsaid))
    }

    async fn health(&self, op: &Operation) -> Done {
        let health = self.store(op).health().await;
        match health.status {
            HealthStatus::Connected => Ok(Acked::primary(Presence::Unsaid)),
            HealthStatus::Degraded => Ok(Acked::fallback(Presence::Unsaid)),
            HealthStatus::Disconnected => {
                Err(StoreError::Unavailable { reason: health.reason.unwrap_or_else(|| "nothing answers".to_owned()) })
            }
        }
    }

    fn user_of(&self, session: SessionNo) -> u32 {
        session / self.usage.sessions_per_user
    }

    /// The session that has or had this id.
    fn number(&self, id: &SessionId) -> Option<SessionNo> {
        session_no(self.usage.seed, id.as_str()).or_else(|| self.renewals.number(id))
    }

    /// A session whose data names its user.
    fn session(&self, id: &SessionId, op: &Operation) -> TriviaSession {
        let user = UserId::Number(i64::from(self.user_of(op.session)));
        TriviaSession::sized(id.clone(), user, op.payload_bytes as usize, Timestamp::now())
    }

    /// The session that the data claims to be, when session `asked` with this `id` was read. If the data's id and user
    /// do not belong together, the user's first session is returned.
    fn owner(&self, asked: SessionNo, id: &SessionId, data: &TriviaSession) -> Option<SessionNo> {
        let UserId::Number(user) = data.user_id else { return None };
        let named = match data.session_id == *id {
            true => Some(asked),
            false => self.number(&data.session_id),
        };
        let theirs = named.filter(|&session| i64::from(self.user_of(session)) == user);
        let first = || user.checked_mul(i64::from(self.usage.sessions_per_user.get()));
        theirs.or_else(|| SessionNo::try_from(first()?).ok())
    }

    /// Reads, changes, and writes unless another writer got in between, in which case it retries.
    async fn compare_and_set(&self, id: &SessionId, op: &Operation) -> Result<Acked<u64>, StoreError> {
        let mut last = StoreError::NotFound;
        for _ in 0..CAS_ATTEMPTS {
            let mut session =
                without_effect(self.store(op).get(id, self.usage.ttl).await)?.value.ok_or(StoreError::NotFound)?;
            session.data.append(answer(op));
            match self.store(op).update(id, session.version, session.data, self.usage.ttl).await {
                Err(conflict @ StoreError::Conflict { .. }) => last = conflict,
                done => return done,
            }
        }
        Err(last)
    }

    /// Reads, changes, and overwrites whatever is there by then, as many applications do.
    async fn read_modify_write(&self, id: &SessionId, op: &Operation) -> Result<Acked<u64>, StoreError> {
        let session =
            without_effect(self.store(op).get(id, self.usage.ttl).await)?.value.ok_or(StoreError::NotFound)?;
        let mut data = session.data;
        data.append(answer(op));
        self.store(op).put(id, data, self.usage.ttl).await
    }
}

/// Marks the error of a read within a write as one without effect: whatever happened to the read, nothing was written.
fn without_effect<T>(read: Result<T, StoreError>) -> Result<T, StoreError> {
    read.map_err(|error| match error.effect() {
        Effect::None => error,
        Effect::Unknown => StoreError::Unavailable { reason: error.to_string() },
    })
}

fn said<T>(acked: Acked<T>, presence: Presence) -> Acked<Presence> {
    Acked { value: presence, served_by: acked.served_by }
}

fn found(acked: Acked<bool>) -> Acked<Presence> {
    let presence = presence(acked.value);
    said(acked, presence)
}

fn presence(found: bool) -> Presence {
    if found { Presence::Present } else { Presence::Absent }
}

/// The answer that carries the operation's token: answers are merged by question, so the token is the question.
fn answer(op: &Operation) -> Answer {
    Answer { question: op.token(), choice: 0, correct: true, score: 1, answered_at: Timestamp::now() }
}

/// Whether the store says that there is no such session, or that it has another id.
fn denies(done: &Done) -> bool {
    match done {
        Ok(acked) => acked.value == Presence::Absent,
        Err(error) => matches!(error, StoreError::NotFound | StoreError::Renamed),
    }
}

/// Turns the store's answer into an outcome, and notes why it is not ok.
fn settle(done: Done, seen: &mut Observation) -> Outcome {
    let error = match done {
        Ok(acked) => {
            seen.presence = acked.value;
            return match acked.served_by {
                ServedBy::Primary => Outcome::Ok,
                ServedBy::Fallback => {
                    seen.cause = Cause::Fallback;
                    Outcome::Degraded
                }
            };
        }
        Err(error) => error,
    };
    seen.cause = match &error {
        StoreError::NotFound => {
            // "No such session" is a truthful answer from a healthy store.
            seen.presence = Presence::Absent;
            return Outcome::Ok;
        }
        StoreError::AlreadyExists => Cause::AlreadyExists,
        StoreError::Conflict { .. } => Cause::Conflict,
        StoreError::Renamed => Cause::Renewed,
        StoreError::Timeout { .. } => Cause::Timeout,
        StoreError::ConnectionLost => Cause::ConnectionLost,
        StoreError::Refused { answer, .. } => {
            seen.refusal = Some(answer.clone());
            Cause::Refused
        }
        StoreError::Corrupt { .. } | StoreError::Undecryptable { .. } => Cause::Corrupt,
        _ => Cause::Unreachable,
    };
    match error.effect() {
        Effect::None => Outcome::Failed,
        Effect::Unknown => Outcome::Unknown,
    }
}
