//! The certificate that a lab's server presents, and others that it could.

use std::path::{Path, PathBuf};

use super::admin::Admin;
use super::authority::Authority;
use super::error::LabError;

const CA: &str = "ca.pem";

/// A certificate for the server's address, by the authority that clients trust.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presented {
    /// The one that it started with.
    First,
    /// Another one, valid as well.
    Renewed,
    /// One whose time is over.
    Expired,
}

impl Presented {
    const ALL: [Self; 3] = [Self::First, Self::Renewed, Self::Expired];

    fn name(self) -> &'static str {
        match self {
            Self::First => "server",
            Self::Renewed => "renewed",
            Self::Expired => "expired",
        }
    }
}

/// The files of all of them, in a folder of the lab.
#[derive(Debug)]
pub struct Certificates {
    folder: PathBuf,
}

impl Certificates {
    /// Writes an authority and its certificates for 127.0.0.1; they also fit a proxy on that address.
    ///
    /// # Errors
    /// If a file cannot be written.
    pub fn write(folder: &Path) -> Result<Self, LabError> {
        let write = |name: &str, text: &str| {
            std::fs::write(folder.join(name), text).map_err(|error| LabError::system(format!("writing {name}"), error))
        };
        let authority = Authority::new("Firedrill lab authority")?;
        write(CA, authority.pem())?;
        let certificates = Self { folder: folder.to_owned() };
        for presented in Presented::ALL {
            let certified = match presented {
                Presented::Expired => authority.certify_for_yesterday("127.0.0.1")?,
                _ => authority.certify("127.0.0.1")?,
            };
            write(&format!("{}.pem", presented.name()), &certified.certificate)?;
            write(&format!("{}.key", presented.name()), &certified.key)?;
        }
        Ok(certificates)
    }

    /// The certificate of the authority.
    pub fn ca(&self) -> PathBuf {
        self.folder.join(CA)
    }

    /// A certificate and its key.
    pub fn files(&self, presented: Presented) -> (PathBuf, PathBuf) {
        let file = |ending: &str| self.folder.join(format!("{}.{ending}", presented.name()));
        (file("pem"), file("key"))
    }

    /// Makes the server of `admin` present a certificate in every handshake from now on; open connections go on.
    ///
    /// # Errors
    /// Same as [`Admin::query`].
    pub async fn present(&self, admin: &Admin, presented: Presented) -> Result<(), LabError> {
        let (certificate, key) = self.files(presented);
        // Both at once: Redis checks that they belong together.
        let mut command = redis::cmd("CONFIG");
        command.arg("SET").arg("tls-cert-file").arg(certificate.display().to_string());
        command.arg("tls-key-file").arg(key.display().to_string());
        admin.query(&command).await
    }
}
