//! A drill's changes to systems that are not its own, recorded before they are made: if the harness is killed,
//! `firedrill heal` undoes them from this file. A drill that ends normally removes its journal.
//!
//! A line is on disk (fsync) before the change it announces begins. The file stays locked (flock) while its drill
//! lives, so that nobody heals a running drill.

mod acquire;
pub mod changes;
pub mod place;
mod record;

use std::fs::{File, TryLockError};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use parking_lot::Mutex;

pub use acquire::acquire;
pub use record::{ClientFiles, FORMAT, Header, Record, RedisRecord, Undo};

use super::error::{JournalError, LabError};
use super::process::Owner;
use record::JournalLine;

/// An open journal, of a running drill or of one being healed.
pub struct Journal {
    path: PathBuf,
    /// The token of its drill on an external Redis.
    token: Option<String>,
    state: Mutex<State>,
}

struct State {
    file: Locked,
    next: u64,
    open: Vec<u64>,
}

/// A file whose lock ends with this value. Closing the file is not enough: a child process holds a copy of every open
/// file between fork and exec, and the lock would last as long as the copy.
struct Locked(File);

impl Drop for Locked {
    fn drop(&mut self) {
        let _ = self.0.unlock();
    }
}

/// The result of opening another drill's journal.
pub enum Opened {
    /// Its drill is gone; the journal is now ours.
    Left(Box<(Journal, Record)>),
    /// Its drill is still running.
    Alive(Option<Box<Header>>),
    /// Its drill was killed before it began anything, or has removed the journal in the meantime.
    Empty,
}

impl Journal {
    /// Creates a journal in `folder`.
    ///
    /// # Errors
    /// The system's error; no drill may touch a foreign system without a journal.
    pub fn create(folder: &Path, header: &Header) -> Result<Self, LabError> {
        let path = folder.join(format!("{}-{:08x}.{}", header.owner, rand::random::<u32>(), place::ENDING));
        let failed = |error| LabError::Journal(JournalError::Io { path: path.clone(), source: error });
        place::make(folder).map_err(failed)?;
        let file = File::options().read(true).append(true).create_new(true).mode(0o600).open(&path).map_err(failed)?;
        // On file systems without locks, the pid in the header has to do.
        let _ = file.try_lock();
        let file = Locked(file);
        let token = token(header);
        let journal = Self { path: path.clone(), token, state: Mutex::new(State { file, next: 0, open: Vec::new() }) };
        journal.append(&mut journal.state.lock().file.0, header)?;
        // The directory entry must be on disk as well.
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)?;
        Ok(journal)
    }

    /// Opens the journal at `path` for healing.
    ///
    /// # Errors
    /// [`JournalError::Io`] and [`JournalError::NotAJournal`].
    pub fn open(path: &Path) -> Result<Opened, LabError> {
        let failed = |error| LabError::Journal(JournalError::Io { path: path.to_owned(), source: error });
        let mut file = match File::options().read(true).append(true).open(path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Opened::Empty),
            file => file.map_err(failed)?,
        };
        let locked = !matches!(file.try_lock(), Err(TryLockError::WouldBlock));
        let mut text = String::new();
        file.read_to_string(&mut text).map_err(failed)?;
        let parsed = Record::parse(&text);
        let file = Locked(file);
        if !locked {
            return Ok(Opened::Alive(parsed.ok().flatten().map(|record| Box::new(record.header))));
        }
        match parsed.map_err(|reason| LabError::Journal(JournalError::NotAJournal { path: path.to_owned(), reason }))? {
            None => Ok(Opened::Empty),
            Some(record) if is_alive(record.header.owner) => Ok(Opened::Alive(Some(Box::new(record.header)))),
            Some(record) => {
                let open = record.open.iter().map(|(id, _)| *id).collect();
                let state = Mutex::new(State { file, next: record.next, open });
                let token = token(&record.header);
                Ok(Opened::Left(Box::new((Self { path: path.to_owned(), token, state }, record))))
            }
        }
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Records how to undo a coming change and returns the change's number.
    ///
    /// # Errors
    /// [`JournalError::Io`]: then the change must not be made.
    pub fn announce(&self, undo: Undo) -> Result<u64, LabError> {
        let mut state = self.state.lock();
        let id = state.next;
        self.append(&mut state.file.0, &JournalLine::Change { id, undo })?;
        state.next += 1;
        state.open.push(id);
        Ok(id)
    }

    /// The token that identifies its drill on an external Redis, if there is one.
    pub fn token(&self) -> Option<&str> {
        self.token.as_deref()
    }

    /// Replaces the undo record of change `id` before more is changed.
    ///
    /// # Errors
    /// [`JournalError::Io`]: then the change must not be made.
    pub fn amend(&self, id: u64, undo: Undo) -> Result<(), LabError> {
        self.append(&mut self.state.lock().file.0, &JournalLine::Change { id, undo })
    }

    /// Records that change `id` has been undone.
    ///
    /// # Errors
    /// [`JournalError::Io`]; undoing the change again does no harm.
    pub fn undone(&self, id: u64) -> Result<(), LabError> {
        let mut state = self.state.lock();
        self.append(&mut state.file.0, &JournalLine::Done { done: id })?;
        state.open.retain(|open| *open != id);
        Ok(())
    }

    /// Closes the journal. Removes the file and returns `true` if everything is undone; else the file stays for
    /// `firedrill heal`.
    ///
    /// # Errors
    /// [`JournalError::Io`].
    pub fn close(&self) -> Result<bool, LabError> {
        let clean = self.state.lock().open.is_empty();
        if clean {
            remove(&self.path)?;
        }
        Ok(clean)
    }

    fn append(&self, file: &mut File, line: &impl serde::Serialize) -> Result<(), LabError> {
        let failed = |source| LabError::Journal(JournalError::Io { path: self.path.clone(), source });
        let mut text = serde_json::to_string(line).map_err(|error| failed(error.into()))?;
        text.push('\n');
        // A single write: a kill in the middle leaves an unterminated line, which the reader skips.
        file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(failed)
    }
}

fn token(header: &Header) -> Option<String> {
    header.redis.as_ref().map(|redis| redis.token.clone()).filter(|token| !token.is_empty())
}

/// Moves an unreadable journal out of the way without deleting it, and returns its new path.
///
/// # Errors
/// [`JournalError::Io`].
pub fn set_aside(path: &Path) -> Result<PathBuf, LabError> {
    let aside = path.with_extension("damaged");
    match std::fs::rename(path, &aside) {
        Ok(()) => Ok(aside),
        Err(source) => Err(LabError::Journal(JournalError::Io { path: path.to_owned(), source })),
    }
}

/// Removes a journal; one that is already gone is fine.
///
/// # Errors
/// [`JournalError::Io`].
pub fn remove(path: &Path) -> Result<(), LabError> {
    match std::fs::remove_file(path) {
        Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
            Err(LabError::Journal(JournalError::Io { path: path.to_owned(), source }))
        }
        _ => Ok(()),
    }
}

/// Whether the drill of `owner`, whose journal is not locked, is still running: possible on file systems without locks.
fn is_alive(owner: Owner) -> bool {
    let this = Owner::this_process();
    owner != this && owner.namespace == this.namespace && this.started != 0 && !owner.is_gone()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn header() -> Header {
        let redis = None;
        Header { journal: FORMAT, owner: Owner::this_process(), scenario: "x".into(), began: "now".into(), redis }
    }

    fn left(path: &Path) -> (Journal, Record) {
        match Journal::open(path).unwrap() {
            Opened::Left(left) => *left,
            _ => panic!("not left behind"),
        }
    }

    #[test]
    fn announced_changes_are_found_by_the_next_drill() {
        let folder = tempfile::tempdir().unwrap();
        let journal = Journal::create(&folder.path().join("new"), &header()).unwrap();
        let undo = Undo::Config { name: "maxmemory".into(), value: "0".into(), set: vec!["1".into()] };
        let first = journal.announce(undo.clone()).unwrap();
        journal.announce(Undo::Unpause { ends_ms: 1 }).unwrap();
        journal.undone(first).unwrap();
        let path = journal.path().to_owned();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(matches!(Journal::open(&path).unwrap(), Opened::Alive(Some(_))), "its drill goes on");
        assert!(!journal.close().unwrap(), "something is open");
        // A child process holds such a copy between fork and exec.
        let _copy = journal.state.lock().file.0.try_clone().unwrap();
        drop(journal);

        let (journal, record) = left(&path);
        assert_eq!(record.open, [(1, Undo::Unpause { ends_ms: 1 })]);
        assert_eq!(journal.announce(undo).unwrap(), 2);
        journal.undone(1).unwrap();
        journal.undone(2).unwrap();
        assert!(journal.close().unwrap());
        assert!(!path.exists());
        assert!(matches!(Journal::open(&path).unwrap(), Opened::Empty));
    }

    #[test]
    fn what_is_no_journal_is_an_error_that_names_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notes");
        std::fs::write(&path, "dear diary\n").unwrap();
        let error = Journal::open(&path).err().unwrap().to_string();
        assert!(error.contains("notes") && error.contains("line 1"), "{error}");
    }
}
