//! Parsers, schemas and rules that are not ours.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use super::docker::{root, text};

/// The Python that has what `scripts/need.sh` installs; `FIREDRILL_TEST_PYTHON` names another.
pub fn python() -> Command {
    Command::new(std::env::var("FIREDRILL_TEST_PYTHON").unwrap_or_else(|_| "/usr/bin/python3".to_owned()))
}

/// A schema or rule of `scripts/validators.txt`, by its path in a package.
pub fn validator(file: &str) -> PathBuf {
    static INSTALLED: LazyLock<PathBuf> = LazyLock::new(|| {
        let installed = Command::new(root().join("scripts/validators.sh")).output().unwrap();
        assert!(installed.status.success(), "scripts/validators.sh: {}", text(&installed));
        root().join("target/validators")
    });
    INSTALLED.join(file)
}

/// A JSON or YAML document that holds to a schema; the error is what the schema finds wrong.
pub fn validated(schema: &str, document: &Path) -> Result<serde_json::Value, String> {
    let script = root().join("harness/tests/support/validate.py");
    let said = python().args(["-W", "ignore"]).arg(script).arg(validator(schema)).arg(document).output().unwrap();
    let said = if said.status.success() { said.stdout } else { return Err(text(&said)) };
    serde_json::from_slice(&said).map_err(|error| error.to_string())
}
