//! The command line that repeats a drill.

use firedrill_storage::ClientCertificate;

use super::order::RedisChoice;
use super::protection::Allowance;
use crate::proxy::RemoteOptions;
use crate::scenario::{Override, Source};

/// Everything that determined a drill.
pub struct Flags<'a> {
    /// Its scenario.
    pub source: &'a Source,
    /// Its seed, given or drawn.
    pub seed: u64,
    /// The changes to the scenario.
    pub sets: &'a [Override],
    /// Its Redis.
    pub redis: &'a RedisChoice,
    /// What it was allowed to do to a shared Redis.
    pub allowance: &'a Allowance,
    /// As given.
    pub session_server: Option<&'a std::path::Path>,
    /// As given.
    pub toxiproxy: Option<&'a RemoteOptions>,
    /// As given.
    pub workers: Option<usize>,
    /// The run whose faults come again.
    pub inject_as: Option<&'a std::path::Path>,
}

/// The command line that repeats the drill. A URL may contain a password, so it comes from the environment; a missing
/// variable is an error, so that nobody drills the wrong Redis by accident.
pub fn command(flags: &Flags<'_>) -> String {
    let path = |path: &std::path::Path| quoted(&path.to_string_lossy());
    let mut words = vec!["firedrill run".to_owned(), quoted(scenario(flags.source)), format!("--seed {}", flags.seed)];
    words.extend(flags.sets.iter().map(|change| {
        let (flag, value) = change.flag();
        format!("{flag} {}", quoted(value))
    }));
    match flags.redis {
        RedisChoice::Managed(binary) => {
            words.extend(binary.as_deref().map(|binary| format!("--redis-server {}", path(binary))));
        }
        RedisChoice::External(url) => {
            words.insert(0, "FIREDRILL_REDIS=\"${FIREDRILL_REDIS:?the URL of the Redis}\"".to_owned());
            let Allowance { server_faults, memory_share } = flags.allowance;
            words.extend(server_faults.as_ref().map(|server| format!("--allow-server-faults {}", quoted(server))));
            words.extend((*memory_share != Allowance::MEMORY_SHARE).then(|| format!("--memory-share {memory_share}")));
            words.extend(url.tls().ca_file.as_deref().map(|file| format!("--redis-ca {}", path(file))));
            let client = url.tls().client.as_ref();
            words.extend(client.map(|ClientCertificate { cert_file, key_file }| {
                format!("--redis-cert {} --redis-key {}", path(cert_file), path(key_file))
            }));
            words.extend(url.sentinel().master.as_ref().map(|master| format!("--redis-master {}", quoted(master))));
        }
    }
    words.extend(flags.session_server.map(|binary| format!("--session-server {}", path(binary))));
    if let Some(remote) = flags.toxiproxy {
        words.push(format!("--toxiproxy {}", quoted(&remote.url.to_string())));
        words.push(format!("--toxiproxy-listen {}", quoted(&remote.listen)));
        words.extend(remote.upstream.as_ref().map(|upstream| format!("--toxiproxy-upstream {}", quoted(upstream))));
    }
    words.extend(flags.workers.map(|workers| format!("--workers {workers}")));
    words.join(" ") + &flags.inject_as.map_or_else(String::new, inject_as)
}

/// The flag that lets the faults come as in the run at `run`, with a space before it.
pub fn inject_as(run: &std::path::Path) -> String {
    format!(" --inject-as {}", quoted(&run.to_string_lossy()))
}

/// The lines of Rust that repeat the drill of a custom target.
pub fn code(flags: &Flags<'_>) -> String {
    let source = match flags.source.shipped() {
        Some(shipped) => format!("Drill::shipped({:?})", shipped.name),
        None => format!("Drill::from_file({:?})", flags.source.name),
    };
    let call = |change: &Override| match (change.flag(), change.flag().1.split_once('=')) {
        (("--set", _), Some((key, value))) => format!(".set({key:?}, {value:?})"),
        ((_, value), _) => format!(".app({value:?})"),
    };
    let sets: String = flags.sets.iter().map(call).collect();
    let workers = flags.workers.map_or(String::new(), |workers| format!(".workers({workers})"));
    let repeat = flags.inject_as.map_or(String::new(), |run| format!(".repeat(&Run::load({run:?})?, {run:?})"));
    format!("{source}.seed({}){sets}{workers}{repeat}.target(..).run()", flags.seed)
}

fn scenario(source: &Source) -> &str {
    source.shipped().map_or(&source.name, |shipped| shipped.name)
}

/// Quotes `text` for a POSIX shell.
pub fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,@%+".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::lab::SentinelOptions;
    use crate::scenario::shipped;

    fn flags<'a>(source: &'a Source, redis: &'a RedisChoice) -> Flags<'a> {
        let allowance = const { &Allowance { server_faults: None, memory_share: Allowance::MEMORY_SHARE } };
        Flags {
            source,
            seed: 7,
            sets: &[],
            redis,
            allowance,
            session_server: None,
            toxiproxy: None,
            workers: None,
            inject_as: None,
        }
    }

    #[test]
    fn words_are_quoted_for_a_shell() {
        assert_eq!(quoted("store.policy=degrade"), "store.policy=degrade");
        assert_eq!(quoted("gates.\"recovery\"=<= 1s"), "'gates.\"recovery\"=<= 1s'");
        assert_eq!(quoted("it's"), r"'it'\''s'");
    }

    #[test]
    fn the_command_names_the_very_scenario_and_never_a_url() {
        let shipped = shipped()[0].source();
        let managed = RedisChoice::Managed(None);
        assert_eq!(command(&flags(&shipped, &managed)), "firedrill run redis-outage --seed 7");
        let own = Source { text: format!("{}# mine\n", shipped.text), ..shipped };
        let external = RedisChoice::External("redis://:s3cret@db.example".parse().unwrap());
        let sets = ["store.ttl=2s".parse().unwrap()];
        assert_eq!(
            command(&Flags { sets: &sets, ..flags(&own, &external) }),
            "FIREDRILL_REDIS=\"${FIREDRILL_REDIS:?the URL of the Redis}\" \
             firedrill run redis-outage.toml --seed 7 --set store.ttl=2s"
        );
    }

    #[test]
    fn the_command_has_every_flag_that_mattered() {
        let shipped = shipped()[0].source();
        let managed = RedisChoice::Managed(Some("/opt/my redis/redis-server".into()));
        let toxiproxy = RemoteOptions {
            url: "http://127.0.0.1:8474".parse().unwrap(),
            listen: "127.0.0.1:0".to_owned(),
            upstream: None,
        };
        let all = Flags {
            session_server: Some(Path::new("target/debug/session-server")),
            toxiproxy: Some(&toxiproxy),
            workers: Some(1),
            inject_as: Some(Path::new("runs/a day/redis-outage")),
            ..flags(&shipped, &managed)
        };
        let line = command(&all);
        for flag in [
            "--redis-server '/opt/my redis/redis-server'",
            "--session-server target/debug/session-server",
            "--toxiproxy http://127.0.0.1:8474",
            "--toxiproxy-listen 127.0.0.1:0",
            "--workers 1",
            "--inject-as 'runs/a day/redis-outage'",
        ] {
            assert!(line.contains(flag), "{flag}: {line}");
        }
    }

    #[test]
    fn what_was_allowed_on_a_shared_server_is_allowed_again() {
        let external = RedisChoice::External("redis://db.example".parse().unwrap());
        let allowance =
            Allowance { server_faults: Some("db.example:6379".to_owned()), memory_share: crate::units::Share(0.5) };
        let source = shipped()[0].source();
        let line = command(&Flags { allowance: &allowance, ..flags(&source, &external) });
        assert!(line.ends_with("--allow-server-faults db.example:6379 --memory-share 50%"), "{line}");
    }

    #[test]
    fn the_primary_that_sentinels_watch_is_named_again() {
        let url: crate::lab::RedisUrl = "redis://watch.example:26379".parse().unwrap();
        let sentinel = SentinelOptions { master: Some("my games".to_owned()), credentials: None };
        let external = RedisChoice::External(url.watched(sentinel));
        let source = shipped()[0].source();
        assert!(command(&flags(&source, &external)).ends_with("--redis-master 'my games'"));
    }

    #[test]
    fn a_drill_of_a_target_of_ones_own_is_replayed_in_code() {
        let (shipped, managed) = (shipped()[0].source(), RedisChoice::Managed(None));
        let sets = ["store.ttl=2s".parse().unwrap()];
        let line = code(&Flags { sets: &sets, ..flags(&shipped, &managed) });
        assert_eq!(line, "Drill::shipped(\"redis-outage\").seed(7).set(\"store.ttl\", \"2s\").target(..).run()");
    }
}
