//! When a lifetime ends, by a clock that may have jumped. In drill time, it ends when the promised lifetime, including
//! jumps, has passed since it was last extended. A jump reaches each key at an unknown moment within known bounds, so
//! there is an earliest and a latest end.

use crate::clock::Nanos;
use crate::history::{History, Note};

/// The promised lifetime and the jumps of one history.
#[derive(Debug, Clone)]
pub(crate) struct Expiry {
    lifetime: Nanos,
    slack: Nanos,
    /// In order of time.
    jumps: Vec<Jump>,
}

#[derive(Debug, Clone, Copy)]
struct Jump {
    began: Nanos,
    over: Nanos,
    by: Nanos,
}

impl Expiry {
    /// The expiry of `history`, whose notes are in order of time.
    pub fn of(history: &History) -> Self {
        let jump = |note: &Note| match note {
            Note::ClockJumped { at, until, by_ns } => Some(Jump { began: *at, over: *until, by: *by_ns }),
            _ => None,
        };
        let header = &history.header;
        Self {
            lifetime: header.ttl_ns,
            slack: header.ttl_slack_ns,
            jumps: history.notes.iter().filter_map(jump).collect(),
        }
    }

    /// The earliest end of a life that was extended at `from` or later: every jump that may have come after `from`
    /// counts.
    pub fn earliest(&self, from: Nanos) -> Nanos {
        let mut end = from.saturating_add(self.lifetime.saturating_sub(self.slack));
        for jump in self.jumps.iter().filter(|jump| jump.over >= from) {
            let perhaps = jump.began.max(from);
            if end > perhaps {
                end = end.saturating_sub(jump.by).max(perhaps);
            }
        }
        end
    }

    /// The latest end of a life that was last extended at `from` or earlier: only jumps that certainly came after
    /// `from` count, each at its latest moment.
    pub fn latest(&self, from: Nanos) -> Nanos {
        let mut end = from.saturating_add(self.lifetime.saturating_add(self.slack));
        for jump in self.jumps.iter().filter(|jump| jump.began > from) {
            if end > jump.over {
                end = end.saturating_sub(jump.by).max(jump.over);
            }
        }
        end
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lifetimes of 100, give or take 2, with these jumps.
    fn expiry(jumps: &[(Nanos, Nanos, Nanos)]) -> Expiry {
        let jumps = jumps.iter().map(|&(began, over, by)| Jump { began, over, by }).collect();
        Expiry { lifetime: 100, slack: 2, jumps }
    }

    #[test]
    fn without_a_jump_a_life_lasts_as_promised() {
        assert_eq!((expiry(&[]).earliest(7), expiry(&[]).latest(7)), (105, 109));
        assert_eq!(expiry(&[]).latest(Nanos::MAX), Nanos::MAX);
    }

    #[test]
    fn a_jump_shortens_a_life_by_its_length_or_ends_it() {
        let jumped = expiry(&[(20, 22, 60)]);
        assert_eq!((jumped.earliest(0), jumped.latest(0)), (38, 42));
        let far = expiry(&[(20, 22, 3_600)]);
        assert_eq!((far.earliest(0), far.latest(0)), (20, 22));
    }

    #[test]
    fn a_life_extended_while_the_clock_jumped_may_have_met_the_jump_or_not() {
        let jumped = expiry(&[(20, 30, 60)]);
        assert_eq!((jumped.earliest(25), jumped.latest(25)), (63, 127));
        assert_eq!((jumped.earliest(31), jumped.latest(31)), (129, 133));
    }

    #[test]
    fn a_jump_after_the_end_of_a_life_does_not_matter_and_several_add_up() {
        let late = expiry(&[(300, 301, 60)]);
        assert_eq!((late.earliest(0), late.latest(0)), (98, 102));
        let twice = expiry(&[(10, 11, 30), (20, 21, 30)]);
        assert_eq!((twice.earliest(0), twice.latest(0)), (38, 42));
    }

    #[test]
    fn a_jump_that_broke_off_may_have_come_to_any_life_and_is_not_sure_to_have() {
        let broken = expiry(&[(20, Nanos::MAX, 60)]);
        assert_eq!((broken.earliest(0), broken.latest(0)), (38, 102));
        assert_eq!((broken.earliest(50), broken.latest(50)), (88, 152));
    }
}
