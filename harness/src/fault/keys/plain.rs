//! `keys.plain`: a share of the drill's encrypted sessions is replaced by values in plain text, as by a restore of a backup from
//! before the encryption. A store that accepted them would believe whoever can write to Redis. Their TTL stays; healing restores
//! the old value where the plain text is still in place.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::super::context::Site;
use super::super::kind::{Docs, Flaw, Hits, Kind};
use super::super::{Fault, FaultError};
use super::picked::some;
use super::stand_in::{StandIn, StandInFault};
use crate::units::Share;

/// A session as a store without encryption writes it, of a user that no drill has.
const PLAIN: &[u8] = br#"{"version":1,"user":"a-backup-of-a-drill","data":{"userId":"a-backup-of-a-drill"}}"#;

/// Parameters of `keys.plain`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct KeysPlain {
    /// The share of the existing sessions.
    #[schemars(example = "20%")]
    pub share: Share,
}

impl Kind for KeysPlain {
    const NAME: &'static str = "keys.plain";
    const HITS: Hits = Hits::Keys;
    const NEEDS_ENCRYPTION: bool = true;
    const DOCS: Docs = Docs {
        about: "a share of the encrypted sessions is replaced by values in plain text, keeping its TTL; for `store.encryption`",
        seen_in: "a backup from before the encryption that is restored, an instance that runs an older release, a forger",
        injected_by: "a script that swaps value and plain text in one step",
        evidence: "a probe meets the plain text on a path that the load has used",
        undone_by: "as `keys.corrupt`",
    };

    fn check(&self) -> Result<(), Flaw> {
        some(self.share)
    }

    fn build(&self, site: &Site) -> Result<Arc<dyn Fault>, FaultError> {
        let stand_in = StandIn { kind: Self::NAME, value: PLAIN, done: "replaced by plain text", share: self.share };
        Ok(Arc::new(StandInFault::new(stand_in, site.context.clone())))
    }
}
