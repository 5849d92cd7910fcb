//! What a store can know of what others did to the same sessions. With one store everybody knows what was acknowledged. Of
//! several, each knows what it has carried out itself. What another has acknowledged it knows from Redis, so a fallback's
//! answers count for others from the end of that fallback; and while its own fallback is active, it is cut off from all others.

use crate::clock::Nanos;
use crate::history::{History, OpRecord, Outcome, Process, Step, activations};

/// A store may have been cut off for so long before its fallback took over: that takes a call that fails.
const UNNOTICED: Nanos = 2_000_000_000;

/// When the fallbacks of a drill's stores were active.
#[derive(Debug)]
pub(super) struct Stores {
    /// For each store, in order of time. One entry if there is one store, whatever the processes are.
    active: Vec<Vec<(Nanos, Nanos)>>,
    /// When a fallback has handed back of which nothing is reported: by the end of the load, since the final reads wait until
    /// the target has settled. The end of time where the stores report their fallbacks.
    settled: Nanos,
}

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Viewpoint {
    /// One that has carried out nothing itself, such as a store built for the final reads.
    Redis,
    /// A store whose answer came from Redis, or from its fallback.
    Store {
        /// Its number.
        number: Process,
        /// Whether the fallback answered.
        cut_off: bool,
    },
}

impl Stores {
    /// Those of `history`.
    pub fn of(history: &History) -> Self {
        let mut active = vec![Vec::new(); history.header.instances.get() as usize];
        for one in activations(&history.notes) {
            if let Some(active) = active.get_mut(one.instance as usize) {
                active.push((one.from, one.to));
            }
        }
        let load = history.ops.ops.iter().filter(|op| op.step != Step::Final).map(|op| op.ended);
        let settled = match active.iter().all(Vec::is_empty) {
            true => load.max().unwrap_or(Nanos::MAX),
            false => Nanos::MAX,
        };
        Self { active, settled }
    }

    /// Whether there is more than one.
    pub fn are_several(&self) -> bool {
        self.active.len() > 1
    }

    /// How many viewpoints there are.
    pub fn viewpoints(&self) -> usize {
        if self.are_several() { 1 + 2 * self.active.len() } else { 1 }
    }

    /// The viewpoint of the process that sent `op`.
    pub fn viewpoint(&self, op: &OpRecord) -> Viewpoint {
        match self.are_several() && op.step != Step::Final {
            true => Viewpoint::Store { number: self.number(op), cut_off: op.outcome == Outcome::Degraded },
            false => Viewpoint::Redis,
        }
    }

    fn number(&self, op: &OpRecord) -> Process {
        op.process % self.active.len() as Process
    }

    /// `op` as it is known from `viewpoint`: an acknowledgement that others have not heard of yet comes later, or may never
    /// have come.
    pub fn known(&self, op: &OpRecord, viewpoint: Viewpoint) -> OpRecord {
        let by = self.number(op);
        if !self.are_several() || matches!(viewpoint, Viewpoint::Store { number, .. } if number == by) {
            return *op;
        }
        // A fallback may have answered others from a copy of what was destroyed elsewhere: that proves no session.
        if op.outcome == Outcome::Degraded && !op.kind.effects().makes && !op.kind.ends_session() {
            return OpRecord { outcome: Outcome::Unknown, ..*op };
        }
        let Viewpoint::Store { number, cut_off } = viewpoint else { return self.handed_back(op) };
        if !op.outcome.acknowledged() {
            return *op;
        }
        let told = self.handed_back(op);
        let apart = self.apart(number, told.ended);
        match (cut_off, apart) {
            // Every store learns of a destroy in Redis while it is connected.
            (true, None) if op.kind.ends_session() => told,
            (true, _) => OpRecord { outcome: Outcome::Unknown, ..*op },
            (false, None) => told,
            (false, Some(until)) => OpRecord { ended: until.max(told.ended), ..told },
        }
    }

    /// The same for what may have become of a session. Through the store whose own fallback destroyed it, a session is found
    /// again where that store asks Redis before it has handed back.
    pub fn known_of_life(&self, op: &OpRecord, viewpoint: Viewpoint) -> OpRecord {
        match viewpoint {
            Viewpoint::Store { number, .. }
                if number == self.number(op) && op.kind.ends_session() && op.outcome == Outcome::Degraded =>
            {
                self.handed_back(op)
            }
            _ => self.known(op, viewpoint),
        }
    }

    /// `op` as Redis knows it: what a fallback of several acknowledged reaches Redis before that fallback ends.
    pub fn handed_back(&self, op: &OpRecord) -> OpRecord {
        if !self.are_several() || op.outcome != Outcome::Degraded {
            return *op;
        }
        let active = &self.active[self.number(op) as usize];
        let begun = active.partition_point(|(from, _)| *from <= op.ended);
        let until = active[..begun].last().map_or(self.settled, |(_, to)| *to);
        OpRecord { ended: op.ended.max(until), ..*op }
    }

    /// Until when store `number` was cut off, if it may have been so at `at`.
    fn apart(&self, number: Process, at: Nanos) -> Option<Nanos> {
        let active = &self.active[number as usize];
        let begun = active.partition_point(|(from, _)| from.saturating_sub(UNNOTICED) <= at);
        active[..begun].last().map(|(_, to)| *to).filter(|to| at <= *to)
    }
}

impl Viewpoint {
    /// Its place among all viewpoints.
    pub fn place(self) -> usize {
        match self {
            Self::Redis => 0,
            Self::Store { number, cut_off } => 1 + 2 * number as usize + usize::from(cut_off),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::lost_writes::LostWrites;
    use super::super::read_your_writes::ReadYourWrites;
    use super::super::resurrection::Resurrection;
    use super::super::ttl::Ttl;
    use super::super::{SessionChecker, testing::Script};
    use crate::check::Verdict::{self, Invalid, Valid};

    /// Two stores. That of number 0 is cut off from 5 to 10 s; the session lives for long, and store 1 created it.
    fn script() -> Script {
        let mut s = Script::new().ttl(1_000_000, 0).instances(2);
        s.outage_of(0, 5_000..10_000);
        s.create(1, 1).at(0..1).ok();
        s
    }

    fn verdict(script: Script, checker: &'static dyn SessionChecker) -> Verdict {
        script.judged_by(checker).verdict
    }

    #[test]
    fn what_a_fallback_destroyed_is_gone_for_others_once_it_has_handed_back() {
        let found_at = |process, at| {
            let mut s = script();
            s.read(1, 0).at(10..11).shows(&[]).ok();
            s.destroy(1, 0).at(6_000..6_001).degraded();
            s.read(1, process).at(at..at + 1).shows(&[]).ok();
            verdict(s, &Resurrection)
        };
        assert_eq!(found_at(1, 9_000), Valid);
        assert_eq!(found_at(1, 10_500), Invalid);
        assert_eq!(found_at(0, 9_000), Invalid);
    }

    #[test]
    fn what_a_fallback_created_need_not_be_found_by_others_before_it_has_handed_back() {
        let denied_at = |process, at| {
            let mut s = script();
            s.create(2, 0).at(6_000..6_001).degraded();
            s.read(2, process).at(at..at + 1).absent();
            verdict(s, &Ttl)
        };
        assert_eq!(denied_at(1, 9_000), Valid);
        assert_eq!(denied_at(1, 10_500), Invalid);
        assert_eq!(denied_at(0, 9_000), Invalid);
    }

    #[test]
    fn a_store_that_is_cut_off_cannot_know_what_was_destroyed_since_or_just_before() {
        let destroyed_at = |at| {
            let mut s = script();
            s.destroy(1, 1).at(at..at + 1).ok();
            s.read(1, 0).at(9_000..9_001).shows(&[]).degraded();
            verdict(s, &Resurrection)
        };
        assert_eq!(destroyed_at(6_000), Valid);
        assert_eq!(destroyed_at(4_500), Valid);
        assert_eq!(destroyed_at(2_000), Invalid);
    }

    #[test]
    fn what_another_store_showed_while_it_was_cut_off_proves_no_session() {
        let mut s = Script::new().ttl(1_000_000, 0).instances(2);
        s.outage_of(0, 5_000..10_000);
        s.outage_of(1, 5_000..9_900);
        s.create(1, 1).at(0..1).ok();
        s.read(1, 0).at(10..11).shows(&[]).ok();
        s.destroy(1, 1).at(6_000..6_001).degraded();
        s.read(1, 0).at(7_000..7_001).shows(&[]).degraded();
        s.read(1, 1).at(11_000..11_001).absent();
        assert_eq!(verdict(s, &Ttl), Valid);
    }

    #[test]
    fn what_a_cut_off_store_still_found_need_not_be_there_in_the_end() {
        let mut s = Script::new().ttl(1_000_000, 0).instances(2);
        s.outage_of(0, 5_000..10_000);
        s.outage_of(1, 5_000..9_900);
        s.create(1, 1).at(0..1).ok();
        s.destroy(1, 1).at(6_000..6_001).degraded();
        s.read(1, 0).at(9_950..9_951).shows(&[]).degraded();
        s.read(1, 0).at(11_000..11_001).finally().absent();
        assert_eq!(verdict(s, &Ttl), Valid);
    }

    #[test]
    fn a_session_that_others_found_before_its_destroy_was_handed_back_may_be_gone_for_all() {
        let gone_at = |process, at| {
            let mut s = script();
            s.destroy(1, 0).at(6_000..6_001).degraded();
            s.read(1, 1).at(9_000..9_001).shows(&[]).ok();
            s.read(1, process).at(at..at + 1).absent();
            verdict(s, &Ttl)
        };
        assert_eq!(gone_at(0, 9_900), Valid);
        assert_eq!(gone_at(0, 10_500), Valid);
        assert_eq!(gone_at(1, 10_500), Valid);
    }

    #[test]
    fn a_store_that_still_found_what_another_destroyed_in_an_outage_need_not_find_it_when_it_is_back() {
        let mut s = Script::new().ttl(1_000_000, 0).instances(2);
        s.outage_of(0, 5_000..12_000);
        s.outage_of(1, 5_000..10_000);
        s.create(1, 1).at(0..1).ok();
        s.destroy(1, 1).at(6_000..6_001).degraded();
        s.read(1, 0).at(11_000..11_001).shows(&[]).degraded();
        s.read(1, 0).at(13_000..13_001).absent();
        assert_eq!(verdict(s, &Ttl), Valid);
    }

    #[test]
    fn what_an_unreported_fallback_acknowledged_is_there_in_the_end() {
        let found = |tokens: &[u64]| {
            let mut s = Script::new().ttl(1_000_000, 0).instances(2);
            s.create(1, 1).at(0..1).ok();
            s.append(1, 0).at(6_000..6_001).degraded();
            s.read(1, 1).at(6_500..6_501).shows(&[]).ok();
            s.read(1, 0).at(11_000..11_001).finally().shows(tokens).ok();
            verdict(s, &LostWrites)
        };
        assert_eq!(found(&[1]), Valid);
        assert_eq!(found(&[]), Invalid);
    }

    #[test]
    fn what_a_cut_off_store_still_found_need_not_be_there_when_it_is_back() {
        let mut s = script();
        s.destroy(1, 1).at(6_000..6_001).ok();
        s.append(1, 0).at(7_000..7_001).degraded();
        s.read(1, 0).at(11_000..11_001).absent();
        assert_eq!(verdict(s, &ReadYourWrites), Valid);
        let mut s = script();
        s.append(1, 0).at(7_000..7_001).degraded();
        s.read(1, 0).at(11_000..11_001).absent();
        assert_eq!(verdict(s, &ReadYourWrites), Invalid);
    }
}
