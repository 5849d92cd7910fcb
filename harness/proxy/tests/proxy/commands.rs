//! Triggers on commands, with a real redis-server behind the proxy and a real client in front of it.

use std::time::Duration;

use firedrill_proxy::command::{Action, Side, Trigger, TriggerStats, When};

use crate::support::{Client, DEADLINE, Received, World};

fn reading() -> World {
    let world = World::new();
    world.proxy.read_commands();
    world
}

fn trigger(command: &str, when: When, side: Side, action: Action) -> Trigger {
    Trigger { command: command.parse().unwrap(), follows: None, when, side, action }
}

/// The value of `key`, read without the proxy.
fn value(world: &World, key: &str) -> u64 {
    let mut client = world.direct();
    client.send(&format!("GET {key}"));
    let Received::Data(reply) = client.read(DEADLINE) else { return 0 };
    String::from_utf8_lossy(&reply).lines().nth(1).and_then(|value| value.parse().ok()).unwrap_or_default()
}

/// Sends INCR, and sends it again on a new connection if the reply is lost, like a careless client. Returns the number
/// of retries.
fn increments(world: &World, times: u64) -> u64 {
    let (mut client, mut again) = (world.client(), 0);
    for _ in 0..times {
        client.send("INCR counter");
        while !matches!(client.read(DEADLINE), Received::Data(_)) {
            again += 1;
            client = world.client();
            client.send("INCR counter");
        }
    }
    again
}

#[test]
fn each_third_command_is_applied_and_its_reply_lost_and_a_blind_resend_shows_in_that_very_count() {
    let world = reading();
    let number = world.run(world.proxy.add_trigger(trigger("INCR", When::Every(3), Side::Applied, Action::Reset)));
    let again = increments(&world, 200);
    let stats = world.proxy.trigger_stats(number).unwrap();
    // Of 200 + n commands, every third loses its reply, and n is their number: n = 99, and the 300th would be the next.
    assert_eq!((again, stats.fired), (99, 99));
    assert_eq!(stats.matched, 299);
    assert_eq!(value(&world, "counter"), 200 + again, "each resend was counted twice");
}

#[test]
fn a_command_that_is_stopped_before_redis_is_never_applied() {
    let world = reading();
    world.run(world.proxy.add_trigger(trigger("INCR", When::Every(3), Side::Before, Action::Reset)));
    let again = increments(&world, 200);
    assert_eq!((again, value(&world, "counter")), (99, 200));
}

#[test]
fn one_command_of_a_pipeline_is_hit_and_those_before_it_are_answered() {
    let world = reading();
    let number = world.run(world.proxy.add_trigger(trigger("SET b", When::Nth(1), Side::Applied, Action::Reset)));
    let mut client = world.client();
    client.send("SET a 1\r\nSET b 2\r\nSET c 3");
    client.expect(b"+OK\r\n");
    assert_eq!(client.read(DEADLINE), Received::Reset);
    assert_eq!((value(&world, "a"), value(&world, "b")), (1, 2));
    assert_eq!(world.proxy.trigger_stats(number), Some(TriggerStats { matched: 1, fired: 1 }));
    world.client().ask("SET b 2", b"+OK\r\n");
}

#[test]
fn an_operation_of_several_commands_is_cut_between_two_of_them() {
    let world = reading();
    let between = Trigger {
        follows: Some("INCR a".parse().unwrap()),
        ..trigger("INCR b", When::Nth(2), Side::Before, Action::Reset)
    };
    let number = world.run(world.proxy.add_trigger(between));
    let (mut one, mut other) = (world.client(), world.client());
    other.ask("INCR b", b":1\r\n");
    one.ask("INCR a", b":1\r\n");
    other.ask("INCR b", b":2\r\n");
    one.ask("INCR b", b":3\r\n");
    one.ask("INCR a", b":2\r\n");
    one.send("INCR b");
    assert_eq!(one.read(DEADLINE), Received::Reset);
    assert_eq!((value(&world, "a"), value(&world, "b")), (2, 3));
    assert_eq!(world.proxy.trigger_stats(number), Some(TriggerStats { matched: 2, fired: 1 }));
}

#[test]
fn a_transaction_loses_the_reply_of_exec() {
    let world = reading();
    world.run(world.proxy.add_trigger(trigger("SET", When::Nth(1), Side::Applied, Action::Reset)));
    let mut client = world.client();
    client.ask("MULTI", b"+OK\r\n");
    client.ask("SET a 1", b"+QUEUED\r\n");
    client.send("EXEC");
    assert_eq!(client.read(DEADLINE), Received::Reset);
    assert_eq!(value(&world, "a"), 1);
}

#[test]
fn a_part_of_a_reply_arrives_and_no_more() {
    let world = reading();
    world.direct().set("key", 30_000);
    world.run(world.proxy.add_trigger(trigger("GET", When::Nth(1), Side::MidReply, Action::Reset)));
    let mut client = world.client();
    client.send("GET key");
    let mut got = 0;
    loop {
        match client.read(DEADLINE) {
            Received::Data(data) => got += data.len(),
            end => {
                assert_eq!(end, Received::Reset);
                break;
            }
        }
    }
    assert!((1..30_000).contains(&got), "{got}");
}

#[test]
fn a_silenced_connection_is_closed_when_the_trigger_goes() {
    let world = reading();
    let number = world.run(world.proxy.add_trigger(trigger("SET", When::Nth(1), Side::Applied, Action::Silence)));
    let mut client = world.client();
    client.send("SET a 1");
    assert_eq!(client.read(Duration::from_millis(100)), Received::Nothing);
    assert_eq!(value(&world, "a"), 1);
    world.client().ask("SET a 2", b"+OK\r\n");
    world.run(world.proxy.remove_trigger(number));
    assert_eq!(client.read(DEADLINE), Received::End);
    assert_eq!(world.proxy.trigger_stats(number), None);
}

#[test]
fn a_delayed_reply_comes_late_and_the_others_do_not() {
    let world = reading();
    let delay = Duration::from_millis(300);
    world.run(world.proxy.add_trigger(trigger("SET", When::Nth(2), Side::Applied, Action::Delay(delay))));
    let mut client = world.client();
    let fast = client.ask("SET a 1", b"+OK\r\n");
    let slow = client.ask("SET a 2", b"+OK\r\n");
    assert!(slow >= delay && fast < slow, "{fast:?} {slow:?}");
}

#[test]
fn both_versions_of_the_protocol_are_read_through_large_values_and_scripts() {
    let world = reading();
    let number = world.run(world.proxy.add_trigger(trigger(
        "GET",
        When::Every(1),
        Side::Applied,
        Action::Delay(Duration::ZERO),
    )));
    let gets = |client: &mut Client| {
        client.set("large", 200_000);
        client.get("large", 200_000);
        client.send("EVAL \"return {1, 'two', {redis.call('INFO')}}\" 0");
        while !matches!(client.read(Duration::from_millis(200)), Received::Nothing) {}
        client.get("large", 200_000);
    };
    gets(&mut world.client());
    let mut third = world.client();
    third.send("HELLO 3");
    while !matches!(third.read(Duration::from_millis(200)), Received::Nothing) {}
    third.ask("CLIENT TRACKING ON", b"+OK\r\n");
    gets(&mut third);
    world.direct().set("large", 10);
    assert!(matches!(third.read(DEADLINE), Received::Data(push) if push.starts_with(b">")));
    third.get("large", 10);
    assert_eq!(world.proxy.trigger_stats(number), Some(TriggerStats { matched: 5, fired: 5 }));
}

#[test]
fn a_proxy_that_reads_nothing_fires_nothing() {
    let world = World::new();
    let number = world.run(world.proxy.add_trigger(trigger("SET", When::Every(1), Side::Applied, Action::Reset)));
    world.client().ask("SET a 1", b"+OK\r\n");
    assert_eq!(world.proxy.trigger_stats(number), Some(TriggerStats::default()));
}
