//! The toxics of a proxy, as its connections see them. A snapshot is never changed, only replaced, and the caller can
//! wait until every open connection has dropped the old one.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Arc;

use parking_lot::Mutex;
use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;
use tokio::sync::{mpsc, watch};

use super::command::Armed;
use super::stats::ToxicReach;
use super::toxic::{Connections, ToxicSpec};

/// A toxic with a number that distinguishes it from an earlier one of the same name.
#[derive(Debug, Clone)]
pub(crate) struct Active {
    pub serial: u64,
    pub spec: ToxicSpec,
    /// The number of the first connection accepted after it was added.
    next: u64,
    /// Whether it affects each of the clients' connections that met it, by number; kept only if it may spare some.
    met: Arc<Mutex<HashMap<u64, bool>>>,
}

impl Active {
    /// The toxic `spec` with its number; `next` is the number of the next connection to be accepted.
    pub fn new(serial: u64, spec: ToxicSpec, next: u64) -> Self {
        Self { serial, spec, next, met: Arc::default() }
    }

    /// The randomness of this toxic on one connection: the same in every run with the same seed.
    fn rng(&self, seed: u64, connection: u64) -> Xoshiro256PlusPlus {
        let mut root = Xoshiro256PlusPlus::seed_from_u64(seed ^ connection.rotate_left(32));
        Xoshiro256PlusPlus::seed_from_u64(root.random::<u64>() ^ self.serial)
    }

    /// Whether this toxic applies to a connection, and with which randomness. The draw happens once, so a higher
    /// toxicity adds connections and keeps those already affected.
    pub fn takes(&self, seed: u64, connection: u64) -> Option<Xoshiro256PlusPlus> {
        let drawn = self.place(seed, connection) < f64::from(self.spec.toxicity);
        let meant = match self.spec.connections {
            Connections::All => true,
            Connections::Open => connection < self.next,
            Connections::New => connection >= self.next,
        };
        (drawn && meant).then(|| self.rng(seed, connection))
    }

    /// The place of a connection in 0.0..1.0: the seed draws where the sequence begins, and each next connection lies a
    /// golden section further. So a few connections in a row are spread evenly, where independent draws would spare (or
    /// take) all five of them now and then.
    fn place(&self, seed: u64, connection: u64) -> f64 {
        /// 2^64 divided by the golden ratio (Knuth, The Art of Computer Programming, vol. 3, 6.4).
        const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;
        let begin = self.rng(seed, 0).random::<u64>();
        let place = begin.wrapping_add(connection.wrapping_mul(GOLDEN));
        // As many bits as a double has.
        (place >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Counts a client's connection as affected or spared, once.
    pub fn meet(&self, connection: u64, affected: bool) {
        if self.spec.is_partial() {
            self.met.lock().insert(connection, affected);
        }
    }

    /// The connections that it has affected and spared; `None` if it spares none.
    pub fn reach(&self) -> Option<ToxicReach> {
        let met = self.spec.is_partial().then(|| self.met.lock())?;
        let affected = met.values().filter(|affected| **affected).count() as u64;
        Some(ToxicReach { affected, spared: met.len() as u64 - affected })
    }
}

/// The toxics of a proxy at one time, in the order in which they apply.
#[derive(Debug)]
pub(crate) struct Snapshot {
    pub toxics: Vec<Active>,
    /// The active triggers.
    pub triggers: Vec<Arc<Armed>>,
    /// How often all connections have been cut: a connection accepted at a lower count must end.
    pub cuts: u64,
    /// Closed when the last connection drops the snapshot.
    _in_use: mpsc::Sender<Infallible>,
}

/// The current snapshot, and the only way to replace it.
#[derive(Debug)]
pub(crate) struct Snapshots {
    current: watch::Sender<Arc<Snapshot>>,
    retired: mpsc::Receiver<Infallible>,
    serial: u64,
}

impl Snapshots {
    /// No toxics.
    pub fn new() -> Self {
        let (snapshot, retired) = snapshot_of(Vec::new(), Vec::new(), 0);
        Self { current: watch::Sender::new(snapshot), retired, serial: 0 }
    }

    /// Follows the current snapshot and every later one, for a connection.
    pub fn follow(&self) -> watch::Receiver<Arc<Snapshot>> {
        self.current.subscribe()
    }

    /// The active toxics.
    pub fn toxics(&self) -> Vec<Active> {
        self.current.borrow().toxics.clone()
    }

    /// Numbers a new toxic; `next` is the number of the next connection to be accepted.
    pub fn admit(&mut self, spec: ToxicSpec, next: u64) -> Active {
        Active::new(self.number(), spec, next)
    }

    /// Replaces the toxics, and returns once every open connection has switched over.
    pub async fn replace(&mut self, toxics: Vec<Active>) {
        let snapshot = {
            let now = self.current.borrow();
            snapshot_of(toxics, now.triggers.clone(), now.cuts)
        };
        self.succeed(snapshot).await;
    }

    /// The active triggers.
    pub fn triggers(&self) -> Vec<Arc<Armed>> {
        self.current.borrow().triggers.clone()
    }

    /// The next number for a toxic or a trigger.
    pub fn number(&mut self) -> u64 {
        self.serial += 1;
        self.serial
    }

    /// Replaces the triggers, and returns once every open connection has switched over.
    pub async fn trigger(&mut self, triggers: Vec<Arc<Armed>>) {
        let snapshot = {
            let now = self.current.borrow();
            snapshot_of(now.toxics.clone(), triggers, now.cuts)
        };
        self.succeed(snapshot).await;
    }

    /// Keeps the toxics for new connections, and returns once every open connection knows that it must end.
    pub async fn cut(&mut self) {
        let snapshot = {
            let now = self.current.borrow();
            snapshot_of(now.toxics.clone(), now.triggers.clone(), now.cuts + 1)
        };
        self.succeed(snapshot).await;
    }

    async fn succeed(&mut self, (snapshot, retired): (Arc<Snapshot>, mpsc::Receiver<Infallible>)) {
        let mut old = std::mem::replace(&mut self.retired, retired);
        drop(self.current.send_replace(snapshot));
        // Nothing is ever sent: this returns when the last holder of the old snapshot is gone.
        let _ = old.recv().await;
    }
}

fn snapshot_of(
    toxics: Vec<Active>,
    triggers: Vec<Arc<Armed>>,
    cuts: u64,
) -> (Arc<Snapshot>, mpsc::Receiver<Infallible>) {
    let (in_use, retired) = mpsc::channel(1);
    (Arc::new(Snapshot { toxics, triggers, cuts, _in_use: in_use }), retired)
}

#[cfg(test)]
mod tests {
    use super::super::toxic::{Direction, Latency};
    use super::*;

    fn active(toxicity: f32) -> Active {
        of_connections(toxicity, Connections::All)
    }

    /// A toxic that was added when 500 connections had been accepted.
    fn of_connections(toxicity: f32, connections: Connections) -> Active {
        let toxic = Latency { latency: 1, jitter: 0 };
        Active::new(3, ToxicSpec { toxicity, connections, ..ToxicSpec::new(Direction::Upstream, toxic) }, 500)
    }

    fn taken(toxicity: f32) -> Vec<u64> {
        taken_by(&active(toxicity))
    }

    fn taken_by(active: &Active) -> Vec<u64> {
        (0..1_000).filter(|connection| active.takes(42, *connection).is_some()).collect()
    }

    #[test]
    fn toxicity_is_the_share_of_connections_taken() {
        assert_eq!(taken(0.0).len(), 0);
        assert_eq!(taken(1.0).len(), 1_000);
        assert!((499..=501).contains(&taken(0.5).len()), "{}", taken(0.5).len());
    }

    #[test]
    fn a_few_connections_are_neither_all_spared_nor_all_taken() {
        let third = active(0.33);
        for seed in 0..50 {
            let taken = |from: u64| (from..from + 5).filter(|number| third.takes(seed, *number).is_some()).count();
            let counts: Vec<usize> = (0..100).map(taken).collect();
            assert!(counts.iter().all(|taken| (1..=2).contains(taken)), "seed {seed}: {counts:?}");
        }
        let begins: Vec<bool> = (0..50).map(|seed| third.takes(seed, 0).is_some()).collect();
        assert!(begins.contains(&true) && begins.contains(&false), "the seed draws where it begins");
    }

    #[test]
    fn a_raised_toxicity_spares_no_connection_that_was_taken() {
        let (few, many) = (taken(0.3), taken(0.7));
        assert!(few.iter().all(|connection| many.contains(connection)));
    }

    #[test]
    fn connections_are_open_or_new_by_when_the_toxic_was_added() {
        assert_eq!(taken_by(&of_connections(1.0, Connections::Open)), (0..500).collect::<Vec<_>>());
        assert_eq!(taken_by(&of_connections(1.0, Connections::New)), (500..1_000).collect::<Vec<_>>());
        let (all, new) = (taken(0.3), taken_by(&of_connections(0.3, Connections::New)));
        assert!(new.iter().all(|connection| all.contains(connection)), "the draw is the same");
    }

    #[test]
    fn a_partial_toxic_counts_each_connection_once() {
        let active = of_connections(0.5, Connections::All);
        for (connection, affected) in [(1, true), (2, false), (1, true), (3, false)] {
            active.meet(connection, affected);
        }
        assert_eq!(active.reach(), Some(ToxicReach { affected: 1, spared: 2 }));
        assert_eq!(of_connections(1.0, Connections::All).reach(), None);
    }

    #[tokio::test]
    async fn replacing_a_snapshot_waits_until_nothing_uses_the_old_one() {
        let mut snapshots = Snapshots::new();
        let mut connection = snapshots.follow();
        let old = connection.borrow_and_update().clone();
        let replaced = tokio::spawn(async move { snapshots.replace(vec![active(1.0)]).await });
        connection.changed().await.unwrap();
        assert!(!replaced.is_finished());
        drop(old);
        replaced.await.unwrap();
        assert_eq!(connection.borrow().toxics.len(), 1);
    }
}
