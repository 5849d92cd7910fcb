//! What a step of load measured.

/// Requests of one second that an objective counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Count {
    /// All of them.
    pub of: u64,
    /// Those that exceeded the objective.
    pub over: u64,
}

impl Count {
    /// The sum of both.
    pub fn plus(self, other: Count) -> Count {
        Count { of: self.of + other.of, over: self.over + other.over }
    }

    /// The share that exceeded the objective; 0 without requests.
    pub fn share(self) -> f64 {
        if self.of == 0 { 0.0 } else { self.over as f64 / self.of as f64 }
    }
}

/// The requests that were due in one second of a step.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Second {
    /// A count for each objective, in the order of the settings.
    pub counts: Vec<Count>,
}

/// One stretch of steady load.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Measured {
    /// Its seconds, in order.
    pub seconds: Vec<Second>,
    /// Requests that were due.
    pub planned: u64,
    /// Requests of these that were sent.
    pub started: u64,
    /// Requests due but not answered, at instants of equal distance, in order of time.
    pub backlog: Vec<f64>,
    /// Requests answered per second.
    pub throughput: f64,
    /// The mean time from when a request was due to its answer, in seconds.
    pub response: f64,
    /// The mean number of requests due but not answered.
    pub in_flight: f64,
    /// Whether the generator, rather than the target, held the load back.
    pub by_generator: bool,
}
