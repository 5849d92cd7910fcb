//! Counts the lines of files while other processes write them.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::PathBuf;

/// Files, and how far they have been read.
pub(super) struct LogLines {
    files: Vec<(PathBuf, u64)>,
    lines: u64,
}

impl LogLines {
    pub(super) fn of(files: Vec<PathBuf>) -> Self {
        Self { files: files.into_iter().map(|file| (file, 0)).collect(), lines: 0 }
    }

    /// The number of complete lines so far. A file that does not exist has none; one that was begun again is read from
    /// its start.
    pub(super) fn count(&mut self) -> u64 {
        let mut piece = [0; 64 << 10];
        for (path, read) in &mut self.files {
            let Ok(mut file) = File::open(path) else { continue };
            if file.metadata().is_ok_and(|now| now.len() < *read) {
                *read = 0;
            }
            if file.seek(SeekFrom::Start(*read)).is_err() {
                continue;
            }
            while let Ok(length @ 1..) = file.read(&mut piece) {
                *read += length as u64;
                self.lines += piece[..length].iter().filter(|byte| **byte == b'\n').count() as u64;
            }
        }
        self.lines
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn lines_of_all_files_are_counted_once() {
        let folder = tempfile::tempdir().unwrap();
        let [log, out] = ["log", "out"].map(|name| folder.path().join(name));
        let mut lines = LogLines::of(vec![log.clone(), out.clone()]);
        assert_eq!(lines.count(), 0);
        let mut file = File::create(&log).unwrap();
        file.write_all(b"one\ntwo\nthr").unwrap();
        std::fs::write(&out, "listening\n").unwrap();
        assert_eq!((lines.count(), lines.count()), (3, 3));
        file.write_all(b"ee\n").unwrap();
        assert_eq!(lines.count(), 4);
        std::fs::write(&log, "anew\n").unwrap();
        assert_eq!(lines.count(), 5);
    }
}
