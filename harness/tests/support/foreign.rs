//! An external Redis, everything that a drill could change on it, and the processes started by a drill.

use std::collections::BTreeMap;
use std::time::Duration;

use firedrill::lab::{Admin, ManagedConfig, ManagedRedis, RedisUrl, ServerProcess as _};

/// The owner's keys.
const FOREIGN: u32 = 100_000;

const PASSWORD: &str = "s3cret";

/// Creates keys on a Redis without DEBUG POPULATE.
const POPULATE: &str = "for i = 1, 10000 do redis.call('SET', 'foreign:' .. i, 'value:' .. i) end";

/// A digest of the contents of a server without DEBUG DIGEST.
const DIGEST: &str = "local keys = redis.call('KEYS', '*') table.sort(keys) local digest = '' \
     for _, key in ipairs(keys) do digest = redis.sha1hex(digest .. key .. redis.call('DUMP', key)) end return digest";

pub struct ForeignRedis {
    /// `None` if it was already running.
    redis: Option<ManagedRedis>,
    admin: Admin,
    pub url: String,
    runtime: tokio::runtime::Runtime,
}

/// Everything on a Redis that must be the same afterwards.
#[derive(Debug, Clone, PartialEq)]
pub struct ServerSnapshot {
    config: BTreeMap<String, String>,
    users: Vec<String>,
    role: String,
    keys: u64,
    digest: String,
}

impl ForeignRedis {
    /// A Redis with a password and 100,000 keys.
    pub fn start() -> Self {
        Self::start_with("")
    }

    /// The same with additional lines in its redis.conf.
    pub fn start_with(directives: &str) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let config = ManagedConfig { directives: directives.to_owned(), ..ManagedConfig::default() };
        let redis = runtime.block_on(ManagedRedis::start(&config)).unwrap();
        let url = format!("redis://:{PASSWORD}@{}/", redis.address());
        runtime.block_on(async {
            let populate = redis::cmd("DEBUG").arg("POPULATE").arg(FOREIGN).arg("foreign").arg(32).clone();
            redis.admin().query::<()>(&populate).await.unwrap();
            let lock = redis::cmd("CONFIG").arg("SET").arg("requirepass").arg(PASSWORD).clone();
            redis.admin().query::<()>(&lock).await.unwrap();
        });
        let admin = Admin::new(&url.parse::<RedisUrl>().unwrap(), Duration::from_secs(30)).unwrap();
        Self { redis: Some(redis), admin, url, runtime }
    }

    /// The Redis at `url`, which gets fewer foreign keys because it may not have DEBUG POPULATE.
    pub fn at(url: &str) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let admin = Admin::new(&url.parse::<RedisUrl>().unwrap(), Duration::from_secs(30)).unwrap();
        let foreign = Self { redis: None, admin, url: url.to_owned(), runtime };
        foreign.ask::<redis::Value>(&["EVAL", POPULATE, "0"]);
        foreign
    }

    pub fn address(&self) -> String {
        self.url.parse::<RedisUrl>().unwrap().address()
    }

    pub fn ask<T: redis::FromRedisValue>(&self, words: &[&str]) -> T {
        let mut command = redis::cmd(words[0]);
        words[1..].iter().for_each(|word| {
            command.arg(word);
        });
        self.runtime.block_on(self.admin.query(&command)).unwrap()
    }

    /// Whether a new connection is refused with the owner's password.
    pub fn is_locked(&self) -> bool {
        let admin = Admin::new(&self.url.parse::<RedisUrl>().unwrap(), Duration::from_secs(30)).unwrap();
        self.runtime.block_on(admin.ping()).is_err()
    }

    /// The value of one setting.
    pub fn config(&self, name: &str) -> String {
        self.ask::<Vec<String>>(&["CONFIG", "GET", name]).remove(1)
    }

    /// Replaces it by another server at the same address: a new start, with the settings in its file.
    pub fn restart(&self) {
        let redis = self.redis.as_ref().unwrap();
        self.runtime.block_on(async {
            redis.kill().await.unwrap();
            redis.ensure_running().await.unwrap();
            let lock = redis::cmd("CONFIG").arg("SET").arg("requirepass").arg(PASSWORD).clone();
            redis.admin().query::<()>(&lock).await.unwrap();
        });
    }

    /// Whether it accepts the owner's password, and writes.
    pub fn is_well(&self) -> bool {
        let write = redis::cmd("SET").arg("no such key").arg("").arg("XX").clone();
        self.runtime.block_on(self.admin.query::<redis::Value>(&write)).is_ok()
    }

    /// Everything that a drill could have changed.
    pub fn snapshot(&self) -> ServerSnapshot {
        let pairs: Vec<String> = self.ask(&["CONFIG", "GET", "*"]);
        let info: String = self.ask(&["INFO", "replication"]);
        ServerSnapshot {
            config: pairs.chunks_exact(2).map(|pair| (pair[0].clone(), pair[1].clone())).collect(),
            users: self.ask(&["ACL", "LIST"]),
            role: info.lines().find(|line| line.starts_with("role:")).unwrap().to_owned(),
            keys: self.ask(&["DBSIZE"]),
            digest: match self.redis {
                Some(_) => self.ask(&["DEBUG", "DIGEST"]),
                None => self.ask(&["EVAL", DIGEST, "0"]),
            },
        }
    }
}

impl ServerSnapshot {
    /// How many settings, users and roles differ in `other`.
    pub fn settings_changed(&self, other: &Self) -> usize {
        let config = self.config.iter().filter(|(name, value)| other.config.get(*name) != Some(*value)).count();
        let gone = self.users.iter().filter(|user| !other.users.contains(user)).count();
        let new = other.users.iter().filter(|user| !self.users.contains(user)).count();
        config + gone + new + usize::from(self.role != other.role)
    }

    /// A lower bound for the number of keys that differ in `other`.
    pub fn keys_touched(&self, other: &Self) -> u64 {
        self.keys.abs_diff(other.keys).max(u64::from(self.digest != other.digest))
    }
}

/// The variable inherited by every process that a drill starts.
pub const MARK: &str = "FIREDRILL_TEST_ROUND";

/// The running processes that have `MARK` with this value in their environment.
pub fn marked(value: &str) -> Vec<u32> {
    let wanted = format!("{MARK}={value}").into_bytes();
    let processes = std::fs::read_dir("/proc").unwrap();
    let pids = processes.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok());
    pids.filter(|pid| {
        let environment = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(|entry| entry == wanted)
    })
    .collect()
}
