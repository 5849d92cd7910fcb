//! What the attempts say together: defect × setting, what escaped, and which sound store was accused.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::attempt::{Attempt, Judged};
use super::pairing::Pairing;
use super::record::Record;
use crate::targets::Defect;
use crate::targets::defect::End;

/// The whole picture.
#[derive(Debug, Default)]
pub struct Matrix {
    /// One row for each store in each setting.
    pub rows: Vec<Row>,
    /// The defects that no drill caught at some seed.
    pub escapes: Vec<Escape>,
}

/// A store in a setting, at all seeds.
#[derive(Debug)]
pub struct Row {
    /// The store and the setting.
    pub pairing: Pairing,
    /// At how many seeds it ended as it must: the defect caught, the sound store passed.
    pub met: usize,
    /// At how many seeds it was drilled.
    pub of: usize,
    /// At how many seeds the drill was inconclusive.
    pub unknown: usize,
    /// At how many seeds each of these failed.
    pub by: BTreeMap<String, usize>,
}

/// A defect that escaped.
#[derive(Debug)]
pub struct Escape {
    /// Its name.
    pub defect: String,
    /// At these seeds.
    pub seeds: Vec<u64>,
    /// Why, if the registry says so.
    pub reason: Option<&'static str>,
}

impl Matrix {
    /// What `record` says.
    pub fn of(record: &Record) -> Self {
        let mut cells: BTreeMap<&Pairing, Vec<&Attempt>> = BTreeMap::new();
        for attempt in &record.attempts {
            cells.entry(&attempt.pairing).or_default().push(attempt);
        }
        let mut rows: Vec<Row> = cells.into_iter().map(|(pairing, attempts)| Row::of(pairing, &attempts)).collect();
        // In the registry's order, the sound store last.
        let names = Defect::names();
        let place = |row: &Row| names.iter().position(|name| Some(*name) == row.pairing.defect.as_deref());
        rows.sort_by_key(|row| place(row).unwrap_or(usize::MAX));
        Self { rows, escapes: escapes(&record.attempts) }
    }

    /// The settings in which the sound store was accused.
    pub fn accused(&self) -> impl Iterator<Item = &Row> {
        self.rows.iter().filter(|row| row.pairing.defect.is_none() && row.met + row.unknown < row.of)
    }

    /// How many drills were inconclusive.
    pub fn unknown(&self) -> usize {
        self.rows.iter().map(|row| row.unknown).sum()
    }

    /// Whether every defect was caught, or escaped for a reason that is listed, and no sound store was accused.
    pub fn holds(&self) -> bool {
        self.accused().next().is_none() && self.escapes.iter().all(|escape| escape.reason.is_some())
    }

    /// The table of the documentation.
    pub fn markdown(&self) -> String {
        let mut text = "| store | scenario | as it must | failed |\n|---|---|---|---|\n".to_owned();
        for row in &self.rows {
            let [store, setting] =
                [row.pairing.store(), &row.pairing.setting.to_string()].map(|text| text.replace('|', "\\|"));
            text.push_str(&format!("| `{store}` | {setting} | {} | {} |\n", row.figure(), row.failed()));
        }
        text
    }
}

impl Row {
    fn of(pairing: &Pairing, attempts: &[&Attempt]) -> Self {
        let count = |wanted: &[Judged]| attempts.iter().filter(|attempt| wanted.contains(&attempt.judged())).count();
        let mut by = BTreeMap::new();
        for failed in attempts.iter().flat_map(|attempt| &attempt.failed) {
            *by.entry(failed.clone()).or_default() += 1;
        }
        let met = count(&[Judged::Caught, Judged::Sound]);
        Self { pairing: pairing.clone(), met, of: attempts.len(), unknown: count(&[Judged::Unknown]), by }
    }

    fn figure(&self) -> String {
        match self.unknown {
            0 => format!("{} of {}", self.met, self.of),
            unknown => format!("{} of {} ({unknown} inconclusive)", self.met, self.of),
        }
    }

    fn failed(&self) -> String {
        let each = self.by.iter().map(|(failed, times)| match *times == self.of {
            true => format!("`{failed}`"),
            false => format!("`{failed}` ({times})"),
        });
        each.collect::<Vec<_>>().join(", ")
    }
}

/// The defects that no drill caught at some seed at which all their drills were conclusive.
fn escapes(attempts: &[Attempt]) -> Vec<Escape> {
    let defects: BTreeSet<&str> = attempts.iter().filter_map(|attempt| attempt.pairing.defect.as_deref()).collect();
    let escaped = |defect: &&str| {
        let mut seeds: BTreeMap<u64, Vec<Judged>> = BTreeMap::new();
        for attempt in attempts.iter().filter(|attempt| attempt.pairing.defect.as_deref() == Some(defect)) {
            seeds.entry(attempt.seed).or_default().push(attempt.judged());
        }
        seeds.retain(|_, judged| judged.iter().all(|judged| *judged == Judged::Missed));
        let seeds: Vec<u64> = seeds.into_keys().collect();
        (!seeds.is_empty()).then(|| Escape { defect: (*defect).to_owned(), seeds, reason: reason(defect) })
    };
    defects.iter().filter_map(escaped).collect()
}

/// Why the registry says that the defect escapes.
fn reason(defect: &str) -> Option<&'static str> {
    let defect = Defect::find(defect)?;
    defect.drills.iter().find_map(|drilled| match drilled.end {
        End::Escapes(reason) => Some(reason),
        End::Caught(_) | End::CaughtAlone(_) => None,
    })
}

/// The table for a terminal, and what is wrong.
impl fmt::Display for Matrix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cells = |row: &Row| [row.pairing.store().to_owned(), row.pairing.setting.to_string(), row.figure()];
        let cells: Vec<[String; 3]> = self.rows.iter().map(cells).collect();
        let width = |column: usize| cells.iter().map(|row| row[column].len()).max().unwrap_or(0);
        let [first, second, third] = [width(0), width(1), width(2)];
        for ([store, setting, figure], row) in cells.iter().zip(&self.rows) {
            writeln!(f, "{store:first$}  {setting:second$}  {figure:third$}  {}", row.failed().replace('`', ""))?;
        }
        for escape in &self.escapes {
            let seeds = escape.seeds.iter().map(u64::to_string).collect::<Vec<_>>().join(", ");
            let reason = escape.reason.unwrap_or("no reason is listed");
            writeln!(f, "escaped: {} at seed {seeds}: {reason}", escape.defect)?;
        }
        for row in self.accused() {
            writeln!(f, "accused: the sound store in {}: {}", row.pairing.setting, row.failed().replace('`', ""))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::selftest::attempt::Ended::{self, Failed, Inconclusive, Passed};
    use crate::selftest::pairings;

    /// An attempt in the first setting of the first registered defect, which nothing escapes; `None`: of the sound store.
    fn attempt(defect: Option<Defect>, seed: u64, ended: Ended, failed: &[&str]) -> Attempt {
        let all = pairings(&[first()], false);
        let store = defect.map(|defect| defect.to_string());
        let pairing = all.into_iter().find(|pairing| pairing.defect == store).unwrap();
        let failed = failed.iter().map(|name| (*name).to_owned()).collect();
        Attempt { pairing, seed, ended, failed, reasons: Vec::new(), seconds: 1.0 }
    }

    fn first() -> Defect {
        Defect::find(Defect::names()[0]).unwrap()
    }

    fn matrix(attempts: Vec<Attempt>) -> Matrix {
        let mut record = Record::begin(vec![1, 2]);
        attempts.into_iter().for_each(|attempt| record.add(attempt));
        Matrix::of(&record)
    }

    fn by() -> &'static [&'static str] {
        first().drills[0].end.by()
    }

    #[test]
    fn a_defect_is_caught_by_what_must_catch_it_and_by_nothing_else() {
        let caught = matrix(vec![attempt(Some(first()), 1, Failed, by()), attempt(Some(first()), 2, Failed, by())]);
        assert!(caught.holds());
        assert_eq!((caught.rows[0].met, caught.rows[0].of), (2, 2));
        let otherwise = matrix(vec![attempt(Some(first()), 1, Failed, &["all.p95"])]);
        assert!(!otherwise.holds());
        assert_eq!(otherwise.escapes[0].seeds, [1]);
    }

    #[test]
    fn a_defect_that_passes_at_one_seed_escapes_there() {
        let matrix = matrix(vec![attempt(Some(first()), 1, Failed, by()), attempt(Some(first()), 2, Passed, &[])]);
        assert_eq!(matrix.escapes[0].seeds, [2]);
        let text = matrix.to_string();
        assert!(text.contains("1 of 2") && text.contains("at seed 2: no reason is listed"), "{text}");
    }

    #[test]
    fn an_inconclusive_drill_neither_catches_nor_lets_escape() {
        let matrix = matrix(vec![attempt(Some(first()), 1, Inconclusive, &[])]);
        assert_eq!((matrix.rows[0].met, matrix.unknown(), matrix.escapes.len()), (0, 1, 0));
    }

    #[test]
    fn a_sound_store_that_fails_is_accused() {
        assert!(matrix(vec![attempt(None, 1, Passed, &[])]).holds());
        let accused = matrix(vec![attempt(None, 1, Failed, &["recovery"])]);
        assert!(!accused.holds());
        assert!(accused.to_string().contains("accused: the sound store in "), "{accused}");
    }

    #[test]
    fn an_attempt_takes_the_place_of_an_inconclusive_one() {
        let matrix = matrix(vec![attempt(None, 1, Inconclusive, &[]), attempt(None, 1, Passed, &[])]);
        assert_eq!((matrix.rows.len(), matrix.rows[0].of, matrix.unknown()), (1, 1, 0));
    }

    #[test]
    fn the_table_of_the_documentation_has_a_row_for_each_store_in_each_setting() {
        let text = matrix(vec![attempt(Some(first()), 1, Failed, by()), attempt(None, 1, Passed, &[])]).markdown();
        assert_eq!(text.lines().count(), 4, "{text}");
        assert!(text.ends_with(" | 1 of 1 |  |\n"), "{text}");
    }
}
