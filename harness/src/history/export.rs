//! Histories for other judges: the operation maps of Jepsen (`index`, `time`, `process`, `type`, `f`, `value`), in EDN as
//! Knossos reads them or as a JSON array. As list-append transactions they can be given to Elle (`elle-cli --model
//! list-append`). Formats as in jepsen-io/knossos and ligurio/elle-cli.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashSet};
use std::io::{self, Write};

use serde_json::{Value, json};

use super::model::{History, OpKind, OpRecord, Outcome, Presence, SessionNo};
use crate::clock::Nanos;

/// How a history is written down for others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notation {
    /// Clojure's notation, one map per line.
    Edn,
    /// A JSON array of objects.
    Json,
}

/// What an operation is told as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Telling {
    /// As what it is: `f` is the kind, `value` the session and what was written or found.
    Sessions,
    /// As a transaction on lists (`f` is `txn`): appends and reads only, of sessions that were never put or destroyed,
    /// because Elle knows nothing of these.
    ListAppend,
}

/// Writes `history` to `out`. Every operation becomes two maps, its invocation and its completion: `ok` where it was
/// acknowledged, `fail` where it was certainly without effect, `info` where that is unknown.
pub fn export(history: &History, telling: Telling, notation: Notation, out: &mut impl Write) -> io::Result<()> {
    let mut first = true;
    for (index, event) in events(history, telling).into_iter().enumerate() {
        match notation {
            Notation::Edn => writeln!(out, "{}", event.edn(history, telling, index))?,
            Notation::Json => {
                write!(out, "{}", if std::mem::take(&mut first) { "[" } else { ",\n" })?;
                serde_json::to_writer(&mut *out, &event.json(history, telling, index))?;
            }
        }
    }
    match notation {
        Notation::Edn => Ok(()),
        Notation::Json => writeln!(out, "{}", if first { "[]" } else { "]" }),
    }
}

/// One end of an operation.
struct Event<'h> {
    op: &'h OpRecord,
    completed: bool,
    process: u64,
}

/// Both ends of all operations to be told, in the order of time; of those at the same instant the invocations come
/// first, because none of them is known to have come after the completions.
fn events(history: &History, telling: Telling) -> Vec<Event<'_>> {
    let ops = told(history, telling);
    let mut ends: Vec<(Nanos, bool, usize)> = Vec::with_capacity(2 * ops.len());
    for (at, op) in ops.iter().enumerate() {
        ends.push((op.started, false, at));
        ends.push((op.ended, true, at));
    }
    ends.sort_unstable();
    // An operation that ends at the instant it began sorts right, too: false comes before true.
    let mut lanes = Lanes::default();
    let mut lane_of = vec![0; ops.len()];
    ends.into_iter()
        .map(|(_, completed, at)| {
            if !completed {
                lane_of[at] = lanes.take();
            } else if ops[at].outcome != Outcome::Unknown {
                lanes.give_back(lane_of[at]);
            }
            Event { op: ops[at], completed, process: lane_of[at] }
        })
        .collect()
}

fn told(history: &History, telling: Telling) -> Vec<&OpRecord> {
    let ops = &history.ops.ops;
    match telling {
        Telling::Sessions => ops.iter().collect(),
        Telling::ListAppend => {
            let replaced = |op: &&OpRecord| matches!(op.kind, OpKind::Put | OpKind::Destroy);
            let skipped: HashSet<SessionNo> = ops.iter().filter(replaced).map(|op| op.session).collect();
            let listed = |op: &&OpRecord| matches!(op.kind, OpKind::Append | OpKind::Read);
            ops.iter().filter(|op| listed(op) && !skipped.contains(&op.session)).collect()
        }
    }
}

/// Processes as those judges know them: one operation at a time, and none after one of unknown outcome. Ours may do
/// several things at once.
#[derive(Default)]
struct Lanes {
    free: BinaryHeap<Reverse<u64>>,
    next: u64,
}

impl Lanes {
    fn take(&mut self) -> u64 {
        self.free.pop().map(|Reverse(lane)| lane).unwrap_or_else(|| {
            self.next += 1;
            self.next - 1
        })
    }

    fn give_back(&mut self, lane: u64) {
        self.free.push(Reverse(lane));
    }
}

impl Event<'_> {
    fn time(&self) -> Nanos {
        if self.completed { self.op.ended } else { self.op.started }
    }

    fn kind(&self) -> &'static str {
        match self.op.outcome {
            _ if !self.completed => "invoke",
            // "No such session": truthful, and the append was without effect.
            _ if self.op.kind == OpKind::Append && self.op.presence == Presence::Absent => "fail",
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

    /// What was found, where this is an answered read; what was written, where it is a write.
    fn content(&self, history: &History, telling: Telling) -> Value {
        match self.op.kind {
            OpKind::Append | OpKind::Put | OpKind::Create => json!(self.op.token()),
            // Who asks, and then who has it.
            OpKind::Award if self.completed && self.op.outcome.acknowledged() => {
                json!(history.ops.tokens_of(self.op).first())
            }
            OpKind::Award => json!(self.op.token()),
            OpKind::Read if self.completed && self.op.outcome.acknowledged() => match self.op.presence {
                Presence::Absent if telling == Telling::Sessions => Value::Null,
                Presence::Absent => json!([]),
                Presence::Present | Presence::Unsaid => json!(history.ops.tokens_of(self.op)),
            },
            // The sessions shown, or how many there are.
            OpKind::List | OpKind::Count if self.completed && self.op.outcome.acknowledged() => {
                json!(history.ops.tokens_of(self.op))
            }
            OpKind::Read | OpKind::Touch | OpKind::Destroy | OpKind::List | OpKind::Count => Value::Null,
        }
    }

    fn json(&self, history: &History, telling: Telling, index: usize) -> Value {
        let (session, content) = (self.op.session, self.content(history, telling));
        let value = match telling {
            Telling::Sessions => json!([session, content]),
            Telling::ListAppend => json!([[micro_op(self.op), session, content]]),
        };
        json!({
            "index": index, "time": self.time(), "process": self.process, "type": self.kind(), "f": self.f(telling),
            "value": value,
        })
    }

    fn edn(&self, history: &History, telling: Telling, index: usize) -> String {
        let (session, content) = (self.op.session, edn(&self.content(history, telling)));
        let value = match telling {
            Telling::Sessions => format!("[{session} {content}]"),
            Telling::ListAppend => format!("[[:{} {session} {content}]]", micro_op(self.op)),
        };
        let (time, process, kind, f) = (self.time(), self.process, self.kind(), self.f(telling));
        format!("{{:index {index}, :time {time}, :process {process}, :type :{kind}, :f :{f}, :value {value}}}")
    }
}

fn micro_op(op: &OpRecord) -> &'static str {
    if op.kind == OpKind::Append { "append" } else { "r" }
}

/// Numbers, lists of numbers and nothing: all that a content can be.
fn edn(value: &Value) -> String {
    match value {
        Value::Null => "nil".into(),
        Value::Array(items) => format!("[{}]", items.iter().map(edn).collect::<Vec<_>>().join(" ")),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;
    use crate::history::{Cause, FORMAT_VERSION, Header, OpBatch, Step};

    fn op(index: u64, kind: OpKind, session: SessionNo, at: std::ops::Range<i64>, outcome: Outcome) -> OpRecord {
        OpRecord {
            index,
            planned: at.start,
            started: at.start,
            ended: at.end,
            version: 0,
            session,
            process: 0,
            owner: OpRecord::NO_OWNER,
            tokens_at: 0,
            tokens_len: if kind == OpKind::Read { 2 } else { 0 },
            kind,
            step: Step::Load,
            outcome,
            presence: Presence::Present,
            cause: Cause::None,
        }
    }

    fn history() -> History {
        let ops = vec![
            op(1, OpKind::Append, 7, 10..20, Outcome::Ok),
            op(2, OpKind::Append, 7, 15..30, Outcome::Unknown),
            op(3, OpKind::Destroy, 8, 20..40, Outcome::Failed),
            op(4, OpKind::Read, 7, 50..60, Outcome::Degraded),
            op(5, OpKind::Read, 8, 70..80, Outcome::Ok),
        ];
        let header = Header {
            version: FORMAT_VERSION,
            scenario: "x".into(),
            seed: 1,
            ttl_ns: 1,
            ttl_slack_ns: 0,
            sliding: true,
            sessions_per_user: NonZeroU32::MIN,
            epoch_ms: 0,
        };
        History { header, ops: OpBatch { ops, tokens: vec![2, 3] }, notes: Vec::new() }
    }

    fn exported(telling: Telling, notation: Notation) -> String {
        let mut out = Vec::new();
        export(&history(), telling, notation, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn sessions_in_edn_as_knossos_reads_them() {
        let expected = "\
{:index 0, :time 10, :process 0, :type :invoke, :f :append, :value [7 2]}
{:index 1, :time 15, :process 1, :type :invoke, :f :append, :value [7 3]}
{:index 2, :time 20, :process 2, :type :invoke, :f :destroy, :value [8 nil]}
{:index 3, :time 20, :process 0, :type :ok, :f :append, :value [7 2]}
{:index 4, :time 30, :process 1, :type :info, :f :append, :value [7 3]}
{:index 5, :time 40, :process 2, :type :fail, :f :destroy, :value [8 nil]}
{:index 6, :time 50, :process 0, :type :invoke, :f :read, :value [7 nil]}
{:index 7, :time 60, :process 0, :type :ok, :f :read, :value [7 [2 3]]}
{:index 8, :time 70, :process 0, :type :invoke, :f :read, :value [8 nil]}
{:index 9, :time 80, :process 0, :type :ok, :f :read, :value [8 [2 3]]}
";
        assert_eq!(exported(Telling::Sessions, Notation::Edn), expected);
    }

    #[test]
    fn lists_in_json_as_elle_reads_them_leave_out_what_it_does_not_know() {
        let told: Value = serde_json::from_str(&exported(Telling::ListAppend, Notation::Json)).unwrap();
        let last = json!(
            {"index": 5, "time": 60, "process": 0, "type": "ok", "f": "txn", "value": [["r", 7, [2, 3]]]}
        );
        assert_eq!(told.as_array().map(Vec::len), Some(6));
        assert_eq!(told[5], last);
        assert_eq!(told[1]["value"], json!([["append", 7, 3]]));
        assert_eq!(told[4]["value"], json!([["r", 7, null]]));
    }

    #[test]
    fn no_such_session_is_a_failed_append_and_an_empty_list() {
        let absent = |kind, index| OpRecord {
            presence: Presence::Absent,
            tokens_len: 0,
            ..op(index, kind, 7, 10 * index as i64..10 * index as i64 + 5, Outcome::Ok)
        };
        let ops = vec![absent(OpKind::Append, 1), absent(OpKind::Read, 2)];
        let history = History { ops: OpBatch { ops, tokens: Vec::new() }, ..history() };
        let mut out = Vec::new();
        export(&history, Telling::ListAppend, Notation::Edn, &mut out).unwrap();
        let expected = "\
{:index 0, :time 10, :process 0, :type :invoke, :f :txn, :value [[:append 7 2]]}
{:index 1, :time 15, :process 0, :type :fail, :f :txn, :value [[:append 7 2]]}
{:index 2, :time 20, :process 0, :type :invoke, :f :txn, :value [[:r 7 nil]]}
{:index 3, :time 25, :process 0, :type :ok, :f :txn, :value [[:r 7 []]]}
";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    #[test]
    fn an_empty_history_is_an_empty_array() {
        let mut out = Vec::new();
        let empty = History { ops: OpBatch::default(), ..history() };
        export(&empty, Telling::Sessions, Notation::Json, &mut out).unwrap();
        assert_eq!(out, b"[]\n");
    }
}
