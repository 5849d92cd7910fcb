//! Proxies that go down and come up, unreachable servers, and the ends of connections, which pass through unchanged.

use std::io::{ErrorKind, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::time::Duration;

use firedrill_proxy::{Direction, ProxyChange, ProxyError, ToxicSpec, toxic};
use socket2::SockRef;

use crate::support::{Client, DEADLINE, Received, World, any_port, wait_until};

#[test]
fn down_cuts_and_refuses_and_up_is_at_the_same_port_with_the_same_toxics() {
    let world = World::new();
    let address = world.proxy.listen_addr();
    let mut clients: Vec<Client> = (0..10).map(|_| world.client()).collect();
    for client in &mut clients {
        client.ping();
    }
    let late = toxic::Latency { latency: 100, jitter: 0 };
    world.add(Direction::Downstream, late);

    world.enable(false);
    assert!(!world.proxy.enabled());
    for client in &mut clients {
        assert_eq!(client.read(DEADLINE), Received::End);
    }
    assert_eq!(TcpStream::connect(address).unwrap_err().kind(), ErrorKind::ConnectionRefused);
    let stats = world.proxy.stats();
    assert_eq!((stats.accepted, stats.open, stats.cut), (10, 0, 10));

    world.enable(true);
    assert_eq!(world.proxy.listen_addr(), address);
    assert!(world.client().ping() >= Duration::from_millis(100));
}

#[test]
fn flapping_under_a_reconnecting_client_always_comes_back_at_the_same_port() {
    let world = World::new();
    let address = world.proxy.listen_addr();
    let stop = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        let storm = scope.spawn(|| {
            let mut refused = 0;
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                match TcpStream::connect(address) {
                    Ok(socket) => assert_ne!(socket.local_addr().unwrap(), address, "connected to itself"),
                    Err(_) => refused += 1,
                }
            }
            refused
        });
        for _ in 0..20 {
            world.enable(false);
            std::thread::sleep(Duration::from_millis(5));
            world.enable(true);
            Client::connect(address).ping();
        }
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        assert!(storm.join().unwrap() > 0);
    });
}

#[test]
fn taking_down_twice_or_up_twice_changes_nothing() {
    let world = World::new();
    let mut client = world.client();
    world.enable(true);
    client.ping();
    world.enable(false);
    world.enable(false);
    world.enable(true);
    world.client().ping();
}

#[test]
fn a_server_that_is_away_looks_like_a_reset_and_is_counted() {
    let world = World::new();
    let nobody = TcpListener::bind(any_port()).unwrap().local_addr().unwrap().to_string();
    let away = world.run(world.server.create("away", any_port(), nobody, true)).unwrap();
    assert_eq!(Client::connect(away.listen_addr()).read(DEADLINE), Received::Reset);
    wait_until("the refusal to be counted", || away.stats().refused == 1 && away.stats().open == 0);

    let change = ProxyChange { upstream: Some(world.redis.address().to_string()), ..ProxyChange::default() };
    world.run(away.update(change)).unwrap();
    Client::connect(away.listen_addr()).ping();
}

#[test]
fn a_redirection_is_for_new_connections_only() {
    let world = World::new();
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut before = world.client();
    before.ping();

    let address = other.local_addr().unwrap().to_string();
    world.run(world.proxy.redirect(&address));
    assert_eq!(*world.proxy.upstream(), *address);
    let mut after = world.client();
    let mut server = Client(other.accept().unwrap().0);
    after.send("a question");
    server.expect(b"a question\r\n");
    before.ping();
    assert_eq!(world.proxy.stats().cut, 0);
}

/// A proxy in front of a server of the test's own; returns the client's socket and the server's.
fn pair(world: &World) -> (Client, Client) {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = server.local_addr().unwrap().to_string();
    let proxy = world.run(world.server.create("pair", any_port(), address, true)).unwrap();
    let client = Client::connect(proxy.listen_addr());
    (client, Client(server.accept().unwrap().0))
}

#[test]
fn one_side_may_end_its_stream_and_still_be_answered() {
    let world = World::new();
    let (mut client, mut server) = pair(&world);
    client.send("the question");
    client.0.shutdown(Shutdown::Write).unwrap();
    server.expect(b"the question\r\n");
    assert_eq!(server.read(DEADLINE), Received::End);
    server.send("the answer");
    client.expect(b"the answer\r\n");
    drop(server);
    assert_eq!(client.read(DEADLINE), Received::End);
    wait_until("the connection to be over", || world.server.get("pair").unwrap().stats().open == 0);
    assert_eq!(world.server.get("pair").unwrap().stats().cut, 0);
}

#[test]
fn a_side_that_resets_resets_the_other() {
    let world = World::new();
    let (mut client, server) = pair(&world);
    SockRef::from(&server.0).set_linger(Some(Duration::ZERO)).unwrap();
    drop(server);
    assert_eq!(client.read(DEADLINE), Received::Reset);
}

#[test]
fn a_receiver_that_does_not_read_holds_up_the_sender_and_loses_nothing() {
    let world = World::new();
    for latency in [None, Some(1)] {
        let (mut client, mut server) = pair(&world);
        let proxy = world.server.get("pair").unwrap();
        if let Some(latency) = latency {
            let toxic = toxic::Latency { latency, jitter: 0 };
            world.run(proxy.add_toxic(ToxicSpec::new(Direction::Downstream, toxic))).unwrap();
        }
        let bytes: Vec<u8> = (0..60_000_000_u32).map(|n| (n / 251) as u8).collect();
        let sent = bytes.clone();
        let sender = std::thread::spawn(move || server.0.write_all(&sent).map(|()| server));
        wait_until("the sender to be under way", || proxy.stats().downstream.received_bytes > 1_000_000);
        client.expect(&bytes);
        sender.join().unwrap().unwrap();
        world.run(world.server.delete("pair")).unwrap();
    }
}

#[test]
fn deleting_a_proxy_cuts_it_and_gives_its_port_back() {
    let world = World::new();
    let (address, mut client) = (world.proxy.listen_addr(), world.client());
    client.ping();
    world.run(world.server.delete("redis")).unwrap();
    assert_eq!(client.read(DEADLINE), Received::End);
    TcpListener::bind(address).unwrap();
    assert!(matches!(world.server.get("redis"), Err(ProxyError::NoProxy(_))));
}

#[test]
fn dropping_the_server_ends_everything_and_what_is_left_of_it_says_so() {
    let world = World::new();
    let mut client = world.client();
    client.ping();
    let (address, proxy) = (world.proxy.listen_addr(), world.proxy.clone());
    let World { server, .. } = world;
    drop(server);
    assert_eq!(client.read(DEADLINE), Received::End);
    assert_eq!(TcpStream::connect(address).unwrap_err().kind(), ErrorKind::ConnectionRefused);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let late = toxic::Latency { latency: 1, jitter: 0 };
    runtime.block_on(proxy.add_toxic(ToxicSpec::new(Direction::Upstream, late))).unwrap();
    runtime.block_on(proxy.set_enabled(false)).unwrap();
    assert!(matches!(runtime.block_on(proxy.set_enabled(true)), Err(ProxyError::Stopped)));
}

#[test]
fn a_port_that_is_taken_is_refused_by_name() {
    let world = World::new();
    let taken = world.redis.address();
    let error = world.run(world.server.create("other", taken, "127.0.0.1:1", true)).unwrap_err();
    assert!(error.to_string().contains(&taken.to_string()), "{error}");
    assert!(world.server.get("other").is_err());
    let error = world.run(world.server.create("redis", any_port(), "127.0.0.1:1", true)).unwrap_err();
    assert!(matches!(error, ProxyError::ProxyExists(_)));
}

#[test]
fn reset_brings_every_proxy_up_without_toxics() {
    let world = World::new();
    world.add(Direction::Upstream, toxic::Timeout { timeout: 0 });
    world.enable(false);
    world.run(world.server.reset()).unwrap();
    assert!(world.proxy.enabled() && world.proxy.toxics().is_empty());
    world.client().ping();
}

#[test]
fn connecting_hangs_while_open_connections_go_on_and_succeeds_again_afterwards() {
    let world = World::new();
    let address = world.proxy.listen_addr();
    let mut client = world.client();
    client.ping();
    for _ in 0..2 {
        world.run(world.proxy.set_hanging(true)).unwrap();
        let attempt = TcpStream::connect_timeout(&address, Duration::from_millis(200)).unwrap_err();
        assert_eq!(attempt.kind(), ErrorKind::TimedOut, "neither connected nor refused");
        client.ping();
        world.run(world.proxy.set_hanging(false)).unwrap();
        world.client().ping();
    }
    // Those that filled the queue are no clients.
    assert_eq!(world.proxy.stats().accepted, 3);
}

#[test]
fn a_proxy_that_is_down_refuses_and_hangs_once_it_is_up() {
    let world = World::new();
    let address = world.proxy.listen_addr();
    world.enable(false);
    world.run(world.proxy.set_hanging(true)).unwrap();
    assert_eq!(TcpStream::connect(address).unwrap_err().kind(), ErrorKind::ConnectionRefused);
    world.enable(true);
    let attempt = TcpStream::connect_timeout(&address, Duration::from_millis(200)).unwrap_err();
    assert_eq!(attempt.kind(), ErrorKind::TimedOut);
    world.run(world.proxy.reset()).unwrap();
    world.client().ping();
}
