//! Each fault on a real Redis: it harms what the load uses, it harms nothing without a load, and healing undoes it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use firedrill::fault::{
    Bandwidth, Down, Fault, FaultContext, FaultError, FaultKind, FaultSpec, Impact, Kill, Latency, LimitData,
    ResetPeer, Slicer, SlowClose, Stop, Stream, Timeout,
};
use firedrill::lab::{Lab, LabError, Mismatch, ProcessState};
use firedrill::units::{Bytes, Span};

use crate::support::ground::{DEADLINE, Ground, Load};

const DOWN: Down = Down {};
const KILL: Kill = Kill::KEEP;
const STOP: Stop = Stop {};

fn latency(ms: u64, stream: Stream) -> FaultKind {
    Latency { latency: Span::millis(ms), jitter: Span::millis(0), stream }.into()
}

fn silence(timeout_ms: u64, stream: Stream) -> FaultKind {
    Timeout { timeout: Span::millis(timeout_ms), stream }.into()
}

fn line(rate: u64, stream: Stream) -> FaultKind {
    Bandwidth { rate, stream }.into()
}

fn reset(timeout_ms: u64, stream: Stream) -> FaultKind {
    ResetPeer { timeout: Span::millis(timeout_ms), stream }.into()
}

fn limit(bytes: u64, stream: Stream) -> FaultKind {
    LimitData { bytes: Bytes(bytes), stream }.into()
}

fn slices(size: u64, variation: u64, delay: Span, stream: Stream) -> FaultKind {
    Slicer { size: Bytes(size), variation: Bytes(variation), delay, stream }.into()
}

fn slow_close(delay_ms: u64, stream: Stream) -> FaultKind {
    SlowClose { delay: Span::millis(delay_ms), stream }.into()
}

fn fault_on(ground: &Ground, kind: impl Into<FaultKind>) -> Arc<dyn Fault> {
    ground.context.build(&[FaultSpec::once(kind, Span::secs(0), Span::secs(1))]).unwrap().remove(0)
}

/// The fault of a scenario's table, for one second.
fn written(ground: &Ground, table: &str) -> Arc<dyn Fault> {
    let spec: FaultSpec = format!("{table}\nat = \"0s\"\nfor = \"1s\"").parse().unwrap();
    ground.context.build(&[spec]).unwrap().remove(0)
}

/// Waits until the fault has taken effect.
async fn impact(fault: &dyn Fault) -> Impact {
    let until = Instant::now() + DEADLINE;
    loop {
        let impact = fault.impact(Duration::from_secs(5)).await;
        if impact.bit || Instant::now() > until {
            return impact;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Injects `kind` under load, sees it take effect, heals it twice, and sees the load served again.
async fn bites_and_heals(kind: impl Into<FaultKind>) -> String {
    let kind = kind.into();
    let ground = Ground::new().await;
    let load = Load::on(&ground).await;
    let fault = fault_on(&ground, kind.clone());
    assert_eq!(fault.kind(), kind.name());

    fault.inject().await.unwrap();
    let Impact { bit, evidence } = impact(&*fault).await;
    assert!(bit, "{} {}: {evidence}", kind.name(), fault.detail());

    fault.heal().await.unwrap();
    fault.heal().await.unwrap();
    ground.wait_until_well().await;
    load.wait_until_served(8).await;
    assert!(ground.proxy.enabled() && ground.proxy.toxics().is_empty());
    assert_eq!(ground.lab.server().process_for(kind.name()).unwrap().state(), ProcessState::Running);
    evidence
}

#[tokio::test]
async fn proxy_down_cuts_and_refuses() {
    let evidence = bites_and_heals(DOWN).await;
    assert!(evidence.contains("4 open connections cut; a probe was refused a connection"), "{evidence}");
}

/// Of the load's connections, how many of how many a partial fault affects, by its evidence.
fn affected(evidence: &str) -> (u64, u64) {
    let mut numbers = evidence.split_whitespace().filter_map(|word| word.parse().ok());
    (numbers.next().unwrap(), numbers.next().unwrap())
}

#[tokio::test]
async fn a_fault_of_new_connections_leaves_the_open_ones_alone() {
    let ground = Ground::new().await;
    let load = Load::on(&ground).await;
    for table in ["kind = \"proxy.timeout\"", "kind = \"proxy.down\"", "kind = \"proxy.latency\"\nlatency = \"80ms\""] {
        let fault = written(&ground, &format!("{table}\nconnections = \"new\""));
        fault.inject().await.unwrap();
        // The load's connections stay open, so it does not notice.
        load.wait_until_served(8).await;
        let Impact { bit, evidence } = fault.impact(Duration::from_secs(1)).await;
        assert!(!bit, "{table}: {evidence}");
        let (affected, all) = affected(&evidence);
        assert!(affected == 0 && all >= 4, "{evidence}");
        assert!(!ground.answers(100, Duration::from_millis(60)).await, "{table}: a new connection works");
        fault.heal().await.unwrap();
        ground.wait_until_well().await;
    }
}

#[tokio::test]
async fn a_fault_of_open_connections_leaves_new_ones_alone() {
    let ground = Ground::new().await;
    let load = Load::on(&ground).await;
    for table in ["kind = \"proxy.timeout\"", "kind = \"proxy.down\""] {
        let fault = written(&ground, &format!("{table}\nconnections = \"open\""));
        fault.inject().await.unwrap();
        let Impact { bit, evidence } = impact(&*fault).await;
        assert!(bit, "{table}: {evidence}");
        assert!(affected(&evidence).0 >= 4, "{evidence}");
        assert!(ground.answers(100, DEADLINE).await, "{table}: a new connection does not work");
        fault.heal().await.unwrap();
        fault.heal().await.unwrap();
        load.wait_until_served(8).await;
    }
}

#[tokio::test]
async fn a_share_of_the_connections_is_affected_and_the_others_are_well() {
    let ground = Ground::new().await;
    let _load = Load::on(&ground).await;
    let fault = written(&ground, "kind = \"proxy.latency\"\nlatency = \"50ms\"\ntoxicity = \"50%\"");
    assert_eq!(fault.detail(), "50ms downstream, 50% of the connections");
    fault.inject().await.unwrap();
    // Further connections, until some are affected and some are not.
    let until = Instant::now() + DEADLINE;
    loop {
        let Impact { bit, evidence } = fault.impact(Duration::from_secs(1)).await;
        let (affected, all) = affected(&evidence);
        if bit && affected > 0 && affected < all {
            break;
        }
        assert!(Instant::now() < until, "{evidence}");
        ground.answers(100, DEADLINE).await;
    }
    fault.heal().await.unwrap();
    ground.wait_until_well().await;
}

#[tokio::test]
async fn connecting_hangs_and_is_served_again_when_healed() {
    let ground = Ground::new().await;
    let load = Load::on(&ground).await;
    let fault = written(&ground, "kind = \"proxy.connect-hang\"\nconnections = \"new\"");
    fault.inject().await.unwrap();
    load.wait_until_served(8).await;
    let Impact { bit, evidence } = fault.impact(Duration::from_secs(1)).await;
    assert!(!bit && evidence.contains("hung for"), "nobody of the load connects: {evidence}");
    fault.heal().await.unwrap();
    ground.wait_until_well().await;

    let fault = written(&ground, "kind = \"proxy.connect-hang\"");
    fault.inject().await.unwrap();
    let Impact { bit, evidence } = impact(&*fault).await;
    assert!(bit, "{evidence}");
    fault.heal().await.unwrap();
    fault.heal().await.unwrap();
    ground.wait_until_well().await;
    load.wait_until_served(8).await;
    assert_eq!(ground.lab.server().process_for("x").unwrap().state(), ProcessState::Running);
}

#[tokio::test]
async fn proxy_latency_makes_each_way_late() {
    for (stream, at_least) in [(Stream::Upstream, 80), (Stream::Downstream, 80), (Stream::Both, 160)] {
        let evidence = bites_and_heals(latency(80, stream)).await;
        let ms: f64 = evidence.split_whitespace().nth(5).unwrap().parse().unwrap();
        assert!(ms >= f64::from(at_least), "{stream:?}: {evidence}");
    }
}

#[tokio::test]
async fn proxy_timeout_swallows_everything() {
    let evidence = bites_and_heals(silence(0, Stream::Both)).await;
    assert!(evidence.contains("a probe got no reply within"), "{evidence}");
    bites_and_heals(silence(0, Stream::Downstream)).await;
    bites_and_heals(silence(0, Stream::Upstream)).await;
}

#[tokio::test]
async fn proxy_timeout_closes_after_its_time() {
    let evidence = bites_and_heals(silence(20, Stream::Both)).await;
    assert!(evidence.contains("a probe's connection was closed without a reply"), "{evidence}");
}

#[tokio::test]
async fn proxy_bandwidth_makes_the_line_narrow() {
    bites_and_heals(line(100, Stream::Downstream)).await;
    bites_and_heals(line(100, Stream::Upstream)).await;
    bites_and_heals(line(10_000, Stream::Both)).await;
}

#[tokio::test]
async fn proxy_reset_peer_resets_who_uses_a_connection() {
    let evidence = bites_and_heals(reset(0, Stream::Downstream)).await;
    assert!(evidence.contains("a probe's connection was closed without a reply"), "{evidence}");
    assert!(evidence.ends_with("of the load reset"), "{evidence}");
    bites_and_heals(reset(20, Stream::Upstream)).await;
}

#[tokio::test]
async fn proxy_limit_data_closes_in_the_middle() {
    for stream in [Stream::Upstream, Stream::Downstream, Stream::Both] {
        let evidence = bites_and_heals(limit(10_000, stream)).await;
        assert!(evidence.contains("closed without a reply (10001 bytes)"), "{stream:?}: {evidence}");
    }
}

#[tokio::test]
async fn proxy_slicer_makes_large_things_take_long() {
    for stream in [Stream::Upstream, Stream::Downstream, Stream::Both] {
        bites_and_heals(slices(500, 100, Span::millis(2), stream)).await;
    }
}

#[tokio::test]
async fn proxy_slow_close_tells_the_end_late_and_bites_a_load_that_ends_connections() {
    let ground = Ground::new().await;
    for stream in [Stream::Upstream, Stream::Downstream, Stream::Both] {
        let fault = fault_on(&ground, slow_close(50, stream));
        fault.inject().await.unwrap();
        let load = Load::on(&ground).await;
        drop(load);
        let Impact { bit, evidence } = impact(&*fault).await;
        assert!(bit, "{stream:?}: {evidence}");
        assert!(evidence.contains("after it should have"), "{evidence}");
        fault.heal().await.unwrap();
        fault.heal().await.unwrap();
        assert!(ground.proxy.toxics().is_empty());
    }
}

#[tokio::test]
async fn proxy_slow_close_does_not_bite_a_load_that_keeps_its_connections() {
    let ground = Ground::new().await;
    let load = Load::on(&ground).await;
    let fault = fault_on(&ground, slow_close(50, Stream::Downstream));
    fault.inject().await.unwrap();
    load.wait_until_served(8).await;
    let Impact { bit, evidence } = fault.impact(DEADLINE).await;
    assert!(!bit && evidence.ends_with("0 connections of the load ended"), "{evidence}");
    fault.heal().await.unwrap();
}

#[tokio::test]
async fn process_kill_ends_the_server_and_brings_it_back_on_its_data() {
    let ground = Ground::new().await;
    let load = Load::on(&ground).await;
    let before = ground.lab.info().await.unwrap();
    ground.lab.admin().query::<()>(redis::cmd("SET").arg("answer").arg("42")).await.unwrap();
    let fault = fault_on(&ground, KILL);

    fault.inject().await.unwrap();
    assert_eq!(ground.lab.server().process_for("process.kill").unwrap().state(), ProcessState::Dead);
    let Impact { bit, evidence } = impact(&*fault).await;
    assert!(bit, "{evidence}");
    let gone = format!("redis-server (pid {}) gone with 4 connections open", before.pid);
    assert!(evidence.contains(&gone), "{evidence}");

    fault.heal().await.unwrap();
    assert_eq!(ground.lab.admin().query::<String>(redis::cmd("GET").arg("answer")).await.unwrap(), "42");
    assert_ne!(ground.lab.info().await.unwrap().run_id, before.run_id);
    load.wait_until_served(8).await;
}

#[tokio::test]
async fn process_stop_makes_the_server_stand_still() {
    let evidence = bites_and_heals(STOP).await;
    assert!(evidence.contains("is stopped with"), "{evidence}");
    assert!(evidence.contains("a probe got no reply within"), "{evidence}");
}

#[tokio::test]
async fn faults_too_weak_to_be_felt_do_not_bite() {
    let ground = Ground::new().await;
    let load = Load::on(&ground).await;
    let coarse = slices(4_000_000, 0, Span::millis(1), Stream::Both);
    for kind in [latency(0, Stream::Both), line(10_000_000, Stream::Both), coarse, slow_close(0, Stream::Both)] {
        let fault = fault_on(&ground, kind.clone());
        fault.inject().await.unwrap();
        load.wait_until_served(20).await;
        let Impact { bit, evidence } = fault.impact(Duration::from_secs(5)).await;
        assert!(!bit, "{} {}: {evidence}", kind.name(), fault.detail());
        fault.heal().await.unwrap();
    }
}

#[tokio::test]
async fn a_large_answer_passes_a_slow_line_whole() {
    let ground = Ground::new().await;
    for kind in [line(10_000_000, Stream::Both), line(20_000, Stream::Both), latency(5, Stream::Both)] {
        let fault = fault_on(&ground, kind.clone());
        fault.inject().await.unwrap();
        assert!(ground.answers(2_000_000, DEADLINE).await, "{} {}", kind.name(), fault.detail());
        fault.heal().await.unwrap();
    }
}

#[tokio::test]
async fn the_harm_to_the_load_is_reported_in_figures() {
    let ground = Ground::new().await;
    let load = Load::on(&ground).await;
    let fault = fault_on(&ground, latency(40, Stream::Downstream));
    fault.inject().await.unwrap();
    load.wait_until_served(12).await;
    let damage = fault.damage().unwrap();
    fault.heal().await.unwrap();
    let words: Vec<&str> = damage.split_whitespace().collect();
    assert_eq!(words[1..4], ["transfers", "held", "back,"], "{damage}");
    assert!(words[0].parse::<u64>().unwrap() >= 8, "{damage}");
    assert!(words[4].parse::<f64>().unwrap() >= 40.0, "{damage}");
}

#[tokio::test]
async fn details_are_for_people() {
    let ground = Ground::new().await;
    let detail = |kind: FaultKind| fault_on(&ground, kind).detail();
    let jittered = Latency { latency: Span::millis(50), jitter: Span::millis(10), stream: Stream::Downstream };
    assert_eq!(detail(jittered.into()), "50ms ± 10ms downstream");
    assert_eq!(detail(silence(0, Stream::Both)), "both ways, never closed");
    assert_eq!(detail(silence(500, Stream::Upstream)), "upstream, closed after 500ms");
    assert_eq!(detail(line(100, Stream::Both)), "100 KB/s both ways");
    assert_eq!(detail(reset(0, Stream::Downstream)), "0s after the first data downstream");
    assert_eq!(detail(limit(10_000, Stream::Both)), "10KB both ways");
    assert_eq!(detail(slices(64, 8, Span::millis(1), Stream::Upstream)), "64B ± 8B, 1ms apart, upstream");
    assert_eq!(detail(slow_close(2_000, Stream::Downstream)), "2s downstream");
    assert_eq!(detail(DOWN.into()), "");
}

#[tokio::test]
async fn two_faults_of_one_kind_overlap_and_the_last_one_ends_it() {
    let ground = Ground::new().await;
    let load = Load::on(&ground).await;
    for kind in [FaultKind::from(DOWN), KILL.into(), STOP.into()] {
        let spec = FaultSpec::once(kind.clone(), Span::secs(0), Span::secs(1));
        let faults = ground.context.build(&[spec.clone(), spec]).unwrap();
        faults[0].inject().await.unwrap();
        faults[1].inject().await.unwrap();
        faults[0].heal().await.unwrap();
        assert!(!ground.answers(100, Duration::from_millis(200)).await, "{}", kind.name());
        assert!(impact(&*faults[1]).await.bit, "{}", kind.name());
        faults[1].heal().await.unwrap();
        load.wait_until_served(8).await;
    }
    let slow = FaultSpec::once(latency(30, Stream::Downstream), Span::secs(0), Span::secs(1));
    let faults = ground.context.build(&[slow.clone(), slow]).unwrap();
    faults[0].inject().await.unwrap();
    faults[1].inject().await.unwrap();
    faults[0].heal().await.unwrap();
    assert_eq!(ground.proxy.toxics().len(), 1);
    faults[1].heal().await.unwrap();
    assert!(ground.proxy.toxics().is_empty());
}

#[tokio::test]
async fn an_external_redis_is_spared_process_faults_but_not_those_of_the_proxy() {
    let theirs = Ground::new().await;
    let external = Lab::external(theirs.lab.url().clone(), DEADLINE).await.unwrap();
    let context = FaultContext::new(external.into(), theirs.proxy.clone()).unwrap();
    let built = |kind: FaultKind| context.build(&[FaultSpec::once(kind, Span::secs(0), Span::secs(1))]);
    for kind in [FaultKind::from(KILL), STOP.into()] {
        let error = built(kind.clone()).err().unwrap();
        assert!(
            matches!(&error, FaultError::Lab(LabError::Mismatch(Mismatch::ProcessFaultOnExternal { .. }))),
            "{error:?}"
        );
        assert!(error.to_string().contains(kind.name()), "{error}");
    }
    assert!(built(DOWN.into()).is_ok());
}
