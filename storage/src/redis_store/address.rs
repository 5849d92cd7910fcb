//! Where a server is.

use std::fmt;

/// A host, by name or IP address, and a port.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Address {
    pub(super) host: String,
    pub(super) port: u16,
}

impl Address {
    pub(super) fn new(host: impl Into<String>, port: u16) -> Self {
        Self { host: host.into(), port }
    }

    /// Parses `host:port`, `[ipv6]:port`, Redis's own `ipv6:port`, and, with a `default_port`, a host alone.
    pub(super) fn parse(text: &str, default_port: Option<u16>) -> Option<Self> {
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) => (host, port.parse().ok().filter(|port| *port != 0)?),
            None => (text, default_port?),
        };
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        let plausible = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_' | ':' | '%');
        (!host.is_empty() && host.chars().all(plausible)).then(|| Self::new(host, port))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host.contains(':') {
            true => write!(f, "[{}]:{}", self.host, self.port),
            false => write!(f, "{}:{}", self.host, self.port),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_in_every_form_that_redis_and_people_write() {
        for (text, host, port) in [
            ("redis.example:6380", "redis.example", 6380),
            ("127.0.0.1:1", "127.0.0.1", 1),
            ("[::1]:7000", "::1", 7000),
            ("::1:7000", "::1", 7000),
            ("sentinel-1", "sentinel-1", 26379),
        ] {
            assert_eq!(Address::parse(text, Some(26379)), Some(Address::new(host, port)), "{text}");
        }
        assert_eq!(Address::new("::1", 1).to_string(), "[::1]:1");
    }

    #[test]
    fn what_is_not_an_address_is_refused() {
        for text in ["", ":1", "host:", "host:x", "host:0", "host:70000", "redis://host:1", "a b:1", "user:pw@host:1"] {
            assert_eq!(Address::parse(text, Some(1)), None, "{text}");
        }
        assert_eq!(Address::parse("host", None), None);
    }
}
