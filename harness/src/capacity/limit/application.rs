//! The processors that the application can use.

use firedrill_reports::text;

use super::redis::BUSY;
use super::view::{SUSPECTED, View, cores};

/// An application whose work is one thread's uses one core, and what system calls of its other threads take beside it.
const ONE_CORE: std::ops::RangeInclusive<f64> = 0.9..=1.3;

/// A process that a signal had stopped for less than this share of the time had its processors.
const STOPPED: f64 = 0.1;

/// It used all of them, or the one on which its only thread can run, or would have used them had it not been stopped.
pub fn busy(view: &View<'_>) -> Option<String> {
    let used = view.process().filter(|_| view.host.application)?;
    let all = view.host.cores;
    let stopped = view.median(|step| step.waits.application_stopped).filter(|share| *share > STOPPED);
    // Had it not been stopped, it would have used as much more.
    let would = stopped.map_or(used, |stopped| used / (1.0 - stopped).max(0.01));
    let one = ONE_CORE.contains(&would);
    let at_its_end = one || used >= BUSY * all || (stopped.is_some() && would >= BUSY);
    at_its_end.then(|| {
        format!(
            "its instances used {used:.2} of {all:.0} cores at the knee{}{}; Redis's main thread used {}, and {} were idle{SUSPECTED}",
            stopped.map_or(String::new(), |share| {
                format!(", while a signal had stopped them for {} of the time (SIGSTOP)", text::percent(share))
            }),
            if one && stopped.is_none() { ", about one: a single thread does its work" } else { "" },
            cores(view.redis()),
            cores(view.idle()),
        )
    })
}
