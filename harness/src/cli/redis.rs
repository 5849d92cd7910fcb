//! An external Redis, given by the command line or the environment.

use firedrill_storage::TlsOptions;

use super::args::Trust;
use super::exit::Failure;
use crate::lab::{Dialer, LabError, RedisUrl};

/// The Redis at `url`, with the CA from `trust`. A bad CA file is reported here, before anything starts.
pub fn external(url: &str, trust: &Trust) -> Result<RedisUrl, Failure> {
    let url: RedisUrl = url.parse().map_err(|error| Failure::Usage(format!("--redis: {error}")))?;
    let Some(file) = &trust.redis_ca else { return Ok(url) };
    let usage = |error: LabError| Failure::Usage(format!("--redis-ca: {error}"));
    // The journal stores the path, and `firedrill heal` may run in another folder.
    let absolute = std::path::absolute(file).unwrap_or_else(|_| file.clone());
    let url = url.secured(TlsOptions { ca_file: Some(absolute), ..TlsOptions::default() }).map_err(usage)?;
    Dialer::of(&url).map_err(usage)?;
    Ok(url)
}
