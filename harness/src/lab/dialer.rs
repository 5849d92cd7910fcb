//! How a connection to Redis is opened: plain, or with TLS where the URL asks for it. The certificate is verified for the
//! host of the URL, whatever address is dialled, so that it may be a proxy's. The handshake is the store's own.

use firedrill_storage::redis_store::{HandshakeError, Tls};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, ToSocketAddrs};

use super::error::LabError;
use super::url::RedisUrl;

/// An open connection, encrypted or not.
pub type ServerConnection = Box<dyn Stream>;

/// What is read from and written to.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum DialError {
    /// It was refused or not accepted in time.
    #[error(transparent)]
    Connect(#[from] std::io::Error),
    /// It was taken, and is not what the URL asks for.
    #[error(transparent)]
    Handshake(#[from] HandshakeError),
}

impl DialError {
    /// Whether nothing listens there.
    pub fn is_refused(&self) -> bool {
        matches!(self, DialError::Connect(error) if error.kind() == std::io::ErrorKind::ConnectionRefused)
    }

    /// For callers who only need to know that there is no connection.
    pub fn into_io(self) -> std::io::Error {
        match self {
            DialError::Connect(error) => error,
            DialError::Handshake(reason) => std::io::Error::other(reason),
        }
    }
}

/// Opens connections as one URL wants them.
#[derive(Clone, Default)]
pub struct Dialer {
    /// With what, and for which host.
    tls: Option<(Tls, String)>,
}

impl Dialer {
    /// As `url` wants them.
    ///
    /// # Errors
    /// [`Mismatch::TlsSetup`](crate::lab::Mismatch::TlsSetup) where a file for it cannot be used.
    pub fn of(url: &RedisUrl) -> Result<Self, LabError> {
        let tls = match url.is_tls() {
            true => Some((Tls::new(url.tls())?, url.host().to_owned())),
            false => None,
        };
        Ok(Self { tls })
    }

    /// Whether they are encrypted.
    pub fn is_tls(&self) -> bool {
        self.tls.is_some()
    }

    /// Opens one to `address`. There is no deadline.
    ///
    /// # Errors
    /// [`DialError`].
    pub async fn open(&self, address: impl ToSocketAddrs) -> Result<ServerConnection, DialError> {
        self.secure(TcpStream::connect(address).await?).await
    }

    /// Makes one of `stream`, on which nothing was sent yet.
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
