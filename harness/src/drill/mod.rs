//! One drill, start to end. [`carry_out`] lists its steps; each function it calls does one of them.

mod around;
mod beside;
mod command_line;
mod deploy;
mod done;
mod error;
mod fitness;
mod footprint;
mod hearsay;
mod judge;
mod library;
mod log_lines;
mod observer;
mod occupation;
mod order;
mod protection;
mod pulse;
mod recorder;
mod repeat;
mod replay;
mod report;
mod resources;
mod runtime;
mod sampler;
mod secrets;
mod setup;
mod standing;
mod steps;
mod tenancy;
mod walk;
mod witness;

use firedrill_reports::{Run, text};

use crate::history::History;
use crate::metric::Need;
use crate::target::{Ability, fact};
use crate::targets::Witness as _;

pub use done::DrillReport;
pub use error::DrillError;
use judge::{Observed, judge};
pub use judge::{limited, remains};
pub use library::{Drill, Planned, folder_name};
pub use observer::{FaultChange, Happening, Observer, Several, Silent, Stage, Tick};
pub use occupation::Occupation;
pub use order::{Order, RedisChoice};
pub use protection::{Allowance, Refusal};
use pulse::Pulse;
#[cfg(feature = "cli")]
pub(crate) use replay::quoted;
pub use report::write_report;
pub use walk::Walked;

use sampler::{Sampler, Subjects};
use secrets::Secrets;
use setup::Setup;
pub use standing::{Gauge, Ran, Standing};
use steps::Steps;
use witness::Witnessed;

/// Runs a drill on its own runtime and threads, whatever runtime polls this future, and leaves its record in the
/// order's folder. Dropping the future early stops the drill, which undoes its changes.
///
/// # Errors
/// [`DrillError`] if there is nothing to judge: no Redis, no disk, a panic. A target that fails is a verdict, not an error.
pub async fn run(order: Order) -> Result<Run, DrillError> {
    resources::secure(&order)?;
    let stop = order.stop.clone();
    runtime::apart(stop, async move || carry_out(&order).await).await
}

/// The steps of a drill. The first one, planning, has already happened.
async fn carry_out(order: &Order) -> Result<Run, DrillError> {
    // 2. Set up the lab: Redis, the proxy, the application.
    order.step(Stage::Setup, "starting Redis");
    Setup::during(order, async |setup| on(order, setup).await).await
}

/// The steps that follow once the lab is up.
async fn on(order: &Order, setup: &Setup) -> Result<Run, DrillError> {
    let scenario = &order.plan.scenario;
    let mut steps = Steps::begin(order, setup).await?;
    let claims = steps.claims().await?;
    let before = setup.lab.info().await.ok();

    // 3. Preload and warm up, unmeasured. A target that is unhealthy now proves nothing.
    // An application that somebody described first shows that the description fits, and that it uses this Redis.
    let mut doubts = Vec::new();
    let witness = Witnessed::of(setup);
    let walk = walk::of_target(order, setup, &witness).await?;
    let before_preload = match walk {
        Some(_) => Some(witness.seen().await),
        None => None,
    };
    doubts.extend(steps.preload_and_warm_up().await?);
    if let (Some(walk), Some(before)) = (&walk, before_preload) {
        doubts.extend(walk::unseen_writes(walk, order, before, witness.seen().await));
    }

    // 4. Load and faults on one clock. 5. Heal: undo every fault.
    order.step(Stage::Load, "load");
    // Ask only if a gate needs it: the question itself keeps the target's connection busy.
    let asked = scenario.gates.iter().any(|gate| gate.of.row().needs == Need::Target(Ability::Connection));
    let sampler = Sampler::start(Subjects {
        lab: setup.lab.clone(),
        apps: setup.apps.clone(),
        target: steps.target.clone(),
        asked,
        proxy: setup.proxy.clone(),
    });
    let pulse = Pulse::start();
    let (load, faults) = steps.load_and_faults().await?;
    let (stalls, delays) = pulse.finish(&steps.recorder.clock());
    let sampled = sampler.finish(&steps.recorder.clock(), before.as_ref()).await;
    let held = steps.target.held();
    let remarks = steps.target.remarks();

    // 6. Recovery: wait until the target has settled.
    steps.settle(&faults).await;

    // 7. Final reads of every session. Look at the keys first, because a read renews its session's expiry.
    let active = steps.scan_keys().await;
    let secrets = Secrets::of(&order.plan, &setup.access.url);
    let stored = secrets.stored(&setup.lab).await;
    steps.final_reads(&load).await?;
    let described = steps.target.describe();
    let evicted = sampled.counted.as_ref().map_or(0, |counted| counted.evicted_before + counted.evicted);

    // 8. Put the history on disk before anything judges it.
    order.step(Stage::Judgement, "checking the history");
    let path = steps.recorder.finish()?;
    let (history, tail) = History::load(&path)?;

    // 9. Check, then gate.
    let mut environment = report::environment(&order.plan, &setup.lab, described).await;
    environment.extend((evicted > 0).then(|| fact("evicted", format!("{} by Redis", text::counted(evicted, "key")))));
    environment.extend(order.remarks.iter().cloned());
    let observed = Observed {
        tail,
        load,
        faults,
        stalls,
        delays,
        sampled,
        doubts,
        interrupted: order.stop.is_cancelled(),
        remarks,
        active,
        held,
        claims,
        environment,
        replay: order.replay.clone(),
    };
    let mut run = judge(&order.plan, &history, observed);

    // 10. Report.
    order.step(Stage::Judgement, "writing the report");
    report::name_files(&mut run, &setup.apps);
    run.save(&order.dir)?;
    write_report(&run, &order.dir)?;
    if let Some(check) = secrets.look(&run, &order.dir, stored) {
        judge::add(&mut run, check);
        run.save(&order.dir)?;
        write_report(&run, &order.dir)?;
    }
    order.observer.see(&Happening::Judged(&run));
    Ok(run)
}
