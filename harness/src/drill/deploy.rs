//! Deploys: changes of the store's settings while the load runs, on the drill's clock.

use std::sync::Arc;

use tokio::task::JoinHandle;

use super::observer::{Happening, Observer};
use crate::clock::Clock;
use crate::plan::Plan;
use crate::targets::Driver;

/// Carries out a scenario's deploys, until dropped.
pub struct Deployer(JoinHandle<()>);

impl Deployer {
    /// Starts to wait for the first deploy, on the current runtime. The store itself notes what happens.
    pub fn start(plan: &Plan, target: Arc<dyn Driver>, clock: Clock, observer: Arc<dyn Observer>) -> Self {
        // A changed environment restarts the application: that is one of the plan's faults.
        let deploys: Vec<_> =
            plan.scenario.deploy.iter().filter_map(|deploy| Some((deploy.at, deploy.policy?))).collect();
        Self(tokio::spawn(async move {
            for (at, policy) in deploys {
                let planned = clock.instant(at.nanos());
                tokio::time::sleep_until(planned.into()).await;
                // Validation has made sure that the target supports deploys.
                let lost = target.deploy(policy).unwrap_or(0);
                let at_ms = clock.now() as f64 / 1e6;
                observer.see(&Happening::Deployed { policy, lost, at_ms });
            }
        }))
    }
}

impl Drop for Deployer {
    fn drop(&mut self) {
        self.0.abort();
    }
}
