//! Operations as JSON lines, with the fields of `docs/history-format.md`.

use std::io::{self, Write};

use serde::Serialize;

use crate::clock::Nanos;
use crate::history::{Cause, History, OpRecord, Presence, Process, SessionNo, Token};

/// An operation. What its answer does not state is absent.
#[derive(Serialize)]
struct Line<'h> {
    index: u64,
    kind: &'static str,
    session: SessionNo,
    process: Process,
    step: &'static str,
    planned: Nanos,
    started: Nanos,
    ended: Nanos,
    outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    presence: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    owner: Option<SessionNo>,
    #[serde(skip_serializing_if = "<[Token]>::is_empty")]
    tokens: &'h [Token],
}

/// Writes an object per operation.
pub fn lines(history: &History, mut out: &mut dyn Write) -> io::Result<()> {
    for op in &history.ops.ops {
        serde_json::to_writer(&mut out, &Line::of(op, history.ops.tokens_of(op)))?;
        out.write_all(b"\n")?;
    }
    Ok(())
}

impl<'h> Line<'h> {
    fn of(op: &OpRecord, tokens: &'h [Token]) -> Self {
        Self {
            index: op.index,
            kind: op.kind.name(),
            session: op.session,
            process: op.process,
            step: op.step.name(),
            planned: op.planned,
            started: op.started,
            ended: op.ended,
            outcome: op.outcome.name(),
            cause: (op.cause != Cause::None).then(|| op.cause.name()),
            presence: (op.presence != Presence::Unsaid).then(|| op.presence.name()),
            version: (op.version != 0).then_some(op.version),
            owner: (op.owner != OpRecord::NO_OWNER).then_some(op.owner),
            tokens,
        }
    }
}
