//! The trivia game's session manager: begin a game, answer questions, see the results, claim the reward.
//!
//! It works on any store, and every access restarts the game's lifetime. Answers are judged here, against the questions
//! in the record; players never see the right choice before they have answered. Every call except [`Games::begin`] may
//! be repeated after an unknown outcome: an answer counts once, and a reward is claimed by a token.

mod error;
mod view;

use std::sync::Arc;
use std::time::Duration;

pub use error::GameError;
pub use view::{Begun, OpenQuestion, Results, Submitted};

use crate::award::{self, Claim, ClaimToken};
use crate::error::StoreError;
use crate::record::timestamp::Timestamp;
use crate::record::trivia::{Answer, Question, TriviaSession, UserId};
use crate::store::{Acked, AppendStore, ServedBy, Session, SessionId};

/// Points for a right answer.
pub const POINTS: u32 = 10;

/// A game's lifetime after its last use, unless specified.
pub const DEFAULT_TTL: Duration = Duration::from_secs(3600);

/// The games in one store.
#[derive(Clone)]
pub struct Games {
    store: Arc<dyn AppendStore<TriviaSession>>,
    ttl: Duration,
}

impl Games {
    /// Games in `store` that live `ttl` after their last use.
    pub fn new(store: Arc<dyn AppendStore<TriviaSession>>, ttl: Duration) -> Self {
        Self { store, ttl }
    }

    /// The store with the games.
    pub fn store(&self) -> &Arc<dyn AppendStore<TriviaSession>> {
        &self.store
    }

    /// Begins a game with these questions, under a fresh random id. After an unknown outcome, begin another one: no
    /// caller knows the id of a game that may have been stored, and it expires.
    pub async fn begin(&self, user: UserId, questions: Arc<[Question]>) -> Result<Acked<Begun>, GameError> {
        let game = TriviaSession::new(SessionId::random(), user, questions, Timestamp::now());
        self.store_new(game).await
    }

    /// Begins a game whose record has about `bytes` bytes of JSON: see [`TriviaSession::sized`].
    pub async fn begin_sized(&self, user: UserId, bytes: usize) -> Result<Acked<Begun>, GameError> {
        self.store_new(TriviaSession::sized(SessionId::random(), user, bytes, Timestamp::now())).await
    }

    /// The stored game, including the correct choices: not for the player's eyes.
    pub async fn get(&self, id: &SessionId) -> Result<Acked<Session<TriviaSession>>, GameError> {
        let found = self.store.get(id, self.ttl).await?;
        let session = found.value.ok_or(GameError::NotFound)?;
        Ok(Acked { value: session, served_by: found.served_by })
    }

    /// Answers a question. Repeating an answer counts once and gets the same reply; a different answer to an answered
    /// question is [`GameError::AlreadyAnswered`], even if both were sent at once.
    pub async fn submit(&self, id: &SessionId, question: u64, choice: u32) -> Result<Acked<Submitted>, GameError> {
        let before = self.get(id).await?;
        let game = before.value.data;
        let asked = view::question(&game, question).ok_or(GameError::NoSuchQuestion { question })?;
        let choices = asked.choices.len();
        if choice as usize >= choices {
            return Err(GameError::NoSuchChoice { question, choice, choices });
        }
        if let Some(first) = view::answer(&game, question) {
            return repeated(first, choice, &game, before.served_by);
        }
        let answer = judge(asked, choice);
        match self.store.append(id, answer.clone(), self.ttl).await {
            Err(StoreError::NotFound) => return Err(GameError::NotFound),
            appended => appended?,
        };
        // An append does not say whether it added the answer or found one there; the record does.
        let after = self.get(id).await?;
        let game = after.value.data;
        match view::answer(&game, question) {
            Some(stored) if *stored == answer => Ok(told(stored, &game, false, after.served_by)),
            Some(first) => repeated(first, choice, &game, after.served_by),
            // The game was recreated in between, and this answer is gone with the old one.
            None => Err(GameError::NotFound),
        }
    }

    /// The state of the game.
    pub async fn results(&self, id: &SessionId) -> Result<Acked<Results>, GameError> {
        let found = self.get(id).await?;
        Ok(Acked { value: Results::of(&found.value.data), served_by: found.served_by })
    }

    /// Claims the game's reward for `token`; see [`award::claim`] for when to pay it out, and when to ask again.
    pub async fn award(&self, id: &SessionId, token: &ClaimToken) -> Result<Acked<Claim>, GameError> {
        match award::claim(&*self.store, id, token, self.ttl).await {
            Err(StoreError::NotFound) => Err(GameError::NotFound),
            claimed => Ok(claimed?),
        }
    }

    /// Ends a game. `false`: there was none.
    pub async fn end(&self, id: &SessionId) -> Result<Acked<bool>, GameError> {
        Ok(self.store.destroy(id).await?)
    }

    async fn store_new(&self, game: TriviaSession) -> Result<Acked<Begun>, GameError> {
        let begun = Begun::of(&game);
        let id = game.session_id.clone();
        let acked = self.store.create(&id, game, self.ttl).await?;
        Ok(Acked { value: begun, served_by: acked.served_by })
    }
}

fn judge(question: &Question, choice: u32) -> Answer {
    let correct = choice == question.correct;
    let score = if correct { POINTS } else { 0 };
    Answer { question: question.id, choice, correct, score, answered_at: Timestamp::now() }
}

fn told(answer: &Answer, game: &TriviaSession, repeated: bool, served_by: ServedBy) -> Acked<Submitted> {
    Acked { value: Submitted::of(answer, game, repeated), served_by }
}

/// The reply if the question has already been answered.
fn repeated(
    first: &Answer,
    choice: u32,
    game: &TriviaSession,
    served_by: ServedBy,
) -> Result<Acked<Submitted>, GameError> {
    if first.choice == choice {
        Ok(told(first, game, true, served_by))
    } else {
        Err(GameError::AlreadyAnswered { question: first.question, first: first.choice })
    }
}
