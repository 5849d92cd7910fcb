//! The application's own connections to Redis.

use std::ops::RangeInclusive;

use firedrill_reports::text;

use super::view::{View, cores};

/// Connections on their way for these shares of the time are the limit. With much more, several commands share one.
const BUSY: RangeInclusive<f64> = 0.7..=1.3;

/// With so many times more requests in flight than connections, most wait for one.
const WAITING: f64 = 2.0;

/// The application's connections were busy with the way to Redis all the time (Little's law: commands per second × what a command
/// takes), more requests than these waited, and nothing else was busy.
pub fn taken(view: &View<'_>) -> Option<String> {
    let path = view.host.path.filter(|_| view.host.application && view.is_easy())?;
    let commands = view.median(|step| step.waits.redis_commands)?;
    let clients = view.median(|step| step.waits.redis_clients.map(|clients| clients as f64))?;
    let requests = view.in_flight()?.min(f64::from(view.host.connections));
    let busy = commands * path.ping_ms / 1e3 / clients.max(1.0);
    (BUSY.contains(&busy) && requests >= WAITING * clients).then(|| {
        format!(
            "the application had {} connections to Redis, and {} commands a second at {} there and back kept them busy for {} of the time \
             (Little's law), while {} requests were in flight, {} of {:.0} cores were idle and the application used {}. A larger pool \
             may carry more",
            text::number(clients),
            text::number(commands),
            text::millis(path.ping_ms),
            text::percent(busy.min(1.0)),
            text::number(requests),
            cores(view.idle()),
            view.host.cores,
            cores(view.process()),
        )
    })
}
