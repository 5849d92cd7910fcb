//! Creates several proxies at once, for `POST /populate` and the configuration file of the stand-alone proxy.

use std::sync::Arc;

use super::body::{NewProxy, read, resolve};
use super::error::ApiError;
use crate::proxy::Proxy;
use crate::registry::Registry;

/// Creates the proxies in a JSON array, unless they exist already.
///
/// # Errors
/// The error comes with the proxies created before the one that failed. If the array itself is invalid, none is
/// created.
pub(super) async fn populate(registry: &Registry, json: &[u8]) -> Result<Vec<Arc<Proxy>>, (ApiError, Vec<Arc<Proxy>>)> {
    let wanted = parse(json).map_err(|error| (error, Vec::new()))?;
    let mut made = Vec::new();
    for new in wanted {
        match put(registry, new).await {
            Ok(proxy) => made.push(proxy),
            Err(error) => return Err((error, made)),
        }
    }
    Ok(made)
}

fn parse(json: &[u8]) -> Result<Vec<NewProxy>, ApiError> {
    let wanted: Vec<NewProxy> = read(json)?;
    for (at, new) in wanted.iter().enumerate() {
        if let Some(field) = new.missing_field() {
            return Err(ApiError::missing(format_args!("{field} at proxy {}", at + 1)));
        }
    }
    Ok(wanted)
}

/// Keeps an existing proxy with the same address and upstream, including its toxics; replaces any other proxy of the
/// same name.
async fn put(registry: &Registry, new: NewProxy) -> Result<Arc<Proxy>, ApiError> {
    if let Ok(present) = registry.get(&new.name) {
        if *present.upstream() == *new.upstream && present.listen_addr() == resolve(&new.listen).await? {
            return Ok(present);
        }
        registry.delete(&new.name).await?;
    }
    create(registry, new).await
}

/// Creates one proxy.
pub(super) async fn create(registry: &Registry, new: NewProxy) -> Result<Arc<Proxy>, ApiError> {
    let listen = resolve(&new.listen).await?;
    Ok(registry.create(&new.name, listen, new.upstream, new.enabled.unwrap_or(true)).await?)
}
