//! The network path to Redis.

use firedrill_reports::text;

use super::view::View;

/// Shorter than this, in milliseconds, a path is that of one machine, and its figure depends on who runs when.
const FELT_MS: f64 = 1.0;

/// An operation that spends this share of its time on the path waits for the path.
const MOST: f64 = 0.5;

/// A path that carries this share of what it carried without load has little to spare.
const FULL: f64 = 0.7;

/// Operations spent their time on the path, or filled it, while nothing else was busy.
pub fn waited_for(view: &View<'_>) -> Option<String> {
    let path = view.host.path.filter(|_| view.is_easy())?;
    let flow = view.median(|step| step.waits.flow).unwrap_or_default();
    let throughput = view.throughput();
    let each = flow / throughput;
    let carried_ms = path.carries.map_or(0.0, |carries| each / carries * 1e3);
    let wire_ms = path.ping_ms + carried_ms;
    // Where all connections are taken, the rest of a response time is the wait for one.
    let service_ms = (f64::from(view.host.connections) / throughput * 1e3).min(view.median(|step| Some(step.p50_ms))?);
    let ping = text::millis(path.ping_ms);
    if wire_ms >= FELT_MS && wire_ms >= MOST * service_ms {
        let bytes = match path.carries {
            Some(carries) if carried_ms > 0.1 * wire_ms => format!(
                ", and the {} of an operation take {} more at the {}/s that a connection carried",
                text::bytes(each),
                text::millis(carried_ms),
                text::bytes(carries)
            ),
            _ => String::new(),
        };
        return Some(format!(
            "an operation took {} at the knee (median, without the wait for a connection), and the way to Redis and back takes {} of it: \
             a PING takes {ping} without load{bytes}. A shorter path, or more operations at once (connections: {}), may carry more",
            text::millis(service_ms),
            text::millis(wire_ms.min(service_ms)),
            view.host.connections,
        ));
    }
    let carries = path.carries.filter(|carries| flow >= FULL * carries)?;
    Some(format!(
        "at the knee {}/s went one way, and without load the path carried {}/s; a PING takes {ping}",
        text::bytes(flow),
        text::bytes(carries),
    ))
}
