//! Redis's main thread, which executes all commands.

use firedrill_reports::text;

use super::view::{SUSPECTED, View, cores};

/// It counts as busy from this share of a core: the rest is the kernel's accounting and waits for events.
pub const BUSY: f64 = 0.9;

/// A process that a signal had stopped for less than this share of the time is not worth the words.
const STOPPED: f64 = 0.05;

/// It ran, or would have run had it not been stopped, all the time.
pub fn busy(view: &View<'_>) -> Option<String> {
    let used = view.redis()?;
    let stopped = view.median(|step| step.waits.redis_stopped).filter(|share| *share > STOPPED);
    (used + stopped.unwrap_or_default() >= BUSY).then(|| {
        let stopped = stopped.map_or(String::new(), |share| {
            format!(", and a signal had stopped it for {} of the time (SIGSTOP)", text::percent(share))
        });
        format!(
            "it used {used:.2} of one core from {} on{}{stopped}; idle: {} of {:.0} cores{SUSPECTED}",
            text::rate(view.rate),
            view.before(|step| step.redis_cores),
            cores(view.idle()),
            view.host.cores,
        )
    })
}
