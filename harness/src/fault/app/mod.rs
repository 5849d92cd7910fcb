//! Faults of the application's processes.

use std::sync::Arc;

use super::Fault;
use super::context::{FaultContext, Site};
use super::flaw::Flaw;
use super::reach::{Reach, Role, TO, To};
use super::several::Several;

pub(super) mod kill;
pub(super) mod restart;
pub(super) mod stop;

/// The keys of a [`Reach`] that these faults accept: `to` names instances.
const REACH: &[&str] = &[TO];

/// Checks that `reach` names instances.
fn check_reach(reach: &Reach) -> Result<(), Flaw> {
    match reach.to.iter().flatten().find(|to| matches!(to, To::Role(Role::Primary | Role::Replica))) {
        Some(_) => Err(Flaw::new(TO, "names instances of the application: numbers from 1")),
        None => Ok(()),
    }
}

/// The fault that `make` makes, at each instance that it is to hit, all at the same time.
fn at_each(kind: &'static str, site: &Site, make: impl Fn(FaultContext) -> Arc<dyn Fault>) -> Arc<dyn Fault> {
    let at = |app| make(site.context.clone().with_apps(std::slice::from_ref(app)));
    Arc::new(Several::new(kind, site.context.apps.iter().map(at).collect()))
}
