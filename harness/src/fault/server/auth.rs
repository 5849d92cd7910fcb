//! `server.auth`: the password changes behind the store's back. Its connections are cut, and new ones are refused: with
//! WRONGPASS if the store has a password, with NOAUTH if it never needed one.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::super::context::{FaultContext, Site};
use super::super::kind::{Docs, Hits, Kind};
use super::super::refusing::Refusing;
use super::super::settings::Setting;
use super::super::witness::Refusal;
use super::super::{Fault, FaultError, Impact};

/// `server.auth`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Auth {}

impl Kind for Auth {
    const NAME: &'static str = "server.auth";
    const HITS: Hits = Hits::Server;
    const DOCS: Docs = Docs {
        about: "the password is changed: the store's connections are cut, new ones get WRONGPASS (NOAUTH if there \
                was no password before)",
        seen_in: "a rotated secret that was not deployed, an ACL that was changed",
        injected_by: "ACL SETUSER of the user in the URL (Redis 6 or later)",
        evidence: "a probe gets NOAUTH or WRONGPASS, **and** so did others",
        undone_by: "the old passwords are restored from their hashes",
    };

    fn build(&self, site: &Site) -> Result<Arc<dyn Fault>, FaultError> {
        Ok(Arc::new(AuthFault::new(site.index, site.context.clone())?))
    }
}

pub(in crate::fault) struct AuthFault(Refusing);

impl AuthFault {
    pub fn new(index: u32, context: FaultContext) -> Result<Self, FaultError> {
        Refusing::new(index, context, Refusal::Commands(&["WRONGPASS", "NOAUTH"])).map(Self)
    }
}

#[async_trait::async_trait]
impl Fault for AuthFault {
    fn kind(&self) -> &'static str {
        Auth::NAME
    }

    fn detail(&self) -> String {
        String::new()
    }

    async fn inject(&self) -> Result<(), FaultError> {
        self.0.begin().await?;
        let handle = &self.0.handle;
        let user = handle.context.path.server().url().user().to_owned();
        let password = format!(">{}", handle.context.lockout.password());
        handle.context.holds.locked.take(handle.index);
        handle.context.lockout.set(true);
        handle.change(Setting::Passwords(user), password).await?;
        // Connections that are logged in stay logged in.
        handle.context.path.cut().await
    }

    async fn heal(&self) -> Result<(), FaultError> {
        let handle = &self.0.handle;
        handle.restore().await?;
        if handle.context.holds.locked.release(handle.index) {
            handle.context.lockout.set(false);
        }
        Ok(())
    }

    async fn impact(&self, within: Duration) -> Impact {
        self.0.write_refused(within).await
    }
}
