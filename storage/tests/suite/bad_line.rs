//! A line to Redis that loses answers: what was asked is carried out, and nobody hears of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Forwards to a server, and loses some of its answers: half of these by a cut connection, half by silence. Lives as long
/// as the test's runtime.
pub struct BadLine {
    port: u16,
    per_mille: Arc<AtomicU32>,
}

impl BadLine {
    /// A line to the server at this port of the same machine.
    pub async fn to(upstream: u16, seed: u64) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let per_mille = Arc::new(AtomicU32::new(0));
        let losses = Arc::clone(&per_mille);
        tokio::spawn(async move {
            for number in 0.. {
                let Ok((client, _)) = listener.accept().await else { return };
                let random = StdRng::seed_from_u64(seed + number);
                tokio::spawn(forward(client, upstream, Arc::clone(&losses), random));
            }
        });
        Self { port, per_mille }
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// From now on this share of the answers is lost.
    pub fn lose(&self, per_mille: u32) {
        self.per_mille.store(per_mille, Ordering::SeqCst);
    }
}

async fn forward(mut client: TcpStream, upstream: u16, losses: Arc<AtomicU32>, mut random: StdRng) {
    let Ok(server) = TcpStream::connect(("127.0.0.1", upstream)).await else { return };
    let (mut from_client, mut to_client) = client.split();
    let (mut from_server, mut to_server) = server.into_split();
    let asked = tokio::io::copy(&mut from_client, &mut to_server);
    let answered = async {
        let mut buffer = vec![0; 65_536];
        while let Ok(bytes @ 1..) = from_server.read(&mut buffer).await {
            if random.random_range(0..1_000) < losses.load(Ordering::SeqCst) {
                if random.random() {
                    return;
                }
                // Silent for good; the client gives this connection up.
                std::future::pending::<()>().await;
            }
            if to_client.write_all(&buffer[..bytes]).await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        _ = asked => {}
        () = answered => {}
    }
}
