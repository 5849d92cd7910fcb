//! The ways to Redis to compare: this repository's store, and the bare `redis` crate as a service without a store would
//! use it. All of them use one multiplexed connection.

use std::sync::Arc;

use firedrill_storage::{AppendStore, Key, KeyRing, Policy, SessionData, StoreBuilder, StoreError, TriviaSession};
use redis::aio::MultiplexedConnection;
use redis::io::tcp::TcpSettings;
use redis::{AsyncCommands, Client, Cmd, IntoConnectionInfo, Script};

use crate::Fallible;
use crate::sample::{Sample, TTL, answer};

/// The operation to measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op {
    /// A new session: `SET … NX PX`.
    Create,
    /// A read that slides the expiry: `GETEX … PX`.
    Get,
    /// A whole write: `SET … PX`.
    Put,
    /// One more answer: with the bare crate, a read and a whole write.
    Append,
    /// A longer lifetime: `PEXPIRE`.
    Touch,
}

impl Op {
    /// All operations with their names.
    pub const ALL: [(Op, &'static str); 5] =
        [(Op::Get, "get"), (Op::Put, "put"), (Op::Append, "append"), (Op::Create, "create"), (Op::Touch, "touch")];
}

/// One way to Redis. Clones share its connection.
#[derive(Clone)]
pub enum Way {
    /// The bare crate, moving existing bytes without looking at them.
    Bytes(Bare),
    /// The bare crate, with the JSON work that a service needs: serialise before a write, parse after a read.
    Json(Bare),
    /// The same, with every write as a Lua script of a single command: the least that a store pays if the server
    /// decides, in one step, what a write becomes.
    Scripted(Bare, Arc<Scripts>),
    /// A store.
    Store(Arc<dyn AppendStore<TriviaSession>>),
}

/// Each write as a script of its one command. It takes the key, then the lifetime and, if there is one, the value.
pub struct Scripts {
    create: Script,
    put: Script,
    touch: Script,
}

impl Scripts {
    fn new() -> Self {
        Self {
            create: Script::new("return redis.call('SET', KEYS[1], ARGV[2], 'NX', 'PX', ARGV[1]) and 1 or 0"),
            put: Script::new("redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[1]) return 1"),
            touch: Script::new("return redis.call('PEXPIRE', KEYS[1], ARGV[1])"),
        }
    }
}

/// One multiplexed connection of the `redis` crate.
#[derive(Clone)]
pub struct Bare {
    connection: MultiplexedConnection,
    prefix: &'static str,
}

impl Way {
    /// All ways with their names; their sessions are separate. Must be called on the runtime that will drive their
    /// connections.
    ///
    /// # Errors
    /// If Redis cannot be reached.
    pub async fn all(url: &str) -> Fallible<Vec<(&'static str, Way)>> {
        Ok(vec![
            ("redis crate, bytes only", Way::Bytes(Bare::connect(url, "bytes:").await?)),
            ("redis crate + serde_json", Way::Json(Bare::connect(url, "json:").await?)),
            ("the same, writes scripted", Way::Scripted(Bare::connect(url, "lua:").await?, Arc::new(Scripts::new()))),
            ("RedisStore", Way::store(url, "redis:", Policy::FailFast, None).await?),
            ("Fallback (drain) over it", Way::store(url, "drain:", Policy::Drain, None).await?),
            ("RedisStore, encrypted", Way::store(url, "sealed:", Policy::FailFast, Some(keyring()?)).await?),
        ])
    }

    async fn store(url: &str, prefix: &str, policy: Policy, keyring: Option<Arc<KeyRing>>) -> Fallible<Way> {
        let settings = StoreBuilder { prefix: prefix.to_owned(), policy, keyring, ..StoreBuilder::new(url) };
        let store = settings.build::<TriviaSession>()?.store;
        // This waits for the first connection.
        store.count().await?;
        Ok(Way::Store(store))
    }

    /// Runs one operation on a session; `question` is the one that an append answers.
    ///
    /// # Errors
    /// If the operation fails or does not find its session: then nothing was measured.
    pub async fn run(&self, op: Op, sample: &Sample, question: u64) -> Fallible<()> {
        match self {
            Way::Bytes(bare) => bare.run_bytes(op, sample).await,
            Way::Json(bare) => bare.run_json(op, sample, question).await,
            Way::Scripted(bare, scripts) => bare.run_scripted(scripts, op, sample, question).await,
            Way::Store(store) => run_store(store.as_ref(), op, sample, question).await,
        }
    }
}

/// Any key will do.
fn keyring() -> Fallible<Arc<KeyRing>> {
    Ok(Arc::new(KeyRing::new(Key::from_hex(&"5a".repeat(32))?, Vec::new())))
}

async fn run_store(store: &dyn AppendStore<TriviaSession>, op: Op, sample: &Sample, question: u64) -> Fallible<()> {
    let found = match op {
        Op::Create => store.create(&sample.id, sample.session.clone(), TTL).await.map(|_| true),
        Op::Get => store.get(&sample.id, TTL).await.map(|acked| acked.value.is_some()),
        Op::Put => store.put(&sample.id, sample.session.clone(), TTL).await.map(|_| true),
        Op::Append => store.append(&sample.id, answer(question), TTL).await.map(|_| true),
        Op::Touch => store.touch(&sample.id, TTL).await.map(|acked| acked.value),
    };
    if found? { Ok(()) } else { Err(StoreError::NotFound.into()) }
}

impl Bare {
    async fn connect(url: &str, prefix: &'static str) -> Fallible<Self> {
        let tcp = TcpSettings::default().set_nodelay(true);
        let client = Client::open(url.into_connection_info()?.set_tcp_settings(tcp))?;
        Ok(Self { connection: client.get_multiplexed_async_connection().await?, prefix })
    }

    async fn run_bytes(&self, op: Op, sample: &Sample) -> Fallible<()> {
        match op {
            Op::Create => self.create(sample, &sample.json).await,
            Op::Get => self.get(sample).await.map(|_| ()),
            Op::Put => self.put(sample, &sample.json).await,
            Op::Append => {
                let json = self.get(sample).await?;
                self.put(sample, &json).await
            }
            Op::Touch => self.touch(sample).await,
        }
    }

    async fn run_json(&self, op: Op, sample: &Sample, question: u64) -> Fallible<()> {
        match op {
            Op::Create => self.create(sample, &serde_json::to_vec(&sample.session)?).await,
            Op::Get => self.parsed(sample).await.map(|_| ()),
            Op::Put => self.put(sample, &serde_json::to_vec(&sample.session)?).await,
            Op::Append => {
                let mut session = self.parsed(sample).await?;
                session.append(answer(question));
                self.put(sample, &serde_json::to_vec(&session)?).await
            }
            Op::Touch => self.touch(sample).await,
        }
    }

    async fn run_scripted(&self, scripts: &Scripts, op: Op, sample: &Sample, question: u64) -> Fallible<()> {
        let encoded = || serde_json::to_vec(&sample.session);
        match op {
            Op::Create => self.write(&scripts.create, sample, &encoded()?).await,
            Op::Get => self.parsed(sample).await.map(|_| ()),
            Op::Put => self.write(&scripts.put, sample, &encoded()?).await,
            Op::Append => {
                let mut session = self.parsed(sample).await?;
                session.append(answer(question));
                self.write(&scripts.put, sample, &serde_json::to_vec(&session)?).await
            }
            Op::Touch => self.write(&scripts.touch, sample, &[]).await,
        }
    }

    async fn write(&self, script: &Script, sample: &Sample, value: &[u8]) -> Fallible<()> {
        let mut call = script.key(self.key(sample));
        call.arg(millis());
        if !value.is_empty() {
            call.arg(value);
        }
        let written: bool = call.invoke_async(&mut self.connection.clone()).await?;
        if written { Ok(()) } else { Err(StoreError::NotFound.into()) }
    }

    async fn create(&self, sample: &Sample, json: &[u8]) -> Fallible<()> {
        let mut cmd = redis::cmd("SET");
        cmd.arg(self.key(sample)).arg(json).arg("NX").arg("PX").arg(millis());
        let stored: Option<String> = self.query(&cmd).await?;
        stored.map(|_| ()).ok_or_else(|| StoreError::AlreadyExists.into())
    }

    async fn get(&self, sample: &Sample) -> Fallible<Vec<u8>> {
        let mut cmd = redis::cmd("GETEX");
        cmd.arg(self.key(sample)).arg("PX").arg(millis());
        let json: Option<Vec<u8>> = self.query(&cmd).await?;
        json.ok_or_else(|| StoreError::NotFound.into())
    }

    async fn parsed(&self, sample: &Sample) -> Fallible<TriviaSession> {
        Ok(serde_json::from_slice(&self.get(sample).await?)?)
    }

    async fn put(&self, sample: &Sample, json: &[u8]) -> Fallible<()> {
        let mut cmd = redis::cmd("SET");
        cmd.arg(self.key(sample)).arg(json).arg("PX").arg(millis());
        self.query(&cmd).await
    }

    async fn touch(&self, sample: &Sample) -> Fallible<()> {
        let mut connection = self.connection.clone();
        let found: bool = connection.pexpire(self.key(sample), millis()).await?;
        if found { Ok(()) } else { Err(StoreError::NotFound.into()) }
    }

    async fn query<T: redis::FromRedisValue>(&self, cmd: &Cmd) -> Fallible<T> {
        Ok(cmd.query_async(&mut self.connection.clone()).await?)
    }

    fn key(&self, sample: &Sample) -> String {
        [self.prefix, sample.id.as_str()].concat()
    }
}

fn millis() -> i64 {
    TTL.as_millis() as i64
}
