//! A fault as a scenario means it: what, when, for how long, how often. The list of all kinds stands here; how the file
//! writes them is in `table`.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::clock::{Jump, Skew};
use super::cluster::MigrateSlots;
use super::keys::{KeysCorrupt, KeysDelete};
use super::process::{AppKill, AppStop, DiskData, DiskFull, Kill, PowerLoss, SlowStart, Stop};
use super::proxy::{Bandwidth, Down, Impostor, Latency, LimitData, ResetPeer, Slicer, SlowClose, Timeout};
use super::server::{Auth, Eviction, IdleTimeout, MaxClients, NoReplicas, Oom, Pause, Readonly, ScriptFlush, Slow};
use super::table::FaultTable;
use crate::lab::{Persistence, Topology};
use crate::scenario::units::Span;

/// Makes the enums of kinds from one list: variant and parameters, the word used in scenarios, the keys it takes.
macro_rules! kinds {
    ($($(#[$doc:meta])* $variant:ident($parameters:ty), $name:literal, $keys:expr;)*) => {
        /// What a fault does, with its parameters.
        #[derive(Debug, Clone, Copy, PartialEq)]
        pub enum FaultKind {
            $($(#[$doc])* $variant($parameters),)*
        }

        /// The kinds by name.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
        pub(super) enum KindWord {
            $($(#[$doc])* #[serde(rename = $name)] $variant,)*
        }

        impl FaultKind {
            pub(super) fn word(&self) -> KindWord {
                match self {
                    $(FaultKind::$variant(_) => KindWord::$variant,)*
                }
            }
        }

        impl KindWord {
            pub(super) fn name(self) -> &'static str {
                match self {
                    $(KindWord::$variant => $name,)*
                }
            }

            /// The keys it takes, beside those that every fault has.
            pub(super) fn parameters(self) -> &'static [&'static str] {
                match self {
                    $(KindWord::$variant => &$keys,)*
                }
            }
        }
    };
}

kinds! {
    /// The network path is gone: connections are cut and refused.
    ProxyDown(Down), "proxy.down", [];
    /// Everything is late.
    ProxyLatency(Latency), "proxy.latency", ["latency", "jitter", "stream"];
    /// Nothing arrives and nothing is closed.
    ProxyTimeout(Timeout), "proxy.timeout", ["timeout", "stream"];
    /// The line is narrow.
    ProxyBandwidth(Bandwidth), "proxy.bandwidth", ["rate", "stream"];
    /// The end of a connection is told late.
    ProxySlowClose(SlowClose), "proxy.slow_close", ["delay", "stream"];
    /// Connections are reset when they are used.
    ProxyResetPeer(ResetPeer), "proxy.reset_peer", ["timeout", "stream"];
    /// Data arrives in small pieces.
    ProxySlicer(Slicer), "proxy.slicer", ["size", "variation", "delay", "stream"];
    /// Connections are closed after so many bytes.
    ProxyLimitData(LimitData), "proxy.limit_data", ["bytes", "stream"];
    /// Somebody else answers in the server's place, with a certificate of another authority.
    ProxyImpostor(Impostor), "proxy.impostor", [];
    /// The server dies by SIGKILL and comes back, on its data or without.
    ProcessKill(Kill), "process.kill", ["data"];
    /// The server dies and what its disk had not synced is gone.
    ProcessPowerLoss(PowerLoss), "process.power-loss", [];
    /// The server's disk is full and it refuses writes with MISCONF.
    ProcessDiskFull(DiskFull), "process.disk-full", [];
    /// The server is restarted and answers LOADING for long.
    ProcessSlowStart(SlowStart), "process.slow-start", [];
    /// The server stands still by SIGSTOP.
    ProcessStop(Stop), "process.stop", [];
    /// The application dies by SIGKILL and is started again with an empty memory.
    AppKill(AppKill), "app.kill", [];
    /// The application stands still by SIGSTOP.
    AppStop(AppStop), "app.stop", [];
    /// The server is a replica and refuses writes with READONLY.
    ServerReadonly(Readonly), "server.readonly", [];
    /// The server's memory is full and it refuses writes with OOM.
    ServerOom(Oom), "server.oom", [];
    /// The password is another: NOAUTH or WRONGPASS.
    ServerAuth(Auth), "server.auth", [];
    /// The server takes no more connections.
    ServerMaxClients(MaxClients), "server.maxclients", [];
    /// The server holds commands back by CLIENT PAUSE.
    ServerPause(Pause), "server.pause", ["mode"];
    /// Slow commands hold up everybody, again and again.
    ServerSlow(Slow), "server.slow", ["busy"];
    /// The server closes idle connections.
    ServerIdleTimeout(IdleTimeout), "server.idle-timeout", ["timeout"];
    /// The server misses replicas and refuses writes with NOREPLICAS.
    ServerNoReplicas(NoReplicas), "server.noreplicas", [];
    /// The server forgets its scripts, again and again.
    ServerScriptFlush(ScriptFlush), "server.script-flush", [];
    /// The server throws out keys to make room.
    ServerEviction(Eviction), "server.eviction", ["share"];
    /// Time jumps forward, for Redis and the store at once.
    ClockJump(Jump), "clock.jump", ["by"];
    /// The application's clock alone is ahead.
    ClockSkew(Skew), "clock.skew", ["by"];
    /// Slots of a cluster's primary are moved to another while they are used.
    ClusterMigrateSlots(MigrateSlots), "cluster.migrate-slots", ["share", "delay"];
    /// A share of the sessions is deleted behind the store's back.
    KeysDelete(KeysDelete), "keys.delete", ["share"];
    /// A share of the sessions holds garbage.
    KeysCorrupt(KeysCorrupt), "keys.corrupt", ["share"];
}

impl FaultKind {
    /// The word used in scenarios.
    pub fn name(&self) -> &'static str {
        self.word().name()
    }

    /// The first parameter whose value cannot be, and what is wrong with it.
    pub(super) fn impossible(&self) -> Option<(&'static str, String)> {
        match *self {
            FaultKind::ProxyBandwidth(Bandwidth { rate: 0, .. }) => {
                Some(("rate", "must be at least 1 KB/s; to let nothing pass, use proxy.timeout".into()))
            }
            FaultKind::ProxySlicer(Slicer { size, variation, .. }) if size.0 == 0 || variation >= size => {
                Some(("size", "must be at least \"1B\", and larger than `variation`".into()))
            }
            FaultKind::ProxySlicer(Slicer { delay, .. }) if delay.0.as_micros() == 0 => {
                Some(("delay", "must be at least \"1us\": pieces without a pause arrive as one".into()))
            }
            FaultKind::ServerIdleTimeout(IdleTimeout { timeout })
                if timeout.0.is_zero() || timeout.0.subsec_nanos() > 0 =>
            {
                Some(("timeout", "must be whole seconds, at least \"1s\": Redis counts no smaller".into()))
            }
            FaultKind::ServerSlow(Slow { busy }) if !(LEAST_BUSY..=MOST_BUSY).contains(&busy.0) => {
                Some(("busy", format!("must be between {} and {}", Span(LEAST_BUSY), Span(MOST_BUSY))))
            }
            FaultKind::KeysDelete(KeysDelete { share })
            | FaultKind::KeysCorrupt(KeysCorrupt { share })
            | FaultKind::ClusterMigrateSlots(MigrateSlots { share, .. })
                if share.0 <= 0.0 =>
            {
                Some(("share", "must be more than \"0%\"".into()))
            }
            FaultKind::ClusterMigrateSlots(MigrateSlots { delay, .. }) if delay.0 > LONGEST_HALF => Some((
                "delay",
                format!("must be at most {}: a slot begun is completed before the fault is over", Span(LONGEST_HALF)),
            )),
            FaultKind::ServerEviction(Eviction { share }) if share.0 <= 0.0 || share.0 >= 1.0 => {
                Some(("share", "must be more than \"0%\" and less than \"100%\"".into()))
            }
            FaultKind::ClockJump(Jump { by }) | FaultKind::ClockSkew(Skew { by })
                if !(LEAST_JUMP..=MOST_JUMP).contains(&by.0) =>
            {
                Some(("by", format!("must be between {} and {}", Span(LEAST_JUMP), Span(MOST_JUMP))))
            }
            _ => None,
        }
    }

    /// The checkers that it makes answer "invalid" whatever the store does, because the drill itself takes acknowledged
    /// writes away from a Redis that keeps its data like this.
    pub fn spoils_checks(&self, persistence: Persistence) -> &'static [&'static str] {
        match self {
            FaultKind::KeysDelete(_)
            | FaultKind::ServerEviction(_)
            | FaultKind::ProcessKill(Kill { data: DiskData::Lose }) => {
                &["lost-answers", "read-your-writes", "monotonic-reads", "ttl", "user-index"]
            }
            // A destroy that was not synced never was.
            FaultKind::ProcessPowerLoss(_) if persistence != Persistence::AofAlways => {
                &["lost-answers", "read-your-writes", "monotonic-reads", "resurrection", "ttl", "user-index"]
            }
            _ => &[],
        }
    }

    /// The same where another server takes over from the one that is lost: replication is asynchronous, and what the
    /// replica had not heard of is gone.
    pub fn spoils_checks_on(&self, topology: Topology) -> &'static [&'static str] {
        match self {
            FaultKind::ProcessKill(_) | FaultKind::ProcessStop(_) if topology.fails_over() => FAILOVER,
            // The nodes of a cluster hear of one another by another way.
            _ if topology == Topology::Sentinel && self.hits_network() => FAILOVER,
            _ => &[],
        }
    }

    /// Why it cannot be had from a Redis that is run like this, and what to do.
    pub fn unfit_on(&self, topology: Topology) -> Option<(&'static str, &'static str)> {
        match (topology, self) {
            (
                Topology::Standalone | Topology::Replica | Topology::Sentinel | Topology::Cluster,
                FaultKind::ProxyImpostor(_),
            ) => Some(("without TLS there is no certificate that could be another's", "set lab.topology = \"tls\"")),
            (Topology::Cluster, FaultKind::ClusterMigrateSlots(_))
            | (Topology::Sentinel | Topology::Cluster, FaultKind::ClockJump(_) | FaultKind::ClockSkew(_)) => None,
            (_, FaultKind::ClusterMigrateSlots(_)) => {
                Some(("there are slots to be moved in a cluster only", "set lab.topology = \"cluster\""))
            }
            (Topology::Sentinel | Topology::Cluster, kind) if kind.hits_network() => None,
            (Topology::Standalone | Topology::Replica, _)
            | (_, FaultKind::ProcessKill(Kill { data: DiskData::Keep }) | FaultKind::ProcessStop(_))
            | (
                Topology::Tls,
                FaultKind::ProxyDown(_)
                | FaultKind::ProxyLatency(_)
                | FaultKind::ProxyTimeout(_)
                | FaultKind::ProxyBandwidth(_)
                | FaultKind::ProxySlowClose(_)
                | FaultKind::ProxyResetPeer(_)
                | FaultKind::ProxySlicer(_)
                | FaultKind::ProxyLimitData(_)
                | FaultKind::ProxyImpostor(_),
            ) => None,
            (Topology::Tls, _) => Some((
                "this fault is not drilled where the store is an ACL user of few rights",
                "under lab.topology = \"tls\" there are proxy.*, process.kill and process.stop; for the others, --redis with \
                 a rediss:// URL",
            )),
            (Topology::Sentinel | Topology::Cluster, FaultKind::ProcessKill(_)) => Some((
                "a primary that loses its data and comes back at once would have its replica lose them too",
                "leave out `data`",
            )),
            (Topology::Sentinel | Topology::Cluster, _) => Some((
                "of servers that take over from one another it would hit one, and be the other's after it",
                "use a fault of the network, process.kill or process.stop, which hit a primary",
            )),
        }
    }

    /// Why it cannot be had from a Redis that keeps its data like this, and what to do.
    pub fn unfit_for(&self, persistence: Persistence) -> Option<(&'static str, &'static str)> {
        match (self, persistence) {
            (FaultKind::ProcessPowerLoss(_), Persistence::Rdb | Persistence::None) => Some((
                "process.power-loss cuts off the unsynced end of the append-only file, and there is none",
                "set lab.redis.persistence to aof-everysec, aof-always or aof-no; without such a file a power loss does \
                 what process.kill does",
            )),
            (FaultKind::ProcessDiskFull(_), Persistence::AofAlways) => Some((
                "with aof-always Redis ends itself when it cannot write: there is nobody to say MISCONF",
                "set lab.redis.persistence to aof-everysec, aof-no or rdb; to see Redis gone, use process.kill",
            )),
            (FaultKind::ProcessDiskFull(_), Persistence::None) => Some((
                "without persistence nothing is written to the disk, full or not",
                "set lab.redis.persistence to aof-everysec, aof-no or rdb",
            )),
            (FaultKind::ProcessSlowStart(_), Persistence::None) => Some((
                "without persistence there is nothing to load at a start",
                "set lab.redis.persistence to aof-everysec, aof-always, aof-no or rdb",
            )),
            _ => None,
        }
    }

    /// Whether it is one of the network.
    pub fn hits_network(&self) -> bool {
        self.name().starts_with("proxy.")
    }

    /// Whether it hits one server where there are several.
    pub fn hits_one_server(&self) -> bool {
        self.hits_network() || self.needs_process()
    }

    /// Whether it changes the server itself, for everybody who uses it.
    pub fn changes_server(&self) -> bool {
        self.name().starts_with("server.")
    }

    /// Whether it needs a server process that the drill owns.
    pub fn needs_process(&self) -> bool {
        matches!(
            self,
            FaultKind::ProcessKill(_)
                | FaultKind::ProcessStop(_)
                | FaultKind::ProcessPowerLoss(_)
                | FaultKind::ProcessDiskFull(_)
                | FaultKind::ProcessSlowStart(_)
                // Others' keys would be thrown out too.
                | FaultKind::ServerEviction(_)
        )
    }

    /// Whether it moves the clock of a store that lives in the harness.
    pub fn needs_store_clock(&self) -> bool {
        matches!(self, FaultKind::ClockJump(_) | FaultKind::ClockSkew(_))
    }

    /// Whether it needs an application that the drill has started.
    pub fn needs_app(&self) -> bool {
        matches!(self, FaultKind::AppKill(_) | FaultKind::AppStop(_))
    }
}

/// What a failover makes checkers blame the store for.
const FAILOVER: &[&str] =
    &["lost-answers", "read-your-writes", "monotonic-reads", "resurrection", "double-award", "ttl", "user-index"];

/// A slow command shorter than this could not be told from a busy machine.
const LEAST_BUSY: Duration = Duration::from_millis(20);

/// A longer one would outlast the calls of the nemesis itself.
const MOST_BUSY: Duration = Duration::from_secs(10);

/// Undoing a fault has to wait for a slot that is half moved.
const LONGEST_HALF: Duration = Duration::from_secs(10);

/// A shorter jump is no longer than an answer takes.
const LEAST_JUMP: Duration = Duration::from_secs(1);

/// Ten years: longer than any session lives.
const MOST_JUMP: Duration = Duration::from_secs(10 * 365 * 24 * 3_600);

/// One fault of a scenario.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "FaultTable", into = "FaultTable")]
pub struct FaultSpec {
    /// What it does.
    pub kind: FaultKind,
    /// When it begins, after the start of the measured load.
    pub at: Span,
    /// How long it lasts. Longer than zero.
    pub lasting: Span,
    /// How often it comes. At least once.
    pub repeat: u32,
    /// From one beginning to the next, where it comes more than once.
    pub every: Span,
    /// Each beginning is late by a time between zero and this, drawn from the drill's seed.
    pub spread: Span,
}

impl FaultSpec {
    /// A fault that comes once.
    pub fn once(kind: FaultKind, at: Span, lasting: Span) -> Self {
        Self { kind, at, lasting, repeat: 1, every: Span::default(), spread: Span::default() }
    }
}
