//! The defects inside the store ([`firedrill_storage::planted`]). Only a build with the feature `planted` has them, so no table
//! and no schema lists them; docs/storage.md does.

use std::sync::LazyLock;

use firedrill_storage::planted;

use super::plant::{Needs, Plant, Planted};

static INSIDE: LazyLock<Vec<Planted>> = LazyLock::new(|| planted::ALL.iter().map(|defect| of(defect)).collect());

/// The one of this name.
pub(super) fn find(name: &str) -> Option<&'static Planted> {
    INSIDE.iter().find(|defect| defect.name == name)
}

fn of(defect: &'static planted::Planted) -> Planted {
    Planted {
        name: defect.name,
        about: defect.about,
        source: defect.source,
        drills: &[],
        plant: Plant::Inside(defect),
        needs: Needs::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use firedrill_storage::StoreBuilder;

    use super::super::super::Defect;
    use super::*;
    use crate::registry::Registered;
    use crate::scenario;

    #[test]
    fn a_defect_inside_the_store_is_chosen_like_any_other_and_listed_nowhere() {
        assert!(!planted::ALL.is_empty());
        for defect in planted::ALL {
            let chosen: Defect = serde_json::from_str(&format!("\"{}\"", defect.name)).unwrap();
            let Plant::Inside(inside) = chosen.plant else { panic!("{} is not inside the store", defect.name) };
            assert!(std::ptr::eq(inside, *defect));
            assert!(StoreBuilder::new("redis://localhost").planted(chosen.name()).is_ok());
            assert!(!Defect::names().contains(&defect.name), "{} is the name of two defects", defect.name);
        }
    }

    #[test]
    fn what_must_notice_a_defect_inside_the_store_is_a_shipped_scenario() {
        for defect in planted::ALL {
            for planted::Noticed { scenario: name, .. } in defect.scenarios {
                assert!(scenario::shipped().iter().any(|one| one.name == *name), "{}: {name}", defect.name);
            }
        }
    }
}
