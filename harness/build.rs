//! What `firedrill --version` says of this build: commit, profile, target and compiler.
//!
//! The commit comes from `FIREDRILL_COMMIT`, if a build without a repository sets it, from `.cargo_vcs_info.json`, which
//! `cargo package` puts into a package, or from git. Unoptimised builds ask git nothing: else every commit would compile the
//! crate again for those who work on it, and what they run is what lies in their folder.

use std::env;
use std::path::Path;
use std::process::Command;

/// What the version says where no commit is known.
const UNKNOWN: &str = "unknown";

/// What is compiled into the command.
const SOURCES: [&str; 9] = [
    "Cargo.toml",
    "Cargo.lock",
    "harness/src",
    "harness/capacity/src",
    "harness/proxy/src",
    "harness/timer/src",
    "reports/src",
    "scenarios",
    "storage/src",
];

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=FIREDRILL_COMMIT");
    let variable = |name: &str| env::var(name).unwrap_or_default();
    let folder = variable("CARGO_MANIFEST_DIR");
    // target/PROFILE/build/firedrill-HASH/out: PROFILE itself only tells optimised from not.
    let out = variable("OUT_DIR");
    let profile = Path::new(&out).ancestors().nth(3).and_then(Path::file_name).and_then(|name| name.to_str());
    let profile = profile.unwrap_or("unknown").to_owned();

    let given = Some(variable("FIREDRILL_COMMIT")).filter(|commit| !commit.is_empty());
    let commit = given
        .or_else(|| packaged(Path::new(&folder)))
        .or_else(|| {
            if variable("PROFILE") == "debug" {
                Some("not recorded in an unoptimised build".to_owned())
            } else {
                git(&folder)
            }
        })
        .unwrap_or_else(|| UNKNOWN.to_owned());
    let compiler = answer(Command::new(variable("RUSTC")).arg("--version")).unwrap_or_else(|| "rustc".to_owned());
    let compiler = compiler.split(" (").next().unwrap_or_default().to_owned();
    println!("cargo::rustc-env=FIREDRILL_COMMIT_TEXT={commit}");
    println!("cargo::rustc-env=FIREDRILL_BUILD={profile}, {}, {compiler}", variable("TARGET"));
}

/// The commit that `cargo package` noted.
fn packaged(folder: &Path) -> Option<String> {
    let text = std::fs::read_to_string(folder.join(".cargo_vcs_info.json")).ok()?;
    let (_, rest) = text.split_once("\"sha1\"")?;
    let commit: String = rest.chars().skip_while(|letter| !letter.is_ascii_hexdigit()).take(12).collect();
    let dirty = text.replace(' ', "").contains("\"dirty\":true");
    Some(if dirty { format!("{commit}, with changes") } else { commit })
}

/// The commit that is checked out in `folder`, and whether what is built differs from it; `None` where git does not track
/// this file: a tarball, or one that was unpacked into another project's repository.
fn git(folder: &str) -> Option<String> {
    let ask = |arguments: &[&str]| answer(Command::new("git").arg("-C").arg(folder).args(arguments));
    ask(&["ls-files", "--error-unmatch", "build.rs"])?;
    let commit = ask(&["rev-parse", "--short=12", "HEAD"])?;
    let root = ask(&["rev-parse", "--show-toplevel"])?;
    // What a commit, a checkout or a reset changes. A file that is not there would make every build run this again.
    for file in ["HEAD", "logs/HEAD"] {
        let path = ask(&["rev-parse", "--path-format=absolute", "--git-path", file])?;
        if Path::new(&path).exists() {
            println!("cargo::rerun-if-changed={path}");
        }
    }
    // What is compiled in. A change in any of it compiles this crate anyway.
    let compiled = SOURCES.iter().map(|source| Path::new(&root).join(source)).filter(|source| source.exists());
    compiled.for_each(|source| println!("cargo::rerun-if-changed={}", source.display()));
    let places: Vec<String> = SOURCES.iter().map(|source| format!(":/{source}")).collect();
    let mut status = vec!["status", "--porcelain", "--untracked-files=no", "--"];
    status.extend(places.iter().map(String::as_str));
    let changed = ask(&status)?;
    Some(if changed.is_empty() { commit } else { format!("{commit}, with changes") })
}

/// What a command prints, without the line break; `None` if it fails.
fn answer(command: &mut Command) -> Option<String> {
    let output = command.output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
