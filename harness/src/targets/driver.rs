//! A target of any client type behind one interface. The load itself still runs with the concrete type, so operations
//! pay nothing for the indirection.

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

/// What drives a load.
#[derive(Clone)]
pub struct Generator {
    /// The drill's clock.
    pub clock: Clock,
    /// Number of threads that generate load.
    pub workers: usize,
    /// Ends a load early.
    pub stop: CancellationToken,
}

/// What to run.
pub enum Job {
    /// The measured load.
    Load(Arc<LoadPlan>),
    /// Each of these operations once, as fast as the lanes allow.
    List {
        /// The step they belong to.
        step: Step,
        /// The operations.
        operations: Vec<Operation>,
        /// How many operations may be in flight.
        lanes: usize,
        /// How long each operation may take.
        deadline: Duration,
    },
}

/// A target of any type. See [`Target`] for the meaning of its methods.
#[async_trait]
pub trait Driver: Send + Sync {
    /// Runs `job` and sends the records to `sink`. Blocks its thread until the job is done.
    ///
    /// # Errors
    /// [`LoadError`]; never because of the target.
    fn drive(
        self: Arc<Self>,
        generator: Generator,
        job: Job,
        sink: Sender<IntervalBatch>,
    ) -> Result<LoadSummary, LoadError>;

    /// See [`Target::load_begins`].
    fn load_begins(&self, clock: Clock);

    /// See [`Target::settled`].
    async fn settled(&self) -> bool;

    /// See [`Target::connected`].
    async fn connected(&self) -> Option<bool>;

    /// See [`Target::held`].
    fn held(&self) -> Option<u64>;

    /// See [`Target::attempts`].
    fn attempts(&self) -> Option<u64>;

    /// See [`Target::remarks`].
    fn remarks(&self) -> Vec<String>;

    /// See [`Target::deploy`].
    fn deploy(&self, policy: Policy) -> Option<u64>;

    /// See [`Target::rebuilt`].
    ///
    /// # Errors
    /// Why the new target could not be built.
    async fn rebuilt(&self) -> Result<Option<Arc<dyn Driver>>, BuildError>;

    /// See [`Target::describe`].
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

    fn attempts(&self) -> Option<u64> {
        Target::attempts(self)
    }

    fn remarks(&self) -> Vec<String> {
        Target::remarks(self)
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
