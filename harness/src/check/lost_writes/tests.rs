//! What is lost, what is excused, and what stays unknown.

use super::*;
use crate::check::Verdict;
use crate::check::testing::Script;

fn judged(script: Script) -> (Verdict, u64, u64) {
    let finding = script.judged_by(&LostWrites);
    (finding.verdict, finding.violations, finding.examined)
}

#[test]
fn every_acknowledged_answer_in_the_final_read_is_valid() {
    let mut s = Script::new();
    s.create(1, 0).at(0..1).ok();
    let a = s.append(1, 0).at(2..3).ok();
    let b = s.append(1, 1).at(2..4).degraded();
    s.read(1, 9).at(100..101).finally().shows(&[b, a]).ok();
    assert_eq!(judged(s), (Verdict::Valid, 0, 3));
}

#[test]
fn an_acknowledged_answer_missing_from_the_final_read_is_reported_as_lost() {
    let mut s = Script::new();
    s.create(17, 0).at(0..1).ok();
    let kept = s.append(17, 0).at(2..3).ok();
    let lost = s.append(17, 0).at(7_310..7_312).degraded();
    let read = s.read(17, 9).at(9_000..9_001).finally().shows(&[kept]).ok();
    let finding = s.judged_by(&LostWrites);
    assert_eq!(
        finding.summary,
        "1 of 3 acknowledged writes lost: 1 made by the fallback, and nothing tells what became of it"
    );
    let offence = &finding.samples[0];
    assert_eq!((offence.session, offence.operations.as_slice()), (Some(17), &[lost, read][..]));
    assert_eq!(
        offence.text,
        "session 17: append 2 was acknowledged (degraded) at 7.312 s and is missing from the final read (3 at 9.000 s)"
    );
}

#[test]
fn what_the_next_read_misses_already_was_not_taken_by_what_came_later() {
    let mut s = Script::new();
    s.create(17, 0).at(0..1).ok();
    s.append(17, 0).at(2..3).ok();
    s.read(17, 0).at(5..6).ok();
    let late = s.append(17, 0).at(7..8).ok();
    s.read(17, 0).at(9..10).shows(&[late]).ok();
    s.note(crate::history::Note::StoreRebuilt { at: 50_000_000 });
    s.read(17, 9).at(100..101).finally().ok();
    let summary = s.judged_by(&LostWrites).summary;
    assert!(summary.contains("1 acknowledged by the store itself, and nothing tells what became of it"), "{summary}");
    assert!(
        summary.contains("1 acknowledged by the store itself, gone with the store's memory at 0.05 s"),
        "{summary}"
    );
}

#[test]
fn answers_of_unknown_outcome_or_certainly_without_effect_may_be_missing() {
    let mut s = Script::new();
    s.create(1, 0).at(0..1).ok();
    s.append(1, 0).at(2..3).unknown();
    s.append(1, 0).at(4..5).failed();
    s.append(1, 0).at(6..7).absent();
    s.read(1, 9).at(100..101).finally().ok();
    assert_eq!(judged(s), (Verdict::Valid, 0, 1));
}

#[test]
fn an_answer_still_under_way_when_the_final_read_began_may_be_missing() {
    let mut s = Script::new();
    s.create(1, 0).at(0..1).ok();
    s.append(1, 0).at(98..101).ok();
    s.read(1, 9).at(100..102).finally().ok();
    assert_eq!(judged(s), (Verdict::Valid, 0, 1));
}

#[test]
fn a_session_that_must_exist_and_is_not_found_has_lost_its_create_and_all_its_writes() {
    let mut s = Script::new();
    s.create(1, 0).at(0..1).ok();
    s.append(1, 0).at(2..3).ok();
    s.append(1, 0).at(4..5).ok();
    s.read(1, 9).at(100..101).finally().absent();
    assert_eq!(judged(s), (Verdict::Invalid, 3, 3));
}

#[test]
fn a_session_made_by_a_fallback_and_forgotten_with_it_is_lost_though_nothing_was_written_to_it_since() {
    let mut s = Script::new();
    s.create(1, 0).at(0..1).ok();
    let kept = s.append(1, 0).at(2..3).ok();
    let lost = s.create(90, 0).at(2_100..2_101).degraded();
    s.read(1, 9).at(9_000..9_001).finally().shows(&[kept]).ok();
    let read = s.read(90, 9).at(9_000..9_001).finally().absent();
    let finding = s.judged_by(&LostWrites);
    assert_eq!((finding.verdict, finding.violations, finding.examined), (Verdict::Invalid, 1, 3));
    let offence = &finding.samples[0];
    assert_eq!((offence.session, offence.operations.as_slice()), (Some(90), &[lost, read][..]));
    assert_eq!(
        offence.text,
        "session 90: create 2 was acknowledged (degraded) at 2.101 s and the final read finds no such session \
         (4 at 9.000 s)"
    );
}

#[test]
fn a_session_made_again_by_a_fallback_after_it_was_destroyed_or_had_expired_is_lost_with_it() {
    let mut s = Script::new().ttl(1_000, 0);
    s.create(1, 0).at(0..1).ok();
    s.destroy(1, 0).at(2..3).ok();
    s.create(1, 0).at(4..5).degraded();
    s.read(1, 9).at(500..501).finally().absent();
    s.create(2, 0).at(0..1).ok();
    s.create(2, 0).at(1_100..1_101).degraded();
    s.read(2, 9).at(1_500..1_501).finally().absent();
    assert_eq!(judged(s), (Verdict::Invalid, 2, 2));
}

#[test]
fn a_create_of_unknown_outcome_may_have_made_what_is_gone() {
    let mut s = Script::new().ttl(1_000, 0);
    s.create(1, 0).at(0..1).ok();
    s.create(1, 0).at(1_100..1_101).unknown();
    s.read(1, 0).at(1_200..1_201).shows(&[]).ok();
    s.read(1, 9).at(1_500..1_501).finally().absent();
    assert_eq!(judged(s), (Verdict::Valid, 0, 0));
}

#[test]
fn a_created_session_without_a_final_read_is_unknown() {
    let mut s = Script::new();
    s.create(1, 0).at(0..1).degraded();
    assert_eq!(s.judged_by(&LostWrites).verdict, Verdict::Unknown);
}

#[test]
fn a_session_that_may_have_expired_may_be_gone_with_its_answers() {
    let mut s = Script::new().ttl(1_000, 50);
    s.create(1, 0).at(0..1).ok();
    s.append(1, 0).at(2..3).ok();
    s.read(1, 9).at(951..953).finally().absent();
    assert_eq!(judged(s), (Verdict::Valid, 0, 0));
}

#[test]
fn a_session_found_after_its_lifetime_still_owes_its_answers() {
    let mut s = Script::new().ttl(1_000, 0);
    s.create(1, 0).at(0..1).ok();
    s.append(1, 0).at(2..3).ok();
    s.touch(1, 0).at(900..901).unknown();
    s.read(1, 9).at(1_500..1_501).finally().shows(&[]).ok();
    assert_eq!(judged(s), (Verdict::Invalid, 1, 2));
}

#[test]
fn answers_from_before_an_expiry_and_a_new_create_may_be_missing() {
    let mut s = Script::new().ttl(1_000, 0);
    s.create(1, 0).at(0..1).ok();
    s.append(1, 0).at(2..3).ok();
    s.create(1, 0).at(1_100..1_101).ok();
    let kept = s.append(1, 0).at(1_200..1_201).ok();
    s.read(1, 9).at(1_300..1_301).finally().shows(&[kept]).ok();
    assert_eq!(judged(s), (Verdict::Valid, 0, 1));
}

#[test]
fn a_create_while_the_session_must_exist_excuses_nothing() {
    let mut s = Script::new();
    s.create(1, 0).at(0..1).ok();
    s.append(1, 0).at(2..3).ok();
    s.create(1, 0).at(4..5).ok();
    s.read(1, 9).at(100..101).finally().ok();
    assert_eq!(judged(s), (Verdict::Invalid, 1, 3));
}

#[test]
fn a_create_while_the_session_must_exist_excuses_nothing_after_its_lifetime_either() {
    let mut s = Script::new().ttl(1_000, 0);
    s.create(1, 0).at(0..1).ok();
    s.append(1, 0).at(2..3).ok();
    s.create(1, 0).at(4..5).ok();
    s.read(1, 9).at(2_000..2_001).finally().shows(&[]).ok();
    assert_eq!(judged(s), (Verdict::Invalid, 1, 3));
}

#[test]
fn a_create_of_unknown_outcome_at_the_start_excuses_nothing() {
    let mut s = Script::new();
    s.create(1, 0).at(0..1).unknown();
    s.append(1, 0).at(2..3).ok();
    s.read(1, 9).at(100..101).finally().shows(&[]).ok();
    assert_eq!(judged(s), (Verdict::Invalid, 1, 1));
}

#[test]
fn a_destroy_acknowledged_or_unknown_excuses_a_session_not_found() {
    for known in [true, false] {
        let mut s = Script::new();
        s.create(1, 0).at(0..1).ok();
        s.append(1, 0).at(2..3).ok();
        let destroy = s.destroy(1, 0).at(4..5);
        if known {
            destroy.ok()
        } else {
            destroy.unknown()
        };
        s.read(1, 9).at(100..101).finally().absent();
        assert_eq!(judged(s), (Verdict::Valid, 0, 0));
    }
}

#[test]
fn a_destroy_of_unknown_outcome_does_not_excuse_an_answer_missing_from_a_session_still_there() {
    let mut s = Script::new();
    s.create(1, 0).at(0..1).ok();
    s.append(1, 0).at(2..3).ok();
    s.destroy(1, 0).at(4..5).unknown();
    s.read(1, 9).at(100..101).finally().shows(&[]).ok();
    assert_eq!(judged(s), (Verdict::Invalid, 1, 2));
}

#[test]
fn a_destroy_before_the_session_was_recreated_excuses_nothing_written_since() {
    let mut s = Script::new();
    s.create(1, 0).at(0..1).ok();
    s.append(1, 0).at(2..3).ok();
    s.destroy(1, 0).at(4..5).ok();
    s.create(1, 0).at(6..7).ok();
    s.append(1, 0).at(8..9).ok();
    s.read(1, 9).at(100..101).finally().absent();
    assert_eq!(judged(s), (Verdict::Invalid, 2, 2));
}

#[test]
fn a_failed_destroy_excuses_nothing() {
    let mut s = Script::new();
    s.create(1, 0).at(0..1).ok();
    s.append(1, 0).at(2..3).ok();
    s.destroy(1, 0).at(4..5).failed();
    s.read(1, 9).at(100..101).finally().absent();
    assert_eq!(judged(s), (Verdict::Invalid, 2, 2));
}

#[test]
fn a_put_replaces_what_was_written_before_or_beside_it_but_not_after() {
    let mut s = Script::new();
    s.create(1, 0).at(0..1).ok();
    s.append(1, 0).at(2..3).ok();
    s.append(1, 1).at(4..10).ok();
    let put = s.put(1, 0).at(5..6).ok();
    s.append(1, 0).at(11..12).ok();
    s.read(1, 9).at(100..101).finally().shows(&[put]).ok();
    assert_eq!(judged(s), (Verdict::Invalid, 1, 2));
}

#[test]
fn either_of_two_overlapping_puts_may_win_but_a_later_one_must() {
    let mut s = Script::new();
    s.put(1, 0).at(0..5).ok();
    let winner = s.put(1, 1).at(1..4).ok();
    s.put(2, 0).at(0..5).ok();
    s.put(2, 1).at(6..7).ok();
    s.read(1, 9).at(100..101).finally().shows(&[winner]).ok();
    s.read(2, 9).at(100..101).finally().shows(&[2]).ok();
    assert_eq!(judged(s), (Verdict::Invalid, 1, 3));
}

#[test]
fn one_of_two_overlapping_puts_must_have_won() {
    let mut s = Script::new();
    let before = s.put(1, 0).at(0..1).ok();
    s.put(1, 0).at(2..6).ok();
    s.put(1, 1).at(3..7).ok();
    s.put(1, 2).at(3..7).unknown();
    s.read(1, 9).at(100..101).finally().shows(&[before]).ok();
    assert_eq!(judged(s), (Verdict::Invalid, 2, 3));
}

#[test]
fn a_put_of_unknown_outcome_that_does_not_show_excuses_nothing() {
    let mut s = Script::new();
    s.create(1, 0).at(0..1).ok();
    s.put(1, 0).at(2..3).unknown();
    s.append(1, 0).at(4..5).ok();
    s.read(1, 9).at(100..101).finally().shows(&[]).ok();
    assert_eq!(judged(s), (Verdict::Invalid, 1, 2));
}

#[test]
fn a_session_not_found_has_lost_only_what_its_last_put_cannot_have_replaced() {
    let mut s = Script::new();
    s.put(1, 0).at(0..1).ok();
    s.append(1, 0).at(2..3).ok();
    s.put(1, 0).at(4..5).ok();
    s.append(1, 1).at(4..7).ok();
    s.append(1, 0).at(6..7).ok();
    s.read(1, 9).at(100..101).finally().absent();
    assert_eq!(judged(s), (Verdict::Invalid, 2, 2));
}

#[test]
fn a_session_not_found_has_lost_one_of_two_overlapping_puts() {
    let mut s = Script::new();
    s.put(1, 0).at(0..5).ok();
    s.put(1, 1).at(1..4).ok();
    s.read(1, 9).at(100..101).finally().absent();
    assert_eq!(judged(s), (Verdict::Invalid, 1, 1));
}

#[test]
fn a_put_of_unknown_outcome_may_have_replaced_all_that_a_session_not_found_held() {
    let mut s = Script::new();
    s.put(1, 0).at(0..1).ok();
    s.put(1, 1).at(2..3).unknown();
    s.append(1, 0).at(6..7).ok();
    s.read(1, 9).at(100..101).finally().absent();
    assert_eq!(judged(s), (Verdict::Valid, 0, 0));
}

#[test]
fn a_put_of_unknown_outcome_may_replace_everything_until_it_is_seen() {
    let mut s = Script::new();
    s.create(1, 0).at(0..1).ok();
    let put = s.put(1, 0).at(2..3).unknown();
    s.append(1, 0).at(4..5).ok();
    s.read(1, 9).at(100..101).finally().shows(&[put]).ok();
    assert_eq!(judged(s), (Verdict::Valid, 0, 0));

    let mut s = Script::new();
    s.create(1, 0).at(0..1).ok();
    let put = s.put(1, 0).at(2..3).unknown();
    s.read(1, 9).at(6..7).shows(&[put]).ok();
    s.append(1, 0).at(8..9).ok();
    s.read(1, 9).at(100..101).finally().shows(&[put]).ok();
    assert_eq!(judged(s), (Verdict::Invalid, 1, 1));
}

#[test]
fn a_final_read_that_failed_or_is_missing_leaves_the_session_unknown() {
    let mut s = Script::new();
    s.create(1, 0).at(0..1).ok();
    s.append(1, 0).at(2..3).ok();
    s.read(1, 9).at(100..101).finally().unknown();
    s.create(2, 0).at(0..1).ok();
    s.append(2, 0).at(2..3).ok();
    let finding = s.judged_by(&LostWrites);
    assert_eq!(finding.verdict, Verdict::Unknown);
    assert_eq!(
        finding.summary,
        "cannot tell: the final read of session 1 at 0.100 s was not answered (timeout) (and 1 more)"
    );
}

#[test]
fn an_answer_missing_from_any_of_several_final_reads_is_lost_once() {
    let mut s = Script::new();
    s.create(1, 0).at(0..1).ok();
    let a = s.append(1, 0).at(2..3).ok();
    s.read(1, 9).at(100..101).finally().shows(&[a]).ok();
    s.read(1, 9).at(200..201).finally().shows(&[]).ok();
    s.read(1, 9).at(300..301).finally().shows(&[]).ok();
    assert_eq!(judged(s), (Verdict::Invalid, 1, 2));
}
