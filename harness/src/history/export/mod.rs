//! Exports histories for other judges.

mod events;
mod jepsen;
mod porcupine;

use std::io::{self, Write};

pub use events::Telling;

use super::History;

/// The format of an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notation {
    /// Jepsen's operation maps in Clojure's notation, one per line.
    JepsenEdn,
    /// Jepsen's operation maps as a JSON array of objects.
    JepsenJson,
    /// The key-value log that Porcupine's own tests read. See [`porcupine`].
    Porcupine,
}

/// Writes `history` to `out`. Every operation becomes two events, its invocation and its completion. In Jepsen's
/// formats, a completion is `ok` if it was acknowledged, `fail` if it certainly had no effect, and `info` if that is
/// unknown; it also says which step it belongs to, whether the session was found, and why the operation was not ok.
/// `telling` applies only to Jepsen's formats.
///
/// # Errors
/// Any error of `out`; a format of lists, for a history of counters.
pub fn export(history: &History, telling: Telling, notation: Notation, out: &mut impl Write) -> io::Result<()> {
    let of_lists = telling == Telling::ListAppend || notation == Notation::Porcupine;
    if of_lists && history.header.counter {
        let message = "its sessions are counters, which only Jepsen's formats can tell, session by session";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
    }
    match notation {
        Notation::JepsenEdn => jepsen::edn(history, telling, out),
        Notation::JepsenJson => jepsen::json(history, telling, out),
        Notation::Porcupine => porcupine::log(history, out),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::history::testing::{header, read};
    use crate::history::{OpBatch, OpKind, OpRecord, Outcome, Presence, SessionNo};

    fn op(index: u64, kind: OpKind, session: SessionNo, at: std::ops::Range<i64>, outcome: Outcome) -> OpRecord {
        let tokens_len = if kind == OpKind::Read { 2 } else { 0 };
        OpRecord { index, kind, session, outcome, tokens_len, presence: Presence::Present, ..read(at) }
    }

    fn history() -> History {
        let ops = vec![
            op(1, OpKind::Append, 7, 10..20, Outcome::Ok),
            op(2, OpKind::Append, 7, 15..30, Outcome::Unknown),
            op(3, OpKind::Destroy, 8, 20..40, Outcome::Failed),
            op(4, OpKind::Read, 7, 50..60, Outcome::Degraded),
            op(5, OpKind::Read, 8, 70..80, Outcome::Ok),
        ];
        History { header: header(1), ops: OpBatch { ops, tokens: vec![2, 3] }, notes: Vec::new() }
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
{:index 3, :time 20, :process 0, :type :ok, :f :append, :value [7 2], :operation 1, :user 0, :step :load, :presence :present, :cause :none}
{:index 4, :time 30, :process 1, :type :info, :f :append, :value [7 3], :operation 2, :user 0, :step :load, :presence :present, :cause :none}
{:index 5, :time 40, :process 2, :type :fail, :f :destroy, :value [8 nil], :operation 3, :user 0, :step :load, :presence :present, :cause :none}
{:index 6, :time 50, :process 0, :type :invoke, :f :read, :value [7 nil]}
{:index 7, :time 60, :process 0, :type :ok, :f :read, :value [7 [2 3]], :operation 4, :user 0, :step :load, :presence :present, :cause :none}
{:index 8, :time 70, :process 0, :type :invoke, :f :read, :value [8 nil]}
{:index 9, :time 80, :process 0, :type :ok, :f :read, :value [8 [2 3]], :operation 5, :user 0, :step :load, :presence :present, :cause :none}
";
        assert_eq!(exported(Telling::Sessions, Notation::JepsenEdn), expected);
    }

    #[test]
    fn lists_in_json_as_elle_reads_them_leave_out_what_it_does_not_know() {
        let told: Value = serde_json::from_str(&exported(Telling::ListAppend, Notation::JepsenJson)).unwrap();
        let last = json!(
            {"index": 5, "time": 60, "process": 0, "type": "ok", "f": "txn", "value": [["r", 7, [2, 3]]],
             "operation": 4, "user": 0, "step": "load", "presence": "present", "cause": "none"}
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
        export(&history, Telling::ListAppend, Notation::JepsenEdn, &mut out).unwrap();
        let expected = "\
{:index 0, :time 10, :process 0, :type :invoke, :f :txn, :value [[:append 7 2]]}
{:index 1, :time 15, :process 0, :type :fail, :f :txn, :value [[:append 7 2]], :operation 1, :user 0, :step :load, :presence :absent, :cause :none}
{:index 2, :time 20, :process 0, :type :invoke, :f :txn, :value [[:r 7 nil]]}
{:index 3, :time 25, :process 0, :type :ok, :f :txn, :value [[:r 7 []]], :operation 2, :user 0, :step :load, :presence :absent, :cause :none}
";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    #[test]
    fn an_empty_history_is_an_empty_array() {
        let mut out = Vec::new();
        let empty = History { ops: OpBatch::default(), ..history() };
        export(&empty, Telling::Sessions, Notation::JepsenJson, &mut out).unwrap();
        assert_eq!(out, b"[]\n");
    }

    #[test]
    fn porcupine_gets_puts_and_appends_of_strings_and_knows_no_failures() {
        let expected = "\
{:process 0, :type :invoke, :f :append, :key \"7\", :value \"1;\"}
{:process 1, :type :invoke, :f :append, :key \"7\", :value \"2;\"}
{:process 0, :type :ok, :f :append, :key \"7\", :value \"1;\"} ; step load, presence present, cause none
{:process 0, :type :invoke, :f :get, :key \"7\", :value nil}
{:process 0, :type :ok, :f :get, :key \"7\", :value \"1;2;\"} ; step load, presence present, cause none
{:process 0, :type :invoke, :f :get, :key \"8\", :value nil}
{:process 0, :type :ok, :f :get, :key \"8\", :value \"1;2;\"} ; step load, presence present, cause none
";
        assert_eq!(exported(Telling::Sessions, Notation::Porcupine), expected);
    }
}
