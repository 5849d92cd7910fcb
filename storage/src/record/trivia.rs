//! The trivia game's session: ten questions with their correct answers, and the player's answers, which arrive one by
//! one.
//!
//! The questions never change after creation and make up nearly all of its 50 KB, so copies share them. The answers are
//! the last field of the JSON, so that a server can add one without moving the rest ([`SessionData::SPLICE`]).

use std::borrow::Cow;
use std::sync::Arc;
use std::time::SystemTime;

use parking_lot::RwLock;
use serde::{Deserialize, Serialize};

use super::timestamp::Timestamp;
use crate::award::{Awardable, ClaimToken};
use crate::data::{MergeReport, SessionData, Splice};
use crate::planted;
use crate::store::SessionId;

/// Bytes of a trivia session's JSON, unless specified.
pub const DEFAULT_BYTES: usize = 50_000;

/// Number of questions in a game.
const QUESTIONS: usize = 10;

/// The player.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum UserId {
    /// A user known by number.
    Number(i64),
    /// A user known by text. The text `anonymous` means no known user.
    Text(String),
}

impl UserId {
    /// A player who is not signed in.
    pub fn anonymous() -> Self {
        Self::Text("anonymous".to_owned())
    }
}

/// One question, its choices and the correct one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Question {
    /// The question's number.
    pub id: u64,
    /// What is asked.
    pub text: String,
    /// The choices offered.
    pub choices: Vec<String>,
    /// Index of the right choice, from 0.
    pub correct: u32,
    /// What the player sees afterwards.
    pub explanation: String,
}

/// One answer. `question` is its identity: a session holds at most one answer to a question.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Answer {
    /// The question answered. First in the JSON: [`SessionData::item_mark`] relies on it.
    pub question: u64,
    /// The choice given, from 0.
    pub choice: u32,
    /// Whether it was right.
    pub correct: bool,
    /// Points given.
    pub score: u32,
    /// When it was given.
    pub answered_at: Timestamp,
}

/// A running game.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", from = "Stored")]
pub struct TriviaSession {
    /// The session's own id, inside the data, so that a reader can tell it from another session.
    pub session_id: SessionId,
    /// The player.
    pub user_id: UserId,
    /// The questions, shared between copies.
    pub questions: Arc<[Question]>,
    /// When the game began.
    pub created_at: Timestamp,
    /// When the player last did something; never earlier than the last answer.
    pub last_activity_time: Timestamp,
    /// Whether the reward has been awarded. Only [`award::claim`](crate::award::claim) sets it.
    pub progression_awarded: bool,
    /// Who claimed the reward. Absent in records from before there were claims.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub award_claim: Option<ClaimToken>,
    /// The answers in the order in which they were accepted. Last in the JSON.
    pub answers: Vec<Answer>,
}

/// The stored JSON: a server-side append adds an answer without updating `lastActivityTime`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Stored {
    session_id: SessionId,
    user_id: UserId,
    questions: Arc<[Question]>,
    created_at: Timestamp,
    last_activity_time: Timestamp,
    progression_awarded: bool,
    #[serde(default)]
    award_claim: Option<ClaimToken>,
    answers: Vec<Answer>,
}

impl From<Stored> for TriviaSession {
    fn from(stored: Stored) -> Self {
        let answered = stored.answers.iter().map(|answer| answer.answered_at).max();
        Self {
            session_id: stored.session_id,
            user_id: stored.user_id,
            questions: stored.questions,
            created_at: stored.created_at,
            last_activity_time: answered.map_or(stored.last_activity_time, |at| at.max(stored.last_activity_time)),
            progression_awarded: stored.progression_awarded || stored.award_claim.is_some(),
            award_claim: stored.award_claim,
            answers: stored.answers,
        }
    }
}

impl TriviaSession {
    /// A new game with these questions.
    pub fn new(id: SessionId, user: UserId, questions: Arc<[Question]>, now: Timestamp) -> Self {
        Self {
            session_id: id,
            user_id: user,
            questions,
            created_at: now,
            last_activity_time: now,
            progression_awarded: false,
            award_claim: None,
            answers: Vec::new(),
        }
    }

    /// A new game whose JSON has about `bytes` bytes (never fewer than the fixed fields need, about 240; from about
    /// 1,000 on it has all ten questions). The same size gives the same questions, and sessions of one size share them.
    pub fn sized(id: SessionId, user: UserId, bytes: usize, now: Timestamp) -> Self {
        Self::new(id, user, sized_questions(bytes), now)
    }

    /// Points so far.
    pub fn score(&self) -> u64 {
        self.answers.iter().map(|answer| u64::from(answer.score)).sum()
    }
}

impl SessionData for TriviaSession {
    type Item = Answer;

    const SPLICE: Option<Splice> = Some(Splice { opener: "\"answers\":[", tail: "]}" });

    fn append(&mut self, answer: Answer) -> bool {
        if self.answers.iter().any(|known| known.question == answer.question) {
            return false;
        }
        self.last_activity_time = self.last_activity_time.max(answer.answered_at);
        self.answers.push(answer);
        true
    }

    fn item_mark(answer: &Answer) -> Option<String> {
        Some(format!("{{\"question\":{},", answer.question))
    }

    fn renamed(&mut self, to: &SessionId) {
        self.session_id = to.clone();
    }

    fn made_at(&self) -> Option<SystemTime> {
        Some(self.created_at.into())
    }

    fn user(&self) -> Option<Cow<'_, str>> {
        match &self.user_id {
            UserId::Text(name) if name == "anonymous" => None,
            UserId::Text(name) => Some(Cow::Borrowed(name)),
            UserId::Number(number) => Some(Cow::Owned(number.to_string())),
        }
    }

    /// Merges the answers by question; of two answers to one question, the one in `self` stays. The foreign copy's
    /// answers come first: they were accepted before the copies met. The reward stays with the foreign copy's claimant,
    /// who may have been paid; at most a fallback acknowledged a claim in `self`, so that claim is reported.
    fn merge(&mut self, other: Self) -> MergeReport {
        let mine = std::mem::take(&mut self.answers);
        let mut united = 0;
        let mut lost = 0;
        for answer in other.answers {
            match mine.iter().find(|known| known.question == answer.question) {
                None => {
                    united += 1;
                    self.answers.push(answer);
                }
                Some(known) if *known == answer => self.answers.push(answer),
                Some(known) => {
                    lost += 1;
                    self.answers.push(known.clone());
                }
            }
        }
        for answer in mine {
            if !self.answers.iter().any(|known| known.question == answer.question) {
                self.answers.push(answer);
            }
        }
        self.created_at = self.created_at.min(other.created_at);
        self.last_activity_time = self.last_activity_time.max(other.last_activity_time);
        let award = self.merge_award(other.progression_awarded, other.award_claim);
        MergeReport { united: united + award.united, lost, refused: award.refused }
    }
}

impl Awardable for TriviaSession {
    fn is_awarded(&self) -> bool {
        self.progression_awarded
    }

    fn claimant(&self) -> Option<&ClaimToken> {
        self.award_claim.as_ref()
    }

    fn award_to(&mut self, claimant: ClaimToken) {
        self.progression_awarded = true;
        self.award_claim = Some(claimant);
    }
}

impl TriviaSession {
    fn merge_award(&mut self, awarded: bool, claim: Option<ClaimToken>) -> MergeReport {
        let stays = self.award_claim == claim || planted::seam!(claim_of_fallback_wins);
        if !awarded || self.progression_awarded && stays {
            return MergeReport::default();
        }
        let named =
            |claim: &Option<ClaimToken>| claim.as_ref().map_or("nobody known".to_owned(), ClaimToken::to_string);
        let kept = named(&claim);
        let mine = std::mem::replace(&mut self.award_claim, claim);
        if !std::mem::replace(&mut self.progression_awarded, true) {
            return MergeReport { united: 1, ..MergeReport::default() };
        }
        tracing::warn!(session = %self.session_id, %kept, refused = named(&mine), "a reward was claimed twice");
        MergeReport { refused: 1, ..MergeReport::default() }
    }
}

/// Recently requested sizes with their questions: a load writes many sessions of few sizes.
static TEMPLATES: RwLock<Vec<(usize, Arc<[Question]>)>> = RwLock::new(Vec::new());
const TEMPLATES_KEPT: usize = 16;

fn sized_questions(bytes: usize) -> Arc<[Question]> {
    let known = |templates: &[(usize, Arc<[Question]>)]| {
        templates.iter().find(|(size, _)| *size == bytes).map(|(_, questions)| Arc::clone(questions))
    };
    if let Some(questions) = known(&TEMPLATES.read()) {
        return questions;
    }
    let questions = make_questions(bytes);
    let mut templates = TEMPLATES.write();
    // Another writer may have created them in between.
    if let Some(questions) = known(&templates) {
        return questions;
    }
    if templates.len() == TEMPLATES_KEPT {
        templates.remove(0);
    }
    templates.push((bytes, Arc::clone(&questions)));
    questions
}

/// JSON bytes of a session without questions, with ids of usual length.
const FIXED_BYTES: usize = 240;
/// JSON bytes of a question without text and explanation.
const QUESTION_BYTES: usize = 76;

fn make_questions(bytes: usize) -> Arc<[Question]> {
    const PROSE: &str = "The quick brown fox jumps over the lazy dog, and nobody has ever asked the dog about it. ";
    let room = bytes.saturating_sub(FIXED_BYTES);
    let count = (room / QUESTION_BYTES).min(QUESTIONS);
    let filler = room.saturating_sub(count * QUESTION_BYTES);
    (0..count)
        .map(|number| {
            let share = filler * (number + 1) / count - filler * number / count;
            let text = share.min(80);
            Question {
                id: number as u64 + 1,
                text: PROSE.chars().take(text).collect(),
                choices: ["a", "b", "c", "d"].map(str::to_owned).to_vec(),
                correct: (number % 4) as u32,
                explanation: PROSE.chars().cycle().take(share - text).collect(),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(answers: &[u64]) -> TriviaSession {
        let id = SessionId::new("s1").unwrap();
        let mut session = TriviaSession::sized(id, UserId::Number(7), 1_000, Timestamp(1_000));
        for question in answers {
            session.append(answer(*question));
        }
        session
    }

    fn answer(question: u64) -> Answer {
        Answer { question, choice: 1, correct: true, score: 10, answered_at: Timestamp(5_000 + question as i64) }
    }

    fn questions(session: &TriviaSession) -> Vec<u64> {
        session.answers.iter().map(|answer| answer.question).collect()
    }

    #[test]
    fn the_json_is_camel_case_with_iso_dates_and_ends_with_the_answers() {
        let mut session = TriviaSession::sized(SessionId::new("s1").unwrap(), UserId::Number(7), 0, Timestamp(1_000));
        session.append(answer(3));
        assert_eq!(
            serde_json::to_string(&session).unwrap(),
            "{\"sessionId\":\"s1\",\"userId\":7,\"questions\":[],\"createdAt\":\"1970-01-01T00:00:01.000Z\",\
             \"lastActivityTime\":\"1970-01-01T00:00:05.003Z\",\"progressionAwarded\":false,\"answers\":[\
             {\"question\":3,\"choice\":1,\"correct\":true,\"score\":10,\"answeredAt\":\"1970-01-01T00:00:05.003Z\"}]}"
        );
    }

    #[test]
    fn a_sized_session_has_about_the_bytes_asked_for_and_ten_questions() {
        for bytes in [1_024, 10_000, 50_000, 200_000] {
            let session = TriviaSession::sized(SessionId::random(), UserId::anonymous(), bytes, Timestamp::now());
            let json = serde_json::to_vec(&session).unwrap();
            assert!(json.len().abs_diff(bytes) <= 60, "{} for {bytes}", json.len());
            assert_eq!(session.questions.len(), 10);
        }
    }

    #[test]
    fn sessions_of_one_size_share_their_questions() {
        let one = TriviaSession::sized(SessionId::random(), UserId::anonymous(), 50_000, Timestamp(0));
        let two = TriviaSession::sized(SessionId::random(), UserId::anonymous(), 50_000, Timestamp(0));
        assert!(Arc::ptr_eq(&one.questions, &two.questions));
    }

    #[test]
    fn it_comes_back_from_json_as_it_was() {
        let before = session(&[1, 2, 3]);
        let json = serde_json::to_string(&before).unwrap();
        assert_eq!(serde_json::from_str::<TriviaSession>(&json).unwrap(), before);
    }

    #[test]
    fn an_answer_given_twice_counts_once() {
        let mut session = session(&[1, 2]);
        assert!(!session.append(answer(2)));
        assert!(session.append(answer(3)));
        assert_eq!(questions(&session), [1, 2, 3]);
        assert_eq!(session.score(), 30);
    }

    #[test]
    fn the_mark_of_an_answer_is_in_its_json_and_in_no_other() {
        let json = serde_json::to_string(&answer(17)).unwrap();
        assert!(json.contains(&TriviaSession::item_mark(&answer(17)).unwrap()));
        for other in [1, 7, 170, 117] {
            assert!(!json.contains(&TriviaSession::item_mark(&answer(other)).unwrap()));
        }
    }

    #[test]
    fn merging_unites_answers_by_question() {
        let mut newer = session(&[1, 2, 4]);
        let report = newer.merge(session(&[1, 3]));
        assert_eq!(questions(&newer), [1, 3, 2, 4]);
        assert_eq!(report, MergeReport { united: 1, ..MergeReport::default() });
    }

    #[test]
    fn of_two_different_answers_to_one_question_the_newer_copys_stays_and_the_other_is_reported() {
        let mut newer = session(&[1]);
        let mut older = session(&[1]);
        older.answers[0].choice = 3;
        let report = newer.merge(older);
        assert_eq!(newer.answers, [answer(1)]);
        assert_eq!(report, MergeReport { lost: 1, ..MergeReport::default() });
    }

    #[test]
    fn a_claim_is_kept_in_the_record_in_front_of_the_answers() {
        let mut session = session(&[1]);
        session.award_to(ClaimToken::new("t-1").unwrap());
        let json = serde_json::to_string(&session).unwrap();
        assert!(json.contains("\"progressionAwarded\":true,\"awardClaim\":\"t-1\",\"answers\":["), "{json}");
        assert_eq!(serde_json::from_str::<TriviaSession>(&json).unwrap(), session);
    }

    #[test]
    fn of_two_claims_the_foreign_copys_stays_and_the_other_is_reported() {
        let claimed = |by: Option<&str>| {
            let mut session = session(&[]);
            by.into_iter().for_each(|by| session.award_to(ClaimToken::new(by).unwrap()));
            session
        };
        let cases = [
            (Some("mine"), Some("theirs"), Some("theirs"), (0, 1)),
            (Some("mine"), Some("mine"), Some("mine"), (0, 0)),
            (Some("mine"), None, Some("mine"), (0, 0)),
            (None, Some("theirs"), Some("theirs"), (1, 0)),
            (None, None, None, (0, 0)),
        ];
        for (mine, theirs, kept, (united, refused)) in cases {
            let mut session = claimed(mine);
            assert_eq!(session.merge(claimed(theirs)), MergeReport { united, lost: 0, refused }, "{mine:?} {theirs:?}");
            assert_eq!(session, claimed(kept), "{mine:?} {theirs:?}");
        }
    }

    #[test]
    fn a_reward_without_a_known_claimant_stays_so_in_a_merge() {
        let (mut mine, mut theirs) = (session(&[]), session(&[]));
        mine.award_to(ClaimToken::new("mine").unwrap());
        theirs.progression_awarded = true;
        assert_eq!(mine.merge(theirs), MergeReport { refused: 1, ..MergeReport::default() });
        assert!(mine.is_awarded() && mine.claimant().is_none());
    }

    #[test]
    fn a_user_is_text_or_number_and_anonymous_is_no_user() {
        assert_eq!(serde_json::from_str::<UserId>("12").unwrap(), UserId::Number(12));
        assert_eq!(serde_json::from_str::<UserId>("\"ada\"").unwrap(), UserId::Text("ada".into()));
        let mut session = session(&[]);
        assert_eq!(session.user().as_deref(), Some("7"));
        session.user_id = UserId::anonymous();
        assert_eq!(session.user(), None);
    }
}
