//! Dependencies between files and folders go one way: no crate of the workspace contains a cycle. What a parent
//! declares and re-exports (`mod`, `pub use`) is not its own need, and a name is resolved to the file that defines it.

mod graph;
pub mod tree;

use std::path::{Path, PathBuf};

use graph::circles;
use tree::Crate;

/// The root files of the workspace's crates: the library and every binary of every member.
fn roots(workspace: &Path) -> Vec<PathBuf> {
    let manifest: toml::Table = std::fs::read_to_string(workspace.join("Cargo.toml")).unwrap().parse().unwrap();
    let members = manifest["workspace"]["members"].as_array().unwrap();
    let mut roots = Vec::new();
    for member in members {
        let src = workspace.join(member.as_str().unwrap()).join("src");
        roots.extend(["lib.rs", "main.rs"].map(|root| src.join(root)));
        for bin in std::fs::read_dir(src.join("bin")).into_iter().flatten() {
            let bin = bin.unwrap().path();
            roots.push(if bin.is_dir() { bin.join("main.rs") } else { bin });
        }
    }
    roots.retain(|root| root.exists());
    roots
}

#[test]
fn no_file_and_no_folder_needs_itself_in_a_circle() {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let roots = roots(workspace);
    assert!(roots.len() >= 8, "found only {roots:?}");
    let mut found = Vec::new();
    for root in roots {
        let name = root.strip_prefix(workspace).unwrap().display().to_string();
        found.extend(circles(&Crate::read(&root)).iter().map(|circle| format!("{name}, {circle}")));
    }
    assert!(found.is_empty(), "{} circles:\n\n{}", found.len(), found.join("\n"));
}

/// The circles in a crate with these files.
fn circles_of(files: &[(&str, &str)]) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    circles(&Crate::read(&folder.path().join("lib.rs"))).iter().map(ToString::to_string).collect()
}

#[test]
fn a_circle_of_files_is_found_through_a_re_export_a_path_and_a_macro() {
    let found = circles_of(&[
        ("lib.rs", "mod a; mod b; mod c; pub use c::C;"),
        ("a.rs", "use crate::b::B; pub struct A;"),
        ("b.rs", "pub struct B; fn f() -> super::C { todo!() }"),
        ("c.rs", "pub struct C; fn g() { println!(\"{}\", crate::a::A::NAME); }"),
    ]);
    assert_eq!(found.len(), 1, "{found:?}");
    for line in ["a.rs:1 crate::b::B", "b.rs:1 super::C", "c.rs:1 crate::a::A::NAME"] {
        assert!(found[0].contains(line), "{line} is not in {}", found[0]);
    }
}

#[test]
fn a_circle_of_folders_is_found_where_no_two_files_make_one() {
    let found = circles_of(&[
        ("lib.rs", "mod left; mod right;"),
        ("left/mod.rs", "mod first; mod second; pub use first::First; pub use second::Second;"),
        ("left/first.rs", "pub struct First;"),
        ("left/second.rs", "pub struct Second(crate::right::Right);"),
        ("right.rs", "pub struct Right(crate::left::First);"),
    ]);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].contains("left/ ") && found[0].contains("right.rs "), "{}", found[0]);
}

#[test]
fn a_parent_that_uses_its_child_and_is_used_by_it_makes_a_circle_and_re_exports_and_tests_do_not() {
    let child = "use super::Parent; pub struct Child; #[cfg(test)] mod tests { use crate::other::Other; }";
    let crate_with = |parent| {
        circles_of(&[
            ("lib.rs", "mod parent; mod other;"),
            ("other.rs", "pub struct Other(crate::parent::Child);"),
            ("parent/mod.rs", parent),
            ("parent/child.rs", child),
        ])
    };
    assert!(crate_with("mod child; pub use child::Child; pub struct Parent;").is_empty());
    assert_eq!(crate_with("mod child; pub use child::Child; pub struct Parent(child::Child);").len(), 1);
    assert_eq!(crate_with("mod child; pub use child::Child; use child::Child as C; pub struct Parent;").len(), 1);
}
