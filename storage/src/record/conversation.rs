//! The chat service's conversation: its messages, appended one by one, and its metadata.
//!
//! Records live longer than releases. A field that an older release did not write gets its default, while a field of
//! the wrong type, or a record without an id, is an error ([`StoreError::Corrupt`](crate::StoreError::Corrupt)) and
//! never an empty conversation. The messages are the last field of the JSON, so that a server can add one without
//! moving the rest ([`SessionData::SPLICE`]). If they are not, an append goes by version.

use std::any::Any;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::{Arc, Weak};
use std::time::Duration;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use super::timestamp::Timestamp;
use crate::data::{MergeReport, SessionData, Splice};
use crate::error::StoreError;
use crate::store::{Acked, AppendStore, SessionId};

/// A conversation's lifetime after its last use, unless specified.
pub const DEFAULT_TTL: Duration = Duration::from_secs(24 * 3600);

/// Maximum number of conversations that [`recent`] lists.
pub const LIST_MAX: usize = 50;

/// A user's live conversations, newest first, at most [`LIST_MAX`].
pub async fn recent(store: &dyn AppendStore<Conversation>, user: &str) -> Result<Acked<Vec<SessionId>>, StoreError> {
    store.list_by_user(user, LIST_MAX).await
}

/// The speaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// The person.
    #[default]
    User,
    /// The service.
    Assistant,
    /// The author of the conversation's setup.
    System,
}

/// One message. `id` is its identity: a conversation holds it once, however often it is sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Message {
    /// The message's id, first in the JSON: [`SessionData::item_mark`] relies on it. Empty in records from before
    /// messages had ids: such a message equals no other.
    #[serde(default)]
    pub id: String,
    /// The speaker.
    #[serde(default)]
    pub role: Role,
    /// The text.
    #[serde(default)]
    pub content: String,
    /// When it was sent.
    #[serde(default)]
    pub sent_at: Timestamp,
}

/// Whether a conversation is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// It is open.
    #[default]
    Active,
    /// It is closed and kept for reading.
    Closed,
}

/// A conversation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", from = "Stored")]
pub struct Conversation {
    /// Its own id, inside the data, so that a reader can tell it from another conversation.
    pub session_id: SessionId,
    /// Its owner; `None`: no owner, and listed for nobody.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_id: Option<String>,
    /// Its topic.
    pub title: String,
    /// Whether it is open.
    pub status: Status,
    /// When it began.
    pub created_at: Timestamp,
    /// When it was last written; never earlier than the last message.
    pub updated_at: Timestamp,
    /// Anything else the service records, as plain text: nothing in here can look like the list of messages.
    pub metadata: BTreeMap<String, String>,
    /// The live part, if there is one in this process. Never written.
    #[serde(skip)]
    pub live: Live,
    /// The messages in the order in which they were accepted. Last in the JSON.
    pub messages: Vec<Message>,
}

/// The stored JSON: from an older release, or after an append on the server, which does not update `updatedAt`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Stored {
    session_id: SessionId,
    #[serde(default)]
    user_id: Option<String>,
    #[serde(default)]
    title: String,
    #[serde(default)]
    status: Status,
    #[serde(default)]
    created_at: Option<Timestamp>,
    #[serde(default)]
    updated_at: Option<Timestamp>,
    #[serde(default)]
    metadata: BTreeMap<String, String>,
    #[serde(default)]
    messages: Vec<Message>,
}

impl From<Stored> for Conversation {
    fn from(stored: Stored) -> Self {
        let sent = || stored.messages.iter().map(|message| message.sent_at);
        let created_at = stored.created_at.or_else(|| sent().min()).or(stored.updated_at).unwrap_or_default();
        let updated_at = stored.updated_at.into_iter().chain(sent()).fold(created_at, Timestamp::max);
        Self {
            session_id: stored.session_id,
            user_id: stored.user_id,
            title: stored.title,
            status: stored.status,
            created_at,
            updated_at,
            metadata: stored.metadata,
            live: Live::default(),
            messages: stored.messages,
        }
    }
}

impl Conversation {
    /// A new conversation.
    pub fn new(id: SessionId, user: Option<String>, now: Timestamp) -> Self {
        Self {
            session_id: id,
            user_id: user,
            title: String::new(),
            status: Status::default(),
            created_at: now,
            updated_at: now,
            metadata: BTreeMap::new(),
            live: Live::default(),
            messages: Vec::new(),
        }
    }

    fn has(&self, message: &Message) -> bool {
        !message.id.is_empty() && self.messages.iter().any(|known| known.id == message.id)
    }
}

impl SessionData for Conversation {
    type Item = Message;

    const SPLICE: Option<Splice> = Some(Splice { opener: "\"messages\":[", tail: "]}" });

    fn append(&mut self, message: Message) -> bool {
        if self.has(&message) {
            return false;
        }
        self.updated_at = self.updated_at.max(message.sent_at);
        self.messages.push(message);
        true
    }

    fn item_mark(message: &Message) -> Option<String> {
        let id = serde_json::to_string(&message.id).ok().filter(|_| !message.id.is_empty())?;
        Some(format!("{{\"id\":{id},"))
    }

    fn renamed(&mut self, to: &SessionId) {
        self.session_id = to.clone();
    }

    fn made_at(&self) -> Option<SystemTime> {
        Some(self.created_at.into())
    }

    fn user(&self) -> Option<Cow<'_, str>> {
        self.user_id.as_deref().filter(|user| !user.is_empty()).map(Cow::Borrowed)
    }

    /// Merges the messages by id, the foreign copy's first: they were accepted before the copies met. Of two messages
    /// with one id, the one in `self` stays and the other is reported. Metadata comes from the copy that was updated
    /// last; a closed conversation stays closed.
    fn merge(&mut self, other: Self) -> MergeReport {
        let mine = std::mem::take(&mut self.messages);
        let mut report = MergeReport::default();
        if other.updated_at > self.updated_at {
            (self.user_id, self.title) = (other.user_id, other.title);
            self.metadata.extend(other.metadata);
        } else {
            for (key, value) in other.metadata {
                self.metadata.entry(key).or_insert(value);
            }
        }
        for message in other.messages {
            let same = |known: &&Message| **known == message || !message.id.is_empty() && known.id == message.id;
            match mine.iter().find(same) {
                None => {
                    report.united += 1;
                    self.messages.push(message);
                }
                Some(known) => {
                    report.lost += u64::from(*known != message);
                    self.messages.push(known.clone());
                }
            }
        }
        for message in mine {
            if !self.messages.contains(&message) {
                self.messages.push(message);
            }
        }
        if other.status == Status::Closed {
            self.status = Status::Closed;
        }
        self.created_at = self.created_at.min(other.created_at);
        self.updated_at = self.updated_at.max(other.updated_at);
        report
    }
}

/// What belongs to a conversation only in this process, and only while it is running: a connection, a stream, a task to
/// cancel. It is neither stored nor copied, and storing a conversation does not keep it alive.
#[derive(Default)]
pub struct Live(Option<Weak<dyn Any + Send + Sync>>);

impl Live {
    /// Points to `owner`, which must be kept alive elsewhere.
    pub fn of<T: Any + Send + Sync>(owner: &Arc<T>) -> Self {
        let owner: Weak<T> = Arc::downgrade(owner);
        Self(Some(owner))
    }

    /// The live part, if there is one of this type and its owner still exists.
    pub fn get<T: Any + Send + Sync>(&self) -> Option<Arc<T>> {
        self.0.as_ref()?.upgrade()?.downcast().ok()
    }
}

impl Clone for Live {
    fn clone(&self) -> Self {
        Self::default()
    }
}

/// Two conversations that differ only in their live part are equal.
impl PartialEq for Live {
    fn eq(&self, _other: &Self) -> bool {
        true
    }
}

impl std::fmt::Debug for Live {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.0.is_some() { "Live(..)" } else { "Live" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(id: &str, at: i64) -> Message {
        Message { id: id.into(), role: Role::User, content: format!("say {id}"), sent_at: Timestamp(at) }
    }

    fn conversation(messages: &[&str]) -> Conversation {
        let id = SessionId::new("c1").unwrap();
        let mut conversation = Conversation::new(id, Some("ada".into()), Timestamp(1_000));
        for (at, id) in messages.iter().enumerate() {
            conversation.append(message(id, 2_000 + at as i64));
        }
        conversation
    }

    fn ids(conversation: &Conversation) -> Vec<&str> {
        conversation.messages.iter().map(|message| message.id.as_str()).collect()
    }

    #[test]
    fn json_has_iso_dates_and_the_messages_last() {
        assert_eq!(
            serde_json::to_string(&conversation(&["m1"])).unwrap(),
            "{\"sessionId\":\"c1\",\"userId\":\"ada\",\"title\":\"\",\"status\":\"active\",\
             \"createdAt\":\"1970-01-01T00:00:01.000Z\",\"updatedAt\":\"1970-01-01T00:00:02.000Z\",\"metadata\":{},\
             \"messages\":[{\"id\":\"m1\",\"role\":\"user\",\"content\":\"say m1\",\
             \"sentAt\":\"1970-01-01T00:00:02.000Z\"}]}"
        );
    }

    #[test]
    fn it_comes_back_from_json_as_it_was() {
        let mut before = conversation(&["m1", "\"odd\\ id"]);
        before.metadata.insert("messages".into(), "[{\"id\":\"m9\",".into());
        let json = serde_json::to_string(&before).unwrap();
        assert_eq!(json.matches(Conversation::SPLICE.unwrap().opener).count(), 1);
        assert_eq!(serde_json::from_str::<Conversation>(&json).unwrap(), before);
    }

    #[test]
    fn fields_that_an_older_release_did_not_write_have_their_defaults() {
        let read = |json| serde_json::from_str::<Conversation>(json).unwrap();
        let old = read(r#"{"sessionId":"c1"}"#);
        assert_eq!(old, Conversation::new(SessionId::new("c1").unwrap(), None, Timestamp(0)));
        let old = read(r#"{"messages":[{"content":"hi","sentAt":"1970-01-01T00:00:05.000Z"}],"sessionId":"c1"}"#);
        assert_eq!((old.created_at, old.updated_at, old.status), (Timestamp(5_000), Timestamp(5_000), Status::Active));
        assert_eq!((old.messages[0].role, old.messages[0].id.as_str()), (Role::User, ""));
    }

    #[test]
    fn what_is_not_a_conversation_is_an_error_and_not_an_empty_one() {
        for json in [
            "{}",
            "null",
            "[]",
            r#"{"sessionId":7}"#,
            r#"{"sessionId":""}"#,
            r#"{"sessionId":"c1","messages":"none"}"#,
            r#"{"sessionId":"c1","messages":[{"id":1}]}"#,
            r#"{"sessionId":"c1","title":null}"#,
            r#"{"sessionId":"c1","status":"lost"}"#,
            r#"{"sessionId":"c1","updatedAt":12}"#,
            r#"{"sessionId":"c1","metadata":{"a":1}}"#,
        ] {
            assert!(serde_json::from_str::<Conversation>(json).is_err(), "{json}");
        }
    }

    #[test]
    fn the_live_part_is_neither_written_nor_copied_nor_kept_alive() {
        let socket = Arc::new(String::from("a socket"));
        let mut with = conversation(&[]);
        with.live = Live::of(&socket);
        assert_eq!(with.live.get::<String>().as_deref(), Some(&"a socket".to_owned()));
        assert!(with.live.get::<u8>().is_none());
        assert_eq!(serde_json::to_string(&with).unwrap(), serde_json::to_string(&conversation(&[])).unwrap());
        assert!(with.clone().live.get::<String>().is_none());
        drop(socket);
        assert!(with.live.get::<String>().is_none());
    }

    #[test]
    fn a_message_sent_twice_is_there_once_and_one_without_an_id_is_like_no_other() {
        let mut conversation = conversation(&["m1"]);
        assert!(!conversation.append(message("m1", 9_000)));
        assert!(conversation.append(message("", 9_000)) && conversation.append(message("", 9_000)));
        assert_eq!(ids(&conversation), ["m1", "", ""]);
        assert_eq!(conversation.updated_at, Timestamp(9_000));
        assert_eq!(Conversation::item_mark(&message("", 1)), None);
    }

    #[test]
    fn the_mark_of_a_message_is_in_its_json_and_in_no_other() {
        for id in ["m1", "a\"b\\c"] {
            let json = serde_json::to_string(&message(id, 1)).unwrap();
            assert!(json.contains(&Conversation::item_mark(&message(id, 1)).unwrap()));
            let mut quoting = message("m10", 1);
            quoting.content = Conversation::item_mark(&message(id, 1)).unwrap();
            assert!(!serde_json::to_string(&quoting).unwrap().contains(&quoting.content));
        }
    }

    #[test]
    fn merging_unites_messages_by_id_and_reports_what_it_cannot_keep() {
        let mut mine = conversation(&["m1", "m2"]);
        let mut theirs = conversation(&["m1", "m3"]);
        theirs.status = Status::Closed;
        theirs.title = "older".into();
        theirs.updated_at = Timestamp(1_500);
        assert_eq!(mine.merge(theirs), MergeReport { united: 1, ..MergeReport::default() });
        assert_eq!((ids(&mine), mine.status, mine.title.as_str()), (vec!["m1", "m3", "m2"], Status::Closed, ""));
        let mut other = conversation(&["m1"]);
        other.messages[0].content = "something else".into();
        other.title = "newer".into();
        other.updated_at = Timestamp(8_000);
        assert_eq!(mine.merge(other), MergeReport { lost: 1, ..MergeReport::default() });
        assert_eq!((mine.messages[0].content.as_str(), mine.title.as_str()), ("say m1", "newer"));
    }
}
