//! Cutting connections while the port stays open.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use firedrill_proxy::{Direction, ProxyStats, toxic};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpSocket;

use crate::support::{DEADLINE, Received, World, wait_until};

/// Keeps every core busy, so that the threads of a proxy and of its user are preempted anywhere.
struct Busy(Arc<AtomicBool>);

impl Busy {
    fn all_cores() -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        for _ in 0..std::thread::available_parallelism().map_or(2, usize::from) {
            let stop = stop.clone();
            std::thread::spawn(move || while !stop.load(Relaxed) {});
        }
        Self(stop)
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.store(true, Relaxed);
    }
}

#[test]
fn a_black_hole_that_comes_and_goes_at_once_is_met_by_every_connection() {
    let world = World::new();
    let _busy = Busy::all_cores();
    for round in 0..300 {
        let mut client = world.client();
        client.ping();
        world.add(Direction::Downstream, toxic::Timeout { timeout: 0 });
        world.remove("timeout_downstream");
        assert_eq!(client.read(DEADLINE.min(Duration::from_secs(3))), Received::End, "round {round}");
    }
}

#[test]
fn a_cut_closes_what_is_open_and_takes_new_clients() {
    let world = World::new();
    let _busy = Busy::all_cores();
    for round in 0..100 {
        let mut clients = [world.client(), world.client()];
        for client in &mut clients {
            client.ping();
        }
        world.run(world.proxy.cut());
        for client in &mut clients {
            assert_eq!(client.read(DEADLINE), Received::End, "round {round}");
        }
    }
    wait_until("the cut connections to be counted", || world.proxy.stats().cut == 200);
    world.client().ping();
}

#[test]
fn a_client_that_was_connecting_when_all_were_cut_does_not_stay_in() {
    let world = World::new();
    let _busy = Busy::all_cores();
    for round in 0..100 {
        // Accepted by the system, but perhaps not yet by the proxy: then it comes after the cut, and is served.
        let mut client = world.client();
        let accepted = world.proxy.stats().accepted;
        world.run(world.proxy.cut());
        if accepted > round {
            assert_eq!(client.read(DEADLINE), Received::End, "round {round}");
        }
    }
}

#[test]
fn a_probe_that_was_announced_is_in_no_counter() {
    let world = World::new();
    let probe = || async {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        world.proxy.expect_probe(socket.local_addr().unwrap());
        let mut stream = socket.connect(world.proxy.listen_addr()).await.unwrap();
        stream.write_all(b"PING\r\n").await.unwrap();
        let mut answer = [0; 7];
        stream.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"+PONG\r\n");
    };
    world.run(probe());
    assert_eq!(world.proxy.stats(), ProxyStats::default());
    world.add(Direction::Downstream, toxic::Latency { latency: 20, jitter: 0 });
    world.run(probe());
    assert_eq!(world.proxy.stats(), ProxyStats::default());
    world.client().ping();
    assert_eq!((world.proxy.stats().accepted, world.proxy.stats().downstream.delayed_transfers), (1, 1));
}
