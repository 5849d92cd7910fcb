//! Grafana's HTTP API, as far as annotations need it.

use std::fmt;

use hyper::Method;
use hyper::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use serde_json::Value;

use super::super::remote::{BadRemote, Remote};

/// A wrong `--grafana` or token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GrafanaError {
    /// Not the URL of a Grafana.
    #[error("`{0}` is not the URL of a Grafana, such as https://grafana.example or http://127.0.0.1:3000/grafana")]
    Url(String),
    /// A URL with a user or a password.
    #[error("leave user and password out of the URL of Grafana: it appears in process lists; give a token instead")]
    Secret,
    /// A token that anybody on the network could read.
    #[error("the token for Grafana would go over the network in clear: give an https:// URL")]
    Clear,
    /// No header can hold it.
    #[error("the token for Grafana is empty, or has characters that no HTTP header can hold")]
    Token,
    /// No TLS.
    #[error("TLS for Grafana cannot be set up: {0}")]
    Tls(String),
}

/// A Grafana, and what it is asked with. Its `Debug` and `Display` show no token.
#[derive(Clone)]
pub struct Endpoint(Remote);

impl Endpoint {
    /// The Grafana at `url`, asked with the token of a service account. `https` is verified with the system's CAs.
    ///
    /// # Errors
    /// [`GrafanaError`].
    pub fn new(url: &str, token: &str) -> Result<Self, GrafanaError> {
        let token = token.trim();
        let bearer = HeaderValue::from_str(&format!("Bearer {token}")).ok().filter(|_| !token.is_empty());
        let mut headers = HeaderMap::new();
        if let Some(mut bearer) = bearer {
            bearer.set_sensitive(true);
            headers.insert(AUTHORIZATION, bearer);
        }
        let has_token = !headers.is_empty();
        let remote = Remote::new(url, headers).map_err(|error| match error {
            BadRemote::Url => GrafanaError::Url(url.to_owned()),
            BadRemote::Secret => GrafanaError::Secret,
            BadRemote::Clear => GrafanaError::Clear,
            BadRemote::Tls(reason) => GrafanaError::Tls(reason),
        })?;
        if has_token { Ok(Self(remote)) } else { Err(GrafanaError::Token) }
    }

    /// Sends `body` and reads the answer.
    ///
    /// # Errors
    /// What went wrong, in words without the token.
    pub(super) async fn ask(&self, method: Method, path: &str, body: &Value) -> Result<Value, String> {
        let (status, read) = self.0.send(method, path, body.to_string()).await?;
        if !status.is_success() {
            // Grafana explains itself under `message`.
            let said: Option<Value> = serde_json::from_slice(&read).ok();
            let said = said.as_ref().and_then(|said| said["message"].as_str()).unwrap_or_default();
            return Err(format!("{self}: {}", format!("{status} {said}").trim_end()));
        }
        serde_json::from_slice(&read).map_err(|error| format!("{self}: its answer is not JSON: {error}"))
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Endpoint({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_may_have_a_path_and_no_secret_and_a_token_is_never_shown() {
        let of = |url: &str| Endpoint::new(url, "s3cret\n").map(|endpoint| format!("{endpoint:?}"));
        assert_eq!(of("http://127.0.0.1:3000/grafana/").unwrap(), "Endpoint(http://127.0.0.1:3000/grafana)");
        assert_eq!(of("https://grafana.example").unwrap(), "Endpoint(https://grafana.example)");
        assert_eq!(of("http://[::1]:3000").unwrap(), "Endpoint(http://[::1]:3000)");
        assert_eq!(of("http://admin:admin@127.0.0.1:3000"), Err(GrafanaError::Secret));
        assert_eq!(of("http://grafana.example"), Err(GrafanaError::Clear));
        for bad in ["grafana.example", "ftp://grafana.example", "http://", "http://grafana.example/?orgId=1", ""] {
            assert_eq!(of(bad), Err(GrafanaError::Url(bad.to_owned())), "{bad}");
        }
        for token in ["", " ", "a\u{7f}b", "a\nb"] {
            assert_eq!(Endpoint::new("http://127.0.0.1", token).unwrap_err(), GrafanaError::Token, "{token:?}");
        }
    }
}
