//! A plan in words: rate and size of each block, and its first operations.

use std::fmt;

use super::block::Pacing;
use super::plan::LoadPlan;
use crate::clock::Nanos;
use crate::target::Operation;

/// The result of [`LoadPlan::summary`].
#[derive(Debug, Clone, PartialEq)]
pub struct PlanSummary {
    /// One line per block, in the order of the plan.
    pub blocks: Vec<BlockSummary>,
}

/// A block in brief.
#[derive(Debug, Clone, PartialEq)]
pub struct BlockSummary {
    /// Its name in reports.
    pub name: String,
    /// The earliest time its first operation can be due.
    pub from: Nanos,
    /// The latest time its last operation can be due.
    pub to: Nanos,
    /// Expected number of operations; `None` if it depends on the target's answers (virtual users).
    pub expected_ops: Option<f64>,
    /// Virtual users; 0 for an open loop.
    pub users: u32,
    /// The first operations, with their due time if the plan knows it. For a closed block, those of its first user.
    pub first: Vec<(Option<Nanos>, Operation)>,
}

impl LoadPlan {
    /// The plan in brief, with the first `k` operations of each block.
    pub fn summary(&self, k: usize) -> PlanSummary {
        let blocks = self.blocks().iter().enumerate().map(|(number, block)| {
            let open = self.open(number).into_iter().flatten().map(|planned| (Some(planned.at), planned.op));
            let user = self.user(number, 0).into_iter().flatten().map(|(op, _)| (None, op));
            let (expected_ops, users) = match &block.pacing {
                Pacing::Open { stages, .. } => (Some(stages.iter().map(|stage| stage.expected()).sum()), 0),
                Pacing::Closed { users, .. } => (None, *users),
            };
            BlockSummary {
                name: block.name.clone(),
                from: block.at,
                to: block.end(),
                expected_ops,
                users,
                first: open.chain(user).take(k).collect(),
            }
        });
        PlanSummary { blocks: blocks.collect() }
    }
}

impl fmt::Display for PlanSummary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = |t: Nanos| t as f64 / 1e9;
        for block in &self.blocks {
            write!(f, "{}: {:.1} s to {:.1} s, ", block.name, seconds(block.from), seconds(block.to))?;
            match block.expected_ops {
                Some(expected) => writeln!(f, "{expected:.0} operations expected")?,
                None => writeln!(f, "{} virtual users", block.users)?,
            }
            for (at, op) in &block.first {
                match at {
                    Some(at) => write!(f, "  {:>12.6} s", seconds(*at))?,
                    None => write!(f, "  user {:>7}", op.process)?,
                }
                writeln!(f, "  #{} {} session {}", op.index, op.kind.name(), op.session)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::arrivals::{ArrivalProcess, Stage};
    use super::super::block::{LoadBlock, SessionRange, Think};
    use super::*;

    #[test]
    fn a_plan_shows_what_it_expects_and_how_it_begins() {
        let sessions = SessionRange { first: 0, count: 1 };
        let stages = vec![Stage::steady(1000.0, Duration::from_secs(20))];
        let open = LoadBlock::new("steady", Pacing::Open { stages, arrivals: ArrivalProcess::Constant }, sessions);
        let length = Duration::from_secs(5);
        let pacing = Pacing::Closed { users: 3, think: Think::None, length, ramp: Duration::ZERO, rate_cap: None };
        let closed = LoadBlock::new("users", pacing, sessions);
        let plan = LoadPlan::new(1, vec![open, closed], 0).unwrap();
        assert_eq!(
            plan.summary(2).to_string(),
            "steady: 0.0 s to 20.0 s, 20000 operations expected\n\
             \u{20}     0.000000 s  #1 read session 0\n\
             \u{20}     0.001000 s  #5 read session 0\n\
             users: 0.0 s to 5.0 s, 3 virtual users\n\
             \u{20} user 2147483649  #2 read session 0\n\
             \u{20} user 2147483649  #6 read session 0\n"
        );
    }
}
