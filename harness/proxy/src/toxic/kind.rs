//! The parts of a toxic: a [`ToxicKind`] is a set of attributes with documentation and defaults, and a [`Toxic`] is any
//! of the kinds.

use std::any::Any;
use std::fmt::Debug;
use std::sync::Arc;
use std::time::Instant;

use serde::de::DeserializeOwned;
use serde::ser::SerializeStruct as _;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

use super::stage::{Stage, ToxicRng};
use crate::error::ProxyError;

/// A kind of toxic. The implementing type holds its attributes, with names and units from Toxiproxy's API; its
/// `Default` provides the values of omitted attributes.
pub trait ToxicKind: Debug + Default + PartialEq + Serialize + DeserializeOwned + Send + Sync + 'static {
    /// Its name in Toxiproxy's API.
    const NAME: &'static str;

    /// What it does, in one sentence.
    const ABOUT: &'static str;

    /// Rejects attributes that are invalid together.
    ///
    /// # Errors
    /// What is wrong with them.
    fn check(&self) -> Result<(), String> {
        Ok(())
    }

    /// Starts the toxic on one link of one connection at `now`. `rng` belongs to this link: equal seeds draw equal
    /// numbers.
    fn stage(&self, rng: ToxicRng, now: Instant) -> Box<dyn Stage>;
}

/// A toxic of some kind, with its attributes. Clones share them.
#[derive(Debug, Clone)]
pub struct Toxic(Arc<dyn AnyKind>);

impl<K: ToxicKind> From<K> for Toxic {
    fn from(kind: K) -> Self {
        Self(Arc::new(kind))
    }
}

impl Toxic {
    /// The name of its kind in Toxiproxy's API.
    pub fn kind(&self) -> &'static str {
        self.0.name()
    }

    /// The attributes by name.
    pub fn attributes(&self) -> Map<String, Value> {
        self.0.attributes()
    }

    /// The same kind with some attributes changed.
    ///
    /// # Errors
    /// [`ProxyError::Attributes`] if they do not fit the kind.
    pub fn changed(&self, attributes: Map<String, Value>) -> Result<Self, ProxyError> {
        let mut merged = self.attributes();
        merged.extend(attributes);
        self.0.with(merged)
    }

    /// # Errors
    /// [`ProxyError::Attributes`] if they are invalid together.
    pub(crate) fn check(&self) -> Result<(), ProxyError> {
        self.0.check().map_err(ProxyError::Attributes)
    }

    /// Starts the toxic on one link.
    pub(crate) fn stage(&self, rng: ToxicRng, now: Instant) -> Box<dyn Stage> {
        self.0.stage(rng, now)
    }
}

impl PartialEq for Toxic {
    fn eq(&self, other: &Self) -> bool {
        self.0.same(other.0.as_any())
    }
}

impl Serialize for Toxic {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut toxic = serializer.serialize_struct("Toxic", 2)?;
        toxic.serialize_field("type", self.kind())?;
        toxic.serialize_field("attributes", &self.attributes())?;
        toxic.end()
    }
}

/// A registered kind, which API clients can request by name.
#[derive(Debug, Clone, Copy)]
pub struct Registered {
    /// Its name in Toxiproxy's API.
    pub name: &'static str,
    /// What it does, in one sentence.
    pub about: &'static str,
    defaults: fn() -> Map<String, Value>,
    parse: fn(Map<String, Value>) -> Result<Toxic, ProxyError>,
}

impl Registered {
    pub(super) const fn of<K: ToxicKind>() -> Self {
        Self { name: K::NAME, about: K::ABOUT, defaults: || object(&K::default()), parse: parse::<K> }
    }

    /// Its attributes by name, with the values they have when omitted.
    pub fn defaults(&self) -> Map<String, Value> {
        (self.defaults)()
    }

    /// A toxic of this kind.
    ///
    /// # Errors
    /// [`ProxyError::Attributes`] if they do not fit the kind.
    pub fn parse(&self, attributes: Map<String, Value>) -> Result<Toxic, ProxyError> {
        (self.parse)(attributes)
    }
}

fn parse<K: ToxicKind>(attributes: Map<String, Value>) -> Result<Toxic, ProxyError> {
    let kind: K =
        serde_json::from_value(attributes.into()).map_err(|error| ProxyError::Attributes(error.to_string()))?;
    kind.check().map_err(ProxyError::Attributes)?;
    Ok(kind.into())
}

fn object(attributes: &impl Serialize) -> Map<String, Value> {
    match serde_json::to_value(attributes) {
        Ok(Value::Object(attributes)) => attributes,
        _ => Map::new(),
    }
}

/// [`ToxicKind`] with its type erased.
trait AnyKind: Debug + Send + Sync {
    fn name(&self) -> &'static str;
    fn attributes(&self) -> Map<String, Value>;
    fn with(&self, attributes: Map<String, Value>) -> Result<Toxic, ProxyError>;
    fn check(&self) -> Result<(), String>;
    fn stage(&self, rng: ToxicRng, now: Instant) -> Box<dyn Stage>;
    fn as_any(&self) -> &dyn Any;
    fn same(&self, other: &dyn Any) -> bool;
}

impl<K: ToxicKind> AnyKind for K {
    fn name(&self) -> &'static str {
        K::NAME
    }

    fn attributes(&self) -> Map<String, Value> {
        object(self)
    }

    fn with(&self, attributes: Map<String, Value>) -> Result<Toxic, ProxyError> {
        parse::<K>(attributes)
    }

    fn check(&self) -> Result<(), String> {
        ToxicKind::check(self)
    }

    fn stage(&self, rng: ToxicRng, now: Instant) -> Box<dyn Stage> {
        ToxicKind::stage(self, rng, now)
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn same(&self, other: &dyn Any) -> bool {
        other.downcast_ref::<K>().is_some_and(|other| self == other)
    }
}
