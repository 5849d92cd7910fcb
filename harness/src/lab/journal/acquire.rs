//! Two drills that change the same Redis would mistake each other's faults for its settings, and a killed drill leaves
//! its faults in place. So a drill begins only on a Redis in its original state.

use std::path::Path;

use super::{Header, Journal, Opened, RedisRecord, place};
use crate::lab::error::{JournalError, LabError};

/// Begins the journal of a drill in `folder`.
///
/// # Errors
/// [`JournalError::Open`] if a killed drill left something on the same Redis, or if another drill is running there and
/// either of the two changes the server; otherwise the same as [`Journal::create`].
pub fn acquire(folder: &Path, header: &Header) -> Result<Journal, LabError> {
    // Create ours before looking at the others: if two drills begin at once, at least one sees the other.
    let journal = Journal::create(folder, header)?;
    for path in place::journals(folder)? {
        if path == journal.path() {
            continue;
        }
        let conflict = match Journal::open(&path) {
            Ok(Opened::Left(left)) => conflict(header, &left.1.header, false),
            Ok(Opened::Alive(Some(other))) => conflict(header, &other, true),
            Ok(Opened::Alive(None) | Opened::Empty) => None,
            Err(error) => {
                tracing::warn!(%error, "left alone");
                None
            }
        };
        if let Some((what, cure)) = conflict {
            journal.close()?;
            return Err(LabError::Journal(JournalError::Open { what, journal: path, cure }));
        }
    }
    Ok(journal)
}

/// Why the drill of `ours` cannot begin while the journal of `other` exists, and what to do about it.
fn conflict(ours: &Header, other: &Header, alive: bool) -> Option<(String, String)> {
    let (mine, theirs) = (ours.redis.as_ref()?, other.redis.as_ref()?);
    if !same_redis(mine, theirs) {
        return None;
    }
    let Header { scenario, began, owner, .. } = other;
    let redis = &theirs.url;
    match alive {
        false => Some((
            format!("the drill {scenario} of {began} was killed and left changes on {redis}"),
            format!("undo them first: firedrill heal --redis {redis}"),
        )),
        true if mine.server_faults || theirs.server_faults => Some((
            format!("the drill {scenario} (pid {}) is running on {redis}", owner.pid),
            "a drill with server.* faults needs the Redis to itself: wait until the other has ended".to_owned(),
        )),
        true => None,
    }
}

/// Whether two drills use the same server: the same address, or the same run of a server.
fn same_redis(one: &RedisRecord, other: &RedisRecord) -> bool {
    let address = |record: &RedisRecord| record.url().map(|url| url.address()).ok();
    (!one.run_id.is_empty() && one.run_id == other.run_id) || address(one) == address(other)
}

#[cfg(test)]
mod tests {
    use super::super::FORMAT;
    use super::*;
    use crate::lab::keyspace::KeyPrefix;
    use crate::lab::process::Owner;
    use crate::lab::redis::Topology;

    fn header(url: &str, run_id: &str, server_faults: bool) -> Header {
        let redis = RedisRecord {
            url: url.to_owned(),
            ca: None,
            client: None,
            password: false,
            topology: Topology::Standalone,
            master: None,
            run_id: run_id.to_owned(),
            prefix: KeyPrefix::random(),
            nonce: String::new(),
            server_faults,
            token: String::new(),
        };
        Header {
            journal: FORMAT,
            owner: Owner::this_process(),
            scenario: "redis-outage".into(),
            began: "now".into(),
            redis: Some(redis),
        }
    }

    #[test]
    fn a_redis_with_traces_is_refused_under_any_of_its_names() {
        let folder = tempfile::tempdir().unwrap();
        drop(acquire(folder.path(), &header("redis://10.0.0.1:6379/", "abc", false)).unwrap());
        for (url, run_id) in [("redis://10.0.0.1:6379/3", "new"), ("redis://cache.example:6379/", "abc")] {
            let error = acquire(folder.path(), &header(url, run_id, false)).err().unwrap();
            let LabError::Journal(JournalError::Open { cure, .. }) = &error else { panic!("{error}") };
            assert!(cure.contains("firedrill heal --redis redis://10.0.0.1:6379/"), "{cure}");
        }
        assert!(acquire(folder.path(), &header("redis://10.0.0.2:6379/", "def", false)).unwrap().close().unwrap());
        assert_eq!(place::journals(folder.path()).unwrap().len(), 1, "who is refused leaves no journal");
    }

    #[test]
    fn drills_side_by_side_are_refused_where_one_changes_the_server() {
        let folder = tempfile::tempdir().unwrap();
        let with = |server_faults| acquire(folder.path(), &header("redis://10.0.0.1:6379/", "abc", server_faults));
        let (first, second) = (with(false).unwrap(), with(false).unwrap());
        assert!(matches!(with(true), Err(LabError::Journal(JournalError::Open { .. }))));
        assert!(first.close().unwrap() && second.close().unwrap());
        let _changes = with(true).unwrap();
        assert!(matches!(with(false), Err(LabError::Journal(JournalError::Open { .. }))));
    }
}
