//! The list of a user's sessions: it shows no session of another user, none that is certainly gone, none twice, and at
//! most the requested number; the most recently written ones come first; and no live session is missing if there is
//! room for it or an older one is shown. The order is judged only where it is certain: not for a fallback's writes, nor
//! after sessions moved from one store to another. A list from the fallback may lack sessions that it does not know.

use hashbrown::HashSet;

use super::expiry::Expiry;
use super::index::{Index, Session};
use super::lifetime::{Ended, Existence, Spans};
use super::tally::{Tally, Words, seconds};
use super::{Facts, SessionChecker};
use crate::clock::Nanos;
use crate::history::{LIST_LIMIT, OpKind, OpRecord, Outcome, SessionNo, Token};
use crate::property::Property;

/// See the module documentation.
pub(super) struct UserIndex;

impl SessionChecker for UserIndex {
    fn facts(&self) -> Facts {
        Facts {
            name: "user-index",
            formerly: &[],
            about: "a list of a user's sessions shows the latest live ones and no others",
            words: Words {
                things: "listings of a user's sessions",
                right: "show the user's live sessions, newest first",
                wrong: "do not show the user's live sessions, newest first",
                nothing: "no user's sessions were listed",
            },
            relies_on: Property::INDEX,
            stands_alone: false,
            judges: Some(OpKind::List),
            on_request: false,
            invalid: "a list of a user's sessions shows another user's session, one session twice, or one that \
                      certainly does not exist (destroyed, expired, not yet created); shows more than the 50 \
                      requested; shows a session before one that was certainly written later; or misses one that must \
                      exist although it shows fewer than 50 or an older one",
            defects: "a limit that counts entries whose sessions have expired; an index that is lost or never tidied",
        }
    }

    fn session(&self, session: &Session<'_>, index: &Index<'_>, tally: &mut Tally) {
        let Some(theirs) = index.sessions_of_user(session) else { return };
        let listings = listings(&theirs);
        if listings.is_empty() {
            return;
        }
        let user = index.history.header.user_of(session.number);
        let members: Vec<Member<'_>> = theirs.iter().map(|session| Member::of(session, index)).collect();
        for listing in listings {
            tally.examine(1);
            let sessions = index.history.ops.tokens_of(listing);
            let partial = index.stores.are_several() && listing.outcome == Outcome::Degraded;
            let shown = Shown { listing, sessions, members: &members, moved: &index.moved, partial };
            if let Some((operation, what)) = shown.violation() {
                let operations: Vec<u64> = operation.into_iter().chain([listing.index]).collect();
                tally.violation(Some(listing.session), listing.ended, &operations, || {
                    format!("user {user}: list {} at {} {what}", listing.index, seconds(listing.ended))
                });
            }
        }
    }
}

/// The acknowledged listings of a user, in the order sent. Each names one of the user's sessions.
fn listings<'i>(theirs: &[Session<'i>]) -> Vec<&'i OpRecord> {
    let acknowledged = |op: &&OpRecord| op.kind == OpKind::List && op.outcome.acknowledged();
    let mut listings: Vec<_> = theirs.iter().flat_map(|session| session.ops().filter(acknowledged)).collect();
    listings.sort_by_key(|listing| (listing.started, listing.index));
    listings
}

/// What is known about one of the user's sessions.
struct Member<'a> {
    session: &'a Session<'a>,
    expiry: &'a Expiry,
    /// When it may have been created, and when its life may have been extended.
    births: Spans,
    uses: Spans,
    /// When it was certainly written, and when it may have been.
    written: Ended,
    perhaps_written: Spans,
}

impl<'a> Member<'a> {
    fn of(session: &'a Session<'a>, index: &'a Index<'a>) -> Self {
        let (mut births, mut uses) = (Spans::default(), Spans::default());
        let (mut written, mut perhaps_written) = (Ended::default(), Spans::default());
        for op in session.ops() {
            if op.perhaps_creates() {
                births.push(op.started, op.latest_effect());
            }
            if op.perhaps_creates() || op.perhaps_extends(index.history.header.sliding) {
                uses.push(op.started, op.latest_effect());
            }
            if op.outcome == Outcome::Ok && op.certainly_writes() {
                written.push(op);
            }
            if op.perhaps_writes() {
                // What a fallback accepted is written to Redis later.
                let until = if op.outcome == Outcome::Degraded { Nanos::MAX } else { op.latest_effect() };
                perhaps_written.push(op.started, until);
            }
        }
        for spans in [&mut births, &mut uses, &mut perhaps_written] {
            spans.seal();
        }
        written.seal();
        Self { session, expiry: &index.expiry, births, uses, written, perhaps_written }
    }

    /// Why it cannot exist while `listing` runs, and the operation that ended it.
    fn gone(&self, listing: &OpRecord) -> Option<(Option<u64>, String)> {
        if self.births.latest(listing.ended) == Nanos::MIN {
            return Some((None, "which did not exist yet".into()));
        }
        if let Some(destroy) = self.session.destroyed_for(listing).certain_for(listing) {
            return Some((Some(destroy), format!("which destroy {destroy} had ended before")));
        }
        let until = self.expiry.latest(self.uses.latest(listing.ended));
        (until < listing.started).then(|| (None, format!("which had expired by {}", seconds(until))))
    }

    /// The start and index of its latest write that was certainly over when `listing` began.
    fn written_after(&self, listing: &OpRecord) -> Option<(Nanos, u64)> {
        self.written.last_before(listing.started)
    }

    /// The latest moment at which it can have been written, as seen from `listing`.
    fn written_before(&self, listing: &OpRecord, moved: &Spans) -> Nanos {
        self.perhaps_written.latest(listing.ended).max(moved.latest(listing.ended))
    }
}

/// What one listing showed, together with what is known.
struct Shown<'a> {
    listing: &'a OpRecord,
    sessions: &'a [Token],
    /// The user's sessions, sorted by number.
    members: &'a [Member<'a>],
    moved: &'a Spans,
    /// Whether the store that answered may have missed what others wrote.
    partial: bool,
}

impl<'a> Shown<'a> {
    /// The first thing wrong with it, and the operation that it contradicts.
    fn violation(&self) -> Option<(Option<u64>, String)> {
        if self.sessions.len() > LIST_LIMIT {
            return Some((None, format!("shows {} sessions where {LIST_LIMIT} were requested", self.sessions.len())));
        }
        self.wrongly_shown().or_else(|| self.out_of_order()).or_else(|| self.missing())
    }

    fn member(&self, session: Token) -> Option<&'a Member<'a>> {
        let place = self.members.binary_search_by_key(&session, |member| Token::from(member.session.number)).ok()?;
        Some(&self.members[place])
    }

    fn wrongly_shown(&self) -> Option<(Option<u64>, String)> {
        let mut before = HashSet::new();
        self.sessions.iter().find_map(|&session| {
            if !before.insert(session) {
                return Some((None, format!("shows session {session} twice")));
            }
            let Some(member) = self.member(session) else {
                return Some((None, foreign(session)));
            };
            let (operation, why) = member.gone(self.listing)?;
            Some((operation, format!("shows session {session}, {why}")))
        })
    }

    /// A session is listed after one that was certainly written before it.
    fn out_of_order(&self) -> Option<(Option<u64>, String)> {
        let mut oldest: Option<(Nanos, SessionNo)> = None;
        if self.partial {
            return None;
        }
        for member in self.sessions.iter().filter_map(|&session| self.member(session)) {
            let after = member.written_after(self.listing);
            if let (Some((bound, older)), Some((written, by))) = (oldest, after)
                && bound < written
            {
                let text =
                    format!("shows session {older} before session {}, which was written later", member.session.number);
                return Some((Some(by), text));
            }
            let until = member.written_before(self.listing, self.moved);
            oldest = Some(oldest.filter(|(bound, _)| *bound <= until).unwrap_or((until, member.session.number)));
        }
        None
    }

    /// A live session is not shown although there was room for it or an older one is shown.
    fn missing(&self) -> Option<(Option<u64>, String)> {
        if self.listing.outcome == Outcome::Degraded {
            return None;
        }
        let shown: HashSet<Token> = self.sessions.iter().copied().collect();
        let bounds = || shown.iter().filter_map(|&session| self.member(session));
        let oldest = bounds().map(|member| member.written_before(self.listing, self.moved)).min();
        self.members.iter().filter(|member| !shown.contains(&Token::from(member.session.number))).find_map(|member| {
            let existence = member.session.existence(self.listing);
            let Existence::Certain { extended_by, .. } = existence else { return None };
            let number = member.session.number;
            if self.sessions.len() < LIST_LIMIT {
                let text = format!("misses session {number}, and shows only {}", self.sessions.len());
                return Some((Some(extended_by), text));
            }
            let (written, by) = member.written_after(self.listing)?;
            let text = || format!("misses session {number}, and shows one that was written earlier");
            (oldest? < written).then(|| (Some(by), text()))
        })
    }
}

fn foreign(session: Token) -> String {
    if session == crate::history::FOREIGN {
        "shows a session that is not the drill's".into()
    } else {
        format!("shows session {session}, which is another user's or was never used")
    }
}

#[cfg(test)]
mod tests {
    use firedrill_storage::{Event, FallbackCause};

    use super::*;
    use crate::check::testing::Script;
    use crate::check::{Budget, Verdict, check_all};
    use crate::history::Note;

    fn judged(script: Script) -> (Verdict, u64, u64) {
        let finding = script.judged_by(&UserIndex);
        (finding.verdict, finding.violations, finding.examined)
    }

    const VALID: (Verdict, u64, u64) = (Verdict::Valid, 0, 1);
    const INVALID: (Verdict, u64, u64) = (Verdict::Invalid, 1, 1);

    /// Users with a hundred sessions each; these sessions of the first user are created one after another.
    fn made(sessions: std::ops::Range<u32>) -> Script {
        let mut s = Script::new().ttl(1_000, 50).sessions_per_user(100);
        for session in sessions {
            let at = 2 * i64::from(session);
            s.create(session, 0).at(at..at + 1).ok();
        }
        s
    }

    fn newest(from: u32, count: u32) -> Vec<u32> {
        (0..count).map(|n| from - n).collect()
    }

    #[test]
    fn the_live_ones_newest_first_are_valid() {
        let mut s = made(0..3);
        s.append(0, 0).at(10..11).ok();
        s.list(1).at(20..21).sessions(&[0, 2, 1]).ok();
        assert_eq!(judged(s), VALID);
    }

    #[test]
    fn a_session_of_another_user_or_of_no_user_is_a_violation() {
        for foreign in [100, 7] {
            let mut s = made(0..1);
            s.create(100, 1).at(5..6).ok();
            s.list(0).at(20..21).sessions(&[foreign, 0]).ok();
            assert_eq!(judged(s), INVALID, "{foreign}");
        }
        let mut s = made(0..1);
        let list = s.list(0).at(20..21).sessions(&[0, 0]).ok();
        let mut history = s.build();
        let op = history.ops.ops.iter().find(|op| op.index == list).copied().unwrap();
        history.ops.tokens[op.tokens_at as usize] = crate::history::FOREIGN;
        let finding = check_all(&history, &[&UserIndex], &Budget::default()).remove(0).1;
        assert!(finding.samples[0].text.ends_with("shows a session that is not the drill's"), "{finding:?}");
    }

    #[test]
    fn a_destroyed_session_is_shown_no_more_but_may_be_while_its_end_is_under_way_or_unknown() {
        let listed = |end: fn(&mut Script)| {
            let mut s = made(0..2);
            end(&mut s);
            s.list(0).at(20..30).sessions(&[1, 0]).ok();
            judged(s)
        };
        let destroyed = listed(|s| {
            s.destroy(0, 0).at(10..15).ok();
        });
        assert_eq!(destroyed, INVALID);
        let under_way = listed(|s| {
            s.destroy(0, 0).at(10..25).ok();
        });
        assert_eq!(under_way, VALID);
        let unknown = listed(|s| {
            s.destroy(0, 0).at(10..15).unknown();
        });
        assert_eq!(unknown, VALID);
        let recreated = listed(|s| {
            s.destroy(0, 0).at(10..15).ok();
            s.put(0, 0).at(16..40).unknown();
        });
        assert_eq!(recreated, VALID);
    }

    #[test]
    fn an_expired_session_is_shown_no_more_but_may_be_as_long_as_it_may_live() {
        let listed = |at: i64, shown: &[u32]| {
            let mut s = made(0..2);
            s.append(1, 0).at(900..901).ok();
            s.list(0).at(at..at + 1).sessions(shown).ok();
            judged(s)
        };
        assert_eq!(listed(1_040, &[1, 0]), VALID);
        assert_eq!(listed(1_040, &[1]), VALID);
        assert_eq!(listed(1_060, &[1, 0]), INVALID);
        assert_eq!(listed(1_060, &[1]), VALID);
    }

    #[test]
    fn an_older_session_in_front_is_a_violation_where_the_order_is_certain() {
        let mut s = made(0..2);
        s.list(0).at(20..21).sessions(&[0, 1]).ok();
        assert_eq!(judged(s), INVALID);
        for written in
            [|s: &mut Script| s.append(0, 0).at(3..9).ok(), |s: &mut Script| s.append(0, 0).at(5..6).unknown()]
        {
            let mut s = made(0..2);
            written(&mut s);
            s.list(0).at(20..21).sessions(&[0, 1]).ok();
            assert_eq!(judged(s), VALID);
        }
    }

    #[test]
    fn a_write_taken_by_a_fallback_may_have_reached_redis_at_any_time_since() {
        let mut s = Script::new().sessions_per_user(100);
        s.create(0, 0).at(0..1).degraded();
        s.create(1, 0).at(2..3).ok();
        s.list(0).at(20..21).sessions(&[0, 1]).ok();
        assert_eq!(judged(s), VALID);
        let outage = |list: i64| {
            let mut s = made(0..2);
            s.note(Note::Store {
                at: 1_000_000,
                instance: 0,
                event: Event::FallbackStarted { cause: FallbackCause::Timeout },
            });
            s.note(Note::Store {
                at: 10_000_000,
                instance: 0,
                event: Event::FallbackEnded { lasted: std::time::Duration::ZERO, served: 1 },
            });
            s.create(2, 0).at(12..13).ok();
            s.create(3, 0).at(14..15).ok();
            s.list(0).at(list..list + 1).sessions(if list < 14 { &[2, 0, 1] } else { &[2, 3, 1, 0] }).ok();
            judged(s)
        };
        assert_eq!((outage(13), outage(20)), (VALID, INVALID));
    }

    #[test]
    fn a_missing_live_session_is_a_violation_unless_the_fallback_gave_the_list() {
        let mut s = made(0..2);
        s.list(0).at(20..21).sessions(&[1]).ok();
        assert_eq!(judged(s), INVALID);
        let mut s = made(0..2);
        s.list(0).at(20..21).sessions(&[1]).degraded();
        assert_eq!(judged(s), VALID);
        let mut s = made(0..2);
        s.list(0).at(2..21).sessions(&[]).ok();
        assert_eq!(judged(s), INVALID, "session 0 was there, and session 1 perhaps not yet");
    }

    #[test]
    fn the_latest_fifty_of_many_are_shown() {
        let listed = |shown: &[u32]| {
            let mut s = made(0..60);
            s.list(0).at(200..201).sessions(shown).ok();
            judged(s)
        };
        assert_eq!(listed(&newest(59, 50)), VALID);
        assert_eq!(listed(&newest(59, 49)), INVALID, "there was room");
        assert_eq!(listed(&newest(58, 50)), INVALID, "the latest is missing");
        assert_eq!(listed(&newest(59, 51)), INVALID, "one too many");
        let mut twice = newest(59, 49);
        twice.push(11);
        assert_eq!(listed(&twice), INVALID, "session 11 twice, 10 not at all");
    }

    #[test]
    fn a_listing_that_failed_is_not_judged() {
        let mut s = made(0..2);
        s.list(0).at(20..21).failed();
        s.list(0).at(22..23).unknown();
        assert!(s.judged_by(&UserIndex).vacuous());
    }
}
