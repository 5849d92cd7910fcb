//! A player's view of a game: it hides the right choice until the player has answered.

use serde::{Deserialize, Serialize};

use crate::record::trivia::{Answer, Question, TriviaSession};
use crate::store::SessionId;

/// A question as a player sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenQuestion {
    /// The question's number.
    pub id: u64,
    /// What is asked.
    pub text: String,
    /// The choices offered.
    pub choices: Vec<String>,
}

/// A game that has just begun.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Begun {
    /// The game's id.
    pub session_id: SessionId,
    /// Its questions.
    pub questions: Vec<OpenQuestion>,
}

/// The result of an answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Submitted {
    /// The question answered.
    pub question_id: u64,
    /// Whether the answer was right.
    pub correct: bool,
    /// Points for it.
    pub score: u32,
    /// Points in the game so far.
    pub total_score: u64,
    /// Questions answered so far.
    pub answered: usize,
    /// Whether this answer had already been given and counted.
    pub repeated: bool,
}

/// The state of a game.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Results {
    /// The game's id.
    pub session_id: SessionId,
    /// Questions asked.
    pub questions: usize,
    /// Questions answered.
    pub answered: usize,
    /// The number of right answers.
    pub correct: usize,
    /// Points so far.
    pub score: u64,
    /// Whether every question is answered.
    pub finished: bool,
    /// Whether the reward is claimed.
    pub progression_awarded: bool,
    /// The answers in the order in which they counted.
    pub answers: Vec<Answer>,
}

impl Begun {
    pub(super) fn of(game: &TriviaSession) -> Self {
        let open = |question: &Question| OpenQuestion {
            id: question.id,
            text: question.text.clone(),
            choices: question.choices.clone(),
        };
        Self { session_id: game.session_id.clone(), questions: game.questions.iter().map(open).collect() }
    }
}

impl Submitted {
    pub(super) fn of(answer: &Answer, game: &TriviaSession, repeated: bool) -> Self {
        Self {
            question_id: answer.question,
            correct: answer.correct,
            score: answer.score,
            total_score: game.score(),
            answered: game.answers.len(),
            repeated,
        }
    }
}

impl Results {
    pub(super) fn of(game: &TriviaSession) -> Self {
        let open = game.questions.iter().filter(|question| answer(game, question.id).is_none()).count();
        Self {
            session_id: game.session_id.clone(),
            questions: game.questions.len(),
            answered: game.answers.len(),
            correct: game.answers.iter().filter(|answer| answer.correct).count(),
            score: game.score(),
            finished: open == 0,
            progression_awarded: game.progression_awarded,
            answers: game.answers.clone(),
        }
    }
}

/// The question with this number.
pub(super) fn question(game: &TriviaSession, number: u64) -> Option<&Question> {
    game.questions.iter().find(|question| question.id == number)
}

/// The answer given to a question.
pub(super) fn answer(game: &TriviaSession, question: u64) -> Option<&Answer> {
    game.answers.iter().find(|answer| answer.question == question)
}
