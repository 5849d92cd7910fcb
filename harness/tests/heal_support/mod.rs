//! A Redis that is somebody else's, everything that a drill could change of it, and the processes that a drill started.

use std::collections::BTreeMap;
use std::time::Duration;

use firedrill::lab::{Admin, ManagedConfig, ManagedRedis, RedisUrl};

/// Keys of its owner.
const FOREIGN: u32 = 100_000;

const PASSWORD: &str = "s3cret";

pub struct Theirs {
    redis: ManagedRedis,
    admin: Admin,
    pub url: String,
    runtime: tokio::runtime::Runtime,
}

/// Everything of a Redis that has to be the same afterwards.
#[derive(Debug, PartialEq)]
pub struct Seen {
    config: BTreeMap<String, String>,
    users: Vec<String>,
    role: String,
    keys: u64,
    digest: String,
}

impl Theirs {
    /// A Redis with a password and 100,000 keys.
    pub fn start() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let redis = runtime.block_on(ManagedRedis::start(&ManagedConfig::default())).unwrap();
        let url = format!("redis://:{PASSWORD}@{}/", redis.address());
        runtime.block_on(async {
            let populate = redis::cmd("DEBUG").arg("POPULATE").arg(FOREIGN).arg("foreign").arg(32).clone();
            redis.admin().query::<()>(&populate).await.unwrap();
            let lock = redis::cmd("CONFIG").arg("SET").arg("requirepass").arg(PASSWORD).clone();
            redis.admin().query::<()>(&lock).await.unwrap();
        });
        let admin = Admin::new(&url.parse::<RedisUrl>().unwrap(), Duration::from_secs(30)).unwrap();
        Self { redis, admin, url, runtime }
    }

    pub fn address(&self) -> String {
        self.redis.address().to_string()
    }

    pub fn ask<T: redis::FromRedisValue>(&self, words: &[&str]) -> T {
        let mut command = redis::cmd(words[0]);
        words[1..].iter().for_each(|word| {
            command.arg(word);
        });
        self.runtime.block_on(self.admin.query(&command)).unwrap()
    }

    /// Whether it can be used with its owner's password, and writes are taken.
    pub fn is_well(&self) -> bool {
        let write = redis::cmd("SET").arg("no such key").arg("").arg("XX").clone();
        self.runtime.block_on(self.admin.query::<redis::Value>(&write)).is_ok()
    }

    /// What of it a drill could have changed.
    pub fn seen(&self) -> Seen {
        let pairs: Vec<String> = self.ask(&["CONFIG", "GET", "*"]);
        let info: String = self.ask(&["INFO", "replication"]);
        Seen {
            config: pairs.chunks_exact(2).map(|pair| (pair[0].clone(), pair[1].clone())).collect(),
            users: self.ask(&["ACL", "LIST"]),
            role: info.lines().find(|line| line.starts_with("role:")).unwrap().to_owned(),
            keys: self.ask(&["DBSIZE"]),
            digest: self.ask(&["DEBUG", "DIGEST"]),
        }
    }
}

/// The variable that every process a drill starts inherits.
pub const MARK: &str = "FIREDRILL_TEST_ROUND";

/// The processes, dead ones apart, whose environment has `MARK` at this value.
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
