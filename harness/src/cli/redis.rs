//! An external Redis, given by the command line or the environment.

use std::path::{Path, PathBuf};

use firedrill_storage::{ClientCertificate, Credentials, TlsOptions};

use super::args::Trust;
use super::exit::Failure;
use crate::lab::{Dialer, LabError, RedisUrl, SentinelOptions};

/// The sentinels' own login. A password has no flag: everybody can read the flags of a process.
const SENTINEL_USER: &str = "FIREDRILL_REDIS_SENTINEL_USERNAME";
const SENTINEL_PASSWORD: &str = "FIREDRILL_REDIS_SENTINEL_PASSWORD";

/// The Redis at `url`, with the files and the names from `trust`. A bad file is reported here, before anything starts.
pub fn external(url: &str, trust: &Trust) -> Result<RedisUrl, Failure> {
    let url: RedisUrl = url.parse().map_err(|error| Failure::Usage(format!("--redis: {error}")))?;
    let set = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let credentials = set(SENTINEL_PASSWORD).map(|password| Credentials { user: set(SENTINEL_USER), password });
    let url = url.watched(SentinelOptions { master: trust.redis_master.clone(), credentials });
    let flags = [("--redis-ca", trust.redis_ca.is_some()), ("--redis-cert", trust.redis_cert.is_some())];
    let given: Vec<&str> = flags.iter().filter_map(|(flag, given)| given.then_some(*flag)).collect();
    if given.is_empty() {
        return Ok(url);
    }
    let usage = |error: LabError| Failure::Usage(format!("{}: {error}", given.join(", ")));
    let client = trust.redis_cert.as_deref().zip(trust.redis_key.as_deref());
    let tls = TlsOptions {
        ca_file: trust.redis_ca.as_deref().map(absolute),
        client: client.map(|(cert, key)| ClientCertificate { cert_file: absolute(cert), key_file: absolute(key) }),
        ..TlsOptions::default()
    };
    let url = url.secured(tls).map_err(usage)?;
    Dialer::of(&url).map_err(usage)?;
    Ok(url)
}

/// The journal stores the path, and `firedrill heal` may run in another folder.
fn absolute(file: &Path) -> PathBuf {
    std::path::absolute(file).unwrap_or_else(|_| file.to_owned())
}
