//! One `[[fault]]` table of a scenario: which kind, when, for how long, how often. Parsing is strict: a key that the
//! kind does not accept, or a required key that is missing, is an error, and every error has its position in the text.

use std::ops::Range;

use schemars::JsonSchema;
use serde::de::Error as _;
use serde::ser::SerializeMap as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Value, json};
use toml::Spanned;
use toml::de::{DeTable, DeValue, ValueDeserializer};

use super::entry::Entry;
use super::kind::{FaultKind, Flaw, Unfit};
use super::on::{On, OnCommand, OnState};
use super::reach::{CONNECTIONS, ConnectionAge, Reach, TO, TOXICITY, To};
use super::registry::{kind, kinds};
use crate::lab::{Reached, Topology};
use crate::nearest::did_you_mean;
use crate::proxy::command::Trigger;
use crate::units::{Share, Span};

/// Every occurrence is planned, noted and reported, so there must be a limit.
pub(crate) const MOST_REPEATS: u32 = 10_000;

/// One fault of a scenario.
#[derive(Debug, Clone, PartialEq)]
pub struct FaultSpec {
    /// Its name in gates: `fault.NAME.errors`. `None` means its position, from 0.
    pub name: Option<String>,
    /// What it does.
    pub kind: FaultKind,
    /// When it begins, after the start of the measured load.
    pub at: Span,
    /// How long it lasts. Longer than zero.
    pub lasting: Span,
    /// How often it occurs. At least once.
    pub repeat: u32,
    /// From one start to the next, if it occurs more than once.
    pub every: Span,
    /// The maximum random delay of each start, drawn from the drill's seed.
    pub spread: Span,
    /// The connections and servers that it reaches.
    pub reach: Reach,
    /// What it waits for: commands, or a state of the store. `None`: it begins at `at`, for all traffic.
    pub on: Option<On>,
}

/// The keys common to all faults.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
struct Timing {
    /// Short name, `a-z 0-9 -`, by which gates call it: `fault.NAME.errors` (default: its position, from 0).
    #[serde(default)]
    name: Option<String>,
    /// When it begins, after the start of the load.
    at: Span,
    /// How long it lasts.
    #[serde(rename = "for")]
    lasting: Span,
    /// How often it comes (default: once).
    #[serde(default)]
    repeat: Option<u32>,
    /// From one beginning to the next; needed with `repeat`.
    #[serde(default)]
    every: Option<Span>,
    /// Each beginning is delayed by up to this, drawn from the seed.
    #[serde(default)]
    spread: Option<Span>,
    /// Only this share of the connections, drawn from the seed (default: all).
    #[serde(default)]
    toxicity: Option<Share>,
    /// Only connections of this age (default: all).
    #[serde(default)]
    connections: Option<ConnectionAge>,
    /// These servers: numbers from 1, "primary" or "replica" (default: the one that leads when the fault begins). Of an
    /// application: these instances (default: all).
    #[serde(default)]
    to: Option<Vec<To>>,
    /// Strikes at certain commands only, or begins when the store reports a state.
    #[serde(default)]
    on: Option<On>,
}

const TIMING: [&str; 10] = ["name", "at", "for", "repeat", "every", "spread", TOXICITY, CONNECTIONS, TO, ON];

/// The keys that only some kinds accept.
const CHOOSY: [&str; 3] = [TOXICITY, CONNECTIONS, TO];

/// The key of which only some kinds accept the form with a `command`.
const ON: &str = "on";

/// An invalid `[[fault]]` table.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct FaultSpecError {
    message: String,
    span: Option<Range<usize>>,
}

impl FaultSpecError {
    fn at(span: Range<usize>, message: impl Into<String>) -> Self {
        Self { message: message.into(), span: Some(span) }
    }

    /// Its position in the text, in bytes.
    pub fn span(&self) -> Option<Range<usize>> {
        self.span.clone()
    }
}

impl From<toml::de::Error> for FaultSpecError {
    fn from(error: toml::de::Error) -> Self {
        Self { message: error.message().to_owned(), span: error.span() }
    }
}

impl FaultSpec {
    /// Its name in gates, if it is at this position in the scenario.
    pub fn called(&self, position: usize) -> String {
        self.name.clone().unwrap_or_else(|| position.to_string())
    }

    /// The commands it is limited to, and the proxy's rule; `None` if it affects all traffic.
    pub(super) fn trigger(&self) -> Option<(&OnCommand, Result<Trigger, Flaw>)> {
        let (Some(On::Command(on)), action) = (&self.on, self.kind.at_commands()?) else { return None };
        Some((on, action.and_then(|action| on.trigger(action))))
    }

    /// Why it cannot strike at commands in this topology; `None` if it can, or waits for none.
    pub fn unfit_at_commands(&self, topology: Topology) -> Option<Unfit> {
        let sealed = matches!(self.on, Some(On::Command(_))) && topology.reached() == Reached::ByTls;
        sealed.then_some(Unfit {
            why: "over TLS the proxy sees no commands, so a fault cannot strike at some of them",
            cure: "leave out `on`, let it wait for a `state`, or choose another lab.topology",
        })
    }

    /// A fault that occurs once.
    pub fn once(kind: impl Into<FaultKind>, at: Span, lasting: Span) -> Self {
        Self {
            name: None,
            kind: kind.into(),
            at,
            lasting,
            repeat: 1,
            every: Span::default(),
            spread: Span::default(),
            reach: Reach::default(),
            on: None,
        }
    }

    /// Parses the value of a `[[fault]]` table.
    ///
    /// # Errors
    /// The first problem found.
    pub fn read(value: Spanned<DeValue<'_>>) -> Result<Self, FaultSpecError> {
        let span = value.span();
        let DeValue::Table(table) = value.into_inner() else {
            return Err(FaultSpecError::at(span, "a fault is a table: write [[fault]]"));
        };
        Table::sort(span, table)?.read()
    }
}

impl std::str::FromStr for FaultSpec {
    type Err = FaultSpecError;

    /// Parses the keys of one `[[fault]]` table, without its heading.
    fn from_str(text: &str) -> Result<Self, FaultSpecError> {
        let table = DeTable::parse(text)?;
        Self::read(Spanned::new(table.span(), DeValue::Table(table.into_inner())))
    }
}

/// Accepts any format. Errors then have no position; [`FaultSpec::read`] knows it.
impl<'de> Deserialize<'de> for FaultSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let table = toml::Table::deserialize(deserializer)?;
        table.to_string().parse().map_err(D::Error::custom)
    }
}

/// A table with its keys sorted by purpose.
struct Table<'i> {
    span: Range<usize>,
    entry: &'static Entry,
    /// The position of its kind.
    kind: Range<usize>,
    timing: DeTable<'i>,
    parameters: DeTable<'i>,
}

impl<'i> Table<'i> {
    fn sort(span: Range<usize>, table: DeTable<'i>) -> Result<Self, FaultSpecError> {
        let (mut named, mut timing, mut parameters) = (None, DeTable::new(), DeTable::new());
        for (key, value) in table {
            match key.get_ref().as_ref() {
                "kind" => named = Some(value),
                known if TIMING.contains(&known) => drop(timing.insert(key, value)),
                _ => drop(parameters.insert(key, value)),
            }
        }
        let named = named.ok_or_else(|| FaultSpecError::at(span.clone(), "missing field `kind`"))?;
        let at = named.span();
        let DeValue::String(name) = named.into_inner() else {
            return Err(FaultSpecError::at(at, "a kind is text, such as \"proxy.down\""));
        };
        let entry = kind(&name).ok_or_else(|| {
            let known: Vec<&str> = kinds().iter().map(|entry| entry.name).collect();
            let instead = did_you_mean(&name, &known).unwrap_or_else(|| format!("there are {}", known.join(", ")));
            FaultSpecError::at(at.clone(), format!("there is no fault `{name}`: {instead}"))
        })?;
        Ok(Self { span, entry, kind: at, timing, parameters })
    }

    fn read(self) -> Result<FaultSpec, FaultSpecError> {
        self.look_for_strangers()?;
        let Self { span, entry, kind, timing, parameters } = self;
        // The spans of the values.
        let places: Vec<(String, Range<usize>)> =
            timing.iter().chain(&parameters).map(|(key, value)| (key.get_ref().to_string(), value.span())).collect();
        let place =
            |key: &str| places.iter().find(|(known, _)| known == key).map_or(kind.clone(), |(_, place)| place.clone());
        let flawed = |Flaw { key, problem }| FaultSpecError::at(place(key), format!("`{key}` {problem}"));
        // A larger one could be read, and not written.
        let too_large = |value: &DeValue<'_>| match value {
            DeValue::Integer(number) => i64::from_str_radix(&number.as_str().replace('_', ""), number.radix()).is_err(),
            _ => false,
        };
        if let Some((_, value)) = parameters.iter().find(|(_, value)| too_large(value.get_ref())) {
            return Err(FaultSpecError::at(value.span(), format!("TOML's largest number is {}", i64::MAX)));
        }
        let parameters = entry.read(Spanned::new(span.clone(), parameters))?;
        let timing = Spanned::new(span, DeValue::Table(timing));
        let timing = Timing::deserialize(ValueDeserializer::from(timing))?;
        parameters.check().map_err(flawed)?;
        timing.check().map_err(|problem| match problem {
            Untimely::Flawed(flaw) => flawed(flaw),
            Untimely::Alone { given, needs, example } => {
                FaultSpecError::at(place(given), format!("{given} needs `{needs}`, such as {example}"))
            }
        })?;
        if matches!(timing.on, Some(On::Command(_))) && !entry.at_commands {
            let able: Vec<&str> = kinds().iter().filter(|entry| entry.at_commands).map(|entry| entry.name).collect();
            let message = format!("{} takes no `command` in `{ON}`: it is for {}", entry.name, able.join(", "));
            return Err(FaultSpecError::at(place(ON), message));
        }
        timing.on.as_ref().map_or(Ok(()), On::check).map_err(flawed)?;
        let spec = timing.of(parameters);
        spec.kind
            .check_reach(&spec.reach)
            .and_then(|()| spec.reach.check(matches!(spec.on, Some(On::Command(_)))))
            .map_err(flawed)?;
        match spec.trigger() {
            Some((_, Err(flaw))) => Err(flawed(flaw)),
            _ => Ok(spec),
        }
    }

    /// Finds keys that the kind does not accept, and required keys that are missing.
    fn look_for_strangers(&self) -> Result<(), FaultSpecError> {
        let (name, takes) = (self.entry.name, self.entry.parameters());
        for choosy in CHOOSY.into_iter().filter(|key| !self.entry.accepts(key)) {
            if let Some((key, _)) = self.timing.get_key_value(choosy) {
                let able: Vec<&str> =
                    kinds().iter().filter(|kind| kind.accepts(choosy)).map(|kind| kind.name).collect();
                let message = format!("{name} takes no `{choosy}`: it is for {}", able.join(", "));
                return Err(FaultSpecError::at(key.span(), message));
            }
        }
        for key in self.parameters.keys() {
            if !takes.iter().any(|parameter| parameter.name == key.get_ref().as_ref()) {
                let names: Vec<&str> = takes.iter().map(|parameter| parameter.name.as_str()).collect();
                let takes = match names.as_slice() {
                    [] => "no parameters".to_owned(),
                    some => some.join(", "),
                };
                let all = names.iter().copied().chain(TIMING);
                let takes = did_you_mean(key.get_ref(), all).unwrap_or_else(|| format!("it takes {takes}"));
                let message = format!("{name} takes no `{}`: {takes}", key.get_ref());
                return Err(FaultSpecError::at(key.span(), message));
            }
        }
        match takes.iter().find(|parameter| parameter.required && !self.parameters.contains_key(&*parameter.name)) {
            // A missing key has no position, so the error points at the kind that requires it.
            Some(missing) => {
                let message = format!("{name} needs `{}`, such as {}", missing.name, missing.example());
                Err(FaultSpecError::at(self.kind.clone(), message))
            }
            None => Ok(()),
        }
    }
}

/// What is wrong with the keys common to all faults.
enum Untimely {
    Flawed(Flaw),
    /// A key is meaningless without another.
    Alone {
        given: &'static str,
        needs: &'static str,
        example: &'static str,
    },
}

impl Timing {
    fn check(&self) -> Result<(), Untimely> {
        let flaw = |key, problem: String| Err(Untimely::Flawed(Flaw::new(key, problem)));
        let allowed = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '-';
        if self.name.as_ref().is_some_and(|name| name.is_empty() || !name.chars().all(allowed)) {
            return flaw("name", "must be of the characters a-z, 0-9 and -".to_owned());
        }
        if self.lasting == Span::default() {
            return flaw("for", "must be longer than zero".to_owned());
        }
        let needed = Span(self.lasting.0 + self.spread.unwrap_or_default().0);
        match (self.repeat.unwrap_or(1), self.every) {
            (0, _) => flaw("repeat", "must be at least 1".to_owned()),
            (repeat, _) if repeat > MOST_REPEATS => flaw("repeat", format!("must be at most {MOST_REPEATS}")),
            (1, Some(_)) => Err(Untimely::Alone { given: "every", needs: "repeat", example: "3" }),
            (2.., None) => Err(Untimely::Alone { given: "repeat", needs: "every", example: "\"2s\"" }),
            (_, Some(every)) if every < needed => flaw(
                "every",
                format!(
                    "must be at least {needed} (`for` and `spread`): an occurrence must be over before the next begins"
                ),
            ),
            _ => Ok(()),
        }
    }

    fn of(self, kind: FaultKind) -> FaultSpec {
        FaultSpec {
            name: self.name,
            kind,
            at: self.at,
            lasting: self.lasting,
            repeat: self.repeat.unwrap_or(1),
            every: self.every.unwrap_or_default(),
            spread: self.spread.unwrap_or_default(),
            reach: Reach { toxicity: self.toxicity, connections: self.connections, to: self.to },
            on: self.on,
        }
    }
}

/// Serialises as a `[[fault]]` table, leaving out optional keys that were not given.
impl Serialize for FaultSpec {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        if let Some(name) = &self.name {
            map.serialize_entry("name", name)?;
        }
        map.serialize_entry("kind", self.kind.name())?;
        map.serialize_entry("at", &self.at)?;
        map.serialize_entry("for", &self.lasting)?;
        if self.repeat > 1 {
            map.serialize_entry("repeat", &self.repeat)?;
            map.serialize_entry("every", &self.every)?;
        }
        if self.spread != Span::default() {
            map.serialize_entry("spread", &self.spread)?;
        }
        for (key, value) in self.kind.written() {
            map.serialize_entry(&key, &value)?;
        }
        let Reach { toxicity, connections, to } = &self.reach;
        if let Some(toxicity) = toxicity {
            map.serialize_entry(TOXICITY, toxicity)?;
        }
        if let Some(connections) = connections {
            map.serialize_entry(CONNECTIONS, connections)?;
        }
        if let Some(to) = to {
            map.serialize_entry(TO, to)?;
        }
        // In TOML, tables must come after plain values.
        if let Some(on) = &self.on {
            map.serialize_entry(ON, on)?;
        }
        map.end()
    }
}

impl JsonSchema for FaultSpec {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Fault".into()
    }

    /// One schema per kind, with its own parameters and no others.
    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let timing = Timing::json_schema(generator).to_value();
        let mut no_command = timing.clone();
        let on = &mut no_command["properties"][ON];
        *on = json!({ "description": on["description"], "allOf": [generator.subschema_for::<OnState>()] });
        let timing_of = |entry: &Entry| if entry.at_commands { &timing } else { &no_command };
        let tables: Vec<Value> = kinds().iter().map(|entry| table_schema(entry, timing_of(entry))).collect();
        schemars::json_schema!({ "oneOf": tables })
    }
}

fn table_schema(entry: &Entry, timing: &Value) -> Value {
    let about = entry.docs.about;
    let mut properties = serde_json::Map::new();
    properties.insert("kind".to_owned(), json!({ "const": entry.name, "description": about }));
    let timing = timing["properties"].as_object().cloned().unwrap_or_default();
    properties.extend(timing.into_iter().filter(|(key, _)| !CHOOSY.contains(&key.as_str()) || entry.accepts(key)));
    let mut required = vec!["kind".to_owned(), "at".to_owned(), "for".to_owned()];
    for parameter in entry.parameters() {
        if parameter.required {
            required.push(parameter.name.clone());
        }
        properties.insert(parameter.name, parameter.schema);
    }
    json!({
        "title": entry.name,
        "description": about,
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": false,
    })
}

#[cfg(test)]
mod tests;
