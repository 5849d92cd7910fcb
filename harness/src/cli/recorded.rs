//! Finds the saved runs of a folder.

use std::io;
use std::path::{Path, PathBuf};

use firedrill_reports::Run;
use firedrill_reports::compare::Recorded;
use firedrill_reports::run::RUN_FILE;

use super::exit::Failure;

/// How deep runs may lie: `runs/<time>/<scenario>/`.
const DEPTH: usize = 2;

/// The run of `path`, a run's folder or its `run.json`, or the runs in the folder `path`; the oldest first.
pub fn runs(path: &Path) -> Result<Vec<Recorded>, Failure> {
    let own = path.join(RUN_FILE);
    let mut records = match path.is_dir() && !own.exists() {
        true => records(path, DEPTH).map_err(|error| unreadable(path, &error))?,
        false => vec![path.to_owned()],
    };
    records.sort();
    if records.is_empty() {
        return Err(Failure::File(format!(
            "there is no run in {}: give a run's folder, its {RUN_FILE}, or a folder such as an earlier --out",
            path.display()
        )));
    }
    let mut runs = records.iter().map(|record| recorded(record)).collect::<Result<Vec<_>, _>>()?;
    // The text of RFC 3339 in UTC sorts by time.
    runs.sort_by(|one, other| one.run.started_at.cmp(&other.run.started_at));
    Ok(runs)
}

fn recorded(path: &Path) -> Result<Recorded, Failure> {
    let run = Run::load(path).map_err(|error| Failure::File(error.to_string()))?;
    let folder = if path.is_dir() { Some(path) } else { path.parent() };
    Ok(Recorded { place: folder.unwrap_or(path).display().to_string(), run })
}

/// The records in the folders of `folder`, `depth` levels down.
fn records(folder: &Path, depth: usize) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let inside = entry?.path();
        let record = inside.join(RUN_FILE);
        if record.is_file() {
            found.push(record);
        } else if depth > 1 && inside.is_dir() {
            found.extend(records(&inside, depth - 1)?);
        }
    }
    Ok(found)
}

fn unreadable(path: &Path, error: &io::Error) -> Failure {
    Failure::File(format!("cannot read {}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn save(folder: &Path, started_at: &str) {
        Run { started_at: started_at.to_owned(), ..Run::default() }.save(folder).unwrap();
    }

    #[test]
    fn runs_are_found_two_folders_deep_and_the_newest_is_last() {
        let folder = tempfile::tempdir().unwrap();
        save(&folder.path().join("b/calm"), "2026-01-02T00:00:00.000Z");
        save(&folder.path().join("a/calm"), "2026-01-03T00:00:00.000Z");
        save(&folder.path().join("calm"), "2026-01-01T00:00:00.000Z");
        save(&folder.path().join("too/deep/calm"), "2026-01-04T00:00:00.000Z");
        let found: Vec<String> = runs(folder.path()).unwrap().into_iter().map(|one| one.run.started_at).collect();
        assert_eq!(found, ["2026-01-01", "2026-01-02", "2026-01-03"].map(|day| format!("{day}T00:00:00.000Z")));
        for one in [folder.path().join("calm"), folder.path().join("calm/run.json")] {
            let found = runs(&one).unwrap();
            assert_eq!(found[0].place, folder.path().join("calm").display().to_string());
        }
    }

    #[test]
    fn a_folder_without_a_run_and_a_damaged_record_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let says = |path: &Path| runs(path).unwrap_err().text();
        assert!(says(folder.path()).starts_with("there is no run in /"), "{}", says(folder.path()));
        assert!(says(&folder.path().join("gone")).contains("no run at"), "{}", says(&folder.path().join("gone")));
        std::fs::create_dir(folder.path().join("calm")).unwrap();
        std::fs::write(folder.path().join("calm/run.json"), "{").unwrap();
        assert!(says(folder.path()).contains("calm/run.json is not the record of a Firedrill run"));
    }
}
