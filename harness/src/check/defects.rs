//! Every checker has a defect that only it catches; otherwise it would duplicate another one. Each test writes down
//! what users of a store with one known defect observe.

use super::testing::Script;
use super::{Budget, Finding, Verdict, all, check_all};
use crate::history::{Note, OpKind};

/// The checkers that call this history invalid. In the key scan, all keys expire unless the script says otherwise. Most
/// violations also make a session impossible to order, so `linearizable` is left out if other checkers report it too.
fn accusers(script: Script) -> Vec<&'static str> {
    let mut accusers = all_accusers(script);
    if accusers.len() > 1 {
        accusers.retain(|name| *name != "linearizable");
    }
    accusers
}

fn all_accusers(mut script: Script) -> Vec<&'static str> {
    if !script.has_notes() {
        script.note(Note::KeyScan { at: 60_000_000_000, keys: 1, immortal: Vec::new(), immortal_count: 0 });
    }
    let findings = check_all(&script.build(), all(), &Budget::default());
    // Not every one of these short histories has final reads: without one for a session, its writes may be lost or not.
    let expected = |name: &str, finding: &Finding| {
        finding.verdict != Verdict::Unknown || name == "lost-writes" && finding.summary.contains("has no final read")
    };
    assert!(findings.iter().all(|(name, finding)| expected(name, finding)), "{findings:#?}");
    findings.into_iter().filter(|(_, finding)| finding.verdict == Verdict::Invalid).map(|(name, _)| name).collect()
}

#[test]
fn a_fallback_forgotten_after_the_outage_loses_answers() {
    let mut s = Script::new();
    s.create(1, 0).at(0..1).ok();
    s.append(1, 0).at(2..3).degraded();
    s.read(1, 9).at(100..101).finally().shows(&[]).ok();
    assert_eq!(accusers(s), ["lost-writes"]);
}

#[test]
fn a_session_made_in_the_outage_and_forgotten_after_it_is_lost_and_gone_too_early() {
    let mut s = Script::new();
    s.create(1, 0).at(2..3).degraded();
    s.read(1, 9).at(100..101).finally().absent();
    assert_eq!(accusers(s), ["lost-writes", "ttl"]);
}

#[test]
fn a_resend_that_is_carried_out_twice_duplicates_an_answer() {
    let mut s = Script::new();
    s.create(1, 0).at(0..1).ok();
    let a = s.append(1, 0).at(2..3).ok();
    s.read(1, 9).at(100..101).finally().shows(&[a, a]).ok();
    assert_eq!(accusers(s), ["duplicated-writes"]);
}

#[test]
fn a_number_that_is_read_increased_and_written_back_loses_increments() {
    let mut s = Script::new().counter();
    s.create(1, 0).at(0..1).ok();
    s.increment(1, 0).at(2..4).ok();
    s.increment(1, 1).at(2..4).ok();
    s.read(1, 9).at(100..101).finally().number(1).ok();
    assert_eq!(accusers(s), ["counter"]);
}

#[test]
fn a_write_reported_as_failed_and_done_all_the_same_is_a_phantom() {
    let mut s = Script::new();
    s.create(1, 0).at(0..1).ok();
    let a = s.append(1, 0).at(2..3).failed();
    s.read(1, 9).at(100..101).finally().shows(&[a]).ok();
    assert_eq!(accusers(s), ["phantom-writes"]);
}

#[test]
fn a_lagging_replica_hides_a_users_own_write_for_a_while() {
    let mut s = Script::new();
    s.create(1, 0).at(0..1).ok();
    let a = s.append(1, 0).at(2..3).ok();
    s.read(1, 0).at(4..5).shows(&[]).ok();
    s.read(1, 9).at(100..101).finally().shows(&[a]).ok();
    assert_eq!(accusers(s), ["read-your-writes"]);
}

#[test]
fn replicas_read_in_turn_let_a_user_see_an_answer_come_and_go() {
    let mut s = Script::new();
    s.create(1, 9).at(0..1).ok();
    let a = s.append(1, 9).at(2..3).unknown();
    s.read(1, 0).at(4..5).shows(&[a]).ok();
    s.read(1, 0).at(6..7).shows(&[]).ok();
    s.read(1, 9).at(100..101).finally().shows(&[a]).ok();
    assert_eq!(accusers(s), ["monotonic-reads"]);
}

#[test]
fn a_cache_beside_the_store_hides_what_another_user_wrote() {
    let mut s = Script::new();
    s.create(1, 9).at(0..1).ok();
    let a = s.append(1, 9).at(2..3).ok();
    s.read(1, 0).at(4..5).shows(&[]).ok();
    s.read(1, 9).at(100..101).finally().shows(&[a]).ok();
    assert_eq!(accusers(s), ["stale-reads"]);
}

#[test]
fn two_copies_that_apply_puts_in_different_order_show_two_users_different_ones() {
    let mut s = Script::new();
    let (a, b) = (s.put(1, 8).at(0..10).ok(), s.put(1, 9).at(0..10).ok());
    s.read(1, 0).at(12..13).shows(&[a]).ok();
    s.read(1, 1).at(14..15).shows(&[b]).ok();
    s.read(1, 9).at(100..101).finally().shows(&[b]).ok();
    assert_eq!(accusers(s), ["linearizable"]);
}

#[test]
fn an_index_that_keeps_what_was_destroyed_counts_it() {
    let mut s = Script::new();
    s.create(1, 0).at(0..1).ok();
    s.create(2, 0).at(0..1).ok();
    s.destroy(2, 0).at(2..3).ok();
    s.count().at(4..5).number(2).ok();
    assert_eq!(accusers(s), ["counts"]);
}

#[test]
fn a_version_worked_out_from_what_was_read_is_given_twice() {
    let mut s = Script::new();
    s.create(1, 0).at(0..1).version(1).ok();
    let a = s.append(1, 0).at(2..4).version(2).ok();
    let b = s.append(1, 5).at(3..5).version(2).ok();
    s.read(1, 9).at(100..101).finally().shows(&[a, b]).version(3).ok();
    assert_eq!(accusers(s), ["versions"]);
}

#[test]
fn a_slow_save_after_a_logout_brings_the_session_back() {
    let mut s = Script::new();
    s.create(1, 0).at(0..1).ok();
    s.put(1, 0).at(2..3).ok();
    s.destroy(1, 0).at(4..5).ok();
    s.read(1, 0).at(6..7).shows(&[1]).ok();
    assert_eq!(accusers(s), ["resurrection"]);
}

#[test]
fn a_lifetime_that_does_not_slide_ends_too_early() {
    let mut s = Script::new().ttl(1_000, 50);
    s.create(1, 9).at(0..1).ok();
    s.touch(1, 0).at(800..801).ok();
    s.read(1, 0).at(1_200..1_201).absent();
    assert_eq!(accusers(s), ["ttl"]);
}

#[test]
fn a_lifetime_that_is_ignored_never_ends() {
    let mut s = Script::new().ttl(1_000, 50);
    s.create(1, 0).at(0..1).ok();
    s.read(1, 0).at(9_000..9_001).ok();
    assert_eq!(accusers(s), ["ttl"]);
}

#[test]
fn a_write_that_clears_the_lifetime_leaves_an_immortal_key() {
    let mut s = Script::new();
    s.create(1, 0).at(0..1).ok();
    s.note(Note::KeyScan { at: 60_000_000_000, keys: 1, immortal: vec!["session:a".into()], immortal_count: 1 });
    assert_eq!(accusers(s), ["immortal-keys"]);
}

#[test]
fn a_reply_that_reaches_the_wrong_caller_shows_anothers_session() {
    let mut s = Script::new();
    s.create(1, 0).at(0..1).ok();
    s.create(2, 1).at(0..1).ok();
    s.read(1, 0).at(2..3).owner(2).ok();
    assert_eq!(accusers(s), ["isolation"]);
}

#[test]
fn a_reward_claimed_by_reading_and_writing_is_paid_twice() {
    let mut s = Script::new();
    s.create(1, 0).at(0..1).ok();
    for process in 0..2 {
        let award = s.award(1, process).at(2..5);
        let own = award.index();
        award.shows(&[own]).ok();
    }
    s.read(1, 9).at(100..101).finally().ok();
    assert_eq!(accusers(s), ["double-award"]);
}

#[test]
fn an_index_in_which_the_dead_take_the_place_of_the_living_hides_a_session() {
    let mut s = Script::new().sessions_per_user(60);
    s.create(1, 0).at(0..1).ok();
    s.create(2, 0).at(2..3).ok();
    s.list(1).at(4..5).sessions(&[2]).ok();
    assert_eq!(accusers(s), ["user-index"]);
}

#[test]
fn a_health_check_that_looks_at_the_configuration_says_up_in_an_outage() {
    let mut s = Script::new();
    s.note(Note::KeyScan { at: 60_000_000_000, keys: 1, immortal: Vec::new(), immortal_count: 0 });
    s.note(Note::FaultOn { at: 1_000_000_000, fault: 0, kind: "proxy.down".to_owned() });
    s.create(1, 0).at(0..1).ok();
    for at in (1_000..9_000).step_by(200) {
        s.read(1, 0).at(at..at + 1).degraded();
    }
    s.line(OpKind::Health, 1, 0).at(8_000..8_001).ok();
    s.note(Note::FaultOff { at: 9_000_000_000, fault: 0, kind: "proxy.down".to_owned() });
    s.read(1, 9).at(9_500..9_501).finally().ok();
    assert_eq!(accusers(s), ["health-answers"]);
}

#[test]
fn a_sound_store_is_not_accused() {
    let mut s = Script::new();
    s.create(1, 0).at(0..1).ok();
    let a = s.append(1, 0).at(2..3).ok();
    s.read(1, 0).at(4..5).owner(1).shows(&[a]).ok();
    s.read(1, 9).at(100..101).finally().owner(1).shows(&[a]).ok();
    assert_eq!(accusers(s), [""; 0]);
}
