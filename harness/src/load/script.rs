//! The operations of one stream (an open block, or one virtual user of a closed one): kind, session and size of each,
//! drawn in sequence from the stream's own generator.
//!
//! A script knows which sessions it has created and destroyed. It writes to a destroyed session only if the block asks for
//! that, and now and then it reads one to check that it has not come back.

use std::collections::VecDeque;
use std::time::Duration;

use rand::RngExt;
use rand_distr::{Distribution, LogNormal};
use rand_xoshiro::Xoshiro256PlusPlus;

use super::block::{LoadBlock, Payload};
use super::key_distribution::KeyChooser;
use super::routing::Instances;
use crate::clock::Nanos;
use crate::history::{OpKind, OpRecord, Process, SessionNo};
use crate::target::Operation;

/// An open loop picks a new session only this long after its create was due (or after the operation's deadline, if that
/// is shorter): a request that overtakes the create it depends on says nothing about the store.
const SETTLING: Duration = Duration::from_secs(1);

/// How many of the most recently destroyed sessions are kept for ghost reads.
const GHOSTS: usize = 256;

/// How a stream numbers its operations and sessions.
#[derive(Debug, Clone, Copy)]
pub(super) struct Numbers {
    pub(super) stream: u64,
    pub(super) streams: u64,
    pub(super) first_index: u64,
    pub(super) first_created: u64,
    /// The virtual user; `None` if each session's owner acts.
    pub(super) process: Option<Process>,
    /// The stores that carry the operations.
    pub(super) instances: Instances,
}

impl Numbers {
    /// The index of the stream's operation of this number, and its turn.
    pub(super) fn operation(&self, number: u64) -> (u64, u64) {
        (self.first_index + self.stream + number * self.streams, self.stream + number)
    }
}

#[derive(Debug, Clone)]
pub(super) struct Script {
    numbers: Numbers,
    drawn: u64,
    created: u64,
    /// Cumulative shares of the kinds in 0..1, in the order of [`OpKind::ALL`].
    shares: [f64; OpKind::COUNT],
    keys: KeyChooser,
    payload: Payload,
    sized_items: bool,
    ghost_reads: f64,
    ghost_writes: f64,
    pub(super) settling: Nanos,
    living: Living,
    unsettled: VecDeque<(Nanos, SessionNo)>,
    ghosts: VecDeque<SessionNo>,
    rng: Xoshiro256PlusPlus,
}

impl Script {
    /// `user` is the number of the virtual user in its block and the number of users. Users share the block's sessions.
    /// If the mix destroys sessions, each user gets its own part of them instead, because users cannot know what others
    /// have destroyed.
    pub(super) fn new(block: &LoadBlock, numbers: Numbers, user: Option<(u32, u32)>, rng: Xoshiro256PlusPlus) -> Self {
        let whole = Living::range(block.sessions.first, block.sessions.count, 1);
        let living = match user {
            Some((user, users)) if block.mix.weight(OpKind::Destroy) > 0.0 => {
                let count = block.sessions.count.saturating_sub(user).div_ceil(users);
                Living::range(block.sessions.first + user, count, users)
            }
            _ => whole,
        };
        let total: f64 = block.mix.weights().iter().sum();
        let mut share = 0.0;
        let shares = block.mix.weights().map(|weight| {
            share += weight / total;
            share
        });
        Self {
            numbers,
            drawn: 0,
            created: 0,
            shares,
            keys: KeyChooser::new(block.keys),
            payload: block.payload.clone(),
            sized_items: block.sized_items,
            ghost_reads: block.ghost_reads,
            ghost_writes: block.ghost_writes,
            settling: block.deadline.min(SETTLING).as_nanos() as Nanos,
            living,
            unsettled: VecDeque::new(),
            ghosts: VecDeque::new(),
            rng,
        }
    }

    /// The operation due at `at`. Without a live session it is a create, whatever the mix says.
    pub(super) fn next(&mut self, at: Nanos) -> Operation {
        while let Some(&(settled, session)) = self.unsettled.front()
            && settled <= at
        {
            self.unsettled.pop_front();
            self.living.add(session);
        }
        let (kind, session) = match self.kind() {
            OpKind::Create => self.create(at),
            OpKind::Destroy => self.destroy(at),
            OpKind::Read => self.read(at),
            kind @ (OpKind::Append | OpKind::Increment | OpKind::Touch) => {
                let session = self.ghost(self.ghost_writes).or_else(|| self.choose());
                session.map_or_else(|| self.create(at), |session| (kind, session))
            }
            kind => self.choose().map_or_else(|| self.create(at), |session| (kind, session)),
        };
        let numbers = &self.numbers;
        let (index, turn) = numbers.operation(self.drawn);
        let process = numbers.instances.process(numbers.process.unwrap_or(session), turn);
        self.drawn += 1;
        let payload_bytes = match kind {
            OpKind::Create | OpKind::Put | OpKind::Command => self.payload_bytes(),
            OpKind::Append if self.sized_items => self.payload_bytes(),
            _ => 0,
        };
        Operation { index, kind, session, process, payload_bytes }
    }

    fn kind(&mut self) -> OpKind {
        let draw: f64 = self.rng.random();
        let place = self.shares.iter().position(|&end| draw < end);
        // Rounding may leave the last share slightly below 1.
        let place = place.or_else(|| self.shares.iter().position(|&end| end >= self.shares[OpKind::COUNT - 1]));
        OpKind::ALL[place.unwrap_or(0)]
    }

    fn choose(&mut self) -> Option<SessionNo> {
        let size = self.living.len();
        (size > 0).then(|| self.living.get(self.keys.choose(size, &mut self.rng)))
    }

    fn create(&mut self, at: Nanos) -> (OpKind, SessionNo) {
        let number = self.numbers.first_created + self.numbers.stream + self.created * self.numbers.streams;
        match SessionNo::try_from(number).ok().filter(|&session| session != OpRecord::NO_OWNER) {
            Some(session) => {
                self.created += 1;
                self.unsettled.push_back((at + self.settling, session));
                (OpKind::Create, session)
            }
            // After four billion sessions, continue with the existing ones.
            None => (OpKind::Read, self.choose().unwrap_or(0)),
        }
    }

    fn destroy(&mut self, at: Nanos) -> (OpKind, SessionNo) {
        let size = self.living.len();
        if size == 0 {
            return self.create(at);
        }
        let session = self.living.remove(self.keys.choose(size, &mut self.rng));
        if self.ghosts.len() == GHOSTS {
            self.ghosts.pop_front();
        }
        self.ghosts.push_back(session);
        (OpKind::Destroy, session)
    }

    fn read(&mut self, at: Nanos) -> (OpKind, SessionNo) {
        let session = self.ghost(self.ghost_reads).or_else(|| self.choose());
        session.map_or_else(|| self.create(at), |session| (OpKind::Read, session))
    }

    /// With a chance of `share`, a session that was destroyed.
    fn ghost(&mut self, share: f64) -> Option<SessionNo> {
        if share == 0.0 || self.ghosts.is_empty() || self.rng.random::<f64>() >= share {
            return None;
        }
        let ghost = self.rng.random_range(0..self.ghosts.len());
        Some(self.ghosts[ghost])
    }

    fn payload_bytes(&mut self) -> u32 {
        payload_bytes(&self.payload, &mut self.rng)
    }
}

/// Draws the size of a payload in bytes.
pub(super) fn payload_bytes(payload: &Payload, rng: &mut Xoshiro256PlusPlus) -> u32 {
    match payload {
        Payload::Fixed(bytes) => *bytes,
        Payload::Uniform { min, max } => rng.random_range(*min..=*max),
        Payload::LogNormal { median, sigma, max } => match LogNormal::new(f64::from(*median).ln(), *sigma) {
            Ok(sizes) => sizes.sample(rng).min(f64::from(*max)) as u32,
            Err(_) => *median, // plan validation rejects such a sigma
        },
        Payload::OneOf(sizes) => {
            let mut draw = rng.random::<f64>() * sizes.iter().map(|(_, weight)| weight).sum::<f64>();
            let drawn = sizes.iter().find(|(_, weight)| {
                draw -= weight;
                draw < 0.0
            });
            drawn.or(sizes.last()).map_or(0, |(size, _)| *size)
        }
    }
}

/// The sessions that can be picked. The pool stays a range until one of its sessions is destroyed, so that a thousand
/// users of a million sessions need not hold a thousand lists.
#[derive(Debug, Clone)]
struct Living {
    first: SessionNo,
    count: u32,
    stride: u32,
    listed: Vec<SessionNo>,
}

impl Living {
    fn range(first: SessionNo, count: u32, stride: u32) -> Self {
        Self { first, count, stride, listed: Vec::new() }
    }

    fn len(&self) -> usize {
        self.count as usize + self.listed.len()
    }

    fn get(&self, position: usize) -> SessionNo {
        match position.checked_sub(self.count as usize) {
            Some(position) => self.listed[position],
            None => self.first + position as u32 * self.stride,
        }
    }

    fn add(&mut self, session: SessionNo) {
        self.listed.push(session);
    }

    fn remove(&mut self, position: usize) -> SessionNo {
        if position < self.count as usize {
            self.listed = (0..self.len()).map(|position| self.get(position)).collect();
            self.count = 0;
        }
        self.listed.swap_remove(position - self.count as usize)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::super::arrivals::{ArrivalProcess, Stage};
    use super::super::block::{Mix, Pacing, SessionRange, Think};
    use super::super::plan::LoadPlan;
    use super::super::streams::Planned;
    use super::*;

    const SECOND: Nanos = 1_000_000_000;

    fn open(rate: f64, seconds: u64, sessions: u32, mix: &[(OpKind, f64)]) -> Vec<Planned> {
        let stages = vec![Stage::steady(rate, Duration::from_secs(seconds))];
        let pacing = Pacing::Open { stages, arrivals: ArrivalProcess::Constant };
        let mut block = LoadBlock::new("test", pacing, SessionRange { first: 0, count: sessions });
        block.mix = Mix::of(mix);
        block.ghost_reads = 0.1;
        LoadPlan::new(3, vec![block], 0).unwrap().open(0).unwrap().collect()
    }

    fn users(count: u32, sessions: u32, mix: &[(OpKind, f64)], each: usize) -> Vec<Vec<Operation>> {
        let pacing = Pacing::Closed {
            users: count,
            think: Think::None,
            length: Duration::from_secs(1),
            ramp: Duration::ZERO,
            rate_cap: None,
        };
        let mut block = LoadBlock::new("test", pacing, SessionRange { first: 0, count: sessions });
        block.mix = Mix::of(mix);
        let plan = LoadPlan::new(3, vec![block], 0).unwrap();
        (0..count).map(|user| plan.user(0, user).unwrap().take(each).map(|(op, _)| op).collect()).collect()
    }

    fn share(ops: &[Planned], kind: OpKind) -> f64 {
        ops.iter().filter(|p| p.op.kind == kind).count() as f64 / ops.len() as f64
    }

    #[test]
    fn kinds_come_in_the_proportions_of_the_mix() {
        let mix = [(OpKind::Create, 1.0), (OpKind::Read, 6.0), (OpKind::Append, 3.0)];
        let ops = open(10_000.0, 10, 500, &mix);
        assert_eq!(ops.len(), 100_000);
        for (kind, expected) in [(OpKind::Create, 0.1), (OpKind::Read, 0.6), (OpKind::Append, 0.3)] {
            // Five standard errors of a share of 0.6 in 100 000 draws are 0.0078.
            assert!((share(&ops, kind) - expected).abs() < 0.008, "{kind:?}: {}", share(&ops, kind));
        }
        assert_eq!(share(&ops, OpKind::Destroy), 0.0);
    }

    #[test]
    fn a_created_session_is_used_once_its_create_had_time_to_settle() {
        let ops = open(1000.0, 5, 1, &[(OpKind::Create, 1.0), (OpKind::Append, 1.0)]);
        let mut created_at = std::collections::HashMap::new();
        let mut used = HashSet::new();
        for Planned { at, op } in ops {
            match op.kind {
                OpKind::Create => assert_eq!(created_at.insert(op.session, at), None),
                _ if op.session == 0 => {}
                _ => {
                    assert!(at >= created_at[&op.session] + SECOND, "{op:?}");
                    used.insert(op.session);
                }
            }
        }
        assert!(used.len() > 500, "{}", used.len());
    }

    #[test]
    fn a_destroyed_session_is_only_read_again_and_that_does_happen() {
        let mix = [(OpKind::Create, 2.0), (OpKind::Read, 5.0), (OpKind::Append, 2.0), (OpKind::Destroy, 1.0)];
        let ops = open(1000.0, 5, 100, &mix);
        let mut destroyed = HashSet::new();
        let (mut reads, mut ghost_reads) = (0, 0);
        for Planned { op, .. } in ops {
            let gone = destroyed.contains(&op.session);
            match op.kind {
                OpKind::Read => {
                    reads += 1;
                    ghost_reads += u32::from(gone);
                }
                OpKind::Destroy => assert!(destroyed.insert(op.session), "{op:?} twice"),
                _ => assert!(!gone, "{op:?} after its destroy"),
            }
        }
        let share = f64::from(ghost_reads) / f64::from(reads);
        assert!((0.06..0.14).contains(&share), "{share}");
    }

    #[test]
    fn appends_and_touches_go_to_destroyed_sessions_only_where_a_block_asks_for_it() {
        let mix = [(OpKind::Create, 2.0), (OpKind::Append, 4.0), (OpKind::Touch, 2.0), (OpKind::Destroy, 1.0)];
        let stages = vec![Stage::steady(1000.0, Duration::from_secs(5))];
        let pacing = Pacing::Open { stages, arrivals: ArrivalProcess::Constant };
        let mut block = LoadBlock::new("test", pacing, SessionRange { first: 0, count: 100 });
        (block.mix, block.ghost_writes) = (Mix::of(&mix), 0.1);
        let (mut destroyed, mut writes, mut late) = (HashSet::new(), 0, 0);
        for Planned { op, .. } in LoadPlan::new(3, vec![block], 0).unwrap().open(0).unwrap() {
            match op.kind {
                OpKind::Destroy => {
                    destroyed.insert(op.session);
                }
                OpKind::Append | OpKind::Touch => {
                    writes += 1;
                    late += u32::from(destroyed.contains(&op.session));
                }
                _ => assert!(!destroyed.contains(&op.session), "{op:?}"),
            }
        }
        let share = f64::from(late) / f64::from(writes);
        assert!((0.07..0.13).contains(&share), "{share}");
    }

    #[test]
    fn without_a_living_session_operations_are_creates() {
        let ops = open(10.0, 1, 0, &[(OpKind::Append, 1.0)]);
        assert!(ops.iter().all(|p| p.op.kind == OpKind::Create));
        let destroyed_at_once = &users(1, 1, &[(OpKind::Destroy, 1.0)], 4)[0];
        let kinds: Vec<_> = destroyed_at_once.iter().map(|op| op.kind).collect();
        assert_eq!(kinds, [OpKind::Destroy, OpKind::Create, OpKind::Destroy, OpKind::Create]);
    }

    #[test]
    fn users_share_the_sessions_unless_they_destroy_some() {
        let shared = users(4, 3, &[(OpKind::Append, 1.0)], 100);
        for ops in &shared {
            assert_eq!(ops.iter().map(|op| op.session).collect::<HashSet<_>>(), HashSet::from([0, 1, 2]));
        }
        let own = users(3, 7, &[(OpKind::Read, 9.0), (OpKind::Create, 1.0), (OpKind::Destroy, 1.0)], 200);
        let sets: Vec<HashSet<_>> = own.iter().map(|ops| ops.iter().map(|op| op.session).collect()).collect();
        assert!(sets[0].is_disjoint(&sets[1]) && sets[1].is_disjoint(&sets[2]) && sets[0].is_disjoint(&sets[2]));
        let pool: HashSet<_> = sets.iter().flatten().copied().filter(|&session| session < 7).collect();
        assert_eq!(pool.len(), 7);
    }

    #[test]
    fn only_writes_of_whole_sessions_carry_a_payload() {
        let ops = open(1000.0, 1, 10, &[(OpKind::Create, 1.0), (OpKind::Read, 1.0), (OpKind::Put, 1.0)]);
        for Planned { op, .. } in ops {
            assert_eq!(op.payload_bytes, if op.kind == OpKind::Read { 0 } else { 1024 });
        }
    }

    #[test]
    fn payload_sizes_follow_their_distribution() {
        use rand::SeedableRng;
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(5);
        let mut draw = |payload| {
            let mut sizes: Vec<u32> = (0..10_001).map(|_| payload_bytes(payload, &mut rng)).collect();
            sizes.sort_unstable();
            sizes
        };
        let uniform = draw(&Payload::Uniform { min: 10, max: 20 });
        assert_eq!((uniform[0], uniform[10_000]), (10, 20));
        let tailed = draw(&Payload::LogNormal { median: 1000, sigma: 1.0, max: 20_000 });
        assert!((950..1050).contains(&tailed[5000]), "{}", tailed[5000]);
        // One standard deviation up is e times the median.
        assert!((2550..2900).contains(&tailed[8413]), "{}", tailed[8413]);
        assert_eq!(tailed[10_000], 20_000);
        let listed = draw(&Payload::OneOf(vec![(100, 1.0), (5_000, 3.0)]));
        let small = listed.iter().filter(|size| **size == 100).count();
        // Five standard errors of a quarter of 10 001 are 217.
        assert!((2_283..2_717).contains(&small) && listed[small] == 5_000, "{small}");
    }
}
