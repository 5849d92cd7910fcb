//! The `session-server` that drills of the application need. It belongs to another package, so cargo does not tell the
//! tests its path: if all packages are tested it is next to the command, otherwise it is built.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// Its path.
pub fn session_server() -> &'static Path {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(|| {
        let path = Path::new(env!("CARGO_BIN_EXE_firedrill")).with_file_name("session-server");
        if !path.exists() {
            let mut build = Command::new(env!("CARGO"));
            build.args(["build", "--locked", "-p", "firedrill-storage", "--bin", "session-server"]);
            build.arg("--manifest-path").arg(concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml"));
            if path.parent().is_some_and(|folder| folder.ends_with("release")) {
                build.arg("--release");
            }
            assert!(build.status().unwrap().success(), "session-server could not be built");
        }
        path
    })
}
