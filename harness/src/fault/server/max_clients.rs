//! `server.maxclients`: the server takes no more connections, as when something has used them all up. The load's own are
//! cut, and whoever connects is told "max number of clients reached" and shown the door.

use std::sync::Arc;
use std::time::Duration;

use super::super::context::FaultContext;
use super::super::repeat::Repeat;
use super::super::{Bite, Fault, FaultError};
use super::{Refusal, Refusing, Setting};

/// The nemesis's own connection takes the one place there is.
const PLACES: u32 = 1;

/// How often the nemesis uses its connection, lest the server close it as idle and somebody else take its place.
const KEEP: Duration = Duration::from_millis(500);

/// How often the way back in is fought for, should the place have been lost.
const TRIES: u32 = 50;

/// Between two looks at who has gone.
const SETTLE: Duration = Duration::from_millis(20);

/// Parameters of `server.maxclients`: none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MaxClients;

pub(in crate::fault) struct MaxClientsFault {
    refusing: Arc<Refusing>,
    keeper: Repeat,
}

impl MaxClientsFault {
    pub fn new(index: u32, context: FaultContext) -> Result<Self, FaultError> {
        let refusing = Arc::new(Refusing::new(index, context, Refusal::Connections)?);
        Ok(Self { refusing, keeper: Repeat::default() })
    }
}

impl MaxClientsFault {
    /// On a server that others use, as many places as are taken, the nemesis's own among them. Should the harness be
    /// killed, those are free for `firedrill heal`; with fewer, the others' connections would lock it out for good.
    async fn leave_a_way_back(&self) -> Result<(), FaultError> {
        let hand = &self.refusing.hand;
        let mut taken = self.taken().await?;
        for _ in 0..TRIES {
            tokio::time::sleep(SETTLE).await;
            // The load's connections are cut, and the server may not have seen the last of them go.
            let now = self.taken().await?;
            if now == taken {
                break;
            }
            taken = now;
        }
        hand.change(Setting::Config("maxclients"), taken.max(PLACES)).await
    }

    /// How many connections the server has.
    async fn taken(&self) -> Result<u32, FaultError> {
        let remote = &self.refusing.hand.remote;
        let (clients, replicas) = (remote.info("clients").await?, remote.info("replication").await?);
        Ok(number(&clients, "connected_clients") + number(&replicas, "connected_slaves"))
    }
}

/// The number in a line like `connected_clients:3`; 0 where there is none.
fn number(info: &str, field: &str) -> u32 {
    let of = |line: &str| line.strip_prefix(field)?.strip_prefix(':')?.trim().parse().ok();
    info.lines().find_map(of).unwrap_or(0)
}

#[async_trait::async_trait]
impl Fault for MaxClientsFault {
    fn kind(&self) -> &'static str {
        "server.maxclients"
    }

    fn detail(&self) -> String {
        String::new()
    }

    async fn inject(&self) -> Result<(), FaultError> {
        // This also opens the nemesis's own connection.
        self.refusing.begin().await?;
        let hand = &self.refusing.hand;
        hand.change(Setting::Config("maxclients"), PLACES).await?;
        self.keeper.start(self.refusing.clone(), KEEP, |refusing| async move {
            let _ = refusing.hand.remote.query::<()>(&redis::cmd("PING")).await;
        });
        hand.context.path.cut(hand.index).await?;
        if hand.context.lab.journal().is_some() {
            self.leave_a_way_back().await?;
        }
        Ok(())
    }

    async fn heal(&self) -> Result<(), FaultError> {
        self.keeper.stop().await;
        let hand = &self.refusing.hand;
        let mut tries = 1;
        loop {
            match hand.give_back().await {
                Err(_) if tries < TRIES => tries += 1,
                result => return result,
            }
            // If the place is lost, then to the load: it has to leave again.
            hand.context.path.cut(hand.index).await?;
        }
    }

    async fn proof(&self, within: Duration) -> Bite {
        self.refusing.refused(&redis::cmd("PING"), within).await
    }
}
