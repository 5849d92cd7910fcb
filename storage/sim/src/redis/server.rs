//! One simulated server: its keys, its clients, and its active faults.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::sync::futures::Notified;
use tokio::time::Instant;

use super::commands::{self, Refusal};
use super::keyspace::{Data, Keyspace};
use super::line::Line;
use super::lua;
use super::resp::{Command, Reply};

/// The server's clock at the start of a simulation, in microseconds since 1970.
const START: u64 = 1_700_000_000_000_000;

/// A server. Cheap to clone.
#[derive(Clone)]
pub struct Server {
    inner: Arc<Mutex<Inner>>,
    /// Notified at every change of the faults.
    changed: Arc<Notify>,
}

struct Inner {
    keys: Keyspace,
    origin: Instant,
    up: bool,
    frozen: bool,
    refusal: Option<Refusal>,
    /// Orders the keys for SCAN and identifies the process; it changes with every start.
    boot: u64,
    /// Hashes of the scripts that it knows.
    known: HashSet<String>,
    texts: HashMap<String, Vec<u8>>,
    clients: BTreeMap<u64, Client>,
    /// Clients so far, over all starts.
    connected: u64,
    /// The executed commands, if recorded.
    tape: Option<Vec<Command>>,
    lost: u64,
    /// Whether it says that it is a replica.
    replica: bool,
}

struct Client {
    line: Arc<Line>,
    /// Prefixes of the keys whose changes it tracks.
    tracks: Vec<Vec<u8>>,
}

impl Server {
    /// A server without keys. Call it inside a tokio runtime, whose clock the server uses.
    pub fn new(seed: u64) -> Self {
        let inner = Inner {
            keys: Keyspace::default(),
            origin: Instant::now(),
            up: true,
            frozen: false,
            refusal: None,
            boot: seed | 1,
            known: HashSet::new(),
            texts: HashMap::new(),
            clients: BTreeMap::new(),
            connected: 0,
            tape: None,
            lost: 0,
            replica: false,
        };
        Self { inner: Arc::new(Mutex::new(inner)), changed: Arc::default() }
    }

    /// Notified whenever a fault begins or ends.
    pub(crate) fn changes(&self) -> Notified<'_> {
        self.changed.notified()
    }

    pub(crate) fn ring(&self) {
        self.changed.notify_waiters();
    }

    /// Accepts a new client; `None`: the port is closed.
    pub fn accept(&self, line: &Arc<Line>) -> Option<u64> {
        let mut inner = self.inner.lock();
        if !inner.up {
            return None;
        }
        inner.connected += 1;
        let id = inner.connected;
        inner.clients.insert(id, Client { line: Arc::clone(line), tracks: Vec::new() });
        Some(id)
    }

    pub(crate) fn leave(&self, client: u64) {
        self.inner.lock().clients.remove(&client);
    }

    pub(crate) fn is_up(&self) -> bool {
        self.inner.lock().up
    }

    pub(crate) fn is_frozen(&self) -> bool {
        self.inner.lock().frozen
    }

    /// Stops at once, as with SIGKILL. The last `lose` writes were not on disk and are lost. Returns the keys that this
    /// changed.
    pub fn crash(&self, lose: usize) -> Vec<Vec<u8>> {
        let mut inner = self.inner.lock();
        inner.up = false;
        inner.frozen = false;
        let lost = inner.lose(lose);
        drop(inner);
        self.ring();
        lost
    }

    /// Starts again with what was on disk.
    pub fn restart(&self) {
        let mut inner = self.inner.lock();
        inner.up = true;
        inner.begin_anew();
        drop(inner);
        self.ring();
    }

    /// A replica without the last `lose` writes takes over. Returns the keys that this changed.
    pub fn fail_over(&self, lose: usize) -> Vec<Vec<u8>> {
        let mut inner = self.inner.lock();
        let lost = inner.lose(lose);
        inner.begin_anew();
        drop(inner);
        self.ring();
        lost
    }

    /// Stops for a while, as with SIGSTOP: connections stay open, but nothing is executed.
    pub fn freeze(&self, frozen: bool) {
        self.inner.lock().frozen = frozen;
        self.ring();
    }

    /// From now on it is a replica.
    pub fn demote(&self) {
        self.inner.lock().replica = true;
    }

    /// Starts or stops refusing commands.
    pub fn refuse(&self, refusal: Option<Refusal>) {
        self.inner.lock().refusal = refusal;
    }

    /// Forgets every script, as with SCRIPT FLUSH.
    pub fn forget_scripts(&self) {
        self.inner.lock().known.clear();
    }

    /// Evicts a key. `false`: the key did not exist.
    pub fn evict(&self, key: &[u8]) -> bool {
        let mut inner = self.inner.lock();
        inner.tick();
        let there = inner.keys.set(key, None);
        inner.finish();
        there
    }

    /// A key's value, if it is a string.
    pub fn value(&self, key: &[u8]) -> Option<Vec<u8>> {
        let mut inner = self.inner.lock();
        inner.tick();
        match &inner.keys.get(key)?.data {
            Data::Text(text) => Some(text.clone()),
            Data::Sorted(_) => None,
        }
    }

    /// Writes lost so far, counted in commands.
    pub fn lost_writes(&self) -> u64 {
        self.inner.lock().lost
    }

    /// Records every data command from now on.
    pub fn record(&self) {
        self.inner.lock().tape = Some(Vec::new());
    }

    /// The recorded commands.
    pub fn recorded(&self) -> Vec<Command> {
        self.inner.lock().tape.take().unwrap_or_default()
    }

    /// Executes one command of a client now.
    pub fn execute(&self, client: u64, command: &[Vec<u8>]) -> Reply {
        let mut inner = self.inner.lock();
        inner.tick();
        let name = String::from_utf8_lossy(command.first().map_or(&[], Vec::as_slice)).to_ascii_uppercase();
        if let Some(reply) = inner.about_the_connection(client, &name, command) {
            return reply;
        }
        let reply = inner.about_keys(&name, &command[1..]);
        if let Some(tape) = &mut inner.tape {
            tape.push(command.to_vec());
        }
        inner.finish();
        reply
    }
}

impl Inner {
    fn tick(&mut self) {
        self.keys.micros = START + self.origin.elapsed().as_micros() as u64;
    }

    fn lose(&mut self, writes: usize) -> Vec<Vec<u8>> {
        let lost = self.keys.lose(writes);
        self.lost += lost.len() as u64;
        self.drop_clients();
        lost
    }

    fn drop_clients(&mut self) {
        for client in std::mem::take(&mut self.clients).into_values() {
            client.line.cut();
        }
    }

    /// Another process serves from now on.
    fn begin_anew(&mut self) {
        self.boot = self.boot.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.known.clear();
        self.drop_clients();
    }

    /// Ends a command and notifies the clients that track its keys.
    fn finish(&mut self) {
        let changed = self.keys.commit();
        for client in self.clients.values().filter(|client| !client.tracks.is_empty()) {
            let theirs = |key: &&Vec<u8>| client.tracks.iter().any(|prefix| key.starts_with(prefix));
            let keys: Vec<Reply> = changed.iter().filter(theirs).map(Reply::bulk).collect();
            if !keys.is_empty() {
                client.line.push(Reply::Push(vec![Reply::bulk("invalidate"), Reply::Array(keys)]));
            }
        }
    }

    fn about_the_connection(&mut self, client: u64, name: &str, command: &[Vec<u8>]) -> Option<Reply> {
        let word = |at: usize| command.get(at).map(|word| String::from_utf8_lossy(word).to_ascii_uppercase());
        Some(match (name, word(1).as_deref()) {
            ("HELLO", _) => {
                let pair = |key: &str, value: Reply| (Reply::bulk(key), value);
                Reply::Map(vec![
                    pair("server", Reply::bulk("redis")),
                    pair("version", Reply::bulk("7.0.15")),
                    pair("proto", Reply::Int(3)),
                    pair("id", Reply::Int(client as i64)),
                    pair("mode", Reply::bulk("standalone")),
                    pair("role", Reply::bulk("master")),
                    pair("modules", Reply::Array(vec![])),
                ])
            }
            ("PING", _) => Reply::Status("PONG".to_owned()),
            ("SELECT", _) | ("CLIENT", Some("SETINFO")) => Reply::ok(),
            ("ROLE", _) => {
                let role = if self.replica { "slave" } else { "master" };
                Reply::Array(vec![Reply::bulk(role), Reply::Int(0), Reply::Array(vec![])])
            }
            ("INFO", _) => Reply::bulk(format!(
                "# Server\r\nredis_version:7.0.15\r\nrun_id:{:040x}\r\nuptime_in_seconds:1\r\n# Memory\r\nused_memory:1\r\n",
                self.boot
            )),
            ("CLIENT", Some("INFO")) => Reply::bulk(format!("id={client} addr={} fd=8", address(client))),
            ("CLIENT", Some("KILL")) => self.kill(command),
            ("CLIENT", Some("TRACKING")) => {
                let prefixes = command.windows(2).filter(|pair| pair[0].eq_ignore_ascii_case(b"PREFIX"));
                let tracks: Vec<_> = prefixes.map(|pair| pair[1].clone()).collect();
                if let Some(client) = self.clients.get_mut(&client) {
                    client.tracks = tracks;
                }
                Reply::ok()
            }
            _ => return None,
        })
    }

    fn kill(&mut self, command: &[Vec<u8>]) -> Reply {
        let option =
            |name: &[u8]| command.windows(2).find(|pair| pair[0].eq_ignore_ascii_case(name)).map(|pair| &pair[1]);
        let id = option(b"ID").and_then(|id| std::str::from_utf8(id).ok()?.parse::<u64>().ok());
        let known = id.filter(|id| option(b"ADDR").is_none_or(|known| *known == address(*id).into_bytes()));
        match known.and_then(|id| self.clients.remove(&id)) {
            Some(client) => {
                client.line.cut();
                Reply::Int(1)
            }
            None => Reply::Int(0),
        }
    }

    fn about_keys(&mut self, name: &str, args: &[Vec<u8>]) -> Reply {
        if let Some(refused) = self.refusal.and_then(|refusal| refusal.refuses(name)) {
            return refused;
        }
        match name {
            "EVAL" | "EVALSHA" => self.script(name == "EVAL", args),
            _ => commands::execute(&mut self.keys, self.boot, name, args)
                .unwrap_or_else(|| Reply::error(format!("ERR unknown command '{name}'"))),
        }
    }

    fn script(&mut self, whole: bool, args: &[Vec<u8>]) -> Reply {
        let [script, count, rest @ ..] = args else { return Reply::error("ERR wrong number of arguments") };
        let count: usize = String::from_utf8_lossy(count).parse().unwrap_or_default();
        let hash = if whole {
            let hash = sha1_smol::Sha1::from(script).hexdigest();
            self.texts.entry(hash.clone()).or_insert_with(|| script.clone());
            self.known.insert(hash.clone());
            hash
        } else {
            String::from_utf8_lossy(script).into_owned()
        };
        if !self.known.contains(&hash) {
            return Reply::error("NOSCRIPT No matching script. Please use EVAL.");
        }
        let (names, args) = rest.split_at(count.min(rest.len()));
        let text = self.texts.get(&hash).map(Vec::as_slice);
        lua::run(&mut self.keys, self.boot, self.refusal, &hash, text, names, args)
            .unwrap_or_else(|| Reply::error("NOSCRIPT No matching script. Please use EVAL."))
    }
}

fn address(client: u64) -> String {
    format!("10.0.0.1:{}", 10_000 + client % 50_000)
}
