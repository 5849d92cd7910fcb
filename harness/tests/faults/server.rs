//! Server faults on a real Redis, managed and external: they affect the load and nothing without load, and healing
//! restores every setting.

use std::sync::Arc;
use std::time::{Duration, Instant};

use firedrill::fault::{
    Auth, ClientKill, Fault, FaultContext, FaultKind, FaultSpec, IdleTimeout, Impact, MaxClients, NoReplicas, Oom,
    Pause, PauseMode, Readonly, ScriptFlush, Slow,
};
use firedrill::lab::{Admin, Lab, ManagedConfig, RedisUrl, StoreUser};
use firedrill::proxy::{Proxy, ProxyServer};
use firedrill::units::Span;

use crate::support::ground::{DEADLINE, Ground, Load, Writers};

const READONLY: Readonly = Readonly {};
const OOM: Oom = Oom {};
const AUTH: Auth = Auth { overlap: Span::millis(0), told: false };
const MAX_CLIENTS: MaxClients = MaxClients {};
const CLIENT_KILL: ClientKill = ClientKill { every: Span::millis(100) };
const PAUSE_ALL: Pause = Pause { mode: PauseMode::All };
const PAUSE_WRITES: Pause = Pause { mode: PauseMode::Write };
const SLOW: Slow = Slow { busy: Span::millis(300) };
const IDLE_TIMEOUT: IdleTimeout = IdleTimeout { timeout: Span::secs(1) };
const NO_REPLICAS: NoReplicas = NoReplicas {};
const SCRIPT_FLUSH: ScriptFlush = ScriptFlush {};

/// A Redis behind a proxy, and the fault context that a drill on this lab uses.
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

    /// The same Redis as an external one, at `url`.
    async fn external(url: RedisUrl) -> Self {
        let lab = Arc::new(Lab::external(url, DEADLINE).await.unwrap());
        let server = ProxyServer::start(1).unwrap();
        let proxy = server.create("theirs", "127.0.0.1:0".parse().unwrap(), lab.upstream(), true).await.unwrap();
        let context = FaultContext::new(lab.clone(), proxy.clone()).unwrap();
        Self { lab, proxy, context, _server: Some(server) }
    }

    fn faults(&self, kinds: &[FaultKind]) -> Vec<Arc<dyn Fault>> {
        let specs: Vec<FaultSpec> =
            kinds.iter().map(|kind| FaultSpec::once(kind.clone(), Span::secs(0), Span::secs(60))).collect();
        self.context.build(&specs).unwrap()
    }

    fn fault(&self, kind: impl Into<FaultKind>) -> Arc<dyn Fault> {
        self.faults(&[kind.into()]).remove(0)
    }
}

const BUSY: Duration = Duration::from_millis(5);

/// Everything that can be set on a server, as the server reports it.
async fn settings(admin: &Admin) -> (Vec<String>, Vec<String>, String) {
    let configuration: Vec<String> = admin.query(redis::cmd("CONFIG").arg("GET").arg("*")).await.unwrap();
    // Redis lists them in any order: keep each name with its value.
    let mut configuration: Vec<String> = configuration.chunks(2).map(|pair| pair.join(" ")).collect();
    configuration.sort();
    let users: Vec<String> = admin.query(redis::cmd("ACL").arg("LIST")).await.unwrap();
    (configuration, users, admin.info().await.unwrap().role)
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

/// Injects `kind` under load, sees it take effect, heals it twice, and sees the load served and every setting restored.
async fn bites_and_heals_at(site: &Site, kind: impl Into<FaultKind>, pause: Duration) -> String {
    let kind = kind.into();
    let load = Writers::on(&site.lab, &site.proxy, pause).await;
    let before = settings(site.lab.admin()).await;
    let fault = site.fault(kind.clone());
    assert_eq!(fault.kind(), kind.name());

    // Before the injection there is nothing to heal, and trying does no harm.
    fault.heal().await.unwrap();
    fault.inject().await.unwrap();
    let Impact { bit, evidence } = impact(&*fault).await;
    assert!(bit, "{} {}: {evidence}", kind.name(), fault.detail());

    fault.heal().await.unwrap();
    fault.heal().await.unwrap();
    load.wait_until_served(6).await;
    assert_eq!(settings(site.lab.admin()).await, before, "{}", kind.name());
    assert!(site.proxy.enabled() && site.proxy.toxics().is_empty());
    evidence
}

/// On the drill's own Redis, and on one that it did not start.
async fn bites_and_heals(kind: impl Into<FaultKind>) -> String {
    let kind = kind.into();
    let ground = Ground::new().await;
    bites_and_heals_at(&Site::managed(&ground), kind.clone(), BUSY).await;
    let theirs = Site::external(ground.lab.url().clone()).await;
    bites_and_heals_at(&theirs, kind, BUSY).await
}

#[tokio::test]
async fn server_readonly_refuses_writes_and_gives_back_the_role() {
    let evidence = bites_and_heals(READONLY).await;
    assert!(evidence.contains("a probe got \"READONLY\""), "{evidence}");
    assert!(evidence.contains("of others refused"), "{evidence}");
}

/// A rotation, as long as the fault and shorter, on the drill's own Redis and on one with a password that it did not start.
#[tokio::test]
async fn in_a_rotation_a_client_with_the_old_password_is_served_until_that_one_is_removed() {
    let with_login = ManagedConfig { user: Some(StoreUser::without(&[])), ..ManagedConfig::default() };
    let (own, theirs) = (Ground::with(&with_login).await, Ground::new().await);
    theirs.lab.admin().query::<()>(redis::cmd("CONFIG").arg("SET").arg("requirepass").arg("s3cret")).await.unwrap();
    let url = format!("redis://:s3cret@{}", theirs.lab.url().address()).parse().unwrap();
    for site in [Site::managed(&own), Site::external(url).await] {
        let load = Writers::on(&site.lab, &site.proxy, BUSY).await;
        let fault = site.fault(Auth { overlap: Span::secs(60), ..AUTH });
        fault.inject().await.unwrap();
        let Impact { bit, evidence } = impact(&*fault).await;
        assert!(bit && evidence.starts_with("the old and the new password log in; "), "{evidence}");
        load.wait_until_served(6).await;
        fault.heal().await.unwrap();
        drop(load);

        let evidence = bites_and_heals_at(&site, Auth { overlap: Span::millis(200), ..AUTH }, BUSY).await;
        assert!(evidence.contains("WRONGPASS"), "{evidence}");
    }
}

#[tokio::test]
async fn a_rotation_needs_a_password_to_rotate() {
    let ground = Ground::new().await;
    let spec = FaultSpec::once(Auth { overlap: Span::secs(1), ..AUTH }, Span::secs(0), Span::secs(2));
    let refused = ground.context.build(&[spec]).err().unwrap().to_string();
    assert!(refused.contains("needs a store that logs in with a password"), "{refused}");
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
    // Under this policy, a low limit alone would evict everything.
    admin.query::<()>(redis::cmd("CONFIG").arg("SET").arg("maxmemory-policy").arg("allkeys-lru")).await.unwrap();
    admin.query::<()>(redis::cmd("SET").arg("theirs").arg("kept")).await.unwrap();
    let evidence = bites_and_heals_at(&site, OOM, BUSY).await;
    assert!(evidence.contains("a probe got \"OOM\""), "{evidence}");
    assert_eq!(admin.query::<String>(redis::cmd("GET").arg("theirs")).await.unwrap(), "kept");
    bites_and_heals(OOM).await;
}

#[tokio::test]
async fn server_auth_locks_out_who_never_needed_a_password() {
    let evidence = bites_and_heals(AUTH).await;
    assert!(evidence.contains("a probe got \"NOAUTH\""), "{evidence}");
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
    assert!(evidence.contains("a probe got \"WRONGPASS\""), "{evidence}");
}

#[tokio::test]
async fn server_maxclients_turns_new_connections_away() {
    let evidence = bites_and_heals(MAX_CLIENTS).await;
    assert!(evidence.contains("a probe got \"ERR max number of clients reached\""), "{evidence}");
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
async fn server_client_kill_closes_connections_and_takes_new_ones() {
    let evidence = bites_and_heals(CLIENT_KILL).await;
    assert!(evidence.starts_with("a probe's connection was answered and then closed; "), "{evidence}");
    let ground = Ground::new().await;
    let load = Writers::on(&ground.lab, &ground.proxy, BUSY).await;
    let fault = Site::managed(&ground).fault(CLIENT_KILL);
    fault.inject().await.unwrap();
    load.wait_until_served(20).await;
    fault.heal().await.unwrap();
}

#[tokio::test]
async fn server_pause_holds_everything_back_and_ends_on_request() {
    let evidence = bites_and_heals(PAUSE_ALL).await;
    assert!(evidence.contains("a probe got no reply within"), "{evidence}");
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
    let Impact { bit, evidence } = fault.impact(DEADLINE).await;
    assert!(!bit, "{evidence}");
    assert!(evidence.ends_with("closed for being idle; 0 connections of the load ended"), "{evidence}");
    fault.heal().await.unwrap();
}

#[tokio::test]
async fn server_noreplicas_refuses_writes() {
    let evidence = bites_and_heals(NO_REPLICAS).await;
    assert!(evidence.contains("a probe got \"NOREPLICAS\""), "{evidence}");
}

#[tokio::test]
async fn server_script_flush_makes_scripts_unknown_again_and_again() {
    let evidence = bites_and_heals(SCRIPT_FLUSH).await;
    assert!(evidence.contains("a probe got \"NOSCRIPT\""), "{evidence}");
}

#[tokio::test]
async fn overlapping_faults_of_the_server_are_healed_in_any_order_and_the_last_one_gives_back() {
    let ground = Ground::new().await;
    let site = Site::managed(&ground);
    let load = Writers::on(&site.lab, &site.proxy, BUSY).await;
    let before = settings(site.lab.admin()).await;
    let faults = site.faults(&[OOM.into(), AUTH.into(), OOM.into(), AUTH.into(), READONLY.into()]);
    for fault in &faults {
        fault.inject().await.unwrap();
    }
    for fault in &faults[..2] {
        fault.heal().await.unwrap();
    }
    assert!(impact(&*faults[3]).await.bit);
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
    let faults = site.faults(&[PAUSE_ALL.into(), PAUSE_ALL.into()]);
    faults[0].inject().await.unwrap();
    faults[1].inject().await.unwrap();
    faults[0].heal().await.unwrap();
    assert!(impact(&*faults[1]).await.bit);
    faults[1].heal().await.unwrap();
    load.wait_until_served(6).await;
}

#[tokio::test]
async fn details_are_for_people() {
    let ground = Ground::new().await;
    let site = Site::managed(&ground);
    let detail = |kind: FaultKind| site.fault(kind).detail();
    assert_eq!(detail(PAUSE_ALL.into()), "all commands");
    assert_eq!(detail(PAUSE_WRITES.into()), "writes");
    assert_eq!(detail(SLOW.into()), "300ms each");
    assert_eq!(detail(IDLE_TIMEOUT.into()), "after 1s");
    assert_eq!(detail(CLIENT_KILL.into()), "every 100ms");
    assert_eq!(detail(READONLY.into()), "");
}
