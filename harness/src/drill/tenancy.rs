//! The drill's tenancy on systems that outlive it: one drill at a time on an external Redis, and a journal of its
//! changes.

use std::sync::Arc;
use std::time::Duration;

use super::order::{Order, RedisChoice};
use crate::fault::RemoteHealer;
use crate::lab::journal::{self, ClientFiles, Header, Journal, RedisRecord};
use crate::lab::lease::{self, DrillRecord, Lease};
use crate::lab::{AnnouncedProxies, Existing, Lab, LabError, NONCE, Owner, RedisFailure, RedisUrl, Topology};
use crate::plan::Plan;

/// The deadline of every call to an external Redis that is not part of the load.
const ADMIN_DEADLINE: Duration = Duration::from_secs(5);

/// Connects to the Redis at `url`, which is run in `topology`; `proxies` go in front of its servers if there are several.
/// No other drill may be running there or have left anything behind.
///
/// # Errors
/// Same as [`Lab::find`], and [`JournalError::Taken`](crate::lab::JournalError::Taken), also if a killed drill has left its
/// own password in force.
pub async fn reach(
    topology: Topology,
    url: &RedisUrl,
    proxies: Option<Arc<dyn AnnouncedProxies>>,
) -> Result<Lab, LabError> {
    let existing = Existing { proxies, ..Existing::at(url.clone(), ADMIN_DEADLINE) };
    match Lab::find(topology, &existing).await {
        Ok(lab) => lease::free(&lab.leaders_line()?, url).await.map(|()| lab),
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
pub async fn begin(order: &Order, lab: &mut Lab) -> Result<Journal, LabError> {
    let plan = &*order.plan;
    let began = firedrill_reports::text::rfc3339(std::time::SystemTime::now());
    let run_id = lab.info().await?.run_id;
    let record = DrillRecord::new(&plan.scenario.name, &began, &run_id, lab.url().database(), lab.prefix());
    // A managed Redis goes away with the drill.
    let redis = match &order.redis {
        RedisChoice::External(url) => Some(redis(plan, url, lab, &record)?),
        RedisChoice::Managed(_) => None,
    };
    let journal = journal(plan, &record, redis)?;
    if let RedisChoice::External(url) = &order.redis {
        let server_faults = plan.faults.iter().filter(|fault| fault.kind.hits().touches_others());
        let unwritable = server_faults.map(|fault| fault.lasting.0).max().unwrap_or_default();
        let stop = order.stop.clone();
        let lost = move || {
            tracing::error!("another drill has taken the lease on this Redis: this one stops");
            stop.cancel();
        };
        let taken = match lab.leaders_line() {
            Ok(line) => Lease::take(line, url, &record, unwritable, lost).await,
            Err(error) => Err(error),
        };
        match taken {
            Ok(lease) => lab.hold(lease),
            Err(error) => {
                journal.close()?;
                return Err(error);
            }
        }
    }
    Ok(journal)
}

/// What the journal says of the Redis at `url`, on which the drill of `record` runs.
fn redis(plan: &Plan, url: &RedisUrl, lab: &Lab, record: &DrillRecord) -> Result<RedisRecord, LabError> {
    let client = url.tls().client.as_ref();
    Ok(RedisRecord {
        url: url.without_password()?,
        ca: url.tls().ca_file.clone(),
        client: client.map(|client| ClientFiles { cert: client.cert_file.clone(), key: client.key_file.clone() }),
        password: url.password().is_some() || url.sentinel().credentials.is_some(),
        topology: lab.topology(),
        master: url.sentinel().master.clone(),
        run_id: record.run_id.clone(),
        token: record.token.clone(),
        prefix: lab.prefix().clone(),
        nonce: lab.nonce().to_owned(),
        server_faults: plan.faults.iter().any(|fault| fault.kind.hits().touches_others()),
    })
}

/// Creates the journal of a drill on systems that outlive it.
fn journal(plan: &Plan, record: &DrillRecord, redis: Option<RedisRecord>) -> Result<Journal, LabError> {
    let header = Header {
        journal: journal::FORMAT,
        owner: Owner::this_process(),
        scenario: plan.scenario.name.clone(),
        began: record.began.clone(),
        redis,
    };
    journal::acquire(&journal::place::folder()?, &header)
}
