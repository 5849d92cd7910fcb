//! What a drill may do to a shared Redis. This is decided before anything is written, from the server's own figures and
//! the plan: how much the load may write, and which faults may affect other clients.

use std::fmt;

use super::footprint::{Footprint, mib};
use crate::lab::{RedisUrl, Survey};
use crate::plan::Plan;
use crate::units::Share;

/// What the user allows on a server that others use.
#[derive(Debug, Clone, PartialEq)]
pub struct Allowance {
    /// The server, as `HOST:PORT`, that `server.*` faults may change for every client.
    pub server_faults: Option<String>,
    /// The share of the server's free memory that the load may use, a whole number of percent if given by the user.
    pub memory_share: Share,
}

impl Allowance {
    /// The default share of free memory.
    pub const MEMORY_SHARE: Share = Share(0.25);
}

impl Default for Allowance {
    fn default() -> Self {
        Self { server_faults: None, memory_share: Self::MEMORY_SHARE }
    }
}

/// The limit under an evicting policy, whatever the allowance: if other clients filled the memory in the meantime,
/// Redis would evict their keys.
const MOST_UNDER_EVICTION: f64 = 0.5;

/// Why a drill does not begin on a Redis that others use. Each message names the finding and the remedy.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// The server refuses writes.
    #[error("Redis at {address} is a replica: writes are refused (READONLY). Give --redis the URL of its primary")]
    Replica {
        /// Host and port.
        address: String,
    },
    /// A fault would affect other clients.
    #[error(
        "{fault} would change {address} for everybody who uses it, and {found}. Allow it with --allow-server-faults \
         {address}, or leave out --redis: on a Redis of the drill's own it touches nobody else"
    )]
    ServerFault {
        /// The fault's kind.
        fault: &'static str,
        /// Host and port.
        address: String,
        /// Who uses the server.
        found: String,
    },
    /// `--allow-server-faults` names another server.
    #[error("--allow-server-faults names {named}, and --redis is {address}: name the server that may be changed")]
    OtherServer {
        /// The named server.
        named: String,
        /// Host and port of the Redis.
        address: String,
    },
    /// The load could take memory that other clients need.
    #[error(transparent)]
    Memory(Box<Shortage>),
}

impl Refusal {
    /// Whether a different command line would help; otherwise the server itself is unsuitable for drills.
    pub fn is_usage(&self) -> bool {
        !matches!(self, Refusal::Replica { .. })
    }
}

/// The load could take memory that other clients need: the figures and the remedy.
#[derive(Debug, thiserror::Error)]
#[error(
    "this drill may write up to {wanted}, and {address} has {free} of memory free ({used} of {limit} in use, {policy}), \
     of which a drill takes at most {share} ({allowed}). {danger} Reduce the load (--set load.rate=…, load.for, \
     load.sessions), {cure}or leave out --redis: the drill then starts a Redis of its own"
)]
pub struct Shortage {
    /// Host and port.
    pub address: String,
    /// The most memory that the plan may use.
    pub wanted: String,
    /// Free memory.
    pub free: String,
    /// Memory in use.
    pub used: String,
    /// The most memory that the server can use.
    pub limit: String,
    /// The server's eviction policy.
    pub policy: String,
    /// The allowed share.
    pub share: Share,
    /// The allowed amount.
    pub allowed: String,
    /// The possible harm to other clients.
    pub danger: &'static str,
    /// The flag that allows more, if there is one.
    pub cure: String,
}

/// The findings and the permission, in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Permit(String);

impl fmt::Display for Permit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Decides whether `plan` may run on the server at `address`, given its `survey`. The user named it by `url`: as itself,
/// or as one of several that work together, each of which must have room for the whole load.
///
/// # Errors
/// [`Refusal`], before anything is written.
pub fn permit(
    plan: &Plan,
    url: &RedisUrl,
    address: String,
    survey: &Survey,
    allowance: &Allowance,
) -> Result<Permit, Refusal> {
    let of_server = plan.faults.iter().find(|fault| fault.kind.hits().touches_others());
    let server = Place { named: &url.address(), address: &address };
    judge(of_server.map(|fault| fault.kind.name()), Footprint::of(&plan.load), server, survey, allowance)
}

/// A server, and what the user named.
#[derive(Clone, Copy)]
struct Place<'a> {
    named: &'a str,
    address: &'a str,
}

fn judge(
    server_fault: Option<&'static str>,
    footprint: Footprint,
    Place { named: given, address }: Place<'_>,
    survey: &Survey,
    allowance: &Allowance,
) -> Result<Permit, Refusal> {
    if !survey.is_primary() {
        return Err(Refusal::Replica { address: address.to_owned() });
    }
    if let Some(named) = allowance.server_faults.as_ref().filter(|named| *named != given) {
        return Err(Refusal::OtherServer { named: named.clone(), address: given.to_owned() });
    }
    let found = format!("{} keys and {} connections of others are there", survey.keys(), survey.others());
    if let (Some(fault), true, None) = (server_fault, survey.is_shared(), &allowance.server_faults) {
        return Err(Refusal::ServerFault { fault, address: given.to_owned(), found });
    }
    let shared = if survey.is_shared() { found } else { "no other client uses it".to_owned() };
    let (Some(limit), Some(free)) = (survey.memory_limit(), survey.free_memory()) else {
        return Ok(Permit(format!("{address}: {shared}; it does not say how much memory it has")));
    };
    let share = match survey.evicts() {
        true => allowance.memory_share.0.min(MOST_UNDER_EVICTION),
        false => allowance.memory_share.0,
    };
    let allowed = (free as f64 * share) as u64;
    let policy = if survey.evicts() { survey.policy() } else { "evicts nothing" };
    if survey.is_shared() && footprint.bytes > allowed {
        let raise = allowance.memory_share.0 < 0.5;
        let shortage = Shortage {
            address: address.to_owned(),
            wanted: mib(footprint.bytes),
            free: mib(free),
            used: mib(survey.used_memory()),
            limit: mib(limit),
            policy: policy.to_owned(),
            share: Share(share),
            allowed: mib(allowed),
            danger: match survey.evicts() {
                true => "Beyond that, Redis could evict keys of others.",
                false => "Beyond that, others could be refused memory.",
            },
            cure: if raise { "allow more with --memory-share 50%, ".to_owned() } else { String::new() },
        };
        return Err(Refusal::Memory(Box::new(shortage)));
    }
    Ok(Permit(format!(
        "{address}: {shared}, {} of {} in use ({policy}); the load may write up to {} of {} allowed",
        mib(survey.used_memory()),
        mib(limit),
        mib(footprint.bytes),
        mib(allowed)
    )))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::RedisInfo;

    const ADDRESS: &str = "10.0.0.1:6379";
    const SERVER: Place<'static> = Place { named: ADDRESS, address: ADDRESS };

    fn survey(keys: u64, clients: u64) -> Survey {
        Survey::saying(RedisInfo {
            role: "master".into(),
            keys,
            connected_clients: clients + 1,
            used_memory: 60 << 20,
            maxmemory: 100 << 20,
            policy: "noeviction".into(),
            ..RedisInfo::default()
        })
    }

    fn load(mib: u64) -> Footprint {
        Footprint { bytes: mib << 20 }
    }

    #[test]
    fn a_fault_of_the_server_needs_its_name_where_others_use_it() {
        let ask =
            |survey: &Survey, allowance: &Allowance| judge(Some("server.oom"), load(1), SERVER, survey, allowance);
        let none = Allowance::default();
        for shared in [survey(7, 0), survey(0, 1)] {
            let text = ask(&shared, &none).unwrap_err().to_string();
            assert!(text.contains("--allow-server-faults 10.0.0.1:6379") && text.contains("server.oom"), "{text}");
        }
        assert!(ask(&survey(0, 0), &none).is_ok(), "an empty server without clients is nobody's");
        let named = |name: &str| Allowance { server_faults: Some(name.to_owned()), ..Allowance::default() };
        assert!(ask(&survey(7, 3), &named(ADDRESS)).is_ok());
        let text = ask(&survey(7, 3), &named("10.0.0.2:6379")).unwrap_err().to_string();
        assert!(text.contains("10.0.0.2:6379") && text.contains(ADDRESS), "{text}");
        assert!(judge(None, load(1), SERVER, &survey(7, 3), &none).is_ok());
    }

    #[test]
    fn a_load_keeps_within_its_share_of_the_free_memory_and_the_message_has_the_figures() {
        let ask = |mib: u64, survey: &Survey, share: f64| {
            let allowance = Allowance { memory_share: Share(share), ..Allowance::default() };
            judge(None, load(mib), SERVER, survey, &allowance)
        };
        let shared = survey(7, 0);
        let text = ask(10, &shared, 0.25).unwrap().to_string();
        assert!(text.contains("up to 10.0 MiB of 10.0 MiB allowed"), "{text}");
        let text = ask(11, &shared, 0.25).unwrap_err().to_string();
        for figure in
            ["up to 11.0 MiB", "40.0 MiB of memory free", "60.0 MiB of 100.0 MiB", "25%", "--memory-share 50%"]
        {
            assert!(text.contains(figure), "{figure}: {text}");
        }
        assert!(ask(39, &shared, 1.0).is_ok());
        assert!(ask(4_000, &survey(0, 0), 0.25).is_ok(), "nobody is there to be hurt");
    }

    #[test]
    fn where_keys_are_evicted_no_allowance_reaches_the_limit() {
        let info = RedisInfo {
            policy: "allkeys-lru".into(),
            maxmemory: 100 << 20,
            used_memory: 60 << 20,
            ..RedisInfo::default()
        };
        let full = Survey::saying(RedisInfo { used_memory: 100 << 20, keys: 9, ..info.clone() });
        let half = Survey::saying(RedisInfo { keys: 9, ..info });
        let all = Allowance { memory_share: Share(1.0), ..Allowance::default() };
        let ask = |mib: u64, survey: &Survey| judge(None, load(mib), SERVER, survey, &all);
        assert!(ask(20, &half).is_ok());
        let text = ask(21, &half).unwrap_err().to_string();
        assert!(text.contains("evict keys of others") && !text.contains("--memory-share"), "{text}");
        assert!(ask(1, &full).is_err(), "a cache that is full makes room with keys of others");
    }

    #[test]
    fn servers_that_work_together_may_be_changed_by_the_name_that_the_user_gave_them() {
        let server = Place { named: "10.0.0.9:26379", address: ADDRESS };
        let named = |name: &str| Allowance { server_faults: Some(name.to_owned()), ..Allowance::default() };
        let ask = |allowance| judge(Some("sentinel.failover"), load(1), server, &survey(7, 3), &allowance);
        assert!(ask(named("10.0.0.9:26379")).unwrap().to_string().starts_with(ADDRESS));
        let text = ask(Allowance::default()).unwrap_err().to_string();
        assert!(text.contains("--allow-server-faults 10.0.0.9:26379"), "{text}");
    }

    #[test]
    fn a_replica_is_refused() {
        let replica = Survey::saying(RedisInfo { role: "slave".into(), ..RedisInfo::default() });
        assert!(matches!(judge(None, load(1), SERVER, &replica, &Allowance::default()), Err(Refusal::Replica { .. })));
    }
}
