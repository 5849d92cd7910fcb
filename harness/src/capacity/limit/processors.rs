//! The processors of this machine, which generator and target share.

use super::view::{View, cores};

/// With fewer idle cores than this share, threads wait for one another, and a quantile is missed long before none is idle.
const IDLE: f64 = 0.2;

/// Hardly any was idle.
pub fn used_up(view: &View<'_>) -> Option<String> {
    let idle = view.idle().filter(|idle| *idle < IDLE * view.host.cores)?;
    Some(format!(
        "at the knee {idle:.2} of {:.0} cores were idle: Redis's main thread used {}{}, this process {}. With processors of its own, the \
         target may hold more: read the answer as \"at least\"",
        view.host.cores,
        cores(view.redis()),
        view.before(|step| step.redis_cores),
        cores(view.process()),
    ))
}
