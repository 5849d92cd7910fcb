//! Settings of the HTTP server.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use super::reader::Reader;
use super::secret::Secret;

/// Minimum length in bytes of a secret that signs cookies.
const SECRET_MIN: usize = 32;

/// How session-server listens and how it responds to clients.
#[derive(Debug, Clone)]
pub struct ServerConfig {
    /// Where to listen.
    pub address: SocketAddr,
    /// Whether this is production, where the cookie is sent over HTTPS only.
    pub production: bool,
    /// Signs the cookie. `None`: a random secret, so sessions do not outlast the process.
    pub secret: Option<Secret>,
    /// Name of the cookie.
    pub cookie: String,
    /// Whether the questions are stored elsewhere: every answer is kept, and none is judged.
    pub open_questions: bool,
    /// Whether `GET /events` reports what happens inside the store.
    pub events: bool,
    /// Maximum size in bytes of a request's body.
    pub body_limit: usize,
    /// Maximum number of concurrent connections; any beyond it get a 503.
    pub max_connections: usize,
    /// How long a client may take for a request's head, and for the pause before it, until its connection is closed.
    pub client_timeout: Duration,
    /// How long a 503 asks the client to wait.
    pub retry_after: Duration,
    /// How long requests in progress may take to finish once the process is ending.
    pub shutdown_grace: Duration,
}

impl ServerConfig {
    pub(super) fn read(reader: &mut Reader) -> Self {
        let environment = "production or development";
        let production = reader.parsed("APP_ENV", environment, |text| match text {
            "production" => Some(true),
            "development" | "test" => Some(false),
            _ => None,
        });
        let production = production.unwrap_or(false);
        let secret = reader.secret("SESSION_SECRET");
        match &secret {
            Some(secret) if secret.reveal().len() < SECRET_MIN => {
                reader.problem(&["SESSION_SECRET"], format!("expected {SECRET_MIN} bytes at least; {MAKE_ONE}"));
            }
            None if production => {
                reader.problem(&["SESSION_SECRET", "APP_ENV"], format!("production needs a secret; {MAKE_ONE}"));
            }
            _ => {}
        }
        let token = "letters, digits, - and _";
        let is_token = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        let cookie = reader.parsed("SESSION_COOKIE_NAME", token, |name| {
            (name.chars().all(is_token) && !name.is_empty()).then(|| name.to_owned())
        });
        let open = reader.parsed("GAME_QUESTIONS", "record or open", |text| match text {
            "record" => Some(false),
            "open" => Some(true),
            _ => None,
        });
        let ip = reader.parsed("BIND_ADDRESS", "an IP address", |text| text.parse().ok());
        let port = reader.number("PORT", 0..=u16::MAX).unwrap_or(3000);
        Self {
            address: SocketAddr::new(ip.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST)), port),
            production,
            secret,
            cookie: cookie.unwrap_or_else(|| "sid".to_owned()),
            open_questions: open.unwrap_or(false),
            events: reader.flag("SESSION_EVENTS").unwrap_or(false),
            body_limit: reader.number("BODY_LIMIT", 256..=64 << 20).unwrap_or(65_536),
            max_connections: reader.number("MAX_CONNECTIONS", 1..=1_000_000).unwrap_or(768),
            client_timeout: reader.duration("CLIENT_TIMEOUT", SECOND, 1..=3_600).unwrap_or(SECOND * 10),
            retry_after: reader.duration("RETRY_AFTER", SECOND, 1..=3_600).unwrap_or(SECOND),
            shutdown_grace: reader.duration("SHUTDOWN_GRACE", SECOND, 0..=600).unwrap_or(SECOND * 10),
        }
    }
}

const MAKE_ONE: &str = "make one with `openssl rand -hex 32`";
const SECOND: Duration = Duration::from_secs(1);
