//! The connections of the target.

use firedrill_reports::text;

use super::view::{SUSPECTED, View, cores};

/// Connections count as used up from this share of them.
const TAKEN: f64 = 0.9;

/// All connections of the target were waiting for answers, and nothing was busy.
pub fn taken(view: &View<'_>) -> Option<String> {
    let connections = f64::from(view.host.connections);
    let in_flight = view.in_flight().filter(|in_flight| *in_flight >= TAKEN * connections && view.is_easy())?;
    let rate = view.throughput();
    Some(format!(
        "{} operations were in flight, and the target takes {} at once ([target] connections); at {} each took {} there (Little's law), \
         while {} of {:.0} cores were idle and Redis's main thread used {}. More connections may carry more{SUSPECTED}",
        text::number(in_flight),
        view.host.connections,
        text::rate(rate),
        text::millis(connections / rate * 1e3),
        cores(view.idle()),
        view.host.cores,
        cores(view.redis()),
    ))
}
