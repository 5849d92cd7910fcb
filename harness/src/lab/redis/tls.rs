//! A server behind TLS: an authority created for this drill alone signs its certificate, and the store logs in as a
//! user with no more rights than it needs.

use std::sync::Arc;

use firedrill_storage::TlsOptions;

use super::managed::{ManagedConfig, ManagedRedis, ServerRole};
use super::topology_kind::{Reached, TopologyKind};
use crate::lab::access::Access;
use crate::lab::certificates::{Certificates, Presented};
use crate::lab::error::LabError;
use crate::lab::folder::LabFolder;
use crate::lab::server::{Server, Servers};
use crate::lab::store_user::StoreUser;
use crate::lab::url::RedisUrl;

/// The description of this topology.
pub const KIND: TopologyKind = TopologyKind {
    name: "tls",
    about: "One server, reached by TLS as an ACL user with no more rights than the store needs.",
    servers: "one server, with a certificate from an authority created for the drill; the store is an ACL user with the rights \
              that [storage](storage.md#where-redis-runs) lists, and connects with `rediss://`",
    processes: 1,
    proxied: 1,
    reached: Reached::ByTls,
    fails_over: false,
    start: |config| Box::pin(start(config)),
    find: None,
};

/// The rights that docs/storage.md lists for the store's user.
const RIGHTS: &str = "~firedrill:* resetchannels -@all +@read +@write +@scripting +@connection -@dangerous +time +role +info +client|kill";

/// A server behind TLS. The lab's own connection uses its plain port, as a user with all rights.
struct Secured {
    server: [Arc<dyn Server>; 1],
    access: Access,
    certificates: Certificates,
    _folder: LabFolder,
}

async fn start(config: &ManagedConfig) -> Result<Box<dyn Servers>, LabError> {
    let folder = LabFolder::create(&config.temp)
        .map_err(|error| LabError::system(format!("making a folder in {}", config.temp.display()), error))?;
    let certificates = Certificates::write(folder.path())?;
    let user = config.user.clone().unwrap_or_else(|| StoreUser::without(&[]));
    let (certificate, key) = certificates.files(Presented::First);
    let directives = format!(
        "{}tls-cert-file \"{}\"\ntls-key-file \"{}\"\ntls-ca-cert-file \"{}\"\ntls-auth-clients no\n{}",
        config.directives,
        certificate.display(),
        key.display(),
        certificates.ca().display(),
        user.directive_with(RIGHTS),
    );
    let config = ManagedConfig { role: ServerRole::Tls, directives, user: None, ..config.clone() };
    let redis = ManagedRedis::start(&config).await?;
    let port = redis.second_port().unwrap_or_default();
    let url = format!("rediss://127.0.0.1:{port}/").parse::<RedisUrl>()?;
    let tls = TlsOptions { ca_file: Some(certificates.ca()), strict: true, ..TlsOptions::default() };
    let access = Access::one(user.login(&url)?.secured(tls)?);
    Ok(Box::new(Secured { server: [Arc::new(redis)], access, certificates, _folder: folder }))
}

impl Servers for Secured {
    fn access(&self) -> Access {
        self.access.clone()
    }

    fn all(&self) -> &[Arc<dyn Server>] {
        &self.server
    }

    fn certificates(&self) -> Option<&Certificates> {
        Some(&self.certificates)
    }
}
