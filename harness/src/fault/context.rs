//! What faults work on: the lab, the path to it, and what several faults may hold at the same time.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use redis::Cmd;

use super::FaultError;
use super::aimed::Aimed;
use super::overlay::{Hold, Overlay};
use super::path::{Path, ProbeResult};
use super::paused::Paused;
use super::reach::{Reach, Role, To};
use super::remote::Lockout;
use super::server_proxies::ServerProxies;
use super::settings::Settings;
use super::upstream::UpstreamOverride;
use crate::clock::StoreClock;
use crate::lab::{AppProcess, Dialer, Lab, LabError, OwnHosts, Presented, Server};
use crate::names::{Answer, StoreNames, StorePassword};
use crate::proxy::ProxyControl;
use crate::units::Span;

/// The lab of one drill, the path through its proxy, and the state that overlapping faults share.
#[derive(Clone)]
pub struct FaultContext {
    pub(super) lab: Arc<Lab>,
    /// The instances of the application that a fault hits; none if none is drilled.
    pub(super) apps: Vec<Arc<AppProcess>>,
    /// The path to the first server, usually the only one. A fault on one of several servers aims at its own.
    pub(super) path: Arc<Path>,
    route: Route,
    dialer: Dialer,
    pub(super) aimed: Arc<Aimed>,
    pub(super) holds: Arc<Holds>,
    /// Where the path currently leads instead.
    pub(super) upstream: Arc<UpstreamOverride>,
    /// The settings changed on the server.
    pub(super) settings: Arc<Settings>,
    pub(super) lockout: Arc<Lockout>,
    pub(super) paused: Arc<Paused>,
    /// The certificates that faults want the server to present.
    pub(super) presented: Arc<Mutex<Overlay<Presented>>>,
    /// How the store under test finds its Redis, and what faults want it to find.
    pub(super) names: Arc<StoreNames>,
    pub(super) answers: Arc<Mutex<Overlay<Answer>>>,
    /// The password that the store under test connects with.
    pub(super) password: Arc<StorePassword>,
    /// The hosts file of the application, and where it usually leads.
    pub(super) hosts: Option<(Arc<OwnHosts>, IpAddr)>,
    /// Whether the store under test keeps its sessions only in memory.
    pub(super) in_memory: bool,
    /// The clock of the store under test.
    pub(super) clock: Arc<StoreClock>,
    /// The seed of all randomness.
    pub(super) seed: u64,
    /// The server that the fault names; `None` means the one that leads.
    to: Option<To>,
}

/// What stands between the load and the servers.
#[derive(Clone)]
enum Route {
    /// One proxy in front of one server.
    Proxy(Arc<dyn ProxyControl>),
    /// A proxy in front of each of several servers.
    Proxies(Arc<ServerProxies>),
    /// Nothing.
    Direct,
}

impl Route {
    fn to(&self, server: Arc<dyn Server>, dialer: Dialer) -> Path {
        let proxy = match self {
            Route::Proxy(proxy) => Some(proxy.clone()),
            Route::Proxies(proxies) => proxies.of(&*server).map(|proxy| proxy as Arc<dyn ProxyControl>),
            Route::Direct => None,
        };
        // Of several servers that the drill did not start, each has a certificate of its own.
        let dialer = if server.is_ours() { dialer } else { dialer.for_host(server.url().host()) };
        Path::new(server, proxy, dialer)
    }
}

#[derive(Default)]
pub(super) struct Holds {
    pub down: HoldPerServer,
    pub hanging: HoldPerServer,
    pub dead: Arc<Hold>,
    pub stopped: Arc<Hold>,
    pub app_dead: HoldPerServer,
    pub app_stopped: HoldPerServer,
    pub locked: Hold,
    pub full: Hold,
    pub promoted: Hold,
}

/// Tracks which faults hold something of each server.
#[derive(Default)]
pub(super) struct HoldPerServer(Mutex<HashMap<String, Arc<Hold>>>);

impl HoldPerServer {
    /// That of the server at the end of `path`.
    pub fn of(&self, path: &Path) -> Arc<Hold> {
        self.at(path.server().url().address())
    }

    /// That of whatever listens at `address`.
    pub fn at(&self, address: String) -> Arc<Hold> {
        self.0.lock().entry(address).or_default().clone()
    }
}

impl FaultContext {
    /// The context of faults on `lab`, which the load reaches through `proxy`.
    ///
    /// # Errors
    /// [`Mismatch::TlsSetup`](crate::lab::Mismatch::TlsSetup) if a TLS file cannot be used.
    pub fn new(lab: Arc<Lab>, proxy: Arc<dyn ProxyControl>) -> Result<Self, LabError> {
        Self::along(Route::Proxy(proxy), lab)
    }

    /// The context of faults on a `lab` of several servers, each of which announces the one of `proxies` in front of
    /// it.
    ///
    /// # Errors
    /// Same as [`FaultContext::new`].
    pub fn behind(lab: Arc<Lab>, proxies: Arc<ServerProxies>) -> Result<Self, LabError> {
        Self::along(Route::Proxies(proxies), lab)
    }

    /// The context of faults on a `lab` without a proxy.
    ///
    /// # Errors
    /// Same as [`FaultContext::new`].
    pub fn direct(lab: Arc<Lab>) -> Result<Self, LabError> {
        Self::along(Route::Direct, lab)
    }

    fn along(route: Route, lab: Arc<Lab>) -> Result<Self, LabError> {
        let dialer = Dialer::of(&lab.access().url)?;
        Ok(Self {
            apps: Vec::new(),
            path: Arc::new(route.to(lab.server().clone(), dialer.clone())),
            route,
            dialer,
            aimed: Arc::default(),
            holds: Arc::default(),
            upstream: Arc::default(),
            settings: Arc::new(Settings::new(lab.journal().cloned())),
            lockout: Arc::new(Lockout::new(lab.url(), lab.nonce())),
            paused: Arc::default(),
            presented: Arc::default(),
            names: Arc::default(),
            answers: Arc::default(),
            password: Arc::default(),
            hosts: None,
            in_memory: false,
            clock: Arc::default(),
            seed: 0,
            to: None,
            lab,
        })
    }

    /// Aims `fault` at the server that it names; without a name, at the one hit by an overlapping fault, or else at one
    /// that accepts writes now. Returns the load's path to it.
    ///
    /// # Errors
    /// Same as [`Lab::aim`], and [`FaultError::NoServer`] if there is no such server.
    pub(super) async fn aim(&self, fault: u32) -> Result<Arc<Path>, FaultError> {
        let _turn = self.aimed.turn.lock().await;
        let path = match (self.to, self.aimed.by_another(fault)) {
            (Some(to), _) => Arc::new(self.route.to(self.named(to).await?, self.dialer.clone())),
            (None, Some(path)) => path,
            (None, None) => Arc::new(self.route.to(self.lab.aim().await?, self.dialer.clone())),
        };
        self.aimed.hold(fault, path.clone());
        Ok(path)
    }

    async fn named(&self, to: To) -> Result<Arc<dyn Server>, FaultError> {
        let (servers, leading) = (self.lab.servers(), self.lab.leading().await?);
        let at = match to {
            To::Number(number) => (number as usize).checked_sub(1),
            To::Role(role) => (0..servers.len()).find(|at| leading.contains(at) == (role == Role::Primary)),
        };
        let server = at.and_then(|at| servers.get(at));
        server.cloned().ok_or_else(|| FaultError::NoServer { to: to.to_string() })
    }

    /// Makes the proxies read the commands of connections opened from now on.
    ///
    /// # Errors
    /// [`FaultError::Unreadable`] if they cannot, [`FaultError::NoProxy`] if there is none.
    pub(super) fn read_commands(&self, fault: &'static str) -> Result<(), FaultError> {
        if self.path.is_tls() {
            let why = "over TLS the proxy sees no commands; drill on a redis:// URL, or without `on`".to_owned();
            return Err(FaultError::Unreadable { fault, why });
        }
        match &self.route {
            Route::Proxies(proxies) => proxies.read_commands(),
            _ => self.path.proxy()?.read_commands()?,
        }
        Ok(())
    }

    /// The context of a fault that names a server.
    pub(super) fn aimed_at(self, to: To) -> Self {
        Self { to: Some(to), ..self }
    }

    /// Adds the instances of the application that receives the load.
    pub fn with_apps(self, apps: &[Arc<AppProcess>]) -> Self {
        Self { apps: apps.to_vec(), ..self }
    }

    /// The context of a fault that names instances of the application.
    ///
    /// # Errors
    /// [`FaultError::NoServer`] if there is no such instance.
    pub(super) fn at_instances(self, to: &[To]) -> Result<Self, FaultError> {
        let named = |to: &To| match to {
            To::Number(number) => (*number as usize).checked_sub(1).and_then(|at| self.apps.get(at)).cloned(),
            To::Role(_) => None,
        };
        let missing = |to: &To| FaultError::NoServer { to: to.to_string() };
        let apps = to.iter().map(|to| named(to).ok_or_else(|| missing(to))).collect::<Result<_, _>>()?;
        Ok(Self { apps, ..self })
    }

    /// Adds the hosts file of the application, which usually leads to `address`.
    pub fn with_hosts(self, hosts: Option<Arc<OwnHosts>>, address: IpAddr) -> Self {
        Self { hosts: hosts.map(|hosts| (hosts, address)), ..self }
    }

    /// Sets whether the store keeps its sessions only in memory.
    pub fn with_store_in_memory(self, in_memory: bool) -> Self {
        Self { in_memory, ..self }
    }

    /// Sets the seed of all randomness.
    pub fn seeded(self, seed: u64) -> Self {
        Self { seed, ..self }
    }

    /// The store's clock, which clock faults move.
    pub fn clock(&self) -> Arc<StoreClock> {
        self.clock.clone()
    }

    /// How the store under test finds its Redis, which faults of names change.
    pub fn names(&self) -> Arc<StoreNames> {
        self.names.clone()
    }

    /// The password that the store under test connects with, which faults change.
    pub fn password(&self) -> Arc<StorePassword> {
        self.password.clone()
    }

    /// Sends `command` along the load's path on a connection opened like the load's own, and reads an answer of `lines`
    /// lines. The returned bytes may start with the answers to the login.
    pub(super) async fn ask(&self, command: &Cmd, lines: usize, within: Duration) -> (ProbeResult, Vec<u8>) {
        let mut requests = self.lab.access().url.login();
        let lines = lines + requests.len();
        requests.push(command.clone());
        let bytes: Vec<u8> = requests.iter().flat_map(Cmd::get_packed_command).collect();
        self.path.ask(&bytes, lines, within).await
    }
}

/// Where one fault of a scenario acts, and for how long.
pub struct Site {
    /// Its position in the scenario, from 0.
    pub(super) index: u32,
    /// How long it lasts.
    pub(super) lasting: Span,
    /// The connections and servers that it reaches.
    pub(super) reach: Reach,
    pub(super) context: FaultContext,
}
