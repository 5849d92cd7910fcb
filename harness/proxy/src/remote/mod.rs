//! A proxy on a Toxiproxy server (`--toxiproxy URL`) instead of the embedded one. Its name is unique to the drill, so
//! no other proxies are touched. Every setting is read back; the server does not report how many connections it cut or
//! what it delayed.

mod api;

use std::net::SocketAddr;

use hyper::{Method, StatusCode};
use serde_json::{Value, json};

pub use api::ToxiproxyUrl;

use super::control::ProxyControl;
use super::error::ProxyError;
use super::stats::ProxyStats;
use super::toxic::{Connections, Direction, Timeout, ToxicSpec};

/// Where a proxy on a Toxiproxy server listens and what it connects to, from that server's point of view.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteOptions {
    /// The server's API.
    pub url: ToxiproxyUrl,
    /// The address on which the proxy listens there; port 0 for any.
    pub listen: String,
    /// The address of Redis from that server, host:port; `None` for the address that the drill itself uses.
    pub upstream: Option<String>,
}

/// A proxy on a Toxiproxy server.
#[derive(Debug)]
pub struct RemoteProxy {
    url: ToxiproxyUrl,
    name: String,
    listen: SocketAddr,
}

impl RemoteProxy {
    /// Creates a proxy called `name` to `upstream`, and returns once the server reports that it is up.
    ///
    /// # Errors
    /// [`ProxyError::Remote`] with the server's message.
    pub async fn create(options: &RemoteOptions, name: &str, upstream: &str) -> Result<Self, ProxyError> {
        let url = options.url.clone();
        let upstream = options.upstream.as_deref().unwrap_or(upstream);
        let body = json!({ "name": name, "listen": options.listen, "upstream": upstream, "enabled": true });
        url.ask(Method::POST, "/proxies", Some(body)).await?;
        let path = format!("/proxies/{name}");
        let made = url.ask(Method::GET, &path, None).await?;
        let listen = made.get("listen").and_then(Value::as_str).unwrap_or_default().to_owned();
        // It may listen on all addresses, and the address of its API is one of them.
        let port = listen.rsplit(':').next().and_then(|port| port.parse::<u16>().ok());
        let address = match port {
            Some(port) => tokio::net::lookup_host((url.host(), port)).await.ok().and_then(|mut found| found.next()),
            None => None,
        };
        let no_address = || url.failed(&path, format!("it listens on \"{listen}\", which is no address"));
        let listen = address.ok_or_else(no_address)?;
        let proxy = Self { url, name: name.to_owned(), listen };
        proxy.expect_enabled(true).await?;
        Ok(proxy)
    }

    /// Deletes the proxy with its toxics.
    ///
    /// # Errors
    /// Same as [`RemoteProxy::delete_at`].
    pub async fn delete(&self) -> Result<(), ProxyError> {
        Self::delete_at(&self.url, &self.name).await
    }

    /// Deletes the proxy `name` on the server at `url`; one that is already gone is fine.
    ///
    /// # Errors
    /// [`ProxyError::Remote`].
    pub async fn delete_at(url: &ToxiproxyUrl, name: &str) -> Result<(), ProxyError> {
        gone(url, &format!("/proxies/{name}")).await.map(drop)
    }

    fn path(&self) -> String {
        format!("/proxies/{}", self.name)
    }

    fn toxic_path(&self, toxic: &str) -> String {
        format!("/proxies/{}/toxics/{toxic}", self.name)
    }

    async fn expect_enabled(&self, enabled: bool) -> Result<(), ProxyError> {
        let now = self.url.ask(Method::GET, &self.path(), None).await?;
        match now.get("enabled").and_then(Value::as_bool) {
            Some(now) if now == enabled => Ok(()),
            _ => Err(self.url.failed(&self.path(), format!("it took \"enabled\": {enabled} and does not show it"))),
        }
    }
}

/// Deletes what is at `path` and makes sure that it is gone, even if no reply came. Returns whether it existed.
async fn gone(url: &ToxiproxyUrl, path: &str) -> Result<bool, ProxyError> {
    let deleted = url.call(Method::DELETE, path, None).await;
    if matches!(deleted, Ok((StatusCode::NOT_FOUND, _))) {
        return Ok(false);
    }
    match url.call(Method::GET, path, None).await? {
        (StatusCode::NOT_FOUND, _) => Ok(true),
        _ => Err(deleted.err().unwrap_or_else(|| url.failed(path, "it was deleted and is still there".to_owned()))),
    }
}

#[async_trait::async_trait]
impl ProxyControl for RemoteProxy {
    fn listen_addr(&self) -> SocketAddr {
        self.listen
    }

    fn stats(&self) -> Option<ProxyStats> {
        None
    }

    /// Cuts by adding and removing a black hole: Toxiproxy closes the connections that one held.
    async fn cut(&self) -> Result<(), ProxyError> {
        let name = "firedrill-cut";
        let spec = ToxicSpec { name: name.to_owned(), ..ToxicSpec::new(Direction::Downstream, Timeout { timeout: 0 }) };
        match self.add_toxic(spec).await {
            // An earlier call was aborted half-way.
            Ok(()) | Err(ProxyError::ToxicExists(_)) => self.remove_toxic(name).await,
            Err(error) => Err(error),
        }
    }

    async fn set_enabled(&self, enabled: bool) -> Result<(), ProxyError> {
        self.url.ask(Method::POST, &self.path(), Some(json!({ "enabled": enabled }))).await?;
        self.expect_enabled(enabled).await
    }

    async fn upstream(&self) -> Result<String, ProxyError> {
        let now = self.url.ask(Method::GET, &self.path(), None).await?;
        let upstream = now.get("upstream").and_then(Value::as_str).map(str::to_owned);
        upstream.ok_or_else(|| self.url.failed(&self.path(), "it does not say what is behind it".to_owned()))
    }

    async fn lead_to(&self, upstream: &str) -> Result<(), ProxyError> {
        self.url.ask(Method::POST, &self.path(), Some(json!({ "upstream": upstream }))).await?;
        match self.upstream().await? {
            now if now == upstream => Ok(()),
            now => Err(self.url.failed(&self.path(), format!("it was led to {upstream} and leads to {now}"))),
        }
    }

    async fn add_toxic(&self, spec: ToxicSpec) -> Result<(), ProxyError> {
        if spec.connections != Connections::All {
            return Err(ProxyError::EmbeddedOnly("tell open connections from new ones"));
        }
        let wanted = serde_json::to_value(&spec).map_err(|error| ProxyError::Attributes(error.to_string()))?;
        let path = format!("{}/toxics", self.path());
        let (status, answer) = self.url.call(Method::POST, &path, Some(wanted.clone())).await?;
        match status {
            StatusCode::CONFLICT => return Err(ProxyError::ToxicExists(spec.name)),
            status if !status.is_success() => return Err(self.url.failed(&path, format!("{status} {answer}"))),
            _ => {}
        }
        let path = self.toxic_path(&spec.name);
        let now = self.url.ask(Method::GET, &path, None).await?;
        match holds(&now, &wanted) {
            true => Ok(()),
            false => Err(self.url.failed(&path, format!("it was set to {wanted} and now is {now}"))),
        }
    }

    async fn remove_toxic(&self, name: &str) -> Result<(), ProxyError> {
        match gone(&self.url, &self.toxic_path(name)).await? {
            true => Ok(()),
            false => Err(ProxyError::NoToxic(name.to_owned())),
        }
    }
}

/// Whether `now` contains everything in `wanted`; it may contain more, and numbers may be formatted differently.
fn holds(now: &Value, wanted: &Value) -> bool {
    match (now, wanted) {
        (Value::Object(now), Value::Object(wanted)) => {
            wanted.iter().all(|(key, value)| now.get(key).is_some_and(|now| holds(now, value)))
        }
        (Value::Number(now), Value::Number(wanted)) => now.as_f64() == wanted.as_f64(),
        _ => now == wanted,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_set_is_found_among_more_and_in_another_notation() {
        let wanted = json!({ "type": "latency", "toxicity": 1.0, "attributes": { "latency": 50 } });
        let now =
            json!({ "Logger": {}, "type": "latency", "toxicity": 1, "attributes": { "latency": 50, "jitter": 0 } });
        assert!(holds(&now, &wanted));
        assert!(!holds(&json!({ "type": "latency", "toxicity": 1, "attributes": { "latency": 5 } }), &wanted));
        assert!(!holds(&Value::Null, &wanted));
    }
}
