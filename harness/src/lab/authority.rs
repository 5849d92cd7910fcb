//! Certificate authorities created for one drill and trusted only by it.

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};

use super::error::{LabError, ServerError};

/// An authority that signs server certificates.
pub struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

/// A server's certificate and its private key, both PEM.
pub struct Certified {
    /// The certificate.
    pub certificate: String,
    /// The key. It protects nothing but this drill.
    pub key: String,
}

impl Authority {
    /// Creates an authority called `name`.
    ///
    /// # Errors
    /// [`ServerError::Certificate`].
    pub fn new(name: &str) -> Result<Self, LabError> {
        let mut params = CertificateParams::new(Vec::new()).map_err(failed)?;
        // The name must differ from that of any certificate it signs: OpenSSL treats a certificate whose issuer is its
        // subject as self-signed.
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().map_err(failed)?;
        let pem = params.self_signed(&key).map_err(failed)?.pem();
        Ok(Self { pem, issuer: Issuer::new(params, key) })
    }

    /// Its own certificate as PEM, for clients that trust it.
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// Signs a new certificate for the server at `host`, a name or an address.
    ///
    /// # Errors
    /// [`ServerError::Certificate`].
    pub fn certify(&self, host: &str) -> Result<Certified, LabError> {
        self.sign(CertificateParams::new(vec![host.to_owned()]).map_err(failed)?)
    }

    /// Signs a certificate for the server at `host` that was valid for one day, long ago.
    ///
    /// # Errors
    /// [`ServerError::Certificate`].
    pub fn certify_for_yesterday(&self, host: &str) -> Result<Certified, LabError> {
        let mut server = CertificateParams::new(vec![host.to_owned()]).map_err(failed)?;
        (server.not_before, server.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(2020, 1, 2));
        self.sign(server)
    }

    fn sign(&self, server: CertificateParams) -> Result<Certified, LabError> {
        let key = KeyPair::generate().map_err(failed)?;
        let certificate = server.signed_by(&key, &self.issuer).map_err(failed)?.pem();
        Ok(Certified { certificate, key: key.serialize_pem() })
    }
}

fn failed(error: rcgen::Error) -> LabError {
    LabError::Server(ServerError::Certificate { reason: error.to_string() })
}
