//! Sessions that were given another id: their content is under exactly one id.

use firedrill_storage::Policy;

use super::{Judge, Kind, Violation};
use crate::history::{Call, Outcome};

impl Judge<'_> {
    /// Checks that at the end no item is under two ids, and that no id that was given up has a session.
    pub(super) fn renames(&self, found: &mut Vec<Violation>) {
        for (session, last) in self.run.last.iter().enumerate() {
            let Ok(Some((_, items))) = last else { continue };
            for (other, last) in self.run.last.iter().enumerate().skip(session + 1) {
                let Ok(Some((_, others))) = last else { continue };
                if let Some(item) = items.iter().find(|item| others.contains(item)) {
                    let what = format!("item {item} is in s{session} and in s{other}");
                    found.push(Violation { kind: Kind::Twice, what });
                }
            }
            let given_up = self.calls(session).find(|call| {
                let stays = match call.acked() {
                    Some(false) => true,
                    Some(true) => self.keeps() || self.policy == Policy::SilentCache,
                    None => false,
                };
                let shown = |made: &Call| made.item.is_some_and(|item| items.contains(&item));
                let apart = self.calls(session).any(|made| shown(made) && self.is_apart(made, call));
                call.renames_to().is_some() && stays && !self.excused(call) && !apart
            });
            if let Some(call) = given_up {
                let what = format!("{call} | s{session} holds {items:?}");
                found.push(Violation { kind: Kind::StillThere, what });
            }
        }
    }

    /// The ids whose content a read must show: its own, and those that the session had before. None of them where this
    /// cannot be told: a rename may have come before or after the read, or its process may not have heard of it.
    pub(super) fn ids_behind(&self, read: &Call, fallback: bool) -> Vec<usize> {
        let mut ids = vec![read.session];
        let renames: Vec<&Call> =
            self.kin(read.session).filter(|call| call.renames_to().is_some() && call.can_write()).collect();
        let is_known = |rename: &&Call| {
            let told =
                rename.process == read.process || (rename.acked() == Some(false) && !fallback && !self.touched(rename));
            rename.before(read) && matches!(rename.outcome, Outcome::Acked { .. }) && told && !self.excused(rename)
        };
        if !renames.iter().all(is_known) || renames.iter().any(|rename| rename.session == read.session) {
            return if renames.is_empty() { ids } else { Vec::new() };
        }
        while let Some(rename) = renames.iter().find(|rename| rename.renames_to() == ids.last().copied()) {
            ids.push(rename.session);
        }
        ids
    }
}
