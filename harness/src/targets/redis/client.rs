//! A lane to a Redis.

use std::rc::Rc;
use std::sync::Arc;

use super::super::attempts::Attempts;
use super::cluster::Redirect;
use super::connection::Connection;
use super::dialler::{Node, encoded};
use super::pipeline::{Bundle, Ticket};
use super::setup::{Answer, Setup, Trouble};
use crate::history::{Cause, Outcome};
use crate::target::{Client, Observation, Operation};

/// How often an operation follows its slot from node to node.
const MOST_MOVES: usize = 5;

/// A lane to a Redis. It has its own connection to each server, opened on first use and reopened after a loss, or shares it
/// with others.
pub struct RedisClient {
    setup: Arc<Setup>,
    link: Link,
    request: Vec<u8>,
    key: Vec<u8>,
}

enum Link {
    /// By the number of the server.
    Own(Vec<Own>),
    Shared(Rc<Bundle>, Rc<Ticket>),
}

#[derive(Default)]
struct Own {
    connection: Option<Connection>,
    attempts: Attempts,
}

impl RedisClient {
    pub(super) fn new(setup: &Arc<Setup>) -> Self {
        let link = match setup.pipeline {
            1 => Link::Own(Vec::new()),
            _ => Link::Shared(Bundle::join(setup), Rc::default()),
        };
        Self { setup: Arc::clone(setup), link, request: Vec::new(), key: Vec::new() }
    }

    /// Carries out `op`, which belongs to the node `to` for the moment only.
    async fn asked(&self, to: &Node, op: &Operation, seen: &mut Observation) -> Outcome {
        let mut connection = match self.setup.dialler.open(to).await {
            Ok(connection) => connection,
            Err(cause) => return seen.failed(cause),
        };
        if connection.call(&encoded(&["ASKING"])).await.is_err() {
            return seen.failed(Cause::ConnectionLost);
        }
        match connection.call(&self.request).await {
            Ok(reply) => match self.setup.answer(op, &reply, seen) {
                Answer::Seen { outcome, .. } => outcome,
                Answer::Redirected(_) => seen.failed(Cause::Refused),
            },
            Err(failure) => Trouble::Failed(failure).settle(seen),
        }
    }
}

impl Drop for RedisClient {
    fn drop(&mut self) {
        if let Link::Shared(bundle, _) = &self.link {
            bundle.leave();
        }
    }
}

impl Client for RedisClient {
    async fn prepare(&mut self) {
        let Self { setup, link, .. } = self;
        let nodes = match &setup.cluster {
            None => vec![(0, Arc::clone(&setup.first))],
            Some(cluster) => cluster.primaries(&setup.dialler).await,
        };
        for (number, node) in nodes {
            match link {
                Link::Own(connections) => {
                    let own = at(connections, number);
                    if own.connection.is_none()
                        && let Ok(connection) = own.open(setup, &node).await
                    {
                        own.connection = Some(connection);
                    }
                }
                Link::Shared(bundle, _) => bundle.prepare(number, &node).await,
            }
        }
    }

    async fn execute(&mut self, op: &Operation, seen: &mut Observation) -> Outcome {
        let Self { setup, link, request, key } = self;
        if !setup.vocabulary.has(op) {
            return seen.failed(Cause::Refused);
        }
        request.clear();
        setup.vocabulary.encode(op, request);
        for _ in 0..=MOST_MOVES {
            let owner;
            let (number, node) = match &setup.cluster {
                None => (0, &setup.first),
                Some(cluster) => {
                    setup.vocabulary.key(op, key);
                    let slot = firedrill_storage::redis_store::slot_of(key);
                    match cluster.owner(slot, &setup.dialler).await {
                        Some(found) => owner = found,
                        None => return seen.failed(Cause::Unreachable),
                    }
                    (owner.0, &owner.1)
                }
            };
            let answer = match link {
                Link::Own(connections) => at(connections, number).call(setup, node, request, op, seen).await,
                Link::Shared(bundle, ticket) => bundle.call(number, node, request, op, seen, ticket).await,
            };
            match (answer, &setup.cluster) {
                (Ok(Answer::Seen { outcome, .. }), _) => return outcome,
                (Ok(Answer::Redirected(Redirect::Moved(slot, node))), Some(cluster)) => cluster.moved(slot, node),
                (Ok(Answer::Redirected(Redirect::Ask(node))), _) => return self.asked(&node, op, seen).await,
                (Ok(Answer::Redirected(_)), None) => return seen.failed(Cause::Refused),
                (Err(trouble), _) => return trouble.settle(seen),
            }
        }
        seen.failed(Cause::Refused)
    }
}

/// The connection to the server of this number.
fn at(connections: &mut Vec<Own>, number: usize) -> &mut Own {
    if connections.len() <= number {
        connections.resize_with(number + 1, Own::default);
    }
    &mut connections[number]
}

impl Own {
    async fn call(
        &mut self,
        setup: &Setup,
        node: &Node,
        request: &[u8],
        op: &Operation,
        seen: &mut Observation,
    ) -> Result<Answer, Trouble> {
        // Taken out while a reply is pending: if this future is dropped early, the connection goes with it, and its
        // late reply cannot be mistaken for another operation's.
        let idle = self.connection.take().filter(|connection| connection.carried < setup.reconnect_after);
        let mut connection = match idle {
            Some(connection) => connection,
            None => self.open(setup, node).await.map_err(Trouble::Unsent)?,
        };
        let answer = match connection.call(request).await {
            Ok(reply) => setup.answer(op, &reply, seen),
            Err(failure) => {
                setup.doubt();
                return Err(Trouble::Failed(failure));
            }
        };
        if !answer.is_demoted() {
            self.connection = Some(connection);
        }
        Ok(answer)
    }

    async fn open(&mut self, setup: &Setup, node: &Node) -> Result<Connection, Cause> {
        self.attempts.due().await;
        let result = setup.dialler.open(node).await;
        match result {
            Ok(_) => self.attempts = Attempts::default(),
            Err(_) => {
                self.attempts.failed();
                setup.doubt();
            }
        }
        result.map(|mut connection| {
            connection.carried = 0;
            connection
        })
    }
}
