//! A server behind TLS: its certificate is signed by an authority that was made for this drill alone, and the store is a
//! user with no more rights than it needs.

use std::path::Path;

use firedrill_storage::TlsOptions;

use super::super::authority::Authority;
use super::super::error::LabError;
use super::super::folder::LabFolder;
use super::super::managed::{ManagedConfig, ManagedRedis, ServerRole};
use super::super::url::RedisUrl;
use super::Access;

const USER: &str = "app";

/// What docs/storage.md says that the store's user needs.
const RIGHTS: &str = "resetchannels -@all +@read +@write +@scripting +@connection -@dangerous +time +role +client|kill";

/// A server behind TLS. The lab's own line to it goes to its plain port, as a user who may do everything.
pub struct Secured {
    /// The server.
    pub redis: ManagedRedis,
    access: Access,
    _folder: LabFolder,
}

impl Secured {
    /// Starts it.
    ///
    /// # Errors
    /// As [`ManagedRedis::start`], and [`LabError::Certificate`].
    pub async fn start(config: &ManagedConfig) -> Result<Self, LabError> {
        let folder = LabFolder::create(&config.temp)
            .map_err(|error| LabError::system(format!("making a folder in {}", config.temp.display()), error))?;
        certificates(folder.path())?;
        let password = format!("{:032x}", rand::random::<u128>());
        let file = |name: &str| folder.path().join(name);
        let directives = format!(
            "{}tls-cert-file \"{}\"\ntls-key-file \"{}\"\ntls-ca-cert-file \"{}\"\ntls-auth-clients no\n\
             user {USER} on >{password} ~firedrill:* {RIGHTS}\n",
            config.directives,
            file(CERTIFICATE).display(),
            file(KEY).display(),
            file(AUTHORITY).display(),
        );
        let redis = ManagedRedis::start(&ManagedConfig { role: ServerRole::Tls, directives, ..config.clone() }).await?;
        let port = redis.second_port().unwrap_or_default();
        let url = format!("rediss://127.0.0.1:{port}/").parse::<RedisUrl>()?.with_login(USER, &password)?;
        let tls = TlsOptions { ca_file: Some(file(AUTHORITY)), strict: true, ..TlsOptions::default() };
        Ok(Self { redis, access: Access::one(url.secured(tls)?), _folder: folder })
    }

    /// How the store reaches it.
    pub fn access(&self) -> Access {
        self.access.clone()
    }
}

const AUTHORITY: &str = "ca.pem";
const CERTIFICATE: &str = "server.pem";
const KEY: &str = "server.key";

/// Writes an authority, and a certificate of it for 127.0.0.1: a proxy on the same address shows it too.
fn certificates(folder: &Path) -> Result<(), LabError> {
    let write = |name: &str, text: &str| {
        std::fs::write(folder.join(name), text).map_err(|error| LabError::system(format!("writing {name}"), error))
    };
    let authority = Authority::new("Firedrill lab authority")?;
    let server = authority.certify("127.0.0.1")?;
    write(AUTHORITY, authority.pem())?;
    write(CERTIFICATE, &server.certificate)?;
    write(KEY, &server.key)
}
