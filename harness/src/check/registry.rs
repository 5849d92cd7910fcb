//! Every checker, one line each.

use super::{Facts, SessionChecker};
use crate::nearest::did_you_mean;
use crate::property::Property;
use crate::renamed::hint;

/// Every checker, in the order in which reports list them.
pub fn all() -> &'static [&'static dyn SessionChecker] {
    &[
        &super::lost_writes::LostWrites,
        &super::duplicated_writes::DuplicatedWrites,
        &super::phantom_writes::PhantomWrites,
        &super::counter::Counter,
        &super::read_your_writes::ReadYourWrites,
        &super::monotonic_reads::MonotonicReads,
        &super::stale_reads::StaleReads,
        &super::versions::Versions,
        &super::resurrection::Resurrection,
        &super::renewals::Renewals,
        &super::logouts::Logouts,
        &super::ttl::Ttl,
        &super::immortal_keys::ImmortalKeys,
        &super::isolation::Isolation,
        &super::double_award::DoubleAward,
        &super::user_index::UserIndex,
        &super::counts::Counts,
        &super::health_answers::HealthAnswers,
        &super::linearizable::Linearizable,
    ]
}

/// "`lost-answers` is now called `lost-writes`", if a checker was called `name` in an earlier release.
pub fn renamed(name: &str) -> Option<String> {
    hint(name, all().iter().map(|checker| (checker.facts().name, checker.facts().formerly)))
}

/// What to write instead of the unknown `name`: the present name, the near one, or any there is.
pub fn instead(name: &str) -> String {
    let names = || all().iter().map(|checker| checker.facts().name);
    let meant = renamed(name).or_else(|| did_you_mean(name, names()));
    meant.unwrap_or_else(|| format!("the checkers are {}", names().collect::<Vec<_>>().join(", ")))
}

/// No checker has this name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no checker `{name}`: {}", instead(name))]
pub struct NoSuchChecker {
    /// The name asked for.
    pub name: String,
}

/// The checker of this name.
pub fn named(name: &str) -> Result<&'static dyn SessionChecker, NoSuchChecker> {
    let found = all().iter().copied().find(|checker| checker.facts().name == name);
    found.ok_or_else(|| NoSuchChecker { name: name.to_owned() })
}

/// The checkers that rely on one of `properties`: where these are broken, they accuse a sound store.
pub fn relying_on(properties: Property) -> Vec<Facts> {
    let facts = all().iter().map(|checker| checker.facts());
    facts.filter(|facts| facts.relies_on.intersects(properties)).collect()
}

/// Every checker as the table of the documentation.
pub fn markdown() -> String {
    let mut text = "| Checker | Invalid means | Typical defect |\n|---|---|---|\n".to_owned();
    for facts in all().iter().map(|checker| checker.facts()) {
        text.push_str(&format!("| `{}` | {} | {} |\n", facts.name, facts.invalid, facts.defects));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checkers_are_found_by_name_and_a_wrong_name_lists_the_right_ones() {
        for checker in all() {
            let name = checker.facts().name;
            assert_eq!(named(name).map(|found| found.facts().name), Ok(name));
        }
        let error = named("lost-wrties").err().map(|e| e.to_string()).unwrap_or_default();
        assert_eq!(error, "there is no checker `lost-wrties`: did you mean `lost-writes`?");
        let error = named("unheard-of").err().map(|e| e.to_string()).unwrap_or_default();
        assert!(error.starts_with("there is no checker `unheard-of`: the checkers are lost-writes, "), "{error}");
        let error = named("lost-answers").err().map(|e| e.to_string()).unwrap_or_default();
        assert!(error.ends_with("`lost-answers` is now called `lost-writes`"), "{error}");
    }

    #[test]
    fn what_is_broken_says_who_cannot_judge() {
        let relying = |broken| relying_on(broken).iter().map(|facts| facts.name).collect::<Vec<_>>();
        let keys_deleted = Property::WRITES | Property::EXPIRY | Property::INDEX;
        let mut names = vec![
            "lost-writes",
            "counter",
            "read-your-writes",
            "monotonic-reads",
            "stale-reads",
            "versions",
            "renewals",
            "logouts",
            "ttl",
            "user-index",
            "counts",
            "linearizable",
        ];
        assert_eq!(relying(keys_deleted), names);
        let power_lost = keys_deleted | Property::DESTROYS;
        names.insert(6, "resurrection");
        assert_eq!(relying(power_lost), names);
        names.insert(10, "double-award");
        assert_eq!(relying(power_lost | Property::CLAIMS), names);
        assert_eq!(relying(Property::LIFETIMES), ["ttl", "immortal-keys"]);
        assert_eq!(relying(Property::empty()), [""; 0]);
    }
}
