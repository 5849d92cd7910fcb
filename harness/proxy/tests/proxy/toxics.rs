//! What each toxic does to open and new connections in front of a real redis-server, in which direction, and how it is
//! undone.

use std::time::{Duration, Instant};

use firedrill_proxy::toxic::{Bandwidth, Latency, LimitData, ResetPeer, Slicer, SlowClose, Timeout};
use firedrill_proxy::{Connections, Direction, ToxicChange, ToxicReach, ToxicSpec};
use serde_json::json;

use crate::support::{Client, DEADLINE, Received, World, wait_until};

const LATENCY: Duration = Duration::from_millis(100);
/// Long enough to see that nothing arrives.
const SILENCE: Duration = Duration::from_millis(100);

fn latency(latency: i64) -> Latency {
    Latency { latency, jitter: 0 }
}

#[test]
fn without_toxics_bytes_pass_unchanged_in_both_directions() {
    let world = World::new();
    let mut client = world.client();
    client.set("big", 5_000_000);
    client.get("big", 5_000_000);
    client.ping();
    // A byte is counted just after it is written.
    wait_until("the count to follow", || world.proxy.stats().downstream.sent_bytes == 5 + 5_000_012 + 7);
    let stats = world.proxy.stats();
    assert_eq!(stats.downstream.received_bytes, stats.downstream.sent_bytes);
    assert_eq!((stats.accepted, stats.open, stats.cut, stats.refused), (1, 1, 0, 0));
    assert_eq!((stats.downstream.delayed_transfers, stats.upstream.dropped_bytes), (0, 0));
}

#[test]
fn latency_takes_hold_of_an_open_connection_and_lets_go_of_it() {
    for stream in [Direction::Upstream, Direction::Downstream] {
        let world = World::new();
        let mut client = world.client();
        client.ping();
        world.add(stream, latency(100));
        assert!(client.fastest_ping() >= LATENCY);
        assert!(world.client().fastest_ping() >= LATENCY);
        world.remove(&ToxicSpec::default_name("latency", stream));
        assert!(client.fastest_ping() < LATENCY / 2);

        let stats = world.proxy.stats();
        let (hit, spared) = match stream {
            Direction::Upstream => (stats.upstream, stats.downstream),
            Direction::Downstream => (stats.downstream, stats.upstream),
        };
        assert_eq!(hit.delayed_transfers, 10);
        assert!(hit.delay >= 10 * LATENCY);
        assert_eq!((spared.delayed_transfers, spared.delay), (0, Duration::ZERO));
    }
}

#[test]
fn a_reply_of_many_chunks_is_late_once() {
    let world = World::new();
    let mut client = world.client();
    client.set("one-chunk", 100);
    client.set("session", 50_000);
    client.set("many-chunks", 5_000_000);
    world.add(Direction::Downstream, latency(200));
    let one = (0..3).map(|_| client.get("one-chunk", 100)).min().unwrap();
    for (key, bytes) in [("session", 50_000), ("many-chunks", 5_000_000)] {
        let many = (0..3).map(|_| client.get(key, bytes)).min().unwrap();
        assert!(many < one.mul_f64(1.8), "{key}: {many:?}, one chunk: {one:?}");
        assert!(many >= Duration::from_millis(200));
    }
}

#[test]
fn latency_does_not_limit_the_throughput() {
    let world = World::new();
    let mut client = world.client();
    client.set("x", 10);
    world.add(Direction::Downstream, latency(200));
    let one = client.get("x", 10);
    // A hundred requests in flight at once: one after another, they would take 100 × 200 ms.
    let start = Instant::now();
    client.0.set_nodelay(true).unwrap();
    for _ in 0..100 {
        client.send("GET x");
    }
    for _ in 0..100 {
        client.expect(b"$10\r\n\0\0\0\0\0\0\0\x01\0\0\r\n");
    }
    assert!(start.elapsed() < 3 * one, "{:?}, one: {one:?}", start.elapsed());
}

#[test]
fn jitter_keeps_the_order_of_what_is_sent() {
    let world = World::new();
    let mut client = world.client();
    world.add(Direction::Upstream, Latency { latency: 5, jitter: 5 });
    world.add(Direction::Downstream, Latency { latency: 5, jitter: 5 });
    for n in 0..500 {
        client.send(&format!("ECHO {n}"));
    }
    for n in 0..500 {
        let text = n.to_string();
        client.expect(format!("${}\r\n{text}\r\n", text.len()).as_bytes());
    }
}

#[test]
fn a_stalled_upstream_keeps_the_command_from_the_server_until_it_is_undone() {
    let world = World::new();
    let mut client = world.client();
    world.add(Direction::Upstream, Bandwidth { rate: 0 });
    client.send("SET key 1");
    wait_until("the command to reach the proxy", || world.proxy.stats().upstream.held_bytes() == 11);
    world.direct().ask("GET key", b"$-1\r\n");
    world.remove("bandwidth_upstream");
    client.expect(b"+OK\r\n");
    wait_until("the count to follow", || world.proxy.stats().upstream.held_bytes() == 0);
}

#[test]
fn a_stalled_downstream_keeps_the_reply_from_the_client_after_the_command_was_done() {
    let world = World::new();
    let mut client = world.client();
    world.add(Direction::Downstream, Bandwidth { rate: 0 });
    client.send("SET key 1");
    wait_until("the reply to reach the proxy", || world.proxy.stats().downstream.held_bytes() == 5);
    world.direct().ask("GET key", b"$1\r\n1\r\n");
    assert_eq!(client.read(SILENCE), Received::Nothing);
    world.remove("bandwidth_downstream");
    client.expect(b"+OK\r\n");
}

#[test]
fn bandwidth_makes_a_reply_take_its_size_over_the_rate() {
    let world = World::new();
    let mut client = world.client();
    client.set("session", 50_000);
    world.add(Direction::Downstream, Bandwidth { rate: 100 });
    let slow = client.get("session", 50_000);
    let change = ToxicChange { attributes: json!({ "rate": 400 }).as_object().unwrap().clone(), toxicity: None };
    world.run(world.proxy.update_toxic("bandwidth_downstream", change)).unwrap();
    let fast = client.get("session", 50_000);
    assert!(slow >= Duration::from_millis(500) && fast >= Duration::from_millis(125), "{slow:?} {fast:?}");
    assert!(slow > 2 * fast, "{slow:?} at 100 KB/s, {fast:?} at 400 KB/s");
}

#[test]
fn timeout_swallows_data_and_closes_the_connection_in_its_time() {
    let world = World::new();
    let mut open = world.client();
    open.ping();
    world.add(Direction::Upstream, Timeout { timeout: 200 });
    let start = Instant::now();
    let mut new = world.client();
    new.send("SET key 1");
    assert_eq!(new.read(DEADLINE), Received::End);
    assert!(start.elapsed() >= Duration::from_millis(200));
    assert_eq!(open.read(DEADLINE), Received::End);
    world.direct().ask("GET key", b"$-1\r\n");
    let stats = world.proxy.stats();
    assert_eq!((stats.cut, stats.upstream.dropped_bytes), (2, 11));
}

#[test]
fn removing_a_timeout_closes_what_it_held_and_never_hangs() {
    let world = World::new();
    let mut clients: Vec<Client> = (0..20).map(|_| world.client()).collect();
    for stream in [Direction::Upstream, Direction::Downstream] {
        world.add(stream, Timeout { timeout: 0 });
    }
    for client in &mut clients {
        client.send("PING");
    }
    wait_until("the commands to be swallowed", || world.proxy.stats().upstream.dropped_bytes == 20 * 6);
    assert_eq!(clients[0].read(SILENCE), Received::Nothing);
    let removal = async {
        tokio::time::timeout(DEADLINE, world.proxy.remove_toxic("timeout_upstream")).await.unwrap().unwrap();
        tokio::time::timeout(DEADLINE, world.proxy.remove_toxic("timeout_downstream")).await.unwrap().unwrap();
    };
    world.run(removal);
    for client in &mut clients {
        assert_eq!(client.read(DEADLINE), Received::End);
    }
    world.client().ping();
}

#[test]
fn reset_peer_sends_a_reset_on_connections_opened_before_and_after() {
    for stream in [Direction::Upstream, Direction::Downstream] {
        let world = World::new();
        let mut open = world.client();
        open.ping();
        world.add(stream, ResetPeer { timeout: 0 });
        for client in [&mut open, &mut world.client()] {
            client.send("INCR counted");
            assert_eq!(client.read(DEADLINE), Received::Reset);
        }
        let name = ToxicSpec::default_name("reset_peer", stream);
        world.remove(&name);
        world.client().ping();
        // Upstream, the commands were cut off before they reached the server; downstream, only their replies were.
        let counted: &[u8] = if stream == Direction::Upstream { b"$-1\r\n" } else { b"$1\r\n2\r\n" };
        world.direct().ask("GET counted", counted);
        assert_eq!(world.proxy.stats().cut, 2);
    }
}

#[test]
fn reset_peer_that_is_removed_in_time_leaves_the_connection_unharmed() {
    let world = World::new();
    let mut client = world.client();
    world.add(Direction::Downstream, ResetPeer { timeout: 600_000 });
    client.send("PING");
    wait_until("the reply to reach the proxy", || world.proxy.stats().downstream.held_bytes() == 7);
    world.remove("reset_peer_downstream");
    client.expect(b"+PONG\r\n");
    client.ping();
}

#[test]
fn the_server_sees_a_reset_too() {
    let upstream = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let world = World::new();
    let address = upstream.local_addr().unwrap().to_string();
    let proxy = world.run(world.server.create("other", crate::support::any_port(), address, true)).unwrap();
    let mut client = Client::connect(proxy.listen_addr());
    let mut server = Client(upstream.accept().unwrap().0);
    world.run(proxy.add_toxic(ToxicSpec::new(Direction::Upstream, ResetPeer { timeout: 0 }))).unwrap();
    client.send("hello");
    assert_eq!((client.read(DEADLINE), server.read(DEADLINE)), (Received::Reset, Received::Reset));
}

#[test]
fn slow_close_passes_data_at_once_and_the_end_late() {
    let world = World::new();
    let mut client = world.client();
    world.add(Direction::Downstream, SlowClose { delay: 500 });
    let start = Instant::now();
    client.ask("QUIT", b"+OK\r\n");
    assert_eq!(client.read(SILENCE), Received::Nothing);
    assert_eq!(client.read(DEADLINE), Received::End);
    assert!(start.elapsed() >= Duration::from_millis(500));
}

#[test]
fn slicer_cuts_a_reply_into_small_packets_and_loses_nothing() {
    let world = World::new();
    let mut client = world.client();
    client.set("value", 1_000);
    let slicer = Slicer { average_size: 100, size_variation: 20, delay: 5_000 };
    world.add(Direction::Downstream, slicer);
    // 1,008 bytes in packets of at most 120 make at least nine packets, with eight pauses of 5 ms.
    assert!(client.get("value", 1_000) >= Duration::from_millis(8 * 5));
    client.send("GET value");
    let Received::Data(first) = client.read(DEADLINE) else { panic!("no reply") };
    assert!(first.len() < 1_008, "the reply came in one piece");
}

#[test]
fn limit_data_downstream_cuts_the_reply_of_a_command_that_was_done() {
    let world = World::new();
    let mut client = world.client();
    client.ping();
    world.add(Direction::Downstream, LimitData { bytes: 3 });
    client.send("SET key 1");
    client.expect(b"+OK");
    assert_eq!(client.read(DEADLINE), Received::End);
    world.direct().ask("GET key", b"$1\r\n1\r\n");
    world.remove("limit_data_downstream");
    world.client().ping();
    let stats = world.proxy.stats();
    assert_eq!((stats.cut, stats.downstream.dropped_bytes), (1, 2));
}

#[test]
fn toxicity_is_the_share_of_connections_that_a_toxic_takes() {
    let world = World::new();
    let mut clients: Vec<Client> = (0..40).map(|_| world.client()).collect();
    let mut late = |toxicity: f32| {
        let toxic = ToxicSpec { toxicity, ..ToxicSpec::new(Direction::Downstream, latency(50)) };
        world.run(world.proxy.add_toxic(toxic)).unwrap();
        let before = world.proxy.stats().downstream.delayed_transfers;
        clients.iter_mut().for_each(|client| client.send("PING"));
        clients.iter_mut().for_each(|client| client.expect(b"+PONG\r\n"));
        world.remove("latency_downstream");
        world.proxy.stats().downstream.delayed_transfers - before
    };
    assert_eq!(late(0.0), 0);
    assert_eq!(late(1.0), 40);
    assert!((5..=35).contains(&late(0.5)));
}

#[test]
fn a_toxic_can_spare_open_or_new_connections() {
    let world = World::new();
    let mut open = world.client();
    open.ping();
    for (connections, affects_open) in [(Connections::Open, true), (Connections::New, false)] {
        let toxic = ToxicSpec { connections, ..ToxicSpec::new(Direction::Downstream, latency(100)) };
        world.run(world.proxy.add_toxic(toxic)).unwrap();
        let mut new = world.client();
        let (late, well) = if affects_open { (&mut open, &mut new) } else { (&mut new, &mut open) };
        assert!(late.ping() >= LATENCY);
        assert!(well.fastest_ping() < LATENCY);
        // The connection of the round before may still be closing.
        let ToxicReach { affected, spared } = world.proxy.toxic_reach("latency_downstream").unwrap();
        assert!(affected == 1 && spared >= 1, "{affected} {spared}");
        world.remove("latency_downstream");
    }
}

#[test]
fn toxics_in_a_row_add_up_and_go_one_by_one() {
    let world = World::new();
    let mut client = world.client();
    let named = |name: &str| ToxicSpec { name: name.into(), ..ToxicSpec::new(Direction::Downstream, latency(100)) };
    world.run(world.proxy.add_toxic(named("first"))).unwrap();
    world.run(world.proxy.add_toxic(named("second"))).unwrap();
    assert!(client.ping() >= 2 * LATENCY);
    world.remove("first");
    let one = client.fastest_ping();
    assert!(one >= LATENCY && one < 2 * LATENCY, "{one:?}");
    assert_eq!(world.proxy.toxics(), [named("second")]);
}

#[test]
fn what_is_held_goes_on_at_once_when_the_toxic_is_removed() {
    let world = World::new();
    let mut client = world.client();
    world.add(Direction::Downstream, latency(600_000));
    client.send("PING");
    client.send("ECHO hello");
    wait_until("the replies to reach the proxy", || world.proxy.stats().downstream.held_bytes() == 7 + 11);
    world.remove("latency_downstream");
    client.expect(b"+PONG\r\n$5\r\nhello\r\n");
}
