//! The TLS ends of a relay. They use ring for cryptography, like the store.

use std::io;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{AlertDescription, ClientConfig, DigitallySignedStruct, ServerConfig, SignatureScheme};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::lab::{Certified, LabError, ServerError};

/// A client that accepts any server certificate: the connection is encrypted but unverified.
///
/// # Errors
/// [`ServerError::Tls`].
pub fn unverifying() -> Result<TlsConnector, LabError> {
    let provider = provider();
    let config = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(failed)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(TakesAnybody(provider)))
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

/// A server that presents this certificate.
///
/// # Errors
/// [`ServerError::Tls`].
pub fn showing(certified: &Certified) -> Result<TlsAcceptor, LabError> {
    let certificate = CertificateDer::from_pem_slice(certified.certificate.as_bytes()).map_err(failed)?;
    let key = PrivateKeyDer::from_pem_slice(certified.key.as_bytes()).map_err(failed)?;
    let config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(failed)?
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .map_err(failed)?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// The name that a client at `host` expects in the certificate.
///
/// # Errors
/// [`ServerError::Tls`].
pub fn name(host: &str) -> Result<ServerName<'static>, LabError> {
    ServerName::try_from(host.to_owned()).map_err(failed)
}

/// Whether the client rejected the certificate with an alert (RFC 8446, 6.2).
pub fn was_refused(error: &io::Error) -> bool {
    use AlertDescription::{
        BadCertificate, CertificateExpired, CertificateRevoked, CertificateUnknown, UnknownCA, UnsupportedCertificate,
    };
    let Some(rustls::Error::AlertReceived(alert)) = tls_error(error) else { return false };
    matches!(
        alert,
        BadCertificate
            | CertificateExpired
            | CertificateRevoked
            | CertificateUnknown
            | UnknownCA
            | UnsupportedCertificate
    )
}

fn tls_error(error: &io::Error) -> Option<&rustls::Error> {
    error.get_ref().and_then(|inner| (inner as &(dyn std::error::Error + 'static)).downcast_ref())
}

fn failed(error: impl std::fmt::Display) -> LabError {
    LabError::Server(ServerError::Tls { reason: error.to_string() })
}

/// Named explicitly: another library may have set a different process default, or none.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// Accepts any certificate. It still verifies that the server has the matching key, as does any client with certificate
/// verification turned off.
#[derive(Debug)]
struct TakesAnybody(Arc<CryptoProvider>);

impl ServerCertVerifier for TakesAnybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use firedrill_storage::redis_store::{HandshakeError, Tls, TlsOptions};

    use super::*;
    use crate::lab::Authority;

    /// A server with a certificate by `signer` and a `client`: both results of the handshake.
    async fn meets<C, T, E>(signer: &Authority, client: C) -> (Result<T, E>, io::Result<()>)
    where
        C: AsyncFnOnce(tokio::io::DuplexStream) -> Result<T, E>,
    {
        let server = showing(&signer.certify("127.0.0.1").unwrap()).unwrap();
        let (ours, theirs) = tokio::io::duplex(64 * 1024);
        let (client, server) = tokio::join!(client(ours), server.accept(theirs));
        (client, server.map(drop))
    }

    #[tokio::test]
    async fn the_store_takes_its_own_authority_alone_and_says_so() {
        let (ours, another) = (Authority::new("ours").unwrap(), Authority::new("another").unwrap());
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), ours.pem()).unwrap();
        let store = Tls::new(&TlsOptions { ca_file: Some(file.path().to_owned()), ..TlsOptions::default() }).unwrap();
        let (client, server) = meets(&ours, async |stream| store.secure("127.0.0.1", stream).await).await;
        client.unwrap();
        server.unwrap();
        let (client, server) = meets(&another, async |stream| store.secure("127.0.0.1", stream).await).await;
        assert_eq!(client.err(), Some(HandshakeError::Untrusted));
        let server = server.unwrap_err();
        assert!(was_refused(&server), "{server}");
    }

    #[tokio::test]
    async fn who_does_not_verify_takes_anybody() {
        let (client, anybody) = (unverifying().unwrap(), Authority::new("another").unwrap());
        let (client, server) =
            meets(&anybody, async |stream| client.connect(name("127.0.0.1").unwrap(), stream).await).await;
        client.unwrap();
        server.unwrap();
    }

    #[tokio::test]
    async fn a_client_that_only_went_away_has_refused_nothing() {
        let server = showing(&Authority::new("ours").unwrap().certify("127.0.0.1").unwrap()).unwrap();
        let (ours, theirs) = tokio::io::duplex(1024);
        drop(ours);
        assert!(!was_refused(&server.accept(theirs).await.err().unwrap()));
    }
}
