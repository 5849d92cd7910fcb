//! Where Redis is: a URL, or host, port, user, password, TLS and database one by one (S1), or both if they agree. The
//! single variables fill in what the URL leaves open, so that no URL needs to contain a password.

use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use super::reader::Reader;
use super::secret::Secret;

const URL_FORM: &str = "redis://[[user]:password@]host[:port][/db], or rediss:// for TLS";
/// Kubernetes sets REDIS_PORT=tcp://… in every pod if a service is named `redis`.
const PORT_FORM: &str = "a port from 1 to 65535 (if Kubernetes set it as tcp://…, because a service is named `redis`: \
                         put enableServiceLinks: false into the pod's spec)";

/// The parts of an address, as far as they were given.
#[derive(Default)]
pub(super) struct Parts {
    host: Option<String>,
    port: Option<u16>,
    username: Option<String>,
    password: Option<Secret>,
    tls: Option<bool>,
    db: Option<i64>,
}

/// A complete address.
pub(super) struct Address {
    /// Includes user and password.
    pub(super) url: Secret,
    /// Whether connections are encrypted.
    pub(super) is_tls: bool,
}

/// Whether anything says where Redis is.
pub(super) fn is_named(reader: &Reader) -> bool {
    ["REDIS_URL", "REDIS_HOST", "REDIS_SENTINELS", "REDIS_CLUSTER_NODES"].iter().any(|name| reader.is_set(name))
}

/// Reads the address. With sentinels, it supplies only user, password, TLS and database; with a cluster and no host, it
/// gets host and port from the first node.
pub(super) fn read(reader: &mut Reader) -> Address {
    let separate = separate(reader);
    let mut parts = match reader.parsed("REDIS_URL", URL_FORM, parse_url) {
        Some(url) => united(reader, url, separate),
        None => separate,
    };
    if parts.username.is_some() && parts.password.is_none() {
        reader.problem(&["REDIS_USERNAME", "REDIS_PASSWORD"], "a user needs a password: set both");
    }
    if let (None, Some((host, port))) = (&parts.host, first_node(reader)) {
        (parts.host, parts.port) = (Some(host), Some(port));
    }
    Address { url: parts.url(), is_tls: parts.tls == Some(true) }
}

fn separate(reader: &mut Reader) -> Parts {
    let host_form = "a host name or an address, without a scheme, a user or a port";
    Parts {
        host: reader.parsed("REDIS_HOST", host_form, |host| is_host(host).then(|| host.to_owned())),
        port: reader.parsed("REDIS_PORT", PORT_FORM, |port| port.parse().ok().filter(|port| *port != 0)),
        username: reader.text("REDIS_USERNAME"),
        password: reader.secret("REDIS_PASSWORD"),
        tls: reader.flag("REDIS_TLS"),
        db: reader.number("REDIS_DB", 0..=i64::from(u16::MAX)),
    }
}

/// The first of a cluster's nodes. Errors in the list are reported where it is read as a whole.
fn first_node(reader: &Reader) -> Option<(String, u16)> {
    let nodes = reader.text("REDIS_CLUSTER_NODES")?;
    let first = nodes.split(',').next()?.trim();
    let (host, port) = first.rsplit_once(':').unwrap_or((first, "6379"));
    Some((host.trim_matches(['[', ']']).to_owned(), port.parse().ok()?))
}

fn is_host(host: &str) -> bool {
    !host.is_empty() && host.chars().all(|c| c.is_ascii_alphanumeric() || "-._:".contains(c)) && {
        // Only an IPv6 address may contain colons.
        !host.contains(':') || host.parse::<std::net::Ipv6Addr>().is_ok()
    }
}

fn parse_url(text: &str) -> Option<Parts> {
    let url = redis::parse_redis_url(text)?;
    let tls = match url.scheme() {
        "redis" => false,
        "rediss" => true,
        _ => return None,
    };
    let decoded = |text: &str| percent_decode_str(text).decode_utf8().ok().map(|text| text.into_owned());
    let db = match url.path().trim_matches('/') {
        "" => None,
        db => Some(db.parse().ok().filter(|db| (0..=i64::from(u16::MAX)).contains(db))?),
    };
    Some(Parts {
        host: Some(url.host_str()?.trim_matches(['[', ']']).to_owned()).filter(|host| !host.is_empty()),
        port: url.port(),
        username: Some(decoded(url.username())?).filter(|user| !user.is_empty()),
        password: match url.password() {
            Some(password) => Some(Secret::new(decoded(password)?)),
            None => None,
        },
        tls: Some(tls),
        db,
    })
}

/// The URL's parts, completed from the single variables; where both say something they must agree.
fn united(reader: &mut Reader, url: Parts, separate: Parts) -> Parts {
    let mut one = |name: &'static str, differs: bool| {
        if differs {
            reader.problem(&["REDIS_URL", name], "they name different things: set one of the two, or make them agree");
        }
    };
    // A URL without a port or a database means the default one.
    one("REDIS_PORT", separate.port.is_some_and(|port| port != url.port.unwrap_or(6379)));
    one("REDIS_DB", separate.db.is_some_and(|db| db != url.db.unwrap_or(db)));
    one("REDIS_HOST", separate.host.as_ref().is_some_and(|host| Some(host) != url.host.as_ref()));
    one("REDIS_TLS", separate.tls.is_some_and(|tls| Some(tls) != url.tls));
    one("REDIS_USERNAME", differ(&url.username, &separate.username));
    one("REDIS_PASSWORD", differ(&url.password, &separate.password));
    Parts {
        host: url.host,
        port: url.port,
        username: url.username.or(separate.username),
        password: url.password.or(separate.password),
        tls: url.tls,
        db: url.db.or(separate.db),
    }
}

fn differ<T: PartialEq>(one: &Option<T>, other: &Option<T>) -> bool {
    matches!((one, other), (Some(one), Some(other)) if one != other)
}

impl Parts {
    fn url(&self) -> Secret {
        let encoded = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
        let scheme = if self.tls == Some(true) { "rediss" } else { "redis" };
        let user = self.username.as_deref().map(encoded).unwrap_or_default();
        let login = self.password.as_ref().map(|password| format!("{user}:{}@", encoded(password.reveal())));
        let host = self.host.as_deref().unwrap_or("127.0.0.1");
        let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
        let port = self.port.unwrap_or(6379);
        let db = self.db.unwrap_or(0);
        Secret::new(format!("{scheme}://{}{host}:{port}/{db}", login.unwrap_or_default()))
    }
}
