//! The refusals of a server by error code: the first reply of each code, and their number.

use std::collections::BTreeMap;

/// The most codes that are distinguished; Redis has about thirty.
const MOST: usize = 64;

/// Refusals by code.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Refusals(BTreeMap<String, (String, u64)>);

impl Refusals {
    /// Counts `more` operations refused with `answer`, which starts with its code.
    pub fn add(&mut self, answer: &str, more: u64) {
        let code = answer.split_whitespace().next().unwrap_or_default();
        let known = self.0.len();
        if let Some((_, count)) = self.0.get_mut(code) {
            *count += more;
        } else if known < MOST {
            self.0.insert(code.to_owned(), (answer.to_owned(), more));
        }
    }

    /// Adds the refusals of another worker; the first answer of a code stays.
    pub fn unite(&mut self, others: &Refusals) {
        others.0.values().for_each(|(answer, count)| self.add(answer, *count));
    }

    /// Code, first answer and count, sorted by code.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str, u64)> {
        self.0.iter().map(|(code, (answer, count))| (code.as_str(), answer.as_str(), *count))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_answer_of_each_code_is_kept_and_all_are_counted() {
        let (mut one, mut other) = (Refusals::default(), Refusals::default());
        one.add("OOM used memory > 'maxmemory'", 1);
        one.add("OOM another sentence", 1);
        other.add("OOM a third", 2);
        other.add("NOPERM no permissions", 1);
        one.unite(&other);
        let found: Vec<_> = one.iter().collect();
        assert_eq!(found, [("NOPERM", "NOPERM no permissions", 1), ("OOM", "OOM used memory > 'maxmemory'", 4)]);
    }
}
