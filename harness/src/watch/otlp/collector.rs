//! Where the metrics go: a collector, or whatever else takes OTLP/HTTP.

use std::fmt;

use hyper::Method;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use percent_encoding::percent_decode_str;
use serde_json::Value;

use super::super::remote::{BadRemote, Remote};

/// Where OTLP/HTTP has the metrics, below the URL that is given for all signals.
const METRICS: &str = "/v1/metrics";

/// A wrong `--otlp`, or wrong headers for it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CollectorError {
    /// Not the URL of a collector.
    #[error("`{0}` is not the URL of a collector, such as http://127.0.0.1:4318 or https://otlp.example")]
    Url(String),
    /// A URL with a user or a password.
    #[error(
        "leave user and password out of the URL: it appears in process lists; put a header into OTEL_EXPORTER_OTLP_HEADERS"
    )]
    Secret,
    /// Headers that are not a list of names and values.
    #[error(
        "OTEL_EXPORTER_OTLP_HEADERS is not a list of headers such as `api-key=…,tenant=shop`, with %-escapes in the values"
    )]
    Headers,
    /// Headers that everybody on the way could read.
    #[error("the headers of OTEL_EXPORTER_OTLP_HEADERS would go over the network in clear: give an https:// URL")]
    Clear,
    /// No TLS.
    #[error("TLS cannot be set up: {0}")]
    Tls(String),
}

/// A collector. Its `Debug` shows no header.
#[derive(Debug, Clone)]
pub struct Collector(Remote);

impl Collector {
    /// The collector at `url`, with the headers of a list as `OTEL_EXPORTER_OTLP_HEADERS` has it.
    ///
    /// # Errors
    /// [`CollectorError`].
    pub fn new(url: &str, headers: &str) -> Result<Self, CollectorError> {
        let headers = read(headers).ok_or(CollectorError::Headers)?;
        let base = url.trim().trim_end_matches('/');
        let remote = Remote::new(base.strip_suffix(METRICS).unwrap_or(base), headers).map_err(|error| match error {
            BadRemote::Url => CollectorError::Url(url.to_owned()),
            BadRemote::Secret => CollectorError::Secret,
            BadRemote::Clear => CollectorError::Clear,
            BadRemote::Tls(reason) => CollectorError::Tls(reason),
        })?;
        Ok(Self(remote))
    }

    /// Sends `message`.
    ///
    /// # Errors
    /// What went wrong, in words without the headers.
    pub(super) async fn take(&self, message: Value) -> Result<(), String> {
        let (status, read) = self.0.send(Method::POST, METRICS, message.to_string()).await?;
        let said: Value = serde_json::from_slice(&read).unwrap_or_default();
        if !status.is_success() {
            let why = said["message"].as_str().unwrap_or_default();
            return Err(format!("{self}: {}", format!("{status} {why}").trim_end()));
        }
        match refused(&said) {
            None => Ok(()),
            Some(what) => Err(format!("{self}: {what}")),
        }
    }
}

/// What a collector that answered with success has not taken all the same.
fn refused(said: &Value) -> Option<String> {
    let partial = &said["partialSuccess"];
    // Protobuf's JSON has 64-bit numbers as texts, and some collectors as numbers.
    match partial["rejectedDataPoints"].to_string().trim_matches('"') {
        "null" | "" | "0" => None,
        count => {
            let why = partial["errorMessage"].as_str().unwrap_or("it gave no reason");
            Some(format!("{count} values refused: {why}"))
        }
    }
}

impl fmt::Display for Collector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// `name=value,name=value`, the values with %-escapes.
fn read(list: &str) -> Option<HeaderMap> {
    let mut headers = HeaderMap::new();
    for pair in list.split(',').map(str::trim).filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=')?;
        let name: HeaderName = name.trim().parse().ok()?;
        let value: Vec<u8> = percent_decode_str(value.trim()).collect();
        let mut value = HeaderValue::from_bytes(&value).ok()?;
        value.set_sensitive(true);
        headers.insert(name, value);
    }
    Some(headers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_may_have_a_path_and_no_secret_and_headers_stay_private() {
        let of = |url: &str, headers: &str| Collector::new(url, headers).map(|collector| format!("{collector:?}"));
        let shown = |url: &str| Ok(format!("Collector(Remote({url}))"));
        assert_eq!(of("http://127.0.0.1:4318/", "api-key=s3cret, tenant=a%20b"), shown("http://127.0.0.1:4318"));
        assert_eq!(of("http://collector:4318/otlp/v1/metrics", ""), shown("http://collector:4318/otlp"));
        assert_eq!(of("https://otlp.example", "api-key=s3cret"), shown("https://otlp.example"));
        assert_eq!(of("http://otlp.example", "api-key=s3cret"), Err(CollectorError::Clear));
        assert_eq!(of("http://me:s3cret@otlp.example", ""), Err(CollectorError::Secret));
        for bad in ["api-key", "api key=s3cret", "api-key=a%0Ab"] {
            assert_eq!(of("http://127.0.0.1", bad), Err(CollectorError::Headers), "{bad}");
        }
        for bad in ["127.0.0.1:4318", "grpc://127.0.0.1:4317", ""] {
            assert_eq!(of(bad, ""), Err(CollectorError::Url(bad.to_owned())));
        }
        assert_eq!(read("tenant=a%20b").unwrap()["tenant"], "a b");
    }
    #[test]
    fn values_that_a_collector_refuses_are_noticed_however_it_writes_their_number() {
        for number in [serde_json::json!("5"), serde_json::json!(5)] {
            let said =
                serde_json::json!({ "partialSuccess": { "rejectedDataPoints": number, "errorMessage": "too old" } });
            assert_eq!(refused(&said).unwrap(), "5 values refused: too old");
        }
        for nothing in ["{}", "{\"partialSuccess\":{}}", "{\"partialSuccess\":{\"rejectedDataPoints\":\"0\"}}"] {
            assert_eq!(refused(&serde_json::from_str(nothing).unwrap()), None);
        }
    }
}
