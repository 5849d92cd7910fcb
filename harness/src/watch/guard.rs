//! Keeps web pages of others away: a page that the user has open must neither read nor control a drill, and no name that
//! an attacker lets resolve to 127.0.0.1 (DNS rebinding) makes it one of ours.

use std::net::SocketAddr;

use hyper::header::{HOST, HeaderName, ORIGIN};
use hyper::http::request::Parts;

const SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");

/// Why a request to the server at `address` is refused; `None` if it is not.
///
/// On loopback, `Host` has to be the address itself or `localhost`, with the port. Only browsers send `Origin` and
/// `Sec-Fetch-Site`, and of these only a page of this very server, or a link that the user follows, is welcome.
pub fn objection(head: &Parts, address: SocketAddr) -> Option<&'static str> {
    let value = |name| head.headers.get(name).and_then(|value: &hyper::header::HeaderValue| value.to_str().ok());
    let hosts = head.headers.get_all(HOST);
    let host = value(HOST).filter(|_| hosts.iter().count() == 1);
    let own = [address.to_string(), format!("localhost:{}", address.port())];
    let is_own = |host: &str| own.iter().any(|own| own.eq_ignore_ascii_case(host));
    if address.ip().is_loopback() && !host.is_some_and(is_own) {
        return Some("Host not allowed");
    }
    if head.headers.contains_key(ORIGIN) {
        let origin = value(ORIGIN).and_then(|origin| origin.strip_prefix("http://"));
        if origin.is_none() || origin != host {
            return Some("Origin not allowed");
        }
    }
    let is_link = head.method.is_safe() && value(MODE) == Some("navigate");
    match value(SITE) {
        None | Some("same-origin" | "none") => None,
        Some(_) if is_link => None,
        Some(_) => Some("request of another site not allowed"),
    }
}

#[cfg(test)]
mod tests {
    use hyper::Request;

    use super::*;

    const POST: &str = "POST";

    fn refused(method: &str, headers: &[(&str, &str)]) -> Option<&'static str> {
        let request = Request::builder().method(method).uri("/");
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        objection(&request.body(()).unwrap().into_parts().0, "127.0.0.1:7000".parse().unwrap())
    }

    #[test]
    fn only_the_servers_own_names_are_hosts() {
        for host in ["127.0.0.1:7000", "localhost:7000", "LOCALHOST:7000"] {
            assert_eq!(refused("GET", &[("host", host)]), None, "{host}");
        }
        for host in
            ["evil.example:7000", "127.0.0.1", "127.0.0.1:7001", "127.0.0.1.evil.example:7000", "[::1]:7000", ""]
        {
            assert_eq!(refused("GET", &[("host", host)]), Some("Host not allowed"), "{host}");
        }
        assert_eq!(refused("GET", &[]), Some("Host not allowed"));
        let two = [("host", "127.0.0.1:7000"), ("host", "evil.example")];
        assert_eq!(refused("GET", &two), Some("Host not allowed"));
    }

    #[test]
    fn another_origin_is_refused_and_a_link_from_elsewhere_may_only_show_the_page() {
        let with = |method, name, value| refused(method, &[("host", "127.0.0.1:7000"), (name, value)]);
        for origin in ["http://evil.example", "https://127.0.0.1:7000", "http://localhost:7000", "null"] {
            assert_eq!(with(POST, "origin", origin), Some("Origin not allowed"), "{origin}");
        }
        assert_eq!(with(POST, "origin", "http://127.0.0.1:7000"), None);
        for site in ["cross-site", "same-site"] {
            assert!(with("GET", "sec-fetch-site", site).is_some());
            let link = |method| {
                let headers = [("host", "127.0.0.1:7000"), ("sec-fetch-site", site), ("sec-fetch-mode", "navigate")];
                refused(method, &headers)
            };
            assert_eq!((link("GET"), link(POST).is_some()), (None, true));
        }
        assert_eq!(with("GET", "sec-fetch-site", "none"), None);
        assert_eq!(with(POST, "sec-fetch-site", "same-origin"), None);
    }

    #[test]
    fn where_everybody_may_connect_any_host_is_one() {
        let head = Request::get("/metrics").header("host", "drills.internal:9100").body(()).unwrap().into_parts().0;
        assert_eq!(objection(&head, "0.0.0.0:9100".parse().unwrap()), None);
    }
}
