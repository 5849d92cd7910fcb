//! Observers of a running drill. The drill notifies them and never waits for them.

/// What the last interval of the load looked like.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Tick {
    /// Seconds since the load started.
    pub at: f64,
    /// Seconds that the load lasts.
    pub of: f64,
    /// Operations that ended in the interval, per second.
    pub rate: f64,
    /// 95th percentile of their response times, in milliseconds.
    pub p95_ms: f64,
    /// Operations acknowledged by the fallback, so far.
    pub degraded: u64,
    /// Operations failed or unknown, so far.
    pub errors: u64,
}

/// Watches a drill.
pub trait Observer: Send + Sync {
    /// The next step begins.
    fn step(&self, text: &str);
    /// An interval of the load is over.
    fn tick(&self, tick: &Tick);
    /// A fault took hold or ended.
    fn fault(&self, text: &str);
}

/// Watches nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Observer for Silent {
    fn step(&self, _: &str) {}
    fn tick(&self, _: &Tick) {}
    fn fault(&self, _: &str) {}
}
