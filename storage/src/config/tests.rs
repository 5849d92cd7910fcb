//! Reading a configuration, and the errors of an unusable one.

use super::*;
use crate::redis_store::Deployment;

const SECRETS: [(&str, &str); 4] = [
    ("REDIS_SENTINEL_PASSWORD", "s3cr3t-n"),
    ("REDIS_PASSWORD", "s3cr3t-p"),
    ("SESSION_SECRET", "s3cr3t-s"),
    ("REDIS_URL", "redis://ada:s3cr3t-u@host/1"),
];

fn read(variables: &[(&str, &str)]) -> Result<Config, ConfigError> {
    Config::from_vars(variables.iter().copied())
}

fn redis(variables: &[(&str, &str)]) -> StoreBuilder {
    match read(variables).unwrap().store.place {
        Place::Redis(builder, _) => *builder,
        Place::Memory(reason) => panic!("memory: {reason:?}"),
    }
}

/// The variables that each problem names.
fn blamed(variables: &[(&str, &str)]) -> Vec<String> {
    let error = read(variables).unwrap_err();
    error.problems.iter().map(|problem| problem.variables.join(" ")).collect()
}

#[test]
fn nothing_set_is_memory_without_an_address() {
    let config = read(&[]).unwrap();
    assert!(matches!(config.store.place, Place::Memory(MemoryReason::NoAddress)));
    assert_eq!(config.store.ttl, Duration::from_secs(3600));
    assert_eq!(config.server.address.to_string(), "127.0.0.1:3000");
}

#[test]
fn an_empty_variable_counts_as_not_set() {
    assert!(matches!(read(&[("REDIS_URL", "")]).unwrap().store.place, Place::Memory(MemoryReason::NoAddress)));
}

#[test]
fn a_url_and_its_parts_mean_the_same() {
    let url = redis(&[("REDIS_URL", "rediss://ada:p%40ss@redis.example:6380/2")]).redis_url;
    let parts = [
        ("REDIS_HOST", "redis.example"),
        ("REDIS_PORT", "6380"),
        ("REDIS_USERNAME", "ada"),
        ("REDIS_PASSWORD", "p@ss"),
        ("REDIS_TLS", "true"),
        ("REDIS_DB", "2"),
    ];
    assert_eq!(redis(&parts).redis_url, url);
    assert_eq!(url, "rediss://ada:p%40ss@redis.example:6380/2");
    let both = [parts.as_slice(), &[("REDIS_URL", url.as_str())]].concat();
    assert_eq!(redis(&both).redis_url, url);
}

#[test]
fn what_the_url_leaves_open_the_single_variables_fill_in() {
    let given = [("REDIS_URL", "redis://host"), ("REDIS_PASSWORD", "pw"), ("REDIS_DB", "3")];
    assert_eq!(redis(&given).redis_url, "redis://:pw@host:6379/3");
    assert_eq!(redis(&[("REDIS_HOST", "::1")]).redis_url, "redis://[::1]:6379/0");
}

#[test]
fn contradictions_name_both_variables() {
    let url = ("REDIS_URL", "redis://u:p@host:6379/1");
    for (name, value) in [
        ("REDIS_HOST", "other"),
        ("REDIS_PORT", "6380"),
        ("REDIS_USERNAME", "other"),
        ("REDIS_PASSWORD", "other"),
        ("REDIS_TLS", "true"),
        ("REDIS_DB", "2"),
    ] {
        assert_eq!(blamed(&[url, (name, value)]), [format!("REDIS_URL {name}")]);
    }
    assert_eq!(
        blamed(&[("USE_MEMORY_SESSIONS", "true"), ("USE_REDIS_SESSIONS", "true"), url]),
        ["USE_MEMORY_SESSIONS USE_REDIS_SESSIONS"]
    );
    assert_eq!(blamed(&[("USE_REDIS_SESSIONS", "true")]), ["USE_REDIS_SESSIONS REDIS_URL"]);
    assert_eq!(blamed(&[("REDIS_STRICT_TLS", "true"), url]), ["REDIS_STRICT_TLS REDIS_URL"]);
    assert_eq!(blamed(&[("REDIS_STRICT_TLS", "true"), ("REDIS_HOST", "h")]), ["REDIS_STRICT_TLS REDIS_TLS"]);
    assert_eq!(blamed(&[("REDIS_CONNECT_FAILURE", "memory"), url]), ["REDIS_CONNECT REDIS_CONNECT_FAILURE"]);
    assert_eq!(blamed(&[("APP_ENV", "production")]), ["SESSION_SECRET APP_ENV"]);
    assert_eq!(blamed(&[("REDIS_USERNAME", "ada"), ("REDIS_HOST", "h")]), ["REDIS_USERNAME REDIS_PASSWORD"]);
}

#[test]
fn a_breaker_is_there_when_it_is_asked_for() {
    let host = ("REDIS_HOST", "h");
    assert_eq!(redis(&[host]).breaker, None);
    let tuned = [host, ("SESSION_BREAKER", "true"), ("SESSION_BREAKER_OPEN", "250"), ("SESSION_BREAKER_PROBES", "2")];
    let open_for = Duration::from_millis(250);
    assert_eq!(redis(&tuned).breaker, Some(BreakerConfig { failures: 5, open_for, probes: 2 }));
    assert_eq!(blamed(&[host, ("SESSION_BREAKER_OPEN", "250")]), ["SESSION_BREAKER_OPEN SESSION_BREAKER"]);
}

#[test]
fn keys_are_read_and_bad_ones_are_not_shown() {
    let host = ("REDIS_HOST", "h");
    let (new, old) = ("ab".repeat(32), "cd".repeat(32));
    let ring = redis(&[host, ("SESSION_ENCRYPTION_KEY", &new), ("SESSION_ENCRYPTION_OLD_KEYS", &old)]).keyring.unwrap();
    assert_eq!(ring.ids(), [Key::from_hex(&new).unwrap().id(), Key::from_hex(&old).unwrap().id()]);
    let error = read(&[("SESSION_ENCRYPTION_KEY", "s3cr3t")]).unwrap_err().to_string();
    assert!(error.contains("SESSION_ENCRYPTION_KEY: expected 64 hex digits") && !error.contains("s3cr3t"), "{error}");
    assert_eq!(
        blamed(&[("SESSION_ENCRYPTION_OLD_KEYS", &old)]),
        ["SESSION_ENCRYPTION_OLD_KEYS SESSION_ENCRYPTION_KEY"]
    );
}

#[test]
fn sentinels_say_where_redis_is() {
    let given =
        [("REDIS_SENTINELS", "one:26379, two:26380"), ("REDIS_SENTINEL_MASTER", "games"), ("REDIS_PASSWORD", "pw")];
    let Deployment::Sentinel { master, sentinels, credentials: None } = redis(&given).deployment else { panic!() };
    assert_eq!((master.as_str(), sentinels), ("games", vec!["one:26379".to_owned(), "two:26380".to_owned()]));
    assert_eq!(blamed(&[given[0], ("REDIS_HOST", "h")]), ["REDIS_HOST REDIS_SENTINELS"]);
    assert_eq!(blamed(&[("REDIS_SENTINEL_MASTER", "games")]), ["REDIS_SENTINEL_MASTER REDIS_SENTINELS"]);
    assert_eq!(blamed(&[("REDIS_SENTINELS", "one:26379,redis://two")]), ["REDIS_SENTINELS"]);
}

#[test]
fn a_cluster_is_found_by_its_nodes_alone_or_beside_a_url() {
    let nodes = ("REDIS_CLUSTER_NODES", "one:7000, two:7001");
    let named = ["one:7000".to_owned(), "two:7001".to_owned()];
    let alone = redis(&[nodes, ("REDIS_PASSWORD", "pw")]);
    assert_eq!(alone.redis_url, "redis://:pw@one:7000/0");
    assert!(matches!(alone.deployment, Deployment::Cluster { nodes } if nodes == named));
    let beside = redis(&[nodes, ("REDIS_URL", "redis://three:7002")]);
    assert_eq!(beside.redis_url, "redis://three:7002/0");
    assert!(matches!(beside.deployment, Deployment::Cluster { nodes } if nodes == named));
    assert_eq!(blamed(&[nodes, ("REDIS_SENTINELS", "s")]), ["REDIS_CLUSTER_NODES REDIS_SENTINELS"]);
    assert_eq!(blamed(&[("REDIS_CLUSTER_NODES", "one:7000,redis://two")]), ["REDIS_CLUSTER_NODES"]);
}

#[test]
fn files_of_tls_must_exist_and_go_with_tls() {
    let tls = ("REDIS_URL", "rediss://host");
    let here = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
    assert_eq!(redis(&[tls, ("REDIS_CA_FILE", here)]).tls.ca_file.as_deref(), Some(here.as_ref()));
    assert!(redis(&[tls, ("REDIS_STRICT_TLS", "true")]).tls.strict);
    let named = ("REDIS_TLS_SERVER_NAME", "redis.example");
    assert_eq!(redis(&[tls, named]).tls.server_name.as_deref(), Some("redis.example"));
    assert_eq!(blamed(&[("REDIS_HOST", "h"), named]), ["REDIS_TLS_SERVER_NAME REDIS_TLS"]);
    assert_eq!(blamed(&[tls, ("REDIS_CA_FILE", "/nowhere")]), ["REDIS_CA_FILE"]);
    assert_eq!(blamed(&[("REDIS_HOST", "h"), ("REDIS_CA_FILE", here)]), ["REDIS_CA_FILE REDIS_TLS"]);
    assert_eq!(blamed(&[tls, ("REDIS_CLIENT_KEY_FILE", here)]), ["REDIS_CLIENT_CERT_FILE REDIS_CLIENT_KEY_FILE"]);
}

#[test]
fn a_bad_value_names_its_variable_and_what_is_expected() {
    for (name, value, expected) in [
        ("REDIS_URL", "http://host", "redis://"),
        ("REDIS_HOST", "redis://host", "without a scheme"),
        ("REDIS_PORT", "0", "1 to 65535"),
        ("REDIS_PORT", "tcp://10.0.0.1:6379", "enableServiceLinks"),
        ("REDIS_DB", "abc", "0 to 65535"),
        ("REDIS_TLS", "maybe", "true or false"),
        ("REDIS_TTL", "1h", "1 to 31622400"),
        ("REDIS_TIMEOUT", "0", "1 to 600000"),
        ("REDIS_RETRY", "ever", "conversation"),
        ("REDIS_CONNECT", "soon", "lazy or eager"),
        ("REDIS_KEY_PREFIX", "a b", "white space"),
        ("SESSION_POLICY", "drian", "dual-write"),
        ("SESSION_SECRET", "short", "32 bytes"),
        ("SESSION_COOKIE_NAME", "a;b", "letters"),
        ("APP_ENV", "prod", "production"),
        ("BIND_ADDRESS", "localhost", "IP address"),
        ("PORT", "65536", "0 to 65535"),
    ] {
        let error = read(&[(name, value)]).unwrap_err();
        let [problem] = error.problems.as_slice() else { panic!("{error}") };
        assert_eq!(problem.variables, [name], "{error}");
        assert!(problem.message.contains(expected), "{error}");
    }
}

#[test]
fn everything_that_is_wrong_is_said_at_once() {
    let bad = [("REDIS_DB", "abc"), ("PORT", "x"), ("SESSION_POLICY", "none"), ("REDIS_TTL", "-1")];
    let mut blamed = blamed(&bad);
    blamed.sort();
    assert_eq!(blamed, ["PORT", "REDIS_DB", "REDIS_TTL", "SESSION_POLICY"]);
}

#[test]
fn memory_is_forced_by_either_switch_and_then_nothing_is_degraded() {
    for switch in [("USE_MEMORY_SESSIONS", "true"), ("USE_REDIS_SESSIONS", "false")] {
        let config = read(&[switch, ("REDIS_URL", "redis://host")]).unwrap();
        assert!(matches!(config.store.place, Place::Memory(MemoryReason::Forced)));
    }
}

#[test]
fn no_secret_is_ever_shown() {
    // One configuration with every secret set and every other variable wrong, and one without errors.
    let wrong = VARIABLES.iter().map(|variable| (variable.name, "s3cr3t wrong ://"));
    let secret = |name: &str| SECRETS.iter().any(|(secret, _)| *secret == name);
    let wrong: Vec<_> = wrong.filter(|(name, _)| !secret(name)).chain(SECRETS).collect();
    let error = read(&wrong).unwrap_err();
    assert!(error.problems.len() >= 15, "{error}");
    assert!(!format!("{error} {error:?}").contains("s3cr3t"), "{error}");
    let sound = [SECRETS[3], ("SESSION_SECRET", "s3cr3t-that-is-long-enough-to-be-one-00")];
    let shown = format!("{:?}", read(&sound).unwrap());
    assert!(!shown.contains("s3cr3t") && !shown.contains("ada"), "{shown}");
}

#[test]
fn the_guide_lists_every_variable_as_it_is() {
    let guide = include_str!("../../../docs/configuration.md");
    for Variable { name, default, systems, about } in VARIABLES {
        let row = format!("| `{name}` | {default} | {systems} | {about} |");
        assert!(guide.contains(&row), "docs/configuration.md lacks: {row}");
    }
    let table = guide.split("\n## ").next().unwrap();
    let rows = table.lines().filter(|line| line.starts_with("| `")).count();
    assert_eq!(rows, VARIABLES.len(), "docs/configuration.md has rows without a variable");
}
