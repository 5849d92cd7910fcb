//! How a load behaves with targets that stall, hang, fail, panic or are too slow, and what its records say.

use std::collections::{HashMap, HashSet};
use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use firedrill::clock::{Clock, Nanos};
use firedrill::history::{Cause, OpKind, OpRecord, Outcome, Process, Step};
use firedrill::load::{
    ArrivalProcess, Engine, IntervalBatch, LoadBlock, LoadPlan, LoadSummary, Mix, Pacing, SessionRange, Stage, Think,
};
use firedrill::measure::OpLatencies;
use firedrill::target::{Client, Observation, Operation, Target};

const MS: Nanos = 1_000_000;
const SECOND: Nanos = 1_000 * MS;

/// How a client of the test target reacts to every operation.
#[derive(Debug, Clone, Copy)]
enum Behaviour {
    Answer,
    Fail,
    Hang,
    PanicAtEveryThird,
    /// Answers at once, except from 1 s to 3 s on the clock.
    StallTwoSeconds(Clock),
    /// Takes a moment.
    Dawdle,
}

/// Shared by the test target, its clients and the test itself.
#[derive(Debug)]
struct State {
    behaviour: Behaviour,
    under_way: AtomicU64,
    most_under_way: AtomicU64,
    seen: AtomicU64,
}

struct Misbehaving(Arc<State>);

struct MisbehavingClient(Arc<State>);

impl Target for Misbehaving {
    type Client = MisbehavingClient;

    const OPERATIONS: &'static [OpKind] = &OpKind::ALL;

    fn client(&self) -> MisbehavingClient {
        MisbehavingClient(Arc::clone(&self.0))
    }
}

struct UnderWay<'a>(&'a State);

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.under_way.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Client for MisbehavingClient {
    async fn execute(&mut self, op: &Operation, seen: &mut Observation) -> Outcome {
        let state = &*self.0;
        let now_under_way = state.under_way.fetch_add(1, Ordering::SeqCst) + 1;
        state.most_under_way.fetch_max(now_under_way, Ordering::SeqCst);
        state.seen.fetch_add(1, Ordering::SeqCst);
        let _under_way = UnderWay(state);
        seen.owner = Some(op.session);
        match state.behaviour {
            Behaviour::Answer => Outcome::Ok,
            Behaviour::Fail => {
                seen.cause = Cause::Refused;
                Outcome::Failed
            }
            Behaviour::Hang => pending().await,
            Behaviour::PanicAtEveryThird if op.index.is_multiple_of(3) => panic!("a defect of the target's client"),
            Behaviour::PanicAtEveryThird => Outcome::Ok,
            Behaviour::StallTwoSeconds(clock) => {
                if (SECOND..3 * SECOND).contains(&clock.now()) {
                    tokio::time::sleep_until(clock.instant(3 * SECOND).into()).await;
                }
                Outcome::Ok
            }
            Behaviour::Dawdle => {
                tokio::time::sleep(Duration::from_millis(2)).await;
                Outcome::Ok
            }
        }
    }
}

struct Run {
    engine: Engine<Misbehaving>,
    batches: Receiver<IntervalBatch>,
}

struct Recorded {
    summary: LoadSummary,
    ops: Vec<OpRecord>,
    latencies: OpLatencies,
}

impl Run {
    fn against(behaviour: Behaviour, clock: Clock) -> Self {
        let (sink, batches) = channel();
        let state = State {
            behaviour,
            under_way: AtomicU64::new(0),
            most_under_way: AtomicU64::new(0),
            seen: AtomicU64::new(0),
        };
        let mut engine = Engine::new(Arc::new(Misbehaving(Arc::new(state))), clock, sink);
        engine.workers = 2;
        engine.interval = Duration::from_millis(100);
        Self { engine, batches }
    }

    fn now(behaviour: Behaviour) -> Self {
        Self::against(behaviour, Clock::starting_in(Duration::ZERO))
    }

    fn carry_out(self, block: LoadBlock) -> Recorded {
        let plan = Arc::new(LoadPlan::new(1, vec![block], 0).unwrap());
        let summary = self.engine.run(&plan).unwrap();
        self.recorded(summary)
    }

    fn recorded(self, summary: LoadSummary) -> Recorded {
        drop(self.engine);
        let (mut ops, mut latencies) = (Vec::new(), OpLatencies::default());
        for batch in self.batches {
            ops.extend_from_slice(&batch.ops.ops);
            latencies.add(&batch.latencies);
            batch.recycle();
        }
        assert_eq!(ops.len() as u64, summary.counts.completed);
        assert_eq!(latencies.count(|_, _| true), summary.counts.completed);
        assert_eq!(summary.counts.completed, summary.counts.started);
        assert_eq!(summary.counts.started + summary.counts.dropped, summary.counts.planned);
        for op in &ops {
            assert!(op.planned <= op.started && op.started <= op.ended, "{op:?}");
        }
        let numbers: HashSet<u64> = ops.iter().map(|op| op.index).collect();
        assert_eq!(numbers.len(), ops.len());
        Recorded { summary, ops, latencies }
    }
}

fn open(rate: f64, length: Duration) -> LoadBlock {
    let pacing = Pacing::Open { stages: vec![Stage::steady(rate, length)], arrivals: ArrivalProcess::Constant };
    LoadBlock::new("open", pacing, SessionRange { first: 0, count: 20 })
}

fn closed(users: u32, think: Think, rate_cap: Option<f64>) -> LoadBlock {
    let pacing = Pacing::Closed { users, think, length: Duration::from_millis(500), ramp: Duration::ZERO, rate_cap };
    LoadBlock::new("closed", pacing, SessionRange { first: 0, count: 20 })
}

#[test]
fn a_stall_of_two_seconds_shows_in_the_response_time_as_arithmetic_says_and_not_in_the_service_time() {
    let clock = Clock::starting_in(Duration::from_millis(100));
    let mut block = open(1000.0, Duration::from_secs(4));
    block.max_in_flight = 10;
    let recorded = Run::against(Behaviour::StallTwoSeconds(clock), clock).carry_out(block);
    assert_eq!(recorded.ops.len(), 4000);
    for op in recorded.ops.iter().filter(|op| op.planned >= SECOND && op.started < 3 * SECOND) {
        assert!(op.ended >= 3 * SECOND, "{op:?}");
    }
    // Of the 4000 operations, the 2000 planned during the stall wait for its end, evenly from 2 s down to 0. So a
    // quarter of all operations wait at least 1 s, a twentieth at least 1.8 s, and a hundredth at least 1.96 s.
    let all = recorded.latencies.sum(|_, _| true);
    let response = |quantile| all.response.value_at_quantile(quantile) as f64 / 1e9;
    for (quantile, seconds) in [(0.75, 1.0), (0.95, 1.8), (0.99, 1.96)] {
        let ratio = response(quantile) / seconds;
        assert!((0.995..1.15).contains(&ratio), "quantile {quantile}: {} s, not {seconds} s", response(quantile));
    }
    // The stall caught ten lanes, so only ten of 4000 service times show it: not enough for p99.
    let service = |quantile| all.service.value_at_quantile(quantile) as f64 / 1e9;
    assert!(service(0.99) < response(0.99) / 20.0, "{} s", service(0.99));
    assert!(service(1.0) > 1.0, "{} s", service(1.0));
    // The rest of the wait is slip.
    assert!(all.slip.value_at_quantile(0.95) as f64 / 1e9 > response(0.95) * 0.9);
}

#[test]
fn an_operation_that_never_returns_is_settled_as_unknown_at_its_deadline_and_the_load_ends() {
    for mut block in [open(200.0, Duration::from_millis(500)), closed(5, Think::None, None)] {
        block.deadline = Duration::from_millis(200);
        let recorded = Run::now(Behaviour::Hang).carry_out(block);
        assert!(!recorded.ops.is_empty());
        assert_eq!(recorded.summary.counts.abandoned, recorded.summary.counts.planned);
        for op in &recorded.ops {
            assert_eq!((op.outcome, op.cause, op.owner), (Outcome::Unknown, Cause::Abandoned, OpRecord::NO_OWNER));
            assert!(op.ended - op.started >= 200 * MS, "{op:?}");
        }
    }
}

#[test]
fn a_target_that_always_fails_does_not_stop_the_load_and_every_operation_is_recorded() {
    let plan = LoadPlan::new(1, vec![open(2000.0, Duration::from_millis(500))], 0).unwrap();
    let expected: HashMap<u64, _> =
        plan.open(0).unwrap().map(|planned| (planned.op.index, (planned.at, planned.op.session))).collect();
    let recorded = Run::now(Behaviour::Fail).carry_out(plan.blocks()[0].clone());
    assert_eq!(recorded.ops.len(), 1000);
    for op in &recorded.ops {
        assert_eq!(expected[&op.index], (op.planned, op.session));
        assert_eq!((op.outcome, op.cause, op.step), (Outcome::Failed, Cause::Refused, Step::Load));
    }
}

#[test]
fn a_client_that_panics_is_replaced_and_its_operation_is_unknown() {
    let recorded = Run::now(Behaviour::PanicAtEveryThird).carry_out(open(600.0, Duration::from_millis(500)));
    assert_eq!(recorded.ops.len(), 300);
    assert_eq!(recorded.summary.counts.panicked, 100);
    for op in &recorded.ops {
        assert_eq!(op.outcome, if op.index.is_multiple_of(3) { Outcome::Unknown } else { Outcome::Ok }, "{op:?}");
    }
}

#[test]
fn beyond_the_limits_operations_queue_and_beyond_the_queue_they_are_dropped_and_counted() {
    let mut block = open(1000.0, Duration::from_millis(200));
    (block.max_in_flight, block.queue) = (4, 6);
    block.deadline = Duration::from_millis(900);
    let run = Run::now(Behaviour::Hang);
    let state = Arc::clone(&run.engine.target.0);
    let recorded = run.carry_out(block);
    assert_eq!(recorded.summary.counts.planned, 200);
    assert_eq!(state.most_under_way.load(Ordering::SeqCst), 4);
    // 4 are sent and 6 queue; the lanes give up once and then take 4 from the queue, and on a slow machine also the
    // last 2.
    assert!((4..=10).contains(&recorded.ops.len()), "{}", recorded.ops.len());
    assert_eq!(recorded.summary.delivered(), recorded.ops.len() as f64 / 200.0);
    let queued = recorded.ops.iter().filter(|op| op.started - op.planned >= 500 * MS);
    assert!(queued.count() >= recorded.ops.len() - 4);
}

#[test]
fn a_stopped_load_ends_at_once_with_what_is_under_way_settled_as_unknown() {
    let hour = Duration::from_secs(3600);
    let mut blocks = [open(500.0, hour), closed(5, Think::None, None)];
    if let Pacing::Closed { length, .. } = &mut blocks[1].pacing {
        *length = hour;
    }
    for mut block in blocks {
        block.deadline = hour;
        let run = Run::now(Behaviour::Hang);
        let (state, stop) = (Arc::clone(&run.engine.target.0), run.engine.stop.clone());
        let stopper = std::thread::spawn(move || {
            while state.seen.load(Ordering::SeqCst) < 5 {
                std::thread::yield_now();
            }
            stop.cancel();
        });
        let recorded = run.carry_out(block);
        stopper.join().unwrap();
        assert!(recorded.ops.len() >= 5);
        assert!(recorded.ops.iter().all(|op| (op.outcome, op.cause) == (Outcome::Unknown, Cause::Abandoned)));
    }
}

#[test]
fn any_number_of_workers_carries_out_the_same_operations() {
    let mut block = open(2000.0, Duration::from_millis(300));
    block.mix = Mix::of(&[(OpKind::Create, 1.0), (OpKind::Read, 3.0), (OpKind::Append, 3.0), (OpKind::Destroy, 1.0)]);
    let carried_out = [1, 2, 5].map(|workers| {
        let mut run = Run::now(Behaviour::Answer);
        run.engine.workers = workers;
        let recorded = run.carry_out(block.clone());
        let created = recorded.ops.iter().filter(|op| op.kind == OpKind::Create).count();
        assert_eq!(recorded.summary.created.len(), created);
        assert!(recorded.ops.iter().all(|op| op.index < recorded.summary.next_index));
        let mut ops: Vec<_> = recorded.ops.iter().map(|op| (op.index, op.kind, op.session, op.planned)).collect();
        ops.sort_unstable();
        ops
    });
    assert_eq!(carried_out[0].len(), 600);
    assert_eq!(carried_out[0], carried_out[1]);
    assert_eq!(carried_out[0], carried_out[2]);
}

#[test]
fn a_virtual_user_waits_for_its_answer_and_thinks_before_it_goes_on() {
    let think = Think::Constant(Duration::from_millis(20));
    let recorded = Run::now(Behaviour::Dawdle).carry_out(closed(6, think, None));
    let mut by_user: HashMap<Process, Vec<OpRecord>> = HashMap::new();
    for op in recorded.ops {
        by_user.entry(op.process).or_default().push(op);
    }
    assert_eq!(by_user.len(), 6);
    for ops in by_user.values_mut() {
        ops.sort_unstable_by_key(|op| op.started);
        for pair in ops.windows(2) {
            assert_eq!(pair[1].planned, pair[0].ended + 20 * MS);
        }
        assert!(ops.iter().all(|op| op.planned < 500 * MS));
    }
}

#[test]
fn a_closed_loop_with_a_cap_stays_below_it_and_comes_near_it() {
    let recorded = Run::now(Behaviour::Answer).carry_out(closed(8, Think::None, Some(1000.0)));
    // 500 in half a second, plus what two workers may catch up: 10 ms each.
    assert!((200..=520).contains(&recorded.ops.len()), "{}", recorded.ops.len());
}

#[test]
fn a_list_is_carried_out_once_each_on_no_more_lanes_than_allowed() {
    let plan = LoadPlan::new(1, vec![open(1.0, Duration::from_secs(1))], 0).unwrap();
    let run = Run::now(Behaviour::Dawdle);
    let state = Arc::clone(&run.engine.target.0);
    let summary = run.engine.run_list(Step::Preload, plan.preload(), 7, Duration::from_secs(10)).unwrap();
    assert_eq!(summary.created, (0..20).collect::<Vec<_>>());
    let recorded = run.recorded(summary);
    assert_eq!(recorded.ops.len(), 20);
    assert!(recorded.ops.iter().all(|op| (op.kind, op.step) == (OpKind::Create, Step::Preload)));
    assert!((1..=7).contains(&state.most_under_way.load(Ordering::SeqCst)));
}
