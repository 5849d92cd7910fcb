//! Plain commands on a Redis: for comparison with other load generators, and for capacity tests without a store in between.
//!
//! A session is one key. Its value starts with the session's number and the token of the write, so every read shows
//! whose data it got and which write it sees. This is the generator's fast path: bare sockets, reused buffers, one
//! write and one read per operation or per batch of them, and no timer.

mod client;
mod cluster;
mod connection;
mod dialler;
mod pipeline;
mod refused;
mod resp;
mod setup;
mod template;
mod value;
mod vocabulary;
mod wire;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use async_trait::async_trait;
use firedrill_reports::run::Fact;
use firedrill_reports::text;
use firedrill_storage::Deployment;

use self::cluster::Cluster;
use self::connection::Reply;
use self::dialler::{Dialler, Node};
use self::resp::{Parsed, parse};
use self::setup::Setup;
use self::vocabulary::Vocabulary;
use super::driver::Driver;
use super::kind::{Flaw, Kind};
use super::site::Site;
use super::wiring::{OPERATIONS, Protocol, RedisTargetSpec, UnixSocket};
use crate::history::{OpKind, Outcome};
use crate::lab::RedisUrl;
use crate::load::Recording;
use crate::target::{Ability, BuildError, Observation, Operation, Target, fact};

pub use self::client::RedisClient;

/// The target kind.
pub(super) struct RedisKind;

#[async_trait]
impl Kind for RedisKind {
    fn name(&self) -> &'static str {
        "redis"
    }

    fn about(&self) -> &'static str {
        "Plain GET and SET, or commands of one's own: for comparison with other generators."
    }

    fn operations(&self) -> &'static [OpKind] {
        OPERATIONS
    }

    fn abilities(&self) -> &'static [Ability] {
        RedisTarget::ABILITIES
    }

    fn commands(&self) -> &'static [&'static str] {
        &["SET", "GET", "TOUCH", "DEL"]
    }

    fn is_only_a_client(&self) -> bool {
        true
    }

    fn wired(&self, spec: &RedisTargetSpec) -> Option<Vec<Flaw>> {
        Some(refused::flaws(spec))
    }

    async fn build(&self, site: Site) -> Result<Arc<dyn Driver>, BuildError> {
        Ok(Arc::new(RedisTarget::build(&site).await?))
    }
}

/// A Redis driven directly.
#[derive(Clone)]
pub struct RedisTarget {
    setup: Arc<Setup>,
    described: String,
    /// What became of each recording.
    recordings: Vec<String>,
}

/// Distinguishes the targets of a process.
static TARGETS: AtomicU64 = AtomicU64::new(0);

impl RedisTarget {
    /// The Redis at `url`, spoken to as `spec` says; keys start with `prefix`. Nothing is sent yet.
    ///
    /// # Errors
    /// A URL or a TLS file that cannot be used. The URL is not shown because it may contain a password.
    pub fn new(url: &str, prefix: &str, spec: &RedisTargetSpec) -> Result<Self, BuildError> {
        let url: RedisUrl = url.parse()?;
        let dialler = Dialler::to(url, spec.protocol)?.through(&spec.unix_socket, None)?;
        Ok(Self::with(dialler, None, Vocabulary::new(&spec.command, &[], prefix, 0, 0), spec))
    }

    /// Appends the request that carries out `op` to `request`, as RESP; nothing if it has no command for it.
    pub fn encode(&self, op: &Operation, request: &mut Vec<u8>) {
        self.setup.vocabulary.encode(op, request);
    }

    /// Reads the reply to `op` at the start of `bytes`: its length and what it says, noted in `seen`. `None` if there is no whole
    /// reply.
    pub fn read(&self, op: &Operation, bytes: &[u8], seen: &mut Observation) -> Option<(usize, Outcome)> {
        let mut values = Vec::new();
        let Parsed::Whole(end) = parse(bytes, &mut values) else { return None };
        let reply = Reply::new(&values, &bytes[..end]);
        Some((end, self.setup.vocabulary.observe(op, &reply, seen)))
    }

    async fn build(site: &Site) -> Result<Self, BuildError> {
        let spec = &site.redis;
        let recordings: Vec<&Recording> = site.recordings.iter().map(Arc::as_ref).collect();
        let ttl = site.store.ttl.0.as_secs().max(1);
        let vocabulary = Vocabulary::new(&spec.command, &recordings, &site.prefix, site.seed, ttl);
        let dialler = Dialler::of(site)?;
        let cluster = match &site.access.deployment {
            Deployment::Cluster { nodes } => {
                let others = nodes.iter().filter_map(|node| Node::parse(node, 6_379));
                Some(Cluster::found_by(std::iter::once(dialler.first()).chain(others)))
            }
            _ => None,
        };
        if let UnixSocket::Path(path) = &spec.unix_socket {
            dialler.leads_to_one_server().await.map_err(|reason| format!("{}: {reason}", path.display()))?;
        }
        let target = Self::with(dialler, cluster, vocabulary, spec);
        Ok(Self { recordings: recordings.into_iter().map(sent_again).collect(), ..target })
    }

    fn with(dialler: Dialler, cluster: Option<Cluster>, vocabulary: Vocabulary, spec: &RedisTargetSpec) -> Self {
        let setup = Setup {
            number: TARGETS.fetch_add(1, Relaxed),
            first: Arc::new(dialler.first()),
            dialler,
            cluster,
            vocabulary,
            pipeline: spec.pipeline.get(),
            reconnect_after: spec.reconnect_after.map_or(u64::MAX, |operations| operations.get()),
        };
        Self { setup: Arc::new(setup), described: described(spec), recordings: Vec::new() }
    }
}

/// How much of a recording is sent, and what is not.
fn sent_again(recording: &Recording) -> String {
    let operations = text::counted(recording.operations() as u64, "operation");
    match recording.commands_left_out() {
        Some(left_out) => format!("{operations}; left out: {left_out}"),
        None => operations,
    }
}

/// How it speaks, where that is not the usual way.
fn described(spec: &RedisTargetSpec) -> String {
    let mut how = Vec::new();
    if !spec.command.is_empty() {
        how.push(text::counted(spec.command.len() as u64, "command").replace("command", "own command"));
    } else {
        how.push("plain GET and SET".to_owned());
    }
    if spec.pipeline.get() > 1 {
        how.push(format!("{} operations in flight per connection", spec.pipeline));
    }
    if spec.protocol == Protocol::Resp3 {
        how.push("RESP3".to_owned());
    }
    if spec.unix_socket != UnixSocket::default() {
        how.push("Unix socket".to_owned());
    }
    if let Some(operations) = spec.reconnect_after {
        how.push(format!("a new connection after {operations} operations"));
    }
    format!("redis ({})", how.join(", "))
}

impl Target for RedisTarget {
    type Client = RedisClient;

    const OPERATIONS: &'static [OpKind] = OPERATIONS;

    const ABILITIES: &'static [Ability] =
        &[Ability::StoreNames, Ability::StorePassword, Ability::HostName, Ability::Tls, Ability::Topologies];

    fn client(&self) -> RedisClient {
        RedisClient::new(&self.setup)
    }

    fn remarks(&self) -> Vec<String> {
        let repeated = self.setup.dialler.repeated();
        let attempts = text::counted(repeated, "connection attempt");
        let remark =
            format!("{attempts} took a second: the server's accept queue was full, or the network lost packets");
        if repeated > 0 { vec![remark] } else { Vec::new() }
    }

    fn describe(&self) -> Vec<Fact> {
        let recordings = self.recordings.iter().map(|recording| fact("recording", recording.clone()));
        std::iter::once(fact("target", self.described.clone())).chain(recordings).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_without_host_and_port_is_refused_without_showing_its_password() {
        for url in ["unix:///tmp/s3cret.sock", "http://:s3cret@localhost", "s3cret"] {
            let error = RedisTarget::new(url, "p:", &RedisTargetSpec::default()).err().unwrap();
            assert!(!format!("{error} {error:?}").contains("s3cret"), "{error:?}");
        }
    }
}
