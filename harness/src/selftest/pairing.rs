//! What the self-test drills: stores in settings.

use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::scenarios::source;
use crate::drill::{Drill, DrillError};
use crate::scenario::{Override, shipped};
use crate::targets::Defect;
use crate::targets::defect::{Drilled, End};

/// A scenario and the changes to it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Setting {
    /// The scenario's name.
    pub scenario: String,
    /// The changes, as for `--set`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<String>,
}

/// A store in a setting.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Pairing {
    /// The name of the planted defect; `None`: the store is sound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub defect: Option<String>,
    /// The setting.
    #[serde(flatten)]
    pub setting: Setting,
}

impl Setting {
    fn of(drilled: &Drilled) -> Self {
        let changes = drilled.changes.iter().map(|change| (*change).to_owned()).collect();
        Self { scenario: drilled.scenario.to_owned(), changes }
    }
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.scenario)?;
        self.changes.iter().try_for_each(|change| write!(f, ", {change}"))
    }
}

impl Pairing {
    /// The name of the store.
    pub fn store(&self) -> &str {
        self.defect.as_deref().unwrap_or("sound")
    }

    /// How the drill of its defect must end; `None` for the sound store, and for a defect that this binary lacks.
    pub fn end(&self) -> Option<End> {
        let defect = Defect::find(self.defect.as_deref()?)?;
        defect.drills.iter().find(|drilled| Setting::of(drilled) == self.setting).map(|drilled| drilled.end)
    }

    /// Its drill at this seed, which leaves its report under `dir`.
    ///
    /// # Errors
    /// [`DrillError`] if there is no such scenario, or a change is not one.
    pub fn drill(&self, seed: u64, dir: &Path) -> Result<Drill, DrillError> {
        let drill = match source(&self.setting.scenario) {
            Some(source) => Drill::from_source(source),
            // Says which scenarios there are.
            None => Drill::shipped(&self.setting.scenario),
        };
        let changes = self.setting.changes.iter().cloned();
        let changes = changes.chain(self.defect.iter().map(|defect| format!("store.defect={defect}")));
        changes
            .into_iter()
            .try_fold(drill.seed(seed).out(dir), |drill, change| Ok(drill.change(&change.parse::<Override>()?)))
    }
}

/// Each of `defects` in its settings, and the sound store in all of these; in every shipped scenario if `all_sound`.
pub fn pairings(defects: &[Defect], all_sound: bool) -> Vec<Pairing> {
    let settings = |defect: &Defect| defect.drills.iter().map(Setting::of).collect::<Vec<_>>();
    let of = |defect: &Defect| {
        let planted = Some(defect.to_string());
        let pairing = |setting| Pairing { defect: planted.clone(), setting };
        settings(defect).into_iter().map(pairing).collect::<Vec<_>>()
    };
    let mut sound: BTreeSet<Setting> = defects.iter().flat_map(settings).collect();
    if all_sound {
        sound
            .extend(shipped().iter().map(|shipped| Setting { scenario: shipped.name.to_owned(), changes: Vec::new() }));
    }
    let sound = sound.into_iter().map(|setting| Pairing { defect: None, setting });
    defects.iter().flat_map(of).chain(sound).collect()
}
