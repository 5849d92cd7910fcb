//! `keys.corrupt`: a share of the drill's sessions holds garbage, as after a faulty deployment or a rotated key. Their
//! TTL stays. Healing restores the old value where the garbage is still in place: a session that the store has written
//! or deleted since is left alone.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::super::context::Site;
use super::super::kind::{Docs, Flaw, Hits, Kind};
use super::super::{Fault, FaultError};
use super::picked::some;
use super::stand_in::{StandIn, StandInFault};
use crate::units::Share;

/// A value that no store writes.
const GARBAGE: &[u8] = b"\xff\xfe garbage of a drill";

/// Parameters of `keys.corrupt`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct KeysCorrupt {
    /// The share of the existing sessions.
    #[schemars(example = "20%")]
    pub share: Share,
}

impl Kind for KeysCorrupt {
    const NAME: &'static str = "keys.corrupt";
    const HITS: Hits = Hits::Keys;
    const DOCS: Docs = Docs {
        about: "a share of the sessions is overwritten with garbage, keeping its TTL",
        seen_in: "a faulty deployment, a key that was rotated too early, a half-written value",
        injected_by: "a script that swaps value and garbage in one step",
        evidence: "a probe meets the garbage on a path that the load has used",
        undone_by: "the values are restored where the garbage is still in place; values that the store has written or deleted since are left alone",
    };

    fn check(&self) -> Result<(), Flaw> {
        some(self.share)
    }

    fn build(&self, site: &Site) -> Result<Arc<dyn Fault>, FaultError> {
        let stand_in =
            StandIn { kind: Self::NAME, value: GARBAGE, done: "overwritten with garbage", share: self.share };
        Ok(Arc::new(StandInFault::new(stand_in, site.context.clone())))
    }
}
