//! Why a store could not be built. Reveals nothing of the URL.

use super::deployment::DeploymentError;
use super::tls::TlsError;

/// Why a store could not be built.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// The URL cannot be used.
    #[error(transparent)]
    InvalidUrl(#[from] InvalidUrl),
    /// TLS cannot be set up as asked.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The deployment cannot be used as described.
    #[error(transparent)]
    Deployment(#[from] DeploymentError),
    /// Called outside of a tokio runtime.
    #[error("a Redis store must be built inside a tokio runtime: its connection lives there")]
    NoRuntime,
}

/// Not a Redis URL. Reveals nothing of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a Redis URL: expected redis[s]://[[user]:password@]host[:port][/db]")]
pub struct InvalidUrl;
