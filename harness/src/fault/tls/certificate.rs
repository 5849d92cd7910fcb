//! `tls.certificate`: the server presents another certificate, one that has expired or one that is new. Connections that
//! were open are cut once, as by the restart that usually brings it, so that the store meets it.

use std::sync::Arc;
use std::time::Duration;

use firedrill_storage::redis_store::HandshakeError;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use super::super::aim::Aim;
use super::super::context::{FaultContext, Site};
use super::super::kind::{Docs, Hits, Kind, Unfit};
use super::super::path::{Snapshot, count};
use super::super::{Fault, FaultError, Impact};
use crate::lab::{DialError, Presented, Topology};

/// Parameters of `tls.certificate`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct TlsCertificate {
    /// Which certificate the server presents.
    #[serde(default)]
    pub presents: Presents,
}

/// Which certificate a server presents.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Presents {
    /// One that has expired: handshakes fail.
    #[default]
    Expired,
    /// A new one by the same authority: handshakes succeed.
    Renewed,
}

impl From<Presents> for Presented {
    fn from(presents: Presents) -> Self {
        match presents {
            Presents::Expired => Presented::Expired,
            Presents::Renewed => Presented::Renewed,
        }
    }
}

impl Kind for TlsCertificate {
    const NAME: &'static str = "tls.certificate";
    const HITS: Hits = Hits::Certificate;
    const DOCS: Docs = Docs {
        about: "the server presents a certificate that has expired, or a new one, and open connections are cut once. Only \
                under `lab.topology = \"tls\"`",
        seen_in: "a certificate that nobody renewed, its renewal",
        injected_by: "CONFIG SET `tls-cert-file` and `tls-key-file`; the fault proxy cuts the connections",
        evidence: "a probe's handshake fails because of the expiry, or succeeds with the new certificate set, **and** \
                   connections of the load were cut",
        undone_by: "the certificate that the server started with is set again",
    };

    fn unfit_on(&self, topology: Topology) -> Option<Unfit> {
        (topology != Topology::Tls)
            .then_some(Unfit { why: "the server has no certificate", cure: "set lab.topology = \"tls\"" })
    }

    fn build(&self, site: &Site) -> Result<Arc<dyn Fault>, FaultError> {
        Ok(Arc::new(TlsCertificateFault {
            spec: *self,
            index: site.index,
            aim: Aim::new(site.index, site.context.clone()),
            context: site.context.clone(),
            before: Mutex::default(),
        }))
    }
}

struct TlsCertificateFault {
    spec: TlsCertificate,
    index: u32,
    aim: Aim,
    context: FaultContext,
    before: Mutex<Snapshot>,
}

impl TlsCertificateFault {
    async fn present(&self, presented: Presented) -> Result<(), FaultError> {
        let lab = &self.context.lab;
        let certificates = lab.certificates().ok_or_else(|| lab.lacks(TlsCertificate::NAME))?;
        Ok(certificates.present(lab.admin(), presented).await?)
    }

    fn cut(&self) -> u64 {
        let before = *self.before.lock();
        self.aim.path().damage(&before).cut
    }
}

#[async_trait::async_trait]
impl Fault for TlsCertificateFault {
    fn kind(&self) -> &'static str {
        TlsCertificate::NAME
    }

    fn detail(&self) -> String {
        match self.spec.presents {
            Presents::Expired => "expired".to_owned(),
            Presents::Renewed => "renewed".to_owned(),
        }
    }

    async fn inject(&self) -> Result<(), FaultError> {
        let path = self.aim.take().await?;
        *self.before.lock() = path.snapshot();
        self.context.presented.lock().want(self.index, self.spec.presents.into());
        self.present(self.spec.presents.into()).await?;
        path.cut().await
    }

    async fn heal(&self) -> Result<(), FaultError> {
        let next = {
            let presented = self.context.presented.lock();
            if !presented.is_wanted_by(self.index) {
                return Ok(());
            }
            presented.without(self.index).copied().unwrap_or(Presented::First)
        };
        self.present(next).await?;
        self.context.presented.lock().leave(self.index);
        self.aim.release();
        Ok(())
    }

    async fn impact(&self, within: Duration) -> Impact {
        let seen = self.aim.path().shake_hands(within.min(Duration::from_secs(1))).await;
        let (met, words) = match (self.spec.presents, seen) {
            (Presents::Expired, Err(DialError::Handshake(HandshakeError::Expired))) => {
                (true, "a probe's handshake failed: the certificate has expired".to_owned())
            }
            (Presents::Renewed, Ok(())) => (true, "a probe's handshake succeeded with the new certificate".to_owned()),
            (_, Ok(())) => (false, "a probe's handshake succeeded".to_owned()),
            (_, Err(error)) => (false, format!("a probe's handshake failed: {}", error.into_io())),
        };
        let cut = self.cut();
        Impact { bit: met && cut > 0, evidence: format!("{words}; {} cut", count(cut, "connection")) }
    }
}
