//! Drills `tower-sessions` with its published Redis store: what do concurrent requests of one session lose?
use std::{collections::HashMap, time::Duration};

use firedrill::prelude::*;
use tower_sessions::session::{Id, Record};
use tower_sessions::{SessionStore, session_store};
use tower_sessions_redis_store::RedisStore;
use tower_sessions_redis_store::fred::prelude::{Builder, ClientLike, Config, Error, Pool, ReconnectPolicy};

#[derive(Clone)]
pub(crate) struct Tower(RedisStore<Pool>, Duration);

pub(crate) async fn connect(site: Site) -> Result<Tower, Error> {
    let mut builder = Builder::from_config(Config::from_url(site.redis_url())?);
    builder.with_performance_config(|config| config.default_command_timeout = Duration::from_millis(500));
    let pool = builder.set_policy(ReconnectPolicy::new_constant(0, 100)).build_pool(4)?;
    pool.init().await?;
    Ok(Tower(RedisStore::new(pool), site.ttl()))
}

/// What a request does with its session: reads it, changes it, writes it back. Returns whether it was there.
async fn request(Tower(store, ttl): &Tower, op: &Operation, seen: &mut Observation) -> session_store::Result<bool> {
    let (id, expiry_date) = (Id(i128::from(op.session)), time::OffsetDateTime::now_utc() + *ttl);
    if op.kind == OpKind::Create {
        return store.create(&mut Record { id, data: HashMap::new(), expiry_date }).await.map(|()| true);
    }
    let Some(mut record) = store.load(&id).await? else { return Ok(false) };
    let items = record.data.get("items").and_then(|items| items.as_array()).into_iter().flatten();
    seen.tokens.extend(items.filter_map(|item| item.as_u64()));
    if op.kind == OpKind::Append {
        seen.tokens.push(op.token());
        record.data.insert("items".to_owned(), seen.tokens.drain(..).collect());
        store.save(&Record { expiry_date, ..record }).await?;
    }
    Ok(true)
}

impl Target for Tower {
    type Client = Self;
    const OPERATIONS: &'static [OpKind] = &[OpKind::Create, OpKind::Read, OpKind::Append];
    const ABILITIES: &'static [Ability] = &[Ability::Expiry];
    fn client(&self) -> Self {
        self.clone()
    }
}

impl Client for Tower {
    async fn execute(&mut self, op: &Operation, seen: &mut Observation) -> Outcome {
        match request(self, op, seen).await {
            Ok(there) => seen.answered(there),
            Err(_) => seen.unknown(Cause::Unreachable),
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), DrillError> {
    let drill = Drill::shipped("concurrent-writes").set("store.sliding", false).target(connect);
    drill.run().await.map(|report| println!("{report}"))
}
