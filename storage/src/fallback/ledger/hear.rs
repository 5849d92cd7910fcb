//! Keeping copies current from what Redis answers.
//!
//! Answers may be heard in another order than they were given; versions tell. An answer may also come after the session
//! has gone on in the fallback; then what Redis did is taken in, so that nothing it acknowledged is missing from what
//! the fallback answers.

use std::time::Duration;

use super::Ledger;
use super::copy::Copy;
use crate::data::SessionData;
use crate::operation::{Answer, Operation};
use crate::slab::Slab;
use crate::store::{SessionId, Version};
use std::sync::atomic::Ordering;

impl<D: SessionData> Ledger<D> {
    /// Takes note of an operation that Redis has carried out.
    pub(in crate::fallback) fn hear(&self, id: &SessionId, operation: Operation<D>, answer: &Answer<D>, ttl: Duration) {
        if !self.keeps_copies.load(Ordering::SeqCst) {
            return;
        }
        let now = self.now();
        self.at(id, |shard| {
            if let Some(copy) = shard.get_mut(id).filter(|copy| copy.dirt.is_some()) {
                return catch_up(copy, operation, answer, now, ttl);
            }
            if !answer.found {
                return drop_living(shard, id);
            }
            match operation {
                Operation::Get => {
                    if let Some(data) = &answer.data {
                        self.hear_whole(shard, id, answer.version, || data.clone(), now, ttl);
                    }
                }
                Operation::Create(data) | Operation::Put(data) | Operation::Update(_, data) => {
                    self.hear_whole(shard, id, answer.version, || data, now, ttl);
                }
                Operation::Append(item) => {
                    let Some(copy) = shard.get_mut(id) else { return };
                    copy.written = now;
                    copy.slide(now, ttl);
                    if !copy.hear_append(answer.version, item) {
                        shard.remove(id);
                    }
                }
                Operation::Touch => {
                    if let Some(copy) = shard.get_mut(id) {
                        copy.slide(now, ttl);
                    }
                }
                Operation::Destroy => {
                    // Heard late where something newer is known: it was made again.
                    if shard.get(id).is_none_or(|copy| copy.version <= answer.version) {
                        self.insert(shard, id, Copy::clean(None, answer.version, now, ttl));
                    }
                }
            }
        });
    }

    /// Takes note that Redis has no such session.
    pub(in crate::fallback) fn hear_absent(&self, id: &SessionId) {
        self.at(id, |shard| drop_living(shard, id));
    }

    fn hear_whole(
        &self,
        shard: &mut Slab<Copy<D>>,
        id: &SessionId,
        version: Version,
        data: impl FnOnce() -> D,
        now: u64,
        ttl: Duration,
    ) {
        match shard.get_mut(id) {
            // Heard late: something newer is known, or that it was destroyed after.
            Some(copy) if copy.version > version => {}
            Some(copy) if copy.version == version && copy.data.is_some() => copy.slide(now, ttl),
            Some(copy) if copy.version == version => {}
            Some(copy) => {
                let ahead = copy.ahead.split_off(&(version + 1));
                *copy = Copy::clean(Some(data()), version, now, ttl);
                if !ahead.into_iter().all(|(version, item)| copy.hear_append(version, item)) {
                    shard.remove(id);
                }
            }
            None => {
                self.insert(shard, id, Copy::clean(Some(data()), version, now, ttl));
            }
        }
    }
}

fn drop_living<D: SessionData>(shard: &mut Slab<Copy<D>>, id: &SessionId) {
    if shard.get(id).is_some_and(|copy| copy.dirt.is_none() && copy.data.is_some()) {
        shard.remove(id);
    }
}

/// Redis has carried out an operation whose answer is heard only now, while the session has gone on here. The two
/// overlapped in time, so either order is true; the one that loses nothing is taken.
fn catch_up<D: SessionData>(copy: &mut Copy<D>, operation: Operation<D>, answer: &Answer<D>, now: u64, ttl: Duration) {
    match operation {
        Operation::Append(item) => {
            let added = copy.data.as_mut().is_some_and(|data| data.append(item));
            copy.version = (copy.version + u64::from(added)).max(answer.version);
            let dirt = copy.soil();
            dirt.note_written(added);
            dirt.uncertain += 1;
        }
        Operation::Put(data) => {
            let version = copy.version.max(answer.version);
            copy.write(data, now).made = Some(now);
            (copy.version, copy.base) = (version, Some(answer.version));
            copy.slide(now, ttl);
        }
        Operation::Update(_, theirs) => {
            if let Some(data) = &mut copy.data {
                data.merge(theirs);
            }
            copy.version = (copy.version + 1).max(answer.version);
            let dirt = copy.soil();
            dirt.note_written(true);
            dirt.uncertain += 1;
        }
        Operation::Destroy if answer.found => {
            *copy = Copy::clean(None, copy.version.max(answer.version), now, ttl);
        }
        Operation::Create(data) => {
            let dirt = copy.soil();
            dirt.uncertain += 1;
            dirt.note_sent(dirt.changes, Some(data));
        }
        Operation::Destroy | Operation::Get | Operation::Touch => {}
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::{LedgerConfig, Local, Unknowns};
    use super::*;
    use crate::clock::ManualClock;
    use crate::fallback::policy::Policy;
    use crate::record::timestamp::Timestamp;
    use crate::record::trivia::{Answer as Given, TriviaSession, UserId};

    const HOUR: Duration = Duration::from_secs(3600);

    fn ledger() -> Ledger<TriviaSession> {
        let clock = Arc::new(ManualClock::default());
        Ledger::new(LedgerConfig {
            capacity: 10,
            policy: Policy::Drain,
            sliding: true,
            clock,
            events: Arc::new(|_| {}),
        })
    }

    fn id() -> SessionId {
        SessionId::new("a").unwrap()
    }

    fn data(questions: &[u64]) -> TriviaSession {
        let mut data = TriviaSession::sized(id(), UserId::anonymous(), 0, Timestamp(0));
        for question in questions {
            data.append(given(*question));
        }
        data
    }

    fn given(question: u64) -> Given {
        Given { question, choice: 0, correct: true, score: 1, answered_at: Timestamp(0) }
    }

    fn heard(ledger: &Ledger<TriviaSession>, operation: Operation<TriviaSession>, answer: Answer<TriviaSession>) {
        ledger.hear(&id(), operation, &answer, HOUR);
    }

    fn heard_read(ledger: &Ledger<TriviaSession>, version: Version, questions: &[u64]) {
        heard(ledger, Operation::Get, Answer { found: true, version, data: Some(data(questions)) });
    }

    /// What the ledger answers a read with: version and questions; `None`: it cannot know.
    fn known(ledger: &Ledger<TriviaSession>) -> Option<(Version, Vec<u64>)> {
        match ledger.answer(&id(), &Operation::Get, HOUR, false, Unknowns::Left) {
            Local::Done(Ok(Answer { version, data: Some(data), .. })) => {
                Some((version, data.answers.iter().map(|answer| answer.question).collect()))
            }
            Local::Done(Ok(Answer { data: None, .. })) => Some((0, vec![])),
            _ => None,
        }
    }

    #[test]
    fn appends_heard_in_another_order_stand_in_redis_order() {
        let ledger = ledger();
        heard(&ledger, Operation::Create(data(&[])), Answer::at(1));
        for version in [4, 3, 2, 5] {
            heard(&ledger, Operation::Append(given(version * 10)), Answer::at(version));
        }
        assert_eq!(known(&ledger), Some((5, vec![20, 30, 40, 50])));
    }

    #[test]
    fn an_acknowledged_append_is_answered_though_one_before_it_was_never_heard_of() {
        let ledger = ledger();
        heard(&ledger, Operation::Create(data(&[])), Answer::at(1));
        heard(&ledger, Operation::Append(given(30)), Answer::at(3));
        assert_eq!(known(&ledger), Some((3, vec![30])));
    }

    #[test]
    fn a_copy_that_missed_too_much_is_dropped() {
        let ledger = ledger();
        heard(&ledger, Operation::Create(data(&[])), Answer::at(1));
        for version in 3..100 {
            heard(&ledger, Operation::Append(given(version)), Answer::at(version));
        }
        assert_eq!(known(&ledger), None);
    }

    #[test]
    fn a_read_heard_late_does_not_take_a_newer_copy_back() {
        let ledger = ledger();
        heard_read(&ledger, 3, &[1, 2]);
        heard_read(&ledger, 2, &[1]);
        assert_eq!(known(&ledger), Some((3, vec![1, 2])));
    }

    #[test]
    fn a_read_heard_after_the_destroy_does_not_bring_the_session_back() {
        let ledger = ledger();
        heard_read(&ledger, 2, &[1]);
        heard(&ledger, Operation::Destroy, Answer::at(3));
        heard_read(&ledger, 2, &[1]);
        assert_eq!(known(&ledger), Some((0, vec![])));
    }

    #[test]
    fn a_destroy_heard_after_the_session_was_made_again_does_not_end_it() {
        let ledger = ledger();
        heard_read(&ledger, 2, &[1]);
        heard(&ledger, Operation::Put(data(&[5])), Answer::at(4));
        heard(&ledger, Operation::Destroy, Answer::at(3));
        assert_eq!(known(&ledger), Some((4, vec![5])));
    }

    #[test]
    fn a_session_that_redis_does_not_have_is_not_answered_from_a_copy() {
        let ledger = ledger();
        heard_read(&ledger, 2, &[1]);
        heard(&ledger, Operation::Get, Answer::absent());
        assert_eq!(known(&ledger), None);
    }

    #[test]
    fn an_append_acknowledged_by_redis_after_the_session_went_on_here_is_not_missing() {
        let ledger = ledger();
        heard(&ledger, Operation::Create(data(&[])), Answer::at(1));
        let mine = ledger.answer(&id(), &Operation::Append(given(7)), HOUR, false, Unknowns::Left);
        assert!(matches!(mine, Local::Done(Ok(_))));
        heard(&ledger, Operation::Append(given(8)), Answer::at(2));
        assert_eq!(known(&ledger), Some((3, vec![7, 8])));
    }

    #[test]
    fn a_destroy_acknowledged_by_redis_after_the_session_went_on_here_ends_it() {
        let ledger = ledger();
        heard(&ledger, Operation::Create(data(&[])), Answer::at(1));
        let mine = ledger.answer(&id(), &Operation::Append(given(7)), HOUR, false, Unknowns::Left);
        assert!(matches!(mine, Local::Done(Ok(_))));
        heard(&ledger, Operation::Destroy, Answer::at(2));
        assert_eq!(known(&ledger), Some((0, vec![])));
        assert_eq!(ledger.dirty(), 0);
    }
}
