//! Observers of a running drill. The drill notifies them but never waits for them.

/// The last interval of the load.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Tick {
    /// Seconds since the load started.
    pub at: f64,
    /// Length of the load in seconds.
    pub of: f64,
    /// Operations that ended in the interval, per second.
    pub rate: f64,
    /// 95th percentile of their response times, in milliseconds.
    pub p95_ms: f64,
    /// Operations acknowledged by the fallback so far.
    pub degraded: u64,
    /// Failed or unknown operations so far.
    pub errors: u64,
}

/// Watches a drill.
pub trait Observer: Send + Sync {
    /// Called when the next step begins.
    fn step(&self, text: &str);
    /// Called when an interval of the load is over.
    fn tick(&self, tick: &Tick);
    /// Called when a fault takes hold or ends.
    fn fault(&self, text: &str);
}

/// Ignores everything.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Observer for Silent {
    fn step(&self, _: &str) {}
    fn tick(&self, _: &Tick) {}
    fn fault(&self, _: &str) {}
}
