//! A table of limits, as it appears in a scenario.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::limit::{Dimension, Limit};
use crate::nearest::did_you_mean;

/// Something that can be measured and limited.
pub trait Measurable: Sized {
    /// Parses a key; `None` if it names nothing of this kind.
    fn parse(key: &str) -> Option<Self>;

    /// Its unit.
    fn dimension(&self) -> Dimension;

    /// A limit that makes sense for it.
    fn example(&self) -> &'static str {
        self.dimension().example()
    }

    /// Why a limit in its dimension makes no sense for it; `None` if it does.
    fn objection(&self, _limit: &Limit) -> Option<&'static str> {
        None
    }

    /// The keys that there are, for messages.
    fn known() -> String;

    /// What `key` is called now, if an earlier release knew it.
    fn renamed(_key: &str) -> Option<String> {
        None
    }

    /// Every key that there is, among which the one may be that `key` was meant to be.
    fn keys(key: &str) -> Vec<String>;

    /// The JSON Schema of a table of limits.
    fn schema() -> schemars::Schema;
}

/// An entry of a table of limits.
#[derive(Debug, Clone, PartialEq)]
pub struct LimitSpec<M> {
    /// The key as written: `during.errors`.
    pub key: String,
    /// What it limits.
    pub of: M,
    /// The limit.
    pub limit: Limit,
}

/// An invalid entry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LimitError {
    /// The key names nothing that is measured.
    #[error("nothing is measured as `{key}`")]
    Key {
        /// As written.
        key: String,
        /// As written.
        limit: String,
        /// What could be written instead.
        known: String,
    },
    /// The limit does not fit the key.
    #[error("`{limit}` is not a limit for `{key}`")]
    Limit {
        /// The key.
        key: String,
        /// As written.
        limit: String,
        /// A limit that would fit.
        example: &'static str,
    },
    /// The limit fits, and makes no sense for what the key names.
    #[error("`{limit}` makes no sense for `{key}`: {why}")]
    Senseless {
        /// The key.
        key: String,
        /// As written.
        limit: String,
        /// Why not.
        why: &'static str,
        /// A limit that would make sense.
        example: &'static str,
    },
}

impl LimitError {
    /// The entry's key.
    pub fn key(&self) -> &str {
        match self {
            LimitError::Key { key, .. } | LimitError::Limit { key, .. } | LimitError::Senseless { key, .. } => key,
        }
    }

    fn limit(&self) -> &str {
        match self {
            LimitError::Key { limit, .. } | LimitError::Limit { limit, .. } | LimitError::Senseless { limit, .. } => {
                limit
            }
        }
    }

    /// Whether the key is wrong, rather than the limit.
    pub fn in_key(&self) -> bool {
        matches!(self, LimitError::Key { .. })
    }

    /// How to fix it.
    pub fn help(&self) -> String {
        match self {
            LimitError::Key { known, .. } => known.clone(),
            LimitError::Limit { example, .. } | LimitError::Senseless { example, .. } => {
                format!("write it like \"{example}\"")
            }
        }
    }
}

impl<M: Measurable> LimitSpec<M> {
    /// Parses one entry.
    ///
    /// # Errors
    /// [`LimitError`], which says how to fix the entry.
    pub fn parse(key: &str, limit: &str) -> Result<Self, LimitError> {
        let (key, text) = (key.to_owned(), limit.to_owned());
        let Some(of) = M::parse(&key) else {
            let meant = M::renamed(&key).or_else(|| did_you_mean(&key, M::keys(&key)));
            let known = meant.unwrap_or_else(M::known);
            return Err(LimitError::Key { key, limit: text, known });
        };
        match Limit::parse(limit, of.dimension()) {
            Some(limit) => match of.objection(&limit) {
                None => Ok(Self { key, of, limit }),
                Some(why) => Err(LimitError::Senseless { key, limit: text, why, example: of.example() }),
            },
            None => Err(LimitError::Limit { key, limit: text, example: of.example() }),
        }
    }
}

/// A table of limits, parsed once. Invalid entries are kept with their errors, so that validation can report them all;
/// a scenario that passed validation has none.
#[derive(Debug, Clone, PartialEq)]
pub struct Limits<M>(Vec<Result<LimitSpec<M>, LimitError>>);

impl<M> Default for Limits<M> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<M> Limits<M> {
    /// The valid entries, in scenario order.
    pub fn iter(&self) -> impl Iterator<Item = &LimitSpec<M>> {
        self.0.iter().filter_map(|entry| entry.as_ref().ok())
    }

    /// The errors of the invalid entries.
    pub fn errors(&self) -> impl Iterator<Item = &LimitError> {
        self.0.iter().filter_map(|entry| entry.as_ref().err())
    }

    /// Keeps the entries for which `keep` holds, and the invalid ones.
    pub fn retain(&mut self, mut keep: impl FnMut(&LimitSpec<M>) -> bool) {
        self.0.retain(|spec| spec.as_ref().map_or(true, &mut keep));
    }

    /// Whether the table has no entries.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<M: Measurable> FromIterator<(String, String)> for Limits<M> {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(entries: I) -> Self {
        Self(entries.into_iter().map(|(key, limit)| LimitSpec::parse(&key, &limit)).collect())
    }
}

impl<M> Serialize for Limits<M> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|entry| match entry {
            Ok(entry) => (entry.key.as_str(), entry.limit.to_string()),
            Err(error) => (error.key(), error.limit().to_owned()),
        }))
    }
}

impl<'de, M: Measurable> Deserialize<'de> for Limits<M> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Table<M>(PhantomData<M>);

        impl<'de, M: Measurable> Visitor<'de> for Table<M> {
            type Value = Limits<M>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a table of limits")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut entries = Vec::new();
                while let Some((key, limit)) = map.next_entry::<String, String>()? {
                    entries.push(LimitSpec::parse(&key, &limit));
                }
                Ok(Limits(entries))
            }
        }
        deserializer.deserialize_map(Table(PhantomData))
    }
}

impl<M: Measurable> schemars::JsonSchema for Limits<M> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Limits".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        M::schema()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric::Metric;

    type Spec = LimitSpec<Metric>;

    #[test]
    fn a_key_that_nothing_measures_is_refused_with_what_there_is() {
        let error = Spec::parse("during.eror", "<= 1%").unwrap_err();
        assert_eq!(error.to_string(), "nothing is measured as `during.eror`");
        assert!(error.in_key() && error.help() == "did you mean `during.errors`?", "{}", error.help());
        let error = Spec::parse("moonrise", "<= 1%").unwrap_err();
        assert!(error.in_key() && error.help().contains("PHASE.errors"), "{}", error.help());
    }

    #[test]
    fn a_limit_in_the_wrong_unit_is_refused_with_one_that_fits() {
        let error = Spec::parse("during.errors", "<= 50ms").unwrap_err();
        assert_eq!(error.to_string(), "`<= 50ms` is not a limit for `during.errors`");
        assert_eq!(error.help(), "write it like \"<= 1%\"");
    }

    #[test]
    fn a_table_keeps_its_order_and_is_written_as_it_was_read() {
        let text = "recovery = \"<= 3s\"\n\"all.nonsense\" = \"= 1\"\n\"all.p99\" = \"< 1s\"\n";
        let limits: Limits<Metric> = toml::from_str(text).unwrap();
        let keys: Vec<&str> = limits.iter().map(|entry| entry.key.as_str()).collect();
        assert_eq!(keys, ["recovery", "all.p99"]);
        assert_eq!(limits.errors().map(LimitError::key).collect::<Vec<_>>(), ["all.nonsense"]);
        assert_eq!(toml::to_string(&limits).unwrap(), text);
    }
}
