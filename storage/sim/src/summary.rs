//! What a set of schedules covered: a simulation without degraded writes, interrupted drains or lost tails proves
//! nothing about them.

use std::time::Duration;

use crate::run::Run;

/// Counts over schedules.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Summary {
    /// Schedules.
    pub schedules: u64,
    /// Calls in all of them.
    pub calls: u64,
    /// Schedules in which a fallback acknowledged a write.
    pub degraded_writes: u64,
    /// Schedules in which Redis failed during a drain.
    pub interrupted_drains: u64,
    /// Schedules in which Redis lost writes that it had acknowledged.
    pub lost_tails: u64,
    /// Schedules in which a fallback gave a session another id.
    pub degraded_renames: u64,
    /// Schedules in which a session's copy met another one in Redis.
    pub merges: u64,
}

impl Summary {
    /// Counts one run.
    pub fn add(&mut self, run: &Run) {
        self.schedules += 1;
        self.calls += run.calls.len() as u64;
        self.degraded_writes +=
            u64::from(run.calls.iter().any(|call| call.item.is_some() && call.acked() == Some(true)));
        self.degraded_renames +=
            u64::from(run.calls.iter().any(|call| call.renames_to().is_some() && call.acked() == Some(true)));
        self.interrupted_drains += u64::from(run.stats.iter().any(|stats| stats.interrupted > 0));
        self.lost_tails += u64::from(!run.tails.is_empty());
        self.merges += u64::from(run.stats.iter().any(|stats| stats.merged > 0));
    }

    /// One readable line.
    pub fn line(&self, took: Duration) -> String {
        let per_minute = self.schedules as f64 * 60.0 / took.as_secs_f64().max(0.001);
        format!(
            "{} schedules, {per_minute:.0} per minute, {} calls; with degraded writes {}, with degraded renames {}, with \
             drains cut short {}, with lost tails {}, with merges {}",
            self.schedules,
            self.calls,
            self.degraded_writes,
            self.degraded_renames,
            self.interrupted_drains,
            self.lost_tails,
            self.merges
        )
    }
}
