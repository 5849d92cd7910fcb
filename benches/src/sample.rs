//! The sessions that the benches store: trivia sessions of a given size, each of a user of its own.

use std::time::Duration;

use firedrill::ids::session_id;
use firedrill_storage::{Answer, SessionData, SessionId, Timestamp, TriviaSession, UserId};

use crate::Fallible;

/// Sizes measured, in bytes of JSON: a small session, and the trivia game's.
pub const SIZES: [(&str, usize); 2] = [("1 KiB", 1_024), ("50 KB", 50_000)];

/// A lifetime that no bench outlasts.
pub const TTL: Duration = Duration::from_secs(3_600);

/// Answers of a full game.
pub const ANSWERS: u64 = 10;

/// Some moment of 2026. The same in every run, so that runs store the same bytes.
const NOW: Timestamp = Timestamp(1_785_000_000_000);

/// A session ready to be stored.
pub struct Sample {
    /// Its id.
    pub id: SessionId,
    /// Its data, without answers.
    pub session: TriviaSession,
    /// The same as JSON.
    pub json: Vec<u8>,
}

impl Sample {
    /// Session `number`, with a JSON of about `bytes` bytes.
    ///
    /// # Errors
    /// None in practice: the id is derived and the data has a JSON.
    pub fn new(number: u32, bytes: usize) -> Fallible<Self> {
        let id = SessionId::new(&session_id(1, number)).ok_or("a derived id is not allowed")?;
        let session = TriviaSession::sized(id.clone(), UserId::Number(i64::from(number)), bytes, NOW);
        let json = serde_json::to_vec(&session)?;
        Ok(Self { id, session, json })
    }

    /// The data at the end of the game, with every question answered.
    pub fn played(&self) -> TriviaSession {
        let mut session = self.session.clone();
        for question in 1..=ANSWERS {
            session.append(answer(question));
        }
        session
    }

    /// Sessions 0 up to `count`.
    ///
    /// # Errors
    /// As [`Sample::new`].
    pub fn many(count: u32, bytes: usize) -> Fallible<Vec<Self>> {
        (0..count).map(|number| Self::new(number, bytes)).collect()
    }
}

/// The answer to a question of the game.
pub fn answer(question: u64) -> Answer {
    Answer { question, choice: 2, correct: true, score: 10, answered_at: NOW }
}
