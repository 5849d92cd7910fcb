//! Errors of a player's request.

use crate::error::{Effect, StoreError};

/// Why a request to a game was not carried out.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum GameError {
    /// There is no such game: never begun, ended or expired.
    #[error("there is no such game, or it has expired")]
    NotFound,
    /// The game does not ask this question.
    #[error("question {question} is not asked in this game")]
    NoSuchQuestion {
        /// The question named.
        question: u64,
    },
    /// The question has no such choice.
    #[error("question {question} has the choices 0 to {}, not {choice}", .choices.saturating_sub(1))]
    NoSuchChoice {
        /// The question answered.
        question: u64,
        /// The choice given.
        choice: u32,
        /// The number of choices.
        choices: usize,
    },
    /// The question has another answer: the first one counts.
    #[error("question {question} was answered with choice {first} before, and the first answer counts")]
    AlreadyAnswered {
        /// The question answered.
        question: u64,
        /// The choice that counts.
        first: u32,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl GameError {
    /// Whether the request may still have taken effect.
    pub fn effect(&self) -> Effect {
        match self {
            GameError::Store(error) => error.effect(),
            _ => Effect::None,
        }
    }
}
