//! Why a microbenchmark failed.

/// Why a microbenchmark failed.
#[derive(Debug, thiserror::Error)]
pub enum MicrobenchError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] firedrill_storage::StoreError),
    /// The store could not be built.
    #[error(transparent)]
    Build(#[from] firedrill_storage::BuildError),
    /// The proxy in front of Redis failed.
    #[error(transparent)]
    Proxy(#[from] crate::proxy::ProxyError),
    /// The proxy's address does not fit in a URL.
    #[error(transparent)]
    Lab(#[from] crate::lab::LabError),
    /// The encryption key is invalid.
    #[error(transparent)]
    Key(#[from] firedrill_storage::InvalidKey),
    /// No nonce could be drawn.
    #[error(transparent)]
    Nonce(#[from] firedrill_storage::NoRandomness),
    /// The session cannot be serialised.
    #[error("a session cannot be written as JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// Something expected did not happen.
    #[error("{0}")]
    Never(&'static str),
}
