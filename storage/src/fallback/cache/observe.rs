//! Keeping copies current from Redis's replies.
//!
//! Replies can arrive out of order; versions and lineages tell their order. A reply may also arrive after the session
//! has changed in the fallback. Then the cache takes in what Redis did, so that the fallback's answers lack nothing
//! that Redis acknowledged.

use std::sync::atomic::Ordering;
use std::time::Duration;

use super::copy::{Base, Copy, Moment, after};
use super::forgotten::Append;
use super::ids::Ids;
use super::{Asked, Cache, Place, Shard};
use crate::data::{MergeReport, SessionData};
use crate::lineage::Lineage;
use crate::operation::{Answer, Operation};
use crate::store::{SessionId, Version};

/// What a reply meant for a session that has changed here.
#[derive(Default)]
pub(in crate::fallback) struct Observed {
    /// Its version now.
    pub(in crate::fallback) version: Option<Version>,
    /// Items written here that could not be kept.
    pub(in crate::fallback) lost: u64,
    /// Whether to ask Redis for it, because the process that replied may be gone.
    pub(in crate::fallback) doubtful: bool,
    /// Whether another rename of the session was carried out here meanwhile: this one does not stand.
    pub(in crate::fallback) overtaken: bool,
}

impl<D: SessionData> Cache<D> {
    /// Records an operation that Redis has carried out as the write `line`.
    pub(in crate::fallback) fn observe(
        &self,
        id: &SessionId,
        operation: Operation<D>,
        answer: &Answer<D>,
        ttl: Duration,
        line: Lineage,
        asked: Asked,
    ) -> Observed {
        if !self.keeps_copies.load(Ordering::SeqCst) {
            return Observed::default();
        }
        if let Operation::Rename(to) = &operation {
            return self.observe_rename(id, to, answer, ttl, line, asked);
        }
        // Counted from before the call, so that a copy never outlives the session in Redis.
        let expires = after(asked.at, answer.lives.unwrap_or(ttl));
        let ended = matches!(operation, Operation::Destroy) && answer.found;
        let observed = self.at(id, |shard| {
            let at = self.moment(asked);
            if at.doubtful
                && answer.found
                && let Some(place) = shard.get_mut(id).filter(|place| !place.copy.is_dirty())
            {
                place.copy = place.copy.suspected();
            }
            let doubtful = at.doubtful;
            if let Some(place) = shard.get_mut(id).filter(|place| place.copy.is_dirty()) {
                let (next, MergeReport { lost, .. }) = place.copy.caught_up(operation, answer, line, ttl, at);
                place.copy = next;
                let version = (answer.version > 0).then(|| place.copy.version());
                return Observed { version, lost, doubtful, ..Observed::default() };
            }
            if !answer.found {
                // From a process that is gone, this means nothing.
                if !doubtful {
                    self.drop_living(shard, id, asked.at);
                }
                return Observed::default();
            }
            let base = Base { version: answer.version, lineage: answer.lineage, heard: at.now, boot: at.boot };
            let heard = |data: D| {
                let copy = Copy::clean(data, base, at.now, expires);
                if doubtful { copy.suspected() } else { copy }
            };
            match operation {
                Operation::Get | Operation::Peek => {
                    if let Some(data) = &answer.data {
                        self.observe_whole(shard, id, heard(data.clone()), false, at, asked);
                    }
                }
                Operation::Create(data) | Operation::Put(data) | Operation::Update(_, data) => {
                    self.observe_whole(shard, id, heard(data), true, at, asked);
                }
                Operation::Append(item) => {
                    let Some(place) = shard.remove(id) else {
                        // A read under way may be older.
                        self.floor.fetch_max(answer.version, Ordering::Relaxed);
                        let append = Append { item, line, boot: at.boot };
                        self.forgotten.note_append(id, answer.version, append);
                        return Observed::default();
                    };
                    let known = place.copy.base().is_some_and(|base| base.boot == at.boot);
                    if !known || place.copy.is_older_session(answer.version) {
                        self.len.fetch_sub(1, Ordering::SeqCst);
                        self.forgotten.note_append(id, answer.version, Append { item, line, boot: at.boot });
                        return Observed::default();
                    }
                    // Removed while user code runs, so that a panic leaves no half-changed copy.
                    match place.copy.heard_append(answer.version, item, line, at) {
                        Some(mut copy) => {
                            copy.written = at.now;
                            shard.insert(id.clone(), Place { copy: copy.slid(at.now, expires), frozen: false });
                        }
                        None => {
                            self.len.fetch_sub(1, Ordering::SeqCst);
                            self.forgotten.note(id, answer.version);
                        }
                    }
                }
                Operation::Touch => {
                    let made_again =
                        |copy: &Copy<D>| copy.data().is_none() && copy.base().is_some_and(|base| at.asked > base.heard);
                    match shard.get_mut(id) {
                        Some(place) if made_again(&place.copy) => self.remove(shard, id),
                        Some(place) => place.copy = place.copy.clone().slid(at.now, expires),
                        None => {}
                    }
                }
                // Both ids change together: see above.
                Operation::Rename(_) => {}
                Operation::Destroy => {
                    // A delayed reply: if something newer is known, the session was created again.
                    if shard.get(id).is_none_or(|place| place.copy.version() <= answer.version) {
                        let was = shard.get(id).and_then(|place| place.copy.base());
                        let gone = Copy::tombstone(answer.version, was, answer.lineage, at, after(at.now, ttl));
                        self.insert(shard, id, if doubtful { gone.suspected() } else { gone });
                    }
                }
            }
            Observed { doubtful, ..Observed::default() }
        });
        if ended {
            self.end_latest(id);
        }
        observed
    }

    /// Records that Redis had no such session when it was asked.
    pub(in crate::fallback) fn observe_absent(&self, id: &SessionId, asked: Asked) {
        self.at(id, |shard| self.drop_living(shard, id, asked.at));
    }

    /// Records that another process has destroyed the session, according to Redis.
    pub(in crate::fallback) fn observe_destroyed(&self, id: &SessionId) {
        self.at(id, |shard| {
            // Redis does not say at which version.
            self.forgotten.note(id, Version::MAX);
            self.drop_living(shard, id, u64::MAX);
        });
    }

    pub(super) fn observe_whole(
        &self,
        shard: &mut Shard<D>,
        id: &SessionId,
        theirs: Copy<D>,
        wrote: bool,
        at: Moment,
        asked: Asked,
    ) {
        let Some(place) = shard.remove(id) else {
            let current = match self.forgotten.since(id, theirs.version(), asked.forgotten) {
                true => self.forgotten.caught_up(id, theirs, at),
                false => Some(theirs),
            };
            if let Some(current) = current {
                self.insert(shard, id, current);
            }
            return;
        };
        let (expires, version) = (theirs.expires, theirs.version());
        let same = |copy: &Copy<D>| {
            copy.data().is_some() && copy.base().map(|base| base.version) == theirs.base().map(|base| base.version)
        };
        let slides = same(&place.copy);
        let before = place.copy.ids.clone();
        match place.copy.heard_whole(theirs, wrote, at) {
            Some(mut copy) => {
                if copy.data().is_some() && copy.ids == Ids::One && !before.before().is_empty() {
                    copy.ids = before;
                }
                let copy = if slides { copy.slid(at.now, expires) } else { copy };
                shard.insert(id.clone(), Place { copy, frozen: false });
            }
            None => {
                self.len.fetch_sub(1, Ordering::SeqCst);
                self.forgotten.note(id, version);
            }
        }
    }

    /// Drops a clean copy that was not confirmed after `asked`.
    fn drop_living(&self, shard: &mut Shard<D>, id: &SessionId, asked: u64) {
        let older = |copy: &Copy<D>| copy.base().is_none_or(|base| base.heard <= asked);
        if shard.get(id).is_some_and(|Place { copy, .. }| !copy.is_dirty() && copy.data().is_some() && older(copy)) {
            self.remove(shard, id);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::{CacheConfig, Local, Sent, Unknowns};
    use super::*;
    use crate::clock::ManualClock;
    use crate::network::Randomness;
    use crate::policy::Policy;
    use crate::record::timestamp::Timestamp;
    use crate::record::trivia::{Answer as Given, TriviaSession, UserId};

    const HOUR: Duration = Duration::from_secs(3600);

    fn cache() -> Cache<TriviaSession> {
        let clock = Arc::new(ManualClock::default());
        Cache::new(CacheConfig {
            capacity: 10,
            policy: Policy::Drain,
            sliding: true,
            clock,
            hasher: Randomness::default().hasher(),
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

    fn heard(cache: &Cache<TriviaSession>, operation: Operation<TriviaSession>, answer: Answer<TriviaSession>) {
        let line = Lineage::parse(b"0000000100000001").unwrap().next();
        let answer = Answer { lineage: line, ..answer };
        cache.observe(&id(), operation, &answer, HOUR, line, cache.ask(0));
    }

    fn heard_read(cache: &Cache<TriviaSession>, version: Version, questions: &[u64]) {
        heard(cache, Operation::Get, Answer::read(Some(crate::store::Session { version, data: data(questions) })));
    }

    /// What the cache returns for a read: version and questions; `None`: it cannot know.
    fn known(cache: &Cache<TriviaSession>) -> Option<(Version, Vec<u64>)> {
        match cache.serve(&id(), &Operation::Get, HOUR, None, Unknowns::Left) {
            Local::Done(Ok(Answer { version, data: Some(data), .. })) => {
                Some((version, data.answers.iter().map(|answer| answer.question).collect()))
            }
            Local::Done(Ok(Answer { data: None, .. })) => Some((0, vec![])),
            _ => None,
        }
    }

    #[test]
    fn appends_heard_in_another_order_stand_in_redis_order() {
        let cache = cache();
        heard(&cache, Operation::Create(data(&[])), Answer::at(1));
        for version in [4, 3, 2, 5] {
            heard(&cache, Operation::Append(given(version * 10)), Answer::at(version));
        }
        assert_eq!(known(&cache), Some((5, vec![20, 30, 40, 50])));
    }

    #[test]
    fn an_acknowledged_append_is_answered_though_one_before_it_was_never_heard_of() {
        let cache = cache();
        heard(&cache, Operation::Create(data(&[])), Answer::at(1));
        heard(&cache, Operation::Append(given(30)), Answer::at(3));
        assert_eq!(known(&cache), Some((3, vec![30])));
    }

    #[test]
    fn a_copy_that_missed_too_much_is_dropped() {
        let cache = cache();
        heard(&cache, Operation::Create(data(&[])), Answer::at(1));
        for version in 3..100 {
            heard(&cache, Operation::Append(given(version)), Answer::at(version));
        }
        assert_eq!(known(&cache), None);
    }

    #[test]
    fn a_read_heard_late_does_not_take_a_newer_copy_back() {
        let cache = cache();
        heard_read(&cache, 3, &[1, 2]);
        heard_read(&cache, 2, &[1]);
        assert_eq!(known(&cache), Some((3, vec![1, 2])));
    }

    #[test]
    fn a_read_heard_after_the_destroy_does_not_bring_the_session_back() {
        let cache = cache();
        heard_read(&cache, 2, &[1]);
        heard(&cache, Operation::Destroy, Answer::at(3));
        heard_read(&cache, 2, &[1]);
        assert_eq!(known(&cache), Some((0, vec![])));
    }

    #[test]
    fn a_destroy_heard_after_the_session_was_made_again_does_not_end_it() {
        let cache = cache();
        heard_read(&cache, 2, &[1]);
        heard(&cache, Operation::Put(data(&[5])), Answer::at(4));
        heard(&cache, Operation::Destroy, Answer::at(3));
        assert_eq!(known(&cache), Some((4, vec![5])));
    }

    #[test]
    fn a_session_that_redis_does_not_have_is_not_answered_from_a_copy() {
        let cache = cache();
        heard_read(&cache, 2, &[1]);
        heard(&cache, Operation::Get, Answer::absent());
        assert_eq!(known(&cache), None);
    }

    #[test]
    fn an_append_acknowledged_by_redis_after_the_session_went_on_here_is_not_missing() {
        let cache = cache();
        heard(&cache, Operation::Create(data(&[])), Answer::at(1));
        let mine = cache.serve(&id(), &Operation::Append(given(7)), HOUR, None, Unknowns::Left);
        assert!(matches!(mine, Local::Done(Ok(_))));
        heard(&cache, Operation::Append(given(8)), Answer::at(2));
        assert_eq!(known(&cache), Some((3, vec![7, 8])));
    }

    #[test]
    fn a_create_whose_reply_is_lost_makes_no_copy_that_lacks_an_append_acknowledged_since() {
        let (cache, line) = (cache(), Lineage::random());
        let sent = Sent { line, asked: cache.ask(0) };
        heard(&cache, Operation::Append(given(8)), Answer::at(2));
        for operation in [Operation::Create(data(&[])), Operation::Put(data(&[]))] {
            let answered = cache.serve(&id(), &operation, HOUR, Some(sent), Unknowns::Left);
            assert!(matches!(answered, Local::Unknown));
        }
        let later = Sent { line, asked: cache.ask(0) };
        let answered = cache.serve(&id(), &Operation::Put(data(&[])), HOUR, Some(later), Unknowns::Left);
        assert!(matches!(answered, Local::Done(Ok(_))));
    }

    #[test]
    fn a_write_heard_after_an_append_to_what_it_made_is_known_with_that_append() {
        let cache = cache();
        let asked = cache.ask(0);
        let line = Lineage::parse(b"0000000100000001").unwrap();
        let hear = |operation, version, line: Lineage| {
            cache.observe(&id(), operation, &Answer::at(version).of(line), HOUR, line, asked);
        };
        hear(Operation::Append(given(30)), 3, line.next());
        hear(Operation::Append(given(20)), 2, line.next());
        assert_eq!(known(&cache), None);
        hear(Operation::Put(data(&[10])), 1, line);
        assert_eq!(known(&cache), Some((3, vec![10, 20, 30])));
    }

    #[test]
    fn a_session_that_was_appended_to_without_a_copy_is_not_said_to_be_absent() {
        let cache = cache();
        let get = || cache.serve(&id(), &Operation::Get, HOUR, None, Unknowns::AbsentHere);
        assert!(matches!(get(), Local::Done(Ok(Answer { found: false, .. }))));
        heard(&cache, Operation::Append(given(20)), Answer::at(2));
        assert!(matches!(get(), Local::Unknown));
        cache.observe_destroyed(&id());
        assert!(matches!(get(), Local::Done(Ok(Answer { found: false, .. }))));
    }

    #[test]
    fn a_write_heard_after_more_than_appends_is_not_known() {
        let cache = cache();
        let asked = cache.ask(0);
        let line = Lineage::parse(b"0000000100000001").unwrap();
        cache.observe(&id(), Operation::Append(given(20)), &Answer::at(2).of(line.next()), HOUR, line, asked);
        cache.observe_destroyed(&id());
        cache.observe(&id(), Operation::Put(data(&[10])), &Answer::at(1).of(line), HOUR, line, asked);
        assert_eq!(known(&cache), None);
    }

    /// Another process created the session again after its destroy was seen, and Redis restarted before or after that.
    #[test]
    fn a_session_made_again_around_a_restart_of_redis_is_known() {
        for (version, known_by) in [(4, 1), (1, 1), (4, 0), (1, 0)] {
            for operation in [Operation::Create(data(&[5])), Operation::Put(data(&[5]))] {
                let cache = cache();
                heard_read(&cache, 2, &[1]);
                heard(&cache, Operation::Destroy, Answer::at(3));
                assert_eq!(cache.suspect(1), 1);
                let line = Lineage::random();
                let asked = Asked { at: cache.now() + 1, ..cache.ask(known_by) };
                let observed = cache.observe(&id(), operation, &Answer::at(version).of(line), HOUR, line, asked);
                assert_eq!(observed.doubtful, known_by == 0);
                assert_eq!(known(&cache), Some((version, vec![5])), "heard from process {known_by}");
                assert_eq!(cache.dirty(), 1, "Redis must be asked for it");
            }
        }
    }

    #[test]
    fn an_append_heard_after_another_process_serves_is_told_to_that_one() {
        for compared in [false, true] {
            let cache = cache();
            heard_read(&cache, 2, &[1]);
            cache.suspect(1);
            if compared {
                let job = cache.next_job(&id(), false).unwrap();
                let there = crate::redis_store::back::WriteBack::Written(2, Lineage::random());
                cache.commit(&id(), &job, there, cache.ask(1));
                assert_eq!(cache.dirty(), 0);
            }
            heard(&cache, Operation::Append(given(2)), Answer::at(3));
            assert_eq!(known(&cache), Some((3, vec![1, 2])));
            assert_eq!(cache.unsaved(), 1);
        }
    }

    #[test]
    fn what_a_job_told_a_process_that_is_gone_is_asked_for_again() {
        let cache = cache();
        heard_read(&cache, 2, &[1]);
        let mine = cache.serve(&id(), &Operation::Append(given(7)), HOUR, None, Unknowns::Left);
        assert!(matches!(mine, Local::Done(Ok(_))));
        let (job, asked) = (cache.next_job(&id(), false).unwrap(), cache.ask(0));
        assert_eq!(cache.suspect(1), 0, "Redis does not have it yet");
        cache.commit(&id(), &job, crate::redis_store::back::WriteBack::Written(3, Lineage::random()), asked);
        assert_eq!(cache.dirty(), 1);
    }

    #[test]
    fn a_put_heard_late_does_not_take_a_suspected_copy_back() {
        let cache = cache();
        heard_read(&cache, 2, &[1]);
        heard(&cache, Operation::Put(data(&[5])), Answer::at(4));
        cache.suspect(1);
        heard(&cache, Operation::Put(data(&[4])), Answer::at(3));
        assert_eq!(known(&cache), Some((4, vec![5])));
    }

    #[test]
    fn a_destroy_acknowledged_by_redis_after_the_session_went_on_here_ends_it() {
        let cache = cache();
        heard(&cache, Operation::Create(data(&[])), Answer::at(1));
        let mine = cache.serve(&id(), &Operation::Append(given(7)), HOUR, None, Unknowns::Left);
        assert!(matches!(mine, Local::Done(Ok(_))));
        heard(&cache, Operation::Destroy, Answer::at(2));
        assert_eq!(known(&cache), Some((0, vec![])));
        assert_eq!(cache.dirty(), 0);
    }
}
