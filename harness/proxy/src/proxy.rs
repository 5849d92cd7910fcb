//! One proxy: a port, the server behind it, and the toxics on its links.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use firedrill_timer::Timer;
use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use super::command::{Armed, Trigger, TriggerStats};
use super::descriptors::{limit_and_reserve, ran_out};
use super::error::ProxyError;
use super::hang::HangOrder;
use super::listener::{Reservation, serve};
use super::place::{EXPOSED, Place, is_exposed};
use super::shared::Shared;
use super::snapshot::{Active, Snapshots};
use super::stats::{ProxyStats, ToxicReach};
use super::toxic::{ToxicChange, ToxicSpec};
use crate::listening::Listening;

/// A proxy in front of one server, created by [`ProxyServer::create`](super::ProxyServer::create).
///
/// Every call that changes something returns once the change is active on every open connection, and never waits for a
/// client or a server.
pub struct Proxy {
    name: String,
    runtime: Handle,
    shared: Arc<Shared>,
    face: Mutex<Face>,
    /// Locked during a change: changes happen one at a time.
    works: tokio::sync::Mutex<Works>,
}

/// The public state of a proxy.
struct Face {
    listen: Place,
    enabled: bool,
}

struct Works {
    snapshots: Snapshots,
    /// Taken when the proxy first comes up, and kept while it is down.
    port: Option<Reservation>,
    running: Option<Running>,
    /// Whether connecting hangs while the proxy is up.
    hanging: bool,
}

struct Running {
    stop: oneshot::Sender<()>,
    hangs: mpsc::Sender<HangOrder>,
    task: JoinHandle<()>,
}

/// Changes to a proxy, with an address that may be a client's text; `None` leaves a setting as it is.
pub(crate) struct Change {
    pub listen: Option<Place>,
    pub upstream: Option<String>,
    pub enabled: Option<bool>,
}

impl From<ProxyChange> for Change {
    fn from(ProxyChange { listen, upstream, enabled }: ProxyChange) -> Self {
        Self { listen: listen.map(Place::from), upstream, enabled }
    }
}

/// Changes to a proxy; `None` leaves a setting as it is.
#[derive(Debug, Clone, Default)]
pub struct ProxyChange {
    /// The address that clients connect to.
    pub listen: Option<SocketAddr>,
    /// The server behind the proxy, host:port.
    pub upstream: Option<String>,
    /// Whether the proxy is up.
    pub enabled: Option<bool>,
}

impl Proxy {
    pub(super) fn new(name: String, listen: Place, upstream: String, runtime: Handle, timer: Timer, seed: u64) -> Self {
        let snapshots = Snapshots::new();
        let shared = Shared {
            seed,
            upstream: Mutex::new(upstream.into()),
            numbers: AtomicU64::new(0),
            counters: Arc::default(),
            uncounted: Arc::default(),
            probes: Mutex::default(),
            timer,
            reads_commands: AtomicBool::new(false),
            snapshots: snapshots.follow(),
        };
        Self {
            name,
            runtime,
            shared: Arc::new(shared),
            face: Mutex::new(Face { listen, enabled: false }),
            works: tokio::sync::Mutex::new(Works { snapshots, port: None, running: None, hanging: false }),
        }
    }

    /// Its name, unique on its server.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The address that clients connect to. Port 0 becomes the actual port once the proxy has been up.
    pub fn listen_addr(&self) -> SocketAddr {
        self.face.lock().listen.addr
    }

    /// Where clients connect, as Toxiproxy's API shows it.
    pub(crate) fn place(&self) -> Place {
        self.face.lock().listen.clone()
    }

    /// The server behind it, host:port.
    pub fn upstream(&self) -> Arc<str> {
        self.shared.upstream.lock().clone()
    }

    /// Whether it is up.
    pub fn enabled(&self) -> bool {
        self.face.lock().enabled
    }

    /// Leaves the next connection from `address` out of the counters. A client that watches the proxy binds its socket,
    /// announces its address here, and only then connects.
    pub fn expect_probe(&self, address: SocketAddr) {
        self.shared.probes.lock().insert(address);
    }

    /// Withdraws an announced probe that could not connect.
    pub fn forget_probe(&self, address: SocketAddr) {
        self.shared.probes.lock().remove(&address);
    }

    /// Its counters since its creation, without probes.
    pub fn stats(&self) -> ProxyStats {
        self.shared.counters.read()
    }

    /// Its toxics, in the order in which they apply.
    pub fn toxics(&self) -> Vec<ToxicSpec> {
        self.shared.snapshots.borrow().toxics.iter().map(|active| active.spec.clone()).collect()
    }

    /// The toxic called `name`.
    ///
    /// # Errors
    /// [`ProxyError::NoToxic`].
    pub fn toxic(&self, name: &str) -> Result<ToxicSpec, ProxyError> {
        self.toxics().into_iter().find(|toxic| toxic.name == name).ok_or_else(|| ProxyError::NoToxic(name.to_owned()))
    }

    /// How many of the clients' connections a toxic has affected and spared; `None` if it affects all, or does not exist.
    pub fn toxic_reach(&self, name: &str) -> Option<ToxicReach> {
        self.shared.snapshots.borrow().toxics.iter().find(|active| active.spec.name == name)?.reach()
    }

    /// Takes the proxy down (closes the port, so that clients are refused, and cuts open connections) or brings it up
    /// again on the same port.
    ///
    /// # Errors
    /// [`ProxyError::Listen`] if the port cannot be opened, [`ProxyError::Stopped`] if the server is gone.
    pub async fn set_enabled(&self, enabled: bool) -> Result<(), ProxyError> {
        self.update(ProxyChange { enabled: Some(enabled), ..ProxyChange::default() }).await
    }

    /// Changes address, upstream or state. A new address or upstream cuts the open connections.
    ///
    /// # Errors
    /// Same as [`Proxy::set_enabled`]; the proxy is then down.
    pub async fn update(&self, change: ProxyChange) -> Result<(), ProxyError> {
        self.change(change.into()).await
    }

    /// As [`Proxy::update`].
    pub(crate) async fn change(&self, change: Change) -> Result<(), ProxyError> {
        let mut works = self.works.lock().await;
        let enable = change.enabled.unwrap_or(self.enabled());
        let moves = change.listen.as_ref().is_some_and(|listen| moves(&self.place(), listen));
        let turns = change.upstream.as_ref().is_some_and(|upstream| **upstream != *self.upstream());
        if moves || turns || !enable {
            self.stop(&mut works).await;
        }
        if moves {
            works.port = None;
        }
        {
            let mut face = self.face.lock();
            if let Some(listen) = change.listen.filter(|_| moves) {
                face.listen = listen;
            }
        }
        if let Some(upstream) = change.upstream {
            *self.shared.upstream.lock() = upstream.into();
        }
        if enable { self.start(&mut works).await } else { Ok(()) }
    }

    /// Puts another server, host:port, behind it for new connections, as when the address behind a name changes. Open
    /// connections stay with the previous one.
    pub async fn redirect(&self, upstream: &str) {
        let _works = self.works.lock().await;
        *self.shared.upstream.lock() = upstream.into();
    }

    /// Adds a toxic after the existing ones.
    ///
    /// # Errors
    /// If a toxic with this name exists, or the attributes are invalid.
    pub async fn add_toxic(&self, spec: ToxicSpec) -> Result<(), ProxyError> {
        spec.toxic.check()?;
        let mut works = self.works.lock().await;
        let mut toxics = works.snapshots.toxics();
        if toxics.iter().any(|active| active.spec.name == spec.name) {
            return Err(ProxyError::ToxicExists(spec.name));
        }
        let next = self.shared.numbers.load(Relaxed);
        toxics.push(works.snapshots.admit(spec, next));
        works.snapshots.replace(toxics).await;
        Ok(())
    }

    /// Changes some attributes, or the toxicity, of a toxic, which keeps what it holds on open connections.
    ///
    /// # Errors
    /// If there is no such toxic, or the attributes are invalid.
    pub async fn update_toxic(&self, name: &str, change: ToxicChange) -> Result<ToxicSpec, ProxyError> {
        let mut works = self.works.lock().await;
        let mut toxics = works.snapshots.toxics();
        let spec = &mut find(&mut toxics, name)?.spec;
        spec.toxic = spec.toxic.changed(change.attributes)?;
        spec.toxicity = change.toxicity.unwrap_or(spec.toxicity);
        let changed = spec.clone();
        works.snapshots.replace(toxics).await;
        Ok(changed)
    }

    /// Removes a toxic. Data that it held is forwarded immediately; a `timeout` toxic, which holds nothing, closes the
    /// connections it applied to.
    ///
    /// # Errors
    /// [`ProxyError::NoToxic`].
    pub async fn remove_toxic(&self, name: &str) -> Result<(), ProxyError> {
        let mut works = self.works.lock().await;
        let mut toxics = works.snapshots.toxics();
        let serial = find(&mut toxics, name)?.serial;
        toxics.retain(|active| active.serial != serial);
        works.snapshots.replace(toxics).await;
        Ok(())
    }

    /// Reads the commands of connections opened from now on, so that [`Proxy::add_trigger`] can match them. Reading
    /// takes time; connections of other proxies pay nothing.
    pub fn read_commands(&self) {
        self.shared.reads_commands.store(true, Relaxed);
    }

    /// Adds a trigger to every connection that is read, and returns the trigger's number.
    pub async fn add_trigger(&self, trigger: Trigger) -> u64 {
        let mut works = self.works.lock().await;
        let serial = works.snapshots.number();
        let mut triggers = works.snapshots.triggers();
        triggers.push(Arc::new(Armed::new(serial, trigger, self.shared.seed ^ serial)));
        works.snapshots.trigger(triggers).await;
        serial
    }

    /// What a trigger has done so far; `None` if it does not exist.
    pub fn trigger_stats(&self, number: u64) -> Option<TriggerStats> {
        self.shared.snapshots.borrow().triggers.iter().find(|armed| armed.serial == number).map(|armed| armed.stats())
    }

    /// Removes a trigger, if it exists: data that it held is forwarded, and the connections that it silenced are
    /// closed.
    pub async fn remove_trigger(&self, number: u64) {
        let mut works = self.works.lock().await;
        let mut triggers = works.snapshots.triggers();
        triggers.retain(|armed| armed.serial != number);
        works.snapshots.trigger(triggers).await;
    }

    /// Closes the connections that are open or being opened, but keeps accepting new ones. Returns once each of them
    /// has been notified.
    pub async fn cut(&self) {
        let mut works = self.works.lock().await;
        works.snapshots.cut().await;
    }

    /// Makes connecting hang, so that it neither succeeds nor is refused, or lets clients connect again. Open connections
    /// go on. While the proxy is down, clients are refused.
    ///
    /// # Errors
    /// [`ProxyError::Hang`] if the accept queue cannot be filled, [`ProxyError::Stopped`] if the server is gone.
    pub async fn set_hanging(&self, hanging: bool) -> Result<(), ProxyError> {
        let mut works = self.works.lock().await;
        works.hanging = hanging;
        self.order_hang(&works).await
    }

    /// Brings the proxy up, lets clients connect and removes all its toxics.
    ///
    /// # Errors
    /// Same as [`Proxy::set_enabled`].
    pub async fn reset(&self) -> Result<(), ProxyError> {
        let mut works = self.works.lock().await;
        if std::mem::take(&mut works.hanging) {
            self.order_hang(&works).await?;
        }
        self.start(&mut works).await?;
        if !works.snapshots.toxics().is_empty() {
            works.snapshots.replace(Vec::new()).await;
        }
        Ok(())
    }

    /// Takes the proxy down and releases its port.
    pub(super) async fn retire(&self) {
        let mut works = self.works.lock().await;
        self.stop(&mut works).await;
        works.port = None;
    }

    async fn start(&self, works: &mut Works) -> Result<(), ProxyError> {
        if works.running.is_some() {
            return Ok(());
        }
        let address = match &works.port {
            Some(port) => port.addr(),
            None => self.place().resolved().await?,
        };
        let failed = |source: io::Error| {
            if ran_out(&source) {
                let (limit, reserve) = limit_and_reserve();
                return ProxyError::Descriptors { limit, reserve };
            }
            ProxyError::Listen { address: address.to_string(), source }
        };
        let port = match &mut works.port {
            Some(port) => port,
            port => {
                let taken = Reservation::take(address).map_err(failed)?;
                if is_exposed(taken.addr()) {
                    tracing::warn!(
                        target: EXPOSED,
                        "the proxy \"{}\" listens on all interfaces, IPv4 and IPv6, as it was asked to: {}",
                        self.name,
                        taken.addr()
                    );
                }
                port.insert(taken)
            }
        };
        let open = port.listen().map_err(failed)?;
        let listener = {
            let _runtime = self.runtime.enter();
            Listening::on(open).map_err(|_| ProxyError::Stopped)?
        };
        let (stop, stopped) = oneshot::channel();
        let (hangs, orders) = mpsc::channel(1);
        let task = self.runtime.spawn(serve(listener, self.shared.clone(), orders, stopped));
        works.running = Some(Running { stop, hangs, task });
        {
            let mut face = self.face.lock();
            face.listen = port.addr().into();
            face.enabled = true;
        }
        if works.hanging { self.order_hang(works).await } else { Ok(()) }
    }

    /// Tells a running accept loop whether connecting hangs, and waits until it is so.
    async fn order_hang(&self, works: &Works) -> Result<(), ProxyError> {
        let Some(running) = &works.running else { return Ok(()) };
        let (done, obeyed) = oneshot::channel();
        running.hangs.send(HangOrder { hang: works.hanging, done }).await.map_err(|_| ProxyError::Stopped)?;
        let obeyed = obeyed.await.map_err(|_| ProxyError::Stopped)?;
        obeyed.map_err(|source| ProxyError::Hang { address: self.listen_addr(), source })
    }

    async fn stop(&self, works: &mut Works) {
        self.face.lock().enabled = false;
        if let Some(Running { stop, task, .. }) = works.running.take() {
            // Either call may find the other side gone: the proxy's thread has then ended, and everything is already
            // closed.
            let _ = stop.send(());
            let _ = task.await;
            if let Some(port) = &mut works.port {
                port.prepare();
            }
            // An announced client that has not connected by now never will.
            self.shared.probes.lock().clear();
        }
    }
}

impl std::fmt::Debug for Proxy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Proxy").field("name", &self.name).field("listen", &self.listen_addr()).finish_non_exhaustive()
    }
}

/// Whether a proxy at `from` that is to listen at `to` must change something.
fn moves(from: &Place, to: &Place) -> bool {
    // What nobody has resolved yet is compared as it was written.
    to.addr != from.addr || (from.text.is_some() && to.text.is_some() && from.text != to.text)
}

fn find<'a>(toxics: &'a mut [Active], name: &str) -> Result<&'a mut Active, ProxyError> {
    toxics.iter_mut().find(|active| active.spec.name == name).ok_or_else(|| ProxyError::NoToxic(name.to_owned()))
}
