//! `firedrill history`: prints the operations of a saved history.

mod json;
mod table;

use std::cell::Cell;
use std::ops::RangeInclusive;

use console::Term;
use firedrill_reports::text;

use super::args::HistoryArgs;
use super::exit::{Failure, Status};
use super::history::{completeness, file_of, read, unwritable};
use super::out;
use crate::clock::Nanos;
use crate::history::{Header, History, HistoryError, OpRecord, SessionNo, Tail, available_memory};

/// Columns where stdout is not a terminal.
const COLUMNS: u16 = 80;

/// Prints the selected operations in the order in which they were sent. Only these are read into memory, and each line is
/// written when it is rendered.
pub fn run(args: &HistoryArgs) -> Result<Status, Failure> {
    let (path, selection) = (file_of(&args.run), args.selection());
    let extent = Extent::default();
    let keep = |_: &Header, op: &OpRecord| {
        extent.count(op);
        selection.has(op)
    };
    let (history, tail) = History::load_where(&path, available_memory(), keep).map_err(unreadable)?;
    if args.json {
        if tail != Tail::Complete {
            out::tell_line(format_args!("warning: the history is {}", completeness(tail)));
        }
        return out::stream(|out| json::lines(&history, out)).map(|()| Status::Passed).map_err(unwritable);
    }
    let columns = Term::stdout().size_checked().map_or(COLUMNS, |(_, columns)| columns);
    let heading = heading(&history, tail, &extent);
    let table = table::Table::of(&history, &selection, usize::from(columns));
    let printed = out::stream(|out| {
        writeln!(out, "{heading}")?;
        table.write(out)
    });
    printed.map(|()| Status::Passed).map_err(unwritable)
}

fn unreadable(error: HistoryError) -> Failure {
    match error {
        HistoryError::NoRoom { path, needed, room } => Failure::File(format!(
            "what is to be shown of {} needs about {} MB of memory, and {} MB are available: narrow it with --session or \
             --around",
            path.display(),
            needed.div_ceil(1_000_000),
            room / 1_000_000
        )),
        error => read(error),
    }
}

/// How many operations are shown of how many, of which drill, and whether any are missing.
fn heading(history: &History, tail: Tail, extent: &Extent) -> String {
    let (shown, Header { scenario, seed, .. }) = (history.ops.ops.len() as u64, &history.header);
    let of_all = match extent.operations.get() {
        all if all == shown => text::counted(all, "operation"),
        all => format!("{} of {}", text::count(shown), text::counted(all, "operation")),
    };
    let whole = format!("{of_all} of {scenario}, seed {seed}; {}", completeness(tail));
    match extent.found() {
        Some((sessions, times)) if shown == 0 => format!(
            "{whole}\nIt has sessions {} to {}, and times from {} to {}.",
            sessions.start(),
            sessions.end(),
            text::moment(*times.start() as f64 / 1e6),
            text::moment(*times.end() as f64 / 1e6)
        ),
        _ => whole,
    }
}

/// How far a history goes, whatever is shown of it.
#[derive(Debug, Default)]
struct Extent {
    operations: Cell<u64>,
    sessions: Cell<Option<(SessionNo, SessionNo)>>,
    times: Cell<Option<(Nanos, Nanos)>>,
}

impl Extent {
    fn count(&self, op: &OpRecord) {
        self.operations.set(self.operations.get() + 1);
        let (least, most) = self.sessions.get().unwrap_or((op.session, op.session));
        self.sessions.set(Some((least.min(op.session), most.max(op.session))));
        let (first, last) = self.times.get().unwrap_or((op.started, op.ended));
        self.times.set(Some((first.min(op.started), last.max(op.ended))));
    }

    fn found(&self) -> Option<(RangeInclusive<SessionNo>, RangeInclusive<Nanos>)> {
        let ((least, most), (first, last)) = (self.sessions.get()?, self.times.get()?);
        Some((least..=most, first..=last))
    }
}
