//! What a fault waits for (`on`): certain commands, or a state that the store under drill reports.

mod command;
mod state;

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

use super::kind::Flaw;
use crate::registry::Named;
use crate::units::{Share, Span};

pub use command::OnCommand;
use command::OnSide;
pub(super) use command::at_commands;
pub use state::{OnState, StoreState, Waiting};

/// What a fault waits for.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum On {
    /// It strikes at certain commands only.
    Command(OnCommand),
    /// It begins when the store reports a state.
    State(OnState),
}

/// Every key of `on`, of which each form takes some.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Keys {
    command: Option<String>,
    follows: Option<String>,
    every: Option<u64>,
    share: Option<Share>,
    side: Option<OnSide>,
    state: Option<Named<StoreState>>,
    after: Option<Span>,
    nth: Option<u64>,
}

impl Keys {
    fn sort(self) -> Result<On, &'static str> {
        match self {
            Keys { command: Some(command), state: None, after: None, follows, nth, every, share, side } => {
                Ok(On::Command(OnCommand { command, follows, nth, every, share, side: side.unwrap_or_default() }))
            }
            Keys {
                command: None,
                state: Some(state),
                follows: None,
                every: None,
                share: None,
                side: None,
                after,
                nth,
            } => Ok(On::State(OnState { state, nth, after })),
            Keys { command: None, state: None, .. } => Err("`on` needs a `command` or a `state`"),
            Keys { command: Some(_), state: Some(_), .. } => Err("`on` takes a `command` or a `state`, not both"),
            Keys { command: Some(_), .. } => Err("`after` belongs to a `state`; a `command` has a `side`"),
            Keys { .. } => Err("`follows`, `every`, `share` and `side` belong to a `command`, not to a `state`"),
        }
    }
}

impl<'de> Deserialize<'de> for On {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Keys::deserialize(deserializer)?.sort().map_err(D::Error::custom)
    }
}

impl JsonSchema for On {
    fn schema_name() -> Cow<'static, str> {
        "On".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let forms = [generator.subschema_for::<OnCommand>(), generator.subschema_for::<OnState>()];
        schemars::json_schema!({ "oneOf": forms })
    }
}

impl On {
    /// What is wrong with it whatever the fault is.
    pub(super) fn check(&self) -> Result<(), Flaw> {
        match self {
            On::Command(_) => Ok(()),
            On::State(on) => on.check(),
        }
    }

    /// The state it waits for; `None` if it strikes at commands.
    pub fn state(&self) -> Option<&OnState> {
        match self {
            On::Command(_) => None,
            On::State(on) => Some(on),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_keys_of_one_form_are_refused_in_the_other() {
        for (on, reason) in [
            ("", "needs a `command` or a `state`"),
            ("nth = 3", "needs a `command` or a `state`"),
            ("command = 'SET'\nstate = 'draining'", "a `command` or a `state`, not both"),
            ("command = 'SET'\nafter = '5ms'", "`after` belongs to a `state`"),
            ("state = 'draining'\nside = 'before'", "belong to a `command`"),
            ("state = 'draining'\nfollows = 'GET'", "belong to a `command`"),
            ("state = 'drain'", "unknown variant `drain`, expected one of `fallback`, `draining`"),
            ("state = 'draining'\nafter = 'soon'", "a length of time like"),
            ("command = 'SET'\ntimes = 3", "unknown field `times`"),
        ] {
            let error = toml::from_str::<On>(on).unwrap_err();
            assert!(error.message().contains(reason), "{on}: {error}");
        }
    }
}
