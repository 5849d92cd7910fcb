//! Prevents web pages from controlling the proxy through a user's browser.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

/// The rules for requests.
#[derive(Debug)]
pub(super) struct Guard {
    /// Whether the API listens on loopback, where clients address it by an IP address or as localhost.
    pub loopback: bool,
    /// Additional names allowed there.
    pub allow_hosts: Vec<String>,
}

/// Rejects requests from web pages with 403 and the reason.
pub(super) async fn guard(State(guard): State<Arc<Guard>>, request: Request, next: Next) -> Response {
    match guard.objection(request.headers()) {
        Some(reason) => (StatusCode::FORBIDDEN, format!("{reason}\n")).into_response(),
        None => next.run(request).await,
    }
}

impl Guard {
    fn objection(&self, headers: &HeaderMap) -> Option<String> {
        let text = |name| headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
        if text(header::USER_AGENT).is_some_and(|agent| agent.starts_with("Mozilla/")) {
            return Some("User agent not allowed".to_owned());
        }
        let host = text(header::HOST);
        // Only browsers send an Origin, and only a page from this very server would have a matching one.
        if let Some(origin) = text(header::ORIGIN)
            && origin.split_once("://").map(|(_, authority)| authority) != host.as_deref()
        {
            return Some("Origin not allowed".to_owned());
        }
        // If an attacker's DNS name resolves to 127.0.0.1, the attacker's page has the same origin as this server.
        let name = host.map(|host| name_of(&host))?;
        let known = name.parse::<IpAddr>().is_ok()
            || name.eq_ignore_ascii_case("localhost")
            || self.allow_hosts.iter().any(|allowed| allowed.eq_ignore_ascii_case(&name));
        (self.loopback && !known)
            .then(|| format!("Host not allowed: \"{name}\"; start the proxy with --allow-host {name} to allow it"))
    }
}

/// The name or address in a Host header, without port and brackets.
fn name_of(host: &str) -> String {
    let name = host.parse::<Uri>().ok().and_then(|uri| uri.host().map(str::to_owned));
    name.unwrap_or_else(|| host.to_owned()).trim_matches(['[', ']']).to_owned()
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderName, HeaderValue};

    use super::*;

    fn refused(loopback: bool, headers: &[(HeaderName, &'static str)]) -> Option<String> {
        let guard = Guard { loopback, allow_hosts: vec!["toxiproxy".to_owned()] };
        let pairs = headers.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value)));
        guard.objection(&pairs.collect())
    }

    #[test]
    fn on_loopback_only_addresses_localhost_and_allowed_names_are_hosts() {
        for host in ["127.0.0.1:8474", "127.0.0.1", "[::1]:8474", "localhost:8474", "LOCALHOST", "Toxiproxy:8474"] {
            assert_eq!(refused(true, &[(header::HOST, host)]), None, "{host}");
        }
        for host in ["evil.example:8474", "localhost.evil.example", "1.2.3.4.evil.example", "", "a b"] {
            let reason = refused(true, &[(header::HOST, host)]).unwrap();
            assert!(reason.starts_with("Host not allowed"), "{host}: {reason}");
        }
        assert_eq!(refused(false, &[(header::HOST, "toxiproxy.internal:8474")]), None);
        assert_eq!(refused(true, &[]), None, "HTTP/1.0 sends none");
    }

    #[test]
    fn a_foreign_origin_is_refused_wherever_the_api_listens() {
        let host = (header::HOST, "127.0.0.1:8474");
        for loopback in [true, false] {
            for origin in ["http://evil.example", "null", "http://127.0.0.1:9000", "http://localhost:8474"] {
                assert_eq!(
                    refused(loopback, &[host.clone(), (header::ORIGIN, origin)]).as_deref(),
                    Some("Origin not allowed")
                );
            }
            assert_eq!(refused(loopback, &[host.clone(), (header::ORIGIN, "http://127.0.0.1:8474")]), None);
        }
    }

    #[test]
    fn browsers_are_refused_by_their_user_agent_as_by_toxiproxy() {
        let agent = |agent| refused(false, &[(header::USER_AGENT, agent)]);
        assert_eq!(agent("Mozilla/5.0 (X11; Linux x86_64)").as_deref(), Some("User agent not allowed"));
        assert_eq!(agent("toxiproxy-cli/2.12"), None);
    }
}
