//! Where a planted defect must be caught, and by what. The self-test and the tests of whole drills read it from here.

/// A drill of a store with a planted defect.
#[derive(Debug, Clone, Copy)]
pub struct Drilled {
    /// The scenario: a shipped one, or one of the self-test's own.
    pub scenario: &'static str,
    /// Changes to it, as for `--set`.
    pub changes: &'static [&'static str],
    /// How it must end.
    pub end: End,
}

/// How a drill of a planted defect must end. A failure is named by the key of a gate, or as `checks.NAME`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// It fails, at least by these.
    Caught(&'static [&'static str]),
    /// It fails by these and nothing else.
    CaughtAlone(&'static [&'static str]),
    /// The defect escapes, for this reason.
    Escapes(&'static str),
}

impl End {
    /// What must fail; empty if the defect escapes.
    pub fn by(self) -> &'static [&'static str] {
        match self {
            Self::Caught(by) | Self::CaughtAlone(by) => by,
            Self::Escapes(_) => &[],
        }
    }
}

/// A drill that fails at least by `by`.
pub(super) const fn caught(
    scenario: &'static str,
    changes: &'static [&'static str],
    by: &'static [&'static str],
) -> Drilled {
    Drilled { scenario, changes, end: End::Caught(by) }
}

/// A drill that fails by `by` and nothing else.
pub(super) const fn caught_alone(
    scenario: &'static str,
    changes: &'static [&'static str],
    by: &'static [&'static str],
) -> Drilled {
    Drilled { scenario, changes, end: End::CaughtAlone(by) }
}

/// A drill that the defect escapes.
pub(super) const fn escapes(scenario: &'static str, changes: &'static [&'static str], reason: &'static str) -> Drilled {
    Drilled { scenario, changes, end: End::Escapes(reason) }
}
