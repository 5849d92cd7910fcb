//! The shape of a scenario's load: everything but its rate.

use std::time::Duration;

use crate::drill::DrillError;
use crate::history::OpKind;
use crate::load::{ArrivalProcess, LoadBlock, LoadPlan, Mix, Pacing, Stage};
use crate::plan::{Plan, PlanFailure};
use crate::target::Target;
use crate::targets::NullTarget;

/// The blocks of a load, each with its share of the rate.
#[derive(Debug, Clone)]
pub struct Shape {
    name: String,
    /// Operations per second of all blocks together, on average; of closed loops, their users.
    whole: f64,
    blocks: Vec<(f64, LoadBlock)>,
}

impl Shape {
    /// The shape of the load of `plan`: all blocks at once, each with the share of its mean rate. Where all blocks are closed
    /// loops, which have none, each has the share of its users.
    ///
    /// # Errors
    /// [`DrillError::Unfit`] if open and closed loops are mixed: nothing says how their rates relate.
    pub fn of(plan: &Plan) -> Result<Self, DrillError> {
        let blocks = plan.load.blocks();
        let open = blocks.iter().filter(|block| matches!(block.pacing, Pacing::Open { .. })).count();
        if open > 0 && open < blocks.len() {
            return Err(DrillError::Unfit(
                "the scenario mixes loads with a rate and loads with users, and nothing says how their rates relate"
                    .to_owned(),
                "give every [[load]] a rate".to_owned(),
            ));
        }
        let weights: Vec<f64> = blocks.iter().map(weight).collect();
        let whole: f64 = weights.iter().sum();
        if whole <= 0.0 {
            return Err(DrillError::Unfit(
                "the scenario's load sends nothing".to_owned(),
                "give at least one [[load]] a rate".to_owned(),
            ));
        }
        let blocks = weights.iter().zip(blocks).filter(|(weight, _)| **weight > 0.0);
        let blocks = blocks.map(|(weight, block)| (weight / whole, block.clone())).collect();
        Ok(Self { name: plan.scenario.name.clone(), whole, blocks })
    }

    /// The scenario's own mean rate, operations per second; `None` for closed loops.
    pub fn rate(&self) -> Option<f64> {
        let open = |(_, block): &(f64, LoadBlock)| matches!(block.pacing, Pacing::Open { .. });
        self.blocks.iter().all(open).then_some(self.whole)
    }

    /// The same shape of operations that a target without Redis knows: others become a read, or a put if they write.
    pub fn for_nothing(&self) -> Self {
        let mut shape = self.clone();
        for (_, block) in &mut shape.blocks {
            let known = OpKind::ALL.map(|kind| match kind {
                kind if NullTarget::OPERATIONS.contains(&kind) => (kind, block.mix.weight(kind)),
                OpKind::Append | OpKind::Increment => (OpKind::Put, block.mix.weight(kind)),
                kind => (OpKind::Read, block.mix.weight(kind)),
            });
            block.mix = Mix::of(&known);
        }
        shape
    }

    /// Whether it destroys sessions or lets them grow.
    pub fn changes_sessions(&self) -> bool {
        let changes =
            |block: &LoadBlock| [OpKind::Destroy, OpKind::Append].map(|kind| block.mix.weight(kind)) != [0.0; 2];
        self.blocks.iter().any(|(_, block)| changes(block))
    }

    /// The load at `rate` operations per second for `length`.
    ///
    /// # Errors
    /// [`DrillError::Plan`].
    pub fn at(&self, load: &LoadPlan, rate: f64, length: Duration, seed: u64) -> Result<LoadPlan, DrillError> {
        let block = |(share, block): &(f64, LoadBlock)| {
            let arrivals = match &block.pacing {
                Pacing::Open { arrivals, .. } => *arrivals,
                Pacing::Closed { .. } => ArrivalProcess::Poisson,
            };
            let stages = vec![Stage::steady(share * rate, length)];
            LoadBlock { at: 0, pacing: Pacing::Open { stages, arrivals }, ..block.clone() }
        };
        let blocks = self.blocks.iter().map(block).collect();
        load.with_blocks(seed, blocks).map_err(|error| DrillError::Plan(self.name.clone(), PlanFailure::Load(error)))
    }
}

/// Operations per second on average, or users.
fn weight(block: &LoadBlock) -> f64 {
    match &block.pacing {
        Pacing::Open { stages, .. } => {
            stages.iter().map(Stage::expected).sum::<f64>() / block.pacing.length().as_secs_f64().max(1e-9)
        }
        Pacing::Closed { users, .. } => f64::from(*users),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::{Source, parse};

    fn plan(load: &str) -> Plan {
        let text = format!("name = \"x\"\nabout = \"y\"\n{load}");
        Plan::of(parse(&Source { name: "x.toml".to_owned(), text }, &[]).unwrap(), 1).unwrap()
    }

    #[test]
    fn blocks_keep_their_shares_of_the_rate_and_run_at_once() {
        let plan = plan(
            "[[load]]\nrate = \"100/s\"\nfor = \"4s\"\n\
             [[load]]\nat = \"2s\"\nstages = [{ rate = \"200/s\", for = \"1s\" }, { rate = \"400/s\", for = \"1s\" }]\n",
        );
        assert_eq!(Shape::of(&plan).unwrap().rate(), Some(400.0));
        let load = Shape::of(&plan).unwrap().at(&plan.load, 4_000.0, Duration::from_secs(5), 9).unwrap();
        let rates: Vec<f64> = load.blocks().iter().map(weight).collect();
        assert_eq!(rates, [1_000.0, 3_000.0]);
        assert!(load.blocks().iter().all(|block| block.at == 0 && block.pacing.length() == Duration::from_secs(5)));
        assert_eq!(load.expected(5_000_000_000), Some(20_000.0));
    }

    #[test]
    fn users_become_an_open_loop_and_a_mixture_is_refused() {
        let users = "[[load]]\nusers = 3\nfor = \"1s\"\n";
        let alone = plan(users);
        let load = Shape::of(&alone).unwrap().at(&alone.load, 70.0, Duration::from_secs(1), 9).unwrap();
        assert_eq!(load.expected(1_000_000_000), Some(70.0));
        assert_eq!(Shape::of(&alone).unwrap().rate(), None);
        let mixed = plan(&format!("{users}[[load]]\nrate = \"5/s\"\nfor = \"1s\"\n"));
        assert!(Shape::of(&mixed).unwrap_err().to_string().contains("give every [[load]] a rate"));
    }

    #[test]
    fn a_target_without_redis_is_sent_only_what_it_knows() {
        let plan = plan("[[load]]\nrate = \"9/s\"\nfor = \"1s\"\nmix = { read = 6, append = 3, destroy = 1 }\n");
        let shape = Shape::of(&plan).unwrap().for_nothing();
        let mix = shape.blocks[0].1.mix;
        assert_eq!((mix.weight(OpKind::Put), mix.weight(OpKind::Append), mix.weight(OpKind::Read)), (3.0, 0.0, 6.0));
        assert!(shape.changes_sessions());
    }
}
