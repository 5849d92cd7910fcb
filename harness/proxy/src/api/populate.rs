//! Several proxies at once: `POST /populate`, and the configuration file of the stand-alone proxy.

use std::sync::Arc;

use super::body::{NewProxy, read, resolve};
use super::error::ApiError;
use crate::proxy::Proxy;
use crate::registry::Registry;

/// Makes the proxies of a JSON array, or finds them already made.
///
/// # Errors
/// With the proxies that were made before the one that could not be. Nothing is made when the array itself is wrong.
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

/// A proxy that is there already with the same address and upstream stays as it is, toxics and all; another one of the
/// same name is replaced.
async fn put(registry: &Registry, new: NewProxy) -> Result<Arc<Proxy>, ApiError> {
    if let Ok(present) = registry.get(&new.name) {
        if *present.upstream() == *new.upstream && present.listen_addr() == resolve(&new.listen).await? {
            return Ok(present);
        }
        registry.delete(&new.name).await?;
    }
    create(registry, new).await
}

/// Makes one proxy.
pub(super) async fn create(registry: &Registry, new: NewProxy) -> Result<Arc<Proxy>, ApiError> {
    let listen = resolve(&new.listen).await?;
    Ok(registry.create(&new.name, listen, new.upstream, new.enabled.unwrap_or(true)).await?)
}
