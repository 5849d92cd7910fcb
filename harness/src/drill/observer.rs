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

/// A fault that took hold or ended.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FaultChange<'a> {
    /// Its position in the scenario, from 0.
    pub fault: u32,
    /// Its kind, such as `proxy.down`.
    pub kind: &'a str,
    /// Whether it took hold; otherwise it was undone.
    pub on: bool,
    /// When, in milliseconds since the load started.
    pub at_ms: f64,
}

/// Watches a drill.
pub trait Observer: Send + Sync {
    /// Called when the next step begins.
    fn step(&self, text: &str);
    /// Called when an interval of the load is over.
    fn tick(&self, tick: &Tick);
    /// Called when a fault takes hold or ends.
    fn fault(&self, text: &str);
    /// Called for the same as [`Observer::fault`], but not for a deploy, by an observer that wants figures and no sentence.
    fn fault_change(&self, change: &FaultChange<'_>) {
        let _ = change;
    }
}

/// Ignores everything.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Observer for Silent {
    fn step(&self, _: &str) {}
    fn tick(&self, _: &Tick) {}
    fn fault(&self, _: &str) {}
}
