//! A reward that is paid out exactly once, however many callers claim it, however often, and whatever the network does.
//!
//! Each claimant brings its own [`ClaimToken`], and the session's record keeps the first one ([`Awardable`]). So asking
//! is idempotent: the same token always gets the same answer. After an unknown outcome (a timeout, a cut connection, a
//! crash of the caller), the claimant asks again with the same token. [`claim`] needs only `get` and `update`, so it
//! works on every [`SessionStore`].
//!
//! A fallback's answer is not final: two processes cut off from Redis would each award the reward. So a claim recorded
//! only in a fallback is [`Claim::Pending`]. Once Redis is back, the same token learns whether its claim was kept. If
//! two copies of a session meet, the claim in Redis stays, because it may have been paid.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::data::SessionData;
use crate::error::{Effect, StoreError};
use crate::store::{Acked, AppendStore, ServedBy, SessionId};

/// How often a claim starts over because another caller wrote the session in between.
const ROUNDS: u32 = 64;
/// How often an unknown outcome is checked before it is returned as unknown.
const LOOKS: u32 = 2;

/// Who claims a reward: 1 to 128 bytes of `A-Z a-z 0-9 - _`. A claimant keeps its token and asks again with it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ClaimToken(SessionId);

impl ClaimToken {
    /// Checks a token; `None` if a character or the length is not allowed.
    pub fn new(token: &str) -> Option<Self> {
        SessionId::new(token).map(Self)
    }

    /// A fresh random token (UUID v4).
    pub fn random() -> Self {
        Self(SessionId::random())
    }

    /// The token as text.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl std::fmt::Display for ClaimToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Data whose record holds one reward and its claimant.
pub trait Awardable: SessionData {
    /// Whether the reward has been awarded.
    fn is_awarded(&self) -> bool;

    /// Who claimed it; `None` also if it was awarded without a token.
    fn claimant(&self) -> Option<&ClaimToken>;

    /// Records the claim. Called only if [`is_awarded`](Awardable::is_awarded) returns `false`.
    fn award_to(&mut self, claimant: ClaimToken);
}

/// The result of a claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claim {
    /// It belongs to this claimant for good: pay it out. The same token gets this answer every time.
    Awarded,
    /// It is recorded in a fallback and may still lose to another claim: do not pay, but ask again with the same token
    /// once the store is no longer degraded.
    Pending,
    /// Another claimant has it.
    Taken {
        /// The claimant's token; `None` if there is none.
        by: Option<ClaimToken>,
    },
}

/// Claims the reward of a session for `token`, and restarts the session's lifetime with `ttl`. Only the primary returns
/// [`Claim::Awarded`], and only for one token.
///
/// [`StoreError::NotFound`] if there is no such session. An error whose [`effect`](StoreError::effect) is unknown means
/// that the claim may have been recorded: ask again with the same token, or the reward may stay claimed but unpaid.
pub async fn claim<D: Awardable>(
    store: &dyn AppendStore<D>,
    id: &SessionId,
    token: &ClaimToken,
    ttl: Duration,
) -> Result<Acked<Claim>, StoreError> {
    let mut open: Option<StoreError> = None;
    let (mut looks, mut last) = (0, StoreError::NotFound);
    for round in 0..ROUNDS {
        let found = match store.get(id, ttl).await {
            Ok(found) => found,
            // A read records nothing, but an earlier round may have.
            Err(error) => return Err(open.unwrap_or_else(|| without_effect(error))),
        };
        let Some(session) = found.value else { return Err(open.unwrap_or(StoreError::NotFound)) };
        let mut data = session.data;
        if data.is_awarded() {
            let answer = stand(&data, token, found.served_by);
            return Ok(Acked { value: answer, served_by: found.served_by });
        }
        data.award_to(token.clone());
        match store.update(id, session.version, data, ttl).await {
            Ok(acked) => return Ok(Acked { value: mine(acked.served_by), served_by: acked.served_by }),
            Err(conflict @ StoreError::Conflict { .. }) => last = conflict,
            // However late it is carried out, it requires the version that was read: it fails if another write came
            // first.
            Err(unknown) if unknown.effect() == Effect::Unknown => {
                looks += 1;
                if looks > LOOKS {
                    return Err(unknown);
                }
                open = Some(unknown);
            }
            Err(error) => return Err(open.unwrap_or(error)),
        }
        tokio::time::sleep(pause(round)).await;
    }
    Err(open.unwrap_or(last))
}

/// A claimant's result in an awarded record.
fn stand<D: Awardable>(data: &D, token: &ClaimToken, served_by: ServedBy) -> Claim {
    match data.claimant() {
        Some(claimant) if claimant == token => mine(served_by),
        claimant => Claim::Taken { by: claimant.cloned() },
    }
}

fn mine(served_by: ServedBy) -> Claim {
    match served_by {
        ServedBy::Primary => Claim::Awarded,
        ServedBy::Fallback => Claim::Pending,
    }
}

/// The error of a read within a claim: whatever happened to the read, nothing was recorded.
fn without_effect(error: StoreError) -> StoreError {
    match error.effect() {
        Effect::None => error,
        Effect::Unknown => StoreError::Unavailable { reason: format!("the session could not be read: {error}") },
    }
}

/// Jittered, so that those who collided do not collide again. At most a few milliseconds, because a conflict means that
/// another caller succeeded.
fn pause(round: u32) -> Duration {
    Duration::from_micros(rand::random_range(0..=u64::from(round.min(16)) * 250))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::MemoryStore;
    use crate::record::timestamp::Timestamp;
    use crate::record::trivia::{TriviaSession, UserId};
    use crate::store::SessionStore;

    const HOUR: Duration = Duration::from_secs(3600);

    fn id() -> SessionId {
        SessionId::new("a").unwrap()
    }

    async fn store_with(change: impl FnOnce(&mut TriviaSession)) -> MemoryStore<TriviaSession> {
        let store = MemoryStore::default();
        let mut session = TriviaSession::sized(id(), UserId::Number(1), 1_000, Timestamp(0));
        change(&mut session);
        store.create(&id(), session, HOUR).await.unwrap();
        store
    }

    #[tokio::test]
    async fn the_first_claim_is_awarded_and_asking_again_changes_nothing() {
        let store = store_with(|_| {}).await;
        let (one, two) = (ClaimToken::new("one").unwrap(), ClaimToken::new("two").unwrap());
        for _ in 0..2 {
            assert_eq!(claim(&store, &id(), &one, HOUR).await.unwrap(), Acked::primary(Claim::Awarded));
            let taken = Claim::Taken { by: Some(one.clone()) };
            assert_eq!(claim(&store, &id(), &two, HOUR).await.unwrap(), Acked::primary(taken));
        }
        assert_eq!(store.get(&id(), HOUR).await.unwrap().value.map(|session| session.version), Some(2));
    }

    #[tokio::test]
    async fn a_reward_paid_out_before_there_were_tokens_has_no_known_claimant() {
        let store = store_with(|session| session.progression_awarded = true).await;
        let claimed = claim(&store, &id(), &ClaimToken::random(), HOUR).await.unwrap();
        assert_eq!(claimed.value, Claim::Taken { by: None });
    }

    #[tokio::test]
    async fn there_is_no_reward_without_a_session() {
        let store = MemoryStore::<TriviaSession>::default();
        let error = claim(&store, &id(), &ClaimToken::random(), HOUR).await.unwrap_err();
        assert!(matches!(error, StoreError::NotFound), "{error:?}");
    }

    #[test]
    fn a_token_has_the_form_of_an_id() {
        assert!(ClaimToken::new("").is_none());
        assert!(ClaimToken::new("a b").is_none());
        assert_eq!(serde_json::to_string(&ClaimToken::new("t-1").unwrap()).unwrap(), "\"t-1\"");
        assert!(serde_json::from_str::<ClaimToken>("\"a\\nb\"").is_err());
    }
}
