//! Where a proxy listens: an address as Go's `net.Listen` reads it, with the one difference that an empty one is this
//! machine alone.

mod port;

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::error::ProxyError;

/// Any port of this machine alone.
const ANY_HERE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// Where a proxy listens, or is to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    /// The address, as far as it is known.
    pub addr: SocketAddr,
    /// What a client wrote, until the proxy first goes up. As in Toxiproxy, it is shown as it was written and read then.
    pub text: Option<String>,
}

impl From<SocketAddr> for Place {
    fn from(addr: SocketAddr) -> Self {
        Self { addr, text: None }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.text {
            Some(text) => f.write_str(text),
            None => self.addr.fmt(f),
        }
    }
}

impl Place {
    /// What a client wrote. If it is no address, that is an error when the proxy goes up.
    #[cfg(feature = "api")]
    pub async fn written(text: &str) -> Self {
        Self { addr: resolve(text).await.unwrap_or(ANY_HERE), text: Some(text.to_owned()) }
    }

    /// The address to listen on.
    pub async fn resolved(&self) -> Result<SocketAddr, ProxyError> {
        match &self.text {
            Some(text) => resolve(text).await,
            None => Ok(self.addr),
        }
    }
}

/// The target of the log line that says that other machines can use a proxy or the API.
pub(crate) const EXPOSED: &str = "firedrill_proxy::exposed";

/// Whether `addr` is every interface of the machine.
pub(crate) fn is_exposed(addr: SocketAddr) -> bool {
    addr.ip().is_unspecified()
}

/// Reads an address. `:20000` and `0.0.0.0:20000` are every interface, IPv4 and IPv6, which is `[::]:20000`. Its port may have
/// a name, and a missing one is any.
pub(crate) async fn resolve(address: &str) -> Result<SocketAddr, ProxyError> {
    if address.is_empty() {
        return Ok(ANY_HERE);
    }
    let bad = |reason: String| ProxyError::Address { address: address.to_owned(), reason };
    let (host, port) = split(address).map_err(|reason| bad(format!("address {address}: {reason}")))?;
    let port = port::number(port).map_err(bad)?;
    let every = SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), port);
    if host.is_empty() {
        return Ok(every);
    }
    let found = match host.parse::<IpAddr>() {
        Ok(ip) => SocketAddr::new(ip, port),
        Err(_) => look_up(host, port).await.ok_or_else(|| bad(format!("lookup {host}: no such host")))?,
    };
    Ok(if is_exposed(found) { every } else { found })
}

/// A name is often of both families; Go, too, listens on IPv4 then.
async fn look_up(host: &str, port: u16) -> Option<SocketAddr> {
    let found: Vec<SocketAddr> = tokio::net::lookup_host((host, port)).await.ok()?.collect();
    found.iter().find(|addr| addr.is_ipv4()).or(found.first()).copied()
}

/// Splits an address into host and port, or says in Go's words why it cannot.
fn split(address: &str) -> Result<(&str, &str), &'static str> {
    const MISSING_PORT: &str = "missing port in address";
    const MANY_COLONS: &str = "too many colons in address";
    let (whole, port) = address.rsplit_once(':').ok_or(MISSING_PORT)?;
    let host = match address.strip_prefix('[') {
        Some(inner) => {
            let (host, after) = inner.split_once(']').ok_or("missing ']' in address")?;
            match after.strip_prefix(':') {
                Some(after) if after == port => host,
                Some(_) => return Err(MANY_COLONS),
                None => return Err(MISSING_PORT),
            }
        }
        None if whole.contains(':') => return Err(MANY_COLONS),
        None => whole,
    };
    for (bracket, error) in [('[', "unexpected '[' in address"), (']', "unexpected ']' in address")] {
        if host.contains(bracket) || port.contains(bracket) {
            return Err(error);
        }
    }
    Ok((host, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn said(address: &str) -> String {
        match resolve(address).await {
            Ok(addr) => addr.to_string(),
            Err(ProxyError::Address { reason, .. }) => reason,
            Err(other) => other.to_string(),
        }
    }

    #[tokio::test]
    async fn addresses_are_read_as_go_reads_them() {
        for (address, expected) in [
            (":20000", "[::]:20000"),
            ("0.0.0.0:20000", "[::]:20000"),
            ("[::]:0", "[::]:0"),
            (":", "[::]:0"),
            ("127.0.0.1:6380", "127.0.0.1:6380"),
            ("localhost:6380", "127.0.0.1:6380"),
            ("localhost:", "127.0.0.1:0"),
            ("[::1]:6380", "[::1]:6380"),
            ("127.0.0.1:http", "127.0.0.1:80"),
            ("127.0.0.1:HTTPS", "127.0.0.1:443"),
            ("127.0.0.1:+80", "127.0.0.1:80"),
            ("127.0.0.1:0080", "127.0.0.1:80"),
            ("nowhere", "address nowhere: missing port in address"),
            ("6380", "address 6380: missing port in address"),
            ("::1:6380", "address ::1:6380: too many colons in address"),
            ("[::1]", "address [::1]: missing port in address"),
            ("[::1", "address [::1: missing ']' in address"),
            ("[::1]:1:2", "address [::1]:1:2: too many colons in address"),
            ("127.0.0.1]:1", "address 127.0.0.1]:1: unexpected ']' in address"),
            ("a[b:1", "address a[b:1: unexpected '[' in address"),
            ("127.0.0.1:65536", "address 65536: invalid port"),
            ("127.0.0.1:-1", "address -1: invalid port"),
            ("127.0.0.1:99999999999999999999", "address 99999999999999999999: invalid port"),
            ("127.0.0.1:no-such-service", "lookup tcp/no-such-service: unknown port"),
            ("no host:1", "lookup no host: no such host"),
        ] {
            assert_eq!(said(address).await, expected, "{address:?}");
        }
    }

    #[tokio::test]
    async fn an_empty_address_is_this_machine_alone() {
        assert_eq!(said("").await, "127.0.0.1:0");
    }

    #[cfg(feature = "api")]
    #[tokio::test]
    async fn what_was_written_is_shown_until_it_is_resolved() {
        let place = Place::written("localhost:3310").await;
        assert_eq!((place.to_string().as_str(), place.addr.to_string().as_str()), ("localhost:3310", "127.0.0.1:3310"));
        let nowhere = Place::written("nowhere").await;
        assert_eq!(nowhere.to_string(), "nowhere");
        assert!(matches!(nowhere.resolved().await, Err(ProxyError::Address { .. })));
    }
}
