//! Every variable that is read, in one table: the reader takes these and no others, and docs/configuration.md lists
//! them.

/// One variable of the environment.
#[derive(Debug, Clone, Copy)]
pub struct Variable {
    /// Its name.
    pub name: &'static str,
    /// The value if it is not set.
    pub default: &'static str,
    /// Which of the four reference systems use it; `-` if only Firedrill does.
    pub systems: &'static str,
    /// What it means.
    pub about: &'static str,
}

const fn variable(name: &'static str, default: &'static str, systems: &'static str, about: &'static str) -> Variable {
    Variable { name, default, systems, about }
}

/// Every variable.
pub const VARIABLES: &[Variable] = &[
    variable("REDIS_URL", "none: memory", "T C R", "`redis://[[user]:password@]host[:port][/db]`, `rediss://` for TLS"),
    variable("REDIS_HOST", "none: memory", "S", "host, if there is no URL; must agree with a URL"),
    variable("REDIS_PORT", "6379", "S", "port"),
    variable("REDIS_USERNAME", "none", "C", "ACL user; fills in a URL that names none"),
    variable("REDIS_PASSWORD", "none", "S", "password; fills in a URL that has none"),
    variable("REDIS_TLS", "false", "S", "TLS, always with verification of the certificate"),
    variable("REDIS_DB", "0", "S", "number of the database"),
    variable("REDIS_STRICT_TLS", "false", "C", "refuse to start on anything but TLS"),
    variable("REDIS_CA_FILE", "the system's", "C", "authorities to trust, as PEM"),
    variable("REDIS_CLIENT_CERT_FILE", "none", "-", "certificate that proves who the client is, as PEM"),
    variable("REDIS_CLIENT_KEY_FILE", "none", "-", "its private key, as PEM"),
    variable(
        "REDIS_TLS_SERVER_NAME",
        "the URL's host",
        "-",
        "the name in the server's certificate, if a proxy or tunnel is in between",
    ),
    variable(
        "REDIS_SENTINELS",
        "none",
        "-",
        "`host:port` of each sentinel, separated by commas; the sentinels name the primary",
    ),
    variable("REDIS_SENTINEL_MASTER", "mymaster", "-", "name under which the sentinels watch Redis"),
    variable("REDIS_SENTINEL_USERNAME", "none", "-", "ACL user at the sentinels"),
    variable("REDIS_SENTINEL_PASSWORD", "none", "-", "password at the sentinels, which is not that of Redis"),
    variable(
        "REDIS_CLUSTER_NODES",
        "none",
        "-",
        "`host:port` of cluster nodes, separated by commas; added to that of a URL or host",
    ),
    variable("REDIS_KEY_PREFIX", "session:", "S R", "prefix of every key"),
    variable("REDIS_TTL", "3600", "C", "lifetime of a session in seconds"),
    variable("REDIS_TIMEOUT", "5000", "C", "deadline of every call in milliseconds"),
    variable("REDIS_CONNECT_TIMEOUT", "2000", "T", "deadline of one attempt to connect in milliseconds"),
    variable(
        "REDIS_RETRY",
        "forever",
        "T C S R",
        "retry profile: `forever`, `trivia`, `conversation`, `school`, `dashboard`",
    ),
    variable("REDIS_CONNECT", "lazy", "T S", "`lazy`: start without Redis; `eager`: connect and PING first"),
    variable(
        "REDIS_CONNECT_FAILURE",
        "stop",
        "T C",
        "what an eager start does without Redis: `stop`, or `memory` and a warning",
    ),
    variable("USE_MEMORY_SESSIONS", "false", "T", "force memory (rollback)"),
    variable(
        "USE_REDIS_SESSIONS",
        "where Redis is named",
        "R",
        "`false` forces memory; `true` refuses to start without an address",
    ),
    variable(
        "SESSION_POLICY",
        "drain",
        "T C S",
        "what happens while Redis is away: a [policy](storage.md#policies-what-happens-while-redis-is-away)",
    ),
    variable("SESSION_BREAKER", "false", "T", "a circuit breaker in front of Redis"),
    variable("SESSION_BREAKER_FAILURES", "5", "T", "it opens after more than this many failures in a row"),
    variable("SESSION_BREAKER_OPEN", "30000", "T", "milliseconds until it is half-open"),
    variable("SESSION_BREAKER_PROBES", "1", "T", "calls let through at once while it is half-open"),
    variable("SESSION_SLIDING", "true", "T R", "whether every access restarts a session's lifetime"),
    variable("SESSION_WARM_CAPACITY", "4096", "-", "maximum number of sessions kept in memory for an outage"),
    variable(
        "SESSION_MEMORY_CAPACITY",
        "none",
        "C",
        "maximum number of sessions of a store in memory; the least recently used goes first",
    ),
    variable("SESSION_CLEANUP_INTERVAL", "300", "T", "seconds between two cleanups of expired sessions in memory"),
    variable(
        "SESSION_ENCRYPTION_KEY",
        "none: plain text",
        "R",
        "64 hex digits: sessions are encrypted with \
              AES-256-GCM",
    ),
    variable("SESSION_ENCRYPTION_OLD_KEYS", "none", "R", "former keys, separated by commas: they still decrypt"),
    variable(
        "SESSION_ENCRYPTION_ACCEPT_PLAINTEXT",
        "false",
        "-",
        "whether plain text is read while encryption is being switched on",
    ),
    variable(
        "SESSION_SECRET",
        "random outside production",
        "R",
        "signs the cookie; 32 bytes at least; required in production",
    ),
    variable("SESSION_COOKIE_NAME", "sid", "R", "name of the cookie"),
    variable("APP_ENV", "development", "R", "`production` or `development`; in production the cookie is `secure`"),
    variable(
        "GAME_QUESTIONS",
        "record",
        "-",
        "`record`: the session's questions judge the answers; `open`: every answer is kept and none is judged \
         (drills)",
    ),
    variable(
        "SESSION_EVENTS",
        "false",
        "-",
        "whether `GET /events` reports the events of fallback and breaker as JSON lines (drills)",
    ),
    variable("BIND_ADDRESS", "127.0.0.1", "-", "address to listen on"),
    variable("PORT", "3000", "-", "port to listen on; 0: any free one"),
    variable("BODY_LIMIT", "65536", "-", "maximum bytes of a request's body"),
    variable(
        "MAX_CONNECTIONS",
        "768",
        "-",
        "most connections at once; those beyond it are answered with 503. Keep it below the limit of open files",
    ),
    variable(
        "CLIENT_TIMEOUT",
        "10",
        "-",
        "seconds that a client may take for the head of a request, and pause before it, until its connection is closed",
    ),
    variable("RETRY_AFTER", "1", "-", "seconds that a 503 asks a client to wait"),
    variable("SHUTDOWN_GRACE", "10", "-", "seconds that requests in progress get to finish after SIGTERM or SIGINT"),
];
