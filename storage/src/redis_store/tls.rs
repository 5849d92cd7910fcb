//! TLS to Redis. The server's certificate is always verified, both chain and host name (or the IP address in the URL);
//! no switch turns that off. The cryptography is ring's, whatever the rest of the process uses.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{CertificateError, ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// How connections are secured. A `rediss://` URL is encrypted and verified with or without these options.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TlsOptions {
    /// A file with the certificates (PEM) of the authorities to trust, instead of the system's.
    pub ca_file: Option<PathBuf>,
    /// Refuse to build a store whose URL is not `rediss://`.
    pub strict: bool,
    /// The client's certificate (chain) and private key, both PEM, for a server that asks for them.
    pub client: Option<ClientCertificate>,
    /// The name that the server's certificate must have, if it is not the URL's host: for one server behind a proxy or
    /// a tunnel whose address the URL names. It is also sent to the server (SNI).
    pub server_name: Option<String>,
}

impl TlsOptions {
    /// Whether they ask for protection, which would be missing without TLS.
    pub(super) fn protects(&self) -> bool {
        self.ca_file.is_some() || self.client.is_some() || self.server_name.is_some()
    }
}

/// The files that identify a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientCertificate {
    /// The certificate, followed by the intermediate ones, as PEM.
    pub cert_file: PathBuf,
    /// Its private key as PEM.
    pub key_file: PathBuf,
}

/// Why TLS cannot be set up. Names files, but reveals nothing of their content.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// Strict TLS was requested, but the URL is not `rediss://`.
    #[error("strict TLS: the Redis URL must begin with rediss://")]
    NotTls,
    /// TLS options were given, but the URL is not `rediss://`: they would protect nothing.
    #[error("a CA file, client certificate or server name is set, but the Redis URL does not begin with rediss://")]
    Unused,
    /// The URL asks for certificates not to be verified.
    #[error("the Redis URL ends with #insecure, but certificates are always verified: name the CA's file instead")]
    Insecure,
    /// A file cannot be used.
    #[error("{what} {}: {reason}", .path.display())]
    File {
        /// The file's purpose: "CA file", "client certificate", "client key".
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The system has no trusted certificate authorities.
    #[error("the system has no trusted certificates (install ca-certificates), and no CA file is set")]
    NoSystemRoots,
    /// The client's certificate and key do not match.
    #[error("the client certificate cannot be used with its key")]
    ClientPair,
}

/// Why a TLS connection failed, for the service's operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HandshakeError {
    /// No trusted authority has signed the server's certificate.
    #[error("the server's certificate is not signed by a trusted CA: is the right CA file set?")]
    Untrusted,
    /// The certificate is for another host.
    #[error("the server's certificate is for another host name")]
    OtherHost,
    /// The certificate has expired.
    #[error("the server's certificate has expired")]
    Expired,
    /// The certificate is not valid yet.
    #[error("the server's certificate is not valid yet: is the clock right?")]
    NotYetValid,
    /// The certificate is invalid for another reason.
    #[error("the server's certificate is not valid")]
    BadCertificate,
    /// The peer does not speak TLS.
    #[error("the server does not speak TLS on this port")]
    NotTls,
    /// The server refused the handshake.
    #[error("the server refused the TLS handshake: does it ask for a client certificate?")]
    Refused,
    /// The handshake failed in another way.
    #[error("the TLS handshake failed")]
    Failed,
    /// The connection was closed during the handshake.
    #[error("the connection was closed during the TLS handshake: does the server speak TLS on this port?")]
    Closed,
    /// The host cannot appear in a certificate.
    #[error("the host name is not valid in a certificate")]
    BadName,
}

/// Encrypts plain streams.
#[derive(Clone)]
pub struct Tls {
    connector: TlsConnector,
    server_name: Option<String>,
}

impl Tls {
    /// Reads the files that the options name.
    ///
    /// # Errors
    /// [`TlsError`] with the file that cannot be used.
    pub fn new(options: &TlsOptions) -> Result<Self, TlsError> {
        let roots = match &options.ca_file {
            Some(path) => roots_from(path)?,
            None => system_roots()?,
        };
        // Another library may have set another process-wide provider, or none.
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|_| TlsError::ClientPair)?
            .with_root_certificates(roots);
        let config = match &options.client {
            None => config.with_no_client_auth(),
            Some(client) => {
                let chain = certificates("client certificate", &client.cert_file)?;
                let key = PrivateKeyDer::from_pem_file(&client.key_file)
                    .map_err(|error| file_error("client key", &client.key_file, &error))?;
                config.with_client_auth_cert(chain, key).map_err(|_| TlsError::ClientPair)?
            }
        };
        Ok(Self { connector: TlsConnector::from(Arc::new(config)), server_name: options.server_name.clone() })
    }

    /// Performs the handshake over `stream`, which leads to `host`. There is no deadline.
    ///
    /// # Errors
    /// [`HandshakeError`].
    pub async fn secure<S>(&self, host: &str, stream: S) -> Result<TlsStream<S>, HandshakeError>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let name = self.server_name.as_deref().unwrap_or(host);
        let name = ServerName::try_from(name.to_owned()).map_err(|_| HandshakeError::BadName)?;
        self.connector.connect(name, stream).await.map_err(|error| reason(&error))
    }
}

fn roots_from(path: &Path) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates("CA file", path)? {
        roots.add(certificate).map_err(|_| TlsError::File {
            what: "CA file",
            path: path.to_owned(),
            reason: "a certificate in it cannot be used".to_owned(),
        })?;
    }
    Ok(roots)
}

fn system_roots() -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    // Some systems have a certificate that does not parse; the others still count.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() { Err(TlsError::NoSystemRoots) } else { Ok(roots) }
}

fn certificates(what: &'static str, path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let failed = |error: &dyn fmt::Display| file_error(what, path, error);
    let certificates: Vec<_> = CertificateDer::pem_file_iter(path)
        .map_err(|error| failed(&error))?
        .collect::<Result<_, _>>()
        .map_err(|error| failed(&error))?;
    if certificates.is_empty() { Err(failed(&"no certificate (PEM) in it")) } else { Ok(certificates) }
}

fn file_error(what: &'static str, path: &Path, error: &dyn fmt::Display) -> TlsError {
    TlsError::File { what, path: path.to_owned(), reason: error.to_string() }
}

/// Why a connection failed right after the handshake: only then does a server say that it requires a client
/// certificate.
pub(super) fn late_reason(error: &redis::RedisError) -> Option<String> {
    let source = error.source()?.downcast_ref::<Arc<dyn Error + Send + Sync>>()?;
    let error = source.downcast_ref::<io::Error>()?;
    tls_error(error).map(|_| reason(error).to_string())
}

fn tls_error(error: &io::Error) -> Option<&rustls::Error> {
    error.get_ref().and_then(|inner| (inner as &(dyn Error + 'static)).downcast_ref())
}

/// What a failed handshake means.
fn reason(error: &io::Error) -> HandshakeError {
    match tls_error(error) {
        Some(rustls::Error::InvalidCertificate(certificate)) => match certificate {
            CertificateError::UnknownIssuer | CertificateError::BadSignature => HandshakeError::Untrusted,
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                HandshakeError::OtherHost
            }
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => HandshakeError::Expired,
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => HandshakeError::NotYetValid,
            _ => HandshakeError::BadCertificate,
        },
        Some(rustls::Error::InvalidMessage(_)) => HandshakeError::NotTls,
        Some(rustls::Error::AlertReceived(_)) => HandshakeError::Refused,
        Some(_) => HandshakeError::Failed,
        None => HandshakeError::Closed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ca_file_that_cannot_be_used_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ca.pem");
        let options = TlsOptions { ca_file: Some(path.clone()), ..TlsOptions::default() };
        let missing = Tls::new(&options).err().unwrap().to_string();
        assert!(missing.starts_with(&format!("CA file {}: ", path.display())), "{missing}");
        std::fs::write(&path, "not a certificate").unwrap();
        let empty = Tls::new(&options).err().unwrap().to_string();
        assert_eq!(empty, format!("CA file {}: no certificate (PEM) in it", path.display()));
    }
}
