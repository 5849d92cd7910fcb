//! Paths as Toxiproxy's router (gorilla/mux) reads them: one that is not clean is redirected to the clean one.

use axum::extract::Request;
use axum::http::{StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

/// Redirects `//proxies` and `/proxies/../version`.
pub(super) async fn redirect(request: Request, next: Next) -> Response {
    match clean(request.uri().path()) {
        Some(path) => {
            let query = request.uri().query().map_or_else(String::new, |query| format!("?{query}"));
            (StatusCode::MOVED_PERMANENTLY, [(header::LOCATION, format!("{path}{query}"))]).into_response()
        }
        None => next.run(request).await,
    }
}

/// `path` without empty parts, `.` and `..`; `None` where it has none.
pub(super) fn clean(path: &str) -> Option<String> {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    let end = if path.ends_with('/') && !parts.is_empty() { "/" } else { "" };
    let cleaned = format!("/{}{end}", parts.join("/"));
    (cleaned != path).then_some(cleaned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_cleaned_as_by_gorilla_mux() {
        for (path, cleaned) in [
            ("//proxies", "/proxies"),
            ("/proxies//redis", "/proxies/redis"),
            ("/proxies/./redis/", "/proxies/redis/"),
            ("/proxies/../version", "/version"),
            ("/../..", "/"),
        ] {
            assert_eq!(clean(path).as_deref(), Some(cleaned), "{path}");
        }
        for path in ["/", "/proxies", "/proxies/", "/proxies/a..b/toxics"] {
            assert_eq!(clean(path), None, "{path}");
        }
    }
}
