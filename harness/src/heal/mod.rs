//! `firedrill heal`: undoes what a drill that was killed has left, by its journal. Every step is written down as done when
//! it is, so that healing may itself be killed, and be asked for again, at any time.

use std::path::{Path, PathBuf};

use crate::fault::WayBack;
use crate::lab::journal::{Header, Journal, Opened, Record, RedisRecord, Undo, remove};
use crate::lab::{Admin, LabError, RedisUrl, remove_keys};
use crate::proxy::{RemoteProxy, ToxiproxyUrl};

/// What became of one journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Healed {
    /// Where it lies, or lay.
    pub journal: PathBuf,
    /// The drill for people: scenario and beginning.
    pub drill: String,
    /// What was undone.
    pub undone: Vec<String>,
    /// Why it is not over.
    pub left: Left,
}

/// What is left to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Left {
    /// Nothing: the journal is gone.
    Nothing,
    /// Its drill goes on and heals itself.
    Alive {
        /// The harness, where its journal tells.
        pid: Option<u32>,
    },
    /// Another Redis is meant than the one that was asked for.
    OtherRedis,
    /// These could not be undone, and stay in the journal.
    Undone(Vec<String>),
}

/// Undoes what the journal at `path` says. `url` is the Redis that is meant, with its password; without it every Redis is
/// meant that needs none.
///
/// # Errors
/// [`LabError::Journal`] and [`LabError::NoJournal`]; what a server refuses is part of the answer.
pub async fn heal(path: &Path, url: Option<&RedisUrl>) -> Result<Healed, LabError> {
    let told = |drill: String, left| Healed { journal: path.to_owned(), drill, undone: Vec::new(), left };
    match Journal::open(path)? {
        Opened::Empty => {
            remove(path)?;
            Ok(told("a drill that had not begun".to_owned(), Left::Nothing))
        }
        Opened::Alive(header) => {
            let pid = header.as_ref().map(|header| header.owner.pid);
            Ok(told(header.as_ref().map_or_else(|| "a drill".to_owned(), name), Left::Alive { pid }))
        }
        Opened::Left(left) => {
            let (journal, record) = *left;
            let mut healed = told(name(&record.header), Left::Nothing);
            let mut failed = Vec::new();
            let mut steps = Steps { journal: &journal, undone: &mut healed.undone, failed: &mut failed };
            match &record.header.redis {
                Some(redis) => {
                    let Some(url) = address(redis, url)? else {
                        healed.left = Left::OtherRedis;
                        return Ok(healed);
                    };
                    steps.proxies(&record).await?;
                    steps.redis(redis, &url, &record).await?;
                }
                None => steps.proxies(&record).await?,
            }
            healed.left = match failed.is_empty() && journal.close()? {
                true => Left::Nothing,
                false => Left::Undone(failed),
            };
            Ok(healed)
        }
    }
}

fn name(header: &Header) -> String {
    format!("{} of {}", header.scenario, header.began)
}

/// By which URL the Redis of a journal is reached; `None` if another one is meant. Where the one that is given names no CA,
/// it is the journal's.
fn address(redis: &RedisRecord, url: Option<&RedisUrl>) -> Result<Option<RedisUrl>, LabError> {
    let recorded = redis.url()?;
    let Some(url) = url else { return Ok(Some(recorded)) };
    if url.address() != recorded.address() {
        return Ok(None);
    }
    Ok(Some(match url.is_tls() && url.tls().ca_file.is_none() {
        true => url.clone().secured(recorded.tls().clone())?,
        false => url.clone(),
    }))
}

/// The steps of healing from one journal.
struct Steps<'a> {
    journal: &'a Journal,
    undone: &'a mut Vec<String>,
    failed: &'a mut Vec<String>,
}

impl Steps<'_> {
    /// What was made on Toxiproxy servers.
    async fn proxies(&mut self, record: &Record) -> Result<(), LabError> {
        for (id, undo) in &record.open {
            let Undo::DeleteProxy { api, name } = undo else { continue };
            let deleted = match api.parse::<ToxiproxyUrl>() {
                Ok(url) => RemoteProxy::delete_at(&url, name).await.map_err(|error| error.to_string()),
                Err(reason) => Err(reason),
            };
            self.note(*id, undo, deleted)?;
        }
        Ok(())
    }

    /// The settings first, the latest change first: while they are what a fault made them, keys may not be deleted.
    async fn redis(&mut self, redis: &RedisRecord, url: &RedisUrl, record: &Record) -> Result<(), LabError> {
        let way = WayBack::new(url, &redis.nonce)?;
        let on_server = |(_, undo): &&(u64, Undo)| !matches!(undo, Undo::DeleteProxy { .. });
        let open: Vec<Undo> = record.open.iter().filter(on_server).map(|(_, undo)| undo.clone()).collect();
        if let Err(error) = way.reach(&open).await {
            self.failed.push(explained(&error, redis));
            return Ok(());
        }
        for (id, undo) in record.open.iter().filter(on_server).rev() {
            self.note(*id, undo, way.undo(undo).await.map_err(|error| error.to_string()))?;
        }
        // The keys are in the database that the drill used, whatever the URL says now.
        let place = redis.url()?.by_way_of(url)?;
        match remove_keys(&Admin::new(&place, Admin::DEADLINE)?, &redis.prefix).await {
            Ok(0) => {}
            Ok(keys) => self.undone.push(format!("{keys} keys under {} deleted", redis.prefix)),
            Err(error) => self.failed.push(format!("the keys under {}: {error}", redis.prefix)),
        }
        Ok(())
    }

    /// Writes down what came of one step.
    fn note(&mut self, id: u64, undo: &Undo, done: Result<(), String>) -> Result<(), LabError> {
        match done {
            Ok(()) => {
                self.journal.undone(id)?;
                self.undone.push(undo.to_string());
            }
            Err(reason) => self.failed.push(format!("{undo}: {reason}")),
        }
        Ok(())
    }
}

fn explained(error: &LabError, redis: &RedisRecord) -> String {
    match error {
        LabError::Refused { .. } if redis.password => {
            format!("{error}; the drill's URL had a password: give it again, by FIREDRILL_REDIS or --redis")
        }
        error => error.to_string(),
    }
}
