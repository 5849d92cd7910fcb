//! `cargo package` makes packages that hold all they compile, and `cargo install --git` finds the commands.

use std::path::{Component, Path, PathBuf};
use std::process::Command;

use firedrill::scenario::shipped;
use regex::Regex;

use super::{printed, succeeded};
use crate::support::docker::root;

/// The members that are published, with their names and folders.
fn published() -> Vec<(String, PathBuf)> {
    let mut metadata = cargo(&["metadata", "--no-deps", "--offline", "--locked", "--format-version", "1"]);
    let metadata: serde_json::Value = serde_json::from_str(&printed(&mut metadata)).unwrap();
    let members = metadata["packages"].as_array().unwrap().iter().filter(|one| one["publish"].is_null());
    let folder =
        |one: &serde_json::Value| Path::new(one["manifest_path"].as_str().unwrap()).parent().unwrap().to_owned();
    members.map(|one| (one["name"].as_str().unwrap().to_owned(), folder(one))).collect()
}

fn cargo(arguments: &[&str]) -> Command {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.current_dir(root()).args(arguments);
    cargo
}

/// Packages all that is published into a folder.
fn package(into: &Path, published: &[(String, PathBuf)], more: &[&str]) {
    let mut package = cargo(&["package", "--offline", "--allow-dirty", "--target-dir"]);
    package.arg(into).args(published.iter().flat_map(|(name, _)| ["--package", name])).args(more);
    succeeded(&mut package);
}

/// The package of a crate, unpacked.
fn unpacked(into: &Path, name: &str) -> PathBuf {
    let name = format!("{name}-{}", env!("CARGO_PKG_VERSION"));
    let mut tar = Command::new("tar");
    tar.arg("-xzf").arg(into.join("package").join(format!("{name}.crate"))).arg("-C").arg(into);
    succeeded(&mut tar);
    into.join(name)
}

#[test]
fn every_package_holds_the_files_that_it_compiles_and_its_licences() {
    let folder = tempfile::tempdir().unwrap();
    let published = published();
    package(folder.path(), &published, &["--no-verify"]);
    let named: Vec<&str> = published.iter().map(|(name, _)| name.as_str()).collect();
    assert!(named.contains(&"firedrill") && named.contains(&"firedrill-storage"), "{named:?}");
    let included = Regex::new(r#"include_(?:str|bytes)!\("([^"]+)"\)"#).unwrap();
    let mut checked = 0;
    for name in named {
        let package = unpacked(folder.path(), name);
        for licence in ["LICENSE-MIT", "LICENSE-APACHE"] {
            assert_eq!(
                std::fs::read_to_string(package.join(licence)).unwrap(),
                std::fs::read_to_string(root().join(licence)).unwrap(),
                "{name}: {licence}"
            );
        }
        for file in sources(&package.join("src")) {
            let text = std::fs::read_to_string(&file).unwrap();
            for path in included.captures_iter(&text).map(|found| found[1].to_owned()) {
                let path = plain(&file.parent().unwrap().join(path));
                // Unit tests read pages of docs/, and no package runs them.
                let of_tests = path.components().any(|part| part.as_os_str() == "docs");
                assert!(of_tests || path.starts_with(&package) && path.exists(), "{name} lacks {}", path.display());
                checked += 1;
            }
        }
        let manifest: toml::Table = std::fs::read_to_string(package.join("Cargo.toml")).unwrap().parse().unwrap();
        let dependencies = manifest.get("dependencies").into_iter().flat_map(|table| table.as_table().unwrap());
        for (dependency, wanted) in dependencies {
            assert!(wanted.get("version").is_some() && wanted.get("path").is_none(), "{name}: {dependency} {wanted}");
        }
    }
    assert!(checked > 10, "{checked}");
    let whole = unpacked(folder.path(), "firedrill");
    for scenario in shipped() {
        let file = whole.join("scenarios").join(format!("{}.toml", scenario.name));
        assert_eq!(std::fs::read_to_string(file).unwrap(), scenario.text, "{}", scenario.name);
    }
}

/// A path without its `..`.
fn plain(path: &Path) -> PathBuf {
    path.components().fold(PathBuf::new(), |mut plain, part| {
        match part {
            Component::ParentDir => {
                plain.pop();
            }
            part => plain.push(part),
        }
        plain
    })
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let within = |path: PathBuf| if path.is_dir() { sources(&path) } else { vec![path] };
    entries.flat_map(within).filter(|path| path.extension().is_some_and(|end| end == "rs")).collect()
}

#[test]
#[ignore = "compiles everything twice, for minutes: `make test-all` runs it"]
fn the_packages_compile_by_themselves_and_the_commands_install_from_git() {
    package(&root().join("target/packages"), &published(), &[]);
    let folder = tempfile::tempdir().unwrap();
    let mut install = cargo(&["install", "--locked", "--profile", "drill", "--git"]);
    install.arg(format!("file://{}", root().display())).arg("--root").arg(folder.path());
    install.args(["--target-dir", "target/installed", "firedrill", "firedrill-storage"]);
    succeeded(&mut install);
    let version = printed(Command::new(folder.path().join("bin/firedrill")).arg("--version"));
    let commit = printed(Command::new("git").current_dir(root()).args(["rev-parse", "--short=12", "HEAD"]));
    assert!(version.contains(&format!("\ncommit {commit}")), "{version}");
    assert!(folder.path().join("bin/session-server").is_file());
}
