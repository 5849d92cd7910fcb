//! No key is left that never expires, as happens if a value and its lifetime are written in two steps, or if a write
//! clears the lifetime. This is judged by the keys in Redis after the drill ([`Note::KeyScan`]). Keys that do expire
//! are not compared with the sessions: an index may rightly outlive what it points to.

use super::index::Index;
use super::tally::{Tally, Words, seconds};
use super::{Facts, SessionChecker};
use crate::history::Note;
use crate::property::Property;

/// See the module documentation.
pub(super) struct ImmortalKeys;

impl SessionChecker for ImmortalKeys {
    fn facts(&self) -> Facts {
        Facts {
            name: "immortal-keys",
            formerly: &[],
            about: "no key without a lifetime is left in Redis",
            words: Words {
                things: "keys",
                right: "with a lifetime",
                wrong: "never expire",
                nothing: "no key was left at all",
            },
            relies_on: Property::LIFETIMES,
            stands_alone: true,
            judges: None,
            on_request: false,
            invalid: "Redis holds a key without a lifetime",
            defects: "value and lifetime written in two steps; a write that clears the lifetime",
        }
    }

    fn history(&self, index: &Index<'_>, tally: &mut Tally) {
        let mut scans = index.history.notes.iter().filter_map(|note| match note {
            Note::KeyScan { at, keys, immortal, immortal_count } => Some((*at, *keys, immortal, *immortal_count)),
            _ => None,
        });
        // A later scan sees what is left; an earlier one could count the same key again.
        let Some((at, keys, immortal, count)) = scans.next_back() else {
            tally.doubt(|| "the keys were not scanned".into());
            return;
        };
        tally.examine(keys);
        let named = immortal.iter().take(usize::try_from(count).unwrap_or(usize::MAX));
        let mut described = 0;
        for key in named {
            tally.violation(None, at, &[], || format!("key {key} never expires (seen at {})", seconds(at)));
            described += 1;
        }
        tally.further_violations(count - described);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::Verdict;
    use crate::check::testing::Script;

    fn scanned(keys: u64, immortal: &[&str], immortal_count: u64) -> Script {
        let mut s = Script::new();
        let immortal = immortal.iter().map(|key| key.to_string()).collect();
        s.note(Note::KeyScan { at: 20_000_000_000, keys, immortal, immortal_count });
        s
    }

    #[test]
    fn keys_that_all_expire_are_valid() {
        let finding = scanned(40, &[], 0).judged_by(&ImmortalKeys);
        assert_eq!((finding.verdict, finding.examined), (Verdict::Valid, 40));
    }

    #[test]
    fn keys_that_never_expire_are_named_and_all_are_counted() {
        let finding = scanned(40, &["session:a", "session:b"], 7).judged_by(&ImmortalKeys);
        assert_eq!(finding.summary, "7 of 40 keys never expire");
        assert_eq!(
            finding.samples.iter().map(|s| s.text.as_str()).collect::<Vec<_>>(),
            ["key session:a never expires (seen at 20.000 s)", "key session:b never expires (seen at 20.000 s)"]
        );
    }

    #[test]
    fn without_a_scan_the_verdict_is_unknown() {
        let finding = Script::new().judged_by(&ImmortalKeys);
        assert_eq!(finding.verdict, Verdict::Unknown);
        assert_eq!(finding.summary, "cannot tell: the keys were not scanned");
    }

    #[test]
    fn a_scan_that_finds_no_key_is_nothing_to_examine() {
        assert!(scanned(0, &[], 0).judged_by(&ImmortalKeys).vacuous());
    }

    #[test]
    fn the_last_of_several_scans_counts() {
        let mut s = scanned(40, &["session:a"], 1);
        s.note(Note::KeyScan { at: 30_000_000_000, keys: 39, immortal: vec![], immortal_count: 0 });
        assert_eq!(s.judged_by(&ImmortalKeys).verdict, Verdict::Valid);
    }
}
