//! Synthetic histories of a sound store: any number of operations, always the same ones.

use firedrill::history::{
    Cause, FORMAT_VERSION, Header, Note, OpBatch, OpKind, OpRecord, Outcome, Presence, Step, Token,
};

/// An operation is sent every 10 µs, by one of 64 users in turn, and answered within half a millisecond.
const PACE_NS: i64 = 10_000;
const USERS: u64 = 64;

/// The kind of history.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    /// Its name.
    pub name: &'static str,
    /// Appends, puts and destroys per thousand operations; all others are reads.
    appends: u64,
    puts: u64,
    destroys: u64,
}

/// A typical drill: many sessions that grow to about sixty answers each.
pub const GROWING: Shape = Shape { name: "growing", appends: 300, puts: 0, destroys: 1 };
/// Few answers, many overwrites, as with the plain GET/SET target.
pub const OVERWRITING: Shape = Shape { name: "overwriting", appends: 50, puts: 100, destroys: 10 };

/// There is one session per this many operations.
const OPERATIONS_PER_SESSION: u64 = 200;

/// A reproducible stream of numbers (SplitMix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

/// The header of such a history.
pub fn header() -> Header {
    Header {
        version: FORMAT_VERSION,
        scenario: "synthetic".into(),
        seed: 1,
        ttl_ns: 3_600_000_000_000,
        ttl_slack_ns: 1_000_000_000,
        sliding: true,
        sessions_per_user: std::num::NonZeroU32::MIN,
        instances: std::num::NonZeroU32::MIN,
        counter: false,
        epoch_ms: 0,
    }
}

/// A session of the simulated sound store.
#[derive(Default, Clone)]
struct Stored {
    exists: bool,
    version: u64,
    tokens: Vec<Token>,
}

/// A history of `operations` and a final read of each session, in batches of at most `size`, as workers deliver them.
/// Returns the notes that belong to it.
pub fn batches(shape: Shape, operations: u64, size: usize, mut take: impl FnMut(&mut OpBatch)) -> Vec<Note> {
    let sessions = (operations / OPERATIONS_PER_SESSION).max(1);
    let mut random = Random(7);
    let mut store = vec![Stored::default(); sessions as usize];
    let mut batch = OpBatch::default();
    for index in 0..operations + sessions {
        let last = index >= operations;
        let session = if last { index - operations } else { random.next() % sessions };
        let stored = &mut store[session as usize];
        let dice = random.next() % 1_000;
        let kind = match dice {
            _ if last => OpKind::Read,
            _ if !stored.exists => OpKind::Create,
            dice if dice < shape.appends => OpKind::Append,
            dice if dice < shape.appends + shape.puts => OpKind::Put,
            dice if dice < shape.appends + shape.puts + shape.destroys => OpKind::Destroy,
            _ => OpKind::Read,
        };
        let found = if stored.exists { Presence::Present } else { Presence::Absent };
        take_effect(stored, kind, index + 1);
        let started = index as i64 * PACE_NS;
        let tokens: &[Token] = if kind == OpKind::Read { &stored.tokens } else { &[] };
        batch.ops.push(OpRecord {
            index,
            planned: started - 1_000,
            started,
            ended: started + 100_000 + (random.next() % 400_000) as i64,
            version: stored.version,
            session: session as u32,
            process: (index % USERS) as u32,
            owner: if kind == OpKind::Read { session as u32 } else { OpRecord::NO_OWNER },
            tokens_at: batch.tokens.len() as u32,
            tokens_len: tokens.len() as u32,
            kind,
            step: if last { Step::Final } else { Step::Load },
            outcome: Outcome::Ok,
            presence: if matches!(kind, OpKind::Create | OpKind::Put) { Presence::Unsaid } else { found },
            cause: Cause::None,
        });
        batch.tokens.extend_from_slice(tokens);
        if batch.ops.len() == size {
            take(&mut batch);
            batch.clear();
        }
    }
    if !batch.ops.is_empty() {
        take(&mut batch);
    }
    vec![Note::KeyScan { at: i64::MAX, keys: sessions, immortal: Vec::new(), immortal_count: 0 }]
}

fn take_effect(stored: &mut Stored, kind: OpKind, token: Token) {
    match kind {
        OpKind::Create => *stored = Stored { exists: true, version: 1, tokens: Vec::new() },
        OpKind::Append => stored.tokens.push(token),
        OpKind::Put => stored.tokens = vec![token],
        OpKind::Destroy => *stored = Stored::default(),
        _ => {}
    }
    if matches!(kind, OpKind::Append | OpKind::Put) {
        stored.version += 1;
    }
}
