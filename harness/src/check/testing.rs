//! Short histories for tests: who did what, between which milliseconds, how it ended and what it showed.

use std::ops::Range;

use firedrill_storage::{Event, FallbackCause};

use super::{Budget, Finding, SessionChecker, check_all};
use crate::history::testing;
use crate::history::{
    Cause, History, Note, OpBatch, OpKind, OpRecord, Outcome, Presence, Process, SessionNo, Step, Tells, Token,
};

/// A history under construction. Times are in milliseconds; sessions live ten seconds, and reads extend them.
#[derive(Debug)]
pub(crate) struct Script {
    history: History,
}

/// An operation under construction. Its outcome completes it and returns its index.
#[derive(Debug)]
pub(crate) struct Entry<'s> {
    script: &'s mut Script,
    op: OpRecord,
}

const MS: i64 = 1_000_000;

impl Script {
    /// An empty history.
    pub fn new() -> Self {
        Self { history: History { header: testing::header(10_000 * MS), ops: OpBatch::default(), notes: Vec::new() } }
    }

    /// Sets the lifetime of sessions, give or take the slack.
    pub fn ttl(mut self, ttl: i64, slack: i64) -> Self {
        self.history.header.ttl_ns = ttl * MS;
        self.history.header.ttl_slack_ns = slack * MS;
        self
    }

    /// Makes reads not extend a session's lifetime.
    pub fn not_sliding(mut self) -> Self {
        self.history.header.sliding = false;
        self
    }

    /// Sets the number of sessions per user.
    pub fn sessions_per_user(mut self, sessions: u32) -> Self {
        self.history.header.sessions_per_user = std::num::NonZeroU32::new(sessions).unwrap();
        self
    }

    /// Makes every session a counter.
    pub fn counter(mut self) -> Self {
        self.history.header.counter = true;
        self
    }

    /// Sets the number of stores: the process of an operation is then the one that carried it.
    pub fn instances(mut self, stores: u32) -> Self {
        self.history.header.instances = std::num::NonZeroU32::new(stores).unwrap();
        self
    }

    /// The fallback of store `instance` was active.
    pub fn outage_of(&mut self, instance: u32, ms: Range<i64>) {
        let started = Event::FallbackStarted { cause: FallbackCause::Timeout };
        let ended = Event::FallbackEnded { lasted: std::time::Duration::ZERO, served: 0 };
        self.note(Note::Store { at: ms.start * MS, instance, event: started });
        self.note(Note::Store { at: ms.end * MS, instance, event: ended });
    }

    pub fn note(&mut self, note: Note) {
        self.history.notes.push(note);
    }

    /// Whether there are any notes.
    pub fn has_notes(&self) -> bool {
        !self.history.notes.is_empty()
    }

    pub fn create(&mut self, session: SessionNo, process: Process) -> Entry<'_> {
        self.line(OpKind::Create, session, process)
    }

    pub fn read(&mut self, session: SessionNo, process: Process) -> Entry<'_> {
        self.line(OpKind::Read, session, process)
    }

    pub fn append(&mut self, session: SessionNo, process: Process) -> Entry<'_> {
        self.line(OpKind::Append, session, process)
    }

    pub fn increment(&mut self, session: SessionNo, process: Process) -> Entry<'_> {
        self.line(OpKind::Increment, session, process)
    }

    pub fn put(&mut self, session: SessionNo, process: Process) -> Entry<'_> {
        self.line(OpKind::Put, session, process)
    }

    pub fn touch(&mut self, session: SessionNo, process: Process) -> Entry<'_> {
        self.line(OpKind::Touch, session, process)
    }

    pub fn destroy(&mut self, session: SessionNo, process: Process) -> Entry<'_> {
        self.line(OpKind::Destroy, session, process)
    }

    pub fn award(&mut self, session: SessionNo, process: Process) -> Entry<'_> {
        self.line(OpKind::Award, session, process)
    }

    /// Lists the sessions of the user who owns `session`.
    pub fn list(&mut self, session: SessionNo) -> Entry<'_> {
        self.line(OpKind::List, session, 0)
    }

    /// Counts the sessions.
    pub fn count(&mut self) -> Entry<'_> {
        self.line(OpKind::Count, 0, 0)
    }

    /// An operation of any kind.
    pub fn line(&mut self, kind: OpKind, session: SessionNo, process: Process) -> Entry<'_> {
        let op = OpRecord {
            index: self.history.ops.ops.len() as u64,
            session,
            process,
            tokens_at: self.history.ops.tokens.len() as u32,
            kind,
            ..testing::read(0..0)
        };
        Entry { script: self, op }
    }

    /// Changes a recorded operation.
    pub fn amend(&mut self, index: u64, change: impl FnOnce(&mut OpRecord)) {
        change(&mut self.history.ops.ops[index as usize]);
    }

    /// The history as a reader would return it.
    pub fn build(self) -> History {
        let mut history = self.history;
        history.ops.ops.sort_by_key(|op| (op.started, op.index));
        history.notes.sort_by_key(Note::at);
        history
    }

    /// The finding of `checker`.
    pub fn judged_by(self, checker: &'static dyn SessionChecker) -> Finding {
        check_all(&self.build(), &[checker], &Budget::default()).remove(0).1
    }
}

impl Entry<'_> {
    /// Sets when it was sent and answered.
    pub fn at(mut self, ms: Range<i64>) -> Self {
        self.op.planned = ms.start * MS;
        self.op.started = ms.start * MS;
        self.op.ended = ms.end * MS;
        self
    }

    /// Whether its session is a counter.
    pub fn is_of_counter(&self) -> bool {
        self.script.history.header.counter
    }

    /// The index that it will have.
    pub fn index(&self) -> u64 {
        self.op.index
    }

    /// Makes it one of the final reads.
    pub fn finally(mut self) -> Self {
        self.op.step = Step::Final;
        self
    }

    /// Sets what was found: the operations whose tokens the session held.
    pub fn shows(mut self, operations: &[u64]) -> Self {
        self.script.history.ops.tokens.extend(operations.iter().map(|index| index + 1));
        self.op.tokens_len += operations.len() as u32;
        self
    }

    /// Sets the sessions in a listing.
    pub fn sessions(mut self, shown: &[SessionNo]) -> Self {
        self.script.history.ops.tokens.extend(shown.iter().copied().map(Token::from));
        self.op.tokens_len += shown.len() as u32;
        self
    }

    /// Sets the number in the answer of a count, or of a read of a counter.
    pub fn number(mut self, sessions: u64) -> Self {
        self.script.history.ops.tokens.push(sessions);
        self.op.tokens_len = 1;
        self
    }

    /// Sets the version in the answer.
    pub fn version(mut self, version: u64) -> Self {
        self.op.version = version;
        self
    }

    /// Sets the owner of the data in the answer.
    pub fn owner(mut self, owner: SessionNo) -> Self {
        self.op.owner = owner;
        self
    }

    /// Acknowledged by the store.
    pub fn ok(self) -> u64 {
        let presence = self.found();
        self.end(Outcome::Ok, presence, Cause::None)
    }

    /// Acknowledged by the fallback.
    pub fn degraded(self) -> u64 {
        let presence = self.found();
        self.end(Outcome::Degraded, presence, Cause::Fallback)
    }

    /// Answered "no such session".
    pub fn absent(self) -> u64 {
        self.end(Outcome::Ok, Presence::Absent, Cause::None)
    }

    /// Failed, with the reason "no such session".
    pub fn not_found(self) -> u64 {
        self.end(Outcome::Failed, Presence::Absent, Cause::None)
    }

    /// Certainly without effect.
    pub fn failed(self) -> u64 {
        self.end(Outcome::Failed, Presence::Unsaid, Cause::Refused)
    }

    /// Perhaps with effect.
    pub fn unknown(self) -> u64 {
        self.end(Outcome::Unknown, Presence::Unsaid, Cause::Timeout)
    }

    fn found(&self) -> Presence {
        match self.op.kind.effects().tells {
            Tells::Nothing => Presence::Unsaid,
            Tells::Presence | Tells::UnlessAbsent => Presence::Present,
        }
    }

    fn end(mut self, outcome: Outcome, presence: Presence, cause: Cause) -> u64 {
        (self.op.outcome, self.op.presence, self.op.cause) = (outcome, presence, cause);
        self.script.history.ops.ops.push(self.op);
        self.op.index
    }
}
