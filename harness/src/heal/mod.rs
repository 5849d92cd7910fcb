//! `firedrill heal`: undoes the changes of a killed drill, from its journal on this machine or from its records on the
//! Redis itself. Settings that others have changed since are left alone. Every finished step is recorded, so healing
//! may itself be killed and repeated at any time.

mod group;
mod healed;
mod steps;

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::fault::RemoteHealer;
use crate::lab::journal::{Header, Journal, Opened, Record, RedisRecord, Undo, remove};
use crate::lab::lease::{self, Traces};
use crate::lab::{LabError, NONCE, RedisUrl, SentinelOptions, Topology, topology_at};
use crate::proxy::{RemoteProxy, ToxiproxyUrl};
use group::Group;
pub use healed::{Healed, Left};
use steps::{Place, Steps};

/// How long a Redis may take to say how it is run.
const RECOGNISED_WITHIN: Duration = Duration::from_secs(2);

/// Undoes the changes in the journal at `path`. `url` is the Redis to heal, with its password; without it, every Redis
/// that needs no password is healed. If `dry`, nothing changes, and the answer says what would be done.
///
/// # Errors
/// [`JournalError::Io`](crate::lab::JournalError::Io) and
/// [`JournalError::NotAJournal`](crate::lab::JournalError::NotAJournal); refusals by a server are part of the answer.
pub async fn heal(path: &Path, url: Option<&RedisUrl>, dry: bool) -> Result<Healed, LabError> {
    match Journal::open(path)? {
        Opened::Empty => {
            if !dry {
                remove(path)?;
            }
            Ok(Healed::of(Some(path), "a drill that had not begun".to_owned(), Left::Nothing))
        }
        Opened::Alive(header) => {
            let who = header.as_ref().map(|header| format!("pid {}", header.owner.pid));
            let drill = header.as_ref().map_or_else(|| "a drill".to_owned(), |header| name(header));
            Ok(Healed::of(Some(path), drill, Left::Alive { who }))
        }
        Opened::Left(left) => {
            let (journal, record) = *left;
            let mut healed = Healed::of(Some(path), name(&record.header), Left::Nothing);
            let mut failed = Vec::new();
            match &record.header.redis {
                Some(redis) => {
                    let Some(url) = address(redis, url)? else {
                        healed.left = Left::OtherRedis;
                        return Ok(healed);
                    };
                    proxies(&journal, &record, dry, &mut healed, &mut failed).await?;
                    let keys = redis.url()?.by_way_of(&url)?;
                    if redis.topology == Topology::Standalone {
                        let place = Place {
                            url: &url,
                            keys: &keys,
                            prefix: Some(&redis.prefix),
                            run_id: &redis.run_id,
                            token: &redis.token,
                        };
                        let healer = RemoteHealer::new(&url, &redis.nonce)?;
                        let steps = Steps { place, healer, journal: Some(&journal), dry };
                        steps.take(on_server(&record), &mut healed, &mut failed).await?;
                    } else {
                        let group = Group { topology: redis.topology, url: &keys, dry };
                        group.heal(&redis.prefix, &redis.token, &mut healed, &mut failed).await;
                    }
                    if redis.password {
                        failed.iter_mut().for_each(explain);
                    }
                }
                None => proxies(&journal, &record, dry, &mut healed, &mut failed).await?,
            }
            healed.left = match failed.is_empty() && (dry || journal.close()?) {
                true => Left::Nothing,
                false => Left::Undone(failed),
            };
            Ok(healed)
        }
    }
}

/// Undoes what a drill on any machine has left on the Redis at `url`, according to its records there. `None` if there
/// is nothing.
///
/// # Errors
/// Why the Redis could not be queried.
pub async fn heal_redis(url: &RedisUrl, dry: bool) -> Result<Option<Healed>, LabError> {
    // A server that a fault keeps from answering is one alone: no other can have such faults.
    let topology = topology_at(url, RECOGNISED_WITHIN).await.unwrap_or(Topology::Standalone);
    if topology != Topology::Standalone {
        return heal_group(topology, url, dry).await;
    }
    // All machines look for each other in this database.
    let healer = RemoteHealer::new(&url.in_database(0)?, NONCE)?;
    healer.reach(&[]).await?;
    let traces = lease::traces(&healer).await?;
    let Some(mut healed) = begin(&traces) else { return Ok(None) };
    if healed.left != Left::Nothing {
        return Ok(Some(healed));
    }
    let (mut changes, mut failed) = (Vec::new(), Vec::new());
    let token = traces.drill.as_ref().map(|drill| &drill.token).or_else(|| traces.changes.first().map(|c| &c.token));
    for change in traces.changes.iter().filter(|change| Some(&change.token) == token) {
        match &change.undo {
            Ok(undo) => changes.push((change.id, undo.clone())),
            Err(reason) => failed.push(format!("the ACL user of change {} cannot be read: {reason}", change.id)),
        }
    }
    let drill = traces.drill.as_ref();
    let keys = url.in_database(drill.map_or(0, |drill| drill.database))?;
    let place = Place {
        url,
        keys: &keys,
        prefix: drill.map(|drill| &drill.prefix),
        run_id: drill.map_or("", |drill| &drill.run_id),
        token: token.map_or("", String::as_str),
    };
    Steps { place, healer, journal: None, dry }.take(changes, &mut healed, &mut failed).await?;
    if !failed.is_empty() {
        healed.left = Left::Undone(failed);
    }
    Ok(Some(healed))
}

/// The same for servers that work together.
async fn heal_group(topology: Topology, url: &RedisUrl, dry: bool) -> Result<Option<Healed>, LabError> {
    let found = Group { topology, url, dry }.reach().await?;
    let traces = lease::traces(&found.leaders_line()?).await?;
    let Some(mut healed) = begin(&traces) else { return Ok(None) };
    if let (Left::Nothing, Some(drill)) = (&healed.left, &traces.drill) {
        let (keys, mut failed) = (url.in_database(drill.database)?, Vec::new());
        let group = Group { topology, url: &keys, dry };
        group.heal(&drill.prefix, &drill.token, &mut healed, &mut failed).await;
        if !failed.is_empty() {
            healed.left = Left::Undone(failed);
        }
    }
    Ok(Some(healed))
}

/// What is known of the drill that left these `traces`, with whether it still runs; `None` if there are none.
fn begin(traces: &Traces) -> Option<Healed> {
    if traces.is_empty() {
        return None;
    }
    let name = traces.drill.as_ref().map_or_else(|| "a drill of another machine".to_owned(), |drill| drill.name());
    let running = traces.drill.as_ref().zip(traces.lease).filter(|(drill, _)| !drill.is_gone());
    let left = running.map_or(Left::Nothing, |(drill, expires)| {
        let who =
            format!("pid {} on {}, by its lease, which has {} s to go", drill.owner.pid, drill.host, expires.as_secs());
        Left::Alive { who: Some(who) }
    });
    Some(Healed::of(None, name, left))
}

/// Lists the content of the journal at `path` without changing anything.
///
/// # Errors
/// [`JournalError::Io`](crate::lab::JournalError::Io) and
/// [`JournalError::NotAJournal`](crate::lab::JournalError::NotAJournal).
pub fn list(path: &Path) -> Result<Vec<String>, LabError> {
    Ok(match Journal::open(path)? {
        Opened::Empty => vec!["empty: nothing had begun".to_owned()],
        Opened::Alive(header) => vec![header.map_or_else(
            || "a drill that goes on".to_owned(),
            |header| format!("{}: goes on (pid {})", name(&header), header.owner.pid),
        )],
        Opened::Left(left) => {
            let record = left.1;
            let on = record.header.redis.as_ref().map_or_else(String::new, |redis| format!(" on {}", redis.url));
            let mut lines = vec![format!("{}{on}: was killed", name(&record.header))];
            lines.extend(record.open.iter().map(|(_, undo)| format!("to undo  {undo}")));
            lines.extend(record.header.redis.iter().map(|redis| format!("to delete  keys under {}", redis.prefix)));
            lines
        }
    })
}

fn name(header: &Header) -> String {
    format!("{} of {}", header.scenario, header.began)
}

/// `url` with the CA that one of the `journals` names for this server, if `url` names none itself.
pub fn trusting(url: &RedisUrl, journals: &[PathBuf]) -> RedisUrl {
    let known = journals.iter().find_map(|path| match Journal::open(path) {
        Ok(Opened::Left(left)) => address(left.1.header.redis.as_ref()?, Some(url)).ok()?,
        _ => None,
    });
    known.unwrap_or_else(|| url.clone())
}

/// The URL of a journal's Redis; `None` if `url` means another one. If `url` names no files for TLS, or no primary that
/// sentinels watch, the journal's are used.
fn address(redis: &RedisRecord, url: Option<&RedisUrl>) -> Result<Option<RedisUrl>, LabError> {
    let recorded = redis.url()?;
    let Some(url) = url else { return Ok(Some(recorded)) };
    if url.address() != recorded.address() {
        return Ok(None);
    }
    let url = match url.is_tls() && url.tls().ca_file.is_none() && url.tls().client.is_none() {
        true => url.clone().secured(recorded.tls().clone())?,
        false => url.clone(),
    };
    let SentinelOptions { master, credentials } = url.sentinel().clone();
    let master = master.or_else(|| redis.master.clone());
    Ok(Some(url.watched(SentinelOptions { master, credentials })))
}

/// The journal's changes on the Redis server.
fn on_server(record: &Record) -> Vec<(u64, Undo)> {
    record.open.iter().filter(|(_, undo)| !matches!(undo, Undo::DeleteProxy { .. })).cloned().collect()
}

/// Deletes the journal's proxies on Toxiproxy servers.
async fn proxies(
    journal: &Journal,
    record: &Record,
    dry: bool,
    healed: &mut Healed,
    failed: &mut Vec<String>,
) -> Result<(), LabError> {
    for (id, undo) in &record.open {
        let Undo::DeleteProxy { api, name } = undo else { continue };
        let deleted = match api.parse::<ToxiproxyUrl>() {
            Ok(_) if dry => Ok(()),
            Ok(url) => RemoteProxy::delete_at(&url, name).await.map_err(|error| error.to_string()),
            Err(reason) => Err(reason),
        };
        match deleted {
            Ok(()) => {
                if !dry {
                    journal.undone(*id)?;
                }
                healed.undone.push(undo.to_string());
            }
            Err(reason) => failed.push(format!("{undo}: {reason}")),
        }
    }
    Ok(())
}

/// Adds advice if the server wants a password.
fn explain(reason: &mut String) {
    if ["WRONGPASS", "NOAUTH", "AuthenticationFailed"].iter().any(|word| reason.contains(word)) {
        reason.push_str("; the drill's URL had a password: give it again, by FIREDRILL_REDIS or --redis");
    }
}
