//! A CPU quota on Redis or on the application.

use firedrill_reports::text;

use super::view::{View, cores};

/// A process counts as held back by its quota from this share of the time.
const THROTTLED: f64 = 0.05;

/// The quota of a control group held Redis, or the application, back.
pub fn throttled(view: &View<'_>) -> Option<String> {
    let held = |share: &f64| *share > THROTTLED;
    let without = "Without the quota it may hold more";
    if let Some(share) = view.median(|step| step.redis_throttled).filter(held) {
        return Some(format!(
            "the CPU quota of Redis's control group held it back {} of the time at the knee; its main thread used {} of a core. {without}",
            text::percent(share),
            cores(view.redis()),
        ));
    }
    let share = view.median(|step| step.waits.application_throttled).filter(held)?;
    Some(format!(
        "the CPU quota of the application's control group held it back {} of the time at the knee; its instances used {} of {:.0} cores. \
         {without}",
        text::percent(share),
        cores(view.process()),
        view.host.cores,
    ))
}
