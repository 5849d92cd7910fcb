//! Others on this machine: other virtual machines, and other processes.

use firedrill_reports::text;

use super::view::{View, cores};

/// Above this stolen share, figures depend on other virtual machines.
const STOLEN: f64 = 0.05;

/// Other processes count as neighbours from this share of the processors, if less than [`CROWDED`] was idle.
const OTHERS: f64 = 0.1;

/// With fewer idle cores than this share, processes wait for one another now and then.
const CROWDED: f64 = 0.2;

/// The hypervisor gave processors to others.
pub fn stole(view: &View<'_>) -> Option<String> {
    let stolen = view.median(|step| step.stolen).filter(|stolen| *stolen > STOLEN)?;
    Some(format!("other virtual machines took {} of the processors' time at the knee", text::percent(stolen)))
}

/// Other processes used what was missing.
pub fn crowded(view: &View<'_>) -> Option<String> {
    let all = view.host.cores;
    let (idle, redis, process) = (view.idle()?, view.redis()?, view.process()?);
    let generator = view.median(|step| step.waits.generator_cores).unwrap_or_default();
    let others = all - idle - redis - process - generator;
    (idle < CROWDED * all && others > OTHERS * all).then(|| {
        format!(
            "at the knee other processes used {others:.2} of {all:.0} cores and {} were idle; Redis's main thread used {redis:.2}, {} \
             {process:.2}. Search again on a quiet machine",
            cores(Some(idle)),
            if view.host.application { "the application" } else { "this process" },
        )
    })
}
