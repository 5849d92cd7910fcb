//! A target behind one interface, for any client type: the load still runs with the target's own type, so that no operation
//! pays for it.

use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::Duration;

use async_trait::async_trait;
use firedrill_reports::run::Fact;
use firedrill_storage::Policy;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::history::Step;
use crate::load::{Engine, IntervalBatch, LoadError, LoadPlan, LoadSummary};
use crate::target::{BuildError, Operation, Target};

/// With what a load is carried out.
#[derive(Clone)]
pub struct Generator {
    /// The drill's clock.
    pub clock: Clock,
    /// Threads that generate load.
    pub workers: usize,
    /// Ends a load early.
    pub stop: CancellationToken,
}

/// What to carry out.
pub enum Job {
    /// The measured load.
    Load(Arc<LoadPlan>),
    /// Each of these operations once, as fast as this many lanes allow, each within the deadline.
    List {
        /// Which step they belong to.
        step: Step,
        /// The operations.
        operations: Vec<Operation>,
        /// How many may be in flight.
        lanes: usize,
        /// How long each may take.
        deadline: Duration,
    },
}

/// A target of any type. See [`Target`] for what its methods mean.
#[async_trait]
pub trait Driver: Send + Sync {
    /// Runs `job` and sends the records to `sink`. Blocks its thread until it is done.
    ///
    /// # Errors
    /// [`LoadError`]; never because of the target.
    fn drive(
        self: Arc<Self>,
        generator: Generator,
        job: Job,
        sink: Sender<IntervalBatch>,
    ) -> Result<LoadSummary, LoadError>;

    /// As [`Target::load_begins`].
    fn load_begins(&self, clock: Clock);

    /// As [`Target::settled`].
    async fn settled(&self) -> bool;

    /// As [`Target::connected`].
    async fn connected(&self) -> Option<bool>;

    /// As [`Target::held`].
    fn held(&self) -> Option<u64>;

    /// As [`Target::deploy`].
    fn deploy(&self, policy: Policy) -> Option<u64>;

    /// As [`Target::rebuilt`].
    ///
    /// # Errors
    /// Why it could not be built.
    async fn rebuilt(&self) -> Result<Option<Arc<dyn Driver>>, BuildError>;

    /// As [`Target::describe`].
    fn describe(&self) -> Vec<Fact>;
}

#[async_trait]
impl<T: Target> Driver for T {
    fn drive(
        self: Arc<Self>,
        generator: Generator,
        job: Job,
        sink: Sender<IntervalBatch>,
    ) -> Result<LoadSummary, LoadError> {
        let Generator { clock, workers, stop } = generator;
        let engine = Engine { workers, stop, ..Engine::new(self, clock, sink) };
        match job {
            Job::Load(plan) => engine.run(&plan),
            Job::List { step, operations, lanes, deadline } => engine.run_list(step, operations, lanes, deadline),
        }
    }

    fn load_begins(&self, clock: Clock) {
        Target::load_begins(self, clock);
    }

    async fn settled(&self) -> bool {
        Target::settled(self).await
    }

    async fn connected(&self) -> Option<bool> {
        Target::connected(self).await
    }

    fn held(&self) -> Option<u64> {
        Target::held(self)
    }

    fn deploy(&self, policy: Policy) -> Option<u64> {
        Target::deploy(self, policy)
    }

    async fn rebuilt(&self) -> Result<Option<Arc<dyn Driver>>, BuildError> {
        Ok(Target::rebuilt(self).await?.map(|rebuilt| Arc::new(rebuilt) as Arc<dyn Driver>))
    }

    fn describe(&self) -> Vec<Fact> {
        Target::describe(self)
    }
}
