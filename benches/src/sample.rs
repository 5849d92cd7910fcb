//! The sessions that the benches store: trivia sessions of a given size, each for a different user.

use std::time::Duration;

use firedrill::ids::session_id;
use firedrill_storage::{Answer, SessionData, SessionId, Timestamp, TriviaSession, UserId};

use crate::Fallible;

/// Sizes measured, in bytes of JSON: a small session, and the trivia game's.
pub const SIZES: [(&str, usize); 2] = [("1 KiB", 1_024), ("50 KB", 50_000)];

/// A lifetime longer than any bench.
pub const TTL: Duration = Duration::from_secs(3_600);

/// Answers in a full game.
pub const ANSWERS: u64 = 10;

/// Some moment in 2026, always the same, so that all runs store the same bytes.
const NOW: Timestamp = Timestamp(1_785_000_000_000);

/// A session ready to store.
pub struct Sample {
    /// Its id.
    pub id: SessionId,
    /// Its data, without answers.
    pub session: TriviaSession,
    /// The same data as JSON.
    pub json: Vec<u8>,
}

impl Sample {
    /// Session `number`, with a JSON of about `bytes` bytes.
    ///
    /// # Errors
    /// None in practice: the id is derived, and the data can be serialised.
    pub fn new(number: u32, bytes: usize) -> Fallible<Self> {
        let id = SessionId::new(&session_id(1, number)).ok_or("a derived id is not allowed")?;
        let session = TriviaSession::sized(id.clone(), UserId::Number(i64::from(number)), bytes, NOW);
        let json = serde_json::to_vec(&session)?;
        Ok(Self { id, session, json })
    }

    /// The data at the end of the game, with all questions answered.
    pub fn played(&self) -> TriviaSession {
        let mut session = self.session.clone();
        for question in 1..=ANSWERS {
            session.append(answer(question));
        }
        session
    }

    /// Sessions 0 to `count`, exclusive.
    ///
    /// # Errors
    /// Same as [`Sample::new`].
    pub fn many(count: u32, bytes: usize) -> Fallible<Vec<Self>> {
        (0..count).map(|number| Self::new(number, bytes)).collect()
    }
}

/// The answer to `question`.
pub fn answer(question: u64) -> Answer {
    Answer { question, choice: 2, correct: true, score: 10, answered_at: NOW }
}
