//! The right side of a gate: a comparison and a quantity, `"<= 50ms"`.

use std::fmt;

use crate::units::{Bytes, Rate, Share, Span};

/// The unit of a quantity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dimension {
    /// Seconds; written `"50ms"`.
    Time,
    /// A share from 0 to 1; written `"1%"`.
    Share,
    /// Events per second; written `"1000/s"`.
    Rate,
    /// A plain number; written `"1"`.
    Count,
    /// An amount of memory; written `"64MiB"`.
    Bytes,
}

impl Dimension {
    /// Its name in the documentation.
    pub fn name(self) -> &'static str {
        match self {
            Dimension::Time => "time",
            Dimension::Share => "share",
            Dimension::Rate => "rate",
            Dimension::Count => "number",
            Dimension::Bytes => "bytes",
        }
    }

    /// An example of a quantity, for messages.
    pub fn example(self) -> &'static str {
        match self {
            Dimension::Time => "<= 50ms",
            Dimension::Share => "<= 1%",
            Dimension::Rate => ">= 900/s",
            Dimension::Count => "= 1",
            Dimension::Bytes => "<= 64MiB",
        }
    }
}

impl Dimension {
    /// A limit in it as a regular expression, for the JSON Schema.
    pub fn pattern(self) -> String {
        let quantity = match self {
            Dimension::Time => Span::PATTERN,
            Dimension::Share => Share::PATTERN,
            Dimension::Rate => Rate::PATTERN,
            Dimension::Bytes => Bytes::PATTERN,
            Dimension::Count => r"^\s*[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?\s*$",
        };
        format!("^\\s*(<=|>=|==|<|>|=){}", quantity.trim_start_matches('^'))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comparison {
    Less,
    AtMost,
    Equal,
    AtLeast,
    More,
}

/// A comparison and a quantity.
#[derive(Debug, Clone, PartialEq)]
pub struct Limit {
    comparison: Comparison,
    quantity: f64,
    text: String,
}

impl Limit {
    /// Parses `"<= 50ms"` for a time, and so on. `None` if the comparison or the unit does not fit.
    pub fn parse(text: &str, dimension: Dimension) -> Option<Self> {
        let trimmed = text.trim();
        // Longest first: "<=" must not be mistaken for "<".
        let (comparison, rest) = [
            ("<=", Comparison::AtMost),
            (">=", Comparison::AtLeast),
            ("==", Comparison::Equal),
            ("<", Comparison::Less),
            (">", Comparison::More),
            ("=", Comparison::Equal),
        ]
        .iter()
        .find_map(|(sign, comparison)| trimmed.strip_prefix(sign).map(|rest| (*comparison, rest.trim())))?;
        let quantity = match dimension {
            Dimension::Time => rest.parse::<Span>().ok()?.0.as_secs_f64(),
            Dimension::Share => rest.parse::<Share>().ok()?.0,
            Dimension::Rate => rest.parse::<Rate>().ok()?.0,
            Dimension::Bytes => rest.parse::<Bytes>().ok()?.0 as f64,
            Dimension::Count => rest.parse::<f64>().ok().filter(|n| n.is_finite())?,
        };
        Some(Self { comparison, quantity, text: trimmed.to_owned() })
    }

    /// The quantity to compare with, in the dimension's base unit.
    pub fn quantity(&self) -> f64 {
        self.quantity
    }

    /// Whether it requires something to happen (`>= 1`), rather than not to happen.
    pub fn demands(&self) -> bool {
        match self.comparison {
            Comparison::AtLeast | Comparison::More => true,
            Comparison::Equal => self.quantity > 0.0,
            Comparison::Less | Comparison::AtMost => false,
        }
    }

    /// Whether it sets no upper bound: `>= 1`, `> 1`.
    pub fn is_at_least(&self) -> bool {
        matches!(self.comparison, Comparison::AtLeast | Comparison::More)
    }

    /// In words: "at least 10".
    pub fn in_words(&self) -> String {
        let comparison = match self.comparison {
            Comparison::Less => "less than",
            Comparison::AtMost => "at most",
            Comparison::Equal => "exactly",
            Comparison::AtLeast => "at least",
            Comparison::More => "more than",
        };
        format!("{comparison} {}", self.text.trim_start_matches(['<', '=', '>']).trim_start())
    }

    /// Whether `actual` is within the limit.
    pub fn holds(&self, actual: f64) -> bool {
        match self.comparison {
            Comparison::Less => actual < self.quantity,
            Comparison::AtMost => actual <= self.quantity,
            Comparison::Equal => actual == self.quantity,
            Comparison::AtLeast => actual >= self.quantity,
            Comparison::More => actual > self.quantity,
        }
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_comparison_means_what_it_says() {
        let holds = |text: &str, actual| Limit::parse(text, Dimension::Count).unwrap().holds(actual);
        assert!(holds("= 1", 1.0) && !holds("= 1", 2.0));
        assert!(holds("<= 1", 1.0) && !holds("< 1", 1.0));
        assert!(holds(">= 1", 1.0) && !holds("> 1", 1.0));
    }

    #[test]
    fn a_limit_is_said_in_words() {
        let words = |text: &str| Limit::parse(text, Dimension::Count).unwrap().in_words();
        assert_eq!([words(">= 10"), words(">3"), words("== 1")], ["at least 10", "more than 3", "exactly 1"]);
    }

    #[test]
    fn the_unit_must_fit_the_dimension() {
        assert!(Limit::parse("<= 50ms", Dimension::Time).is_some_and(|limit| limit.holds(0.05)));
        assert!(Limit::parse("<= 1%", Dimension::Share).is_some_and(|limit| limit.holds(0.01)));
        assert_eq!(Limit::parse("<= 50ms", Dimension::Share), None);
        assert_eq!(Limit::parse("50ms", Dimension::Time), None);
    }
}
