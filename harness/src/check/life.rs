//! What may have become of one session: when it may have begun anew, when its content may have been replaced, and
//! whether it must have existed at a given moment. Everything that only may have happened is held against nobody:
//! where something is missing, checkers ask here for the excuses before they accuse.
//!
//! An operation takes effect at one moment between its start and its answer; one of unknown outcome at any moment
//! after its start, or never. A session must exist from an operation that certainly found or made it until its
//! lifetime has run from the *start* of the last operation that certainly extended it, less the slack.

use hashbrown::HashMap;

use super::lapse::Lapse;
use super::sessions::Session;
use crate::clock::Nanos;
use crate::history::{History, OpKind, OpRecord, Outcome, Presence, SessionNo, Token};

/// The end of a span that may last for ever.
const NEVER: Nanos = Nanos::MAX;
/// Before everything.
const BEFORE_ALL: Nanos = Nanos::MIN;

/// A read whose answer can be held against the target.
pub(super) fn answered_read(op: &OpRecord) -> bool {
    op.kind == OpKind::Read && op.outcome.acknowledged()
}

/// A write whose token the session certainly took.
pub(super) fn certain_write(op: &OpRecord) -> bool {
    matches!(op.kind, OpKind::Append | OpKind::Put) && op.outcome.acknowledged() && op.presence != Presence::Absent
}

/// Whether the operation may have had its effect, now or later.
pub(super) fn perhaps_effective(op: &OpRecord) -> bool {
    match op.outcome {
        Outcome::Failed => false,
        Outcome::Unknown => true,
        // A destroy that found nothing may still have left word that the session is to go.
        Outcome::Ok | Outcome::Degraded => op.presence != Presence::Absent || op.kind == OpKind::Destroy,
    }
}

/// Whether it may have made a session where there was none. An append, touch or read never does.
pub(super) fn perhaps_creates(op: &OpRecord) -> bool {
    matches!(op.kind, OpKind::Create | OpKind::Put) && perhaps_effective(op)
}

/// An acknowledged operation that found or made the session.
fn proves_existence(op: &OpRecord) -> bool {
    op.outcome.acknowledged()
        && match op.kind {
            OpKind::Create | OpKind::Put => true,
            OpKind::Append => op.presence != Presence::Absent,
            OpKind::Read | OpKind::Touch | OpKind::Award => op.presence == Presence::Present,
            OpKind::Destroy | OpKind::List | OpKind::Count => false,
        }
}

/// An acknowledged operation that set the lifetime to run anew. A claim that comes too late only reads.
fn extends_for_certain(op: &OpRecord, sliding: bool) -> bool {
    proves_existence(op) && (!matches!(op.kind, OpKind::Read | OpKind::Award) || sliding)
}

/// Spans of time during which something may have happened, for the question: can it have happened after this, as
/// seen from that?
#[derive(Debug, Default)]
pub(super) struct Spans {
    /// Start, and the latest end of this span and all before it.
    spans: Vec<(Nanos, Nanos)>,
}

impl Spans {
    pub fn clear(&mut self) {
        self.spans.clear();
    }

    /// Adds one. All must be added before the first question, which [`Spans::seal`] prepares.
    pub fn push(&mut self, started: Nanos, latest: Nanos) {
        self.spans.push((started, latest));
    }

    /// To be called when all are in.
    pub fn seal(&mut self) {
        self.spans.sort_unstable();
        for at in 1..self.spans.len() {
            self.spans[at].1 = self.spans[at].1.max(self.spans[at - 1].1);
        }
    }

    /// The last moment at which any that had begun by `t` can have happened; before all time where none had.
    pub fn latest(&self, t: Nanos) -> Nanos {
        let begun = self.spans.partition_point(|span| span.0 <= t);
        self.spans[..begun].last().map_or(BEFORE_ALL, |span| span.1)
    }
}

/// Acknowledged operations by their end, for the question: which of those over by then started last?
#[derive(Debug, Default)]
pub(super) struct Ended {
    /// End, latest start so far, and the operation that started then.
    ends: Vec<(Nanos, Nanos, u64)>,
}

impl Ended {
    pub fn clear(&mut self) {
        self.ends.clear();
    }

    /// Adds one. All must be added before the first question, which [`Ended::seal`] prepares.
    pub fn push(&mut self, op: &OpRecord) {
        self.ends.push((op.ended, op.started, op.index));
    }

    /// To be called when all are in.
    pub fn seal(&mut self) {
        self.ends.sort_unstable();
        for at in 1..self.ends.len() {
            let (_, started, index) = self.ends[at - 1];
            if started > self.ends[at].1 {
                (self.ends[at].1, self.ends[at].2) = (started, index);
            }
        }
    }

    /// The start and the index of the one that started last among those that had ended before `t`.
    pub fn last_before(&self, t: Nanos) -> Option<(Nanos, u64)> {
        let at = self.ends.partition_point(|end| end.0 < t);
        self.ends[..at].last().map(|&(_, started, index)| (started, index))
    }
}

/// Whether a session existed while an operation was under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Existence {
    /// Nothing says that it had been made by then.
    Unproven,
    /// A destroy may have ended it.
    PerhapsDestroyed,
    /// Its lifetime may have run out.
    PerhapsExpired,
    /// It existed all the time.
    Certain {
        /// The operation that extended its life last.
        extended_by: u64,
        /// Until when it had to live at least.
        until: Nanos,
    },
}

/// The life of one session. Made once per check and filled for the session asked about, to keep its memory.
#[derive(Debug)]
pub(super) struct Life {
    /// The session it is filled for.
    session: Option<SessionNo>,
    /// When a life certainly lasts until.
    lapse: Lapse,
    sliding: bool,
    /// When it may have ended and, empty, begun anew: nothing from before need be there after.
    emptied: Spans,
    /// When it may have begun anew, by a put too: versions count from the start again.
    reborn: Spans,
    /// When it may have been destroyed.
    destroyed: Spans,
    /// The tokens of puts, and the last moment at which each can have replaced what was there.
    puts: HashMap<Token, Nanos>,
    proofs: Ended,
    extensions: Ended,
}

impl Life {
    /// Lives under the promises that `history` was made under.
    pub fn under(history: &History) -> Self {
        Self {
            session: None,
            lapse: Lapse::of(history),
            sliding: history.header.sliding,
            emptied: Spans::default(),
            reborn: Spans::default(),
            destroyed: Spans::default(),
            puts: HashMap::new(),
            proofs: Ended::default(),
            extensions: Ended::default(),
        }
    }

    /// The life of `session`.
    pub fn of(&mut self, session: &Session<'_>) -> &Self {
        if self.session != Some(session.number) {
            self.session = Some(session.number);
            self.fill(session);
        }
        self
    }

    fn fill(&mut self, session: &Session<'_>) {
        for spans in [&mut self.emptied, &mut self.reborn, &mut self.destroyed] {
            spans.clear();
        }
        for ended in [&mut self.proofs, &mut self.extensions] {
            ended.clear();
        }
        self.puts.clear();
        for op in session.ops().filter(|op| proves_existence(op)) {
            self.proofs.push(op);
        }
        for op in session.ops().filter(|op| extends_for_certain(op, self.sliding)) {
            self.extensions.push(op);
        }
        self.fill_births(session);
        self.fill_destroys(session);
        for spans in [&mut self.emptied, &mut self.reborn, &mut self.destroyed] {
            spans.seal();
        }
        for ended in [&mut self.proofs, &mut self.extensions] {
            ended.seal();
        }
    }

    /// A put replaces the content. A create or put begins a new session only where the old one may have expired.
    fn fill_births(&mut self, session: &Session<'_>) {
        let births = session.ops().filter(|op| perhaps_creates(op));
        let made_once = |op: &OpRecord| op.kind == OpKind::Create && op.outcome.acknowledged();
        if births.clone().count() < 2 && births.clone().all(made_once) {
            return; // the usual session: nothing replaces anything
        }
        let gaps = self.gaps(session);
        let shown = first_shown(session);
        for op in births {
            let latest = shown.get(&op.token()).copied().unwrap_or(latest(op));
            if op.kind == OpKind::Put {
                self.puts.insert(op.token(), latest);
            }
            let gap = gaps.get(gaps.partition_point(|gap| gap.1 <= op.started));
            if let Some(gap) = gap.filter(|gap| gap.0 < latest) {
                let started = op.started.max(gap.0);
                self.reborn.push(started, latest);
                if op.kind == OpKind::Create {
                    self.emptied.push(started, latest);
                }
            }
        }
    }

    /// A destroy explains lost content where something can have made the session anew since, and where it certainly
    /// happened: that it comes back all the same is the resurrection checker's business.
    fn fill_destroys(&mut self, session: &Session<'_>) {
        let destroys = session.ops().filter(|op| op.kind == OpKind::Destroy && perhaps_effective(op));
        if destroys.clone().next().is_none() {
            return;
        }
        let births = session.ops().filter(|op| perhaps_creates(op));
        let last = births.clone().map(latest).max().unwrap_or(BEFORE_ALL);
        let last_create = births.filter(|op| op.kind == OpKind::Create).map(latest).max().unwrap_or(BEFORE_ALL);
        for op in destroys {
            self.destroyed.push(op.started, latest(op));
            if op.outcome.acknowledged() || last_create >= op.started {
                self.emptied.push(op.started, latest(op));
            }
            if op.outcome.acknowledged() || last >= op.started {
                self.reborn.push(op.started, latest(op));
            }
        }
    }

    /// The times after its first proof of life during which the session may have been expired.
    fn gaps(&self, session: &Session<'_>) -> Vec<(Nanos, Nanos)> {
        let mut extensions =
            session.ops().filter(|op| proves_existence(op) && (op.kind != OpKind::Read || self.sliding));
        let Some(first) = extensions.next() else { return Vec::new() };
        let mut gaps = Vec::new();
        let mut until = self.lapse.earliest(first.started);
        for op in extensions {
            if op.ended > until {
                gaps.push((until, op.ended));
            }
            until = until.max(self.lapse.earliest(op.started));
        }
        gaps.push((until, NEVER));
        gaps
    }

    /// What was in the session at this moment or before may rightly be missing from `read`, which found `tokens`: the
    /// session may have begun anew since, or a put that shows in the read may have replaced it. (A put that does not
    /// show replaced nothing, or was itself replaced by one that does.)
    pub fn may_miss_until(&self, read: &OpRecord, tokens: &[Token]) -> Nanos {
        let mut until = self.emptied.latest(read.ended);
        if !self.puts.is_empty() {
            until = tokens.iter().filter_map(|token| self.puts.get(token)).copied().fold(until, Nanos::max);
        }
        until
    }

    /// The last moment at which `put` can have replaced what was there; `None` where it certainly did not.
    pub fn may_replace_until(&self, put: &OpRecord) -> Option<Nanos> {
        self.puts.get(&put.token()).copied()
    }

    /// Versions from this moment or before may rightly be higher than that of an operation answered at `t`.
    pub fn may_renumber_until(&self, t: Nanos) -> Nanos {
        self.reborn.latest(t)
    }

    /// The last moment at which the session may have been destroyed.
    pub fn perhaps_destroyed_until(&self) -> Nanos {
        self.destroyed.latest(Nanos::MAX)
    }

    /// Whether the session existed from `started` to `ended`.
    pub fn existence(&self, started: Nanos, ended: Nanos) -> Existence {
        let Some((proof, _)) = self.proofs.last_before(started) else { return Existence::Unproven };
        if self.destroyed.latest(ended) >= proof {
            return Existence::PerhapsDestroyed;
        }
        let Some((extended, extended_by)) = self.extensions.last_before(started) else {
            return Existence::PerhapsExpired;
        };
        let until = self.lapse.earliest(extended);
        if until < ended { Existence::PerhapsExpired } else { Existence::Certain { extended_by, until } }
    }
}

/// The last moment at which an operation that may have had an effect can have had it.
pub(super) fn latest(op: &OpRecord) -> Nanos {
    if op.outcome == Outcome::Unknown { NEVER } else { op.ended }
}

/// When the tokens of creates and puts of unknown outcome were first seen: they had taken effect by then.
pub(super) fn first_shown(session: &Session<'_>) -> HashMap<Token, Nanos> {
    let unknown = session.ops().filter(|op| perhaps_creates(op) && op.outcome == Outcome::Unknown);
    let mut shown: HashMap<Token, Nanos> = unknown.map(|op| (op.token(), NEVER)).collect();
    if !shown.is_empty() {
        for read in session.ops().filter(|op| answered_read(op)) {
            for token in session.tokens(read) {
                if let Some(at) = shown.get_mut(token) {
                    *at = read.ended.min(*at);
                }
            }
        }
    }
    shown
}
