//! A machine for one Redis, from what was measured.

use firedrill_capacity::memory::Machine;
use firedrill_reports::capacity::Stored;

/// A machine of `memory` bytes that runs one Redis with such sessions.
pub fn of(session: &Stored, memory: f64) -> Machine {
    let save = session.save.as_ref();
    let copied = save.and_then(|save| Some((save.loaded? - save.idle).max(0.0) / save.used.max(1.0)));
    Machine {
        memory,
        fragmentation: session.fragmentation,
        save: save.map_or(0.0, |save| save.idle),
        copied: copied.unwrap_or(0.0),
    }
}
