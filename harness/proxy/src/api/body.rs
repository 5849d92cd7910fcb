//! What clients ask for, and what they are shown: the bodies of Toxiproxy's API.

use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::error::ApiError;
use super::go::{self, Struct};
use crate::error::ProxyError;
use crate::place::{Place, resolve};
use crate::proxy::{Change, Proxy};
use crate::toxic::{self, Direction, Registered, Toxic, ToxicChange, ToxicSpec};

/// How Go's messages call the array that `/populate` takes.
const POPULATE: &str = "[]struct { toxiproxy.Proxy; Enabled *bool \"json:\\\"enabled\\\"\" }";

/// A proxy as a client asks for it: in `POST /proxies`, `/populate`, a configuration file, or as a change.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct AskedProxy {
    pub name: String,
    pub listen: Option<String>,
    pub upstream: Option<String>,
    pub enabled: Option<bool>,
}

/// A toxic as a client asks for it.
#[derive(Debug)]
pub(super) struct AskedToxic<'a> {
    kind: String,
    name: String,
    stream: Direction,
    toxicity: f32,
    attributes: Vec<&'a RawValue>,
}

/// A proxy in a response.
#[derive(Debug, Serialize)]
pub(super) struct ShownProxy {
    name: String,
    listen: String,
    upstream: String,
    enabled: bool,
    toxics: Vec<ToxicSpec>,
}

/// What `/populate` answers: the proxies, `null` for none, and what kept it from making all of them.
#[derive(Debug, Serialize)]
pub(super) struct Populated {
    #[serde(flatten)]
    pub error: Option<ApiError>,
    pub proxies: Option<Vec<ShownProxy>>,
}

impl AskedProxy {
    pub fn read(body: &str) -> Result<Self, ApiError> {
        Ok(Self::filled(go::document(body)?, "toxiproxy.", "Proxy")?)
    }

    /// Several of them, in an array.
    pub fn read_all(body: &str) -> Result<Vec<Self>, ApiError> {
        let all = go::array(go::document(body)?, POPULATE)?;
        Ok(all.into_iter().map(|one| Self::filled(one, "struct", "")).collect::<Result<_, String>>()?)
    }

    fn filled(value: &RawValue, package: &str, name: &str) -> Result<Self, String> {
        let given = Struct::read(value, package, name)?;
        // Toxiproxy shows this field of its own, and some clients send back what they were shown.
        given.objects("Logger", "zerolog.Logger")?;
        Ok(Self {
            name: given.text("name")?.unwrap_or_default(),
            listen: given.text("listen")?,
            upstream: given.text("upstream")?,
            enabled: given.flag("enabled")?,
        })
    }

    /// The first field that must be there and is not.
    pub fn missing_field(&self) -> Option<&'static str> {
        let upstream = self.upstream.as_deref().unwrap_or_default();
        let required = [("name", self.name.as_str()), ("upstream", upstream)];
        required.into_iter().find(|(_, value)| value.is_empty()).map(|(field, _)| field)
    }

    /// What it changes of a proxy.
    pub async fn change(self) -> Result<Change, ProxyError> {
        let listen = match self.listen {
            Some(text) => Some(Place { addr: resolve(&text).await?, text: Some(text) }),
            None => None,
        };
        Ok(Change { listen, upstream: self.upstream, enabled: self.enabled })
    }
}

impl<'a> AskedToxic<'a> {
    pub fn read(body: &'a str) -> Result<Self, ApiError> {
        let given = Struct::read(go::document(body)?, "toxics.", "ToxicWrapper")?;
        let attributes = given.objects("attributes", "toxics.NoopToxic")?;
        let kind = given.text("type")?.unwrap_or_default();
        let written = given.text("stream")?.unwrap_or_else(|| Direction::Downstream.name().to_owned());
        let (name, toxicity) = (given.text("name")?.unwrap_or_default(), given.float32("toxicity")?.unwrap_or(1.0));
        let stream = match written.to_lowercase().as_str() {
            "downstream" => Direction::Downstream,
            "upstream" => Direction::Upstream,
            _ => return Err(ApiError::bad_stream()),
        };
        let name = if name.is_empty() { format!("{kind}_{written}") } else { name };
        Ok(Self { kind, name, stream, toxicity, attributes })
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn kind(&self) -> Result<&'static Registered, ProxyError> {
        toxic::kind_of(&self.kind)
    }

    pub fn spec(self, kind: &Registered) -> Result<ToxicSpec, ApiError> {
        let toxic = kind.parse(attributes_of(&self.attributes, kind.name, &kind.defaults())?)?;
        Ok(ToxicSpec {
            name: self.name,
            toxic,
            stream: self.stream,
            toxicity: self.toxicity,
            connections: toxic::Connections::All,
        })
    }
}

/// What a client changes of a toxic.
pub(super) fn toxic_change(body: &str, toxic: &Toxic) -> Result<ToxicChange, ApiError> {
    const GO: &str = "struct { Attributes interface {}; Toxicity float32 }";
    let given = Struct::read(go::document(body)?, GO, "")?;
    let attributes = given.objects("attributes", &format!("toxics.{}", go_name(toxic.kind())))?;
    let attributes = attributes_of(&attributes, toxic.kind(), &toxic.attributes())?;
    Ok(ToxicChange { attributes, toxicity: given.float32("toxicity")? })
}

/// The attributes that are given, by the names that they have among those that are `known`.
fn attributes_of(given: &[&RawValue], kind: &str, known: &Map<String, Value>) -> Result<Map<String, Value>, String> {
    let go_type = if kind == "slicer" { "int" } else { "int64" };
    let mut found = Map::new();
    for object in given {
        let object = Struct::inner(object, "attributes", go_name(kind))?;
        for (name, value) in known {
            // All attributes of Toxiproxy's own toxics are integers.
            let given = match value.is_i64() {
                true => object.integer(name, go_type)?.map(Value::from),
                false => object.any(name),
            };
            found.extend(given.map(|given| (name.clone(), given)));
        }
    }
    Ok(found)
}

/// The name of a kind's struct in Toxiproxy: `LimitDataToxic`.
fn go_name(kind: &str) -> String {
    if kind == "reset_peer" {
        return "ResetToxic".to_owned();
    }
    let words = kind.split('_').flat_map(|word| {
        let mut letters = word.chars();
        letters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(letters)
    });
    words.chain("Toxic".chars()).collect()
}

impl ShownProxy {
    /// As Toxiproxy, it lists the toxics of the upstream link first.
    pub fn of(proxy: &Proxy) -> Self {
        Self {
            name: proxy.name().to_owned(),
            listen: proxy.place().to_string(),
            upstream: proxy.upstream().to_string(),
            enabled: proxy.enabled(),
            toxics: toxics_of(proxy),
        }
    }
}

/// The toxics of a proxy in Toxiproxy's order.
pub(super) fn toxics_of(proxy: &Proxy) -> Vec<ToxicSpec> {
    let mut toxics = proxy.toxics();
    toxics.sort_by_key(|toxic| toxic.stream == Direction::Downstream);
    toxics
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(json: &str) -> Result<ToxicSpec, ApiError> {
        let asked = AskedToxic::read(json)?;
        let kind = asked.kind()?;
        asked.spec(kind)
    }

    #[test]
    fn a_toxic_is_downstream_and_on_every_connection_unless_it_says_otherwise() {
        let toxic = spec(r#"{"type":"latency","attributes":{"latency":5}}"#).unwrap();
        assert_eq!((toxic.name.as_str(), toxic.toxicity), ("latency_downstream", 1.0));
        let toxic = spec(r#"{"name":"slow","type":"latency","stream":"upstream","toxicity":0.5,"more":1}"#).unwrap();
        assert_eq!((toxic.name.as_str(), toxic.stream, toxic.toxicity), ("slow", Direction::Upstream, 0.5));
    }

    #[test]
    fn what_is_wrong_with_a_toxic_is_said_in_toxiproxys_words() {
        let error = |json| spec(json).unwrap_err().error;
        assert_eq!(error(r#"{"type":"noise"}"#), "invalid toxic type");
        assert_eq!(error("{}"), "invalid toxic type");
        assert_eq!(
            error(r#"{"type":"latency","stream":"sideways"}"#),
            "stream was invalid, can be either upstream or downstream"
        );
        assert_eq!(error("{"), "bad request body: unexpected EOF");
        assert_eq!(
            error(r#"{"type":"reset_peer","attributes":{"timeout":"1"}}"#),
            "bad request body: json: cannot unmarshal string into Go struct field ResetToxic.attributes.timeout of type \
             int64"
        );
    }

    #[test]
    fn attributes_that_come_twice_are_merged() {
        let toxic = spec(r#"{"type":"latency","attributes":{"latency":1},"Attributes":{"JITTER":2,"latency":null}}"#);
        assert_eq!(toxic.unwrap().toxic, toxic::Latency { latency: 1, jitter: 2 }.into());
    }

    #[test]
    fn null_means_not_given() {
        let asked = AskedProxy::read(r#"{"name":"a","listen":null,"upstream":"b:1","enabled":null}"#).unwrap();
        assert_eq!((asked.listen.as_deref(), asked.enabled, asked.missing_field()), (None, None, None));
        let toxic = spec(r#"{"name":null,"type":"timeout","stream":null,"toxicity":null,"attributes":null}"#).unwrap();
        assert_eq!(toxic.name, "timeout_downstream");
    }
}
