//! Deploys: changes of the store's settings while the load runs, on the drill's clock.

use std::sync::Arc;

use firedrill_storage::{Switchable, TriviaSession};
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;

use super::observer::Observer;
use crate::clock::Clock;
use crate::plan::Plan;

/// Carries out a scenario's deploys; dropped, it carries out no more.
pub struct Deployer(JoinHandle<()>);

impl Deployer {
    /// Starts to wait for the first one. What happens is noted by the store itself.
    pub fn start(
        plan: &Plan,
        store: Switchable<TriviaSession>,
        clock: Clock,
        runtime: &Runtime,
        observer: Arc<dyn Observer>,
    ) -> Self {
        let deploys = plan.scenario.deploy.clone();
        Self(runtime.spawn(async move {
            for deploy in deploys {
                let planned = clock.instant(deploy.at.nanos());
                tokio::time::sleep_until(planned.into()).await;
                let lost = store.switch_to(deploy.policy);
                let at = clock.now() as f64 / 1e9;
                observer.fault(&format!("deployed {} at {at:.2} s, {lost} sessions lost by it", deploy.policy));
            }
        }))
    }
}

impl Drop for Deployer {
    fn drop(&mut self) {
        self.0.abort();
    }
}
