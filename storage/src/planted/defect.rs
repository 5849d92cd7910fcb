//! The description of a planted defect.

/// A planted defect.
#[derive(Debug)]
pub struct Planted {
    /// Its name in scenarios and on the builder: kebab-case.
    pub name: &'static str,
    /// What the store does wrong, in a sentence.
    pub about: &'static str,
    /// Where this was seen: a public report, or the reference system that has it.
    pub source: &'static str,
    /// The shipped scenarios in which it must be noticed: at most four.
    pub scenarios: &'static [Noticed],
    /// What shows it without a drill.
    pub shown_by: Shown,
    /// Whether the store keeps every promise of the contract suite nevertheless.
    pub keeps_contract: bool,
    /// If the defect is in a script: a part of its text, and what stands there instead.
    pub lua: Option<(&'static str, &'static str)>,
}

/// A scenario in which a defect must be noticed.
#[derive(Debug)]
pub struct Noticed {
    /// The name of the shipped scenario.
    pub scenario: &'static str,
    /// The checkers and gates that must notice it.
    pub by: &'static str,
}

/// What shows a defect: it fails with the defect and passes without.
#[derive(Debug, Clone, Copy)]
pub enum Shown {
    /// A schedule of the simulator (`storage/sim`), as text: what callers do and what goes wrong, in milliseconds.
    Schedule(&'static str),
    /// The probe with the defect's name in `storage/tests/suite/planted`, for what a schedule's judge does not look at.
    Probe,
}
