//! Nothing behind the generator: every operation is answered at once, in process, from a table that holds each session's
//! last token. It shows what the generator itself can deliver on this machine and what an operation costs it. Whatever another
//! target takes beyond that is the target's own.
//!
//! Its answers are true, so a drill of it is judged like any other. Redis has no part in its operations.

use std::sync::Arc;

use async_trait::async_trait;
use firedrill_reports::run::Fact;
use hashbrown::HashMap;
use parking_lot::Mutex;

use super::driver::Driver;
use super::kind::Kind;
use super::site::Site;
use crate::history::{Cause, OpKind, Outcome, SessionNo, Token};
use crate::target::{Ability, BuildError, Client, Observation, Operation, Target, fact};

/// The kind.
pub(super) struct NullKind;

#[async_trait]
impl Kind for NullKind {
    fn name(&self) -> &'static str {
        "null"
    }

    fn about(&self) -> &'static str {
        "Answers at once, without Redis: for what the generator itself can deliver."
    }

    fn operations(&self) -> &'static [OpKind] {
        NullTarget::OPERATIONS
    }

    fn abilities(&self) -> &'static [Ability] {
        NullTarget::ABILITIES
    }

    fn sockets(&self, _lanes: u32) -> u64 {
        0
    }

    fn is_only_a_client(&self) -> bool {
        true
    }

    async fn build(&self, _site: Site) -> Result<Arc<dyn Driver>, BuildError> {
        Ok(Arc::new(NullTarget::default()))
    }
}

/// Parts of the table: so many that the threads of the load hardly ever meet at one.
const PARTS: usize = 32;

/// The table. Its clones and its clients share it.
#[derive(Clone, Default)]
pub struct NullTarget {
    parts: Arc<[Mutex<HashMap<SessionNo, Token>>; PARTS]>,
}

impl Target for NullTarget {
    type Client = Self;

    /// Those of plain GET and SET, for comparison with them.
    const OPERATIONS: &'static [OpKind] = &[OpKind::Create, OpKind::Read, OpKind::Put, OpKind::Touch, OpKind::Destroy];

    fn client(&self) -> Self {
        self.clone()
    }

    fn describe(&self) -> Vec<Fact> {
        vec![fact("target", "null (answers at once, without Redis)")]
    }
}

impl Client for NullTarget {
    async fn execute(&mut self, op: &Operation, seen: &mut Observation) -> Outcome {
        let mut part = self.parts[op.session as usize % PARTS].lock();
        match op.kind {
            OpKind::Create | OpKind::Put => {
                part.insert(op.session, op.token());
                Outcome::Ok
            }
            OpKind::Read => {
                let token = part.get(&op.session).copied();
                seen.owner = token.map(|_| op.session);
                seen.tokens.extend(token);
                seen.answered(token.is_some())
            }
            OpKind::Touch => seen.answered(part.contains_key(&op.session)),
            OpKind::Destroy => seen.answered(part.remove(&op.session).is_some()),
            _ => seen.failed(Cause::Refused),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::Presence;

    async fn call(client: &mut NullTarget, index: u64, kind: OpKind) -> (Outcome, Observation) {
        let mut seen = Observation::default();
        let op = Operation { index, kind, session: 7, process: 0, payload_bytes: 1_000 };
        let outcome = client.execute(&op, &mut seen).await;
        (outcome, seen)
    }

    #[tokio::test]
    async fn a_read_shows_the_last_write_of_any_client_until_the_session_is_destroyed() {
        let target = NullTarget::default();
        let (mut writer, mut reader) = (target.client(), target.client());
        for (index, kind) in [(4, OpKind::Create), (9, OpKind::Put)] {
            assert_eq!(call(&mut writer, index, kind).await.0, Outcome::Ok);
            let (outcome, seen) = call(&mut reader, 100, OpKind::Read).await;
            assert_eq!((outcome, seen.presence, seen.owner), (Outcome::Ok, Presence::Present, Some(7)));
            assert_eq!(seen.tokens, [index + 1]);
        }
        for (kind, presence) in [
            (OpKind::Touch, Presence::Present),
            (OpKind::Destroy, Presence::Present),
            (OpKind::Destroy, Presence::Absent),
            (OpKind::Touch, Presence::Absent),
            (OpKind::Read, Presence::Absent),
        ] {
            let (outcome, seen) = call(&mut reader, 101, kind).await;
            assert_eq!((outcome, seen.presence, seen.owner), (Outcome::Ok, presence, None), "{kind:?}");
        }
    }

    #[tokio::test]
    async fn what_it_does_not_support_is_refused_and_leaves_nothing() {
        let mut client = NullTarget::default();
        let (outcome, seen) = call(&mut client, 0, OpKind::Append).await;
        assert_eq!((outcome, seen.cause), (Outcome::Failed, Cause::Refused));
        assert_eq!(call(&mut client, 1, OpKind::Read).await.1.presence, Presence::Absent);
    }
}
