//! Redirects within an application, followed as a browser follows them.

use hyper::StatusCode;
use hyper::header::LOCATION;
use url::Url;

use super::connection::Reply;

/// More than this are a circle, as browsers see it.
pub(super) const MOST: usize = 10;

/// Stands for the application: every instance answers to the same name.
const HERE: &str = "http://application.invalid/";

/// Whether `reply` leads somewhere else (RFC 9110, 15.4).
pub(super) fn is_one(reply: &Reply) -> bool {
    matches!(reply.status.as_u16(), 301 | 302 | 303 | 307 | 308)
}

/// Whether the same request is sent again, with its method and body; otherwise the next one is a GET.
pub(super) fn repeats(reply: &Reply) -> bool {
    matches!(reply.status, StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT)
}

/// The path and query to which an answer to a request for `path` leads.
///
/// # Errors
/// It leads nowhere, or to another host than a loopback one: a drill loads the application only.
pub(super) fn target(reply: &Reply, path: &str) -> Result<String, String> {
    let location = reply.headers.get(LOCATION).and_then(|value| value.to_str().ok());
    let location = location.ok_or_else(|| format!("{} to {path} without a location", reply.status.as_u16()))?;
    let here = Url::parse(HERE).and_then(|here| here.join(path));
    let to = here.and_then(|here| here.join(location)).map_err(|_| format!("`{location}` is no location"))?;
    let is_local = matches!(to.host_str(), Some("application.invalid" | "localhost" | "127.0.0.1" | "[::1]"));
    if !is_local {
        return Err(format!("{path} leads to another host, {}", to.host_str().unwrap_or("without a name")));
    }
    Ok(to[url::Position::BeforePath..url::Position::AfterQuery].to_owned())
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use hyper::header::{HeaderMap, HeaderValue};

    use super::*;

    fn reply(status: u16, location: Option<&'static str>) -> Reply {
        let mut headers = HeaderMap::new();
        headers.extend(location.map(|location| (LOCATION, HeaderValue::from_static(location))));
        Reply { status: StatusCode::from_u16(status).unwrap(), headers, body: Bytes::new() }
    }

    #[test]
    fn a_location_is_relative_to_the_page_that_names_it() {
        let to = |location| target(&reply(302, Some(location)), "/shop/cart?x=1");
        assert_eq!(to("/login?next=%2Fcart#top").as_deref(), Ok("/login?next=%2Fcart"));
        assert_eq!(to("thanks").as_deref(), Ok("/shop/thanks"));
        assert_eq!(to("http://127.0.0.1:4711/").as_deref(), Ok("/"));
        assert_eq!(
            to("https://elsewhere.example/x"),
            Err("/shop/cart?x=1 leads to another host, elsewhere.example".into())
        );
        assert!(target(&reply(302, None), "/").is_err());
    }

    #[test]
    fn only_some_redirects_repeat_the_request() {
        for (status, leads, again) in [(200, false, false), (303, true, false), (304, false, false), (307, true, true)]
        {
            assert_eq!((is_one(&reply(status, None)), repeats(&reply(status, None))), (leads, again), "{status}");
        }
    }
}
