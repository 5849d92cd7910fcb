//! A `[[fault]]` table of a scenario file. Reading it is strict: a key that the kind does not take, or that it needs and
//! does not get, is an error.

use serde::{Deserialize, Serialize};

use super::clock::{Jump, Skew};
use super::cluster::MigrateSlots;
use super::keys::{KeysCorrupt, KeysDelete};
use super::process::{AppKill, AppStop, DiskData, DiskFull, Kill, PowerLoss, SlowStart, Stop};
use super::proxy::{Bandwidth, Down, Impostor, Latency, LimitData, ResetPeer, Slicer, SlowClose, Stream, Timeout};
use super::server::{
    Auth, Eviction, IdleTimeout, MaxClients, NoReplicas, Oom, Pause, PauseMode, Readonly, ScriptFlush, Slow,
};
use super::spec::{FaultKind, FaultSpec, KindWord};
use crate::scenario::units::{Bytes, Share, Span};

/// Every occurrence is planned, noted and reported.
const MOST_REPEATS: u32 = 10_000;

/// A `[[fault]]` table as it stands in the file: the keys of all kinds side by side, so that a parser can point at the
/// very key that is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FaultTable {
    /// What happens.
    kind: KindWord,
    /// When it begins, after the start of the load.
    at: Span,
    /// How long it lasts.
    #[serde(rename = "for")]
    lasting: Span,
    /// How often it comes (default: once).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    repeat: Option<u32>,
    /// From one beginning to the next; needed with `repeat`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    every: Option<Span>,
    /// Each beginning is late by up to this, drawn from the seed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    spread: Option<Span>,
    /// proxy.latency: how late every transfer is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    latency: Option<Span>,
    /// proxy.latency: the delay varies by up to this, either way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    jitter: Option<Span>,
    /// proxy.timeout: after this the silent connection is closed (default: never). server.idle-timeout: after this an
    /// idle connection is closed, in whole seconds (default: "1s"). proxy.reset_peer: from the first data to the reset
    /// (default: at once).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    timeout: Option<Span>,
    /// proxy.bandwidth: KB/s (1,000 bytes) that each connection carries each way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rate: Option<u64>,
    /// proxy.* (not proxy.down and proxy.impostor): which way is hit (default: downstream; of proxy.timeout: both).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    stream: Option<Stream>,
    /// server.pause: which commands are held back (default: all).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    mode: Option<PauseMode>,
    /// server.slow: how long each slow command holds up the server (default: "500ms").
    #[serde(default, skip_serializing_if = "Option::is_none")]
    busy: Option<Span>,
    /// proxy.slow_close: by how much the end of a connection is late. proxy.slicer: between two pieces (default: "1ms").
    /// cluster.migrate-slots: how long each slot is half moved (default: "100ms").
    #[serde(default, skip_serializing_if = "Option::is_none")]
    delay: Option<Span>,
    /// proxy.slicer: average size of a piece.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    size: Option<Bytes>,
    /// proxy.slicer: sizes vary by up to this much, either way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    variation: Option<Bytes>,
    /// proxy.limit_data: what each connection may carry before it is closed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    bytes: Option<Bytes>,
    /// keys.delete and keys.corrupt: how many of the sessions are hit. server.eviction: how much of the data has no room
    /// (default: "50%"). cluster.migrate-slots: how many of the slots with sessions of one primary are moved (default:
    /// "50%").
    #[serde(default, skip_serializing_if = "Option::is_none")]
    share: Option<Share>,
    /// process.kill: what becomes of what Redis had on disk (default: keep).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    data: Option<DiskData>,
    /// clock.jump and clock.skew: how far the clock goes forward.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    by: Option<Span>,
}

/// A `[[fault]]` table that makes no sense.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FaultSpecError {
    /// A key that belongs to other kinds.
    #[error("{kind} takes no `{key}`: {takes}")]
    NotTaken {
        /// The kind.
        kind: &'static str,
        /// The key.
        key: &'static str,
        /// What it does take.
        takes: String,
    },
    /// A key without which the kind has no meaning.
    #[error("{kind} needs `{key}`, such as {example}")]
    Missing {
        /// The kind, or the key that needs another.
        kind: &'static str,
        /// The key that is missing.
        key: &'static str,
        /// How it could look.
        example: &'static str,
    },
    /// A value that cannot be.
    #[error("`{key}` {problem}")]
    Impossible {
        /// The key.
        key: &'static str,
        /// What is wrong with its value.
        problem: String,
    },
}

impl FaultSpecError {
    /// The key of the table that is concerned.
    pub fn key(&self) -> &'static str {
        match self {
            FaultSpecError::NotTaken { key, .. } | FaultSpecError::Impossible { key, .. } => key,
            // What is missing has no place; what asks for it has.
            FaultSpecError::Missing { .. } => "kind",
        }
    }
}

impl FaultTable {
    /// The parameters of all kinds that are set here.
    fn given(&self) -> impl Iterator<Item = &'static str> {
        [
            ("latency", self.latency.is_some()),
            ("jitter", self.jitter.is_some()),
            ("timeout", self.timeout.is_some()),
            ("rate", self.rate.is_some()),
            ("stream", self.stream.is_some()),
            ("mode", self.mode.is_some()),
            ("busy", self.busy.is_some()),
            ("delay", self.delay.is_some()),
            ("size", self.size.is_some()),
            ("variation", self.variation.is_some()),
            ("bytes", self.bytes.is_some()),
            ("share", self.share.is_some()),
            ("data", self.data.is_some()),
            ("by", self.by.is_some()),
        ]
        .into_iter()
        .filter_map(|(key, given)| given.then_some(key))
    }

    fn needed_share(&self, kind: &'static str) -> Result<Share, FaultSpecError> {
        self.share.ok_or(FaultSpecError::Missing { kind, key: "share", example: "\"20%\"" })
    }

    fn needed_by(&self, kind: &'static str) -> Result<Span, FaultSpecError> {
        self.by.ok_or(FaultSpecError::Missing { kind, key: "by", example: "\"1h\"" })
    }

    fn kind(&self) -> Result<FaultKind, FaultSpecError> {
        let (kind, parameters) = (self.kind.name(), self.kind.parameters());
        if let Some(key) = self.given().find(|key| !parameters.contains(key)) {
            let takes = match parameters {
                [] => "it takes no parameters".to_owned(),
                some => format!("it takes {}", some.join(", ")),
            };
            return Err(FaultSpecError::NotTaken { kind, key, takes });
        }
        Ok(match self.kind {
            KindWord::ProxyDown => FaultKind::ProxyDown(Down),
            KindWord::ProxyLatency => FaultKind::ProxyLatency(Latency {
                latency: self.latency.ok_or(FaultSpecError::Missing { kind, key: "latency", example: "\"50ms\"" })?,
                jitter: self.jitter.unwrap_or_default(),
                stream: self.stream.unwrap_or(Stream::Downstream),
            }),
            KindWord::ProxyTimeout => FaultKind::ProxyTimeout(Timeout {
                timeout: self.timeout.unwrap_or_default(),
                stream: self.stream.unwrap_or(Stream::Both),
            }),
            KindWord::ProxyBandwidth => FaultKind::ProxyBandwidth(Bandwidth {
                rate: self.rate.ok_or(FaultSpecError::Missing { kind, key: "rate", example: "100 (KB/s)" })?,
                stream: self.stream.unwrap_or(Stream::Downstream),
            }),
            KindWord::ProxySlowClose => FaultKind::ProxySlowClose(SlowClose {
                delay: self.delay.ok_or(FaultSpecError::Missing { kind, key: "delay", example: "\"2s\"" })?,
                stream: self.stream.unwrap_or(Stream::Downstream),
            }),
            KindWord::ProxyResetPeer => FaultKind::ProxyResetPeer(ResetPeer {
                timeout: self.timeout.unwrap_or_default(),
                stream: self.stream.unwrap_or(Stream::Downstream),
            }),
            KindWord::ProxySlicer => FaultKind::ProxySlicer(Slicer {
                size: self.size.ok_or(FaultSpecError::Missing { kind, key: "size", example: "\"64B\"" })?,
                variation: self.variation.unwrap_or_default(),
                delay: self.delay.unwrap_or(Span::millis(1)),
                stream: self.stream.unwrap_or(Stream::Downstream),
            }),
            KindWord::ProxyLimitData => FaultKind::ProxyLimitData(LimitData {
                bytes: self.bytes.ok_or(FaultSpecError::Missing { kind, key: "bytes", example: "\"10KB\"" })?,
                stream: self.stream.unwrap_or(Stream::Downstream),
            }),
            KindWord::ProxyImpostor => FaultKind::ProxyImpostor(Impostor),
            KindWord::KeysDelete => FaultKind::KeysDelete(KeysDelete { share: self.needed_share(kind)? }),
            KindWord::KeysCorrupt => FaultKind::KeysCorrupt(KeysCorrupt { share: self.needed_share(kind)? }),
            KindWord::ProcessKill => FaultKind::ProcessKill(Kill { data: self.data.unwrap_or_default() }),
            KindWord::ProcessPowerLoss => FaultKind::ProcessPowerLoss(PowerLoss),
            KindWord::ProcessDiskFull => FaultKind::ProcessDiskFull(DiskFull),
            KindWord::ProcessSlowStart => FaultKind::ProcessSlowStart(SlowStart),
            KindWord::ProcessStop => FaultKind::ProcessStop(Stop),
            KindWord::AppKill => FaultKind::AppKill(AppKill),
            KindWord::AppStop => FaultKind::AppStop(AppStop),
            KindWord::ServerReadonly => FaultKind::ServerReadonly(Readonly),
            KindWord::ServerOom => FaultKind::ServerOom(Oom),
            KindWord::ServerAuth => FaultKind::ServerAuth(Auth),
            KindWord::ServerMaxClients => FaultKind::ServerMaxClients(MaxClients),
            KindWord::ServerPause => FaultKind::ServerPause(Pause { mode: self.mode.unwrap_or(PauseMode::All) }),
            KindWord::ServerSlow => FaultKind::ServerSlow(Slow { busy: self.busy.unwrap_or(Span::millis(500)) }),
            KindWord::ServerIdleTimeout => {
                FaultKind::ServerIdleTimeout(IdleTimeout { timeout: self.timeout.unwrap_or(Span::secs(1)) })
            }
            KindWord::ServerNoReplicas => FaultKind::ServerNoReplicas(NoReplicas),
            KindWord::ServerScriptFlush => FaultKind::ServerScriptFlush(ScriptFlush),
            KindWord::ServerEviction => FaultKind::ServerEviction(Eviction { share: self.share.unwrap_or(Share(0.5)) }),
            KindWord::ClusterMigrateSlots => FaultKind::ClusterMigrateSlots(MigrateSlots {
                share: self.share.unwrap_or(Share(0.5)),
                delay: self.delay.unwrap_or(Span::millis(100)),
            }),
            KindWord::ClockJump => FaultKind::ClockJump(Jump { by: self.needed_by(kind)? }),
            KindWord::ClockSkew => FaultKind::ClockSkew(Skew { by: self.needed_by(kind)? }),
        })
    }
}

impl TryFrom<FaultTable> for FaultSpec {
    type Error = FaultSpecError;

    fn try_from(table: FaultTable) -> Result<Self, FaultSpecError> {
        let kind = table.kind()?;
        let impossible = |key, problem: String| Err(FaultSpecError::Impossible { key, problem });
        if table.lasting == Span::default() {
            return impossible("for", "must be longer than zero".into());
        }
        if let Some((key, problem)) = kind.impossible() {
            return Err(FaultSpecError::Impossible { key, problem });
        }
        let repeat = table.repeat.unwrap_or(1);
        if repeat == 0 {
            return impossible("repeat", "must be at least 1".into());
        }
        if repeat > MOST_REPEATS {
            return impossible("repeat", format!("must be at most {MOST_REPEATS}"));
        }
        let spread = table.spread.unwrap_or_default();
        let every = match (repeat, table.every) {
            (1, None) => Span::default(),
            (1, Some(_)) => return Err(FaultSpecError::Missing { kind: "every", key: "repeat", example: "3" }),
            (_, None) => return Err(FaultSpecError::Missing { kind: "repeat", key: "every", example: "\"2s\"" }),
            (_, Some(every)) if every.0 < table.lasting.0 + spread.0 => {
                let needed = Span(table.lasting.0 + spread.0);
                return impossible(
                    "every",
                    format!(
                        "must be at least {needed} (`for` and `spread`): \
                    an occurrence must be over before the next begins"
                    ),
                );
            }
            (_, Some(every)) => every,
        };
        Ok(Self { kind, at: table.at, lasting: table.lasting, repeat, every, spread })
    }
}

impl From<FaultSpec> for FaultTable {
    fn from(spec: FaultSpec) -> Self {
        let mut table = Self {
            kind: spec.kind.word(),
            at: spec.at,
            lasting: spec.lasting,
            repeat: (spec.repeat > 1).then_some(spec.repeat),
            every: (spec.repeat > 1).then_some(spec.every),
            spread: (spec.spread != Span::default()).then_some(spec.spread),
            latency: None,
            jitter: None,
            timeout: None,
            rate: None,
            stream: None,
            mode: None,
            busy: None,
            delay: None,
            size: None,
            variation: None,
            bytes: None,
            share: None,
            data: None,
            by: None,
        };
        match spec.kind {
            FaultKind::ProxyLatency(Latency { latency, jitter, stream }) => {
                (table.latency, table.jitter, table.stream) = (Some(latency), Some(jitter), Some(stream));
            }
            FaultKind::ProxyTimeout(Timeout { timeout, stream }) => {
                (table.timeout, table.stream) = (Some(timeout), Some(stream));
            }
            FaultKind::ProxyBandwidth(Bandwidth { rate, stream }) => {
                (table.rate, table.stream) = (Some(rate), Some(stream));
            }
            FaultKind::ProxySlowClose(SlowClose { delay, stream }) => {
                (table.delay, table.stream) = (Some(delay), Some(stream));
            }
            FaultKind::ProxyResetPeer(ResetPeer { timeout, stream }) => {
                (table.timeout, table.stream) = (Some(timeout), Some(stream));
            }
            FaultKind::ProxySlicer(Slicer { size, variation, delay, stream }) => {
                (table.size, table.variation) = (Some(size), Some(variation));
                (table.delay, table.stream) = (Some(delay), Some(stream));
            }
            FaultKind::ProxyLimitData(LimitData { bytes, stream }) => {
                (table.bytes, table.stream) = (Some(bytes), Some(stream));
            }
            FaultKind::KeysDelete(KeysDelete { share })
            | FaultKind::KeysCorrupt(KeysCorrupt { share })
            | FaultKind::ServerEviction(Eviction { share }) => table.share = Some(share),
            FaultKind::ClusterMigrateSlots(MigrateSlots { share, delay }) => {
                (table.share, table.delay) = (Some(share), Some(delay));
            }
            FaultKind::ProcessKill(Kill { data }) => {
                table.data = (data != DiskData::default()).then_some(data);
            }
            FaultKind::ClockJump(Jump { by }) | FaultKind::ClockSkew(Skew { by }) => table.by = Some(by),
            FaultKind::ServerPause(Pause { mode }) => table.mode = Some(mode),
            FaultKind::ServerSlow(Slow { busy }) => table.busy = Some(busy),
            FaultKind::ServerIdleTimeout(IdleTimeout { timeout }) => table.timeout = Some(timeout),
            FaultKind::ProxyDown(_)
            | FaultKind::ProxyImpostor(_)
            | FaultKind::ProcessPowerLoss(_)
            | FaultKind::ProcessDiskFull(_)
            | FaultKind::ProcessSlowStart(_)
            | FaultKind::ProcessStop(_)
            | FaultKind::AppKill(_)
            | FaultKind::AppStop(_)
            | FaultKind::ServerReadonly(_)
            | FaultKind::ServerOom(_)
            | FaultKind::ServerAuth(_)
            | FaultKind::ServerMaxClients(_)
            | FaultKind::ServerNoReplicas(_)
            | FaultKind::ServerScriptFlush(_) => {}
        }
        table
    }
}

impl schemars::JsonSchema for FaultSpec {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Fault".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        FaultTable::json_schema(generator)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(table: &str) -> Result<FaultSpec, String> {
        toml::from_str(table).map_err(|error| error.to_string())
    }

    #[test]
    fn every_kind_is_read_with_its_defaults() {
        let kind = |table: &str| read(&format!("{table}\nat = \"6s\"\nfor = \"5s\"")).unwrap().kind;
        assert_eq!(kind("kind = 'proxy.down'"), FaultKind::ProxyDown(Down));
        assert_eq!(
            kind("kind = 'proxy.latency'\nlatency = '50ms'"),
            FaultKind::ProxyLatency(Latency {
                latency: Span::millis(50),
                jitter: Span::millis(0),
                stream: Stream::Downstream
            })
        );
        assert_eq!(
            kind("kind = 'proxy.timeout'"),
            FaultKind::ProxyTimeout(Timeout { timeout: Span::millis(0), stream: Stream::Both })
        );
        assert_eq!(
            kind("kind = 'proxy.bandwidth'\nrate = 100\nstream = 'upstream'"),
            FaultKind::ProxyBandwidth(Bandwidth { rate: 100, stream: Stream::Upstream })
        );
        assert_eq!(
            kind("kind = 'proxy.slow_close'\ndelay = '2s'"),
            FaultKind::ProxySlowClose(SlowClose { delay: Span::secs(2), stream: Stream::Downstream })
        );
        assert_eq!(
            kind("kind = 'proxy.reset_peer'"),
            FaultKind::ProxyResetPeer(ResetPeer { timeout: Span::millis(0), stream: Stream::Downstream })
        );
        assert_eq!(
            kind("kind = 'proxy.slicer'\nsize = '64B'"),
            FaultKind::ProxySlicer(Slicer {
                size: Bytes(64),
                variation: Bytes(0),
                delay: Span::millis(1),
                stream: Stream::Downstream
            })
        );
        assert_eq!(
            kind("kind = 'proxy.limit_data'\nbytes = '10KB'\nstream = 'both'"),
            FaultKind::ProxyLimitData(LimitData { bytes: Bytes(10_000), stream: Stream::Both })
        );
        assert_eq!(
            kind("kind = 'keys.delete'\nshare = '20%'"),
            FaultKind::KeysDelete(KeysDelete { share: Share(0.2) })
        );
        assert_eq!(
            kind("kind = 'keys.corrupt'\nshare = '5%'"),
            FaultKind::KeysCorrupt(KeysCorrupt { share: Share(0.05) })
        );
        assert_eq!(kind("kind = 'process.kill'"), FaultKind::ProcessKill(Kill::KEEP));
        assert_eq!(kind("kind = 'process.kill'\ndata = 'lose'"), FaultKind::ProcessKill(Kill::LOSE));
        assert_eq!(kind("kind = 'process.stop'"), FaultKind::ProcessStop(Stop));
        assert_eq!(kind("kind = 'server.readonly'"), FaultKind::ServerReadonly(Readonly));
        assert_eq!(kind("kind = 'server.oom'"), FaultKind::ServerOom(Oom));
        assert_eq!(kind("kind = 'server.auth'"), FaultKind::ServerAuth(Auth));
        assert_eq!(kind("kind = 'server.maxclients'"), FaultKind::ServerMaxClients(MaxClients));
        assert_eq!(kind("kind = 'server.pause'"), FaultKind::ServerPause(Pause { mode: PauseMode::All }));
        assert_eq!(kind("kind = 'server.slow'"), FaultKind::ServerSlow(Slow { busy: Span::millis(500) }));
        assert_eq!(
            kind("kind = 'server.idle-timeout'"),
            FaultKind::ServerIdleTimeout(IdleTimeout { timeout: Span::secs(1) })
        );
        assert_eq!(kind("kind = 'server.noreplicas'"), FaultKind::ServerNoReplicas(NoReplicas));
        assert_eq!(kind("kind = 'server.script-flush'"), FaultKind::ServerScriptFlush(ScriptFlush));
    }

    #[test]
    fn what_is_written_is_read_back() {
        for table in [
            "kind = \"proxy.down\"\nat = \"6s\"\nfor = \"5s\"\n",
            "kind = \"process.stop\"\nat = \"6s\"\nfor = \"500ms\"\nrepeat = 3\nevery = \"2s\"\nspread = \"1s\"\n",
            "kind = \"proxy.latency\"\nat = \"6s\"\nfor = \"5s\"\nlatency = \"50ms\"\njitter = \"5ms\"\nstream = \"both\"\n",
            "kind = \"server.pause\"\nat = \"6s\"\nfor = \"5s\"\nmode = \"write\"\n",
            "kind = \"server.slow\"\nat = \"6s\"\nfor = \"5s\"\nbusy = \"300ms\"\n",
            "kind = \"server.idle-timeout\"\nat = \"6s\"\nfor = \"5s\"\ntimeout = \"2s\"\n",
            "kind = \"proxy.slicer\"\nat = \"6s\"\nfor = \"5s\"\nstream = \"both\"\ndelay = \"2ms\"\nsize = \"64B\"\n\
             variation = \"8B\"\n",
            "kind = \"proxy.limit_data\"\nat = \"6s\"\nfor = \"5s\"\nstream = \"both\"\nbytes = \"10KB\"\n",
            "kind = \"keys.corrupt\"\nat = \"6s\"\nfor = \"5s\"\nshare = \"20%\"\n",
            "kind = \"server.noreplicas\"\nat = \"6s\"\nfor = \"5s\"\n",
            "kind = \"process.kill\"\nat = \"6s\"\nfor = \"5s\"\ndata = \"lose\"\n",
            "kind = \"process.power-loss\"\nat = \"6s\"\nfor = \"5s\"\n",
            "kind = \"server.eviction\"\nat = \"6s\"\nfor = \"5s\"\nshare = \"30%\"\n",
            "kind = \"cluster.migrate-slots\"\nat = \"6s\"\nfor = \"5s\"\ndelay = \"50ms\"\nshare = \"20%\"\n",
            "kind = \"clock.jump\"\nat = \"6s\"\nfor = \"5s\"\nby = \"24h\"\n",
        ] {
            let spec = read(table).unwrap();
            let written = toml::to_string(&spec).unwrap();
            assert_eq!(written, table);
        }
    }

    #[test]
    fn a_misspelt_key_is_pointed_at_in_its_line() {
        let error = read("kind = 'proxy.latency'\nat = '6s'\nfor = '5s'\nlatencey = '50ms'").unwrap_err();
        assert!(error.contains("line 4, column 1") && error.contains("latencey"), "{error}");
        let error = read("kind = 'proxy.latency'\nat = '6s'\nfor = '5 parsecs'\nlatency = '50ms'").unwrap_err();
        assert!(error.contains("line 3, column 7") && error.contains("a length of time like"), "{error}");
        let error = read("kind = 'proxy.lag'\nat = '6s'\nfor = '5s'").unwrap_err();
        assert!(error.contains("line 1, column 8") && error.contains("proxy.latency"), "{error}");
    }

    #[test]
    fn tables_that_make_no_sense_are_refused_with_the_reason() {
        for (table, reason) in [
            ("kind = 'proxy.down'\nlatency = '5ms'", "proxy.down takes no `latency`: it takes no parameters"),
            ("kind = 'proxy.latency'\nrate = 5", "proxy.latency takes no `rate`: it takes latency, jitter, stream"),
            ("kind = 'proxy.latency'", "proxy.latency needs `latency`, such as \"50ms\""),
            ("kind = 'proxy.bandwidth'", "proxy.bandwidth needs `rate`, such as 100 (KB/s)"),
            ("kind = 'proxy.bandwidth'\nrate = 0", "`rate` must be at least 1 KB/s"),
            ("kind = 'server.pause'\nmode = 'reads'", "unknown variant `reads`, expected `all` or `write`"),
            ("kind = 'server.slow'\nbusy = '1ms'", "`busy` must be between 20ms and 10s"),
            ("kind = 'server.idle-timeout'\ntimeout = '1500ms'", "`timeout` must be whole seconds, at least \"1s\""),
            ("kind = 'proxy.slicer'\nsize = '8B'\nvariation = '8B'", "`size` must be at least \"1B\", and larger"),
            ("kind = 'proxy.slicer'\nsize = '8B'\ndelay = '0'", "`delay` must be at least \"1us\""),
            ("kind = 'keys.delete'", "keys.delete needs `share`, such as \"20%\""),
            ("kind = 'keys.corrupt'\nshare = '0%'", "`share` must be more than \"0%\""),
            ("kind = 'process.kill'\ndata = 'maybe'", "unknown variant `maybe`, expected `keep` or `lose`"),
            ("kind = 'process.stop'\ndata = 'lose'", "process.stop takes no `data`: it takes no parameters"),
            ("kind = 'server.eviction'\nshare = '100%'", "`share` must be more than \"0%\" and less than \"100%\""),
            ("kind = 'cluster.migrate-slots'\nshare = '0%'", "`share` must be more than \"0%\""),
            ("kind = 'cluster.migrate-slots'\ndelay = '11s'", "`delay` must be at most 10s"),
            ("kind = 'clock.jump'", "clock.jump needs `by`, such as \"1h\""),
            ("kind = 'clock.skew'\nby = '1ms'", "`by` must be between 1s and 87600h"),
            ("kind = 'server.oom'\nbusy = '1s'", "server.oom takes no `busy`: it takes no parameters"),
            ("kind = 'proxy.down'\nrepeat = 0", "`repeat` must be at least 1"),
            ("kind = 'proxy.down'\nrepeat = 10001\nevery = '9s'", "`repeat` must be at most 10000"),
            ("kind = 'proxy.down'\nrepeat = 2", "repeat needs `every`, such as \"2s\""),
            ("kind = 'proxy.down'\nevery = '9s'", "every needs `repeat`, such as 3"),
            ("kind = 'proxy.down'\nrepeat = 2\nevery = '5s'\nspread = '1s'", "`every` must be at least 6s"),
        ] {
            let error = read(&format!("{table}\nat = \"6s\"\nfor = \"5s\"")).unwrap_err();
            assert!(error.contains(reason), "{table}: {error}");
        }
        let error = read("kind = 'proxy.down'\nat = '6s'\nfor = '0s'").unwrap_err();
        assert!(error.contains("`for` must be longer than zero"), "{error}");
    }

    #[test]
    fn the_schema_documents_every_key() {
        let schema = serde_json::to_value(schemars::schema_for!(FaultSpec)).unwrap();
        let properties = schema["properties"].as_object().unwrap();
        for key in [
            "kind",
            "at",
            "for",
            "repeat",
            "every",
            "spread",
            "latency",
            "jitter",
            "timeout",
            "rate",
            "stream",
            "mode",
            "busy",
            "delay",
            "size",
            "variation",
            "bytes",
            "share",
            "data",
            "by",
        ] {
            assert!(properties.contains_key(key), "{key} is missing in {schema}");
        }
        assert!(properties["at"]["description"].is_string());
    }
}
