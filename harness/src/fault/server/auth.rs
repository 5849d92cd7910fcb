//! `server.auth`: the password has been changed behind the store's back. Its connections are cut, and new ones are refused:
//! with WRONGPASS where the store has a password, with NOAUTH where it never needed one.

use std::time::Duration;

use super::super::context::FaultContext;
use super::super::{Bite, Fault, FaultError};
use super::{Refusal, Refusing, Setting};

/// Parameters of `server.auth`: none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Auth;

pub(in crate::fault) struct AuthFault(Refusing);

impl AuthFault {
    pub fn new(index: u32, context: FaultContext) -> Result<Self, FaultError> {
        Refusing::new(index, context, Refusal::Commands(&["WRONGPASS", "NOAUTH"])).map(Self)
    }
}

#[async_trait::async_trait]
impl Fault for AuthFault {
    fn kind(&self) -> &'static str {
        "server.auth"
    }

    fn detail(&self) -> String {
        String::new()
    }

    async fn inject(&self) -> Result<(), FaultError> {
        self.0.begin().await?;
        let hand = &self.0.hand;
        let user = hand.context.lab.url().user().to_owned();
        let password = format!(">{}", hand.context.lockout.password());
        hand.context.holds.locked.take(hand.index);
        hand.context.lockout.set(true);
        hand.change(Setting::Passwords(user), password).await?;
        // Who has logged in stays so.
        hand.context.path.cut(hand.index).await
    }

    async fn heal(&self) -> Result<(), FaultError> {
        let hand = &self.0.hand;
        hand.give_back().await?;
        if hand.context.holds.locked.release(hand.index) {
            hand.context.lockout.set(false);
        }
        Ok(())
    }

    async fn proof(&self, within: Duration) -> Bite {
        self.0.write_refused(within).await
    }
}
