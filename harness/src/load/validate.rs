//! Checks a plan before anything is derived from it.

use super::block::{LoadBlock, Pacing, Payload};
use super::key_distribution::KeyDistribution;
use crate::history::{OpKind, SessionNo};

/// Why a plan cannot run. Errors name the block.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// A weight is negative or not a number, or all weights are zero.
    #[error("load `{block}`: the mix needs weights of 0 or more, at least one of them above 0")]
    Mix {
        /// The block.
        block: String,
    },
    /// A rate is negative or not a number, or the block has no stage.
    #[error("load `{block}`: needs at least one stage, and rates of 0 or more per second")]
    Rate {
        /// The block.
        block: String,
    },
    /// There are no users to send operations, or no operation may be in flight.
    #[error("load `{block}`: needs at least one virtual user, or room for one operation in flight")]
    Nobody {
        /// The block.
        block: String,
    },
    /// The exponent or the shares of the key distribution are invalid.
    #[error(
        "load `{block}`: a zipf exponent is 0 or more, and the shares of a hotspot or a gaussian lie between 0 and 1"
    )]
    Keys {
        /// The block.
        block: String,
    },
    /// The payload sizes are invalid.
    #[error(
        "load `{block}`: payload sizes need min <= max, a median above 0, a sigma of 0 or more, and weights above 0"
    )]
    Payload {
        /// The block.
        block: String,
    },
    /// The share of operations on destroyed sessions is out of range.
    #[error("load `{block}`: the share of operations on destroyed sessions lies between 0 and 1")]
    Ghosts {
        /// The block.
        block: String,
    },
    /// A deadline of zero would settle every operation before it is sent.
    #[error("load `{block}`: an operation's deadline must be longer than 0")]
    Deadline {
        /// The block.
        block: String,
    },
    /// More sessions than numbers for them.
    #[error("load `{block}`: sessions are numbered below 2^31; take fewer of them")]
    TooManySessions {
        /// The block.
        block: String,
    },
    /// More virtual users than numbers for them.
    #[error("the load has more than 2^30 virtual users in all; take fewer of them")]
    TooManyUsers,
}

/// Checks every block. Returns the number of streams and one past the last session that exists before the load.
pub(super) fn layout(blocks: &[LoadBlock]) -> Result<(u32, SessionNo), PlanError> {
    let (mut streams, mut pool_end) = (0u64, 0);
    for block in blocks {
        check(block)?;
        streams += match block.pacing {
            Pacing::Open { .. } => 1,
            Pacing::Closed { users, .. } => u64::from(users),
        };
        pool_end = pool_end.max(block.keys_end());
    }
    let streams = u32::try_from(streams).ok().filter(|&n| n < 1 << 30).ok_or(PlanError::TooManyUsers)?;
    Ok((streams, pool_end as SessionNo))
}

fn check(block: &LoadBlock) -> Result<(), PlanError> {
    let name = || block.name.clone();
    let share = |value: f64| (0.0..=1.0).contains(&value);
    let rate = |value: f64| value.is_finite() && value >= 0.0;

    let weights = OpKind::ALL.map(|kind| block.mix.weight(kind));
    if weights.iter().any(|&w| !rate(w)) || weights.iter().sum::<f64>() <= 0.0 {
        return Err(PlanError::Mix { block: name() });
    }
    match &block.pacing {
        Pacing::Open { stages, .. } => {
            if stages.is_empty() || !stages.iter().all(|stage| rate(stage.from_rate) && rate(stage.to_rate)) {
                return Err(PlanError::Rate { block: name() });
            }
            if block.max_in_flight == 0 {
                return Err(PlanError::Nobody { block: name() });
            }
        }
        Pacing::Closed { users, rate_cap, .. } => {
            if *users == 0 {
                return Err(PlanError::Nobody { block: name() });
            }
            if rate_cap.is_some_and(|cap| !rate(cap) || cap == 0.0) {
                return Err(PlanError::Rate { block: name() });
            }
        }
    }
    let keys_fit = match block.keys {
        KeyDistribution::Uniform => true,
        KeyDistribution::Zipf { exponent } => rate(exponent),
        KeyDistribution::Hotspot { sessions, operations } => share(sessions) && share(operations),
        KeyDistribution::Gaussian { mean, deviation } => share(mean) && share(deviation) && deviation > 0.0,
    };
    let payload_fits = match &block.payload {
        Payload::Fixed(_) => true,
        Payload::Uniform { min, max } => min <= max,
        Payload::LogNormal { median, sigma, .. } => *median > 0 && rate(*sigma),
        Payload::OneOf(sizes) => !sizes.is_empty() && sizes.iter().all(|(_, weight)| rate(*weight) && *weight > 0.0),
    };
    if !keys_fit {
        Err(PlanError::Keys { block: name() })
    } else if !payload_fits {
        Err(PlanError::Payload { block: name() })
    } else if !share(block.ghost_reads) || !share(block.ghost_writes) {
        Err(PlanError::Ghosts { block: name() })
    } else if block.deadline.is_zero() {
        Err(PlanError::Deadline { block: name() })
    } else if block.keys_end() >= 1 << 31 {
        Err(PlanError::TooManySessions { block: name() })
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::arrivals::{ArrivalProcess, Stage};
    use super::super::block::{Mix, SessionRange, Think};
    use super::*;

    fn block() -> LoadBlock {
        let stages = vec![Stage::steady(10.0, Duration::from_secs(1))];
        let pacing = Pacing::Open { stages, arrivals: ArrivalProcess::Constant };
        LoadBlock::new("shop", pacing, SessionRange { first: 0, count: 10 })
    }

    fn refused(change: impl FnOnce(&mut LoadBlock)) -> PlanError {
        let mut block = block();
        change(&mut block);
        layout(&[block]).unwrap_err()
    }

    #[test]
    fn a_sound_block_passes() {
        assert_eq!(layout(&[block()]), Ok((1, 10)));
    }

    #[test]
    fn each_impossible_setting_is_refused_by_its_own_error() {
        let shop = || "shop".to_owned();
        let closed = |users, rate_cap| Pacing::Closed {
            users,
            think: Think::None,
            length: Duration::from_secs(1),
            ramp: Duration::ZERO,
            rate_cap,
        };
        let no_stages = Pacing::Open { stages: vec![], arrivals: ArrivalProcess::Constant };
        assert_eq!(refused(|b| b.mix = Mix::of(&[])), PlanError::Mix { block: shop() });
        assert_eq!(refused(|b| b.mix = Mix::of(&[(OpKind::Read, -1.0)])), PlanError::Mix { block: shop() });
        assert_eq!(refused(|b| b.pacing = no_stages), PlanError::Rate { block: shop() });
        assert_eq!(refused(|b| b.pacing = closed(1, Some(0.0))), PlanError::Rate { block: shop() });
        assert_eq!(refused(|b| b.pacing = closed(0, None)), PlanError::Nobody { block: shop() });
        assert_eq!(refused(|b| b.max_in_flight = 0), PlanError::Nobody { block: shop() });
        assert_eq!(
            refused(|b| b.keys = KeyDistribution::Zipf { exponent: f64::NAN }),
            PlanError::Keys { block: shop() }
        );
        assert_eq!(refused(|b| b.payload = Payload::Uniform { min: 2, max: 1 }), PlanError::Payload { block: shop() });
        assert_eq!(refused(|b| b.ghost_reads = 1.5), PlanError::Ghosts { block: shop() });
        assert_eq!(refused(|b| b.deadline = Duration::ZERO), PlanError::Deadline { block: shop() });
        assert_eq!(
            refused(|b| b.sessions = SessionRange { first: 1 << 31, count: 1 }),
            PlanError::TooManySessions { block: shop() }
        );
    }
}
