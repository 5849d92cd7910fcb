//! Asking the sentinels for the primary. All are asked at once, each with its own deadline. As soon as a majority
//! agrees its answer counts, so a sentinel that is dead, frozen or cut off neither delays nor misleads; without a
//! majority the most frequent answer counts. The connector then lets the server itself prove that it is a primary.

use std::time::Duration;

use hashbrown::HashMap;
use tokio::task::JoinSet;

use super::address::Address;
use super::deployment::{Credentials, DeploymentError};
use super::dial::Dialer;

const PORT: u16 = 26379;

pub(super) struct Sentinels {
    master: String,
    addresses: Vec<Address>,
    dialer: Dialer,
    /// The deadline for one sentinel.
    deadline: Duration,
}

impl Sentinels {
    /// `data` opens connections to the data nodes. Sentinels use the same TLS, but their own credentials.
    pub(super) fn new(
        master: &str,
        sentinels: &[String],
        credentials: Option<&Credentials>,
        data: &Dialer,
        connect_deadline: Duration,
    ) -> Result<Self, DeploymentError> {
        if master.is_empty() {
            return Err(DeploymentError::NoMaster);
        }
        if sentinels.is_empty() {
            return Err(DeploymentError::NoSentinel);
        }
        let addresses = addresses("sentinel", sentinels, PORT)?;
        let user = credentials.and_then(|c| c.user.as_deref());
        let dialer = data.with_login(user, credentials.map(|c| c.password.as_str()));
        // Half of an attempt's time is left for the primary.
        Ok(Self { master: master.to_owned(), addresses, dialer, deadline: connect_deadline / 2 })
    }

    /// The address of the primary. The error is the reason, fit for a log.
    pub(super) async fn primary(&self) -> Result<Address, String> {
        let mut asked = JoinSet::new();
        for sentinel in &self.addresses {
            let (dialer, sentinel) = (self.dialer.clone(), sentinel.clone());
            let (master, deadline) = (self.master.clone(), self.deadline);
            asked.spawn(async move {
                tokio::time::timeout(deadline, ask(&dialer, &sentinel, &master))
                    .await
                    .unwrap_or_else(|_| Err(format!("no answer within {deadline:?}")))
            });
        }
        let mut votes: HashMap<Address, usize> = HashMap::new();
        let mut reason = String::new();
        while let Some(answer) = asked.join_next().await {
            match answer {
                Ok(Ok(primary)) => {
                    let count = votes.entry(primary.clone()).or_default();
                    *count += 1;
                    if *count > self.addresses.len() / 2 {
                        return Ok(primary);
                    }
                }
                Ok(Err(why)) => reason = why,
                Err(_) => {}
            }
        }
        let most = votes.into_iter().max_by_key(|(_, count)| *count);
        most.map(|(primary, _)| primary).ok_or_else(|| format!("no sentinel names a primary: {reason}"))
    }
}

async fn ask(dialer: &Dialer, sentinel: &Address, master: &str) -> Result<Address, String> {
    let wire = dialer.dial(sentinel, || {}).await?;
    let answer =
        wire.ask(&["SENTINEL", "GET-MASTER-ADDR-BY-NAME", master]).await.map_err(|error| dialer.failed(&error))?;
    let named: Option<(String, u16)> =
        redis::from_redis_value(answer).map_err(|_| "its answer has an unexpected form".to_owned())?;
    let (host, port) = named.ok_or_else(|| format!("it watches none by the name `{master}`"))?;
    Ok(Address::new(host, port))
}

/// Parses a list of `host[:port]`.
pub(super) fn addresses(
    what: &'static str,
    texts: &[String],
    default_port: u16,
) -> Result<Vec<Address>, DeploymentError> {
    let read = |(at, text): (usize, &String)| {
        Address::parse(text.trim(), Some(default_port)).ok_or(DeploymentError::NotAnAddress { what, number: at + 1 })
    };
    texts.iter().enumerate().map(read).collect()
}
