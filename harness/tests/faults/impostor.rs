//! `proxy.impostor` on a real Redis behind TLS: a client that verifies certificates sends the impostor nothing and
//! reconnects when it is gone; a client that does not verify sends it everything.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use firedrill::fault::{Fault, FaultContext, FaultSpec, Impact, Impostor};
use firedrill::lab::{Lab, ManagedConfig, Topology};
use firedrill::proxy::{Proxy, ProxyServer};
use firedrill::relay::tls;
use firedrill::units::Span;
use firedrill_storage::{AppendStore, Policy, SessionId, StoreBuilder, TriviaSession};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

/// Longer than any wait in a test takes on a busy machine.
const DEADLINE: Duration = Duration::from_secs(60);

const HOUR: Duration = Duration::from_secs(3_600);

struct Ground {
    lab: Arc<Lab>,
    proxy: Arc<Proxy>,
    context: FaultContext,
    _server: ProxyServer,
}

impl Ground {
    async fn new(topology: Topology) -> Self {
        let lab = Arc::new(Lab::in_topology(topology, &ManagedConfig::default()).await.unwrap());
        let server = ProxyServer::start(1).unwrap();
        let proxy = server.create("redis", "127.0.0.1:0".parse().unwrap(), lab.upstream(), true).await.unwrap();
        let context = FaultContext::new(lab.clone(), proxy.clone()).unwrap();
        Self { lab, proxy, context, _server: server }
    }

    fn impostors(&self, how_many: usize) -> Vec<Arc<dyn Fault>> {
        let spec = FaultSpec::once(Impostor {}, Span::secs(0), Span::secs(1));
        self.context.build(&vec![spec; how_many]).unwrap()
    }

    /// Whether the path leads to Redis itself.
    fn is_straight(&self) -> bool {
        *self.proxy.upstream() == *self.lab.upstream()
    }
}

/// A sound store under `fail-fast` that keeps reading a session. Ends with this value.
struct Asker {
    served: Arc<AtomicU64>,
    refused: Arc<AtomicU64>,
    task: JoinHandle<()>,
}

impl Asker {
    /// Returns once it has been served.
    async fn on(ground: &Ground) -> Self {
        let access = ground.lab.access().through(ground.proxy.listen_addr()).unwrap();
        let builder = StoreBuilder {
            prefix: format!("{}session:", ground.lab.prefix()),
            policy: Policy::FailFast,
            tls: access.url.tls().clone(),
            ..StoreBuilder::new(access.url.expose())
        };
        let store: Arc<dyn AppendStore<TriviaSession>> = builder.build().unwrap().store;
        let (served, refused) = (Arc::<AtomicU64>::default(), Arc::<AtomicU64>::default());
        let counters = (served.clone(), refused.clone());
        let task = tokio::spawn(async move {
            let id = SessionId::new("asked-for").unwrap();
            loop {
                let counter = if store.get(&id, HOUR).await.is_ok() { &counters.0 } else { &counters.1 };
                counter.fetch_add(1, Relaxed);
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        });
        let asker = Self { served, refused, task };
        more(&asker.served).await;
        asker
    }
}

impl Drop for Asker {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Waits until `counter` has grown a little.
async fn more(counter: &AtomicU64) {
    let (goal, until) = (counter.load(Relaxed) + 5, Instant::now() + DEADLINE);
    while counter.load(Relaxed) < goal {
        assert!(Instant::now() < until, "it never happened again");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Waits for the evidence.
async fn impact(fault: &dyn Fault) -> Impact {
    let until = Instant::now() + DEADLINE;
    loop {
        let impact = fault.impact(Duration::from_millis(500)).await;
        if impact.bit || Instant::now() > until {
            return impact;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_store_that_verifies_has_no_redis_and_tells_the_impostor_nothing() {
    let ground = Ground::new(Topology::Tls).await;
    let asker = Asker::on(&ground).await;
    let fault = ground.impostors(1).remove(0);
    fault.inject().await.unwrap();
    assert!(!ground.is_straight());
    more(&asker.refused).await;
    let Impact { bit, evidence } = impact(&*fault).await;
    assert!(bit, "{evidence}");
    assert!(evidence.starts_with("a probe refused the certificate of another authority; "), "{evidence}");
    let served = asker.served.load(Relaxed);
    more(&asker.refused).await;
    assert_eq!(asker.served.load(Relaxed), served);
    let damage = fault.damage().unwrap();
    assert!(damage.ends_with("refused the impostor, none trusted it") && !damage.starts_with('0'), "{damage}");
    fault.heal().await.unwrap();
    assert!(ground.is_straight());
    more(&asker.served).await;
    assert_eq!(fault.trusted(), Some(0));
}

#[tokio::test]
async fn a_client_that_does_not_verify_is_served_and_heard() {
    let ground = Ground::new(Topology::Tls).await;
    let fault = ground.impostors(1).remove(0);
    fault.inject().await.unwrap();
    let access = ground.lab.access();
    let stream = TcpStream::connect(ground.proxy.listen_addr()).await.unwrap();
    let mut stream = tls::unverifying().unwrap().connect(tls::name("127.0.0.1").unwrap(), stream).await.unwrap();
    let key = format!("{}told", ground.lab.prefix());
    let mut said: Vec<u8> = access.url.login().iter().flat_map(redis::Cmd::get_packed_command).collect();
    said.extend(redis::cmd("SET").arg(&key).arg("secret").get_packed_command());
    stream.write_all(&said).await.unwrap();
    let mut answer = [0; 10];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"+OK\r\n+OK\r\n");
    // Redis itself executed the command.
    let value: String = ground.lab.admin().query(redis::cmd("GET").arg(&key)).await.unwrap();
    assert_eq!(value, "secret");
    assert_eq!(fault.trusted(), Some(1));
    assert_eq!(
        fault.damage().unwrap(),
        format!("0 connections refused the impostor, 1 trusted it and sent it {} B", said.len())
    );
    // No connection stays with an impostor that is gone.
    fault.heal().await.unwrap();
    assert_eq!(stream.read(&mut answer).await.unwrap_or(0), 0);
    assert_eq!(fault.trusted(), Some(1));
}

#[tokio::test]
async fn of_two_that_overlap_the_last_one_ends_it() {
    let ground = Ground::new(Topology::Tls).await;
    let asker = Asker::on(&ground).await;
    for first in [0, 1] {
        let faults = ground.impostors(2);
        faults[0].inject().await.unwrap();
        faults[1].inject().await.unwrap();
        faults[first].heal().await.unwrap();
        assert!(!ground.is_straight());
        more(&asker.refused).await;
        let left = impact(&*faults[1 - first]).await;
        assert!(left.bit, "{}", left.evidence);
        faults[1 - first].heal().await.unwrap();
        assert!(ground.is_straight());
        more(&asker.served).await;
        faults[first].heal().await.unwrap();
        assert!(ground.is_straight(), "healing twice does no harm");
    }
}

#[tokio::test]
async fn it_has_no_impact_without_load() {
    let ground = Ground::new(Topology::Tls).await;
    let fault = ground.impostors(1).remove(0);
    fault.inject().await.unwrap();
    let Impact { bit, evidence } = fault.impact(DEADLINE).await;
    assert!(!bit, "{evidence}");
    assert!(evidence.ends_with("the load never came this way"), "{evidence}");
    fault.heal().await.unwrap();
}

#[tokio::test]
async fn it_is_refused_where_there_is_no_tls() {
    let ground = Ground::new(Topology::Standalone).await;
    let spec = FaultSpec::once(Impostor {}, Span::secs(0), Span::secs(1));
    let error = ground.context.build(&[spec]).err().unwrap();
    let expected = "proxy.impostor is not available under lab.topology = \"standalone\": docs/labs.md lists what is";
    assert_eq!(error.to_string(), expected);
}
