//! The configuration files of an application: written before its first start, into a folder of its own that is removed with the drill.

use std::io;
use std::path::{Path, PathBuf};

use super::super::error::LabError;
use super::super::folder::{LabFolder, default_parent};

/// The folder of one instance. No other user of the machine can enter it, because the files may hold secrets.
pub(super) struct OwnFiles {
    _private: LabFolder,
    path: PathBuf,
}

impl OwnFiles {
    /// Makes the folder.
    ///
    /// # Errors
    /// [`LabError::System`].
    pub(super) fn create() -> Result<Self, LabError> {
        let made = || -> io::Result<Self> {
            let private = LabFolder::create(&default_parent())?;
            // One level down, for the user of a container may be another one, and sees only this.
            let path = private.path().join("files");
            std::fs::create_dir(&path)?;
            Ok(Self { _private: private, path })
        };
        made().map_err(|error| LabError::system("making a folder for the application's files", error))
    }

    /// Its path.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Writes the files, by paths relative to the folder.
    ///
    /// # Errors
    /// [`LabError::System`].
    pub(super) fn write(&self, files: &[(PathBuf, String)]) -> Result<(), LabError> {
        for (name, text) in files {
            let path = self.path.join(name);
            let parent = path.parent().unwrap_or(&self.path);
            let written = std::fs::create_dir_all(parent).and_then(|()| std::fs::write(&path, text));
            written
                .map_err(|error| LabError::system(format!("writing the application's {}", name.display()), error))?;
        }
        Ok(())
    }
}
