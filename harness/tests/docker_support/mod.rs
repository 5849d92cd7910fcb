//! The image that tests run in containers, and the containers that drills have left.
#![allow(dead_code)] // each test binary uses its part

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Once;

use firedrill::lab::Owner;

pub const IMAGE: &str = "firedrill/redis:local";

pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// Makes the image of this machine's redis-server, once.
pub fn image() -> &'static str {
    static MADE: Once = Once::new();
    MADE.call_once(|| {
        let made = Command::new(root().join("scripts/redis-image.sh")).arg(IMAGE).output().unwrap();
        assert!(made.status.success(), "{}", text(&made));
    });
    IMAGE
}

/// Everything that a command has printed.
pub fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Whose the containers of drills are that there are now.
pub fn owners() -> Vec<Owner> {
    let format = "{{.Label \"firedrill.owner\"}}";
    let listed = Command::new("docker")
        .args(["ps", "--all", "--filter", "label=firedrill.owner", "--format", format])
        .output()
        .unwrap();
    assert!(listed.status.success(), "{}", text(&listed));
    String::from_utf8_lossy(&listed.stdout).lines().map(|owner| owner.parse().unwrap()).collect()
}

/// The labels of containers whose drill has ended.
pub fn leftovers() -> Vec<String> {
    owners().into_iter().filter(|owner| owner.is_gone()).map(|owner| owner.to_string()).collect()
}
