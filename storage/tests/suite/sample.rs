//! The shipped records as the contract sees them: users' sessions with numbered items.

use std::fmt::Debug;

use firedrill_storage::award::claim;
use firedrill_storage::record::conversation::Role;
use firedrill_storage::{
    AppendStore, Claim, ClaimToken, Conversation, Message, SessionData, SessionId, StoreError, Timestamp, TriviaSession,
};

use crate::support::{HOUR, answer, questions, session};

pub trait Sample: SessionData + PartialEq + Debug {
    /// A small session of a user, without items.
    fn sample(id: &SessionId, user: &str) -> Self;

    fn item(number: u64) -> Self::Item;

    /// When the item with this number was made.
    fn item_time(number: u64) -> Timestamp {
        answer(number).answered_at
    }

    /// The numbers of its items, in order.
    fn items(&self) -> Vec<u64>;

    fn last_activity(&self) -> Timestamp;

    /// Claims the reward for a claimant, if the record has one.
    async fn claim(_store: &dyn AppendStore<Self>, _id: &SessionId, _by: &ClaimToken) -> Option<ClaimResult> {
        None
    }
}

pub type ClaimResult = Result<Claim, StoreError>;

impl Sample for TriviaSession {
    fn sample(id: &SessionId, user: &str) -> Self {
        session(id, user)
    }

    fn item(number: u64) -> Self::Item {
        answer(number)
    }

    fn items(&self) -> Vec<u64> {
        questions(self)
    }

    fn last_activity(&self) -> Timestamp {
        self.last_activity_time
    }

    async fn claim(store: &dyn AppendStore<Self>, id: &SessionId, by: &ClaimToken) -> Option<ClaimResult> {
        Some(claim(store, id, by, HOUR).await.map(|acked| acked.value))
    }
}

impl Sample for Conversation {
    fn sample(id: &SessionId, user: &str) -> Self {
        Self::new(id.clone(), Some(user.to_owned()), Timestamp(1_000))
    }

    fn item(number: u64) -> Message {
        let content = format!("said \"{number}\": {{\"id\":\"7\",");
        Message { id: number.to_string(), role: Role::Assistant, content, sent_at: Self::item_time(number) }
    }

    fn items(&self) -> Vec<u64> {
        self.messages.iter().map(|message| message.id.parse().unwrap()).collect()
    }

    fn last_activity(&self) -> Timestamp {
        self.updated_at
    }
}
