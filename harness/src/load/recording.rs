//! What clients once sent to a Redis, as MONITOR printed it, to be sent again: the instants and operations of an open block.
//!
//! A key of the recording becomes a session if plain commands for strings are all that touched it. Values of a recording are
//! never sent again for sessions: a write gets a value of the same size that names session and write, so that every
//! read can be judged. Keys of other types get the commands as they were, but for the key's name.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::time::Duration;

use crate::clock::Nanos;
use crate::history::{OpKind, SessionNo};

/// A recording, ready to be sent.
#[derive(Clone, Default, PartialEq)]
pub struct Recording {
    entries: Vec<Entry>,
    /// The largest value written to each session; 0 for one that was never written.
    sizes: Vec<u32>,
    /// The words of the commands for other keys; the second is the key's place.
    others: Vec<Vec<Vec<u8>>>,
    other_keys: u32,
    left_out: BTreeMap<String, u64>,
}

/// Without its contents, which are somebody's data.
impl fmt::Debug for Recording {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Recording({} operations)", self.operations())
    }
}

/// One command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry {
    /// After the first.
    pub(super) at: Nanos,
    pub(super) kind: OpKind,
    /// Sessions first, then the other keys.
    pub(super) key: SessionNo,
    /// The size of what is written, or the number of a command for another key.
    pub(super) bytes: u32,
}

/// Why a recording cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecordingError {
    /// A line is not MONITOR's.
    #[error("line {line} is not of MONITOR, such as: 1700000000.123456 [0 127.0.0.1:50000] \"GET\" \"key\"")]
    Line {
        /// Which one, from 1.
        line: usize,
    },
    /// There is nothing to send.
    #[error("no command in it can be sent again (there are: {0})")]
    Empty(String),
}

/// What a command does to a key that is a session.
fn of_session(name: &str) -> Option<OpKind> {
    Some(match name {
        "GET" | "GETEX" | "MGET" => OpKind::Read,
        "SET" | "SETEX" | "PSETEX" | "SETNX" | "GETSET" => OpKind::Put,
        "DEL" | "UNLINK" | "GETDEL" => OpKind::Destroy,
        "EXPIRE" | "PEXPIRE" | "EXPIREAT" | "PEXPIREAT" | "TOUCH" | "EXISTS" | "TTL" | "PTTL" | "PERSIST" => {
            OpKind::Touch
        }
        _ => return None,
    })
}

/// Whether a command has exactly one key, its first argument, and is harmless to others.
fn has_one_key(name: &str) -> bool {
    const FAMILIES: [&str; 9] = ["H", "Z", "X", "LP", "LR", "RP", "SR", "GEO", "PF"];
    const SINGLE: [&str; 24] = [
        "APPEND",
        "BITCOUNT",
        "BITFIELD",
        "BITPOS",
        "DECR",
        "DECRBY",
        "GETBIT",
        "GETRANGE",
        "INCR",
        "INCRBY",
        "INCRBYFLOAT",
        "LINDEX",
        "LINSERT",
        "LLEN",
        "LSET",
        "SADD",
        "SCARD",
        "SETBIT",
        "SETRANGE",
        "SISMEMBER",
        "SMEMBERS",
        "SMISMEMBER",
        "SPOP",
        "STRLEN",
    ];
    const NOT: [&str; 14] = [
        "HELLO",
        "XREAD",
        "XREADGROUP",
        "XGROUP",
        "XINFO",
        "ZUNION",
        "ZINTER",
        "ZDIFF",
        "ZUNIONSTORE",
        "ZINTERSTORE",
        "ZDIFFSTORE",
        "ZRANGESTORE",
        "PFMERGE",
        "RPOPLPUSH",
    ];
    const MORE_NOT: [&str; 5] = ["ZINTERCARD", "ZMPOP", "GEOSEARCHSTORE", "PFCOUNT", "PFDEBUG"];
    let of_family = FAMILIES.iter().any(|family| name.starts_with(family));
    (of_family || SINGLE.contains(&name)) && !NOT.contains(&name) && !MORE_NOT.contains(&name)
}

/// A line: when, and the words.
struct Line {
    at: Nanos,
    words: Vec<Vec<u8>>,
}

impl Recording {
    /// Reads what `redis-cli monitor` printed. What Lua scripts called is left out, as the scripts themselves are.
    ///
    /// # Errors
    /// [`RecordingError`].
    pub fn read(text: &str) -> Result<Self, RecordingError> {
        let mut lines = Vec::new();
        for (number, line) in text.lines().enumerate() {
            if line.trim().is_empty() || line == "OK" {
                continue;
            }
            match parse(line).ok_or(RecordingError::Line { line: number + 1 })? {
                Some(line) => lines.push(line),
                None => continue,
            }
        }
        Self::of(lines)
    }

    fn of(mut lines: Vec<Line>) -> Result<Self, RecordingError> {
        lines.sort_by_key(|line| line.at);
        let mut recording = Self::default();
        let named: Vec<(Nanos, String, Vec<Vec<u8>>)> = lines
            .into_iter()
            .filter_map(|line| {
                let name = String::from_utf8_lossy(line.words.first()?).to_uppercase();
                Some((line.at, name, line.words))
            })
            .collect();
        // First which keys are sessions, then their numbers: those of other keys come after all of them.
        let mut sessions: HashMap<&[u8], bool> = HashMap::new();
        for (_, name, words) in &named {
            let keys = keys(name, words);
            for key in keys {
                *sessions.entry(key).or_insert(true) &= of_session(name).is_some();
            }
        }
        let mut numbers: HashMap<&[u8], u32> = HashMap::new();
        let mut other_numbers: HashMap<&[u8], u32> = HashMap::new();
        let mut entries: Vec<(Entry, bool)> = Vec::new();
        for (at, name, words) in &named {
            let keys = keys(name, words);
            if keys.is_empty() {
                *recording.left_out.entry(name.clone()).or_default() += 1;
            }
            let several = keys.len() > 1;
            for key in keys {
                match (sessions.get(key), of_session(name)) {
                    (Some(true), Some(kind)) => {
                        let next = numbers.len() as u32;
                        let number = *numbers.entry(key).or_insert(next);
                        if number == next {
                            recording.sizes.push(0);
                        }
                        let bytes = if kind == OpKind::Put { size(name, words) } else { 0 };
                        let size = &mut recording.sizes[number as usize];
                        *size = (*size).max(bytes);
                        entries.push((Entry { at: *at, kind, key: number, bytes }, false));
                    }
                    // A command with several keys, some of them of other types, has no meaning for one of them alone.
                    _ if several => *recording.left_out.entry(name.clone()).or_default() += 1,
                    _ => {
                        let next = other_numbers.len() as u32;
                        let number = *other_numbers.entry(key).or_insert(next);
                        let bytes = recording.others.len() as u32;
                        recording.others.push(words.clone());
                        entries.push((Entry { at: *at, kind: OpKind::Command, key: number, bytes }, true));
                    }
                }
            }
        }
        let begun = entries.first().map_or(0, |(entry, _)| entry.at);
        let sessions = numbers.len() as u32;
        recording.other_keys = other_numbers.len() as u32;
        let placed = |(entry, other): (Entry, bool)| Entry {
            at: entry.at - begun,
            key: if other { entry.key + sessions } else { entry.key },
            ..entry
        };
        recording.entries = entries.into_iter().map(placed).collect();
        if recording.entries.is_empty() {
            return Err(RecordingError::Empty(recording.commands_left_out().unwrap_or("none".to_owned())));
        }
        Ok(recording)
    }

    /// The commands, in order.
    pub(super) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The number of operations.
    pub fn operations(&self) -> usize {
        self.entries.len()
    }

    /// From the first command to just after the last.
    pub fn length(&self) -> Duration {
        let last = self.entries.last().map_or(0, |entry| entry.at);
        Duration::from_nanos(last.unsigned_abs()) + Duration::from_millis(1)
    }

    /// How many keys are sessions.
    pub fn sessions(&self) -> u32 {
        self.sizes.len() as u32
    }

    /// How many keys there are of other types.
    pub fn other_keys(&self) -> u32 {
        self.other_keys
    }

    /// The largest value written to a session; `None` if it was only read.
    pub(super) fn size(&self, session: SessionNo) -> Option<u32> {
        self.sizes.get(session as usize).copied().filter(|size| *size > 0)
    }

    /// The words of each command for a key of another type; the second is the key's place.
    pub fn others(&self) -> impl Iterator<Item = &[Vec<u8>]> {
        self.others.iter().map(Vec::as_slice)
    }

    /// How many operations of each kind there are.
    pub fn count(&self, kind: OpKind) -> usize {
        self.entries.iter().filter(|entry| entry.kind == kind).count()
    }

    /// The commands that are not sent again, with their numbers: "EVALSHA 12, PING 3"; `None` if all are.
    pub fn commands_left_out(&self) -> Option<String> {
        let each: Vec<String> = self.left_out.iter().map(|(name, count)| format!("{name} {count}")).collect();
        (!each.is_empty()).then(|| each.join(", "))
    }
}

/// The keys of a command; none if it is not sent again.
fn keys<'w>(name: &str, words: &'w [Vec<u8>]) -> Vec<&'w [u8]> {
    let all = matches!(name, "MGET" | "DEL" | "UNLINK" | "TOUCH" | "EXISTS");
    let known = of_session(name).is_some() || has_one_key(name);
    words.iter().skip(1).take(if all { usize::MAX } else { usize::from(known) }).map(Vec::as_slice).collect()
}

/// The size of what a command writes.
fn size(name: &str, words: &[Vec<u8>]) -> u32 {
    let place = if matches!(name, "SETEX" | "PSETEX") { 3 } else { 2 };
    words.get(place).map_or(0, |value| u32::try_from(value.len()).unwrap_or(u32::MAX))
}

/// Reads `1700000000.123456 [0 127.0.0.1:50000] "GET" "key"`; `Some(None)` for what a script called.
fn parse(line: &str) -> Option<Option<Line>> {
    let (time, rest) = line.trim_end().split_once(' ')?;
    let (seconds, micros) = time.split_once('.')?;
    let micros = format!("{micros:0<6}");
    let at = seconds.parse::<i64>().ok()?.checked_mul(1_000_000_000)? + micros.get(..6)?.parse::<i64>().ok()? * 1_000;
    let (origin, rest) = rest.strip_prefix('[')?.split_once("] ")?;
    let words = words(rest)?;
    Some((!origin.ends_with(" lua")).then_some(Line { at, words }))
}

/// Reads words in quotes, with the escapes of Redis (`sdscatrepr`).
fn words(text: &str) -> Option<Vec<Vec<u8>>> {
    let (mut words, mut bytes) = (Vec::new(), text.bytes());
    loop {
        match bytes.next() {
            None => return (!words.is_empty()).then_some(words),
            Some(b' ') => {}
            Some(b'"') => {
                let mut word = Vec::new();
                loop {
                    match bytes.next()? {
                        b'"' => break,
                        b'\\' => word.push(match bytes.next()? {
                            b'n' => b'\n',
                            b'r' => b'\r',
                            b't' => b'\t',
                            b'a' => 7,
                            b'b' => 8,
                            b'x' => {
                                let digit = |byte: u8| (byte as char).to_digit(16).map(|digit| digit as u8);
                                digit(bytes.next()?)? << 4 | digit(bytes.next()?)?
                            }
                            other => other,
                        }),
                        byte => word.push(byte),
                    }
                }
                words.push(word);
            }
            Some(_) => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "OK\n\
        1700000000.500000 [0 127.0.0.1:50000] \"SET\" \"s:1\" \"0123456789\" \"EX\" \"60\"\n\
        1700000000.250000 [0 127.0.0.1:50001] \"get\" \"s:2\"\n\
        1700000001.000000 [0 unix:/tmp/r.sock] \"HSET\" \"h:1\" \"f\\x00\\\"\" \"v\"\n\
        1700000001.000000 [0 lua] \"GET\" \"s:3\"\n\
        1700000001.250000 [0 127.0.0.1:50000] \"DEL\" \"s:1\" \"h:1\"\n\
        1700000001.500000 [0 127.0.0.1:50000] \"EXPIRE\" \"h:1\" \"60\"\n\
        1700000002.000000 [0 127.0.0.1:50000] \"EVALSHA\" \"abc\" \"1\" \"s:1\"\n\
        1700000002.000000 [0 127.0.0.1:50000] \"CONFIG\" \"GET\" \"save\"\n";

    #[test]
    fn a_recording_becomes_operations_in_the_order_of_time() {
        let recording = Recording::read(TEXT).unwrap();
        let entry = |ms: i64, kind, key, bytes| Entry { at: ms * 1_000_000, kind, key, bytes };
        assert_eq!(
            recording.entries(),
            [
                entry(0, OpKind::Read, 0, 0),
                entry(250, OpKind::Put, 1, 10),
                entry(750, OpKind::Command, 2, 0),
                entry(1_000, OpKind::Destroy, 1, 0),
                entry(1_250, OpKind::Command, 2, 1),
            ]
        );
        assert_eq!((recording.sessions(), recording.other_keys()), (2, 1));
        assert_eq!((recording.size(0), recording.size(1)), (None, Some(10)));
        let others: Vec<_> = recording.others().collect();
        assert_eq!(others[0], [b"HSET".to_vec(), b"h:1".to_vec(), b"f\0\"".to_vec(), b"v".to_vec()]);
        assert_eq!(recording.commands_left_out().as_deref(), Some("CONFIG 1, DEL 1, EVALSHA 1"));
        assert_eq!(recording.length(), Duration::from_millis(1_251));
    }

    #[test]
    fn what_is_no_recording_is_refused_with_its_line() {
        for text in ["GET key", "OK\n\n1700000000.5 [0 x] GET", "1700000000.5 [0 x] \"GET", "x [0 x] \"GET\""] {
            let line = text.lines().count();
            assert_eq!(Recording::read(text), Err(RecordingError::Line { line }), "{text}");
        }
        let error = Recording::read("1700000000.5 [0 x] \"PING\"\n").unwrap_err();
        assert_eq!(error.to_string(), "no command in it can be sent again (there are: PING 1)");
        assert!(Recording::read("").is_err());
    }
}
