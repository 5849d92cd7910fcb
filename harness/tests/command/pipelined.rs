//! A law of the pipelined `redis` target, on a server that may cut any connection at any byte: no reply ever reaches another
//! operation than its own, and what is reported as never sent was never received.

use std::collections::HashSet;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use firedrill::history::{OpKind, Outcome, Presence};
use firedrill::target::{Client, Observation, Operation, Target};
use firedrill::targets::RedisTargetSpec;
use firedrill::targets::redis::RedisTarget;
use proptest::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What the server does to a connection.
#[derive(Debug, Clone)]
struct Fate {
    /// It ends after so many bytes of replies.
    cut_after: usize,
    /// Replies go out in pieces of these sizes, in turn.
    pieces: Vec<usize>,
}

/// A SET of session 7 by operation 41 has the value `0000000007 00000000000000000042 …`, and a GET shows the session with the
/// number of the GET's place on the connection as its token: whichever operation gets the reply of another shows it.
#[derive(Default)]
struct Received(Mutex<HashSet<u64>>);

/// Answers on one connection until its fate is fulfilled.
async fn answer(mut stream: TcpStream, fate: Fate, received: Arc<Received>) {
    let (mut bytes, mut buffer, mut sent) = (Vec::new(), vec![0; 4096], 0);
    let mut pieces = fate.pieces.iter().cycle();
    while let Ok(read @ 1..) = stream.read(&mut buffer).await {
        bytes.extend_from_slice(&buffer[..read]);
        let mut replies = Vec::new();
        while let Some((words, length)) = command(&bytes) {
            bytes.drain(..length);
            let session = &words[1][words[1].len() - 10..];
            match words[0].as_str() {
                "SET" => {
                    received.0.lock().unwrap().insert(words[2][11..31].parse().unwrap());
                    replies.extend_from_slice(b"+OK\r\n");
                }
                _ => replies.extend_from_slice(format!("$32\r\n{session} 00000000000000000001 \r\n").as_bytes()),
            }
        }
        let mut rest = replies.as_slice();
        while !rest.is_empty() {
            let piece = rest.len().min(*pieces.next().unwrap()).min(fate.cut_after - sent);
            if piece == 0 || stream.write_all(&rest[..piece]).await.is_err() {
                return;
            }
            sent += piece;
            rest = &rest[piece..];
            tokio::task::yield_now().await;
        }
    }
}

/// The first command in `bytes` and its length; `None` if it is not whole.
fn command(bytes: &[u8]) -> Option<(Vec<String>, usize)> {
    let text = std::str::from_utf8(bytes).unwrap();
    let line = |at: usize| text[at..].find("\r\n").map(|end| (&text[at + 1..at + end], at + end + 2));
    let (count, mut at) = line(0)?;
    let mut words = Vec::new();
    for _ in 0..count.parse().unwrap() {
        let (length, from) = line(at)?;
        let length: usize = length.parse().unwrap();
        words.push(text.get(from..from + length)?.to_owned());
        at = from + length + 2;
    }
    (at <= bytes.len()).then_some((words, at))
}

/// What one operation was told.
struct Told {
    op: Operation,
    outcome: Outcome,
    seen: Observation,
}

/// Runs `each` operations on each of `lanes` lanes that share connections, against connections of these fates.
async fn run(fates: Vec<Fate>, lanes: u32, each: u64, give_up: u64, received: Arc<Received>) -> Vec<Told> {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("redis://{}", listener.local_addr().unwrap());
    let heard = received.clone();
    tokio::task::spawn_local(async move {
        let mut fates = fates.into_iter().cycle();
        while let Ok((stream, _)) = listener.accept().await {
            tokio::task::spawn_local(answer(stream, fates.next().unwrap(), heard.clone()));
        }
    });
    let spec: RedisTargetSpec = toml::from_str("pipeline = 8").unwrap();
    let target = Rc::new(RedisTarget::new(&url, "p:", &spec).unwrap());
    let users: Vec<_> = (0..lanes)
        .map(|lane| {
            let mut client = target.client();
            tokio::task::spawn_local(async move {
                let mut told = Vec::new();
                for number in 0..each {
                    let index = u64::from(lane) * each + number;
                    let kind = if index.is_multiple_of(3) { OpKind::Put } else { OpKind::Read };
                    let op = Operation { index, kind, session: index as u32, process: lane, payload_bytes: 0 };
                    let mut seen = Observation::default();
                    // Some operations are given up before their reply, which must then reach nobody.
                    let patience = if index % 7 < give_up { Duration::ZERO } else { Duration::from_secs(30) };
                    let call = tokio::time::timeout(patience, client.execute(&op, &mut seen)).await;
                    if let Ok(outcome) = call {
                        told.push(Told { op, outcome, seen });
                    }
                }
                told
            })
        })
        .collect();
    let mut all = Vec::new();
    for user in users {
        all.extend(user.await.unwrap());
    }
    all
}

fn fates() -> impl Strategy<Value = Vec<Fate>> {
    let fate = (0usize..2_000, prop::collection::vec(1usize..200, 1..5))
        .prop_map(|(cut_after, pieces)| Fate { cut_after, pieces });
    prop::collection::vec(fate, 1..6)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn a_reply_reaches_its_own_operation_only_wherever_the_connection_is_cut(
        fates in fates(), lanes in 1u32..20, give_up in 0u64..3
    ) {
        let received = Arc::new(Received::default());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build_local(Default::default()).unwrap();
        let told = runtime.block_on(run(fates, lanes, 12, give_up, received.clone()));
        let received = received.0.lock().unwrap();
        for Told { op, outcome, seen } in told {
            match (op.kind, outcome) {
                (OpKind::Read, Outcome::Ok) => {
                    prop_assert_eq!(seen.presence, Presence::Present);
                    prop_assert_eq!((seen.owner, &*seen.tokens), (Some(op.session), &[1][..]));
                }
                (OpKind::Put, Outcome::Ok) => prop_assert!(received.contains(&op.token())),
                (OpKind::Put, Outcome::Failed) => prop_assert!(!received.contains(&op.token()), "{seen:?}"),
                _ => {}
            }
        }
    }
}
