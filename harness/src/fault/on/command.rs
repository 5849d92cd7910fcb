//! A fault limited to commands (`on = { command = … }`): while it is active, the proxy harms connections at exactly one point in the
//! execution of certain commands, and no others.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::aim::Aim;
use super::super::context::Site;
use super::super::kind::{FaultKind, Flaw};
use super::super::path::count;
use super::super::{Fault, FaultError, Impact};
use crate::proxy::command::{Action, Side, Trigger, TriggerStats, When};
use crate::units::Share;

/// At which commands a fault strikes.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OnCommand {
    /// The command's name, and after it the arguments that it must begin with: `SET`, `FCALL put`.
    pub(super) command: String,
    /// Only those that follow a command of this name, and with these arguments, on their connection at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) follows: Option<String>,
    /// Once, at the one of this number, counted from 1 over all connections (default: 1).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) nth: Option<u64>,
    /// At each one whose number is a multiple of this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) every: Option<u64>,
    /// At this share of them, drawn from the seed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) share: Option<Share>,
    /// At which point of its execution.
    #[serde(default)]
    pub(super) side: OnSide,
}

/// A point of a command's execution.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) enum OnSide {
    /// It has not reached Redis.
    Before,
    /// Redis has carried it out, and its reply is lost.
    #[default]
    Applied,
    /// A part of its reply has arrived.
    MidReply,
}

impl OnCommand {
    fn when(&self) -> Result<When, Flaw> {
        let flaw = |problem: &str| Err(Flaw::new("on", problem));
        match (self.nth, self.every, self.share) {
            (Some(0), ..) | (_, Some(0), _) => flaw("counts from 1"),
            (nth, None, None) => Ok(When::Nth(nth.unwrap_or(1))),
            (None, Some(every), None) => Ok(When::Every(every)),
            (None, None, Some(Share(share))) if share > 0.0 => Ok(When::Share(share)),
            (None, None, Some(_)) => flaw("needs a `share` of more than \"0%\""),
            _ => flaw("takes one of `nth`, `every` and `share`"),
        }
    }

    /// The proxy's rule.
    ///
    /// # Errors
    /// What is wrong with the specification.
    pub(in crate::fault) fn trigger(&self, action: Action) -> Result<Trigger, Flaw> {
        let pattern =
            |key: &str, text: &str| text.parse().map_err(|problem| Flaw::new("on", format!("`{key}` {problem}")));
        let command = pattern("command", &self.command)?;
        let follows = self.follows.as_deref().map(|text| pattern("follows", text)).transpose()?;
        let side = match self.side {
            OnSide::Before => Side::Before,
            OnSide::Applied => Side::Applied,
            OnSide::MidReply => Side::MidReply,
        };
        Ok(Trigger { command, follows, when: self.when()?, side, action })
    }
}

impl fmt::Display for OnCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let command = &self.command;
        match (self.every, self.share) {
            (Some(every), _) => write!(f, "at each {command} of {every}")?,
            (_, Some(Share(share))) => write!(f, "at {} % of {command}", share * 100.0)?,
            _ => write!(f, "at {command} number {}", self.nth.unwrap_or(1))?,
        }
        if let Some(follows) = &self.follows {
            write!(f, " of those that follow {follows}")?;
        }
        f.write_str(match self.side {
            OnSide::Before => ", before Redis has it",
            OnSide::Applied => ", applied, its reply lost",
            OnSide::MidReply => ", in the middle of its reply",
        })
    }
}

/// The fault of `kind` that acts at the commands selected by `trigger`.
///
/// # Errors
/// [`FaultError::Unreadable`] if the proxy cannot read commands.
pub(in crate::fault) fn at_commands(
    site: &Site,
    kind: &FaultKind,
    on: &OnCommand,
    trigger: Trigger,
) -> Result<Arc<dyn Fault>, FaultError> {
    site.context.read_commands(kind.name())?;
    let aim = Aim::new(site.index, site.context.clone());
    let on = on.to_string();
    Ok(Arc::new(AtCommands { kind: kind.name(), on, trigger, aim, number: Mutex::default(), stats: Mutex::default() }))
}

struct AtCommands {
    kind: &'static str,
    on: String,
    trigger: Trigger,
    aim: Aim,
    /// The trigger's number at the proxy while it is set.
    number: Mutex<Option<u64>>,
    /// What the trigger had done when last asked.
    stats: Mutex<TriggerStats>,
}

impl AtCommands {
    fn stats(&self) -> TriggerStats {
        let mut stats = self.stats.lock();
        if let (Some(number), Ok(path)) = (*self.number.lock(), self.aim.path().proxy()) {
            *stats = path.trigger_stats(number).unwrap_or(*stats);
        }
        *stats
    }

    fn words(&self) -> String {
        let TriggerStats { matched, fired } = self.stats();
        format!("{fired} of {} hit", count(matched, &format!("{} command", self.trigger.command)))
    }
}

#[async_trait::async_trait]
impl Fault for AtCommands {
    fn kind(&self) -> &'static str {
        self.kind
    }

    fn detail(&self) -> String {
        self.on.clone()
    }

    async fn inject(&self) -> Result<(), FaultError> {
        let path = self.aim.take().await?;
        let number = path.proxy()?.add_trigger(self.trigger.clone()).await?;
        *self.stats.lock() = TriggerStats::default();
        *self.number.lock() = Some(number);
        Ok(())
    }

    async fn heal(&self) -> Result<(), FaultError> {
        self.stats();
        let number = *self.number.lock();
        if let Some(number) = number {
            self.aim.path().proxy()?.remove_trigger(number).await?;
            *self.number.lock() = None;
        }
        self.aim.release();
        Ok(())
    }

    async fn impact(&self, _within: Duration) -> Impact {
        Impact { bit: self.stats().fired > 0, evidence: self.words() }
    }

    fn damage(&self) -> Option<String> {
        Some(self.words())
    }
}

#[cfg(test)]
mod tests {
    use super::super::On;
    use super::*;

    fn read(on: &str) -> Result<(Trigger, String), String> {
        let on = match toml::from_str(on).map_err(|error| error.message().to_owned())? {
            On::Command(on) => on,
            On::State(on) => panic!("{on}"),
        };
        let trigger = on.trigger(Action::Reset).map_err(|flaw| format!("`{}` {}", flaw.key, flaw.problem))?;
        Ok((trigger, on.to_string()))
    }

    #[test]
    fn what_is_left_out_means_the_first_applied_one() {
        let (trigger, words) = read("command = 'SET'").unwrap();
        assert_eq!((trigger.when, trigger.side), (When::Nth(1), Side::Applied));
        assert_eq!(words, "at SET number 1, applied, its reply lost");
    }

    #[test]
    fn each_way_of_counting_is_read() {
        assert_eq!(read("command = 'SET'\nnth = 3\nside = 'before'").unwrap().0.when, When::Nth(3));
        assert_eq!(read("command = 'SET'\nevery = 3\nside = 'mid-reply'").unwrap().0.when, When::Every(3));
        let (trigger, words) = read("command = 'FCALL put'\nshare = '30%'").unwrap();
        assert_eq!((trigger.when, &*words), (When::Share(0.3), "at 30 % of FCALL put, applied, its reply lost"));
    }

    #[test]
    fn it_may_ask_for_the_command_before() {
        let (trigger, words) = read("command = 'SET'\nfollows = 'GET'\nside = 'before'").unwrap();
        assert_eq!(trigger.follows, Some("GET".parse().unwrap()));
        assert_eq!(words, "at SET number 1 of those that follow GET, before Redis has it");
    }

    #[test]
    fn what_makes_no_sense_is_refused_with_the_reason() {
        for (on, reason) in [
            ("command = ''", "must name a command"),
            ("command = 'SET'\nnth = 0", "counts from 1"),
            ("command = 'SET'\nnth = 1\nevery = 2", "takes one of `nth`, `every` and `share`"),
            ("command = 'SET'\nshare = '0%'", "more than \"0%\""),
            ("command = 'SET'\nside = 'after'", "unknown variant `after`"),
            ("command = 'SET'\nfollows = ''", "`follows` must name a command"),
        ] {
            let error = read(on).unwrap_err();
            assert!(error.contains(reason), "{on}: {error}");
        }
    }
}
