//! A plan as its file says it: the steps, the drill that rehearses each, and what each may cost.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::text;

/// A plan whose steps drills rehearse.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// What is planned.
    pub title: String,
    /// More about it.
    #[serde(default)]
    pub about: String,
    /// The steps, in order.
    #[serde(rename = "step")]
    pub steps: Vec<Step>,
}

/// A step of a plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// What is done: `Roll back: force memory`.
    pub name: String,
    /// More about it.
    #[serde(default)]
    pub about: String,
    /// The scenario that rehearses it.
    pub scenario: String,
    /// The changes to the scenario with which it was run, as `--set` takes them. Runs with other changes are no evidence.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub set: Vec<String>,
    /// How many runs there must be at least.
    #[serde(default = "one")]
    pub runs: usize,
    /// What it may cost.
    #[serde(default)]
    pub accept: Accept,
}

fn one() -> usize {
    1
}

/// What a step may cost, at most, in each run. What is not stated must not happen at all.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Accept {
    /// Sessions that lose an acknowledged write.
    pub lost: Amount,
    /// Sessions that are not found, for as long as it lasts.
    pub not_found: Amount,
    /// Sessions whose user gets an error, or no answer.
    pub refused: Amount,
    /// Sessions whose user waits for more than a second.
    pub delayed: Amount,
    /// How long one session may be not found, refused or delayed. Not stated: as long as it takes.
    #[serde(rename = "for", skip_serializing_if = "Option::is_none")]
    pub lasting: Option<Lasting>,
}

/// Some sessions: a number, or a share of all.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Amount {
    /// As many.
    Sessions(u64),
    /// This share of all sessions, from 0 to 1.
    Share(f64),
}

impl Default for Amount {
    fn default() -> Self {
        Amount::Sessions(0)
    }
}

impl Amount {
    /// Whether `sessions` of `all` are more.
    pub fn is_exceeded(self, sessions: u64, all: u64) -> bool {
        match self {
            Amount::Sessions(most) => sessions > most,
            Amount::Share(most) => sessions as f64 > most * all as f64,
        }
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Amount::Sessions(0) => f.write_str("none"),
            Amount::Sessions(most) => write!(f, "at most {}", text::count(*most)),
            Amount::Share(most) => write!(f, "at most {}", text::percent(*most)),
        }
    }
}

impl Serialize for Amount {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Amount::Sessions(most) => serializer.serialize_u64(*most),
            Amount::Share(most) => serializer.serialize_str(&format!("{}%", most * 100.0)),
        }
    }
}

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged, expecting = "expected a number of sessions, or a share of them such as \"2%\"")]
        enum Written {
            Sessions(u64),
            Share(String),
        }
        match Written::deserialize(deserializer)? {
            Written::Sessions(most) => Ok(Amount::Sessions(most)),
            Written::Share(text) => text.parse().map_err(serde::de::Error::custom),
        }
    }
}

impl FromStr for Amount {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let percent = text.strip_suffix('%').and_then(|number| number.trim().parse::<f64>().ok());
        match percent.filter(|percent| (0.0..=100.0).contains(percent)) {
            Some(percent) => Ok(Amount::Share(percent / 100.0)),
            None => {
                Err(format!("`{text}` is no share of the sessions: expected 0% to 100%, or a number without quotes"))
            }
        }
    }
}

/// A length of time, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Lasting(pub f64);

impl fmt::Display for Lasting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&text::millis(self.0))
    }
}

impl Serialize for Lasting {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&format!("{}ms", self.0))
    }
}

impl<'de> Deserialize<'de> for Lasting {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl FromStr for Lasting {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        const UNITS: [(&str, f64); 4] = [("ms", 1.0), ("s", 1e3), ("m", 6e4), ("h", 3.6e6)];
        let parsed = UNITS.into_iter().find_map(|(unit, ms)| Some(text.strip_suffix(unit)?.parse::<f64>().ok()? * ms));
        match parsed.filter(|ms| ms.is_finite() && *ms >= 0.0) {
            Some(ms) => Ok(Lasting(ms)),
            None => Err(format!("`{text}` is no length of time: expected such as 250ms, 3s, 2m or 1h")),
        }
    }
}

impl Plan {
    /// Reads a plan from the text of its file.
    ///
    /// # Errors
    /// What is wrong with it, with its line.
    pub fn parse(text: &str) -> Result<Self, String> {
        let plan: Plan = toml::from_str(text).map_err(|error| error.to_string().trim_end().to_owned())?;
        if plan.steps.is_empty() {
            return Err("it has no [[step]]".to_owned());
        }
        for (number, step) in plan.steps.iter().enumerate() {
            if step.runs == 0 {
                return Err(format!("step {} (`{}`): `runs = 0` would need no evidence", number + 1, step.name));
            }
            if let Some(wrong) = step.set.iter().find(|change| !change.contains('=')) {
                return Err(format!("step {} (`{}`): `{wrong}` in `set` is not key=value", number + 1, step.name));
            }
        }
        Ok(plan)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEP: &str = "title = \"Move\"\n[[step]]\nname = \"Migrate\"\nscenario = \"migration-dual-write\"\n";

    #[test]
    fn what_a_step_does_not_state_it_does_not_accept() {
        let plan = Plan::parse(STEP).unwrap();
        let step = &plan.steps[0];
        assert_eq!((step.runs, &step.accept), (1, &Accept::default()));
        assert!(step.accept.lost.is_exceeded(1, 1_000) && !step.accept.lost.is_exceeded(0, 1_000));
        let stated = format!("{STEP}accept = {{ lost = 3, not-found = \"2%\", for = \"1.5s\" }}\n");
        let accept = &Plan::parse(&stated).unwrap().steps[0].accept;
        assert_eq!((accept.lost, accept.not_found), (Amount::Sessions(3), Amount::Share(0.02)));
        assert_eq!((accept.refused, accept.lasting), (Amount::Sessions(0), Some(Lasting(1_500.0))));
        assert!(accept.not_found.is_exceeded(21, 1_000) && !accept.not_found.is_exceeded(20, 1_000));
    }

    #[test]
    fn what_is_wrong_with_a_plan_is_said_with_its_place() {
        for (text, says) in [
            ("title = \"x\"\nstep = []\n".to_owned(), "no [[step]]"),
            ("title = \"x\"\n".to_owned(), "missing field `step`"),
            (format!("{STEP}runs = 0\n"), "step 1 (`Migrate`): `runs = 0`"),
            (format!("{STEP}set = [\"degrade\"]\n"), "`degrade` in `set`"),
            (format!("{STEP}scenaro = \"y\"\n"), "line 5"),
            (format!("{STEP}accept = {{ lost = \"3\" }}\n"), "`3` is no share"),
            (format!("{STEP}accept = {{ lost = -1 }}\n"), "expected a number of sessions"),
            (format!("{STEP}accept = {{ for = \"3 s\" }}\n"), "`3 s` is no length"),
            (format!("{STEP}accept = {{ for = \"-3s\" }}\n"), "`-3s` is no length"),
            (format!("{STEP}accept = {{ lost = \"101%\" }}\n"), "`101%` is no share"),
        ] {
            let error = Plan::parse(&text).unwrap_err();
            assert!(error.contains(says), "{says}: {error}");
        }
    }
}
