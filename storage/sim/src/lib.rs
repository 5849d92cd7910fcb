//! A deterministic simulation of the session store.
//!
//! The stores are the crate's own, built as in a service. The layers beneath them are simulated: the network
//! ([`network`]), a Redis server ([`redis`]) that runs the store's own Lua scripts, and time. A [`schedule::Schedule`]
//! says what callers do and what goes wrong; [`run::run`] runs it on one thread, so that the same schedule has the same
//! outcome; [`oracle::judge`] compares the outcome with the policy's promises (docs/storage.md); and [`shrink::shrink`]
//! makes a failing schedule short enough to read.

pub mod census;
pub mod generate;
pub mod history;
pub mod network;
pub mod oracle;
pub mod record;
pub mod redis;
pub mod run;
pub mod schedule;
pub mod shrink;
pub mod summary;

/// Hides the panics that schedules ask for; others are shown as usual.
pub fn quiet_panics() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if panic.payload().downcast_ref::<&str>() != Some(&record::PANIC) {
            usual(panic);
        }
    }));
}
