//! A kind in the registry: its description, and how to parse its parameters.

use schemars::generate::SchemaSettings;
use serde_json::Value;
use toml::Spanned;
use toml::de::{DeTable, DeValue, ValueDeserializer};

use super::kind::{Docs, FaultKind, Hits, Kind};

/// One line of the registry.
pub struct Entry {
    /// Its name in scenarios.
    pub name: &'static str,
    /// What it hits.
    pub hits: Hits,
    /// Its documentation.
    pub docs: &'static Docs,
    /// Whether it can be limited to certain commands (`on`).
    pub at_commands: bool,
    /// The keys that say which connections and servers it reaches.
    pub reach: &'static [&'static str],
    read: fn(Spanned<DeTable<'_>>) -> Result<FaultKind, toml::de::Error>,
    schema: fn() -> Value,
}

impl Entry {
    /// The entry of `K`.
    pub const fn of<K: Kind>() -> Self {
        Self {
            name: K::NAME,
            hits: K::HITS,
            docs: &K::DOCS,
            at_commands: K::AT_COMMANDS.is_some(),
            reach: K::REACH,
            read: read::<K>,
            schema: schema::<K>,
        }
    }

    /// Whether it accepts this key, one of those that some kinds accept.
    pub(super) fn accepts(&self, key: &str) -> bool {
        self.reach.contains(&key)
    }

    /// Parses the kind from its parameters.
    ///
    /// # Errors
    /// The first value of a wrong type or unit, with its position in the text.
    pub(super) fn read(&self, parameters: Spanned<DeTable<'_>>) -> Result<FaultKind, toml::de::Error> {
        (self.read)(parameters)
    }

    /// Its parameters, in the order of the struct.
    pub fn parameters(&self) -> Vec<Parameter> {
        let mut schema = (self.schema)();
        let required = schema["required"].take();
        let is_required = |name: &str| required.as_array().is_some_and(|keys| keys.iter().any(|key| key == name));
        let Value::Object(properties) = schema["properties"].take() else { return Vec::new() };
        properties.into_iter().map(|(name, schema)| Parameter { required: is_required(&name), name, schema }).collect()
    }
}

/// A parameter of a kind.
pub struct Parameter {
    /// Its key.
    pub name: String,
    /// Whether it has no default.
    pub required: bool,
    /// Its JSON Schema.
    pub(super) schema: Value,
}

impl Parameter {
    /// Its meaning, in one paragraph.
    pub fn about(&self) -> String {
        self.schema["description"].as_str().unwrap_or_default().replace('\n', " ")
    }

    /// An example in TOML, with its unit if the value does not show it.
    pub fn example(&self) -> String {
        let example = self.schema["examples"].get(0).map(Value::to_string).unwrap_or_default();
        match self.schema["x-unit"].as_str() {
            Some(unit) => format!("{example} ({unit})"),
            None => example,
        }
    }

    /// Its default: `1ms`, `downstream`.
    pub fn default(&self) -> Option<String> {
        match self.schema.get("default")? {
            Value::String(text) => Some(text.clone()),
            other => Some(other.to_string()),
        }
    }
}

fn read<K: Kind>(parameters: Spanned<DeTable<'_>>) -> Result<FaultKind, toml::de::Error> {
    let given = parameters.get_ref().keys().map(|key| key.get_ref().to_string()).collect();
    let span = parameters.span();
    let table = Spanned::new(span, DeValue::Table(parameters.into_inner()));
    K::deserialize(ValueDeserializer::from(table)).map(|kind| FaultKind::read(kind, given))
}

fn schema<K: Kind>() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
    settings.into_generator().into_root_schema_for::<K>().to_value()
}
