//! The content of a journal. One JSON object per line: first the header, then what has been changed (each with a number, how to
//! undo it), and, after it was undone, that it was. No line holds a password.

use std::path::PathBuf;

use firedrill_storage::TlsOptions;
use serde::{Deserialize, Serialize};

use crate::lab::error::LabError;
use crate::lab::keyspace::KeyPrefix;
use crate::lab::process::Owner;
use crate::lab::url::RedisUrl;

/// The format's version, in every header.
pub const FORMAT: u32 = 1;

/// Whose journal it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// [`FORMAT`].
    pub journal: u32,
    /// The harness.
    #[serde(flatten)]
    pub owner: Owner,
    /// The scenario's name.
    pub scenario: String,
    /// When the drill began (RFC 3339).
    pub began: String,
    /// The external Redis, if any.
    pub redis: Option<RedisRecord>,
}

/// A Redis that is not the drill's own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RedisRecord {
    /// Its URL without the password.
    pub url: String,
    /// The file of the CA that is trusted there, if it is not one of the system's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca: Option<PathBuf>,
    /// Whether the URL had a password: healing needs it again.
    pub password: bool,
    /// Which start of the server it was.
    pub run_id: String,
    /// Under which the drill's keys are.
    pub prefix: KeyPrefix,
    /// From this and the URL's password follows the password that `server.auth` sets.
    pub nonce: String,
    /// Whether the scenario changes the server itself.
    pub server_faults: bool,
    /// By which the drill is known on the server; empty in journals of earlier versions.
    #[serde(default)]
    pub token: String,
}

/// How to undo one thing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "undo", rename_all = "kebab-case")]
pub enum Undo {
    /// CONFIG SET of what it was before.
    Config {
        /// The parameter. None that holds a secret is ever changed.
        name: String,
        /// Its value.
        value: String,
        /// The value that faults have set; empty in journals of earlier versions.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        set: Vec<String>,
    },
    /// REPLICAOF the primary it had.
    Primary {
        /// `host port`, or nothing for a primary.
        value: String,
        /// The value that faults have set; empty in journals of earlier versions.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        set: Vec<String>,
    },
    /// ACL SETUSER with the passwords it had.
    Passwords {
        /// The user.
        user: String,
        /// `nopass`, or `#` and the SHA-256 of each password, as ACL GETUSER tells them.
        rules: String,
        /// The rules that faults have set, in the same form; empty in journals of earlier versions.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        set: Vec<String>,
    },
    /// CLIENT UNPAUSE.
    Unpause {
        /// When the pause ends by itself, in milliseconds since 1970.
        ends_ms: u64,
    },
    /// Deletes a proxy, with its toxics, from a Toxiproxy server.
    DeleteProxy {
        /// The server's API.
        api: String,
        /// The proxy.
        name: String,
    },
}

impl std::fmt::Display for Undo {
    /// What undoing it does, for people.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Undo::Config { name, value, .. } => write!(f, "CONFIG SET {name} \"{value}\""),
            Undo::Primary { value, .. } if value.is_empty() => f.write_str("REPLICAOF NO ONE"),
            Undo::Primary { value, .. } => write!(f, "REPLICAOF {value}"),
            Undo::Passwords { user, .. } => write!(f, "the passwords of user {user}"),
            Undo::Unpause { .. } => f.write_str("CLIENT UNPAUSE"),
            Undo::DeleteProxy { api, name } => write!(f, "DELETE proxy {name} of {api}"),
        }
    }
}

/// A line after the header.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum JournalLine {
    /// Something is about to be changed.
    Change {
        /// Its number.
        id: u64,
        /// The way back.
        #[serde(flatten)]
        undo: Undo,
    },
    /// It is as it was.
    Done {
        /// Its number.
        done: u64,
    },
}

/// The content of a journal file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Whose it is.
    pub header: Header,
    /// What is not undone, in the order in which it was changed.
    pub open: Vec<(u64, Undo)>,
    /// The number of the next change.
    pub next: u64,
}

impl Record {
    /// Reads the text of a journal. `None` if it is empty: then nothing had begun. A last line without its end is passed
    /// over: what it announces had not begun either.
    ///
    /// # Errors
    /// Which line is not of a journal.
    pub fn parse(text: &str) -> Result<Option<Self>, String> {
        if text.is_empty() {
            return Ok(None);
        }
        let whole = text.rfind('\n').map(|end| &text[..end]).ok_or("line 1 is cut off")?;
        let mut lines = whole.lines();
        let first = lines.next().unwrap_or_default();
        let header: Header = serde_json::from_str(first).map_err(|error| format!("line 1: {error}"))?;
        if header.journal != FORMAT {
            return Err(format!("line 1: format {}, and this Firedrill knows {FORMAT}", header.journal));
        }
        let mut record = Self { header, open: Vec::new(), next: 0 };
        for (number, line) in (2..).zip(lines) {
            match serde_json::from_str(line).map_err(|error| format!("line {number}: {error}"))? {
                JournalLine::Change { id, undo } => {
                    record.next = record.next.max(id + 1);
                    match record.open.iter_mut().find(|(known, _)| *known == id) {
                        Some(known) => known.1 = undo,
                        None => record.open.push((id, undo)),
                    }
                }
                JournalLine::Done { done } => record.open.retain(|(id, _)| *id != done),
            }
        }
        Ok(Some(record))
    }
}

impl RedisRecord {
    /// The URL by which the Redis is reached where no password is needed.
    ///
    /// # Errors
    /// [`Mismatch::BadUrl`](crate::lab::Mismatch::BadUrl) and [`Mismatch::TlsSetup`](crate::lab::Mismatch::TlsSetup) where the journal was changed by hand.
    pub fn url(&self) -> Result<RedisUrl, LabError> {
        let url: RedisUrl = self.url.parse()?;
        match &self.ca {
            None => Ok(url),
            Some(_) => url.secured(TlsOptions { ca_file: self.ca.clone(), ..TlsOptions::default() }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> Header {
        Header {
            journal: FORMAT,
            owner: Owner { namespace: 1, pid: 2, started: 3 },
            scenario: "redis-outage".to_owned(),
            began: "2026-11-20T19:04:05Z".to_owned(),
            redis: None,
        }
    }

    fn text(lines: &[JournalLine]) -> String {
        let mut text = serde_json::to_string(&header()).unwrap() + "\n";
        for line in lines {
            text += &(serde_json::to_string(line).unwrap() + "\n");
        }
        text
    }

    fn oom(id: u64) -> JournalLine {
        JournalLine::Change {
            id,
            undo: Undo::Config { name: "maxmemory".into(), value: "0".into(), set: vec!["1".into()] },
        }
    }

    #[test]
    fn what_was_undone_is_not_open() {
        let pause = JournalLine::Change { id: 1, undo: Undo::Unpause { ends_ms: 5 } };
        let record = Record::parse(&text(&[oom(0), pause, JournalLine::Done { done: 0 }])).unwrap().unwrap();
        assert_eq!(record.open, [(1, Undo::Unpause { ends_ms: 5 })]);
        assert_eq!((record.next, record.header), (2, header()));
    }

    #[test]
    fn the_last_way_back_of_a_change_counts() {
        let again = JournalLine::Change {
            id: 0,
            undo: Undo::Config { name: "maxmemory".into(), value: "0".into(), set: vec!["1".into(), "9".into()] },
        };
        let record = Record::parse(&text(&[oom(0), again.clone()])).unwrap().unwrap();
        let JournalLine::Change { undo, .. } = again else { unreachable!() };
        assert_eq!(record.open, [(0, undo)]);
    }

    #[test]
    fn a_journal_of_an_earlier_version_is_read() {
        let line = "{\"id\":0,\"undo\":\"config\",\"name\":\"maxmemory\",\"value\":\"0\"}\n";
        let record = Record::parse(&(text(&[]) + line)).unwrap().unwrap();
        assert_eq!(record.open, [(0, Undo::Config { name: "maxmemory".into(), value: "0".into(), set: Vec::new() })]);
    }

    #[test]
    fn a_torn_end_is_passed_over_and_a_torn_header_is_damage() {
        let mut torn = text(&[oom(0)]);
        torn += "{\"id\":1,\"und";
        assert_eq!(Record::parse(&torn).unwrap().unwrap().open.len(), 1);
        assert!(Record::parse("{\"journal\":1,\"pi").is_err(), "what it held cannot be known");
        assert_eq!(Record::parse(""), Ok(None));
    }

    #[test]
    fn what_is_no_journal_is_said_with_its_line() {
        assert!(Record::parse("{}\n").unwrap_err().starts_with("line 1"));
        let newer = text(&[]).replacen("\"journal\":1", "\"journal\":9", 1);
        assert!(Record::parse(&newer).unwrap_err().contains("format 9"));
        assert!(Record::parse(&(text(&[oom(0)]) + "{\"what\":1}\n")).unwrap_err().starts_with("line 3"));
    }
}
