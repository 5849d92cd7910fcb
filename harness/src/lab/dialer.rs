//! Opens connections to Redis: plain, or with TLS if the URL asks for it. The certificate is verified for the URL's
//! host, not for the dialled address, which may be a proxy's. The handshake code is the store's own.

use firedrill_storage::redis_store::{HandshakeError, Tls};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, ToSocketAddrs};

use super::error::LabError;
use super::url::RedisUrl;

/// An open connection, encrypted or not.
pub type ServerConnection = Box<dyn Stream>;

/// A bidirectional byte stream.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// Why a connection could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum DialError {
    /// The connection was refused or timed out.
    #[error(transparent)]
    Connect(#[from] std::io::Error),
    /// The server accepted the connection but is not what the URL asks for.
    #[error(transparent)]
    Handshake(#[from] HandshakeError),
}

impl DialError {
    /// Whether nothing listens at the address.
    pub fn is_refused(&self) -> bool {
        matches!(self, DialError::Connect(error) if error.kind() == std::io::ErrorKind::ConnectionRefused)
    }

    /// For callers that only need to know that the connection failed.
    pub fn into_io(self) -> std::io::Error {
        match self {
            DialError::Connect(error) => error,
            DialError::Handshake(reason) => std::io::Error::other(reason),
        }
    }
}

/// Opens connections with one URL's security settings.
#[derive(Clone, Default)]
pub struct Dialer {
    /// The TLS settings and the host to verify.
    tls: Option<(Tls, String)>,
}

impl Dialer {
    /// The dialer for `url`.
    ///
    /// # Errors
    /// [`Mismatch::TlsSetup`](crate::lab::Mismatch::TlsSetup) if a TLS file cannot be used.
    pub fn of(url: &RedisUrl) -> Result<Self, LabError> {
        let tls = match url.is_tls() {
            true => Some((Tls::new(url.tls())?, url.host().to_owned())),
            false => None,
        };
        Ok(Self { tls })
    }

    /// The same for a server of the same deployment that presents a certificate for this `host`.
    pub fn for_host(self, host: &str) -> Self {
        Self { tls: self.tls.map(|(tls, _)| (tls, host.to_owned())) }
    }

    /// Whether its connections are encrypted.
    pub fn is_tls(&self) -> bool {
        self.tls.is_some()
    }

    /// Connects to `address`, without a deadline.
    ///
    /// # Errors
    /// [`DialError`].
    pub async fn open(&self, address: impl ToSocketAddrs) -> Result<ServerConnection, DialError> {
        self.secure(TcpStream::connect(address).await?).await
    }

    /// Completes the connection on `stream`, on which nothing has been sent yet.
    ///
    /// # Errors
    /// [`DialError`].
    pub async fn secure(&self, stream: TcpStream) -> Result<ServerConnection, DialError> {
        stream.set_nodelay(true)?;
        Ok(match &self.tls {
            None => Box::new(stream),
            Some((tls, host)) => Box::new(tls.secure(host, stream).await?),
        })
    }
}
