//! What every registered kind of fault must do: affect a load, be healed, be healed twice without harm, and affect
//! nothing without load. The kinds, their parameters and the topology that each needs come from the registry.

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use firedrill::fault::{Entry, Fault, FaultContext, FaultSpec, Impact, ServerProxies, kinds};
use firedrill::lab::{
    Access, AppCommand, AppConfig, AppProcess, AppStart, CommandLine, Existing, Lab, ManagedConfig, Reached, RedisUrl,
    Topology,
};
use firedrill::proxy::{Proxy, ProxyServer};
use firedrill_storage::{AppendStore, Deployment, Policy, SessionId, StoreBuilder, Timestamp, TriviaSession, UserId};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::task::{JoinHandle, JoinSet};

use crate::support::app::session_server;
use crate::support::ground::DEADLINE;
use crate::support::room_for_a_group;

/// Sites that are up at the same time.
const AT_ONCE: usize = 6;

const HOUR: Duration = Duration::from_secs(3_600);

/// Sessions that exist from the beginning.
const SESSIONS: usize = 40;

type Store = Arc<dyn AppendStore<TriviaSession>>;

/// A Redis with sessions in the topology that a kind needs, the fault proxy in front of it, and the application if the
/// kind hits it.
struct Site {
    lab: Arc<Lab>,
    context: FaultContext,
    access: Access,
    proxy: Option<Arc<Proxy>>,
    app: Option<Arc<AppProcess>>,
    _server: Option<ProxyServer>,
    /// The owner of servers that are found as a user's are.
    _theirs: Option<Lab>,
    logs: TempDir,
}

impl Site {
    async fn of(spec: &FaultSpec) -> Self {
        let topologies =
            [Topology::Standalone, Topology::Tls, Topology::Replica, Topology::Sentinel, Topology::Cluster];
        let topology = topologies.into_iter().find(|topology| spec.kind.unfit_on(*topology).is_none());
        let topology = topology.expect("a kind fits one of the topologies");
        let logs = tempfile::tempdir().unwrap();
        if topology.fails_over() && !spec.kind.needs_own_servers() {
            let theirs = Lab::in_topology(topology, &ManagedConfig::default()).await.unwrap();
            let lab = Arc::new(found(topology, &theirs).await);
            let (access, context) = (lab.access(), FaultContext::direct(lab.clone()).unwrap());
            let site =
                Self { lab, context, access, proxy: None, app: None, _server: None, _theirs: Some(theirs), logs };
            site.fill().await;
            return site;
        }
        if topology.reached() == Reached::ByAnnouncement {
            let proxies = Arc::new(ServerProxies::new(1).unwrap());
            let config = ManagedConfig { proxies: Some(proxies.clone()), ..ManagedConfig::default() };
            let lab = Arc::new(Lab::in_topology(topology, &config).await.unwrap());
            let (access, context) = (lab.access(), FaultContext::behind(lab.clone(), proxies).unwrap());
            let site = Self { lab, context, access, proxy: None, app: None, _server: None, _theirs: None, logs };
            site.fill().await;
            return site;
        }
        let lab = Arc::new(Lab::in_topology(topology, &ManagedConfig::default()).await.unwrap());
        let server = ProxyServer::start(1).unwrap();
        let proxy = server.create("redis", "127.0.0.1:0".parse().unwrap(), lab.upstream(), true).await.unwrap();
        let access = lab.access().through(proxy.listen_addr()).unwrap();
        let context = FaultContext::new(lab.clone(), proxy.clone()).unwrap();
        let (proxy, server) = (Some(proxy), Some(server));
        let site = Self { lab, context, access, proxy, app: None, _server: server, _theirs: None, logs };
        site.fill().await;
        // Only now: the application connects when it likes, and `fill` counts who is connected.
        let app = match spec.kind.name().starts_with("app.") {
            true => Some(Arc::new(app(&site.lab, &site.access, &site.logs).await)),
            false => None,
        };
        Self { context: site.context.with_apps(app.as_slice()), app, ..site }
    }

    /// A store that reaches Redis through `access`.
    fn store(&self, policy: Policy, access: &Access) -> Store {
        let builder = StoreBuilder {
            prefix: format!("{}session:", self.lab.prefix()),
            policy,
            tls: access.url.tls().clone(),
            deployment: access.deployment.clone(),
            clock: self.context.clock(),
            network: Some(self.context.names()),
            ..StoreBuilder::new(access.url.expose())
        };
        builder.build().unwrap().store
    }

    /// Creates sessions for the data faults, bypassing the proxy if there is one.
    async fn fill(&self) {
        let access = if self.proxy.is_some() { self.lab.access() } else { self.access.clone() };
        let before = self.clients().await;
        let store = self.store(Policy::FailFast, &access);
        for number in 0..SESSIONS {
            put(&store, number).await.unwrap();
        }
        drop(store);
        // The servers see its connections close a moment later. No fault may take them for a load.
        let until = Instant::now() + DEADLINE;
        while self.clients().await > before {
            assert!(Instant::now() < until, "the store's connections stay open");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// The clients of all servers.
    async fn clients(&self) -> usize {
        let mut clients = 0;
        for server in self.lab.servers() {
            let list: String =
                server.admin().query(redis::cmd("CLIENT").arg("LIST").arg("TYPE").arg("normal")).await.unwrap();
            clients += list.lines().filter(|line| !line.contains(" name=sentinel-")).count();
        }
        clients
    }

    /// What faults may change on the server and the proxy.
    async fn settings(&self) -> String {
        let admin = self.lab.admin();
        let configuration: Vec<String> = admin.query(redis::cmd("CONFIG").arg("GET").arg("*")).await.unwrap();
        // A planned failover is not undone: who follows whom may change.
        let follows = |setting: &String| setting.starts_with("replicaof ") || setting.starts_with("slaveof ");
        let settings = configuration.chunks(2).map(|pair| pair.join(" ")).filter(|setting| !follows(setting));
        let mut settings: Vec<String> = settings.collect();
        settings.sort();
        settings.extend(admin.query::<Vec<String>>(redis::cmd("ACL").arg("LIST")).await.unwrap());
        settings.push(self.lab.info().await.unwrap().role);
        if let Some(proxy) = &self.proxy {
            settings.push(format!("{} {} {:?}", proxy.enabled(), proxy.upstream(), proxy.toxics()));
        }
        settings.join("\n")
    }
}

/// `theirs`, found by the URL that a user would give, once all of them know each other. Their owner's lines are no clients.
async fn found(topology: Topology, theirs: &Lab) -> Lab {
    let until = Instant::now() + DEADLINE;
    let sentinels = |lab: &Lab| lab.sentinels().map(|sentinels| sentinels.all().len());
    loop {
        let lab = Lab::find(topology, &Existing::at(named(theirs), DEADLINE)).await.unwrap();
        if lab.servers().len() == theirs.servers().len() && sentinels(&lab) == sentinels(theirs) {
            for server in lab.servers() {
                let port = server.url().port();
                let owner = theirs.servers().iter().find(|owner| owner.url().port() == port).unwrap();
                let line: u64 = owner.admin().query(redis::cmd("CLIENT").arg("ID")).await.unwrap();
                let kill = redis::cmd("CLIENT").arg("KILL").arg("ID").arg(line).clone();
                server.admin().query::<u64>(&kill).await.unwrap();
            }
            return lab;
        }
        assert!(Instant::now() < until, "not all servers are found");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// The URL by which a user would name these servers.
fn named(theirs: &Lab) -> RedisUrl {
    let address = match theirs.access().deployment {
        Deployment::Sentinel { sentinels, .. } => sentinels[0].clone(),
        Deployment::Cluster { nodes } => nodes[0].clone(),
        Deployment::Standalone => theirs.url().address(),
    };
    format!("redis://{address}").parse().unwrap()
}

async fn app(lab: &Lab, access: &Access, logs: &TempDir) -> AppProcess {
    let (url, prefix) = (access.url.expose().to_owned(), format!("{}session:", lab.prefix()));
    let line = move |start: &AppStart<'_>| {
        let variables = [
            ("PORT", start.port.to_string()),
            ("REDIS_URL", url.clone()),
            ("REDIS_KEY_PREFIX", prefix.clone()),
            ("SESSION_SECRET", "0123456789abcdef".repeat(4)),
        ];
        let environment = variables.map(|(name, value)| (name.to_owned(), value)).to_vec();
        CommandLine { argv: vec!["session-server".to_owned()], environment, files: Vec::new() }
    };
    let ready = "/api/game/results".to_owned();
    let config = AppConfig {
        binary: Some(session_server().to_owned()),
        command: AppCommand { compose: None, line: Arc::new(line), folder: logs.path().to_owned(), ready },
        instance: (1, 1),
        hosts: None,
        logs: logs.path().to_owned(),
        start_deadline: DEADLINE,
        grace: DEADLINE,
    };
    AppProcess::start(config).await.unwrap()
}

async fn put(store: &Store, number: usize) -> Result<(), firedrill_storage::StoreError> {
    let id = SessionId::new(&format!("s{number}")).unwrap();
    let session = TriviaSession::sized(id.clone(), UserId::anonymous(), 2_000, Timestamp::now());
    store.put(&id, session, HOUR).await.map(drop)
}

/// Clients of every kind: stores that read and write constantly, one that rests on an idle connection, one that
/// connects for each request, and users of the application. Ends with this value.
struct Load {
    served: Arc<AtomicU64>,
    clients: Vec<JoinHandle<()>>,
}

impl Load {
    /// Returns once the stores have been served.
    async fn on(site: &Site) -> Self {
        let served = Arc::<AtomicU64>::default();
        let mut clients = vec![
            tokio::spawn(ask(site.store(Policy::FailFast, &site.access), served.clone())),
            tokio::spawn(ask(site.store(Policy::Drain, &site.access), Arc::default())),
        ];
        if let Some(proxy) = &site.proxy {
            clients.push(tokio::spawn(rest(proxy.clone())));
            clients.push(tokio::spawn(come_and_go(proxy.clone())));
        }
        if let Some(app) = &site.app {
            clients.push(tokio::spawn(visit(app.clone())));
        }
        let load = Self { served, clients };
        load.wait_until_served().await;
        load
    }

    async fn wait_until_served(&self) {
        let (goal, until) = (self.served.load(Relaxed) + 10, Instant::now() + DEADLINE);
        while self.served.load(Relaxed) < goal {
            assert!(Instant::now() < until, "the load is not served");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.clients.iter().for_each(JoinHandle::abort);
    }
}

async fn ask(store: Store, served: Arc<AtomicU64>) {
    for number in (0..SESSIONS).cycle() {
        let id = SessionId::new(&format!("s{number}")).unwrap();
        let read = store.get(&id, HOUR).await.is_ok();
        if put(&store, number).await.is_ok() && read {
            served.fetch_add(1, Relaxed);
        }
        // This uses a script.
        let _ = store.touch(&id, HOUR).await;
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn ping(stream: &mut TcpStream) -> std::io::Result<()> {
    stream.write_all(b"PING\r\n").await?;
    stream.read_exact(&mut [0; 1]).await.map(drop)
}

/// Rests longer than a connection may be idle under `server.idle-timeout`.
async fn rest(proxy: Arc<Proxy>) {
    loop {
        let Ok(mut stream) = TcpStream::connect(proxy.listen_addr()).await else { continue };
        while tokio::time::timeout(DEADLINE, ping(&mut stream)).await.is_ok_and(|answer| answer.is_ok()) {
            tokio::time::sleep(Duration::from_millis(2_500)).await;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn come_and_go(proxy: Arc<Proxy>) {
    loop {
        if let Ok(mut stream) = TcpStream::connect(proxy.listen_addr()).await {
            let _ = tokio::time::timeout(Duration::from_secs(2), ping(&mut stream)).await;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn visit(app: Arc<AppProcess>) {
    loop {
        if let Ok(mut stream) = TcpStream::connect(app.address()).await
            && stream.write_all(b"GET /health HTTP/1.1\r\nhost: app\r\nconnection: close\r\n\r\n").await.is_ok()
        {
            app.requests().fetch_add(1, Relaxed);
            let _ = tokio::time::timeout(Duration::from_secs(2), stream.read(&mut [0; 64])).await;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A fault of that kind with the example parameters from the registry.
fn example(entry: &Entry) -> FaultSpec {
    let mut text = format!("kind = {:?}\nat = \"0s\"\nfor = \"3s\"\n", entry.name);
    for parameter in entry.parameters().iter().filter(|parameter| parameter.required) {
        let value = parameter.example();
        // The text after the value is its unit.
        let value = value.split(" (").next().unwrap();
        writeln!(text, "{} = {value}", parameter.name).unwrap();
    }
    text.parse().unwrap()
}

/// Waits until the fault has taken effect.
async fn impact(fault: &dyn Fault) -> Impact {
    let until = Instant::now() + DEADLINE;
    loop {
        let impact = fault.impact(Duration::from_secs(4)).await;
        if impact.bit || Instant::now() > until {
            return impact;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn bites_a_load_and_is_healed(entry: &Entry) {
    let spec = example(entry);
    let site = Site::of(&spec).await;
    // Before the load, as in a drill: some faults watch the load from then on.
    let fault = site.context.build(std::slice::from_ref(&spec)).unwrap().remove(0);
    let load = Load::on(&site).await;
    assert_eq!(fault.kind(), entry.name);
    let before = site.settings().await;
    // Before the injection there is nothing to heal, and trying does no harm.
    fault.heal().await.unwrap();
    fault.inject().await.unwrap();
    let Impact { bit, evidence } = impact(&*fault).await;
    assert!(bit, "{evidence}");
    fault.heal().await.unwrap();
    fault.heal().await.unwrap();
    load.wait_until_served().await;
    assert_eq!(site.settings().await, before, "something was not given back");
}

async fn bites_nothing_without_a_load(entry: &Entry) {
    let spec = example(entry);
    let site = Site::of(&spec).await;
    let fault = site.context.build(std::slice::from_ref(&spec)).unwrap().remove(0);
    fault.inject().await.unwrap();
    for _ in 0..2 {
        let Impact { bit, evidence } = fault.impact(Duration::from_secs(4)).await;
        assert!(!bit, "without a load: {evidence}");
    }
    fault.heal().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_registered_kind_bites_is_healed_and_bites_nothing_without_a_load() {
    let _room = room_for_a_group();
    session_server();
    let (room, mut running) = (Arc::new(Semaphore::new(AT_ONCE)), JoinSet::new());
    for entry in kinds() {
        for with_load in [true, false] {
            let room = room.clone();
            running.spawn(async move {
                let _turn = room.acquire_owned().await.unwrap();
                let checked = tokio::spawn(async move {
                    match with_load {
                        true => bites_a_load_and_is_healed(entry).await,
                        false => bites_nothing_without_a_load(entry).await,
                    }
                });
                // The test prints the kind next to the panic's message.
                checked.await.is_err().then_some((entry.name, with_load))
            });
        }
    }
    let failed: Vec<_> = running.join_all().await.into_iter().flatten().collect();
    assert_eq!(failed, [], "kinds that do not conform, and whether there was a load");
}
