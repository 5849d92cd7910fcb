//! The temporary folder of a managed Redis. Its owner removes it on drop; if the owner was killed with SIGKILL, the
//! next start removes it, recognising the owner by the pid and start time in the folder's name.

use std::io;
use std::path::{Path, PathBuf};

use super::process::Owner;

const PREFIX: &str = "firedrill-lab-";

/// Free space that a memory file system needs to hold a lab's data.
const MEMORY_WANTED: u64 = 1 << 30;

/// Where temporary folders are created: `TMPDIR` if set, else memory (`/dev/shm`) if it has room, else the system's
/// temporary folder.
///
/// Memory is preferred because with `everysec` Redis holds back acknowledged writes during an fsync: on a busy disk, a
/// SIGKILL at that moment loses them, and the drill would measure the disk rather than the store.
pub fn default_parent() -> PathBuf {
    let memory = Path::new("/dev/shm");
    let roomy = || free_bytes(memory).is_ok_and(|free| free >= MEMORY_WANTED);
    if std::env::var_os("TMPDIR").is_none() && roomy() { memory.to_owned() } else { std::env::temp_dir() }
}

/// Bytes that this user can still write to the file system of `folder`.
pub fn free_bytes(folder: &Path) -> nix::Result<u64> {
    nix::sys::statvfs::statvfs(folder).map(|file_system| file_system.blocks_available() * file_system.fragment_size())
}

/// A folder that is removed when this value drops.
#[derive(Debug)]
pub struct LabFolder {
    dir: tempfile::TempDir,
}

impl LabFolder {
    /// Creates a folder under `parent` and removes those there whose owner is gone.
    ///
    /// # Errors
    /// The system's error on creating it; a folder that cannot be removed is left for the next start.
    pub fn create(parent: &Path) -> io::Result<Self> {
        remove_orphans(parent, false);
        let dir = tempfile::Builder::new().prefix(&folder_prefix(Owner::this_process())).tempdir_in(parent)?;
        Ok(Self { dir })
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        self.dir.path()
    }
}

/// The prefix of the names of `owner`'s folders.
fn folder_prefix(owner: Owner) -> String {
    format!("{PREFIX}{owner}-")
}

/// The creator of `folder`, read from its name.
fn owner_of(folder: &str) -> Option<Owner> {
    let name = folder.strip_prefix(PREFIX)?;
    // A unique suffix follows the owner's three numbers.
    name.rsplit_once('-')?.0.parse().ok()
}

/// Removes the folders in `parent` whose owners were killed, or only lists them if `dry`. A folder that cannot be
/// removed is left for the next start.
pub fn remove_orphans(parent: &Path, dry: bool) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(parent) else { return Vec::new() };
    let left: Vec<PathBuf> = entries
        .flatten()
        .filter(|entry| owner_of(&entry.file_name().to_string_lossy()).is_some_and(|owner| owner.is_gone()))
        .map(|entry| entry.path())
        .collect();
    let removed = |folder: &PathBuf| match if dry { Ok(()) } else { std::fs::remove_dir_all(folder) } {
        Ok(()) => true,
        Err(error) => {
            tracing::debug!(folder = %folder.display(), %error, "left as it is");
            false
        }
    };
    left.into_iter().filter(removed).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_goes_with_its_value() {
        let parent = tempfile::tempdir().unwrap();
        let folder = LabFolder::create(parent.path()).unwrap();
        std::fs::write(folder.path().join("appendonly.aof"), b"x").unwrap();
        let path = folder.path().to_owned();
        drop(folder);
        assert!(!path.exists());
    }

    #[test]
    fn only_folders_of_ended_owners_are_swept() {
        let parent = tempfile::tempdir().unwrap();
        let this = Owner::this_process();
        let earlier = Owner { started: this.started - 1, ..this };
        let elsewhere = Owner { namespace: this.namespace + 1, ..earlier };
        let make = |owner: Owner| {
            let path = parent.path().join(folder_prefix(owner) + "abc");
            std::fs::create_dir(&path).unwrap();
            path
        };
        let (alive, gone, unknown) = (make(this), make(earlier), make(elsewhere));
        let foreign = parent.path().join("firedrill-notes");
        std::fs::create_dir(&foreign).unwrap();

        let _folder = LabFolder::create(parent.path()).unwrap();

        assert!(alive.exists() && unknown.exists() && foreign.exists());
        assert!(!gone.exists());
    }
}
