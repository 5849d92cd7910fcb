//! `server.auth`: the password changes behind the store's back. Its connections are cut, and new ones are refused: with
//! WRONGPASS if the store has a password, with NOAUTH if it never needed one. With `overlap`, both passwords are valid for a
//! while first, as in a rotation done with care.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use super::super::context::{FaultContext, Site};
use super::super::kind::{Docs, Flaw, Hits, Kind};
use super::super::path::{Snapshot, count};
use super::super::refusing::Refusing;
use super::super::repeat::Later;
use super::super::settings::Setting;
use super::super::witness::Refusal;
use super::super::{Fault, FaultError, Impact};
use crate::lab::{Admin, LabError, RedisFailure, RedisUrl};
use crate::units::Span;

/// The deadline of a login that proves a password.
const LOGIN_WITHIN: Duration = Duration::from_secs(2);

/// Parameters of `server.auth`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Auth {
    /// How long the old password stays valid beside the new one: a rotation. Connections are cut at its beginning and at its
    /// end. As long as the fault or longer: until the fault ends
    #[serde(default)]
    pub overlap: Span,
    /// Whether the store is told the new password in the middle of the overlap, and connects with it from then on. For `[target]
    /// kind = "store"`
    #[serde(default)]
    pub told: bool,
}

impl Kind for Auth {
    const NAME: &'static str = "server.auth";
    const HITS: Hits = Hits::Server;
    const DOCS: Docs = Docs {
        about: "the password is changed: the store's connections are cut, new ones get WRONGPASS (NOAUTH if there was no password \
                before). With `overlap`, the old password is valid beside the new one first",
        seen_in: "a rotated secret that was not deployed or was deployed too late, an ACL that was changed",
        injected_by: "ACL SETUSER of the user in the URL (Redis 6 or later)",
        evidence: "a probe gets NOAUTH or WRONGPASS, **and** so did others. Where the old password stays valid: both passwords log \
                   in, **and** connections of the load were cut",
        undone_by: "the old passwords are restored from their hashes",
    };

    fn needs_password(&self) -> bool {
        !self.overlap.0.is_zero()
    }

    fn tells_password(&self) -> bool {
        self.told
    }

    fn check(&self) -> Result<(), Flaw> {
        match self.told && self.overlap.0.is_zero() {
            true => Err(Flaw::new("told", "needs an `overlap`: only then is there a time to tell it")),
            false => Ok(()),
        }
    }

    fn build(&self, site: &Site) -> Result<Arc<dyn Fault>, FaultError> {
        Ok(Arc::new(AuthFault::new(*self, site.index, site.lasting.0, site.context.clone())?))
    }
}

pub(in crate::fault) struct AuthFault {
    spec: Auth,
    /// Whether the old password is valid until the fault ends.
    keeps_old: bool,
    inner: Arc<Inner>,
    /// Tells the store.
    telling: Later,
    /// Ends the overlap.
    ending: Later,
}

/// What the fault shares with the task that ends the overlap.
struct Inner {
    refusing: Refusing,
    /// The URL of the store's user.
    store: RedisUrl,
    /// The load at the injection.
    then: Mutex<Snapshot>,
    overlap: Mutex<Overlap>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
enum Overlap {
    /// Only the new password is valid.
    #[default]
    Over,
    /// Both are valid.
    Lasts,
    /// The old one could not be removed.
    Stuck(String),
}

impl Inner {
    /// Sets the passwords of the store's user. Connections that are logged in stay so, and are cut.
    async fn change(&self, rules: String) -> Result<(), FaultError> {
        let handle = &self.refusing.handle;
        handle.change(Setting::Passwords(self.store.user().to_owned()), rules).await?;
        handle.context.path.cut().await
    }

    fn new_password(&self) -> &str {
        self.refusing.handle.context.lockout.password()
    }

    /// Removes the old password.
    async fn end_overlap(&self) {
        let ended = self.change(format!(">{}", self.new_password())).await;
        *self.overlap.lock() = match ended {
            Ok(()) => Overlap::Over,
            Err(error) => Overlap::Stuck(error.to_string()),
        };
    }

    /// Whether connections of the load were cut since the injection, and the words for it.
    fn cut(&self) -> (bool, String) {
        let then = *self.then.lock();
        let damage = self.refusing.handle.context.path.damage(&then);
        damage.hit(damage.cut, format!("{} of the load cut", count(damage.cut, "connection")))
    }

    /// Logs in with `password`, past the proxy.
    async fn log_in(&self, password: &str) -> Result<(), LabError> {
        let server = self.refusing.handle.context.path.server().url();
        Admin::new(&server.with_login(self.store.user(), password)?, LOGIN_WITHIN)?.ping().await
    }

    /// The proof that both passwords are valid; it counts if they are to stay so.
    async fn both_log_in(&self, counts: bool) -> Impact {
        let (cut, words) = self.cut();
        for password in [self.store.password().unwrap_or_default(), self.new_password()] {
            if let Err(error) = self.log_in(password).await {
                return Impact { bit: false, evidence: format!("a password does not log in: {error}; {words}") };
            }
        }
        Impact { bit: cut && counts, evidence: format!("the old and the new password log in; {words}") }
    }

    /// The proof of a rotation that the store was told of: it feels nothing but the cuts.
    async fn only_new_logs_in(&self) -> Impact {
        let (cut, words) = self.cut();
        let old = self.log_in(self.store.password().unwrap_or_default()).await;
        let refused = matches!(old, Err(LabError::Redis(RedisFailure::Refused { .. })));
        match (refused, self.log_in(self.new_password()).await) {
            (true, Ok(())) => Impact { bit: cut, evidence: format!("only the new password logs in; {words}") },
            (false, _) => Impact { bit: false, evidence: format!("the old password is not refused; {words}") },
            (true, Err(error)) => Impact { bit: false, evidence: format!("the new password does not log in: {error}") },
        }
    }
}

impl AuthFault {
    pub fn new(spec: Auth, index: u32, lasting: Duration, context: FaultContext) -> Result<Self, FaultError> {
        let store = context.lab.access().url;
        if spec.needs_password() && store.password().is_none() {
            return Err(FaultError::NoPassword { fault: Auth::NAME });
        }
        let refusing = Refusing::new(index, context, Refusal::Commands(&["WRONGPASS", "NOAUTH"]))?;
        let inner = Inner { refusing, store, then: Mutex::default(), overlap: Mutex::default() };
        let keeps_old = spec.needs_password() && spec.overlap.0 >= lasting;
        Ok(Self { spec, keeps_old, inner: Arc::new(inner), telling: Later::default(), ending: Later::default() })
    }
}

#[async_trait::async_trait]
impl Fault for AuthFault {
    fn kind(&self) -> &'static str {
        Auth::NAME
    }

    fn detail(&self) -> String {
        let Auth { overlap, told } = self.spec;
        match overlap.0.is_zero() {
            true => String::new(),
            false => format!("both passwords valid for {overlap}{}", if told { ", the store told of it" } else { "" }),
        }
    }

    async fn inject(&self) -> Result<(), FaultError> {
        let (inner, begun) = (&self.inner, Instant::now());
        inner.refusing.begin().await?;
        let handle = &inner.refusing.handle;
        *inner.then.lock() = handle.context.path.snapshot();
        handle.context.holds.locked.take(handle.index);
        handle.context.lockout.set(true);
        if !self.spec.needs_password() {
            return inner.change(format!(">{}", inner.new_password())).await;
        }
        let old = Setting::Passwords(inner.store.user().to_owned()).read(&handle.remote).await?;
        *inner.overlap.lock() = Overlap::Lasts;
        inner.change(format!("{old} >{}", inner.new_password())).await?;
        if self.spec.told {
            let (password, new) = (handle.context.password.clone(), inner.new_password().to_owned());
            self.telling.start(self.spec.overlap.0 / 2, async move { password.tell(Some(new)) });
        }
        if !self.keeps_old {
            let (inner, left) = (inner.clone(), self.spec.overlap.0.saturating_sub(begun.elapsed()));
            self.ending.start(left, async move { inner.end_overlap().await });
        }
        Ok(())
    }

    async fn heal(&self) -> Result<(), FaultError> {
        // A change that is under way must not come after the healing.
        self.telling.stop().await;
        self.ending.stop().await;
        let handle = &self.inner.refusing.handle;
        handle.restore().await?;
        handle.context.password.tell(None);
        if handle.context.holds.locked.release(handle.index) {
            handle.context.lockout.set(false);
        }
        *self.inner.overlap.lock() = Overlap::Over;
        Ok(())
    }

    async fn impact(&self, within: Duration) -> Impact {
        let inner = &self.inner;
        let overlap = inner.overlap.lock().clone();
        match overlap {
            Overlap::Over if self.spec.told => inner.only_new_logs_in().await,
            Overlap::Over => inner.refusing.write_refused(within).await,
            Overlap::Stuck(why) => {
                Impact { bit: false, evidence: format!("the old password could not be removed: {why}") }
            }
            // If the old one is to go, the proof is yet to come.
            Overlap::Lasts => inner.both_log_in(self.keeps_old).await,
        }
    }
}
