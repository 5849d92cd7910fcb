//! Every situation on a history of literal operations: what it counts, and what it does not.

use std::time::Duration;

use firedrill_reports::run::{Outcome, PhaseName, Reached};
use firedrill_storage::{Event, FallbackCause};

use super::*;
use crate::check::missing;
use crate::check::testing::Script;
use crate::gate::LimitSpec;
use crate::history::{Cause, LIST_LIMIT, Note, SessionNo, Step};
use crate::measure::{Load, Window};

const MS: i64 = 1_000_000;

/// How often the situation of this name occurred.
fn found(name: &str, script: Script) -> u64 {
    let history = script.build();
    let denied = missing(&history);
    let load = Load::new(&history.ops.ops, &denied, &|_| 0);
    let situation = Situation::parse(name).unwrap_or_else(|| panic!("no situation is called {name}"));
    count(&[situation], &history, &load)[0]
}

/// The fallback was active between these milliseconds.
fn outage(s: &mut Script, from: i64, to: i64) {
    s.note(Note::Store { at: from * MS, instance: 0, event: Event::FallbackStarted { cause: FallbackCause::Timeout } });
    s.note(Note::Store { at: to * MS, instance: 0, event: Event::FallbackEnded { lasted: Duration::ZERO, served: 0 } });
}

/// A fault was on between these milliseconds.
fn fault(s: &mut Script, from: i64, to: i64) {
    s.note(Note::FaultOn { at: from * MS, fault: 0, kind: String::new() });
    s.note(Note::FaultOff { at: to * MS, fault: 0, kind: String::new() });
}

/// A session that was created before the load.
fn preloaded(s: &mut Script, session: SessionNo) {
    let index = s.create(session, 0).at(-10..-9).ok();
    s.amend(index, |op| op.step = Step::Preload);
}

#[test]
fn operations_are_counted_by_kind_and_outcome_and_only_those_of_the_load() {
    let history = || {
        let mut s = Script::new();
        preloaded(&mut s, 1);
        s.append(1, 0).at(2..3).unknown();
        s.append(1, 0).at(4..5).unknown();
        s.append(1, 0).at(6..7).ok();
        s.put(1, 0).at(8..9).unknown();
        s.read(1, 0).at(10..11).degraded();
        s.touch(1, 0).at(12..13).failed();
        s.read(1, 0).at(14..15).absent();
        let last = s.append(1, 0).at(16..17).unknown();
        s.amend(last, |op| op.step = Step::Final);
        s
    };
    for (name, expected) in [
        ("unknown.append", 2),
        ("unknown.put", 1),
        ("unknown.read", 0),
        ("unknown.any", 3),
        ("degraded.read", 1),
        ("degraded.append", 0),
        ("failed.touch", 1),
        ("failed.any", 1),
        ("missing.read", 1),
        ("missing.touch", 0),
        ("conflicts", 0),
    ] {
        assert_eq!(found(name, history()), expected, "{name}");
    }
}

#[test]
fn what_was_sent_before_the_fallback_that_acknowledged_it_was_taken_over() {
    let mut s = Script::new();
    outage(&mut s, 100, 200);
    s.append(1, 0).at(99..120).degraded();
    s.append(1, 0).at(100..120).degraded();
    s.append(1, 0).at(98..120).unknown();
    s.read(1, 0).at(98..120).degraded();
    assert_eq!(found("taken-over.append", s), 1);
}

#[test]
fn an_operation_that_failed_by_a_version_conflict_met_one() {
    let mut s = Script::new();
    for (at, cause) in [(0, Cause::Conflict), (2, Cause::Refused)] {
        let index = s.append(1, 0).at(at..at + 1).failed();
        s.amend(index, |op| op.cause = cause);
    }
    assert_eq!(found("conflicts", s), 1);
}

#[test]
fn a_write_that_is_sent_before_another_to_its_session_is_answered_is_concurrent() {
    let written = |second: std::ops::Range<i64>, session: SessionNo| {
        let mut s = Script::new();
        s.append(1, 0).at(2..6).ok();
        s.put(session, 1).at(second).ok();
        found("concurrent-writes", s)
    };
    assert_eq!(written(5..9, 1), 1);
    assert_eq!(written(6..9, 1), 0, "one after the other");
    assert_eq!(written(5..9, 2), 0, "another session");
    let mut s = Script::new();
    s.append(1, 0).at(2..6).failed();
    s.append(1, 1).at(3..4).ok();
    s.read(1, 1).at(3..4).ok();
    assert_eq!(found("concurrent-writes", s), 0, "one failed, one reads");
}

#[test]
fn awards_of_one_session_at_the_same_time_are_contended() {
    let mut s = Script::new();
    for session in [1, 2, 3] {
        s.award(session, 0).at(2..6).ok();
    }
    s.award(1, 1).at(3..4).unknown();
    s.award(1, 1).at(3..4).ok();
    s.award(2, 1).at(7..8).ok();
    s.award(3, 1).at(3..4).failed();
    assert_eq!(found("contended-awards", s), 1);
}

#[test]
fn what_is_sent_to_a_session_after_its_acknowledged_destroy_is_counted_until_it_is_recreated() {
    let history = || {
        let mut s = Script::new();
        preloaded(&mut s, 1);
        preloaded(&mut s, 2);
        s.destroy(1, 0).at(2..5).ok();
        s.read(1, 0).at(4..6).ok();
        s.read(1, 0).at(6..7).absent();
        s.append(1, 0).at(8..9).not_found();
        s.create(1, 0).at(10..11).ok();
        s.read(1, 0).at(12..13).ok();
        s.destroy(2, 0).at(2..5).unknown();
        s.read(2, 0).at(6..7).absent();
        s
    };
    assert_eq!(found("after-destroy.read", history()), 1);
    assert_eq!(found("after-destroy.append", history()), 1);
    assert_eq!(found("after-destroy.touch", history()), 0);
    assert_eq!(found("after-destroy.any", history()), 3, "the create too");
}

#[test]
fn a_listing_is_over_the_limit_where_its_user_certainly_had_more_than_it_shows() {
    let listed = |sessions: u32, shown: usize, destroyed: Option<i64>| {
        let mut s = Script::new().sessions_per_user(100);
        for session in 0..sessions {
            preloaded(&mut s, session);
        }
        // Those of another user do not count.
        preloaded(&mut s, 100);
        if let Some(at) = destroyed {
            s.destroy(7, 0).at(at..at + 1).unknown();
        }
        let first: Vec<SessionNo> = (0..shown as u32).collect();
        s.list(0).at(5..6).sessions(&first).ok();
        found("listings-over-the-limit", s)
    };
    assert_eq!(listed(LIST_LIMIT as u32 + 1, LIST_LIMIT, None), 1);
    assert_eq!(listed(LIST_LIMIT as u32, LIST_LIMIT, None), 0);
    assert_eq!(listed(LIST_LIMIT as u32 + 1, LIST_LIMIT - 1, None), 0);
    assert_eq!(listed(LIST_LIMIT as u32 + 1, LIST_LIMIT, Some(2)), 0, "perhaps one fewer");
    assert_eq!(listed(LIST_LIMIT as u32 + 1, LIST_LIMIT, Some(8)), 1);
}

#[test]
fn a_session_that_nothing_of_the_load_had_used_before_is_first_used_in_an_outage() {
    let mut s = Script::new();
    outage(&mut s, 100, 200);
    for session in [1, 2, 3] {
        preloaded(&mut s, session);
    }
    s.read(1, 0).at(110..111).degraded();
    s.read(1, 0).at(120..121).degraded();
    s.read(2, 0).at(50..51).ok();
    s.read(2, 0).at(110..111).degraded();
    s.read(3, 0).at(210..211).ok();
    // One that the outage itself made.
    s.create(4, 0).at(110..111).degraded();
    s.read(4, 0).at(120..121).degraded();
    assert_eq!(found("sessions-first-used-in-an-outage", s), 1);
}

#[test]
fn a_session_whose_lifetime_certainly_ended_in_an_outage_expired_in_it() {
    let expired = |used: i64, later: Option<i64>, ended: i64| {
        let mut s = Script::new().ttl(1_000, 10);
        outage(&mut s, 1_100, ended);
        preloaded(&mut s, 1);
        s.read(1, 0).at(used..used + 1).ok();
        if let Some(at) = later {
            s.read(1, 0).at(at..at + 1).absent();
        }
        s.read(2, 0).at(5_000..5_001).absent();
        found("sessions-expired-in-an-outage", s)
    };
    assert_eq!(expired(500, None, 3_000), 1);
    assert_eq!(expired(500, Some(2_000), 3_000), 1);
    assert_eq!(expired(500, Some(1_400), 3_000), 1, "what finds no session extends none");
    assert_eq!(expired(50, None, 3_000), 0, "before it");
    assert_eq!(expired(105, None, 3_000), 0, "perhaps before it");
    assert_eq!(expired(500, None, 1_400), 0, "after it");
    let mut s = Script::new().ttl(1_000, 10);
    outage(&mut s, 1_100, 3_000);
    for session in [1, 2] {
        preloaded(&mut s, session);
        s.read(session, 0).at(500..501).ok();
    }
    s.touch(1, 0).at(700..900).unknown();
    s.destroy(2, 0).at(700..900).failed();
    s.destroy(2, 0).at(910..920).unknown();
    assert_eq!(found("sessions-expired-in-an-outage", s), 0, "perhaps extended, perhaps destroyed");
}

#[test]
fn a_fault_that_takes_hold_before_the_fallback_of_another_ended_interrupts_its_end() {
    let struck = |second: i64| {
        let mut s = Script::new();
        outage(&mut s, 110, 300);
        outage(&mut s, 520, 700);
        fault(&mut s, 100, 200);
        fault(&mut s, second, second + 50);
        s.read(1, 0).at(900..901).ok();
        found("faults-before-the-fallback-ended", s)
    };
    assert_eq!(struck(250), 1);
    assert_eq!(struck(150), 0, "the other is still on");
    assert_eq!(struck(500), 0, "the fallback is over");
}

#[test]
fn a_drain_that_redis_failed_in_was_interrupted() {
    let mut s = Script::new();
    outage(&mut s, 100, 300);
    let events = [Event::DrainStarted { waiting: 3 }, Event::DrainInterrupted, Event::DrainStarted { waiting: 2 }];
    for (at, event) in (200..).zip(events) {
        s.note(Note::Store { at: at * MS, instance: 0, event });
    }
    assert_eq!(found("drains-interrupted", s), 1);
}

#[test]
fn each_row_is_found_by_its_key_and_says_how_many_there_are() {
    for row in &ROWS {
        let situation = Situation::parse(&row.key.replace(KIND, "touch")).unwrap();
        assert_eq!(situation.row().key, row.key);
        assert!(!situation.counted(2).contains(KIND) && situation.counted(1) != situation.counted(2), "{}", row.key);
    }
    let words = |key: &str, found| Situation::parse(key).unwrap().counted(found);
    assert_eq!(words("unknown.append", 3), "3 appends of unknown outcome");
    assert_eq!(words("unknown.touch", 2_000), "2000 touches of unknown outcome");
    assert_eq!(words("degraded.any", 1), "1 operation that the fallback acknowledged");
    assert_eq!(words("conflicts", 0), "no version conflicts");
    for wrong in ["unknown", "unknown.", "unknown.fly", "conflicts.read", "known.append", "unknown.append.read"] {
        assert_eq!(Situation::parse(wrong), None, "{wrong}");
    }
}

#[test]
fn only_what_asks_for_something_to_happen_is_a_limit() {
    let parse = |limit: &str| LimitSpec::<Situation>::parse("unknown.append", limit);
    assert!(parse(">= 1").is_ok() && parse("> 0").is_ok());
    for limit in ["<= 10", "< 1", "= 3"] {
        let error = parse(limit).unwrap_err();
        assert!(
            error.to_string().contains("a situation states a minimum; limit what must not happen with a gate"),
            "{error}"
        );
        assert_eq!(error.help(), "write it like \">= 10\"");
    }
    assert!(parse(">= 0").unwrap_err().to_string().contains("it holds where nothing has happened"));
    assert!(parse(">= many").unwrap_err().to_string().contains("is not a limit for"));
    let error = LimitSpec::<Situation>::parse("unknown.appends", ">= 1").unwrap_err();
    assert!(error.in_key() && error.help() == "did you mean `unknown.append`?", "{}", error.help());
    let error = LimitSpec::<Situation>::parse("moonrise", ">= 1").unwrap_err();
    assert!(
        error.in_key() && error.help().contains("unknown.KIND, degraded.KIND, taken-over.KIND"),
        "{}",
        error.help()
    );
}

/// What was reached in the history; its load lasted a second.
fn cells(script: Script, phases: &[Window], mix: &[OpKind]) -> Vec<Reached> {
    let history = script.build();
    let load = Load::new(&history.ops.ops, &[], &|_| 0);
    reached(&load, &States::of(&history, phases, 1_000 * MS), mix)
}

#[test]
fn an_operation_belongs_to_the_state_in_which_it_was_sent() {
    let mut s = Script::new();
    outage(&mut s, 100, 200);
    preloaded(&mut s, 1);
    s.read(1, 0).at(99..150).unknown();
    s.read(1, 0).at(100..101).degraded();
    s.read(1, 0).at(200..201).ok();
    s.award(1, 0).at(120..121).degraded();
    let cells = cells(s, &[], &[OpKind::Read, OpKind::Destroy]);
    let cells: Vec<(&str, &str, u64)> =
        cells.iter().map(|cell| (cell.state.as_str(), cell.op.as_str(), cell.outcomes.total())).collect();
    let expected = [
        (Reached::CONNECTED, "read", 2),
        (Reached::CONNECTED, "destroy", 0),
        (Reached::CONNECTED, "award", 0),
        (Reached::FALLBACK, "read", 1),
        (Reached::FALLBACK, "destroy", 0),
        (Reached::FALLBACK, "award", 1),
    ];
    assert_eq!(cells, expected);
}

#[test]
fn without_a_fallback_the_phases_stand_for_the_states() {
    let mut s = Script::new();
    s.read(1, 0).at(50..51).ok();
    s.read(1, 0).at(150..151).failed();
    let window = |phase, from, to| Window { phase, from: from * MS, to: to * MS };
    let phases = [window(PhaseName::Before, 0, 100), window(PhaseName::During, 100, 1_000)];
    let cells = cells(s, &phases, &[OpKind::Read]);
    assert_eq!(cells.len(), 2);
    assert_eq!((cells[0].state.as_str(), cells[0].outcomes.of(Outcome::Ok)), ("before", 1));
    assert_eq!((cells[1].state.as_str(), cells[1].outcomes.of(Outcome::Failed)), ("during", 1));
}
