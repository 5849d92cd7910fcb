//! Security advisories that affect the crates in Cargo.lock, according to the dated list in advisories.toml.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

use serde::Deserialize;

/// The list is not trusted for longer than this.
const TRUSTED_FOR: Duration = Duration::from_secs(90 * 24 * 3_600);

/// The packages that are published or installed; the benches are neither.
const SHIPPED: [&str; 4] = ["firedrill", "firedrill-proxy", "firedrill-reports", "firedrill-storage"];

#[derive(Deserialize)]
struct List {
    reviewed: toml::value::Datetime,
    advisory: Vec<Advisory>,
}

#[derive(Deserialize)]
struct Advisory {
    id: String,
    #[serde(rename = "crate")]
    name: String,
    /// First affected version, first fixed version.
    affected: Vec<(String, String)>,
}

#[derive(Deserialize)]
struct Lock {
    package: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    version: String,
}

#[derive(Deserialize)]
struct Deny {
    advisories: Ignored,
}

#[derive(Deserialize)]
struct Ignored {
    ignore: Vec<Exception>,
}

#[derive(Deserialize)]
struct Exception {
    id: String,
    reason: String,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read<T: serde::de::DeserializeOwned>(file: &str) -> T {
    let text = fs::read_to_string(root().join(file)).unwrap();
    toml::from_str(&text).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// Major, minor and patch. A pre-release counts as its release.
fn version(text: &str) -> [u64; 3] {
    let numbers = text.split(['-', '+']).next().unwrap();
    let mut numbers = numbers.split('.').map(|number| number.parse().unwrap());
    std::array::from_fn(|_| numbers.next().unwrap_or(0))
}

impl Advisory {
    fn hits(&self, package: &Package) -> bool {
        let at = version(&package.version);
        package.name == self.name && self.affected.iter().any(|(from, to)| version(from) <= at && at < version(to))
    }
}

/// The advisories that affect a crate in the lock file, with that crate.
fn hits() -> Vec<(Advisory, Package)> {
    let mut found = Vec::new();
    let packages = read::<Lock>("Cargo.lock").package;
    for advisory in read::<List>("advisories.toml").advisory {
        let hit = packages.iter().find(|package| advisory.hits(package));
        if let Some(Package { name, version }) = hit {
            let package = Package { name: name.clone(), version: version.clone() };
            found.push((advisory, package));
        }
    }
    found
}

#[test]
fn the_list_of_advisories_is_no_older_than_90_days() {
    let reviewed = read::<List>("advisories.toml").reviewed;
    println!("advisories.toml was reviewed on {reviewed}");
    let now = firedrill_reports::text::rfc3339(SystemTime::now() - TRUSTED_FOR);
    let oldest = &now[..10];
    assert!(
        reviewed.to_string().as_str() >= oldest,
        "advisories.toml was reviewed on {reviewed}, before {oldest}: go through rustsec.org again and change the date"
    );
}

#[test]
fn every_advisory_that_hits_the_lock_is_an_exception_with_its_reason_and_no_other_is() {
    let hit: BTreeSet<String> = hits().into_iter().map(|(advisory, _)| advisory.id).collect();
    let exceptions = read::<Deny>("deny.toml").advisories.ignore;
    assert!(exceptions.iter().all(|exception| exception.reason.len() > 20), "an exception without a reason");
    let excepted: BTreeSet<String> = exceptions.into_iter().map(|exception| exception.id).collect();
    assert_eq!(hit, excepted);
}

#[test]
fn no_exception_is_in_what_ships() {
    for (advisory, package) in hits() {
        let spec = format!("{}@{}", package.name, package.version);
        let mut tree = Command::new(env!("CARGO"));
        tree.current_dir(root()).args(["tree", "--offline", "--locked", "--all-features", "--edges", "normal,build"]);
        tree.args(["--invert", &spec]).args(SHIPPED.iter().flat_map(|name| ["--package", name]));
        let tree = tree.output().unwrap();
        let (stdout, stderr) = (String::from_utf8_lossy(&tree.stdout), String::from_utf8_lossy(&tree.stderr));
        assert!(
            tree.status.success() && stderr.contains("nothing to print"),
            "{}: {spec}\n{stdout}{stderr}",
            advisory.id
        );
        assert_eq!(stdout, "", "{}: {spec} ships", advisory.id);
    }
}

#[test]
fn versions_are_compared_by_their_numbers() {
    let advisory = Advisory {
        id: "RUSTSEC-0000-0000".to_owned(),
        name: "h2".to_owned(),
        affected: vec![("0.3.0".to_owned(), "0.4.16".to_owned())],
    };
    let hits =
        |name: &str, version: &str| advisory.hits(&Package { name: name.to_owned(), version: version.to_owned() });
    assert!(hits("h2", "0.3.0") && hits("h2", "0.4.9") && hits("h2", "0.4.15"));
    assert!(!hits("h2", "0.2.27") && !hits("h2", "0.4.16") && !hits("h2", "0.10.0") && !hits("h3", "0.3.0"));
}
