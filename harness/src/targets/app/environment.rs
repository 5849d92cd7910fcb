//! Turns the scenario's `[store]` into the application's environment. Secrets travel only here.

use super::super::http::launch;
use super::super::settings::{EncryptionSpec, StoreSpec};
use super::super::store::encryption_keys;
use crate::lab::RedisUrl;

/// The environment that makes `session-server` behave as `spec` says, on the Redis at `url` with its keys under
/// `prefix`. Its encryption key is derived from `seed`.
pub fn environment(spec: &StoreSpec, seed: u64, url: &RedisUrl, prefix: &str) -> Vec<(&'static str, String)> {
    let mut variables = vec![
        ("REDIS_URL", url.expose().to_owned()),
        ("REDIS_KEY_PREFIX", format!("{prefix}session:")),
        ("REDIS_TTL", spec.ttl.0.as_secs().to_string()),
        ("REDIS_TIMEOUT", spec.timeout.0.as_millis().to_string()),
        ("SESSION_POLICY", spec.policy.to_string()),
        ("SESSION_SLIDING", spec.sliding.to_string()),
        ("SESSION_WARM_CAPACITY", spec.warm_sessions.to_string()),
        ("SESSION_SECRET", launch::secret()),
        ("SESSION_EVENTS", true.to_string()),
        // Each answer's token is the number of a question, and there are more tokens than a game has questions.
        ("GAME_QUESTIONS", "open".to_owned()),
    ];
    let tls = url.tls();
    variables.extend(tls.ca_file.iter().map(|file| ("REDIS_CA_FILE", file.display().to_string())));
    if let Some(client) = &tls.client {
        variables.extend([
            ("REDIS_CLIENT_CERT_FILE", client.cert_file.display().to_string()),
            ("REDIS_CLIENT_KEY_FILE", client.key_file.display().to_string()),
        ]);
    }
    variables.extend(tls.server_name.iter().map(|name| ("REDIS_TLS_SERVER_NAME", name.clone())));
    if let Some(breaker) = &spec.breaker {
        variables.extend([
            ("SESSION_BREAKER", true.to_string()),
            ("SESSION_BREAKER_FAILURES", breaker.failures.to_string()),
            ("SESSION_BREAKER_OPEN", breaker.open_for.0.as_millis().to_string()),
            ("SESSION_BREAKER_PROBES", breaker.probes.to_string()),
        ]);
    }
    if spec.encryption != EncryptionSpec::Always(false) {
        variables.push(("SESSION_ENCRYPTION_KEY", encryption_keys::digits(seed, 0)));
    }
    variables
}

#[cfg(test)]
mod tests {
    use firedrill_storage::TlsOptions;

    use super::*;
    use crate::targets::BreakerSpec;
    use crate::units::Span;

    #[test]
    fn every_setting_of_the_store_has_its_variable() {
        let url: RedisUrl = "rediss://:s3cret@db.example/2".parse().unwrap();
        let tls = TlsOptions { ca_file: Some("/etc/ca.pem".into()), ..TlsOptions::default() };
        let url = url.secured(tls).unwrap().at("127.0.0.1:7001".parse().unwrap()).unwrap();
        let spec = StoreSpec {
            policy: firedrill_storage::Policy::FailFast,
            ttl: Span::secs(90),
            sliding: false,
            timeout: Span::millis(250),
            warm_sessions: 7,
            breaker: Some(BreakerSpec { failures: 2, open_for: Span::millis(1_500), probes: 3 }),
            encryption: EncryptionSpec::Always(true),
            ..StoreSpec::default()
        };
        let variables = environment(&spec, 7, &url, "firedrill:00:");
        let value = |name| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str());
        assert_eq!(value("REDIS_URL"), Some("rediss://:s3cret@127.0.0.1:7001/2"));
        assert_eq!(value("REDIS_KEY_PREFIX"), Some("firedrill:00:session:"));
        assert_eq!(value("REDIS_TTL"), Some("90"));
        assert_eq!(value("REDIS_TIMEOUT"), Some("250"));
        assert_eq!(value("REDIS_CA_FILE"), Some("/etc/ca.pem"));
        assert_eq!(value("REDIS_TLS_SERVER_NAME"), Some("db.example"));
        assert_eq!(value("SESSION_POLICY"), Some("fail-fast"));
        assert_eq!(value("SESSION_SLIDING"), Some("false"));
        assert_eq!(value("SESSION_WARM_CAPACITY"), Some("7"));
        assert_eq!(value("SESSION_SECRET").map(str::len), Some(64));
        assert_eq!(value("SESSION_BREAKER"), Some("true"));
        assert_eq!(value("SESSION_BREAKER_FAILURES"), Some("2"));
        assert_eq!(value("SESSION_BREAKER_OPEN"), Some("1500"));
        assert_eq!(value("SESSION_BREAKER_PROBES"), Some("3"));
        assert_eq!(value("SESSION_ENCRYPTION_KEY"), Some(encryption_keys::digits(7, 0).as_str()));
    }

    #[test]
    fn what_the_store_does_without_has_no_variable() {
        let url: RedisUrl = "redis://127.0.0.1:7001".parse().unwrap();
        let variables = environment(&StoreSpec::default(), 7, &url, "firedrill:00:");
        let extra = |name: &str| {
            ["SESSION_BREAKER", "SESSION_ENCRYPTION", "REDIS_CA", "REDIS_TLS"]
                .iter()
                .any(|extra| name.starts_with(extra))
        };
        assert!(!variables.iter().any(|(name, _)| extra(name)), "{variables:?}");
    }
}
