//! Faults of the server's certificate.

pub(super) mod certificate;
