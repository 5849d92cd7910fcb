//! The operations of a load, fixed before it runs. The plan and its seed determine everything, without I/O.

use rand::SeedableRng;
use rand_xoshiro::Xoshiro256PlusPlus;

use super::arrivals::{Arrivals, Stage};
use super::block::{LoadBlock, Pacing};
use super::routing::Instances;
use super::script::{Numbers, Script, payload_bytes};
use super::streams::{OpenStream, UserStream};
use super::validate::{self, PlanError};
use crate::clock::Nanos;
use crate::history::{OpKind, Process, SessionNo};
use crate::ids::mixed;
use crate::target::Operation;

/// A whole load. Operations are numbered in the order preload, warm-up, load. Within the load, each of the n streams
/// (an open block, or a virtual user) uses every n-th number, so streams need not know about each other. New sessions
/// are numbered the same way.
#[derive(Debug, Clone, PartialEq)]
pub struct LoadPlan {
    seed: u64,
    blocks: Vec<LoadBlock>,
    warmup_reads: u32,
    streams: u32,
    pool_end: SessionNo,
    instances: Instances,
}

impl LoadPlan {
    /// A plan of these blocks. `warmup_reads` operation numbers are reserved for [`LoadPlan::warmup`].
    ///
    /// # Errors
    /// A [`PlanError`] that names the block and what is wrong with it.
    pub fn new(seed: u64, blocks: Vec<LoadBlock>, warmup_reads: u32) -> Result<Self, PlanError> {
        let (streams, pool_end) = validate::layout(&blocks)?;
        Ok(Self { seed, blocks, warmup_reads, streams, pool_end, instances: Instances::default() })
    }

    /// The same sessions, warm-up and instances with other `blocks` and another seed.
    ///
    /// # Errors
    /// Same as [`LoadPlan::new`].
    pub fn with_blocks(&self, seed: u64, blocks: Vec<LoadBlock>) -> Result<Self, PlanError> {
        Ok(Self::new(seed, blocks, self.warmup_reads)?.carried_by(self.instances))
    }

    /// The same plan, carried by `instances` of the store.
    pub fn carried_by(self, instances: Instances) -> Self {
        Self { instances, ..self }
    }

    /// The seed that everything is derived from.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// The blocks, in the given order.
    pub fn blocks(&self) -> &[LoadBlock] {
        &self.blocks
    }

    /// The latest time the last operation can be due; 0 for a plan without blocks.
    pub fn end(&self) -> Nanos {
        self.blocks.iter().map(LoadBlock::end).max().unwrap_or(0)
    }

    /// The position of the block that operation `index` belongs to. Preload and warm-up belong to no block and count as
    /// the first's.
    pub fn block_of(&self, index: u64) -> usize {
        let stream = index.saturating_sub(self.first_index()) % u64::from(self.streams.max(1));
        let mut end = 0;
        let mut blocks = self.blocks.iter();
        let mine = blocks.position(|block| {
            end += u64::from(block.streams());
            stream < end
        });
        mine.unwrap_or(0)
    }

    /// How many operations the scenario requests until `until`, on average over all seeds; `None` if a block is a
    /// closed loop, which has no target rate.
    pub fn expected(&self, until: Nanos) -> Option<f64> {
        let mut sum = 0.0;
        for block in &self.blocks {
            let Pacing::Open { stages, .. } = &block.pacing else { return None };
            let mut at = block.at;
            for stage in stages {
                let length = stage.length.as_nanos() as Nanos;
                let share = ((until - at) as f64 / length.max(1) as f64).clamp(0.0, 1.0);
                let rate_then = stage.from_rate + (stage.to_rate - stage.from_rate) * share;
                let part = Stage { to_rate: rate_then, length: stage.length.mul_f64(share), ..*stage };
                sum += part.expected();
                at = at.saturating_add(length);
            }
        }
        Some(sum)
    }

    /// The creates that fill the store before the load: one for every session of every block.
    pub fn preload(&self) -> Vec<Operation> {
        let mut operations: Vec<Operation> = Vec::new();
        let mut planned = vec![false; self.pool_end as usize];
        for (number, block) in self.blocks.iter().enumerate() {
            let mut sizes = rng(self.seed, number as u64, Purpose::Preload);
            for session in block.sessions.first..(block.sessions.end() as SessionNo) {
                if !std::mem::replace(&mut planned[session as usize], true) {
                    let drawn = payload_bytes(&block.payload, &mut sizes);
                    let recorded = block.replay.as_ref();
                    let recorded = recorded.and_then(|replay| replay.recording.size(session - block.sessions.first));
                    let payload_bytes = recorded.unwrap_or(drawn);
                    let index = u64::from(session);
                    operations.push(Operation {
                        index,
                        kind: OpKind::Create,
                        session,
                        process: self.instances.process(session, index),
                        payload_bytes,
                    });
                }
            }
        }
        operations
    }

    /// Unmeasured reads that warm up connections and caches; none if there are no sessions.
    pub fn warmup(&self) -> Vec<Operation> {
        let sessions: Vec<SessionNo> = self.preload().iter().map(|op| op.session).collect();
        let reads = if sessions.is_empty() { 0 } else { self.warmup_reads };
        let read = |n: u32| {
            let session = sessions[n as usize % sessions.len()];
            // Where stores take turns, each round reads a session through the store after the last that had it.
            let turn = u64::from(session) + 1 + u64::from(n) / sessions.len() as u64;
            self.read(u64::from(self.pool_end) + u64::from(n), session, turn)
        };
        (0..reads).map(read).collect()
    }

    /// One read of each of `sessions`. `first_index` is their first number: [`super::LoadSummary::next_index`] after
    /// the load.
    pub fn final_reads(&self, first_index: u64, sessions: &[SessionNo]) -> Vec<Operation> {
        let reads = sessions.iter().zip(first_index..);
        reads.map(|(&session, index)| self.read(index, session, u64::from(session))).collect()
    }

    /// One look at each of `sessions` under the id that it had before its last renewal; none if none was renewed.
    pub fn final_revisits(&self, first_index: u64, sessions: &[SessionNo]) -> Vec<Operation> {
        let renews = self.blocks.iter().any(|block| block.mix.weight(OpKind::Renew) > 0.0);
        let reads = if renews { self.final_reads(first_index, sessions) } else { Vec::new() };
        reads.into_iter().map(|read| Operation { kind: OpKind::Revisit, ..read }).collect()
    }

    fn read(&self, index: u64, session: SessionNo, turn: u64) -> Operation {
        let process = self.instances.process(session, turn);
        Operation { index, kind: OpKind::Read, session, process, payload_bytes: 0 }
    }

    /// The number of the load's first operation; lower numbers belong to preload and warm-up.
    pub fn first_index(&self) -> u64 {
        u64::from(self.pool_end) + u64::from(self.warmup_reads)
    }

    /// The sessions that exist before the load, of all blocks, sorted and without duplicates.
    pub fn pool(&self) -> Vec<SessionNo> {
        let mut sessions: Vec<SessionNo> =
            self.blocks.iter().flat_map(|block| block.sessions.first..block.sessions.end() as SessionNo).collect();
        sessions.sort_unstable();
        sessions.dedup();
        sessions
    }

    /// The operations of an open block, in the order in which they are due; `None` for a closed one. Worker `w` of `n`
    /// takes its share with `.skip(w).step_by(n)`.
    pub fn open(&self, block: usize) -> Option<OpenStream> {
        let stream = self.first_stream(block);
        let block = self.blocks.get(block)?;
        let Pacing::Open { stages, arrivals } = &block.pacing else { return None };
        if let Some(replay) = &block.replay {
            let numbers = self.numbers(stream, false);
            return Some(OpenStream::recorded(replay.clone(), block.at, block.sessions.first, numbers));
        }
        let instants = Arrivals::new(block.at, stages.clone(), *arrivals, rng(self.seed, stream, Purpose::Arrivals));
        Some(OpenStream::drawn(instants, self.script(block, stream, None)))
    }

    /// The operations of one virtual user of a closed block, with its think time after each; `None` for an open block.
    pub fn user(&self, block: usize, user: u32) -> Option<UserStream> {
        let stream = self.first_stream(block) + u64::from(user);
        let block = self.blocks.get(block)?;
        let Pacing::Closed { users, think, .. } = block.pacing else { return None };
        let pauses = rng(self.seed, stream, Purpose::Arrivals);
        Some(UserStream::new(think, pauses, self.script(block, stream, Some((user, users)))))
    }

    fn script(&self, block: &LoadBlock, stream: u64, user: Option<(u32, u32)>) -> Script {
        Script::new(block, self.numbers(stream, user.is_some()), user, rng(self.seed, stream, Purpose::Content))
    }

    fn numbers(&self, stream: u64, is_user: bool) -> Numbers {
        Numbers {
            stream,
            streams: u64::from(self.streams),
            first_index: self.first_index(),
            first_created: u64::from(self.pool_end),
            process: is_user.then(|| self.first_user() + stream as Process),
            instances: self.instances,
        }
    }

    /// In an open loop, a process is a session's owner and has the session's number. If there are virtual users as
    /// well, their numbers start at half the range, so that the two are never confused.
    fn first_user(&self) -> Process {
        let owners = self.blocks.iter().any(|block| matches!(block.pacing, Pacing::Open { .. }));
        if owners { 1 << 31 } else { 0 }
    }

    fn first_stream(&self, block: usize) -> u64 {
        self.blocks.iter().take(block).map(|block| u64::from(block.streams())).sum()
    }
}

/// Each purpose draws independently: a different mix does not move the arrivals.
#[derive(Debug, Clone, Copy)]
enum Purpose {
    Arrivals = 1,
    Content = 2,
    Preload = 3,
}

fn rng(seed: u64, stream: u64, purpose: Purpose) -> Xoshiro256PlusPlus {
    Xoshiro256PlusPlus::seed_from_u64(mixed(seed, (stream << 8) | purpose as u64))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::num::NonZeroU32;
    use std::time::Duration;

    use super::super::arrivals::{ArrivalProcess, Stage};
    use super::super::block::{Mix, SessionRange, Think};
    use super::super::routing::Routing;
    use super::super::streams::Planned;
    use super::*;

    fn open(name: &str, first: SessionNo, count: u32) -> LoadBlock {
        let stages = vec![Stage::steady(1000.0, Duration::from_secs(2))];
        LoadBlock::new(name, Pacing::Open { stages, arrivals: ArrivalProcess::Poisson }, SessionRange { first, count })
    }

    fn closed(users: u32) -> LoadBlock {
        let pacing = Pacing::Closed {
            users,
            think: Think::None,
            length: Duration::from_secs(2),
            ramp: Duration::ZERO,
            rate_cap: None,
        };
        LoadBlock::new("users", pacing, SessionRange { first: 0, count: 10 })
    }

    #[test]
    fn the_same_seed_gives_the_same_operations_for_any_number_of_workers() {
        let mut block = open("a", 0, 50);
        block.mix = Mix::of(&[(OpKind::Create, 1.0), (OpKind::Read, 6.0), (OpKind::Destroy, 1.0)]);
        let plan = LoadPlan::new(42, vec![block], 0).unwrap();
        let whole: Vec<Planned> = plan.open(0).unwrap().collect();
        for workers in [1, 2, 5] {
            let mut together: Vec<Planned> =
                (0..workers).flat_map(|w| plan.open(0).unwrap().skip(w).step_by(workers)).collect();
            together.sort_by_key(|planned| planned.op.index);
            assert_eq!(together, whole, "{workers} workers");
        }
    }

    #[test]
    fn another_seed_gives_other_operations() {
        let stream = |seed| LoadPlan::new(seed, vec![open("a", 0, 50)], 0).unwrap().open(0).unwrap();
        assert_ne!(stream(1).take(10).collect::<Vec<_>>(), stream(2).take(10).collect::<Vec<_>>());
    }

    #[test]
    fn another_mix_leaves_the_arrivals_where_they_were() {
        let instants = |mix| {
            let mut block = open("a", 0, 50);
            block.mix = mix;
            LoadPlan::new(1, vec![block], 0).unwrap().open(0).unwrap().map(|p| p.at).collect::<Vec<_>>()
        };
        let reads = Mix::of(&[(OpKind::Read, 1.0)]);
        assert_eq!(instants(reads), instants(Mix::of(&[(OpKind::Put, 1.0), (OpKind::Destroy, 3.0)])));
    }

    #[test]
    fn operations_of_all_streams_have_numbers_of_their_own() {
        let plan = LoadPlan::new(9, vec![open("a", 0, 10), closed(3), open("b", 10, 5)], 7).unwrap();
        let mut seen = HashSet::new();
        let preload = plan.preload();
        assert_eq!(preload.len(), 15);
        let users = (0..3).flat_map(|user| plan.user(1, user).unwrap().take(500).map(|(op, _)| op));
        let open = [0, 2].into_iter().flat_map(|block| plan.open(block).unwrap().map(|planned| planned.op));
        for op in preload.into_iter().chain(plan.warmup()).chain(users).chain(open) {
            assert!(seen.insert(op.index), "{op:?}");
        }
        assert!((0..22).all(|index| seen.contains(&index)));
    }

    #[test]
    fn an_operation_belongs_to_the_block_whose_stream_has_its_number() {
        let plan = LoadPlan::new(9, vec![open("a", 0, 10), closed(3), open("b", 10, 5)], 7).unwrap();
        assert!(plan.open(0).unwrap().take(50).all(|planned| plan.block_of(planned.op.index) == 0));
        assert!((0..3).all(|user| plan.user(1, user).unwrap().take(50).all(|(op, _)| plan.block_of(op.index) == 1)));
        assert!(plan.open(2).unwrap().take(50).all(|planned| plan.block_of(planned.op.index) == 2));
    }

    #[test]
    fn what_a_scenario_asks_for_comes_from_its_rates_not_from_its_arrivals() {
        let second = 1_000_000_000;
        let plan = LoadPlan::new(9, vec![open("a", 0, 10), open("b", 10, 5)], 0).unwrap();
        assert_eq!(plan.expected(2 * second), Some(4000.0));
        assert_eq!(plan.expected(second / 2), Some(1000.0));
        let ramp = Stage { from_rate: 0.0, to_rate: 100.0, length: Duration::from_secs(10) };
        let pacing = Pacing::Open { stages: vec![ramp], arrivals: ArrivalProcess::Poisson };
        let ramping = LoadBlock::new("ramp", pacing, SessionRange { first: 0, count: 1 });
        assert_eq!(LoadPlan::new(9, vec![ramping], 0).unwrap().expected(5 * second), Some(125.0));
        assert_eq!(LoadPlan::new(9, vec![closed(2)], 0).unwrap().expected(second), None);
    }

    #[test]
    fn a_session_shared_by_two_blocks_is_preloaded_once() {
        let plan = LoadPlan::new(9, vec![open("a", 0, 4), open("b", 2, 4)], 0).unwrap();
        let sessions: Vec<_> = plan.preload().iter().map(|op| op.session).collect();
        assert_eq!(sessions, [0, 1, 2, 3, 4, 5]);
        assert_eq!(plan.pool(), [0, 1, 2, 3, 4, 5]);
    }

    #[test]
    fn owners_and_virtual_users_are_never_the_same_process() {
        let plan = LoadPlan::new(9, vec![open("a", 0, 10), closed(2)], 0).unwrap();
        assert!(plan.open(0).unwrap().all(|planned| planned.op.process == planned.op.session));
        assert_eq!(plan.user(1, 1).unwrap().next().unwrap().0.process, (1 << 31) + 2);
        let plan = LoadPlan::new(9, vec![closed(2)], 0).unwrap();
        assert_eq!(plan.user(0, 1).unwrap().next().unwrap().0.process, 1);
    }

    #[test]
    fn with_several_stores_the_process_of_an_operation_is_the_one_that_carries_it() {
        let carried = |routing| {
            let count = NonZeroU32::new(3).unwrap();
            LoadPlan::new(9, vec![open("a", 0, 10), closed(2)], 20).unwrap().carried_by(Instances { count, routing })
        };
        let sticky = carried(Routing::Sticky);
        let one = |plan: &LoadPlan, user| -> HashSet<Process> {
            plan.user(1, user).unwrap().take(50).map(|(op, _)| op.process).collect()
        };
        assert!(sticky.open(0).unwrap().all(|planned| planned.op.process == planned.op.session % 3));
        assert_eq!((one(&sticky, 0).len(), one(&sticky, 1).len()), (1, 1));
        assert_ne!(one(&sticky, 0), one(&sticky, 1));
        let in_turn = carried(Routing::RoundRobin);
        let processes: Vec<Process> = in_turn.open(0).unwrap().take(6).map(|planned| planned.op.process).collect();
        assert_eq!(processes, [0, 1, 2, 0, 1, 2]);
        assert_eq!(one(&in_turn, 0), HashSet::from([0, 1, 2]));
        // A session is first read by another store than the one that created it, and finally by any.
        let created: Vec<Process> = in_turn.preload().iter().map(|op| op.process).collect();
        let read: Vec<Process> = in_turn.warmup().iter().map(|op| op.process).collect();
        assert!(created.iter().zip(&read).all(|(created, read)| created != read), "{created:?} {read:?}");
        assert_ne!(read[0], read[10], "the second round");
        assert!(in_turn.final_reads(99, &[0, 1, 2]).iter().all(|op| op.process == op.session % 3));
    }
}
