//! The disk, for which Redis's main thread waits with its append-only file.

use firedrill_reports::text;

use super::redis::BUSY;
use super::view::{View, cores};

/// From this share of the time on, blocked in a system call, the thread has a reason other than its commands.
const BLOCKED: f64 = 0.3;

/// So many delayed writes in the steps at the knee are no accident: there is at most one a second.
const DELAYED: u64 = 3;

/// The main thread was blocked, rather than busy; or writes to the append-only file waited for an fsync.
pub fn waited_for(view: &View<'_>) -> Option<String> {
    let blocked = view.median(|step| step.waits.redis_blocked).unwrap_or_default();
    let used = view.redis().unwrap_or_default();
    let delayed = view.sum(|step| step.waits.delayed_fsyncs);
    let all_the_time = blocked >= BLOCKED && blocked + used >= BUSY;
    if !all_the_time && delayed < DELAYED {
        return None;
    }
    let call = view.blocked_in().filter(|_| blocked > 0.0).map_or(String::new(), |call| {
        format!("Redis's main thread was blocked for {} of the time, mostly in {call}, and ", text::percent(blocked))
    });
    let writes = match delayed {
        0 => String::new(),
        _ => format!("; {} to its append-only file waited for an fsync", text::counted(delayed, "write")),
    };
    let with = if call.is_empty() { "Redis's main thread used" } else { "used" };
    Some(format!("{call}{with} {} of a core at the knee{writes}", cores(Some(used))))
}
