//! Jepsen's operation maps (`index`, `time`, `process`, `type`, `f`, `value`), in EDN as read by Knossos or as a JSON
//! array. As list-append transactions, they can be given to Elle (`elle-cli --model list-append`). The formats follow
//! jepsen-io/knossos and ligurio/elle-cli; `operation` (its number), `user`, `step`, `presence`, `cause`, `version` and
//! `owner` are our own: those readers skip them, and `firedrill check` reads them back. A process is a user with one
//! operation at a time, and none after one of unknown outcome: one `user` may have several processes.

use std::collections::HashSet;
use std::io::{self, Write};

use serde_json::{Value, json};

use super::events::{Event, Telling, events};
use crate::history::{History, OpKind, OpRecord, Outcome, Presence, SessionNo};

/// Writes one map per line.
pub(super) fn edn(history: &History, telling: Telling, out: &mut impl Write) -> io::Result<()> {
    for (index, event) in events(&told(history, telling)).into_iter().enumerate() {
        writeln!(out, "{}", event.edn(history, telling, index))?;
    }
    Ok(())
}

/// Writes one array.
pub(super) fn json(history: &History, telling: Telling, out: &mut impl Write) -> io::Result<()> {
    let mut before = "[";
    for (index, event) in events(&told(history, telling)).into_iter().enumerate() {
        write!(out, "{}", std::mem::replace(&mut before, ",\n"))?;
        serde_json::to_writer(&mut *out, &event.json(history, telling, index))?;
    }
    writeln!(out, "{}", if before == "[" { "[]" } else { "]" })
}

fn told(history: &History, telling: Telling) -> Vec<&OpRecord> {
    let ops = &history.ops.ops;
    match telling {
        Telling::Sessions => ops.iter().collect(),
        Telling::ListAppend => {
            let replaced = |op: &&OpRecord| op.kind == OpKind::Put || op.kind.ends_session();
            let skipped: HashSet<SessionNo> = ops.iter().filter(replaced).map(|op| op.session).collect();
            let listed = |op: &&OpRecord| matches!(op.kind, OpKind::Append | OpKind::Read);
            ops.iter().filter(|op| listed(op) && !skipped.contains(&op.session)).collect()
        }
    }
}

impl Event<'_> {
    fn kind(&self) -> &'static str {
        match self.op.outcome {
            _ if !self.completed => "invoke",
            // "No such session" is truthful, and what was to be added has no effect.
            Outcome::Ok | Outcome::Degraded
                if matches!(self.op.kind, OpKind::Append | OpKind::Increment)
                    && self.op.presence == Presence::Absent =>
            {
                "fail"
            }
            Outcome::Ok | Outcome::Degraded => "ok",
            Outcome::Failed => "fail",
            Outcome::Unknown => "info",
        }
    }

    fn f(&self, telling: Telling) -> &'static str {
        match telling {
            Telling::Sessions => self.op.kind.name(),
            Telling::ListAppend => "txn",
        }
    }

    /// What an answered read found, or what a write wrote.
    fn content(&self, history: &History, telling: Telling) -> Value {
        match self.op.kind {
            OpKind::Append | OpKind::Put | OpKind::Create => json!(self.op.token()),
            // The invocation names the claimant, the acknowledged completion the holder.
            OpKind::Award if self.completed && self.op.outcome.acknowledged() => {
                json!(history.ops.tokens_of(self.op).first())
            }
            OpKind::Award => json!(self.op.token()),
            OpKind::Read if self.completed && self.op.outcome.acknowledged() => match self.op.presence {
                Presence::Absent if telling == Telling::Sessions => Value::Null,
                Presence::Absent => json!([]),
                _ if history.header.counter => json!(history.ops.tokens_of(self.op).first()),
                Presence::Present | Presence::Unsaid => json!(history.ops.tokens_of(self.op)),
            },
            kind if kind.is_survey() && self.completed && self.op.outcome.acknowledged() => {
                json!(history.ops.tokens_of(self.op))
            }
            _ => Value::Null,
        }
    }

    fn json(&self, history: &History, telling: Telling, index: usize) -> Value {
        let (session, content) = (self.op.session, self.content(history, telling));
        let value = match telling {
            Telling::Sessions => json!([session, content]),
            Telling::ListAppend => json!([[micro_op(self.op), session, content]]),
        };
        let mut map = json!({
            "index": index, "time": self.time(), "process": self.process, "type": self.kind(), "f": self.f(telling),
            "value": value,
        });
        for (key, value) in self.circumstances() {
            map[key] = value;
        }
        map
    }

    /// Additional facts about a completion.
    fn circumstances(&self) -> Vec<(&'static str, Value)> {
        let op = self.op;
        if !self.completed {
            return Vec::new();
        }
        let mut told = vec![
            ("operation", json!(op.index)),
            ("user", json!(op.process)),
            ("step", json!(op.step.name())),
            ("presence", json!(op.presence.name())),
            ("cause", json!(op.cause.name())),
        ];
        told.extend((op.version != 0).then(|| ("version", json!(op.version))));
        told.extend((op.owner != OpRecord::NO_OWNER).then(|| ("owner", json!(op.owner))));
        told
    }

    fn edn(&self, history: &History, telling: Telling, index: usize) -> String {
        let (session, content) = (self.op.session, notated(&self.content(history, telling)));
        let value = match telling {
            Telling::Sessions => format!("[{session} {content}]"),
            Telling::ListAppend => format!("[[:{} {session} {content}]]", micro_op(self.op)),
        };
        let (time, process, kind, f) = (self.time(), self.process, self.kind(), self.f(telling));
        let more: String =
            self.circumstances().iter().map(|(key, value)| format!(", :{key} {}", notated(value))).collect();
        format!("{{:index {index}, :time {time}, :process {process}, :type :{kind}, :f :{f}, :value {value}{more}}}")
    }
}

fn micro_op(op: &OpRecord) -> &'static str {
    if op.kind == OpKind::Append { "append" } else { "r" }
}

/// Formats numbers, words, lists of these, and nothing: an export contains no other values.
fn notated(value: &Value) -> String {
    match value {
        Value::Null => "nil".into(),
        Value::Array(items) => format!("[{}]", items.iter().map(notated).collect::<Vec<_>>().join(" ")),
        Value::String(word) => format!(":{word}"),
        other => other.to_string(),
    }
}
