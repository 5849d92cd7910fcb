//! Whether a tombstone is later than what a write-back has: the two times are from different clocks.
//!
//! A tombstone has the server's time; this process only knows how long ago it put the session. An answer that says what
//! time it is on the server bounds the put's time on that clock: with `t` for the server's time,
//!
//! `t - (how long ago, when the answer is here) <= put <= t - (how long ago, when the request was sent)`.
//!
//! The first bound is too early by the answer's way back and no more, the second too late by the request's way: a slow
//! line or machine that holds up the request does not make the put look younger. A request goes with the best first
//! bound so far, 0 at first. Where the tombstone falls between the bounds, another answer may decide. What stays
//! undecided counts as destroyed: a session that comes back after a logout is worse than a put that is lost and reported.
//!
//! A tombstone whose version is not above the base's is older than the base, as when an id is used again after a destroy, unless
//! Redis has lost its last writes since. So it counts only if it is certainly later than the time at which the base was
//! heard: a request goes with the best second bound of that time.

use std::time::Duration;

use tokio::time::Instant;

use super::request::Request;
use crate::planted;
use crate::store::Version;

/// Requests for one write-back.
const MOST_ASKED: usize = 3;

/// When something happened here, and between which times that was on the server's clock, in microseconds.
struct Event {
    /// How long ago when the job was taken.
    ago: Duration,
    /// 0: unknown.
    earliest: i64,
    latest: i64,
}

impl Event {
    fn new(ago: Duration) -> Self {
        Self { ago, earliest: 0, latest: i64::MAX }
    }

    /// An answer says that it is `now`. `sent` and `heard`: how long after the job its request was sent, at least, and
    /// how long after it the answer came, at most.
    fn learn(&mut self, now: i64, sent: Duration, heard: Duration) {
        let before = |elapsed| now.saturating_sub(micros(self.ago.saturating_add(elapsed)));
        // Both are cut to whole microseconds.
        self.earliest = self.earliest.max(before(heard).saturating_sub(1));
        self.latest = self.latest.min(before(sent));
    }
}

/// What to do about a tombstone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ruling {
    /// Ask again: with what is known now, the answer may be another.
    AskAgain,
    /// The session was destroyed. `doubtful`: perhaps before the put.
    Destroyed { doubtful: bool },
}

/// What one job has to compare with tombstones.
pub(super) struct Times {
    /// A time before the job was taken, one after it, and when the last request was sent.
    began: Instant,
    taken: Instant,
    sent: Instant,
    base: Version,
    /// When the base was known to be in Redis; `None`: no base.
    heard: Option<Event>,
    /// When the session was last written whole; `None`: it was only changed.
    made: Option<Event>,
    asked: usize,
}

impl Times {
    /// Call it when the job was taken. `began`: a time before that. `base`: its version, and how long ago it was heard;
    /// `made`: how long ago the session was written whole. Both as of the job.
    pub(super) fn new(began: Instant, base: Option<(Version, Duration)>, made: Option<Duration>) -> Self {
        let (base, heard) = base.map_or((0, None), |(version, ago)| (version, Some(Event::new(ago))));
        let taken = Instant::now();
        Self { began, taken, sent: taken, base, heard, made: made.map(Event::new), asked: 0 }
    }

    /// A request is about to be sent.
    pub(super) fn asking(&mut self) {
        self.asked += 1;
        self.sent = Instant::now();
    }

    /// Adds the earliest time of the whole write to a request; -1 for none.
    pub(super) fn add_made(&self, request: &mut Request) {
        request.arg(self.made.as_ref().map_or(-1, |made| made.earliest));
    }

    /// Adds the latest time at which the base was heard; -1 for none, 0 for unknown.
    pub(super) fn add_heard(&self, request: &mut Request) {
        request.arg(self.latest_heard());
    }

    fn latest_heard(&self) -> i64 {
        self.heard.as_ref().map_or(-1, |heard| if self.asked == 0 { 0 } else { heard.latest })
    }

    /// Redis has answered with a tombstone of this version and time (milliseconds), at this time (microseconds).
    pub(super) fn rule(&mut self, stone: Version, time: i64, now: i64) -> Ruling {
        let sent = self.sent - self.taken;
        let heard = if planted::seam!(forgets_way_of_write_back) { sent } else { self.began.elapsed() };
        for event in [&mut self.heard, &mut self.made].into_iter().flatten() {
            event.learn(now, sent, heard);
        }
        // It was cut to the millisecond.
        let time = time.saturating_mul(1_000);
        let is_later = |event: &Event| time > event.latest;
        let outdated = stone > self.base || self.heard.as_ref().is_none_or(is_later);
        if outdated && self.made.as_ref().is_none_or(is_later) {
            return Ruling::Destroyed { doubtful: false };
        }
        if self.asked < MOST_ASKED { Ruling::AskAgain } else { Ruling::Destroyed { doubtful: true } }
    }
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);
    const NOW: i64 = 1_000_000_000;

    /// Put 50 ms before the job, which descends from what was heard 70 ms before it.
    fn put() -> Times {
        Times::new(Instant::now(), Some((5, 70 * MS)), Some(50 * MS))
    }

    /// A request is sent, and answered after this time.
    async fn answered(times: &mut Times, after: Duration, stone: Version, time: i64, now: i64) -> Ruling {
        times.asking();
        tokio::time::advance(after).await;
        times.rule(stone, time, now)
    }

    #[tokio::test(start_paused = true)]
    async fn a_tombstone_that_may_be_earlier_than_the_put_is_asked_for_again_and_counts_in_the_end() {
        let mut times = put();
        let between = NOW / 1_000 - 150;
        assert_eq!(answered(&mut times, 200 * MS, 6, between, NOW).await, Ruling::AskAgain);
        let made = |times: &Times| times.made.as_ref().map(|made| (made.earliest, made.latest)).unwrap();
        assert_eq!(made(&times), (NOW - 250_001, NOW - 50_000));
        // A better bound than before tells more, a worse one nothing.
        assert_eq!(answered(&mut times, 100 * MS, 6, between, NOW + 120_000).await, Ruling::AskAgain);
        assert_eq!(made(&times), (NOW - 230_001, NOW - 130_000));
        let third = answered(&mut times, 900 * MS, 6, between, NOW + 500_000).await;
        assert_eq!((third, made(&times).0), (Ruling::Destroyed { doubtful: true }, NOW - 230_001));
    }

    #[tokio::test(start_paused = true)]
    async fn a_tombstone_that_is_later_than_the_put_in_any_case_needs_no_more_answers() {
        let later = NOW / 1_000 - 49;
        assert_eq!(answered(&mut put(), 200 * MS, 6, later, NOW).await, Ruling::Destroyed { doubtful: false });
        // The first request was held up by 200 ms, the second was not.
        let mut times = put();
        assert_eq!(answered(&mut times, 200 * MS, 6, later, NOW + 200_000).await, Ruling::AskAgain);
        let second = answered(&mut times, 200 * MS, 6, later, NOW + 200_000).await;
        assert_eq!(second, Ruling::Destroyed { doubtful: false });
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_put_a_tombstone_above_the_base_needs_no_second_answer() {
        let changed = || Times { made: None, ..put() };
        assert_eq!(answered(&mut changed(), MS, 6, 1, NOW).await, Ruling::Destroyed { doubtful: false });
        let mut older = changed();
        assert_eq!(older.latest_heard(), 0);
        assert_eq!(answered(&mut older, 200 * MS, 5, 1, NOW).await, Ruling::AskAgain, "its time decides");
        assert_eq!(older.latest_heard(), NOW - 70_000, "however long the answer took");
        let later = NOW / 1_000 - 69;
        assert_eq!(answered(&mut changed(), MS, 5, later, NOW).await, Ruling::Destroyed { doubtful: false });
    }

    #[tokio::test(start_paused = true)]
    async fn times_that_no_clock_shows_are_no_reason_to_panic() {
        let mut times = Times::new(Instant::now(), Some((5, Duration::MAX)), Some(Duration::MAX));
        for (time, now) in [(i64::MAX, i64::MIN), (i64::MIN, i64::MAX), (0, 0)] {
            answered(&mut times, MS, 1, time, now).await;
        }
    }
}
