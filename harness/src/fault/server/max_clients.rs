//! `server.maxclients`: the server takes no more connections, as when something has used them all up. The load's own are
//! cut, and whoever connects is told "max number of clients reached" and shown the door.

use std::sync::Arc;
use std::time::Duration;

use super::super::context::FaultContext;
use super::super::{Bite, Fault, FaultError};
use super::repeat::Repeat;
use super::{Refusal, Refusing, Setting};

/// The nemesis's own connection takes the one place there is.
const PLACES: u32 = 1;

/// How often the nemesis uses its connection, lest the server close it as idle and somebody else take its place.
const KEEP: Duration = Duration::from_millis(500);

/// How often the way back in is fought for, should the place have been lost.
const TRIES: u32 = 50;

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
        hand.context.path.cut(hand.index).await
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
