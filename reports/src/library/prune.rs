//! Which runs are beyond what is to be kept, and how a run is deleted: only what is certainly a run, and only files that a
//! drill wrote.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::Entry;
use crate::run::{REPORT_FILE, RUN_FILE, Run, RunError};
use crate::text;

/// What is to be kept. A run goes if it is beyond every limit that is given; without limits, none goes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Limits {
    /// Keep what is not older than this.
    pub older_than: Option<Duration>,
    /// Keep this many of the newest.
    pub keep: Option<usize>,
}

/// Why a run was not deleted.
#[derive(Debug, thiserror::Error)]
pub enum Kept {
    /// It is no longer what it was when it was listed.
    #[error(transparent)]
    Changed(#[from] RunError),
    /// Something lies beside the run's files.
    #[error("it holds {name}, which no drill wrote; move it away first")]
    Foreign {
        /// The file or folder.
        name: String,
    },
    /// The file system refuses.
    #[error("cannot delete {}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
}

/// Those of `runs`, sorted from the newest, that are beyond `limits` at `now`. A run that does not say when it was stays.
pub fn surplus<'a>(runs: &[&'a Entry], limits: Limits, now: SystemTime) -> Vec<&'a Entry> {
    if limits == Limits::default() {
        return Vec::new();
    }
    // Times of one format compare like their texts.
    let oldest = limits.older_than.map(|age| text::rfc3339(now.checked_sub(age).unwrap_or(SystemTime::UNIX_EPOCH)));
    let is_old = |run: &Entry| oldest.as_ref().is_none_or(|oldest| run.started_at < *oldest);
    let beyond = runs.iter().skip(limits.keep.unwrap_or(0)).copied();
    beyond.filter(|run| !run.started_at.is_empty() && is_old(run)).collect()
}

/// Deletes the run in `folder` and returns how many bytes that freed: the files that it names and its record, which goes
/// last, and then the folder. Nothing is deleted if anything else lies there.
///
/// # Errors
/// [`Kept`]: the folder stays, with its record.
pub fn delete(folder: &Path) -> Result<u64, Kept> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| Kept::Io { path, source }
    };
    let (mut files, record) = (own_files(folder)?, folder.join(RUN_FILE));
    files.retain(|file| *file != record);
    files.push(record);
    let mut freed = 0;
    for file in files {
        let bytes = fs::symlink_metadata(&file).map_err(failed(&file))?.len();
        fs::remove_file(&file).map_err(failed(&file))?;
        freed += bytes;
    }
    fs::remove_dir(folder).map_err(failed(folder))?;
    Ok(freed)
}

/// The files in `folder`, if each is a run's.
fn own_files(folder: &Path) -> Result<Vec<PathBuf>, Kept> {
    let failed = |source| Kept::Io { path: folder.to_owned(), source };
    let is_folder = fs::symlink_metadata(folder).map_err(failed)?.is_dir();
    let entries = match is_folder {
        true => fs::read_dir(folder).and_then(Iterator::collect::<io::Result<Vec<_>>>).map_err(failed)?,
        false => return Err(Kept::Foreign { name: "a symbolic link".to_owned() }),
    };
    let run = Run::load(folder)?;
    let part = format!(".{RUN_FILE}.part");
    let known = |name: &str| {
        [RUN_FILE, REPORT_FILE, part.as_str()].contains(&name) || run.files.iter().any(|file| file.name == name)
    };
    let mut files = Vec::new();
    for entry in entries {
        let name = entry.file_name().to_string_lossy().into_owned();
        if !entry.file_type().map_err(failed)?.is_file() || !known(&name) {
            return Err(Kept::Foreign { name });
        }
        files.push(entry.path());
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::library::Library;
    use crate::library::tests::saved;

    /// 2026-11-29T10:00:00Z.
    fn now() -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_946_400)
    }

    fn gone(limits: Limits) -> Vec<String> {
        let root = tempfile::tempdir().unwrap();
        for day in ["29", "28", "20", "01"] {
            saved(root.path(), day, &format!("2026-11-{day}T09:00:00.000Z"));
        }
        saved(root.path(), "undated", "");
        let library = Library::of(root.path()).unwrap();
        let gone = surplus(&library.runs.iter().collect::<Vec<_>>(), limits, now());
        gone.iter().map(|run| run.path.file_name().unwrap().to_string_lossy().into_owned()).collect()
    }

    #[test]
    fn a_run_goes_if_it_is_beyond_every_limit() {
        let day = Duration::from_secs(86_400);
        assert_eq!(text::rfc3339(now()), "2026-11-29T10:00:00.000Z");
        assert_eq!(gone(Limits::default()), [""; 0]);
        assert_eq!(gone(Limits { older_than: Some(7 * day), keep: None }), ["20", "01"]);
        assert_eq!(gone(Limits { older_than: None, keep: Some(1) }), ["28", "20", "01"]);
        assert_eq!(gone(Limits { older_than: Some(7 * day), keep: Some(3) }), ["01"]);
        assert_eq!(gone(Limits { older_than: Some(Duration::MAX), keep: Some(0) }), [""; 0]);
    }

    #[test]
    fn a_run_is_deleted_with_the_files_that_it_names() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("run");
        let mut run = Run::default();
        run.file("history.fdh", "every operation");
        run.save(&folder).unwrap();
        fs::write(folder.join("history.fdh"), [0; 1_000]).unwrap();
        fs::write(folder.join(REPORT_FILE), "<html>").unwrap();
        let record = fs::metadata(folder.join(RUN_FILE)).unwrap().len();
        assert_eq!(delete(&folder).unwrap(), 1_006 + record);
        assert!(!folder.exists() && root.path().exists());
    }

    #[test]
    fn a_folder_with_anything_else_stays_as_it_is() {
        let (root, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let folder = saved(root.path(), "run", "");
        let all = |folder: &Path| fs::read_dir(folder).unwrap().count();
        for make in [
            &(|| fs::write(folder.join("notes.txt"), "why").unwrap()) as &dyn Fn(),
            &|| fs::create_dir(folder.join("notes.txt")).unwrap(),
            &|| symlink(elsewhere.path(), folder.join("notes.txt")).unwrap(),
        ] {
            make();
            let kept = delete(&folder).unwrap_err();
            assert!(matches!(&kept, Kept::Foreign { name } if name == "notes.txt"), "{kept}");
            assert_eq!(all(&folder), 2);
            let _ = fs::remove_file(folder.join("notes.txt")).or_else(|_| fs::remove_dir(folder.join("notes.txt")));
        }
        let link = root.path().join("link");
        symlink(&folder, &link).unwrap();
        assert!(delete(&link).is_err());
        fs::write(folder.join(RUN_FILE), "{}").unwrap();
        assert!(matches!(delete(&folder), Err(Kept::Changed(_))));
        assert_eq!(all(&folder), 1);
    }
}
