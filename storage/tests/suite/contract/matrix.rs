//! Every policy that uses Redis × plain or encrypted × every deployment of Redis. Each combination is one test that
//! checks all promises concurrently, each with its own store and prefix on shared servers.

use std::pin::Pin;

use firedrill_storage::{BuiltStore, Policy, SessionId, StoreBuilder, TriviaSession};
use tokio::task::LocalSet;

use crate::contract_cases as cases;
use crate::contract_cases::Store;
use crate::support::{PATIENCE, keyring};
use crate::topology;

pub type Promise = fn(Store) -> Pin<Box<dyn Future<Output = ()>>>;

macro_rules! table {
    ($($case:ident)+) => {
        /// The promises by name.
        pub const PROMISES: &[(&str, Promise)] = &[$((stringify!($case), |store| Box::pin(cases::$case(store)))),+];
    };
}

known!(table!(a_session_never_made_is_not_found));

macro_rules! matrix {
    ($($topology:ident)+) => { $( mod $topology {
        matrix!(@policies plain $topology false);
        matrix!(@policies encrypted $topology true);
    } )+ };
    (@policies $as:ident $topology:ident $encrypted:literal) => { pub mod $as {
        matrix!(@tests $topology $encrypted;
            fail_fast FailFast, degrade Degrade, drain Drain, read_only ReadOnly, silent_cache SilentCache, dual_write DualWrite);
    } };
    (@tests $topology:ident $encrypted:literal; $($name:ident $policy:ident),+) => {
        #[allow(dead_code, reason = "each part of the matrix has one, and two are looked at")]
        pub const POLICIES: &[&str] = &[$(stringify!($name)),+];
    $(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            use crate::contract::matrix::*;
            let settings = StoreBuilder { policy: Policy::$policy, ..topology::$topology() };
            keeps_every_promise(stringify!($topology), settings, $encrypted).await;
        }
    )+ };
}

matrix!(standalone tls sentinel cluster);

#[test]
fn every_policy_that_uses_redis_is_in_the_matrix() {
    let all = Policy::ALL.into_iter().filter(|policy| *policy != Policy::Memory);
    let all: Vec<_> = all.map(|policy| policy.name().replace('-', "_")).collect();
    assert_eq!(standalone::plain::POLICIES, all);
    assert_eq!(cluster::encrypted::POLICIES, all);
}

/// Checks all promises concurrently, and names each broken one.
async fn keeps_every_promise(topology: &str, settings: StoreBuilder, encrypted: bool) {
    let settings = StoreBuilder {
        keyring: encrypted.then(keyring),
        // A busy machine is no outage: a fallback must answer nothing here.
        command_timeout: PATIENCE,
        connect_timeout: PATIENCE,
        ..settings
    };
    let together = LocalSet::new();
    let running = PROMISES.iter().map(|(name, promise)| (name, together.spawn_local(keep(*promise, settings.clone()))));
    let running: Vec<_> = running.collect();
    together.await;
    let mut broken = Vec::new();
    for (name, promise) in running {
        if let Err(error) = promise.await {
            let said = error.into_panic().downcast::<String>();
            broken.push(format!("{name}: {}", said.map(|said| *said).unwrap_or_default()));
        }
    }
    let (policy, plain) = (settings.policy, if encrypted { "encrypted" } else { "plain" });
    assert!(broken.is_empty(), "{topology}, {plain}, {policy}: broken\n{}", broken.join("\n"));
}

async fn keep(promise: Promise, settings: StoreBuilder) {
    let settings = StoreBuilder { prefix: format!("{}:", SessionId::random()), ..settings };
    let built: BuiltStore<TriviaSession> = settings.build().unwrap();
    promise(built.store.clone()).await;
    assert_eq!(built.fallback_stats().served, 0, "memory kept the promise instead of Redis");
    assert_ne!(built.connections().opened, 0);
}
