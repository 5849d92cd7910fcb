//! Creates several proxies at once, for `POST /populate` and the configuration file of the stand-alone proxy.

use std::sync::Arc;

use super::body::AskedProxy;
use super::error::ApiError;
use crate::error::ProxyError;
use crate::place::{Place, resolve};
use crate::proxy::Proxy;
use crate::registry::Registry;

/// Creates the proxies in a JSON array, unless they exist already.
///
/// # Errors
/// With the proxies that were made before the one that could not be. Nothing is made when the array itself is wrong.
pub(super) async fn populate(registry: &Registry, json: &str) -> Result<Vec<Arc<Proxy>>, (ApiError, Vec<Arc<Proxy>>)> {
    let wanted = parse(json).map_err(|error| (error, Vec::new()))?;
    let mut made = Vec::new();
    for asked in wanted {
        match put(registry, asked).await {
            Ok(proxy) => made.push(proxy),
            Err(error) => return Err((error, made)),
        }
    }
    Ok(made)
}

fn parse(json: &str) -> Result<Vec<AskedProxy>, ApiError> {
    let wanted = AskedProxy::read_all(json)?;
    for (at, asked) in wanted.iter().enumerate() {
        if let Some(field) = asked.missing_field() {
            return Err(ApiError::missing(format_args!("{field} at proxy {}", at + 1)));
        }
    }
    Ok(wanted)
}

/// A proxy that is there already with the same address and upstream stays as it is, toxics and all; another one of the
/// same name is replaced.
async fn put(registry: &Registry, asked: AskedProxy) -> Result<Arc<Proxy>, ApiError> {
    if let Ok(present) = registry.get(&asked.name) {
        let listen = resolve(asked.listen.as_deref().unwrap_or_default()).await.map_err(ApiError::unresolved)?;
        if Some(&*present.upstream()) == asked.upstream.as_deref() && present.listen_addr() == listen {
            return Ok(present);
        }
        registry.delete(&asked.name).await?;
    }
    Ok(create(registry, asked).await?)
}

/// Makes one proxy.
pub(super) async fn create(registry: &Registry, asked: AskedProxy) -> Result<Arc<Proxy>, ProxyError> {
    let AskedProxy { name, listen, upstream, enabled } = asked;
    let listen = Place::written(&listen.unwrap_or_default()).await;
    registry.create(&name, listen, upstream.unwrap_or_default(), enabled.unwrap_or(true)).await
}
