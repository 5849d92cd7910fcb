//! Why claims cannot be measured.

/// Why a claim could not be measured.
#[derive(Debug, thiserror::Error)]
pub enum ClaimError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] firedrill_storage::StoreError),
    /// The store could not be made.
    #[error(transparent)]
    Build(#[from] firedrill_storage::BuildError),
    /// The proxy in front of Redis failed.
    #[error(transparent)]
    Proxy(#[from] crate::proxy::ProxyError),
    /// The address of the proxy cannot stand in a URL.
    #[error(transparent)]
    Lab(#[from] crate::lab::LabError),
    /// There is no key to seal with.
    #[error(transparent)]
    Key(#[from] firedrill_storage::InvalidKey),
    /// There is no nonce to seal with.
    #[error(transparent)]
    Nonce(#[from] firedrill_storage::NoRandomness),
    /// The session cannot be written down.
    #[error("a session cannot be written as JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// What was waited for did not happen.
    #[error("{0}")]
    Never(&'static str),
}
