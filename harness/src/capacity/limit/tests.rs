use firedrill_reports::capacity::{NetworkPath, Waits};

use super::*;

fn step(rate: f64, redis: f64, idle: f64, stolen: f64) -> Step {
    Step {
        of_target: true,
        phase: "repeat".to_owned(),
        rate,
        seconds: 4,
        verdict: if rate < 1_000.0 { StepVerdict::Passed } else { StepVerdict::Failed },
        why: String::new(),
        throughput: rate,
        in_flight: 1.0,
        p50_ms: 1.0,
        p99_ms: 1.0,
        errors: 0.0,
        shares: Vec::new(),
        little: None,
        redis_cores: Some(redis),
        redis_throttled: None,
        process_cores: Some(0.9),
        idle_cores: Some(idle),
        stolen: Some(stolen),
        out_of_memory: Some(0),
        waits: Waits::default(),
    }
}

const HOST: Host = Host { cores: 2.0, connections: 512, application: false, path: None };

fn at_knee(redis: f64, idle: f64, stolen: f64) -> Limit {
    let steps =
        [step(500.0, redis / 2.0, 1.0, 0.0), step(1_000.0, redis, idle, stolen), step(1_050.0, redis, idle, stolen)];
    limit(&Knee::At { rate: 1_000.0, low: 950.0, high: 1_050.0 }, Some(9_000.0), &steps, &HOST)
}

fn at(step: Step, host: &Host) -> Limit {
    limit(&Knee::At { rate: 1_000.0, low: 950.0, high: 1_050.0 }, Some(9_000.0), &[step], host)
}

#[test]
fn a_busy_main_thread_is_named_with_what_it_used_below_the_knee() {
    let found = at_knee(0.97, 0.5, 0.0);
    assert_eq!(found.name, LimitName::RedisMainThread);
    let evidence = &found.evidence;
    assert!(evidence.contains("0.97 of one core") && evidence.contains("0.48 at 500/s"), "{evidence}");
    assert!(!evidence.contains("SIGSTOP"), "{evidence}");
}

#[test]
fn without_a_step_near_the_knee_the_lowest_beyond_it_tells() {
    let steps = [step(500.0, 0.4, 1.0, 0.0), step(2_000.0, 0.97, 0.6, 0.0), step(4_000.0, 0.2, 0.6, 0.0)];
    let found = limit(&Knee::At { rate: 1_000.0, low: 600.0, high: 1_700.0 }, Some(9_000.0), &steps, &HOST);
    assert_eq!(found.name, LimitName::RedisMainThread, "{}", found.evidence);
}

#[test]
fn a_main_thread_that_is_stopped_half_of_the_time_is_busy_in_the_other_half() {
    let waits = Waits { redis_stopped: Some(0.51), ..Waits::default() };
    let found = at(Step { waits, ..step(1_000.0, 0.46, 1.0, 0.0) }, &HOST);
    assert_eq!(found.name, LimitName::RedisMainThread);
    assert!(found.evidence.contains("a signal had stopped it for 51 % of the time"), "{}", found.evidence);
}

#[test]
fn a_quota_that_holds_redis_or_the_application_back_is_named_and_not_taken_for_a_busy_thread() {
    let found = at(Step { redis_throttled: Some(0.6), ..step(1_000.0, 0.95, 0.5, 0.0) }, &HOST);
    assert_eq!(found.name, LimitName::Quota);
    assert!(found.evidence.contains("Redis's control group held it back 60 % of the time"), "{}", found.evidence);
    let waits = Waits { application_throttled: Some(0.7), ..Waits::default() };
    let found = at(Step { process_cores: Some(0.2), waits, ..step(1_000.0, 0.1, 1.6, 0.0) }, &HOST);
    assert_eq!(found.name, LimitName::Quota);
    assert!(found.evidence.contains("application's control group held it back 70 %"), "{}", found.evidence);
}

#[test]
fn used_up_processors_neighbours_and_the_generator_are_told_apart_from_what_is_not_known() {
    assert_eq!(at_knee(0.95 * redis::BUSY, 0.09, 0.0).name, LimitName::Processors);
    let found = at_knee(0.3, 0.04, 0.0);
    assert_eq!(found.name, LimitName::Neighbours);
    assert!(found.evidence.contains("other processes used 0.76 of 2 cores"), "{}", found.evidence);
    assert_eq!(at_knee(0.97, 0.5, 0.2).name, LimitName::Neighbours);
    assert_eq!(at_knee(0.8, 0.3, 0.0).name, LimitName::Processors);
    assert_eq!(at_knee(0.5, 0.9, 0.0).name, LimitName::NotDetermined);
    let found = limit(&Knee::AtLeast { rate: 7_000.0 }, Some(10_000.0), &[], &HOST);
    assert_eq!(found.name, LimitName::Generator);
    assert!(found.evidence.contains(&text::rate(10_000.0)), "{}", found.evidence);
    let late = Step { verdict: StepVerdict::Distrusted, ..step(7_500.0, 0.5, 0.0, 0.0) };
    let found = limit(&Knee::AtLeast { rate: 7_000.0 }, Some(20_000.0), &[late], &HOST);
    assert!(found.evidence.ends_with("at 7500/s it was late or busy"), "{}", found.evidence);
}

#[test]
fn full_memory_is_named_before_what_it_keeps_busy() {
    let found = at(Step { out_of_memory: Some(12), ..step(1_000.0, 0.97, 0.5, 0.0) }, &HOST);
    assert_eq!(found.name, LimitName::Memory);
    assert!(found.evidence.contains("12 times"), "{}", found.evidence);
}

#[test]
fn a_main_thread_that_is_blocked_rather_than_busy_waits_for_the_disk() {
    let blocked = |share: f64, redis: f64| {
        let waits =
            Waits { redis_blocked: Some(share), redis_blocked_in: Some("fdatasync".to_owned()), ..Waits::default() };
        at(Step { waits, ..step(1_000.0, redis, 1.5, 0.0) }, &HOST)
    };
    let found = blocked(0.82, 0.15);
    assert_eq!(found.name, LimitName::Disk);
    assert!(found.evidence.contains("blocked for 82 % of the time, mostly in fdatasync"), "{}", found.evidence);
    assert_eq!(blocked(0.2, 0.15).name, LimitName::NotDetermined, "it was idle most of the time");
    let waits = Waits { delayed_fsyncs: Some(5), ..Waits::default() };
    let found = at(Step { waits, ..step(1_000.0, 0.2, 1.5, 0.0) }, &HOST);
    assert_eq!(found.name, LimitName::Disk);
    assert!(found.evidence.ends_with("5 writes to its append-only file waited for an fsync"), "{}", found.evidence);
}

#[test]
fn an_application_with_one_thread_is_at_its_end_with_one_core() {
    let application = Host { application: true, ..HOST };
    let busy = Step { process_cores: Some(0.98), ..step(1_000.0, 0.3, 0.5, 0.0) };
    let found = at(busy.clone(), &application);
    assert_eq!(found.name, LimitName::Application);
    assert!(found.evidence.contains("a single thread"), "{}", found.evidence);
    assert_ne!(at(busy.clone(), &HOST).name, LimitName::Application, "that is the generator");
    assert_ne!(at(Step { process_cores: Some(0.6), ..busy.clone() }, &application).name, LimitName::Application);
    let waits = Waits { application_stopped: Some(0.5), ..Waits::default() };
    let found = at(Step { process_cores: Some(0.5), waits, ..busy }, &application);
    assert_eq!(found.name, LimitName::Application);
    assert!(found.evidence.contains("stopped them for 50 % of the time"), "{}", found.evidence);
}

#[test]
fn connections_are_the_limit_only_where_nothing_is_busy() {
    let few = Host { connections: 4, ..HOST };
    let waiting = Step { in_flight: 4.2, process_cores: Some(0.2), ..step(1_000.0, 0.3, 1.2, 0.0) };
    let found = at(waiting.clone(), &few);
    assert_eq!(found.name, LimitName::Connections);
    assert!(found.evidence.contains("takes 4 at once") && found.evidence.contains("4 ms"), "{}", found.evidence);
    assert_ne!(at(waiting.clone(), &HOST).name, LimitName::Connections);
    assert_eq!(at(Step { redis_cores: Some(0.95), ..waiting }, &few).name, LimitName::RedisMainThread);
}

#[test]
fn a_pool_of_the_application_is_the_limit_where_all_its_connections_are_on_their_way() {
    let path = Some(NetworkPath { ping_ms: 10.0, carries: None });
    let application = Host { application: true, path, ..HOST };
    let with = |commands: f64, in_flight: f64| {
        let waits = Waits { redis_clients: Some(4), redis_commands: Some(commands), ..Waits::default() };
        Step { in_flight, process_cores: Some(0.2), waits, p50_ms: 150.0, ..step(1_000.0, 0.1, 1.5, 0.0) }
    };
    // Four connections, each on its way for 3.9 of 4 x 10 ms.
    let found = at(with(390.0, 60.0), &application);
    assert_eq!(found.name, LimitName::Pool, "{}", found.evidence);
    assert!(
        found.evidence.contains("had 4 connections to Redis") && found.evidence.contains("97.5 %"),
        "{}",
        found.evidence
    );
    assert_ne!(at(with(390.0, 6.0), &application).name, LimitName::Pool, "hardly any request waited");
    assert_ne!(at(with(90.0, 60.0), &application).name, LimitName::Pool, "they were idle most of the time");
    assert_ne!(at(with(4_000.0, 60.0), &application).name, LimitName::Pool, "many commands share one");
    assert_ne!(at(with(390.0, 60.0), &Host { application: false, ..application }).name, LimitName::Pool);
}

#[test]
fn what_the_generator_uses_beside_an_application_is_no_neighbours() {
    let application = Host { application: true, ..HOST };
    let waits = Waits { generator_cores: Some(0.5), ..Waits::default() };
    let busy = Step { process_cores: Some(1.1), waits, ..step(1_000.0, 0.07, 0.31, 0.0) };
    assert_eq!(at(busy, &application).name, LimitName::Application);
}

#[test]
fn the_network_is_the_limit_where_operations_spend_their_time_on_it_or_fill_it() {
    let path = |ping_ms, carries| Host { path: Some(NetworkPath { ping_ms, carries }), connections: 16, ..HOST };
    let slow = Step { p50_ms: 40.0, in_flight: 40.0, ..step(1_000.0, 0.1, 1.5, 0.0) };
    // 16 connections at 1,000/s: 16 ms each, 15 of them on the way.
    let found = at(slow.clone(), &path(15.0, Some(1e9)));
    assert_eq!(found.name, LimitName::Network);
    assert!(found.evidence.contains("takes 15 ms of it") && found.evidence.contains("16 ms"), "{}", found.evidence);
    // The same wait without a long way is the connections'.
    assert_eq!(at(slow.clone(), &path(0.2, Some(1e9))).name, LimitName::Connections);
    // 10 KB an operation at 1 MB/s take 10 ms of 16.
    let flow = Waits { flow: Some(1e7), ..Waits::default() };
    let found = at(Step { waits: flow.clone(), ..slow.clone() }, &path(0.2, Some(1e6)));
    assert_eq!(found.name, LimitName::Network);
    assert!(found.evidence.contains("10 ms more at the"), "{}", found.evidence);
    // A line that all connections share is full, though each operation is short.
    let quick = Step { p50_ms: 0.4, in_flight: 2.0, waits: flow, ..step(1_000.0, 0.1, 1.5, 0.0) };
    assert_eq!(at(quick.clone(), &path(0.1, Some(1.2e7))).name, LimitName::Network);
    assert_eq!(at(quick.clone(), &path(0.1, Some(1e9))).name, LimitName::NotDetermined);
    let busy = Step { idle_cores: Some(0.3), process_cores: Some(1.6), ..quick };
    assert_eq!(at(busy, &path(0.1, Some(1.2e7))).name, LimitName::Processors, "they may explain it");
    // Even the lowest rate was too much for so long a way.
    let found = limit(&Knee::Below { rate: 1_000.0 }, Some(9_000.0), &[slow], &path(15.0, None));
    assert_eq!(found.name, LimitName::Network);
}
