//! Imports histories of other tools: Jepsen's operation maps as JSON, one array or one map per line, as
//! [`super::export`] writes them and elle-cli reads them. Fields missing from other tools' maps are filled in:
//!
//! - `value` is a session (a number) and what was written or found, or a transaction of one `append` or `r` on lists.
//! - `user` defaults to the process. `step` defaults to the load, except for the last read of each session if it begins
//!   after everything else on that session has ended: that is its final read.
//! - An invocation that never completes has an unknown outcome and lasts until the end.
//! - A written value becomes the operation's token and must be unique, from 1.
//! - Where there is an `increment`, sessions are counters, and a read shows one number.
//!
//! What contradicts itself is refused: a guess would accuse the target of what the other tool got wrong.

use std::path::Path;

use hashbrown::HashMap;
use serde::Deserialize;
use serde_json::Value;

use super::error::HistoryError;
use super::{
    Cause, Header, History, Note, OpBatch, OpKind, OpRecord, Outcome, Presence, SessionNo, Step, Tells, Token,
};
use crate::clock::Nanos;

/// One operation map.
#[derive(Debug, Deserialize)]
struct Map {
    #[serde(rename = "type")]
    kind: Type,
    f: String,
    #[serde(default)]
    value: Value,
    #[serde(default)]
    process: Value,
    time: Option<Nanos>,
    operation: Option<u64>,
    user: Option<u32>,
    step: Option<Step>,
    presence: Option<Presence>,
    cause: Option<Cause>,
    #[serde(default)]
    version: u64,
    owner: Option<SessionNo>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Type {
    Invoke,
    Ok,
    Fail,
    Info,
}

/// Whether a file that starts like this contains operation maps in JSON.
pub(super) fn is_json(beginning: &[u8]) -> bool {
    matches!(beginning.trim_ascii_start().first(), Some(b'[' | b'{'))
}

/// Imports the history in `text`, recorded under the promises of `header`.
pub(super) fn import(path: &Path, text: &[u8], header: Header) -> Result<History, HistoryError> {
    let damaged =
        |offset: usize, reason: String| HistoryError::Damaged { path: path.to_owned(), offset: offset as u64, reason };
    let maps: Vec<Map> = match text.trim_ascii_start().first() {
        Some(b'[') => serde_json::from_slice(text).map_err(|e| damaged(0, e.to_string()))?,
        _ => {
            let mut maps = serde_json::Deserializer::from_slice(text).into_iter();
            let mut read = Vec::new();
            while let Some(map) = maps.next() {
                read.push(map.map_err(|e| damaged(maps.byte_offset(), e.to_string()))?);
            }
            read
        }
    };
    let mut import = Import::default();
    for (place, map) in maps.into_iter().enumerate() {
        import.take(place, map).map_err(|reason| damaged(0, format!("map {place}: {reason}")))?;
    }
    let (ops, notes) = import.finish().map_err(|reason| damaged(0, reason))?;
    let any = |kinds: &[OpKind]| ops.ops.iter().any(|op| kinds.contains(&op.kind));
    let counter = header.counter || any(&[OpKind::Increment]);
    let numbers = |op: &OpRecord| op.kind != OpKind::Read || op.tokens_len <= 1;
    if counter && (any(&[OpKind::Append, OpKind::Put]) || !ops.ops.iter().all(numbers)) {
        return Err(damaged(0, "a session is either a number with `increment`, or holds what was written".to_owned()));
    }
    Ok(History { header: Header { counter, ..header }, ops, notes })
}

/// The index of an operation that no map has numbered so far. None has it: its token would not fit.
const UNNUMBERED: u64 = u64::MAX;

/// The number that a map gives its operation.
fn number(map: &Map) -> Result<Option<u64>, String> {
    match map.operation {
        Some(UNNUMBERED) => Err(format!("an operation's number is below {UNNUMBERED}")),
        number => Ok(number),
    }
}

/// An import in progress.
#[derive(Debug, Default)]
struct Import {
    ops: OpBatch,
    /// The operation that each process has in flight.
    open: HashMap<u64, usize>,
    any_step: bool,
    now: Nanos,
    /// The latest time that any map names.
    latest: Nanos,
}

impl Import {
    fn take(&mut self, place: usize, map: Map) -> Result<(), String> {
        // The nemesis, or another process that is not a user.
        let Some(process) = map.process.as_u64() else { return Ok(()) };
        self.now = map.time.unwrap_or(place as Nanos * 1_000_000);
        self.latest = self.latest.max(self.now);
        if map.kind == Type::Invoke { self.invoke(process, &map) } else { self.complete(process, &map) }
    }

    fn invoke(&mut self, process: u64, map: &Map) -> Result<(), String> {
        let (kind, session, content) = meaning(map)?;
        let user = map.user.or_else(|| u32::try_from(process).ok());
        let mut op = OpRecord {
            index: number(map)?.unwrap_or(UNNUMBERED),
            planned: self.now,
            started: self.now,
            ended: self.now,
            version: 0,
            session,
            process: user.ok_or("a process without a `user` is a number below 4,294,967,296")?,
            owner: OpRecord::NO_OWNER,
            tokens_at: 0,
            tokens_len: 0,
            kind,
            step: Step::Load,
            outcome: Outcome::Unknown,
            presence: Presence::Unsaid,
            cause: Cause::Abandoned,
        };
        if (op.writes_token() || kind == OpKind::Award) && !content.is_null() {
            let token = content.as_u64().and_then(|token| token.checked_sub(1));
            op.index = token.ok_or("what is written is a number from 1")?;
        }
        if self.open.insert(process, self.ops.ops.len()).is_some() {
            return Err(format!("process {process} invokes before its previous operation has completed"));
        }
        self.ops.ops.push(op);
        Ok(())
    }

    fn complete(&mut self, process: u64, map: &Map) -> Result<(), String> {
        let at = self.open.remove(&process).ok_or_else(|| format!("process {process} completes nothing"))?;
        let (kind, session, content) = meaning(map)?;
        let op = &mut self.ops.ops[at];
        if (kind, session) != (op.kind, op.session) {
            return Err(format!("process {process} completes another operation than it invoked"));
        }
        if self.now < op.started {
            return Err(format!("process {process} completes at {} what it invokes at {}", self.now, op.started));
        }
        if op.index == UNNUMBERED {
            op.index = number(map)?.unwrap_or(UNNUMBERED);
        }
        op.ended = self.now;
        op.version = map.version;
        op.owner = map.owner.unwrap_or(OpRecord::NO_OWNER);
        op.step = map.step.unwrap_or(Step::Load);
        op.process = map.user.unwrap_or(op.process);
        self.any_step |= map.step.is_some();
        // "No such session" is exported as a failed append.
        let answered = matches!(map.cause, Some(Cause::None | Cause::Fallback));
        let without_session = map.presence == Some(Presence::Absent) && answered;
        op.outcome = match map.kind {
            Type::Fail if !without_session => Outcome::Failed,
            Type::Ok if map.cause.is_some() && !answered => {
                return Err("an operation that is `ok` has no cause but `none` or `fallback`".to_owned());
            }
            Type::Ok | Type::Fail if map.cause == Some(Cause::Fallback) => Outcome::Degraded,
            Type::Ok | Type::Fail => Outcome::Ok,
            Type::Info | Type::Invoke => Outcome::Unknown,
        };
        op.cause = map.cause.unwrap_or(match op.outcome {
            Outcome::Ok | Outcome::Degraded => Cause::None,
            Outcome::Failed => Cause::Refused,
            Outcome::Unknown => Cause::Timeout,
        });
        op.presence = map.presence.unwrap_or(match op.kind {
            _ if !op.outcome.acknowledged() => Presence::Unsaid,
            kind if kind.effects().tells == Tells::Nothing => Presence::Unsaid,
            OpKind::Read if content.is_null() => Presence::Absent,
            _ => Presence::Present,
        });
        let shows = op.kind.is_survey() || matches!(op.kind, OpKind::Read | OpKind::Award);
        if op.outcome.acknowledged() && shows {
            let shown = tokens(&content)?;
            if op.kind == OpKind::Read && op.presence == Presence::Absent && !shown.is_empty() {
                return Err("a read shows the content of a session that it says is absent".to_owned());
            }
            if op.kind == OpKind::Award && shown.len() > 1 {
                return Err("an award names one holder".to_owned());
            }
            op.tokens_at = self.ops.tokens.len() as u32;
            op.tokens_len = shown.len() as u32;
            self.ops.tokens.extend(shown);
        }
        Ok(())
    }

    fn finish(mut self) -> Result<(OpBatch, Vec<Note>), String> {
        for at in self.open.into_values() {
            self.ops.ops[at].ended = self.latest;
        }
        let numbered = self.ops.ops.iter().map(|op| op.index).filter(|index| *index != UNNUMBERED);
        let free = numbered.max().map_or(0, |max| max + 1)..UNNUMBERED;
        let mut unnumbered = self.ops.ops.iter_mut().filter(|op| op.index == UNNUMBERED);
        free.zip(&mut unnumbered).for_each(|(index, op)| op.index = index);
        if unnumbered.next().is_some() {
            return Err("there are not enough numbers above the largest that is given".to_owned());
        }
        self.ops.ops.sort_by_key(|op| (op.started, op.index));
        if !self.any_step {
            name_final_reads(&mut self.ops.ops);
        }
        Ok((self.ops, Vec::new()))
    }
}

/// Marks the last read of each session as its final read if no other operation on the session overlapped it.
fn name_final_reads(ops: &mut [OpRecord]) {
    let mut last: HashMap<SessionNo, (Nanos, Option<usize>)> = HashMap::new();
    for (at, op) in ops.iter().enumerate() {
        let (over, read) = last.entry(op.session).or_insert((Nanos::MIN, None));
        *read = (op.is_answered_read() && *over < op.started).then_some(at);
        *over = op.ended.max(*over);
    }
    for at in last.into_values().filter_map(|(_, read)| read) {
        ops[at].step = Step::Final;
    }
}

/// The kind of operation in a map, its session, and what was written or found.
fn meaning(map: &Map) -> Result<(OpKind, SessionNo, Value), String> {
    let (f, session, content) = match (map.f.as_str(), map.value.as_array().map(Vec::as_slice)) {
        ("txn", Some([Value::Array(only)])) => match only.as_slice() {
            [Value::String(f), session, content] if f == "append" => ("append", session, content),
            [Value::String(f), session, content] if f == "r" => ("read", session, content),
            _ => return Err("a transaction has one `append` or `r`: [[\"append\", session, item]]".to_owned()),
        },
        ("txn", _) => return Err("a transaction must consist of one operation on one session".to_owned()),
        (f, Some([session, content])) => (f, session, content),
        _ => return Err("value must be a session and its content: [session, content]".to_owned()),
    };
    let kind = OpKind::ALL.into_iter().find(|kind| kind.name() == f).ok_or_else(|| {
        let known: Vec<&str> = OpKind::ALL.iter().map(|kind| kind.name()).collect();
        format!("there is no operation `{f}`: there are {}", known.join(", "))
    })?;
    let number = session.as_u64().and_then(|number| SessionNo::try_from(number).ok());
    Ok((kind, number.ok_or("a session is a number below 4,294,967,296")?, content.clone()))
}

/// What an operation found: a number, several, or nothing.
fn tokens(content: &Value) -> Result<Vec<Token>, String> {
    let number = |item: &Value| item.as_u64().ok_or_else(|| format!("what is found are numbers, and {item} is none"));
    match content {
        Value::Null => Ok(Vec::new()),
        Value::Array(items) => items.iter().map(number).collect(),
        one => Ok(vec![number(one)?]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::testing::header;

    fn imported(text: &str) -> Result<History, String> {
        import(Path::new("history.json"), text.as_bytes(), header(1)).map_err(|error| error.to_string())
    }

    #[test]
    fn a_history_with_increments_is_one_of_counters_and_of_nothing_else() {
        let text = r#"
            {"time": 1, "process": 0, "type": "invoke", "f": "increment", "value": [7, null]}
            {"time": 2, "process": 0, "type": "ok", "f": "increment", "value": [7, null]}
            {"time": 3, "process": 0, "type": "invoke", "f": "read", "value": [7, null]}
            {"time": 4, "process": 0, "type": "ok", "f": "read", "value": [7, 1]}
            "#;
        let history = imported(text).unwrap();
        assert!(history.header.counter && history.ops.tokens_of(&history.ops.ops[1]) == [1]);
        for wrong in [text.replace("[7, 1]", "[7, [1, 2]]"), text.replacen("increment", "append", 2) + text] {
            assert!(imported(&wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn lists_as_elle_reads_them_become_appends_and_reads() {
        let history = imported(
            r#"
            {"index": 0, "time": 1, "process": 0, "type": "invoke", "f": "txn", "value": [["append", 7, 1]]}
            {"index": 1, "time": 2, "process": 0, "type": "ok", "f": "txn", "value": [["append", 7, 1]]}
            {"index": 2, "time": 3, "process": 1, "type": "invoke", "f": "txn", "value": [["append", 7, 2]]}
            {"index": 3, "time": 3, "process": "nemesis", "type": "info", "f": "kill", "value": null}
            {"index": 4, "time": 4, "process": 2, "type": "invoke", "f": "txn", "value": [["r", 7, null]]}
            {"index": 5, "time": 9, "process": 2, "type": "ok", "f": "txn", "value": [["r", 7, [1]]]}
            "#,
        )
        .unwrap();
        let told: Vec<_> = history
            .ops
            .ops
            .iter()
            .map(|op| (op.index, op.kind, op.started..op.ended, op.outcome, history.ops.tokens_of(op)))
            .collect();
        assert_eq!(
            told,
            [
                (0, OpKind::Append, 1..2, Outcome::Ok, &[][..]),
                (1, OpKind::Append, 3..9, Outcome::Unknown, &[]),
                (2, OpKind::Read, 4..9, Outcome::Ok, &[1]),
            ]
        );
        // Next to the append that never ended, no read is final.
        assert_eq!(history.ops.ops[2].step, Step::Load);
    }

    #[test]
    fn the_last_read_of_a_session_is_its_final_one() {
        let history = imported(
            r#"[{"process": 0, "type": "invoke", "f": "put", "value": [7, 1]},
                {"process": 0, "type": "ok", "f": "put", "value": [7, 1]},
                {"process": 1, "type": "invoke", "f": "read", "value": [7, null]},
                {"process": 1, "type": "ok", "f": "read", "value": [7, [1]]}]"#,
        )
        .unwrap();
        assert_eq!(history.ops.ops.iter().map(|op| op.step).collect::<Vec<_>>(), [Step::Load, Step::Final]);
    }

    #[test]
    fn maps_that_make_no_sense_are_refused_with_the_place() {
        let told = |map: &str| imported(&format!("[{map}]")).unwrap_err();
        let wrong = told(r#"{"process": 0, "type": "invoke", "f": "cas", "value": [7, [1, 2]]}"#);
        assert!(wrong.contains("map 0: there is no operation `cas`: there are create, read"), "{wrong}");
        let wrong = told(r#"{"process": 0, "type": "ok", "f": "read", "value": [7, [1]]}"#);
        assert!(wrong.contains("process 0 completes nothing"), "{wrong}");
        let twice = |first: &str, second: &str| {
            imported(&format!("[{{\"process\": 0, \"type\": \"invoke\", {first}}}, {{\"process\": 0, {second}}}]"))
                .unwrap_err()
        };
        for (first, second, says) in [
            (r#""f": "append", "value": [7, 0]"#, r#""type": "ok", "f": "append", "value": [7, 0]"#, "a number from 1"),
            (
                r#""f": "read", "value": [7, null]"#,
                r#""type": "ok", "f": "read", "value": [7, ["a"]]"#,
                "\"a\" is none",
            ),
            (
                r#""f": "read", "value": [7, null]"#,
                r#""type": "ok", "f": "read", "value": [8, null]"#,
                "another operation",
            ),
            (
                r#""f": "read", "time": 9, "value": [7, null]"#,
                r#""type": "ok", "f": "read", "time": 8, "value": [7, []]"#,
                "completes at 8 what it invokes at 9",
            ),
            (
                r#""f": "read", "value": [7, null]"#,
                r#""type": "ok", "f": "read", "value": [7, [1]], "presence": "absent""#,
                "it says is absent",
            ),
            (
                r#""f": "touch", "value": [7, null]"#,
                r#""type": "ok", "f": "touch", "value": [7, null], "cause": "timeout""#,
                "no cause but",
            ),
            (
                r#""f": "touch", "value": [7, null]"#,
                r#""type": "ok", "f": "touch", "value": [7, null], "operation": 18446744073709551615"#,
                "number is below",
            ),
        ] {
            let wrong = twice(first, second);
            assert!(wrong.contains(says), "{wrong}");
        }
        let wrong = told("{");
        assert!(wrong.contains("damaged at byte"), "{wrong}");
    }
}
