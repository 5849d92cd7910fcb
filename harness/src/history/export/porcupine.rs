//! The key-value log read by the tests of anishathalye/porcupine (`parseKvLog`): gets, puts and appends of strings, one
//! event per line. A session is a key; its content is the indices of its writes, each followed by a semicolon. A
//! missing session is the empty string, so a destroy puts the empty string.
//!
//! The log leaves out operations that neither change nor show content (creates, touches, awards, listings, counts, and
//! appends to missing sessions), operations that certainly had no effect, and reads without a reply. That model knows
//! no lifetimes: an expired session reads as a lost one. A comment after each completion holds the rest.

use std::io::{self, Write};

use super::events::events;
use crate::history::{History, OpKind, OpRecord, Outcome, Presence};

/// Writes one event per line. An operation of unknown outcome is invoked and never returns.
pub(super) fn log(history: &History, out: &mut impl Write) -> io::Result<()> {
    let ops: Vec<&OpRecord> = history.ops.ops.iter().filter(|op| of_content(op)).collect();
    for event in events(&ops) {
        let op = event.op;
        if event.completed && op.outcome == Outcome::Unknown {
            continue;
        }
        let f = match op.kind {
            OpKind::Read => "get",
            OpKind::Append => "append",
            _ => "put",
        };
        let value = match op.kind {
            OpKind::Read if !event.completed => "nil".to_owned(),
            OpKind::Read => format!("\"{}\"", items(history, op)),
            OpKind::Destroy | OpKind::LogoutEverywhere => "\"\"".to_owned(),
            _ => format!("\"{};\"", op.index),
        };
        let (process, session) = (event.process, op.session);
        let kind = if event.completed { "ok" } else { "invoke" };
        write!(out, "{{:process {process}, :type :{kind}, :f :{f}, :key \"{session}\", :value {value}}}")?;
        match event.completed {
            true => {
                let (step, presence, cause) = (op.step.name(), op.presence.name(), op.cause.name());
                writeln!(out, " ; step {step}, presence {presence}, cause {cause}")?;
            }
            false => writeln!(out)?,
        }
    }
    Ok(())
}

fn of_content(op: &OpRecord) -> bool {
    match op.kind {
        OpKind::Read => op.is_answered_read(),
        OpKind::Append | OpKind::Put => op.perhaps_effective(),
        OpKind::Destroy | OpKind::LogoutEverywhere => op.perhaps_destroys(),
        _ => false,
    }
}

fn items(history: &History, read: &OpRecord) -> String {
    match read.presence {
        Presence::Absent => String::new(),
        _ => history.ops.tokens_of(read).iter().map(|token| format!("{};", token.saturating_sub(1))).collect(),
    }
}
