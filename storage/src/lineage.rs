//! Which state of which session a stored value is. A version alone does not identify it: a server that lost its last
//! writes gives the same version numbers to other content, and an id that expired starts at 1 again for another
//! session.
//!
//! Every session has a *root*, chosen when it is created, and every write leaves an id of its own. Two states with the
//! same write have the same content; two states with different roots belong to different sessions under one id.

use std::fmt;

use crate::planted;

/// A state's root and write; both 0 if the value has none (an older release wrote it).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Lineage {
    root: u32,
    write: u32,
}

/// Length of its text: 8 hexadecimal digits each for root and write.
pub(crate) const TEXT: usize = 16;

impl Lineage {
    /// A new write, which starts a new session if there is none.
    pub(crate) fn random() -> Self {
        let (root, write) = rand::random();
        Self { root, write }.or_one()
    }

    /// A new write of the same session.
    pub(crate) fn next(self) -> Self {
        let root = if self.root == 0 { rand::random() } else { self.root };
        Self { root, write: rand::random() }.or_one()
    }

    /// This session as left by another write.
    pub(crate) fn written_by(self, line: Lineage) -> Self {
        Self { write: line.write, ..self }
    }

    /// The same write of the session with this root.
    pub(crate) fn rooted(self, root: u32) -> Self {
        Self { root, ..self }
    }

    fn or_one(self) -> Self {
        Self { root: self.root.max(1), write: self.write.max(1) }
    }

    /// Whether both have the same content. Without a write id the answer is no.
    pub(crate) fn is(self, other: Lineage) -> bool {
        self.write != 0 && self == other
    }

    /// Whether it names its session.
    pub(crate) fn has_root(self) -> bool {
        self.root != 0
    }

    /// Whether both certainly belong to different sessions.
    pub(crate) fn is_foreign_to(self, other: Lineage) -> bool {
        !planted::seam!(trusts_versions) && self.root != 0 && other.root != 0 && self.root != other.root
    }

    /// Whether this write left it.
    pub(crate) fn was_left_by(self, write: Lineage) -> bool {
        self.write != 0 && self.write == write.write
    }

    /// The write as the scripts compare it: 8 digits, empty if unknown.
    pub(crate) fn write_text(self) -> String {
        if self.write == 0 { String::new() } else { format!("{:08x}", self.write) }
    }

    /// Parses what [`Display`](fmt::Display) writes.
    pub(crate) fn parse(text: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(text).ok().filter(|text| text.len() == TEXT && text.is_ascii())?;
        Some(Self { root: root(&text[..8])?, write: root(&text[8..])? })
    }
}

/// Parses a root alone.
pub(crate) fn root(text: &str) -> Option<u32> {
    u32::from_str_radix(text, 16).ok().filter(|_| text.len() == 8)
}

impl fmt::Display for Lineage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}{:08x}", self.root, self.write)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lineage_is_read_as_it_is_written() {
        let lineage = Lineage { root: 0xab, write: 0x1234_5678 };
        assert_eq!(lineage.to_string(), "000000ab12345678");
        assert_eq!(Lineage::parse(b"000000ab12345678"), Some(lineage));
        assert_eq!(lineage.write_text(), "12345678");
        for bad in ["", "000000ab1234567", "000000ab1234567g", "000000ab123456789"] {
            assert_eq!(Lineage::parse(bad.as_bytes()), None, "{bad}");
        }
    }

    #[test]
    fn what_does_not_say_is_neither_the_same_nor_foreign() {
        let (unknown, known) = (Lineage::default(), Lineage::random());
        assert!(!unknown.is(unknown) && !unknown.is_foreign_to(known) && !known.is_foreign_to(unknown));
        assert!(known.is(known) && !known.is(known.next()) && !known.next().is_foreign_to(known));
        assert!(known.next().rooted(known.root ^ 1 | 2).is_foreign_to(known));
    }
}
