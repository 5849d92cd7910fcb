//! Cycles among the neighbours of each folder: if a file needs a file elsewhere, then their two ancestors in the folder
//! where their paths part need each other.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};

use super::tree::{Crate, Need};

/// What neighbours in one folder need from each other, with the first line that shows each need.
type Needs<'a> = BTreeMap<String, BTreeMap<String, &'a Need>>;

/// Neighbours in a folder that need each other in a circle.
pub struct Circle {
    /// The folder, relative to the crate's root.
    pub folder: PathBuf,
    /// Each neighbour, with the line by which it needs the next one.
    ring: Vec<(String, Need)>,
}

/// All circles of a crate, without duplicates.
pub fn circles(read: &Crate) -> Vec<Circle> {
    let mut folders: BTreeMap<PathBuf, Needs> = BTreeMap::new();
    for need in &read.needs {
        if let Some((folder, from, to)) = part(&need.from, &need.to) {
            folders.entry(folder).or_default().entry(from).or_default().entry(to).or_insert(need);
        }
    }
    let mut circles = Vec::new();
    for (folder, needs) in &folders {
        for knot in knots(needs) {
            let ring = knot.into_iter().map(|(name, need)| (name, need.clone())).collect();
            circles.push(Circle { folder: folder.clone(), ring });
        }
    }
    circles
}

impl fmt::Display for Circle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.folder.as_os_str().is_empty() {
            true => writeln!(f, "at its root:")?,
            false => writeln!(f, "in {}/:", self.folder.display())?,
        }
        for (at, (name, need)) in self.ring.iter().enumerate() {
            let next = &self.ring[(at + 1) % self.ring.len()].0;
            writeln!(f, "  {name} needs {next}: {}:{} {}", need.from.display(), need.line, need.path)?;
        }
        Ok(())
    }
}

/// The folder in which two paths part, and the two neighbours there; the name of a folder ends with a slash.
fn part(from: &Path, to: &Path) -> Option<(PathBuf, String, String)> {
    let mut folder = PathBuf::new();
    let (mut from, mut to) = (from.components().peekable(), to.components().peekable());
    loop {
        let (a, b) = (from.next()?, to.next()?);
        if a == b {
            folder.push(a);
            continue;
        }
        let name = |first: std::path::Component, more: bool| {
            format!("{}{}", first.as_os_str().to_string_lossy(), if more { "/" } else { "" })
        };
        return Some((folder, name(a, from.peek().is_some()), name(b, to.peek().is_some())));
    }
}

/// A shortest circle through each neighbour that is in one, without duplicates.
fn knots<'a>(needs: &Needs<'a>) -> Vec<Vec<(String, &'a Need)>> {
    let mut seen = BTreeSet::new();
    let mut knots = Vec::new();
    for start in needs.keys() {
        let Some(circle) = shortest(needs, start) else { continue };
        let members: BTreeSet<String> = circle.iter().map(|(name, _)| name.clone()).collect();
        if seen.insert(members) {
            knots.push(circle);
        }
    }
    knots
}

/// The shortest way from `start` back to it: each neighbour on the way, with the line by which it needs the next one.
fn shortest<'a>(needs: &Needs<'a>, start: &str) -> Option<Vec<(String, &'a Need)>> {
    let mut reached: BTreeMap<&str, Vec<(String, &'a Need)>> = BTreeMap::new();
    let mut front: Vec<(&str, Vec<(String, &'a Need)>)> = vec![(start, Vec::new())];
    while !front.is_empty() {
        let mut next = Vec::new();
        for (name, way) in front {
            for (to, need) in needs.get(name).into_iter().flatten() {
                let mut way = way.clone();
                way.push((name.to_owned(), *need));
                if to == start {
                    return Some(way);
                }
                if !reached.contains_key(to.as_str()) {
                    reached.insert(to, way.clone());
                    next.push((to.as_str(), way));
                }
            }
        }
        front = next;
    }
    None
}
