//! One of each topology, shared by every test without faults. Each is started by its own thread, which never ends,
//! because the servers die with the thread that started them.

use std::sync::OnceLock;
use std::time::Duration;

use firedrill_storage::{Deployment, StoreBuilder, TlsOptions};

use crate::cluster::ClusterLab;
use crate::sentinel::SentinelLab;
use crate::support::RedisServer;
use crate::tls::TlsServer;

/// However busy the machine is, no server is considered down.
const NEVER: Duration = Duration::from_secs(600);

/// Settings for the shared server.
pub fn standalone() -> StoreBuilder {
    static LAB: OnceLock<String> = OnceLock::new();
    let url = LAB.get_or_init(|| {
        stay(async || {
            let server = RedisServer::start();
            (server.url(), server)
        })
    });
    StoreBuilder::new(url)
}

/// Settings for the shared server with a certificate.
pub fn tls() -> StoreBuilder {
    static LAB: OnceLock<(String, TlsOptions)> = OnceLock::new();
    let (url, tls) = LAB.get_or_init(|| {
        stay(async || {
            let lab = TlsServer::start();
            ((lab.url(), lab.authority.options()), lab)
        })
    });
    StoreBuilder { tls: tls.clone(), ..StoreBuilder::new(url) }
}

/// Settings for the shared Sentinel deployment.
pub fn sentinel() -> StoreBuilder {
    static LAB: OnceLock<(String, Deployment)> = OnceLock::new();
    let (url, deployment) = LAB.get_or_init(|| {
        stay(async || {
            let lab = SentinelLab::start(NEVER).await;
            ((lab.url(), lab.deployment()), lab)
        })
    });
    StoreBuilder { deployment: deployment.clone(), ..StoreBuilder::new(url) }
}

/// Settings for the shared cluster.
pub fn cluster() -> StoreBuilder {
    static LAB: OnceLock<String> = OnceLock::new();
    let url = LAB.get_or_init(|| {
        stay(async || {
            let lab = ClusterLab::start(0, NEVER).await;
            (lab.url(), lab)
        })
    });
    StoreBuilder { deployment: Deployment::Cluster { nodes: vec![] }, ..StoreBuilder::new(url) }
}

/// Starts a lab on a thread that keeps it.
fn stay<T: Send + 'static, L>(start: impl AsyncFnOnce() -> (T, L) + Send + 'static) -> T {
    let (told, hear) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (address, _lab) = runtime.block_on(start());
        told.send(address).unwrap();
        loop {
            std::thread::park();
        }
    });
    hear.recv().unwrap()
}
