//! A network that delays commands: they must not take effect after later ones.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use firedrill_storage::{Effect, RedisStore, SessionData, SessionStore, TriviaSession};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::support::{HOUR, RedisServer, answer, eventually, id, questions, session};

/// A proxy to Redis that can hold back what its oldest connection sends, and release it later.
struct Way {
    port: u16,
    hold: Arc<AtomicBool>,
}

impl Way {
    async fn to(server: &RedisServer) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let target = server.url().replace("redis://", "");
        let hold = Arc::new(AtomicBool::new(false));
        let first = Arc::clone(&hold);
        tokio::spawn(async move {
            let mut held = Some(first);
            loop {
                let (client, _) = listener.accept().await.unwrap();
                let server = TcpStream::connect(&target).await.unwrap();
                tokio::spawn(carry(client, server, held.take().unwrap_or_default()));
            }
        });
        Self { port, hold }
    }
}

/// Forwards bytes both ways. While `hold` is set nothing reaches the server, not even the end of the client's
/// connection.
async fn carry(client: TcpStream, server: TcpStream, hold: Arc<AtomicBool>) {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    tokio::spawn(async move { tokio::io::copy(&mut from_server, &mut to_client).await });
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let read = from_client.read(&mut buffer).await.unwrap_or(0);
        while hold.load(Ordering::SeqCst) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        if read == 0 || to_server.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_held_in_the_network_does_not_land_after_a_later_one() {
    let server = RedisServer::start();
    let way = Way::to(&server).await;
    let store = RedisStore::<TriviaSession>::builder(&format!("redis://127.0.0.1:{}", way.port))
        .command_timeout(Duration::from_millis(300))
        .build()
        .unwrap();
    store.put(&id("a"), session(&id("a"), "ada"), HOUR).await.unwrap();
    way.hold.store(true, Ordering::SeqCst);
    let mut held = session(&id("a"), "ada");
    held.append(answer(1));
    let error = store.put(&id("a"), held, HOUR).await.unwrap_err();
    assert_eq!(error.effect(), Effect::Unknown);
    let mut later = session(&id("a"), "ada");
    later.append(answer(2));
    eventually("a later put is acknowledged", async || store.put(&id("a"), later.clone(), HOUR).await.ok()).await;
    let mut redis = server.look();
    let clients = |redis: &mut redis::Connection| -> usize {
        redis::cmd("CLIENT").arg("LIST").query::<String>(redis).unwrap().lines().count()
    };
    way.hold.store(false, Ordering::SeqCst);
    // The held bytes go to a connection that the server has already closed: only the new one and ours are left.
    eventually("the old connection is gone", async || (clients(&mut redis) == 2).then_some(())).await;
    let read = store.get(&id("a"), HOUR).await.unwrap().value.unwrap();
    assert_eq!((read.version, questions(&read.data)), (2, vec![2]));
}
