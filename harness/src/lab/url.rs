//! The URL of a Redis. It may contain a password and is printed without it: only [`RedisUrl::expose`] reveals it.

use std::fmt;
use std::str::FromStr;

use firedrill_storage::redis_store::TlsError;
use firedrill_storage::{Credentials, TlsOptions};
use redis::{ConnectionAddr, ConnectionInfo, IntoConnectionInfo, RedisConnectionInfo};

use super::error::{LabError, Mismatch};

/// A Redis URL whose `Display` and `Debug` hide the password.
#[derive(Clone)]
pub struct RedisUrl {
    text: String,
    /// Boxed: it carries the settings of every kind of connection, including TLS, and URLs are moved around a lot.
    info: Box<ConnectionInfo>,
    host: String,
    port: u16,
    /// Boxed for the same reason.
    tls: Box<TlsOptions>,
    /// Boxed for the same reason.
    sentinel: Box<SentinelOptions>,
}

/// What must be known besides the URL where it names a sentinel. User, password and database of the URL are then those of
/// the servers that the sentinels watch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SentinelOptions {
    /// The name under which the primary is watched; `None`: the only one that is.
    pub master: Option<String>,
    /// The login at the sentinels, if they have one.
    pub credentials: Option<Credentials>,
}

impl RedisUrl {
    /// The URL of a Redis without credentials at `host` and `port`.
    ///
    /// # Errors
    /// [`Mismatch::BadUrl`] if `host` does not fit in a URL.
    pub fn plain(host: &str, port: u16) -> Result<Self, LabError> {
        format!("redis://{host}:{port}/").parse()
    }

    /// The whole URL including the password: for clients, never for people.
    pub fn expose(&self) -> &str {
        &self.text
    }

    /// The name or address of the server, without brackets around an IPv6 address.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port of the server.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Host and port, in the form a proxy expects for its upstream.
    pub fn address(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }

    /// Whether connections are encrypted: `rediss://`.
    pub fn is_tls(&self) -> bool {
        matches!(self.info.addr(), ConnectionAddr::TcpTls { .. })
    }

    /// The trust settings for encrypted connections.
    pub fn tls(&self) -> &TlsOptions {
        &self.tls
    }

    /// The same URL with these TLS settings.
    ///
    /// # Errors
    /// [`Mismatch::TlsSetup`] if the URL is not `rediss://`: the settings would protect nothing.
    pub fn secured(self, tls: TlsOptions) -> Result<Self, LabError> {
        match self.is_tls() {
            true => Ok(Self { tls: Box::new(tls), ..self }),
            false => Err(TlsError::Unused.into()),
        }
    }

    /// What must be known of its sentinels.
    pub fn sentinel(&self) -> &SentinelOptions {
        &self.sentinel
    }

    /// The same URL with these options for sentinels.
    pub fn watched(self, sentinel: SentinelOptions) -> Self {
        Self { sentinel: Box::new(sentinel), ..self }
    }

    /// The same login and database on another server of the same deployment, which presents a certificate of its own.
    ///
    /// # Errors
    /// [`Mismatch::BadUrl`] if `host` does not fit in a URL.
    pub fn on(&self, host: &str, port: u16) -> Result<Self, LabError> {
        let mut url = redis::parse_redis_url(&self.text).ok_or_else(|| bad("it does not parse"))?;
        let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
        url.set_host(Some(&host)).map_err(|_| bad("it cannot carry a host"))?;
        url.set_port(Some(port)).map_err(|()| bad("it cannot carry a port"))?;
        self.rewritten(url.as_str())
    }

    /// The sentinel at this address, with the sentinels' own login.
    ///
    /// # Errors
    /// [`Mismatch::BadUrl`] if `host` or the login does not fit in a URL.
    pub fn at_sentinel(&self, host: &str, port: u16) -> Result<Self, LabError> {
        let named = self.on(host, port)?;
        let mut url = redis::parse_redis_url(&named.text).ok_or_else(|| bad("it does not parse"))?;
        let login = self.sentinel.credentials.as_ref();
        let user = login.and_then(|login| login.user.as_deref()).unwrap_or_default();
        url.set_username(user).map_err(|()| bad("it cannot carry a user"))?;
        let password = login.map(|login| login.password.as_str());
        url.set_password(password).map_err(|()| bad("it cannot carry a password"))?;
        url.set_path("");
        self.rewritten(url.as_str())
    }

    /// The URL `text`, reached as this one is.
    fn rewritten(&self, text: &str) -> Result<Self, LabError> {
        Ok(Self { tls: self.tls.clone(), sentinel: self.sentinel.clone(), ..text.parse()? })
    }

    /// The same credentials and database at another address, to route the store through the proxy. The server behind it
    /// must still present the certificate of this URL's host.
    ///
    /// # Errors
    /// [`Mismatch::BadUrl`] if the address does not fit in a URL.
    pub fn at(&self, address: std::net::SocketAddr) -> Result<Self, LabError> {
        let mut tls = self.tls.clone();
        if self.is_tls() {
            tls.server_name.get_or_insert_with(|| self.host.clone());
        }
        let mut url = redis::parse_redis_url(&self.text).ok_or_else(|| bad("it does not parse"))?;
        url.set_ip_host(address.ip()).map_err(|()| bad("it cannot carry a host"))?;
        url.set_port(Some(address.port())).map_err(|()| bad("it cannot carry a port"))?;
        Ok(Self { tls, ..self.rewritten(url.as_str())? })
    }

    /// The same server and database with other credentials.
    ///
    /// # Errors
    /// [`Mismatch::BadUrl`] if they do not fit in a URL.
    pub fn with_login(&self, user: &str, password: &str) -> Result<Self, LabError> {
        let mut url = redis::parse_redis_url(&self.text).ok_or_else(|| bad("it does not parse"))?;
        url.set_username(user).map_err(|()| bad("it cannot carry a user"))?;
        url.set_password(Some(password)).map_err(|()| bad("it cannot carry a password"))?;
        self.rewritten(url.as_str())
    }

    /// The URL without its password, safe to write to a file.
    ///
    /// # Errors
    /// [`Mismatch::BadUrl`] if it cannot be written that way.
    pub fn without_password(&self) -> Result<String, LabError> {
        let mut url = redis::parse_redis_url(&self.text).ok_or_else(|| bad("it does not parse"))?;
        url.set_password(None).map_err(|()| bad("it cannot be without a password"))?;
        Ok(url.into())
    }

    /// This URL's database on the server of `other`, reached the way `other` does.
    ///
    /// # Errors
    /// [`Mismatch::BadUrl`] if it does not fit in a URL.
    pub fn by_way_of(&self, other: &Self) -> Result<Self, LabError> {
        let mut url = redis::parse_redis_url(&other.text).ok_or_else(|| bad("it does not parse"))?;
        url.set_path(&format!("/{}", self.info.redis_settings().db()));
        other.rewritten(url.as_str())
    }

    /// The number of its database.
    pub fn database(&self) -> i64 {
        self.info.redis_settings().db()
    }

    /// The same server and login in another database.
    ///
    /// # Errors
    /// [`Mismatch::BadUrl`] if it does not fit in a URL.
    pub fn in_database(&self, number: i64) -> Result<Self, LabError> {
        let mut url = redis::parse_redis_url(&self.text).ok_or_else(|| bad("it does not parse"))?;
        url.set_path(&format!("/{number}"));
        self.rewritten(url.as_str())
    }

    /// The same server and database with the user and password of `other`; unchanged if `other` has no password.
    ///
    /// # Errors
    /// [`Mismatch::BadUrl`] if they do not fit in a URL.
    pub fn with_login_of(&self, other: &Self) -> Result<Self, LabError> {
        match other.password() {
            Some(password) => self.with_login(other.info.redis_settings().username().unwrap_or_default(), password),
            None => Ok(self.clone()),
        }
    }

    /// The password it logs in with, if any.
    pub(crate) fn password(&self) -> Option<&str> {
        self.info.redis_settings().password()
    }

    /// The password as the URL has it, percent-encoded.
    pub(crate) fn written_password(&self) -> Option<String> {
        redis::parse_redis_url(&self.text)?.password().map(str::to_owned)
    }

    /// The user it logs in as; Redis's `default` if the URL names none.
    pub fn user(&self) -> &str {
        self.info.redis_settings().username().filter(|user| !user.is_empty()).unwrap_or("default")
    }

    /// The commands that start a connection: AUTH and SELECT, if the URL needs them.
    pub fn login(&self) -> Vec<redis::Cmd> {
        let settings = self.info.redis_settings();
        let mut commands = Vec::new();
        if let Some(password) = settings.password() {
            let mut auth = redis::cmd("AUTH");
            // Redis before 6 has no users.
            match settings.username().filter(|user| !user.is_empty()) {
                Some(user) => auth.arg(user).arg(password),
                None => auth.arg(password),
            };
            commands.push(auth);
        }
        if settings.db() != 0 {
            commands.push(redis::cmd("SELECT").arg(settings.db()).clone());
        }
        commands
    }

    /// The login and the database.
    pub(super) fn settings(&self) -> &RedisConnectionInfo {
        self.info.redis_settings()
    }
}

fn bad(reason: &str) -> LabError {
    LabError::Mismatch(Mismatch::BadUrl { reason: reason.to_owned() })
}

impl FromStr for RedisUrl {
    type Err = LabError;

    fn from_str(text: &str) -> Result<Self, LabError> {
        let info = text.into_connection_info().map_err(|error| bad(&error.to_string()))?;
        let (host, port) = match info.addr() {
            ConnectionAddr::TcpTls { insecure: true, .. } => return Err(TlsError::Insecure.into()),
            ConnectionAddr::Tcp(host, port) | ConnectionAddr::TcpTls { host, port, .. } => (host.clone(), *port),
            _ => return Err(bad("a Unix socket cannot be put behind the fault proxy; use TCP")),
        };
        let (tls, sentinel) = (Box::default(), Box::default());
        Ok(Self { text: text.to_owned(), info: Box::new(info), host, port, tls, sentinel })
    }
}

impl fmt::Display for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = self.text.split("://").next().unwrap_or("redis");
        let settings = self.info.redis_settings();
        write!(f, "{scheme}://")?;
        match (settings.username(), settings.password()) {
            (Some(user), Some(_)) => write!(f, "{user}:***@")?,
            (Some(user), None) => write!(f, "{user}@")?,
            (None, Some(_)) => f.write_str(":***@")?,
            (None, None) => {}
        }
        write!(f, "{}/{}", self.address(), settings.db())
    }
}

impl fmt::Debug for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RedisUrl({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> RedisUrl {
        text.parse().unwrap()
    }

    #[test]
    fn the_password_alone_is_left_out_of_what_is_written_down() {
        let written = url("redis://user:s3cret@127.0.0.1:6379/2").without_password().unwrap();
        assert_eq!(written, "redis://user@127.0.0.1:6379/2");
        assert_eq!(url("redis://:s3cret@127.0.0.1:6379").without_password().unwrap(), "redis://127.0.0.1:6379");
    }

    #[test]
    fn the_password_shows_neither_in_display_nor_in_debug() {
        let url = url("redis://alice:s3cr%23t@db.example:6380/2");
        assert_eq!(url.to_string(), "redis://alice:***@db.example:6380/2");
        assert_eq!(format!("{url:?}"), "RedisUrl(redis://alice:***@db.example:6380/2)");
        assert_eq!(self::url("redis://:s3cret@127.0.0.1").to_string(), "redis://:***@127.0.0.1:6379/0");
    }

    #[test]
    fn the_password_does_not_show_in_the_error_for_a_bad_url() {
        for text in ["http://:s3cret@host", "redis://:s3cret@host:port", "redis://:s3cret@host/notanumber", "s3cret"] {
            let error = text.parse::<RedisUrl>().unwrap_err();
            assert!(!format!("{error} {error:?}").contains("s3cret"), "{error:?}");
        }
    }

    #[test]
    fn another_address_keeps_credentials_and_database() {
        let proxied = url("redis://alice:s3cr%23t@db.example:6380/2").at("127.0.0.1:7001".parse().unwrap()).unwrap();
        assert_eq!(proxied.expose(), "redis://alice:s3cr%23t@127.0.0.1:7001/2");
        assert_eq!(proxied.address(), "127.0.0.1:7001");
    }

    #[test]
    fn behind_another_address_the_certificate_is_still_that_of_the_host() {
        let ca = TlsOptions { ca_file: Some("/etc/ca.pem".into()), ..TlsOptions::default() };
        let secured = url("rediss://alice:s3cret@db.example:6380/2").secured(ca.clone()).unwrap();
        assert_eq!(secured.tls(), &ca);
        let expected = TlsOptions { server_name: Some("db.example".to_owned()), ..ca };
        let proxied = secured.at("127.0.0.1:7001".parse().unwrap()).unwrap();
        assert_eq!(proxied.expose(), "rediss://alice:s3cret@127.0.0.1:7001/2");
        assert_eq!(proxied.tls(), &expected);
        assert_eq!(proxied.at("127.0.0.1:7002".parse().unwrap()).unwrap().tls(), &expected, "also behind two");
        assert_eq!(proxied.with_login("bob", "x").unwrap().tls(), &expected);
        let plain = url("redis://db.example").at("127.0.0.1:7001".parse().unwrap()).unwrap();
        assert_eq!(plain.tls(), &TlsOptions::default());
    }

    #[test]
    fn what_would_protect_nothing_is_refused() {
        let error = url("redis://:s3cret@db.example").secured(TlsOptions::default()).unwrap_err();
        assert!(error.to_string().contains("rediss://"), "{error}");
        let error = "rediss://:s3cret@db.example/#insecure".parse::<RedisUrl>().unwrap_err();
        assert!(error.to_string().contains("certificates are always verified"), "{error}");
        assert!(!format!("{error:?}").contains("s3cret"), "{error:?}");
    }

    #[test]
    fn a_database_is_reached_as_another_of_the_same_server() {
        let recorded = url("rediss://alice@db.example:6380/2");
        let ca = TlsOptions { ca_file: Some("/etc/ca.pem".into()), ..TlsOptions::default() };
        let given = url("rediss://alice:s3cr%23t@db.example:6380/5").secured(ca.clone()).unwrap();
        let both = recorded.by_way_of(&given).unwrap();
        assert_eq!((both.expose(), both.tls()), ("rediss://alice:s3cr%23t@db.example:6380/2", &ca));
    }

    #[test]
    fn another_login_keeps_server_and_database() {
        let url = url("redis://:old@db.example:6380/2");
        assert_eq!(url.user(), "default");
        let other = url.with_login("alice", "s3cr#t").unwrap();
        assert_eq!(other.expose(), "redis://alice:s3cr%23t@db.example:6380/2");
        assert_eq!(other.user(), "alice");
    }

    #[test]
    fn a_connection_logs_in_with_what_the_url_holds() {
        let login =
            |text: &str| -> Vec<u8> { url(text).login().iter().flat_map(redis::Cmd::get_packed_command).collect() };
        assert_eq!(login("redis://db.example"), b"");
        assert_eq!(login("redis://:p@db.example"), b"*2\r\n$4\r\nAUTH\r\n$1\r\np\r\n");
        assert_eq!(
            login("redis://u:p@db.example/2"),
            b"*3\r\n$4\r\nAUTH\r\n$1\r\nu\r\n$1\r\np\r\n*2\r\n$6\r\nSELECT\r\n$1\r\n2\r\n"
        );
    }

    #[test]
    fn a_sentinel_has_a_login_of_its_own_and_leads_to_servers_with_that_of_the_url() {
        let plain = url("rediss://app:s3cret@watch.example:26379/2");
        assert_eq!(plain.at_sentinel("10.0.0.1", 26380).unwrap().expose(), "rediss://10.0.0.1:26380");
        let credentials = Some(Credentials { user: None, password: "w@tch".to_owned() });
        let options = SentinelOptions { master: Some("games".to_owned()), credentials };
        let watched = plain.watched(options.clone());
        assert_eq!(watched.at_sentinel("::1", 26380).unwrap().expose(), "rediss://:w%40tch@[::1]:26380");
        let server = watched.on("10.0.0.2", 6379).unwrap();
        assert_eq!((server.expose(), server.sentinel()), ("rediss://app:s3cret@10.0.0.2:6379/2", &options));
        assert!(!format!("{watched:?} {server}").contains("s3cret"));
    }

    #[test]
    fn an_ipv6_host_gets_its_brackets_back() {
        assert_eq!(url("redis://[::1]:6379").address(), "[::1]:6379");
        assert_eq!(url("redis://[::1]:6379").host(), "::1");
    }

    #[test]
    fn a_unix_socket_is_refused_with_the_reason() {
        let error = "unix:///tmp/redis.sock".parse::<RedisUrl>().unwrap_err();
        assert!(error.to_string().contains("Unix socket"), "{error}");
    }
}
