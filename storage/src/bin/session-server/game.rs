//! The trivia game over a session store (T7): create, answer, results, award. Every access lets the session live anew.

use std::sync::Arc;
use std::time::Duration;

use firedrill_storage::{
    Acked, Answer, Session, SessionId, SessionStore, StoreError, Timestamp, TriviaSession, UserId,
};

/// Points for a right answer.
const POINTS: u32 = 10;
/// How often an award starts over after another write got in between.
const ROUNDS: usize = 16;

/// Plays games in a store.
pub struct Game {
    store: Arc<dyn SessionStore<TriviaSession>>,
    ttl: Duration,
}

/// What became of an answer.
pub enum Submitted {
    /// It was judged.
    Judged(Answer),
    /// The game has no such question.
    NoSuchQuestion,
    /// The question has no such choice.
    NoSuchChoice,
}

impl Game {
    /// Games in `store`, each living `ttl` after its last use.
    pub fn new(store: Arc<dyn SessionStore<TriviaSession>>, ttl: Duration) -> Self {
        Self { store, ttl }
    }

    /// Begins a game.
    pub async fn create(&self, user: UserId, bytes: usize) -> Result<Acked<TriviaSession>, StoreError> {
        let id = SessionId::random();
        let session = TriviaSession::sized(id.clone(), user, bytes, Timestamp::now());
        let acked = self.store.create(&id, session.clone(), self.ttl).await?;
        Ok(Acked { value: session, served_by: acked.served_by })
    }

    /// Judges an answer and keeps it. The first answer to a question stays.
    pub async fn submit(&self, id: &SessionId, question: u64, choice: u32) -> Result<Acked<Submitted>, StoreError> {
        let read = self.store.get(id, self.ttl).await?;
        let session = read.value.ok_or(StoreError::NotFound)?.data;
        let Some(asked) = session.questions.iter().find(|asked| asked.id == question) else {
            return Ok(Acked { value: Submitted::NoSuchQuestion, served_by: read.served_by });
        };
        if choice as usize >= asked.choices.len() {
            return Ok(Acked { value: Submitted::NoSuchChoice, served_by: read.served_by });
        }
        if let Some(known) = session.answers.iter().find(|known| known.question == question) {
            return Ok(Acked { value: Submitted::Judged(known.clone()), served_by: read.served_by });
        }
        let correct = choice == asked.correct;
        let score = if correct { POINTS } else { 0 };
        let answer = Answer { question, choice, correct, score, answered_at: Timestamp::now() };
        let acked = self.store.append(id, answer.clone(), self.ttl).await?;
        Ok(Acked { value: Submitted::Judged(answer), served_by: acked.served_by })
    }

    /// The game as it stands.
    pub async fn results(&self, id: &SessionId) -> Result<Acked<Session<TriviaSession>>, StoreError> {
        let read = self.store.get(id, self.ttl).await?;
        Ok(Acked { value: read.value.ok_or(StoreError::NotFound)?, served_by: read.served_by })
    }

    /// Claims the reward: `true` exactly once.
    pub async fn award(&self, id: &SessionId) -> Result<Acked<bool>, StoreError> {
        let mut current = 0;
        for _ in 0..ROUNDS {
            let Acked { value: Session { version, mut data }, served_by } = self.results(id).await?;
            if data.progression_awarded {
                return Ok(Acked { value: false, served_by });
            }
            data.progression_awarded = true;
            match self.store.update(id, version, data, self.ttl).await {
                Ok(acked) => return Ok(Acked { value: true, served_by: acked.served_by }),
                Err(StoreError::Conflict { current: now }) => current = now,
                Err(error) => return Err(error),
            }
        }
        Err(StoreError::Conflict { current })
    }

    /// Ends the game.
    pub async fn end(&self, id: &SessionId) -> Result<Acked<bool>, StoreError> {
        self.store.destroy(id).await
    }
}
