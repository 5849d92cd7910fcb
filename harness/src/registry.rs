//! Things that a scenario chooses by name: targets, planted defects. A [`Named`] is one of them; the registry alone decides
//! how it is written, read and described in the JSON Schema.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// An entry of a registry.
pub trait Registered: Sync + 'static {
    /// What the JSON Schema calls one of them.
    const WHAT: &'static str;

    /// The registry, in the order in which it is shown.
    fn all() -> &'static [&'static Self];

    /// One that is in no table and no schema, by its name.
    fn unlisted(_name: &str) -> Option<&'static Self> {
        None
    }

    /// What to write instead of a name that earlier releases knew.
    fn instead_of(_name: &str) -> Option<&'static str> {
        None
    }

    /// Its name in scenarios: kebab-case, unique in the registry.
    fn name(&self) -> &'static str;

    /// What it is, in a sentence.
    fn about(&self) -> &'static str;
}

/// A registered thing, known by its name.
pub struct Named<T: ?Sized + 'static>(&'static T);

impl<T: Registered + ?Sized> Named<T> {
    /// This one.
    pub const fn new(thing: &'static T) -> Self {
        Self(thing)
    }

    /// The names of all of them, in the registry's order.
    pub fn names() -> Vec<&'static str> {
        T::all().iter().map(|thing| thing.name()).collect()
    }

    /// The one of this name.
    pub fn find(name: &str) -> Option<Self> {
        let listed = T::all().iter().copied().find(|thing| thing.name() == name);
        listed.or_else(|| T::unlisted(name)).map(Self)
    }
}

impl<T: ?Sized> std::ops::Deref for Named<T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.0
    }
}

impl<T: ?Sized> Clone for Named<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T: ?Sized> Copy for Named<T> {}

impl<T: Registered + ?Sized> PartialEq for Named<T> {
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name()
    }
}

impl<T: Registered + ?Sized> Eq for Named<T> {}

impl<T: Registered + ?Sized> fmt::Debug for Named<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl<T: Registered + ?Sized> fmt::Display for Named<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl<T: Registered + ?Sized> Serialize for Named<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de, T: Registered + ?Sized> Deserialize<'de> for Named<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = Cow::<'de, str>::deserialize(deserializer)?;
        Self::find(&name).ok_or_else(|| {
            if let Some(instead) = T::instead_of(&name) {
                return serde::de::Error::custom(format!("there is no `{name}` any more: {instead}"));
            }
            let known: Vec<String> = T::all().iter().map(|thing| format!("`{}`", thing.name())).collect();
            serde::de::Error::custom(format!("unknown variant `{name}`, expected one of {}", known.join(", ")))
        })
    }
}

impl<T: Registered + ?Sized> JsonSchema for Named<T> {
    fn schema_name() -> Cow<'static, str> {
        T::WHAT.into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let one = |thing: &&T| json_schema!({ "description": thing.about(), "type": "string", "const": thing.name() });
        json_schema!({ "oneOf": T::all().iter().map(one).collect::<Vec<_>>() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Colour(&'static str);

    impl Registered for Colour {
        const WHAT: &'static str = "Colour";

        fn all() -> &'static [&'static Self] {
            &[&Colour("red"), &Colour("green")]
        }

        fn name(&self) -> &'static str {
            self.0
        }

        fn about(&self) -> &'static str {
            "A colour."
        }
    }

    #[test]
    fn a_registered_thing_is_written_and_read_by_its_name() {
        let green: Named<Colour> = serde_json::from_str("\"green\"").unwrap();
        assert_eq!(green, Named::find("green").unwrap());
        assert_eq!(serde_json::to_string(&green).unwrap(), "\"green\"");
    }

    #[test]
    fn an_unknown_name_is_refused_with_those_that_are_known() {
        let error = serde_json::from_str::<Named<Colour>>("\"blue\"").unwrap_err().to_string();
        assert!(error.starts_with("unknown variant `blue`, expected one of `red`, `green`"), "{error}");
    }

    #[test]
    fn the_schema_has_one_entry_for_each_registered_thing() {
        let schema = schemars::schema_for!(Named<Colour>).to_value();
        let entries = schema["oneOf"].as_array().unwrap();
        assert_eq!(entries.iter().map(|entry| entry["const"].as_str().unwrap()).collect::<Vec<_>>(), ["red", "green"]);
    }
}
