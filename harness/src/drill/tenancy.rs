//! The drill's tenancy on systems that outlive it: one drill at a time on an external Redis, and a journal of its
//! changes.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::fault::{Hits, RemoteHealer};
use crate::lab::journal::{self, ClientFiles, Header, Journal, RedisRecord};
use crate::lab::lease::{self, DrillRecord, Lease};
use crate::lab::{Lab, LabError, NONCE, Owner, RedisFailure, RedisUrl};
use crate::plan::Plan;

/// The deadline of every call to an external Redis that is not part of the load.
const ADMIN_DEADLINE: Duration = Duration::from_secs(5);

/// Connects to the Redis at `url`. No other drill may be running there or have left anything behind.
///
/// # Errors
/// Same as [`Lab::external`], and [`JournalError::Taken`](crate::lab::JournalError::Taken), also if a killed drill has
/// left its own password in force.
pub async fn reach(url: &RedisUrl) -> Result<Lab, LabError> {
    match Lab::external(url.clone(), ADMIN_DEADLINE).await {
        Ok(lab) => lease::free(url).await.map(|()| lab),
        Err(error @ LabError::Redis(RedisFailure::Refused { .. })) => {
            let healer = RemoteHealer::new(&url.in_database(0)?, NONCE)?;
            let traces = lease::traces(&healer).await.unwrap_or_default();
            Err(if traces.is_empty() { error } else { lease::left(&traces, url) })
        }
        Err(error) => Err(error),
    }
}

/// Begins a drill on systems that outlive it, before it creates its first key: first its journal, then the lease on an
/// external Redis. The drill is stopped if another one gets its lease.
///
/// # Errors
/// [`JournalError::Open`](crate::lab::JournalError::Open) and [`JournalError::Taken`](crate::lab::JournalError::Taken);
/// [`JournalError::Io`](crate::lab::JournalError::Io), without which nothing may be changed.
pub async fn begin(plan: &Plan, lab: &mut Lab, stop: &CancellationToken) -> Result<Journal, LabError> {
    let began = firedrill_reports::text::rfc3339(std::time::SystemTime::now());
    let run_id = lab.info().await?.run_id;
    let record = DrillRecord::new(&plan.scenario.name, &began, &run_id, lab.url().database(), lab.prefix());
    let journal = journal(plan, lab, &record)?;
    if !lab.is_managed() {
        let server_faults = plan.faults.iter().filter(|fault| fault.kind.hits() == Hits::Server);
        let unwritable = server_faults.map(|fault| fault.lasting.0).max().unwrap_or_default();
        let stop = stop.clone();
        let lost = move || {
            tracing::error!("another drill has taken the lease on this Redis: this one stops");
            stop.cancel();
        };
        match Lease::take(lab.url(), &record, unwritable, lost).await {
            Ok(lease) => lab.hold(lease),
            Err(error) => {
                journal.close()?;
                return Err(error);
            }
        }
    }
    Ok(journal)
}

/// Creates the journal of a drill on systems that outlive it.
fn journal(plan: &Plan, lab: &Lab, record: &DrillRecord) -> Result<Journal, LabError> {
    let redis = match lab.is_managed() {
        // A managed Redis goes away with the drill.
        true => None,
        false => Some(RedisRecord {
            url: lab.url().without_password()?,
            ca: lab.url().tls().ca_file.clone(),
            client: lab
                .url()
                .tls()
                .client
                .as_ref()
                .map(|client| ClientFiles { cert: client.cert_file.clone(), key: client.key_file.clone() }),
            password: lab.url().password().is_some(),
            run_id: record.run_id.clone(),
            token: record.token.clone(),
            prefix: lab.prefix().clone(),
            nonce: lab.nonce().to_owned(),
            server_faults: plan.faults.iter().any(|fault| fault.kind.hits() == Hits::Server),
        }),
    };
    let header = Header {
        journal: journal::FORMAT,
        owner: Owner::this_process(),
        scenario: plan.scenario.name.clone(),
        began: record.began.clone(),
        redis,
    };
    journal::acquire(&journal::place::folder()?, &header)
}
