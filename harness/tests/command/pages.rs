//! The files named in CONTRIBUTING.md and docs/architecture.md exist, the architecture page lists the modules of the
//! harness, and no page links to a missing file.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use firedrill::scenario::{Source, parse};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn page(name: &str) -> String {
    fs::read_to_string(root().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// The text in backticks, line by line, ignoring code block fences.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter(|line| !line.starts_with("```")).flat_map(|line| line.split('`').skip(1).step_by(2))
}

/// Whether a text in backticks is the path of a file or folder in the repository, rather than a command, a link or a
/// crate's path.
fn is_path(text: &str) -> bool {
    let ends = [".rs", ".md", ".toml", ".sh", "/"];
    let path = |letter: char| letter.is_ascii_alphanumeric() || "/._-".contains(letter);
    text.chars().all(path) && (text.contains('/') || ends.iter().any(|end| text.ends_with(end)))
}

/// Whether the path exists; a part in capitals, as in `check/NAME.rs`, matches any name.
fn exists(folder: &Path, parts: &[&str]) -> bool {
    let Some((part, rest)) = parts.split_first() else { return true };
    let stem = part.split('.').next().unwrap();
    if stem.is_empty() || !stem.chars().all(|letter| letter.is_ascii_uppercase()) || folder.join(part).exists() {
        return folder.join(part).exists() && exists(&folder.join(part), rest);
    }
    let end = &part[stem.len()..];
    let mut entries = fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap());
    entries.any(|entry| {
        let fits = entry.file_name().to_string_lossy().ends_with(end) && (end.is_empty() == entry.path().is_dir());
        fits && exists(&entry.path(), rest)
    })
}

#[test]
fn every_file_that_the_guides_for_contributors_name_exists() {
    let mut named = 0;
    for guide in ["CONTRIBUTING.md", "docs/architecture.md"] {
        for path in quoted(&page(guide)).filter(|text| is_path(text)) {
            let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
            let within = |folder: &str| exists(&root().join(folder), &parts);
            assert!(within("") || within("docs"), "{guide} names {path}, which does not exist");
            named += 1;
        }
    }
    assert!(named > 25, "only {named} paths were found");
}

#[test]
fn every_registry_is_where_contributing_says() {
    let guide = page("CONTRIBUTING.md");
    let mut found = 0;
    for line in guide.lines() {
        let words: Vec<&str> = line.split('`').collect();
        for place in words.windows(3).filter(|place| place[1] == " in ") {
            if place[0].chars().all(|letter| letter.is_ascii_uppercase()) {
                assert!(page(place[2]).contains(&format!("{}:", place[0])), "{} is not in {}", place[0], place[2]);
                found += 1;
            }
        }
    }
    assert!(found >= 2, "{found}");
}

#[test]
fn the_architecture_page_has_every_crate_and_every_module() {
    let guide = page("docs/architecture.md");
    let first_column = |heading: &str| -> BTreeSet<String> {
        let rows = guide.lines().skip_while(|line| *line != heading).skip(2).take_while(|line| line.starts_with('|'));
        rows.flat_map(|row| quoted(row.split('|').nth(1).unwrap()).map(str::to_owned).collect::<Vec<_>>()).collect()
    };

    let manifest: toml::Table = page("Cargo.toml").parse().unwrap();
    let members = manifest["workspace"]["members"].as_array().unwrap();
    let members: BTreeSet<String> = members.iter().map(|member| member.as_str().unwrap().to_owned()).collect();
    assert_eq!(first_column("| crate | what it is | independent of |"), members);

    let entries = fs::read_dir(root().join("harness/src")).unwrap().map(|entry| entry.unwrap().path());
    let names = entries.map(|path| path.file_stem().unwrap().to_string_lossy().into_owned());
    let modules: BTreeSet<String> = names.filter(|name| name != "lib" && name != "main").collect();
    assert_eq!(first_column("| module | what it holds |"), modules);
}

/// The pages that readers open, relative to the repository's root.
fn pages() -> Vec<PathBuf> {
    let docs =
        fs::read_dir(root().join("docs")).unwrap().map(|entry| Path::new("docs").join(entry.unwrap().file_name()));
    let docs = docs.filter(|path| path.extension().is_some_and(|end| end == "md"));
    docs.chain(["README.md", "CONTRIBUTING.md", "scenarios/README.md"].map(PathBuf::from)).collect()
}

#[test]
fn every_test_binary_that_a_page_runs_exists() {
    let manifest: toml::Table = page("Cargo.toml").parse().unwrap();
    let members = manifest["workspace"]["members"].as_array().unwrap();
    let tests: Vec<PathBuf> =
        members.iter().map(|member| root().join(member.as_str().unwrap()).join("tests")).collect();
    let mut found = 0;
    for guide in pages() {
        let text = page(guide.to_str().unwrap());
        for name in text.split("--test ").skip(1).filter_map(|rest| rest.split([' ', '`', '\n']).next()) {
            let there =
                tests.iter().any(|tests| tests.join(name).is_dir() || tests.join(name).with_extension("rs").exists());
            assert!(there, "{} runs the test binary {name}, which does not exist", guide.display());
            found += 1;
        }
    }
    assert!(found >= 5, "{found}");
}

#[test]
fn every_link_between_pages_leads_to_a_file() {
    let mut links = 0;
    for guide in pages() {
        let text = page(guide.to_str().unwrap());
        for link in text.split("](").skip(1).map(|rest| rest.split(')').next().unwrap()) {
            let (file, heading) = link.split_once('#').unwrap_or((link, ""));
            if file.contains("://") {
                continue;
            }
            let target = if file.is_empty() { guide.clone() } else { guide.parent().unwrap().join(file) };
            assert!(root().join(&target).exists(), "{} links to {link}", guide.display());
            if !heading.is_empty() {
                let text = page(target.to_str().unwrap());
                let found = text.lines().filter(|line| line.starts_with('#')).any(|line| anchor(line) == heading);
                assert!(found, "{} links to {link}, and there is no such heading", guide.display());
            }
            links += 1;
        }
    }
    assert!(links > 30, "only {links} links were found");
}

/// GitHub's anchor for a heading.
fn anchor(heading: &str) -> String {
    let text = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = text.chars().filter(|letter| letter.is_alphanumeric() || matches!(letter, ' ' | '-' | '_'));
    kept.map(|letter| if letter == ' ' { '-' } else { letter }).collect()
}

/// A block of TOML that is a whole scenario is one that runs, and a part of `[target.redis]` one that can be in it.
#[test]
fn every_scenario_in_the_documentation_is_valid() {
    let mut found = 0;
    for entry in fs::read_dir(root().join("docs")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|end| end != "md") {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        for block in text.split("```toml\n").skip(1).map(|rest| rest.split("```").next().unwrap()) {
            let whole = block.contains("\nabout") && block.contains("[[load]]") && !block.contains("[app]");
            let text = match block.starts_with("[target.redis]") {
                true => format!(
                    "name = \"x\"\nabout = \"x\"\n[[load]]\nrate = \"1/s\"\nfor = \"1s\"\n[target]\nkind = \"redis\"\n{block}"
                ),
                false => block.to_owned(),
            };
            if whole || text != block {
                let source = Source { name: path.display().to_string(), text };
                parse(&source, &[]).unwrap_or_else(|error| panic!("{}: {error:?}", path.display()));
                found += 1;
            }
        }
    }
    assert!(found >= 3, "{found}");
}
