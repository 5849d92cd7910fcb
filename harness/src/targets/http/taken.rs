//! What an application can take from the drill, each value by its name in `[app]`: `{{redis.url}}`. A setting of `[store]` holds
//! for the application if it takes the setting's value.

use firedrill_storage::Policy;

use super::super::description::Description;
use super::super::kind::{LaunchSite, Unfit};
use super::super::settings::{EncryptionSpec, StoreSpec};
use super::super::store::encryption_keys;
use crate::target::Ability;
use crate::units::Span;

/// A value that the application can take.
pub(super) struct Value {
    /// What `[app]` calls it.
    pub(super) name: &'static str,
    /// Whether it must not be an argument: every user of the machine can read the arguments of a process.
    pub(super) secret: bool,
    /// Whether some drills have none: the variable is then left out.
    pub(super) optional: bool,
    /// What it is in a drill. Of the port, the instance and the files only the start of a process knows.
    of: fn(&LaunchSite<'_>) -> Option<String>,
}

const fn always(name: &'static str, of: fn(&LaunchSite<'_>) -> Option<String>) -> Value {
    Value { name, secret: false, optional: false, of }
}

const fn secret(name: &'static str, of: fn(&LaunchSite<'_>) -> Option<String>) -> Value {
    Value { secret: true, ..always(name, of) }
}

const fn optional(name: &'static str, of: fn(&LaunchSite<'_>) -> Option<String>) -> Value {
    Value { optional: true, ..always(name, of) }
}

/// Every value.
pub(super) const VALUES: [Value; 24] = [
    always("port", |_| None),
    always("instance", |_| None),
    always("files", |_| None),
    secret("redis.url", |site| Some(site.url.expose().to_owned())),
    always("redis.host", |site| Some(site.url.host().to_owned())),
    always("redis.port", |site| Some(site.url.port().to_string())),
    secret("redis.password", |site| Some(site.url.password().unwrap_or_default().to_owned())),
    optional("redis.ca-file", |site| Some(site.url.tls().ca_file.as_ref()?.display().to_string())),
    optional("redis.client-cert-file", |site| Some(site.url.tls().client.as_ref()?.cert_file.display().to_string())),
    optional("redis.client-key-file", |site| Some(site.url.tls().client.as_ref()?.key_file.display().to_string())),
    optional("redis.tls-server-name", |site| site.url.tls().server_name.clone()),
    always("prefix", |site| Some(site.prefix.to_owned())),
    always("store.policy", |site| Some(site.store.policy.to_string())),
    always("store.ttl", |site| Some(site.store.ttl.0.as_secs().to_string())),
    always("store.sliding", |site| Some(site.store.sliding.to_string())),
    always("store.timeout", |site| Some(site.store.timeout.0.as_millis().to_string())),
    always("store.warm_sessions", |site| Some(site.store.warm_sessions.to_string())),
    optional("store.breaker", |site| site.store.breaker.as_ref().map(|_| true.to_string())),
    optional("store.breaker.failures", |site| Some(site.store.breaker.as_ref()?.failures.to_string())),
    optional("store.breaker.open-for", |site| Some(site.store.breaker.as_ref()?.open_for.0.as_millis().to_string())),
    optional("store.breaker.probes", |site| Some(site.store.breaker.as_ref()?.probes.to_string())),
    Value { optional: true, ..secret("store.encryption-key", key) },
    secret("secret", |_| Some(own_secret())),
    always("seed", |site| Some(site.seed.to_string())),
];

fn key(site: &LaunchSite<'_>) -> Option<String> {
    (site.store.encryption != EncryptionSpec::Always(false)).then(|| encryption_keys::digits(site.seed, 0))
}

/// A secret for this drill alone: what an application signs with it stays valid when it restarts.
fn own_secret() -> String {
    format!("{:032x}{:032x}", rand::random::<u128>(), rand::random::<u128>())
}

/// The value called `name`.
pub(super) fn named(name: &str) -> Option<&'static Value> {
    VALUES.iter().find(|value| value.name == name)
}

/// The values of one drill, by name.
pub(super) fn of(site: &LaunchSite<'_>) -> Vec<(&'static str, String)> {
    VALUES.iter().filter_map(|value| Some((value.name, (value.of)(site)?))).collect()
}

/// The settings of `store` that do not hold for the application.
pub(super) fn unfit(store: &StoreSpec, description: Option<&Description>) -> Vec<Unfit> {
    let takes = |name| description.is_some_and(|description| description.names(name));
    let default = StoreSpec::default();
    // A setting, whether it is given, and whether the application takes it.
    let settings = [
        ("store.policy", store.policy != default.policy, takes("store.policy")),
        ("store.ttl", store.ttl != default.ttl, takes("store.ttl")),
        // What is said of an application with a lifetime: whether its reads extend it.
        ("store.sliding", store.sliding != default.sliding, takes("store.sliding") || takes("store.ttl")),
        ("store.update", store.update != default.update, false),
        ("store.timeout", store.timeout != default.timeout, takes("store.timeout")),
        ("store.warm_sessions", store.warm_sessions != default.warm_sessions, takes("store.warm_sessions")),
        ("store.breaker", store.breaker != default.breaker, takes("store.breaker")),
        ("store.encryption", store.encryption != default.encryption, takes("store.encryption-key")),
    ];
    let message = "the application is its own store, and does not take this setting from the drill";
    let help = "leave it out and configure the application in [app.env], which can pass a few settings, as \"{{store.ttl}}\": \
                docs/drill-your-own-app.md";
    let not_taken = settings.iter().filter(|(_, given, taken)| *given && !taken);
    let mut found: Vec<Unfit> = not_taken.map(|(key, ..)| Unfit { key, message, help }).collect();
    let whole = |span: Span, nanos: u32| span.0.subsec_nanos().is_multiple_of(nanos);
    if takes("store.ttl") && !whole(store.ttl, 1_000_000_000) {
        let message = "an application is told whole seconds: {{store.ttl}}";
        found.push(Unfit { key: "store.ttl", message, help: "3600s is the default" });
    }
    if takes("store.timeout") && !whole(store.timeout, 1_000_000) {
        let message = "an application is told whole milliseconds: {{store.timeout}}";
        found.push(Unfit { key: "store.timeout", message, help: "500ms is the default" });
    }
    if store.breaker.as_ref().is_some_and(|breaker| !whole(breaker.open_for, 1_000_000)) {
        let message = "an application is told whole milliseconds: {{store.breaker.open-for}}";
        found.push(Unfit { key: "store.breaker.open-for", message, help: "30s is the default" });
    }
    if matches!(store.encryption, EncryptionSpec::Rotating { .. }) && takes("store.encryption-key") {
        let message = "an application takes its key at its start and keeps it";
        found.push(Unfit { key: "store.encryption", message, help: "set it to true, or drive the store" });
    }
    found
}

/// What the description must say before the application has `ability`; `None` if it says so already, or does not have to.
pub(super) fn undescribed(ability: Ability, description: &Description) -> Option<&'static str> {
    let takes = |name| description.names(name);
    let (described, help) = match ability {
        Ability::Fallback | Ability::Breaker => {
            (description.app.events.is_some(), "name the path of its events: app.events")
        }
        Ability::Connection => (description.app.connected.is_some(), "name the path that says so: app.connected"),
        Ability::Expiry => (takes("store.ttl"), "pass the lifetime in [app.env]: \"{{store.ttl}}\""),
        Ability::Deadline => (takes("store.timeout"), "pass the deadline in [app.env]: \"{{store.timeout}}\""),
        Ability::Encryption => {
            (takes("store.encryption-key"), "pass the key in [app.env]: \"{{store.encryption-key}}\"")
        }
        Ability::Tls => (takes("redis.ca-file"), "pass the CA file in [app.env]: \"{{redis.ca-file}}\""),
        _ => return None,
    };
    (!described).then_some(help)
}

/// Whether the application keeps its sessions in memory because the drill says so, with no Redis to wait for.
pub(super) fn in_memory(store: &StoreSpec, description: &Description) -> bool {
    store.policy == Policy::Memory && description.names("store.policy")
}

#[cfg(test)]
mod tests {
    use firedrill_storage::TlsOptions;

    use super::*;
    use crate::lab::RedisUrl;
    use crate::targets::{AppSpec, BreakerSpec, OpsSpec};

    fn description(env: &str) -> Description {
        let app: AppSpec = toml::from_str(&format!("command = ['shop']\nenv = {{ {env} }}")).unwrap();
        Description { app, op: OpsSpec::default(), deploys: Vec::new() }
    }

    fn values(store: &StoreSpec, url: &RedisUrl) -> Vec<(&'static str, String)> {
        of(&LaunchSite { store, description: None, seed: 7, url, prefix: "firedrill:00:" })
    }

    #[test]
    fn every_setting_has_its_value() {
        let url: RedisUrl = "rediss://:s3cret@db.example/2".parse().unwrap();
        let tls = TlsOptions { ca_file: Some("/etc/ca.pem".into()), ..TlsOptions::default() };
        let url = url.secured(tls).unwrap().at("127.0.0.1:7001".parse().unwrap()).unwrap();
        let store = StoreSpec {
            policy: Policy::FailFast,
            ttl: Span::secs(90),
            sliding: false,
            timeout: Span::millis(250),
            warm_sessions: 7,
            breaker: Some(BreakerSpec { failures: 2, open_for: Span::millis(1_500), probes: 3 }),
            encryption: EncryptionSpec::Always(true),
            ..StoreSpec::default()
        };
        let values = values(&store, &url);
        let value = |name| values.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str());
        for (name, expected) in [
            ("redis.url", "rediss://:s3cret@127.0.0.1:7001/2"),
            ("redis.ca-file", "/etc/ca.pem"),
            ("redis.tls-server-name", "db.example"),
            ("prefix", "firedrill:00:"),
            ("store.policy", "fail-fast"),
            ("store.ttl", "90"),
            ("store.sliding", "false"),
            ("store.timeout", "250"),
            ("store.warm_sessions", "7"),
            ("store.breaker", "true"),
            ("store.breaker.failures", "2"),
            ("store.breaker.open-for", "1500"),
            ("store.breaker.probes", "3"),
            ("store.encryption-key", &encryption_keys::digits(7, 0)),
            ("seed", "7"),
        ] {
            assert_eq!(value(name), Some(expected), "{name}");
        }
        assert_eq!(value("secret").map(str::len), Some(64));
        assert_eq!(value("redis.client-cert-file"), None);
    }

    #[test]
    fn only_what_may_be_missing_is_missing() {
        let values = values(&StoreSpec::default(), &"redis://127.0.0.1:7001".parse().unwrap());
        for value in VALUES.iter().filter(|value| !["port", "instance", "files"].contains(&value.name)) {
            let there = values.iter().any(|(name, _)| *name == value.name);
            assert_eq!(there, !value.optional, "{}", value.name);
        }
    }

    #[test]
    fn settings_that_the_application_does_not_take_are_refused() {
        let keys = |store: &StoreSpec, env| -> Vec<&str> {
            unfit(store, Some(&description(env))).iter().map(|unfit| unfit.key).collect()
        };
        assert_eq!(keys(&StoreSpec::default(), ""), Vec::<&str>::new());
        let odd =
            StoreSpec { policy: Policy::FailFast, ttl: Span::millis(2_500), sliding: false, ..StoreSpec::default() };
        assert_eq!(keys(&odd, ""), ["store.policy", "store.ttl", "store.sliding"]);
        assert_eq!(keys(&odd, "A = '{{store.ttl}}'"), ["store.policy", "store.ttl"]);
        let odd = StoreSpec { ttl: Span::secs(2), ..odd };
        assert_eq!(keys(&odd, "A = '{{store.ttl}}', B = '{{store.policy}}'"), Vec::<&str>::new());
        let rotating = EncryptionSpec::Rotating { rotate_at: Span::secs(1) };
        let rotating = StoreSpec { encryption: rotating, ..StoreSpec::default() };
        assert_eq!(keys(&rotating, "A = '{{store.encryption-key}}'"), ["store.encryption"]);
    }

    #[test]
    fn an_application_has_the_abilities_that_its_description_gives_it() {
        let plain = description("");
        assert_eq!(undescribed(Ability::Process, &plain), None);
        assert_eq!(undescribed(Ability::Breaker, &plain), Some("name the path of its events: app.events"));
        assert!(undescribed(Ability::Tls, &plain).is_some() && undescribed(Ability::Expiry, &plain).is_some());
        let told = description("A = '{{store.ttl}}', B = '{{redis.ca-file}}'");
        assert!(undescribed(Ability::Tls, &told).is_none() && undescribed(Ability::Expiry, &told).is_none());
    }
}
