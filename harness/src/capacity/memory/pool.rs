//! The sessions that are stored: as many as fit, in the sizes of the scenario.

use rand::SeedableRng as _;
use rand::seq::SliceRandom as _;
use rand_xoshiro::Xoshiro256PlusPlus;

use crate::drill::DrillError;
use crate::load::{LoadBlock, LoadPlan, SessionRange};
use crate::plan::{Plan, PlanFailure};
use crate::target::Operation;

/// A session takes at least this much, whatever its payload.
const SMALLEST: f64 = 100.0;

/// Sessions whose sizes give the mean.
const DRAWN: u32 = 1_024;

/// The creates of more sessions than fit.
pub struct Pool {
    plan: Plan,
    payload: f64,
}

impl Pool {
    /// Sessions for a Redis of `limit` bytes. Each load of `plan` has its share of them.
    ///
    /// # Errors
    /// [`DrillError::Plan`] if there would be too many.
    pub fn of(plan: &Plan, limit: u64) -> Result<Self, DrillError> {
        let drawn = sized(plan, DRAWN)?.preload();
        let payload = drawn.iter().map(|op| f64::from(op.payload_bytes)).sum::<f64>() / (drawn.len() as f64).max(1.0);
        let most = (limit as f64 / payload.max(SMALLEST)).ceil();
        let load = sized(plan, DRAWN.max(most as u32))?;
        Ok(Self { plan: Plan { load, ..plan.clone() }, payload })
    }

    /// The plan, with these sessions in place of the scenario's.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The mean payload, bytes.
    pub fn payload(&self) -> f64 {
        self.payload
    }

    /// The creates, in an order that mixes the sessions of all loads.
    pub fn creates(&self) -> impl Iterator<Item = Operation> + use<> {
        let mut creates = self.plan.load.preload();
        creates.shuffle(&mut Xoshiro256PlusPlus::seed_from_u64(self.plan.seed));
        creates.into_iter()
    }
}

/// The load with about `count` sessions.
fn sized(plan: &Plan, count: u32) -> Result<LoadPlan, DrillError> {
    let blocks = plan.load.blocks();
    let whole: u64 = blocks.iter().map(|block| u64::from(block.sessions.count)).sum();
    let mut first = 0;
    let mut shared = |block: &LoadBlock| {
        let share = match whole {
            0 => 1.0 / blocks.len() as f64,
            whole => f64::from(block.sessions.count) / whole as f64,
        };
        let sessions = SessionRange { first, count: (share * f64::from(count)).ceil() as u32 };
        first += sessions.count;
        LoadBlock { sessions, ..block.clone() }
    };
    let blocks = blocks.iter().map(&mut shared).collect();
    let load = plan.load.with_blocks(plan.seed, blocks);
    load.map_err(|error| DrillError::Plan(plan.scenario.name.clone(), PlanFailure::Load(error)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::{Source, parse};

    #[test]
    fn the_pool_fills_the_limit_in_the_sizes_and_shares_of_the_scenario() {
        let text = "name = \"x\"\nabout = \"y\"\n\
                    [[load]]\nrate = \"1/s\"\nfor = \"1s\"\nsessions = 30\npayload = \"1KB\"\n\
                    [[load]]\nrate = \"1/s\"\nfor = \"1s\"\nsessions = 10\npayload = \"5KB\"\n";
        let source = Source { name: "x.toml".to_owned(), text: text.to_owned() };
        let plan = Plan::of(parse(&source, &[]).unwrap(), 1).unwrap();
        let pool = Pool::of(&plan, 20_000_000).unwrap();
        assert_eq!(pool.payload(), 2_000.0);
        let creates: Vec<Operation> = pool.creates().collect();
        assert_eq!(creates.len(), 10_000);
        assert!(creates.iter().map(|op| f64::from(op.payload_bytes)).sum::<f64>() >= 20_000_000.0);
        let large = creates[..400].iter().filter(|op| op.payload_bytes == 5_000).count();
        assert!((60..140).contains(&large), "{large} of 400: they are mixed");
    }
}
