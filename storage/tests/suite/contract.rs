//! The contract suite: every promise on every store, one test for each. [`matrix`] covers every policy on every
//! deployment of Redis, plain and encrypted.

use std::sync::Arc;

use firedrill_storage::{
    BreakerConfig, Conversation, MemoryConfig, MemoryStore, Policy, RedisStore, StoreBuilder, Switchable, TriviaSession,
};

use firedrill_storage_sim::network::SimNetwork;
use firedrill_storage_sim::redis::path::Path;
use firedrill_storage_sim::redis::server::Server;

use crate::contract_cases as cases;
use crate::contract_cases::Store;
use crate::sample::Sample;
use crate::support::RedisServer;

/// Calls a macro with the given tokens and the names of all promises, except those that require knowing other
/// processes' sessions.
macro_rules! known {
    ($with:ident!($($given:tt)*)) => { $with! { $($given)*
        a_created_session_is_read_as_it_was_written
        an_id_is_taken_once
        put_creates_and_overwrites_and_counts_versions
        update_writes_only_over_the_version_it_was_made_from
        appends_keep_their_order_and_count_versions
        an_append_moves_the_last_activity_on
        an_item_appended_twice_is_there_once
        concurrent_appends_are_all_kept
        of_concurrent_updates_from_one_version_one_wins
        a_destroyed_session_is_gone_and_no_late_write_brings_it_back
        an_id_can_be_used_again_after_destroy
        a_renamed_session_is_under_its_new_id_alone
        a_slow_write_does_not_bring_a_renamed_session_back
        a_session_does_not_get_the_id_of_another
        appends_beside_a_rename_are_kept_or_refused
        of_concurrent_renames_one_wins
        an_unused_session_expires
        every_use_lets_a_session_live_anew
        a_shorter_lifetime_counts_from_the_last_use
        count_counts_live_sessions
        a_users_sessions_are_listed_newest_first
        a_session_that_changes_hands_is_listed_for_its_new_user_only
        every_session_of_a_user_ends_but_the_excepted_one
        sessions_do_not_see_each_other
    } };
}

/// One test per promise. `$make` returns the store and whatever must live as long as it.
macro_rules! each {
    ($make:expr; $($case:ident)+) => { $(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $case() {
            let (store, _alive) = $make.await;
            cases::$case(store).await;
        }
    )+ };
}

/// One module per store.
macro_rules! contract {
    ($($store:ident: $make:expr;)+) => { $( mod $store { use super::*;
        known!(each!($make; a_session_never_made_is_not_found));
    } )+ };
}

contract! {
    memory: memory::<TriviaSession>();
    bounded_memory: bounded_memory();
    redis: redis::<TriviaSession>();
    conversation_in_memory: memory::<Conversation>();
    conversation_in_redis: redis::<Conversation>();
    forced_memory: policy(Policy::Memory);
    switchable_memory: switchable(Policy::Memory);
    switchable_redis: switchable(Policy::FailFast);
    simulated_redis: simulated();
    fail_fast_with_a_breaker: with_breaker();
    degrade_while_redis_is_away: away(Policy::Degrade);
    dual_write_while_redis_is_away: away(Policy::DualWrite);
}

pub mod matrix;

/// Under `drain`, while Redis is away, nobody knows whether a session exists that was not used here.
mod drain_while_redis_is_away {
    use super::*;
    known!(each!(away(Policy::Drain);));
}

async fn memory<D: Sample>() -> (Store<D>, ()) {
    (Arc::new(MemoryStore::<D>::default()), ())
}

async fn bounded_memory() -> (Store, ()) {
    let config = MemoryConfig { capacity: Some(5_000), ..MemoryConfig::default() };
    (Arc::new(MemoryStore::<TriviaSession>::new(config)), ())
}

async fn redis<D: Sample>() -> (Store<D>, RedisServer) {
    let server = RedisServer::start();
    (Arc::new(RedisStore::<D>::builder(&server.url()).build().unwrap()), server)
}

/// A simulated server instead of a real one.
async fn simulated() -> (Store, Server) {
    let server = Server::new(1);
    let network = SimNetwork(Path::new(&server, 1));
    let builder = StoreBuilder {
        policy: Policy::FailFast,
        network: Some(Arc::new(network)),
        ..StoreBuilder::new("redis://simulated")
    };
    (builder.build::<TriviaSession>().unwrap().store, server)
}

async fn policy(policy: Policy) -> (Store, RedisServer) {
    let server = RedisServer::start();
    let builder = StoreBuilder { policy, ..StoreBuilder::new(server.url()) };
    (builder.build::<TriviaSession>().unwrap().store, server)
}

async fn switchable(policy: Policy) -> (Store, (Switchable<TriviaSession>, RedisServer)) {
    let server = RedisServer::start();
    let builder = StoreBuilder { policy, ..StoreBuilder::new(server.url()) };
    let switchable = builder.build_switchable().unwrap();
    (switchable.store(), (switchable, server))
}

async fn with_breaker() -> (Store, RedisServer) {
    let server = RedisServer::start();
    let breaker = Some(BreakerConfig::default());
    let builder = StoreBuilder { policy: Policy::FailFast, breaker, ..StoreBuilder::new(server.url()) };
    (builder.build::<TriviaSession>().unwrap().store, server)
}

async fn away(away: Policy) -> (Store, RedisServer) {
    let (store, mut server) = policy(away).await;
    server.kill();
    (store, server)
}
