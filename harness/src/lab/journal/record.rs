//! The content of a journal: one JSON object per line. First comes the header, then each change with its number and how
//! to undo it, and later a line for each undone change. No line contains a password.

use std::path::PathBuf;

use firedrill_storage::{ClientCertificate, TlsOptions};
use serde::{Deserialize, Serialize};

use crate::lab::error::LabError;
use crate::lab::keyspace::KeyPrefix;
use crate::lab::process::Owner;
use crate::lab::redis::Topology;
use crate::lab::url::{RedisUrl, SentinelOptions};

/// The format version in every header.
pub const FORMAT: u32 = 1;

/// The journal's header.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// [`FORMAT`].
    pub journal: u32,
    /// The harness process.
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
    /// The CA file trusted there, unless the system trusts the CA.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca: Option<PathBuf>,
    /// The files of the client certificate, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<ClientFiles>,
    /// Whether the URL or its sentinels had a password, which healing needs again.
    pub password: bool,
    /// How it is run.
    #[serde(default, skip_serializing_if = "is_default")]
    pub topology: Topology,
    /// The name under which its sentinels watch it, if one was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub master: Option<String>,
    /// The server's run id when the drill began.
    pub run_id: String,
    /// The prefix of the drill's keys.
    pub prefix: KeyPrefix,
    /// Combined with the URL's password, it yields the password that `server.auth` sets.
    pub nonce: String,
    /// Whether the scenario changes the server itself.
    pub server_faults: bool,
    /// Identifies the drill on the server; empty in journals of earlier versions.
    #[serde(default)]
    pub token: String,
}

fn is_default(topology: &Topology) -> bool {
    *topology == Topology::default()
}

/// The files of a client certificate; their content is not stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientFiles {
    /// The certificate.
    pub cert: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

/// How to undo one change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "undo", rename_all = "kebab-case")]
pub enum Undo {
    /// CONFIG SET to the earlier value.
    Config {
        /// The parameter; never one that holds a secret.
        name: String,
        /// Its earlier value.
        value: String,
        /// The values that faults have set; empty in journals of earlier versions.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        set: Vec<String>,
    },
    /// REPLICAOF the earlier primary.
    Primary {
        /// `host port`; empty if the server was a primary.
        value: String,
        /// The values that faults have set; empty in journals of earlier versions.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        set: Vec<String>,
    },
    /// ACL SETUSER with the earlier passwords.
    Passwords {
        /// The user.
        user: String,
        /// `nopass`, or `#` and the SHA-256 of each password, as reported by ACL GETUSER.
        rules: String,
        /// The rules that faults have set, in the same form; empty in journals of earlier versions.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        set: Vec<String>,
    },
    /// CLIENT UNPAUSE.
    Unpause {
        /// When the pause ends on its own, in milliseconds since 1970.
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
    /// What the undo does, in words for users.
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
    /// A change is about to be made.
    Change {
        /// Its number.
        id: u64,
        /// How to undo it.
        #[serde(flatten)]
        undo: Undo,
    },
    /// A change has been undone.
    Done {
        /// Its number.
        done: u64,
    },
}

/// The content of a journal file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Its header.
    pub header: Header,
    /// The changes not undone yet, in the order they were made.
    pub open: Vec<(u64, Undo)>,
    /// The number of the next change.
    pub next: u64,
}

impl Record {
    /// Parses a journal. `None` if it is empty: then nothing had begun. An unterminated last line is skipped: the
    /// change it announces had not begun either.
    ///
    /// # Errors
    /// Names the line that does not belong in a journal.
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
    /// The URL of the Redis, for servers that need no password.
    ///
    /// # Errors
    /// [`Mismatch::BadUrl`](crate::lab::Mismatch::BadUrl) and [`Mismatch::TlsSetup`](crate::lab::Mismatch::TlsSetup) if
    /// the journal was edited by hand.
    pub fn url(&self) -> Result<RedisUrl, LabError> {
        let sentinel = SentinelOptions { master: self.master.clone(), credentials: None };
        let url = self.url.parse::<RedisUrl>()?.watched(sentinel);
        if self.ca.is_none() && self.client.is_none() {
            return Ok(url);
        }
        let client = self
            .client
            .as_ref()
            .map(|ClientFiles { cert, key }| ClientCertificate { cert_file: cert.clone(), key_file: key.clone() });
        url.secured(TlsOptions { ca_file: self.ca.clone(), client, ..TlsOptions::default() })
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
    fn servers_that_work_together_are_found_again() {
        let redis = |more: &str| -> RedisRecord {
            let line = format!(
                "{{\"url\":\"redis://10.0.0.1:26379/2\",\"password\":false,\"run_id\":\"r\",{more}\
                 \"prefix\":\"firedrill:0123456789abcdef:\",\"nonce\":\"n\",\"server_faults\":true}}"
            );
            serde_json::from_str(&line).unwrap()
        };
        assert_eq!(redis("").topology, Topology::Standalone, "as in journals of earlier versions");
        let watched = redis("\"topology\":\"sentinel\",\"master\":\"games\",");
        assert_eq!(watched.topology, Topology::Sentinel);
        assert_eq!(watched.url().unwrap().sentinel().master.as_deref(), Some("games"));
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
