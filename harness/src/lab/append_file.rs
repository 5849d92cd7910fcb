//! Redis's append-only file on disk: a single file up to Redis 6; since Redis 7, a folder with a base, increments and a
//! manifest that lists the valid ones. Redis writes to the newest increment.

use std::io;
use std::path::{Path, PathBuf};

const FOLDER: &str = "appendonlydir";
const MANIFEST: &str = "appendonly.aof.manifest";
const SINGLE: &str = "appendonly.aof";

/// The append-only file in one folder, in either layout.
#[derive(Debug, Clone)]
pub struct AppendFile {
    folder: PathBuf,
}

/// The length of the file that Redis was writing to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Length {
    /// The file.
    pub path: PathBuf,
    /// Bytes.
    pub bytes: u64,
}

impl AppendFile {
    /// The append-only file of a server that keeps its data in `folder`.
    pub fn in_folder(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }

    /// The file being written now, and its length.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`] if there is none; the system's error on reading it.
    pub fn length(&self) -> io::Result<Length> {
        let path = self.newest()?;
        let bytes = std::fs::metadata(&path)?.len();
        Ok(Length { path, bytes })
    }

    fn newest(&self) -> io::Result<PathBuf> {
        let dir = self.folder.join(FOLDER);
        match std::fs::read_to_string(dir.join(MANIFEST)) {
            Ok(manifest) => {
                let name = newest_increment(&manifest).ok_or(io::ErrorKind::NotFound)?;
                Ok(dir.join(name))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(self.folder.join(SINGLE)),
            Err(error) => Err(error),
        }
    }
}

impl Length {
    /// Truncates the file to this length. Call it only while no process writes to the file.
    ///
    /// # Errors
    /// The system's error.
    pub fn cut(&self) -> io::Result<()> {
        let file = std::fs::File::options().write(true).open(&self.path)?;
        file.set_len(self.bytes)
    }
}

/// The name of the last increment in a manifest, whose lines read `file NAME seq N type b|h|i`.
fn newest_increment(manifest: &str) -> Option<&str> {
    let increment = |line: &'_ str| line.split_ascii_whitespace().last() == Some("i");
    let line = manifest.lines().rev().find(|line| increment(line))?;
    line.split_ascii_whitespace().nth(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_increment_is_the_last_one_of_the_manifest() {
        let manifest = "file appendonly.aof.2.base.rdb seq 2 type b\nfile appendonly.aof.1.incr.aof seq 1 type h\n\
                        file appendonly.aof.2.incr.aof seq 2 type i\nfile appendonly.aof.3.incr.aof seq 3 type i\n";
        assert_eq!(newest_increment(manifest), Some("appendonly.aof.3.incr.aof"));
        assert_eq!(newest_increment("file appendonly.aof.1.base.rdb seq 1 type b\n"), None);
    }

    #[test]
    fn a_file_is_cut_where_it_was_and_older_servers_have_one_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = AppendFile::in_folder(folder.path());
        assert_eq!(file.length().unwrap_err().kind(), io::ErrorKind::NotFound);
        std::fs::write(folder.path().join(SINGLE), b"1234").unwrap();
        let then = file.length().unwrap();
        std::fs::write(folder.path().join(SINGLE), b"123456789").unwrap();
        assert_eq!(file.length().unwrap().bytes, 9);
        then.cut().unwrap();
        assert_eq!(file.length().unwrap(), then);
    }
}
