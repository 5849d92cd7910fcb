//! One drill per server, visible to every machine. A Redis that outlives the drill holds two keys in database 0:
//!
//! - `firedrill:lease` names the running drill. It expires, and the drill renews it while it lives.
//! - `firedrill:drill` holds the same record and does not expire: the next drill finds it if this one is killed. Only
//!   an orderly end of the drill or `firedrill heal` removes it.
//!
//! Neither holds a secret. The drill's changes to the server are recorded elsewhere ([`changes`]), because a key can be
//! evicted and cannot be written while the server is out of memory or a replica.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::task::JoinHandle;

use super::error::{JournalError, LabError};
use super::executor::{Executor, LeadersLine};
use super::journal::changes;
use super::keyspace::KeyPrefix;
use super::process::Owner;
use super::url::RedisUrl;

const LEASE: &str = "firedrill:lease";
const RECORD: &str = "firedrill:drill";

/// How long an unrenewed lease lives, on top of the longest fault that prevents renewal.
const EXPIRY: Duration = Duration::from_secs(30);

/// How often it is renewed.
const RENEWAL: Duration = Duration::from_secs(5);

/// Extends a lease that is still ours, or retakes it if it has expired. Returns 0 if it belongs to another drill.
const RENEW: &str = "local holder = redis.call('GET', KEYS[1]) \
     if holder == ARGV[1] then redis.call('PEXPIRE', KEYS[1], ARGV[2]) return 1 end \
     if holder then return 0 end \
     redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2]) return 1";

/// Deletes a key that still holds what we wrote.
const DELETE_OURS: &str =
    "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0";

/// The version of [`DrillRecord`].
const FORMAT: u32 = 1;

/// The drill that is, or was, running on a server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DrillRecord {
    /// The format's version: 1.
    pub record: u32,
    /// A random number that no other drill has.
    pub token: String,
    /// The scenario's name.
    pub scenario: String,
    /// When the drill began (RFC 3339).
    pub began: String,
    /// The machine on which the harness runs.
    pub host: String,
    /// The harness process on that machine.
    #[serde(flatten)]
    pub owner: Owner,
    /// The server's run id when the drill began.
    pub run_id: String,
    /// The number of the database that holds its keys.
    pub database: i64,
    /// The prefix of its keys.
    pub prefix: KeyPrefix,
}

impl DrillRecord {
    /// Creates the record of a drill that begins now in this process.
    pub fn new(scenario: &str, began: &str, run_id: &str, database: i64, prefix: &KeyPrefix) -> Self {
        Self {
            record: FORMAT,
            token: format!("{:016x}", rand::random::<u64>()),
            scenario: scenario.to_owned(),
            began: began.to_owned(),
            host: host_name(),
            owner: Owner::this_process(),
            run_id: run_id.to_owned(),
            database,
            prefix: prefix.clone(),
        }
    }

    /// Whether its harness has certainly ended, which only a process on the same machine can tell.
    pub fn is_gone(&self) -> bool {
        self.host == host_name() && self.owner.is_gone()
    }

    /// The drill's name in messages.
    pub fn name(&self) -> String {
        format!("{} of {} (pid {} on {})", self.scenario, self.began, self.owner.pid, self.host)
    }
}

/// The traces of killed or running drills on a server.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Traces {
    /// The drill that has not ended cleanly.
    pub drill: Option<DrillRecord>,
    /// How long its lease is still valid; `None` without a lease.
    pub lease: Option<Duration>,
    /// Its changes to the server, the earliest first.
    pub changes: Vec<changes::Recorded>,
}

impl Traces {
    /// Whether there are no traces.
    pub fn is_empty(&self) -> bool {
        self.drill.is_none() && self.changes.is_empty()
    }
}

/// The lease of a running drill. Dropping it ends the renewal and leaves the keys, for `firedrill heal`.
pub struct Lease {
    line: Arc<LeadersLine>,
    text: String,
    renewing: JoinHandle<()>,
}

impl Lease {
    /// Takes the server behind `line`, which the user named by `url`, for the drill of `record`. `unwritable` is the
    /// longest time for which a fault of this drill prevents renewal. `lost` is called once if another drill gets the lease
    /// anyway.
    ///
    /// # Errors
    /// [`JournalError::Taken`] if another drill is running or left something behind; otherwise the same as
    /// [`Admin::query`](crate::lab::Admin::query).
    pub async fn take(
        line: LeadersLine,
        url: &RedisUrl,
        record: &DrillRecord,
        unwritable: Duration,
        lost: impl Fn() + Send + 'static,
    ) -> Result<Self, LabError> {
        let line = Arc::new(line);
        let text = json(record)?;
        let expiry = EXPIRY + unwritable;
        let mut take = redis::cmd("SET");
        take.arg(LEASE).arg(&text).arg("NX").arg("PX").arg(millis(expiry));
        if line.query::<Option<String>>(&take).await?.is_none() {
            return Err(at_work(read(&*line, LEASE).await?, url));
        }
        let traces = traces(&*line).await;
        let begun = match traces {
            Ok(traces) if !traces.is_empty() => Err(left(&traces, url)),
            Ok(_) => line.query::<()>(redis::cmd("SET").arg(RECORD).arg(&text)).await,
            Err(error) => Err(error),
        };
        if let Err(error) = begun {
            delete_ours(&*line, LEASE, &text).await?;
            return Err(error);
        }
        let renewing = tokio::spawn(renew(line.clone(), text.clone(), expiry, lost));
        Ok(Self { line, text, renewing })
    }

    /// Releases the server. With `clean`, nothing is left behind and the drill's record is removed as well.
    ///
    /// # Errors
    /// Same as [`Admin::query`](crate::lab::Admin::query).
    pub async fn release(&self, clean: bool) -> Result<(), LabError> {
        self.renewing.abort();
        if clean {
            delete_ours(&*self.line, RECORD, &self.text).await?;
        }
        delete_ours(&*self.line, LEASE, &self.text).await
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.renewing.abort();
    }
}

async fn renew(line: Arc<LeadersLine>, text: String, expiry: Duration, lost: impl Fn() + Send + 'static) {
    loop {
        tokio::time::sleep(RENEWAL).await;
        let mut command = redis::cmd("EVAL");
        command.arg(RENEW).arg(1).arg(LEASE).arg(&text).arg(millis(expiry));
        // A fault of this drill may block the renewal; the lease outlives the fault.
        match line.query::<u64>(&command).await {
            Ok(0) => return lost(),
            Ok(_) => {}
            Err(error) => tracing::debug!(%error, "the lease was not renewed this time"),
        }
    }
}

/// Checks whether the server behind `line`, which the user named by `url`, can be taken now. [`Lease::take`] checks again
/// before it takes the server.
///
/// # Errors
/// Same as [`Lease::take`].
pub async fn free(line: &impl Executor, url: &RedisUrl) -> Result<(), LabError> {
    if let Some(holder) = read(line, LEASE).await? {
        return Err(at_work(Some(holder), url));
    }
    let traces = traces(line).await?;
    if traces.is_empty() { Ok(()) } else { Err(left(&traces, url)) }
}

/// Reads the traces on the server behind `line`, from database 0.
///
/// # Errors
/// Same as [`Admin::query`](crate::lab::Admin::query).
pub async fn traces(line: &impl Executor) -> Result<Traces, LabError> {
    let drill = read(line, RECORD).await?;
    let holder = read(line, LEASE).await?;
    let same =
        drill.is_some() && holder.as_ref().map(|holder| &holder.token) == drill.as_ref().map(|drill| &drill.token);
    let lease = match same {
        true => {
            let left: i64 = line.query(redis::cmd("PTTL").arg(LEASE)).await?;
            Some(Duration::from_millis(u64::try_from(left).unwrap_or(0)))
        }
        false => None,
    };
    // A user without permission to list users cannot have changed the server either.
    let users: Vec<String> = line.query(&changes::list()).await.unwrap_or_default();
    Ok(Traces { drill, lease, changes: changes::parse(&users) })
}

/// Removes the lease and record of the drill with this token, once nothing else of it is left.
///
/// # Errors
/// Same as [`Admin::query`](crate::lab::Admin::query).
pub async fn forget(line: &impl Executor, token: &str) -> Result<(), LabError> {
    for key in [RECORD, LEASE] {
        let text: Option<String> = line.query(redis::cmd("GET").arg(key)).await?;
        if let Some(text) = text.filter(|text| parse(text).is_some_and(|record| record.token == token)) {
            delete_ours(line, key, &text).await?;
        }
    }
    Ok(())
}

async fn read(line: &impl Executor, key: &str) -> Result<Option<DrillRecord>, LabError> {
    let text: Option<String> = line.query(redis::cmd("GET").arg(key)).await?;
    Ok(text.as_deref().and_then(parse))
}

async fn delete_ours(line: &impl Executor, key: &str, text: &str) -> Result<(), LabError> {
    line.query::<u64>(redis::cmd("EVAL").arg(DELETE_OURS).arg(1).arg(key).arg(text)).await.map(drop)
}

fn parse(text: &str) -> Option<DrillRecord> {
    serde_json::from_str(text).ok()
}

fn json(record: &DrillRecord) -> Result<String, LabError> {
    serde_json::to_string(record).map_err(|error| LabError::system("writing the lease", std::io::Error::from(error)))
}

fn at_work(holder: Option<DrillRecord>, url: &RedisUrl) -> LabError {
    if let Some(drill) = holder.as_ref().filter(|holder| holder.is_gone()) {
        return left(&Traces { drill: Some(drill.clone()), ..Traces::default() }, url);
    }
    let drill = holder.map_or_else(|| "another drill".to_owned(), |record| format!("the drill {}", record.name()));
    LabError::Journal(JournalError::Taken {
        what: format!("{drill} is running on {}", url.address()),
        cure: "one drill at a time: wait until it has ended; the lease of a killed drill expires by itself".to_owned(),
    })
}

/// The error for traces left on the server at `url`.
pub fn left(traces: &Traces, url: &RedisUrl) -> LabError {
    let drill = match &traces.drill {
        Some(drill) => format!("the drill {}", drill.name()),
        None => "a drill".to_owned(),
    };
    LabError::Journal(JournalError::Taken {
        what: format!("{drill} was killed and left changes on {}", url.address()),
        cure: format!("undo them first, from any machine: firedrill heal --redis {url}"),
    })
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// The machine's host name.
fn host_name() -> String {
    nix::sys::utsname::uname()
        .map_or_else(|_| "an unknown machine".to_owned(), |system| system.nodename().to_string_lossy().into_owned())
}
