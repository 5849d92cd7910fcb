//! The API's JSON. Requests may contain unknown fields; responses contain what Toxiproxy's clients read.

use std::net::SocketAddr;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

use super::error::ApiError;
use crate::error::ProxyError;
use crate::proxy::Proxy;
use crate::toxic::{self, Direction, ToxicChange, ToxicSpec};

/// A proxy as requested by a client, in `POST /proxies`, `/populate` and a configuration file.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct NewProxy {
    #[serde(default, deserialize_with = "empty_if_null")]
    pub name: String,
    #[serde(default, deserialize_with = "empty_if_null")]
    pub listen: String,
    #[serde(default, deserialize_with = "empty_if_null")]
    pub upstream: String,
    pub enabled: Option<bool>,
}

/// A client's changes to a proxy.
#[derive(Debug, Deserialize)]
pub(super) struct ChangedProxy {
    pub listen: Option<String>,
    pub upstream: Option<String>,
    pub enabled: Option<bool>,
}

/// A toxic as requested by a client.
#[derive(Debug, Deserialize)]
pub(super) struct NewToxic {
    name: Option<String>,
    r#type: Option<String>,
    stream: Option<String>,
    toxicity: Option<f32>,
    attributes: Option<Map<String, Value>>,
}

/// A client's changes to a toxic.
#[derive(Debug, Deserialize)]
pub(super) struct ChangedToxic {
    toxicity: Option<f32>,
    attributes: Option<Map<String, Value>>,
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

/// The answer of `/populate`: the proxies, and the error that prevented further ones.
#[derive(Debug, Serialize)]
pub(super) struct Populated {
    #[serde(flatten)]
    pub error: Option<ApiError>,
    pub proxies: Vec<ShownProxy>,
}

impl NewProxy {
    /// The first required field that is missing.
    pub fn missing_field(&self) -> Option<&'static str> {
        let required = [("name", &self.name), ("upstream", &self.upstream)];
        required.into_iter().find(|(_, value)| value.is_empty()).map(|(field, _)| field)
    }
}

impl NewToxic {
    pub fn spec(self) -> Result<ToxicSpec, ApiError> {
        let stream = match self.stream.as_deref().map(str::to_ascii_lowercase).as_deref() {
            None | Some("downstream") => Direction::Downstream,
            Some("upstream") => Direction::Upstream,
            Some(_) => return Err(ApiError::bad_stream()),
        };
        let toxic = toxic::parse(self.r#type.as_deref().unwrap_or_default(), self.attributes.unwrap_or_default())?;
        let name = match self.name {
            Some(name) if !name.is_empty() => name,
            _ => ToxicSpec::default_name(toxic.kind(), stream),
        };
        Ok(ToxicSpec { name, toxic, stream, toxicity: self.toxicity.unwrap_or(1.0) })
    }
}

impl From<ChangedToxic> for ToxicChange {
    fn from(change: ChangedToxic) -> Self {
        Self { attributes: change.attributes.unwrap_or_default(), toxicity: change.toxicity }
    }
}

impl ShownProxy {
    pub fn of(proxy: &Proxy) -> Self {
        Self {
            name: proxy.name().to_owned(),
            listen: proxy.listen_addr().to_string(),
            upstream: proxy.upstream().to_string(),
            enabled: proxy.enabled(),
            toxics: proxy.toxics(),
        }
    }
}

/// Some clients send `null` for unset fields.
fn empty_if_null<'de, D: Deserializer<'de>>(value: D) -> Result<String, D::Error> {
    Option::deserialize(value).map(Option::unwrap_or_default)
}

/// Parses a request's body, whatever its content type.
pub(super) fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, ApiError> {
    serde_json::from_slice(body).map_err(ApiError::bad_body)
}

/// Resolves a listening address. Without a host, the proxy listens on this machine alone; without a port, on any.
pub(crate) async fn resolve(listen: &str) -> Result<SocketAddr, ProxyError> {
    let bad = |reason: String| ProxyError::Address { address: listen.to_owned(), reason };
    let whole = match listen {
        "" => "127.0.0.1:0".to_owned(),
        port if port.starts_with(':') => format!("127.0.0.1{port}"),
        whole => whole.to_owned(),
    };
    let found: Vec<SocketAddr> =
        tokio::net::lookup_host(whole).await.map_err(|error| bad(error.to_string()))?.collect();
    // Prefer IPv4: "localhost" often has both kinds of address, and clients given "localhost" try IPv4 first or as
    // well.
    let first = found.iter().find(|addr| addr.is_ipv4()).or(found.first());
    first.copied().ok_or_else(|| bad("the host has no address".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(json: &str) -> Result<ToxicSpec, ApiError> {
        read::<NewToxic>(json.as_bytes())?.spec()
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
        assert!(error("{").starts_with("bad request body: "));
    }

    #[test]
    fn null_means_not_given() {
        let new: NewProxy = read(br#"{"name":"a","listen":null,"upstream":"b:1","enabled":null}"#).unwrap();
        assert_eq!((new.listen.as_str(), new.enabled, new.missing_field()), ("", None, None));
        let toxic = spec(r#"{"name":null,"type":"timeout","stream":null,"toxicity":null,"attributes":null}"#).unwrap();
        assert_eq!(toxic.name, "timeout_downstream");
    }

    #[tokio::test]
    async fn an_address_without_a_host_is_this_machine_alone() {
        assert_eq!(resolve(":6380").await.unwrap(), "127.0.0.1:6380".parse().unwrap());
        assert_eq!(resolve("").await.unwrap(), "127.0.0.1:0".parse().unwrap());
        assert_eq!(resolve("localhost:6380").await.unwrap(), "127.0.0.1:6380".parse().unwrap());
        assert!(matches!(resolve("nowhere").await, Err(ProxyError::Address { .. })));
    }
}
