//! The nemesis on a real Redis under load: it reports what happened, and everything is healed however it ends.

use std::sync::Arc;
use std::time::{Duration, Instant};

use firedrill::clock::{Clock, Nanos};
use firedrill::fault::{
    ByHand, Down, Fault, FaultError, FaultKind, FaultReport, FaultSpec, Impact, Kill, Latency, Nemesis, NemesisPlan,
    Readonly, Stop, Stream, Timeline,
};
use firedrill::history::{Note, Notes};
use firedrill::lab::ProcessState;
use firedrill::units::Span;
use firedrill_storage::Event;
use parking_lot::Mutex;

use crate::support::ground::{DEADLINE, Ground, Load, Writers};

const MILLISECOND: Nanos = 1_000_000;
const DOWN: Down = Down {};

fn spec(kind: impl Into<FaultKind>, at_ms: u64, for_ms: u64) -> FaultSpec {
    FaultSpec::once(kind, Span::millis(at_ms), Span::millis(for_ms))
}

/// A nemesis for `specs`, and its notes.
struct Running {
    nemesis: Nemesis,
    notes: Arc<Mutex<Vec<Note>>>,
    /// Where the store reports its events.
    reports: Notes,
    clock: Clock,
}

fn start(ground: &Ground, specs: &[FaultSpec], load_ends_ms: i64) -> Running {
    start_with(ground.context.build(specs).unwrap(), specs, load_ends_ms)
}

fn start_with(faults: Vec<Arc<dyn Fault>>, specs: &[FaultSpec], load_ends_ms: i64) -> Running {
    start_by(None, faults, specs, load_ends_ms)
}

fn start_by(by_hand: Option<ByHand>, faults: Vec<Arc<dyn Fault>>, specs: &[FaultSpec], load_ends_ms: i64) -> Running {
    let notes = Arc::new(Mutex::new(Vec::new()));
    let (sink, reports) = (notes.clone(), Notes::default());
    let clock = Clock::starting_in(Duration::from_millis(20));
    let nemesis = Nemesis::start(NemesisPlan {
        faults,
        timeline: Timeline::plan(specs, 1),
        by_hand,
        clock,
        load_ends: load_ends_ms * MILLISECOND,
        waits: NemesisPlan::waits(specs, &reports),
        note: Arc::new(move |note| sink.lock().push(note)),
    })
    .unwrap();
    Running { nemesis, notes, reports, clock }
}

impl Running {
    async fn wait_until(&self, what: &str, reached: impl Fn(&[Note]) -> bool) {
        let until = Instant::now() + DEADLINE;
        while !reached(&self.notes.lock()) {
            assert!(Instant::now() < until, "{what} was never noted");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    async fn wait_until_on(&self) {
        self.wait_until("a fault going on", |notes| notes.iter().any(|note| matches!(note, Note::FaultOn { .. })))
            .await;
    }

    async fn wait_until_off(&self, times: usize) {
        self.wait_until("a fault going off", |notes| {
            notes.iter().filter(|note| matches!(note, Note::FaultOff { .. })).count() == times
        })
        .await;
    }
}

fn assert_in_order(report: &FaultReport) {
    let [began, onset, healing, end] =
        [report.began, report.onset, report.healing, report.end].map(|moment| moment.expect("it happened"));
    assert!(report.planned_at <= began, "{report:?}");
    assert!(began <= onset && onset <= healing && healing <= end, "{report:?}");
    assert!(healing >= report.planned_at + report.planned_for, "{report:?}");
}

#[tokio::test]
async fn faults_come_and_go_in_order_bite_and_are_noted_as_observed() {
    let ground = Ground::new().await;
    let load = Load::on(&ground).await;
    let slow = Latency { latency: Span::millis(30), jitter: Span::millis(0), stream: Stream::Downstream };
    let specs = [spec(Kill::KEEP, 1_500, 300), spec(DOWN, 100, 300), spec(slow, 800, 400)];
    let running = start(&ground, &specs, 60_000);
    running.wait_until_off(3).await;
    let notes = running.notes.clone();
    let reports = running.nemesis.finish().await;

    let kinds: Vec<(u32, &str)> = reports.iter().map(|report| (report.index, report.kind)).collect();
    assert_eq!(kinds, [(1, "proxy.down"), (2, "proxy.latency"), (0, "process.kill")]);
    for report in &reports {
        assert_in_order(report);
        assert!(report.bit, "{report:?}");
        assert_eq!(report.error, None);
    }
    let mut expected: Vec<Note> = reports
        .iter()
        .flat_map(|report| {
            let (fault, kind) = (report.index, report.kind.to_owned());
            [
                Note::FaultOn { at: report.onset.unwrap(), fault, kind: kind.clone() },
                Note::FaultOff { at: report.end.unwrap(), fault, kind },
            ]
        })
        .collect();
    expected.sort_by_key(|note| match note {
        Note::FaultOn { at, .. } | Note::FaultOff { at, .. } => *at,
        other => panic!("unexpected {other:?}"),
    });
    assert_eq!(*notes.lock(), expected);
    load.wait_until_served(8).await;
}

#[tokio::test]
async fn overlapping_faults_do_not_wait_for_each_other() {
    let ground = Ground::new().await;
    let _load = Load::on(&ground).await;
    let specs = [spec(Stop {}, 50, 1_500), spec(DOWN, 300, 300)];
    let running = start(&ground, &specs, 60_000);
    running.wait_until_off(2).await;
    let reports = running.nemesis.finish().await;
    assert!(reports.iter().all(|report| report.bit), "{reports:?}");
    assert!(reports[1].end < reports[0].healing, "{reports:?}");
    ground.wait_until_well().await;
}

#[tokio::test]
async fn a_composition_of_flapping_and_jittered_faults_comes_as_its_timeline_says() {
    let ground = Ground::new().await;
    let _readers = Load::on(&ground).await;
    let _writers = Writers::on(&ground.lab, &ground.proxy, Duration::from_millis(5)).await;
    let slow = Latency { latency: Span::millis(20), jitter: Span::millis(0), stream: Stream::Downstream };
    let readonly = Readonly {};
    let specs = [
        spec(slow, 50, 2_500),
        FaultSpec { repeat: 2, every: Span::secs(1), spread: Span::millis(200), ..spec(readonly, 200, 700) },
    ];
    let running = start(&ground, &specs, 60_000);
    running.wait_until_off(3).await;
    let reports = running.nemesis.finish().await;
    let timeline = Timeline::plan(&specs, 1);
    let planned: Vec<(u32, Nanos)> = timeline.windows().iter().map(|window| (window.fault, window.on)).collect();
    assert_eq!(reports.iter().map(|report| (report.index, report.planned_at)).collect::<Vec<_>>(), planned);
    for report in &reports {
        assert_in_order(report);
        assert!(report.bit, "{report:?}");
    }
    // The long fault holds while the short ones come and go.
    assert!(reports[1].end < reports[0].healing && reports[0].onset < reports[1].began, "{reports:?}");
    ground.wait_until_well().await;
}

#[tokio::test]
async fn a_flapping_fault_is_reported_each_time() {
    let ground = Ground::new().await;
    let _load = Load::on(&ground).await;
    let flapping = FaultSpec { repeat: 3, every: Span::millis(400), ..spec(DOWN, 50, 150) };
    let running = start(&ground, &[flapping], 60_000);
    running.wait_until_off(3).await;
    let reports = running.nemesis.finish().await;
    let planned: Vec<(u32, Nanos)> =
        reports.iter().map(|report| (report.occurrence, report.planned_at / MILLISECOND)).collect();
    assert_eq!(planned, [(0, 50), (1, 450), (2, 850)]);
    reports.iter().for_each(assert_in_order);
    assert!(reports.iter().all(|report| report.bit), "{reports:?}");
}

#[tokio::test]
async fn a_fault_that_waits_for_a_state_begins_each_time_after_the_store_reports_it() {
    let ground = Ground::new().await;
    let load = Load::on(&ground).await;
    let table = "kind = 'proxy.down'\nat = '50ms'\nfor = '100ms'\nrepeat = 3\nevery = '100ms'\n\
                 on = { state = 'draining', after = '30ms' }";
    let running = start(&ground, &[table.parse().unwrap()], 60_000);
    running.reports.store(running.clock.instant(0), 0, Event::DrainStarted { waiting: 1 });
    let (mut reported, mut told_by) = (Vec::new(), 0);
    for times in 1..=2 {
        while running.clock.now() < 60 * MILLISECOND {
            load.wait_until_served(1).await;
        }
        reported.push(running.clock.now());
        running.reports.store(Instant::now(), 0, Event::DrainStarted { waiting: 1 });
        told_by = running.clock.now();
        running.wait_until_off(times).await;
    }
    let reports = running.nemesis.finish().await;
    for (report, reported) in reports.iter().zip(reported) {
        assert!(report.bit && report.end.is_some(), "{report:?}");
        assert!(report.began.unwrap() >= reported + 30 * MILLISECOND, "{report:?}");
        assert!(report.healing.unwrap() >= reported + 130 * MILLISECOND, "{report:?}");
        assert_eq!(report.detail, "30ms after `draining`");
        assert!(report.evidence.contains("; the store reported `draining` at "), "{report:?}");
    }
    let last = &reports[2];
    assert!(!last.bit && last.began.is_none(), "{last:?}");
    // Where the machine delayed the second report until the third occurrence was due, that one heard it too, and could not begin.
    let never = last.evidence.ends_with(", `draining` was never reported");
    let with_the_second = told_by >= last.planned_at && last.evidence.ends_with(", `draining` was reported once");
    assert!(never || with_the_second, "{last:?}");
}

#[tokio::test]
async fn a_person_starts_and_ends_a_fault_as_often_as_they_like_and_one_that_nobody_starts_never_comes() {
    let ground = Ground::new().await;
    let load = Load::on(&ground).await;
    let (specs, by_hand) = ([spec(DOWN, 1, 1), spec(Stop {}, 1, 1)], ByHand::of(2));
    let running = start_by(Some(by_hand.clone()), ground.context.build(&specs).unwrap(), &specs, 600_000);
    let on = |notes: &[Note]| notes.iter().filter(|note| matches!(note, Note::FaultOn { .. })).count();
    for times in 1..=2 {
        by_hand.want(0, true).unwrap();
        running.wait_until("the fault", |notes| on(notes) == times).await;
        by_hand.want(0, false).unwrap();
        running.wait_until_off(times).await;
        load.wait_until_served(8).await;
    }
    by_hand.want(0, true).unwrap();
    running.wait_until("the fault", |notes| on(notes) == 3).await;
    let reports = running.nemesis.finish().await;

    let [first, second, third, never] = &reports[..] else { panic!("{reports:?}") };
    for (number, report) in (0..).zip([first, second, third]) {
        assert_in_order(report);
        assert_eq!((report.index, report.occurrence, report.error.as_deref()), (0, number, None));
        assert_eq!(report.healing.unwrap(), report.planned_at + report.planned_for, "{report:?}");
    }
    assert!(first.bit && second.bit && first.end < second.began, "{reports:?}");
    assert_eq!((never.index, never.evidence.as_str()), (1, "never injected: nobody started it by hand"));
    let asked = running.notes.lock().iter().filter(|note| matches!(note, Note::ByHand { fault: 0, .. })).count();
    assert_eq!(asked, 6);
    assert!(!by_hand.is_wanted(0), "what the drill has ended is not wanted any more");
    ground.wait_until_well().await;
}

#[tokio::test]
async fn a_fault_planned_after_the_end_of_the_load_is_never_injected() {
    let ground = Ground::new().await;
    let load = Load::on(&ground).await;
    let running = start(&ground, &[spec(DOWN, 200, 100)], 200);
    let clock = running.clock;
    while clock.now() < 400 * MILLISECOND {
        load.wait_until_served(1).await;
    }
    let reports = running.nemesis.finish().await;
    assert_eq!(running.notes.lock().len(), 0);
    assert_eq!(reports.len(), 1);
    assert!(!reports[0].bit && reports[0].began.is_none() && reports[0].onset.is_none());
    assert_eq!(reports[0].evidence, "never injected: planned at 200 ms, and the load ends at 200 ms");
    assert_eq!(ground.proxy.stats().cut, 0);
}

#[tokio::test]
async fn without_a_load_to_hit_the_report_says_that_nothing_was_bitten() {
    let ground = Ground::new().await;
    let running = start(&ground, &[spec(DOWN, 10, 150)], 60_000);
    running.wait_until_off(1).await;
    let reports = running.nemesis.finish().await;
    assert!(!reports[0].bit && reports[0].onset.is_some(), "{reports:?}");
    assert!(reports[0].evidence.contains("the load never came this way"), "{reports:?}");
}

#[tokio::test]
async fn finishing_early_heals_what_is_on_and_injects_nothing_more() {
    let ground = Ground::new().await;
    let load = Load::on(&ground).await;
    let specs = [spec(Stop {}, 10, 600_000), spec(DOWN, 300_000, 1_000)];
    let running = start(&ground, &specs, 600_000);
    running.wait_until_on().await;
    let reports = running.nemesis.finish().await;
    assert!(reports[0].onset.is_some() && reports[0].end.is_some(), "{reports:?}");
    assert!(reports[1].evidence.starts_with("never injected: the drill was over at"), "{reports:?}");
    assert_eq!(ground.lab.server().process_for("process.stop").unwrap().state(), ProcessState::Running);
    load.wait_until_served(8).await;
}

#[tokio::test]
async fn healing_from_elsewhere_ends_every_fault_however_often_it_is_asked_for() {
    let ground = Ground::new().await;
    let load = Load::on(&ground).await;
    let specs = [spec(DOWN, 10, 600_000), spec(Kill::KEEP, 10, 600_000)];
    let running = start(&ground, &specs, 600_000);
    running.wait_until("both faults", |notes| notes.len() == 2).await;
    let healer = running.nemesis.healer();
    tokio::join!(healer.heal_all(), healer.heal_all());
    ground.wait_until_well().await;
    load.wait_until_served(8).await;
    let reports = running.nemesis.finish().await;
    assert!(reports.iter().all(|report| report.end.is_some()), "{reports:?}");
    healer.heal_all().await;
}

#[tokio::test]
async fn a_drill_that_panics_heals_on_its_way_out() {
    let ground = Ground::new().await;
    let load = Load::on(&ground).await;
    let running = start(&ground, &[spec(DOWN, 10, 600_000)], 600_000);
    running.wait_until_on().await;
    let panicked = std::thread::spawn(move || {
        let _running = running;
        panic!("as a defect in a drill would");
    })
    .join();
    assert!(panicked.is_err());
    assert!(ground.proxy.enabled());
    load.wait_until_served(8).await;
}

/// A `proxy.down` with a bug in its evidence.
struct Panicking(Arc<dyn Fault>);

#[async_trait::async_trait]
impl Fault for Panicking {
    fn kind(&self) -> &'static str {
        self.0.kind()
    }

    fn detail(&self) -> String {
        self.0.detail()
    }

    async fn inject(&self) -> Result<(), FaultError> {
        self.0.inject().await
    }

    async fn heal(&self) -> Result<(), FaultError> {
        self.0.heal().await
    }

    async fn impact(&self, _within: Duration) -> Impact {
        panic!("as a defect in a fault would");
    }
}

#[tokio::test]
async fn a_fault_whose_code_panics_is_healed_at_once_and_the_others_go_on() {
    let ground = Ground::new().await;
    let load = Load::on(&ground).await;
    let specs = [spec(Stop {}, 600_000, 1_000), spec(DOWN, 10, 300_000)];
    let mut faults = ground.context.build(&specs).unwrap();
    faults[1] = Arc::new(Panicking(faults[1].clone()));
    let running = start_with(faults, &specs, 700_000);
    running.wait_until_on().await;
    ground.wait_until_well().await;
    load.wait_until_served(8).await;
    let reports = running.nemesis.finish().await;
    assert_eq!(reports[0].error.as_deref(), Some("the fault's own code panicked: a defect of Firedrill"));
    assert!(!reports[0].bit);
    assert_eq!((reports[1].kind, reports[1].error.as_deref()), ("process.stop", None));
}
