//! Faults of the server on a real Redis, the drill's own and one that was there before: that they bite what the load uses
//! and nothing where there is no load, and that healing gives back every setting.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod fault_support;

use std::sync::Arc;
use std::time::{Duration, Instant};

use fault_support::{DEADLINE, Ground, Load, Writers};
use firedrill::fault::{
    Auth, Bite, Fault, FaultContext, FaultKind, FaultSpec, IdleTimeout, MaxClients, NoReplicas, Oom, Pause, PauseMode,
    Readonly, ScriptFlush, Slow,
};
use firedrill::lab::{Admin, Lab, RedisUrl};
use firedrill::proxy::{Proxy, ProxyServer};
use firedrill::scenario::units::Span;

const READONLY: FaultKind = FaultKind::ServerReadonly(Readonly);
const OOM: FaultKind = FaultKind::ServerOom(Oom);
const AUTH: FaultKind = FaultKind::ServerAuth(Auth);
const MAX_CLIENTS: FaultKind = FaultKind::ServerMaxClients(MaxClients);
const PAUSE_ALL: FaultKind = FaultKind::ServerPause(Pause { mode: PauseMode::All });
const PAUSE_WRITES: FaultKind = FaultKind::ServerPause(Pause { mode: PauseMode::Write });
const SLOW: FaultKind = FaultKind::ServerSlow(Slow { busy: Span::millis(300) });
const IDLE_TIMEOUT: FaultKind = FaultKind::ServerIdleTimeout(IdleTimeout { timeout: Span::secs(1) });
const NO_REPLICAS: FaultKind = FaultKind::ServerNoReplicas(NoReplicas);
const SCRIPT_FLUSH: FaultKind = FaultKind::ServerScriptFlush(ScriptFlush);

/// A Redis behind a proxy, and the way into it that a drill on this lab takes.
struct Site {
    lab: Arc<Lab>,
    proxy: Arc<Proxy>,
    context: FaultContext,
    _server: Option<ProxyServer>,
}

impl Site {
    /// The drill's own Redis.
    fn managed(ground: &Ground) -> Self {
        let Ground { lab, proxy, context, .. } = ground;
        Self { lab: lab.clone(), proxy: proxy.clone(), context: context.clone(), _server: None }
    }

    /// The same Redis as somebody meets it who did not start it, at `url`.
    async fn external(url: RedisUrl) -> Self {
        let lab = Arc::new(Lab::external(url, DEADLINE).await.unwrap());
        let server = ProxyServer::start(1).unwrap();
        let proxy = server.create("theirs", "127.0.0.1:0".parse().unwrap(), lab.upstream(), true).await.unwrap();
        let context = FaultContext::new(lab.clone(), proxy.clone()).unwrap();
        Self { lab, proxy, context, _server: Some(server) }
    }

    fn faults(&self, kinds: &[FaultKind]) -> Vec<Arc<dyn Fault>> {
        let specs: Vec<FaultSpec> =
            kinds.iter().map(|kind| FaultSpec::once(*kind, Span::secs(0), Span::secs(60))).collect();
        self.context.build(&specs).unwrap()
    }

    fn fault(&self, kind: FaultKind) -> Arc<dyn Fault> {
        self.faults(&[kind]).remove(0)
    }
}

const BUSY: Duration = Duration::from_millis(5);

/// Everything that can be set on a server, as it says it.
async fn settings(admin: &Admin) -> (Vec<String>, Vec<String>, String) {
    let configuration: Vec<String> = admin.query(redis::cmd("CONFIG").arg("GET").arg("*")).await.unwrap();
    // Redis lists them in any order: each name goes with its value.
    let mut configuration: Vec<String> = configuration.chunks(2).map(|pair| pair.join(" ")).collect();
    configuration.sort();
    let users: Vec<String> = admin.query(redis::cmd("ACL").arg("LIST")).await.unwrap();
    (configuration, users, admin.info().await.unwrap().role)
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

/// Injects `kind` under load, sees it bite, heals it twice, and sees the load served and every setting as before.
async fn bites_and_heals_at(site: &Site, kind: FaultKind, pause: Duration) -> String {
    let load = Writers::on(&site.lab, &site.proxy, pause).await;
    let before = settings(site.lab.admin()).await;
    let fault = site.fault(kind);
    assert_eq!(fault.kind(), kind.name());

    // Without having been injected there is nothing to heal, and no harm in trying.
    fault.heal().await.unwrap();
    fault.inject().await.unwrap();
    let Bite { bit, evidence } = bite(&*fault).await;
    assert!(bit, "{} {}: {evidence}", kind.name(), fault.detail());

    fault.heal().await.unwrap();
    fault.heal().await.unwrap();
    load.wait_until_served(6).await;
    assert_eq!(settings(site.lab.admin()).await, before, "{}", kind.name());
    assert!(site.proxy.enabled() && site.proxy.toxics().is_empty());
    evidence
}

/// On the drill's own Redis, and on one that it did not start.
async fn bites_and_heals(kind: FaultKind) -> String {
    let ground = Ground::new().await;
    bites_and_heals_at(&Site::managed(&ground), kind, BUSY).await;
    let theirs = Site::external(ground.lab.url().clone()).await;
    bites_and_heals_at(&theirs, kind, BUSY).await
}

#[tokio::test]
async fn server_readonly_refuses_writes_and_gives_back_the_role() {
    let evidence = bites_and_heals(READONLY).await;
    assert!(evidence.contains("a probe was told \"READONLY\""), "{evidence}");
    assert!(evidence.contains("of others refused"), "{evidence}");
}

#[tokio::test]
async fn server_readonly_leaves_a_replica_the_replica_it_was() {
    let ground = Ground::new().await;
    let primary = Ground::new().await;
    let site = Site::managed(&ground);
    let admin = site.lab.admin();
    let port = primary.lab.url().port();
    admin.query::<()>(redis::cmd("REPLICAOF").arg("127.0.0.1").arg(port)).await.unwrap();
    let fault = site.fault(READONLY);
    fault.inject().await.unwrap();
    fault.heal().await.unwrap();
    let now: Vec<String> = admin.query(redis::cmd("CONFIG").arg("GET").arg("replicaof")).await.unwrap();
    assert_eq!(now, ["replicaof".to_owned(), format!("127.0.0.1 {port}")]);
}

#[tokio::test]
async fn server_oom_refuses_writes_and_keeps_every_key() {
    let ground = Ground::new().await;
    let site = Site::managed(&ground);
    let admin = site.lab.admin();
    // Under this policy a low limit alone would throw out everything.
    admin.query::<()>(redis::cmd("CONFIG").arg("SET").arg("maxmemory-policy").arg("allkeys-lru")).await.unwrap();
    admin.query::<()>(redis::cmd("SET").arg("theirs").arg("kept")).await.unwrap();
    let evidence = bites_and_heals_at(&site, OOM, BUSY).await;
    assert!(evidence.contains("a probe was told \"OOM\""), "{evidence}");
    assert_eq!(admin.query::<String>(redis::cmd("GET").arg("theirs")).await.unwrap(), "kept");
    bites_and_heals(OOM).await;
}

#[tokio::test]
async fn server_auth_locks_out_who_never_needed_a_password() {
    let evidence = bites_and_heals(AUTH).await;
    assert!(evidence.contains("a probe was told \"NOAUTH\""), "{evidence}");
}

#[tokio::test]
async fn server_auth_locks_out_who_has_one_and_gives_it_back() {
    let ground = Ground::new().await;
    let admin = ground.lab.admin();
    admin
        .query::<()>(redis::cmd("ACL").arg("SETUSER").arg("app").arg("on").arg(">right").arg("~*").arg("+@all"))
        .await
        .unwrap();
    let url: RedisUrl = format!("redis://app:right@{}", ground.lab.upstream()).parse().unwrap();
    let site = Site::external(url).await;
    let evidence = bites_and_heals_at(&site, AUTH, BUSY).await;
    assert!(evidence.contains("a probe was told \"WRONGPASS\""), "{evidence}");
}

#[tokio::test]
async fn server_maxclients_turns_new_connections_away() {
    let evidence = bites_and_heals(MAX_CLIENTS).await;
    assert!(evidence.contains("a probe was told \"ERR max number of clients reached\""), "{evidence}");
    assert!(evidence.contains("of others refused"), "{evidence}");
}

#[tokio::test]
async fn server_maxclients_is_healed_also_when_the_nemesis_has_lost_its_own_place() {
    let ground = Ground::new().await;
    let site = Site::managed(&ground);
    let load = Writers::on(&site.lab, &site.proxy, BUSY).await;
    let before = settings(site.lab.admin()).await;
    let fault = site.fault(MAX_CLIENTS);
    fault.inject().await.unwrap();
    let kill = redis::cmd("CLIENT").arg("KILL").arg("TYPE").arg("normal").arg("SKIPME").arg("yes").clone();
    site.lab.admin().query::<()>(&kill).await.unwrap();
    fault.heal().await.unwrap();
    load.wait_until_served(6).await;
    assert_eq!(settings(site.lab.admin()).await, before);
}

#[tokio::test]
async fn server_pause_holds_everything_back_and_ends_when_it_is_told_to() {
    let evidence = bites_and_heals(PAUSE_ALL).await;
    assert!(evidence.contains("a probe got no answer within"), "{evidence}");
}

#[tokio::test]
async fn server_pause_of_writes_lets_reads_through() {
    bites_and_heals(PAUSE_WRITES).await;
    let ground = Ground::new().await;
    let readers = Load::on(&ground).await;
    let fault = Site::managed(&ground).fault(PAUSE_WRITES);
    fault.inject().await.unwrap();
    readers.wait_until_served(8).await;
    fault.heal().await.unwrap();
    ground.wait_until_well().await;
}

#[tokio::test]
async fn server_slow_holds_everybody_up() {
    bites_and_heals(SLOW).await;
}

#[tokio::test]
async fn server_slow_works_where_debug_is_not_allowed() {
    let ground = Ground::new().await;
    let admin = ground.lab.admin();
    let setuser =
        redis::cmd("ACL").arg("SETUSER").arg("app").arg("on").arg(">p").arg("~*").arg("+@all").arg("-debug").clone();
    admin.query::<()>(&setuser).await.unwrap();
    let url: RedisUrl = format!("redis://app:p@{}", ground.lab.upstream()).parse().unwrap();
    bites_and_heals_at(&Site::external(url).await, SLOW, BUSY).await;
}

#[tokio::test]
async fn server_idle_timeout_closes_what_is_idle() {
    let ground = Ground::new().await;
    let site = Site::managed(&ground);
    let evidence = bites_and_heals_at(&site, IDLE_TIMEOUT, Duration::from_millis(2_500)).await;
    assert!(evidence.contains("closed for being idle"), "{evidence}");
}

#[tokio::test]
async fn server_idle_timeout_does_not_bite_a_load_that_is_never_idle() {
    let ground = Ground::new().await;
    let site = Site::managed(&ground);
    let _load = Writers::on(&site.lab, &site.proxy, BUSY).await;
    let fault = site.fault(IDLE_TIMEOUT);
    fault.inject().await.unwrap();
    let Bite { bit, evidence } = fault.proof(DEADLINE).await;
    assert!(!bit, "{evidence}");
    assert!(evidence.ends_with("closed for being idle; 0 connections of the load ended"), "{evidence}");
    fault.heal().await.unwrap();
}

#[tokio::test]
async fn server_noreplicas_refuses_writes() {
    let evidence = bites_and_heals(NO_REPLICAS).await;
    assert!(evidence.contains("a probe was told \"NOREPLICAS\""), "{evidence}");
}

#[tokio::test]
async fn server_script_flush_makes_scripts_unknown_again_and_again() {
    let evidence = bites_and_heals(SCRIPT_FLUSH).await;
    assert!(evidence.contains("a probe was told \"NOSCRIPT\""), "{evidence}");
}

#[tokio::test]
async fn no_fault_of_the_server_bites_where_there_is_no_load() {
    let ground = Ground::new().await;
    for kind in [READONLY, OOM, AUTH, MAX_CLIENTS, PAUSE_ALL, PAUSE_WRITES, SLOW, NO_REPLICAS, SCRIPT_FLUSH] {
        let site = Site::external(ground.lab.url().clone()).await;
        let fault = site.fault(kind);
        fault.inject().await.unwrap();
        for _ in 0..2 {
            let Bite { bit, evidence } = fault.proof(Duration::from_secs(5)).await;
            assert!(!bit, "{}: {evidence}", kind.name());
        }
        fault.heal().await.unwrap();
        site.lab.admin().ping().await.unwrap();
    }
}

#[tokio::test]
async fn overlapping_faults_of_the_server_are_healed_in_any_order_and_the_last_one_gives_back() {
    let ground = Ground::new().await;
    let site = Site::managed(&ground);
    let load = Writers::on(&site.lab, &site.proxy, BUSY).await;
    let before = settings(site.lab.admin()).await;
    let faults = site.faults(&[OOM, AUTH, OOM, AUTH, READONLY]);
    for fault in &faults {
        fault.inject().await.unwrap();
    }
    for fault in &faults[..2] {
        fault.heal().await.unwrap();
    }
    assert!(bite(&*faults[3]).await.bit);
    for fault in &faults[2..] {
        fault.heal().await.unwrap();
    }
    load.wait_until_served(6).await;
    assert_eq!(settings(site.lab.admin()).await, before);
}

#[tokio::test]
async fn overlapping_pauses_end_with_the_last() {
    let ground = Ground::new().await;
    let site = Site::managed(&ground);
    let load = Writers::on(&site.lab, &site.proxy, BUSY).await;
    let faults = site.faults(&[PAUSE_ALL, PAUSE_ALL]);
    faults[0].inject().await.unwrap();
    faults[1].inject().await.unwrap();
    faults[0].heal().await.unwrap();
    assert!(bite(&*faults[1]).await.bit);
    faults[1].heal().await.unwrap();
    load.wait_until_served(6).await;
}

#[tokio::test]
async fn details_are_for_people() {
    let ground = Ground::new().await;
    let site = Site::managed(&ground);
    let detail = |kind| site.fault(kind).detail();
    assert_eq!(detail(PAUSE_ALL), "all commands");
    assert_eq!(detail(PAUSE_WRITES), "writes");
    assert_eq!(detail(SLOW), "300ms each");
    assert_eq!(detail(IDLE_TIMEOUT), "after 1s");
    assert_eq!(detail(READONLY), "");
}
