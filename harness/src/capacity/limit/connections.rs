//! Connections: those of the target, and the application's own to Redis.

use firedrill_reports::text;

use super::view::{View, cores};

/// Connections count as used up from this share of them.
const TAKEN: f64 = 0.9;

/// With so many times more requests in flight than the application has connections to Redis, most wait for one.
const WAITING: f64 = 2.0;

/// All connections of the target were waiting for answers, and nothing was busy.
pub fn taken(view: &View<'_>) -> Option<String> {
    let connections = f64::from(view.host.connections);
    let in_flight = view.in_flight().filter(|in_flight| *in_flight >= TAKEN * connections && view.is_easy())?;
    let rate = view.throughput();
    Some(format!(
        "{} operations were in flight, and the target takes {} at once ([target] connections); at {} each took {} there (Little's law), \
         while {} of {:.0} cores were idle and Redis's main thread used {}. More connections may carry more",
        text::number(in_flight),
        view.host.connections,
        text::rate(rate),
        text::millis(connections / rate * 1e3),
        cores(view.idle()),
        view.host.cores,
        cores(view.redis()),
    ))
}

/// Requests waited in an application with few connections to Redis, and nothing was busy.
pub fn pooled(view: &View<'_>) -> Option<String> {
    let in_flight = view.in_flight().filter(|_| view.host.application && view.is_easy())?;
    let clients = view.median(|step| step.waits.redis_clients.map(|clients| clients as f64))?;
    (in_flight >= WAITING * clients).then(|| {
        format!(
            "{} requests were in flight, and Redis had {} clients at most, while {} of {:.0} cores were idle, the application used {} and \
             Redis's main thread {}: requests waited for the application's pool. A larger pool may carry more",
            text::number(in_flight),
            text::number(clients),
            cores(view.idle()),
            view.host.cores,
            cores(view.process()),
            cores(view.redis()),
        )
    })
}
