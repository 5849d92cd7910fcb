//! Each fault on a real Redis: that it bites what the load uses, that it bites nothing where there is no load, and that
//! healing undoes it.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod fault_support;

use std::sync::Arc;
use std::time::{Duration, Instant};

use fault_support::{DEADLINE, Ground, Load};
use firedrill::fault::{
    Bandwidth, Bite, Down, Fault, FaultContext, FaultError, FaultKind, FaultSpec, Kill, Latency, LimitData, ResetPeer,
    Slicer, SlowClose, Stop, Stream, Timeout,
};
use firedrill::lab::{Lab, LabError, ProcessState};
use firedrill::scenario::units::{Bytes, Span};

const DOWN: FaultKind = FaultKind::ProxyDown(Down);
const KILL: FaultKind = FaultKind::ProcessKill(Kill::KEEP);
const STOP: FaultKind = FaultKind::ProcessStop(Stop);

fn latency(ms: u64, stream: Stream) -> FaultKind {
    FaultKind::ProxyLatency(Latency { latency: Span::millis(ms), jitter: Span::millis(0), stream })
}

fn silence(timeout_ms: u64, stream: Stream) -> FaultKind {
    FaultKind::ProxyTimeout(Timeout { timeout: Span::millis(timeout_ms), stream })
}

fn line(rate: u64, stream: Stream) -> FaultKind {
    FaultKind::ProxyBandwidth(Bandwidth { rate, stream })
}

fn reset(timeout_ms: u64, stream: Stream) -> FaultKind {
    FaultKind::ProxyResetPeer(ResetPeer { timeout: Span::millis(timeout_ms), stream })
}

fn limit(bytes: u64, stream: Stream) -> FaultKind {
    FaultKind::ProxyLimitData(LimitData { bytes: Bytes(bytes), stream })
}

fn slices(size: u64, variation: u64, delay: Span, stream: Stream) -> FaultKind {
    FaultKind::ProxySlicer(Slicer { size: Bytes(size), variation: Bytes(variation), delay, stream })
}

fn slow_close(delay_ms: u64, stream: Stream) -> FaultKind {
    FaultKind::ProxySlowClose(SlowClose { delay: Span::millis(delay_ms), stream })
}

fn fault_on(ground: &Ground, kind: FaultKind) -> Arc<dyn Fault> {
    ground.context.build(&[FaultSpec::once(kind, Span::secs(0), Span::secs(1))]).unwrap().remove(0)
}

/// Looks until the fault has bitten.
async fn bite(fault: &dyn Fault) -> Bite {
    let until = Instant::now() + DEADLINE;
    loop {
        let bite = fault.proof(Duration::from_secs(5)).await;
        if bite.bit || Instant::now() > until {
            return bite;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Injects `kind` under load, sees it bite, heals it twice, and sees the load served again.
async fn bites_and_heals(kind: FaultKind) -> String {
    let ground = Ground::new().await;
    let load = Load::on(&ground).await;
    let fault = fault_on(&ground, kind);
    assert_eq!(fault.kind(), kind.name());

    fault.inject().await.unwrap();
    let Bite { bit, evidence } = bite(&*fault).await;
    assert!(bit, "{} {}: {evidence}", kind.name(), fault.detail());

    fault.heal().await.unwrap();
    fault.heal().await.unwrap();
    ground.wait_until_well().await;
    load.wait_until_served(8).await;
    assert!(ground.proxy.enabled() && ground.proxy.toxics().is_empty());
    assert_eq!(ground.lab.process(kind.name()).unwrap().state(), ProcessState::Running);
    evidence
}

/// Injects `kind` where nobody but the probe comes by: that is no bite.
async fn bites_nothing_without_load(kind: FaultKind) {
    let ground = Ground::new().await;
    let fault = fault_on(&ground, kind);
    fault.inject().await.unwrap();
    for _ in 0..3 {
        let Bite { bit, evidence } = fault.proof(Duration::from_secs(5)).await;
        assert!(!bit, "{} {}: {evidence}", kind.name(), fault.detail());
    }
    fault.heal().await.unwrap();
    ground.wait_until_well().await;
}

#[tokio::test]
async fn proxy_down_cuts_and_refuses() {
    let evidence = bites_and_heals(DOWN).await;
    assert!(evidence.contains("4 open connections cut; a probe was refused a connection"), "{evidence}");
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
    assert!(evidence.contains("a probe got no answer within"), "{evidence}");
    bites_and_heals(silence(0, Stream::Downstream)).await;
    bites_and_heals(silence(0, Stream::Upstream)).await;
}

#[tokio::test]
async fn proxy_timeout_closes_after_its_time() {
    let evidence = bites_and_heals(silence(20, Stream::Both)).await;
    assert!(evidence.contains("a probe's connection was closed without an answer"), "{evidence}");
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
    assert!(evidence.contains("a probe's connection was closed without an answer"), "{evidence}");
    assert!(evidence.ends_with("of the load reset"), "{evidence}");
    bites_and_heals(reset(20, Stream::Upstream)).await;
}

#[tokio::test]
async fn proxy_limit_data_closes_in_the_middle() {
    for stream in [Stream::Upstream, Stream::Downstream, Stream::Both] {
        let evidence = bites_and_heals(limit(10_000, stream)).await;
        assert!(evidence.contains("closed without an answer (10001 bytes)"), "{stream:?}: {evidence}");
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
        let Bite { bit, evidence } = bite(&*fault).await;
        assert!(bit, "{stream:?}: {evidence}");
        assert!(evidence.contains("after it was to"), "{evidence}");
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
    let Bite { bit, evidence } = fault.proof(DEADLINE).await;
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
    assert_eq!(ground.lab.process("process.kill").unwrap().state(), ProcessState::Dead);
    let Bite { bit, evidence } = bite(&*fault).await;
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
    assert!(evidence.contains("stands still with"), "{evidence}");
    assert!(evidence.contains("a probe got no answer within"), "{evidence}");
}

#[tokio::test]
async fn no_fault_bites_where_there_is_no_load() {
    let slow = [latency(30, Stream::Both), line(100, Stream::Both), slices(500, 0, Span::millis(2), Stream::Both)];
    let broken =
        [silence(0, Stream::Both), reset(0, Stream::Both), limit(1_000, Stream::Both), slow_close(20, Stream::Both)];
    for kind in [DOWN, KILL, STOP].into_iter().chain(slow).chain(broken) {
        bites_nothing_without_load(kind).await;
    }
}

#[tokio::test]
async fn faults_too_weak_to_be_felt_do_not_bite() {
    let ground = Ground::new().await;
    let load = Load::on(&ground).await;
    let coarse = slices(4_000_000, 0, Span::millis(1), Stream::Both);
    for kind in [latency(0, Stream::Both), line(10_000_000, Stream::Both), coarse, slow_close(0, Stream::Both)] {
        let fault = fault_on(&ground, kind);
        fault.inject().await.unwrap();
        load.wait_until_served(20).await;
        let Bite { bit, evidence } = fault.proof(Duration::from_secs(5)).await;
        assert!(!bit, "{} {}: {evidence}", kind.name(), fault.detail());
        fault.heal().await.unwrap();
    }
}

#[tokio::test]
async fn a_large_answer_passes_a_slow_line_whole() {
    let ground = Ground::new().await;
    for kind in [line(10_000_000, Stream::Both), line(20_000, Stream::Both), latency(5, Stream::Both)] {
        let fault = fault_on(&ground, kind);
        fault.inject().await.unwrap();
        assert!(ground.answers(2_000_000, DEADLINE).await, "{} {}", kind.name(), fault.detail());
        fault.heal().await.unwrap();
    }
}

#[tokio::test]
async fn what_a_fault_did_to_the_load_is_told_in_figures() {
    let ground = Ground::new().await;
    let load = Load::on(&ground).await;
    let fault = fault_on(&ground, latency(40, Stream::Downstream));
    fault.inject().await.unwrap();
    load.wait_until_served(12).await;
    let toll = fault.toll().unwrap();
    fault.heal().await.unwrap();
    let words: Vec<&str> = toll.split_whitespace().collect();
    assert_eq!(words[1..4], ["transfers", "held", "back,"], "{toll}");
    assert!(words[0].parse::<u64>().unwrap() >= 8, "{toll}");
    assert!(words[4].parse::<f64>().unwrap() >= 40.0, "{toll}");
}

#[tokio::test]
async fn details_are_for_people() {
    let ground = Ground::new().await;
    let detail = |kind| fault_on(&ground, kind).detail();
    let jittered = Latency { latency: Span::millis(50), jitter: Span::millis(10), stream: Stream::Downstream };
    assert_eq!(detail(FaultKind::ProxyLatency(jittered)), "50ms ± 10ms downstream");
    assert_eq!(detail(silence(0, Stream::Both)), "both ways, never closed");
    assert_eq!(detail(silence(500, Stream::Upstream)), "upstream, closed after 500ms");
    assert_eq!(detail(line(100, Stream::Both)), "100 KB/s both ways");
    assert_eq!(detail(reset(0, Stream::Downstream)), "0s after the first data downstream");
    assert_eq!(detail(limit(10_000, Stream::Both)), "10KB both ways");
    assert_eq!(detail(slices(64, 8, Span::millis(1), Stream::Upstream)), "64B ± 8B, 1ms apart, upstream");
    assert_eq!(detail(slow_close(2_000, Stream::Downstream)), "2s downstream");
    assert_eq!(detail(DOWN), "");
}

#[tokio::test]
async fn two_faults_of_one_kind_overlap_and_the_last_one_ends_it() {
    let ground = Ground::new().await;
    let load = Load::on(&ground).await;
    for kind in [DOWN, KILL, STOP] {
        let spec = FaultSpec::once(kind, Span::secs(0), Span::secs(1));
        let faults = ground.context.build(&[spec, spec]).unwrap();
        faults[0].inject().await.unwrap();
        faults[1].inject().await.unwrap();
        faults[0].heal().await.unwrap();
        assert!(!ground.answers(100, Duration::from_millis(200)).await, "{}", kind.name());
        assert!(bite(&*faults[1]).await.bit, "{}", kind.name());
        faults[1].heal().await.unwrap();
        load.wait_until_served(8).await;
    }
    let slow = FaultSpec::once(latency(30, Stream::Downstream), Span::secs(0), Span::secs(1));
    let faults = ground.context.build(&[slow, slow]).unwrap();
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
    let built = |kind| context.build(&[FaultSpec::once(kind, Span::secs(0), Span::secs(1))]);
    for kind in [KILL, STOP] {
        let error = built(kind).err().unwrap();
        assert!(matches!(&error, FaultError::Lab(LabError::ProcessFaultOnExternal { .. })), "{error:?}");
        assert!(error.to_string().contains(kind.name()), "{error}");
    }
    assert!(built(DOWN).is_ok());
}
