//! What faults work on: the lab, the path to it, and what several faults may hold at the same time.

use std::sync::Arc;
use std::time::Duration;

use redis::Cmd;

use super::FaultError;
use super::aimed::Aimed;
use super::overlay::Hold;
use super::path::{Path, ProbeResult};
use super::paused::Paused;
use super::remote::Lockout;
use super::server_proxies::ServerProxies;
use super::settings::Settings;
use super::upstream::UpstreamOverride;
use crate::clock::StoreClock;
use crate::lab::{AppProcess, Dialer, Lab, LabError, Server};
use crate::proxy::ProxyControl;
use crate::units::Span;

/// The lab of one drill, the path through its proxy, and which fault keeps which server down.
#[derive(Clone)]
pub struct FaultContext {
    pub(super) lab: Arc<Lab>,
    /// The application, where one is drilled.
    pub(super) app: Option<Arc<AppProcess>>,
    /// The path to the first server, which is mostly the only one. A fault of one of several servers aims at its own.
    pub(super) path: Arc<Path>,
    route: Route,
    dialer: Dialer,
    pub(super) aimed: Arc<Aimed>,
    pub(super) holds: Arc<Holds>,
    /// Where the path leads instead.
    pub(super) upstream: Arc<UpstreamOverride>,
    /// What is changed on the server.
    pub(super) settings: Arc<Settings>,
    pub(super) lockout: Arc<Lockout>,
    pub(super) paused: Arc<Paused>,
    /// Whether the store under test lives in memory alone.
    pub(super) in_memory: bool,
    /// The clock of the store under test.
    pub(super) clock: Arc<StoreClock>,
    /// All randomness comes from this.
    pub(super) seed: u64,
}

/// What is between the load and the servers.
#[derive(Clone)]
enum Route {
    /// One proxy, before one server.
    Proxy(Arc<dyn ProxyControl>),
    /// A proxy before each of several servers.
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
        Path::new(server, proxy, dialer)
    }
}

#[derive(Default)]
pub(super) struct Holds {
    pub down: Hold,
    pub dead: Hold,
    pub stopped: Hold,
    pub app_dead: Hold,
    pub app_stopped: Hold,
    pub locked: Hold,
    pub full: Hold,
}

impl FaultContext {
    /// Faults on `lab`, which the load reaches through `proxy`.
    ///
    /// # Errors
    /// [`Mismatch::TlsSetup`](crate::lab::Mismatch::TlsSetup) where a file for it cannot be used.
    pub fn new(lab: Arc<Lab>, proxy: Arc<dyn ProxyControl>) -> Result<Self, LabError> {
        Self::along(Route::Proxy(proxy), lab)
    }

    /// Faults on a `lab` of several servers, each of which announces the one of `proxies` in front of it.
    ///
    /// # Errors
    /// As [`FaultContext::new`].
    pub fn behind(lab: Arc<Lab>, proxies: Arc<ServerProxies>) -> Result<Self, LabError> {
        Self::along(Route::Proxies(proxies), lab)
    }

    /// Faults on a `lab` without a proxy.
    ///
    /// # Errors
    /// As [`FaultContext::new`].
    pub fn direct(lab: Arc<Lab>) -> Result<Self, LabError> {
        Self::along(Route::Direct, lab)
    }

    fn along(route: Route, lab: Arc<Lab>) -> Result<Self, LabError> {
        let dialer = Dialer::of(&lab.access().url)?;
        Ok(Self {
            app: None,
            path: Arc::new(route.to(lab.server().clone(), dialer.clone())),
            route,
            dialer,
            aimed: Arc::default(),
            holds: Arc::default(),
            upstream: Arc::default(),
            settings: Arc::new(Settings::new(lab.journal().cloned())),
            lockout: Arc::new(Lockout::new(lab.url(), lab.nonce())),
            paused: Arc::default(),
            in_memory: false,
            clock: Arc::default(),
            seed: 0,
            lab,
        })
    }

    /// Aims `fault`: at what an overlapping fault hits, else at a server that takes writes now. The path of the load to it.
    ///
    /// # Errors
    /// As [`Lab::aim`].
    pub(super) async fn aim(&self, fault: u32) -> Result<Arc<Path>, FaultError> {
        let _turn = self.aimed.turn.lock().await;
        let path = match self.aimed.by_another(fault) {
            Some(path) => path,
            None => Arc::new(self.route.to(self.lab.aim().await?, self.dialer.clone())),
        };
        self.aimed.hold(fault, path.clone());
        Ok(path)
    }

    /// Lets the proxies read the commands of connections that are opened from now on.
    ///
    /// # Errors
    /// [`FaultError::Unreadable`] where they cannot, [`FaultError::NoProxy`] if there is none.
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

    /// The same, and the application that the load goes to, if there is one.
    pub fn with_app(self, app: Option<Arc<AppProcess>>) -> Self {
        Self { app, ..self }
    }

    /// The same for a store that lives in memory alone, or not.
    pub fn with_store_in_memory(self, in_memory: bool) -> Self {
        Self { in_memory, ..self }
    }

    /// The same, with all randomness from `seed`.
    pub fn seeded(self, seed: u64) -> Self {
        Self { seed, ..self }
    }

    /// The clock for the store: clock faults move it.
    pub fn clock(&self) -> Arc<StoreClock> {
        self.clock.clone()
    }

    /// Sends `command` along the path of the load, as the load's own connections would be opened, and reads an answer of
    /// so many `lines`. What has come may hold the answers to the login in front.
    pub(super) async fn ask(&self, command: &Cmd, lines: usize, within: Duration) -> (ProbeResult, Vec<u8>) {
        let mut requests = self.path.server().url().login();
        let lines = lines + requests.len();
        requests.push(command.clone());
        let bytes: Vec<u8> = requests.iter().flat_map(Cmd::get_packed_command).collect();
        self.path.ask(&bytes, lines, within).await
    }
}

/// Where one fault of a scenario works, and for how long.
pub struct Site {
    /// Its position in the scenario, from 0.
    pub(super) index: u32,
    /// How long it lasts.
    pub(super) lasting: Span,
    pub(super) context: FaultContext,
}
