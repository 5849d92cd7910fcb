//! The cookies of one session, as a browser keeps them for one origin (RFC 6265): Path, Max-Age and Expires, removal.
//!
//! Several requests of a session may be under way at once. An answer replaces a cookie only if its request was sent later
//! than the one whose answer set it: an early answer that arrives late must not bring an old cookie back.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use cookie::{Cookie, Expiration};

/// The cookies of a session.
#[derive(Debug, Clone, Default)]
pub(super) struct Jar {
    cookies: Vec<Kept>,
}

#[derive(Debug, Clone)]
struct Kept {
    name: String,
    /// `None`: removed, and kept so that a late answer does not bring it back.
    value: Option<String>,
    path: String,
    until: Option<Instant>,
    secure: bool,
    /// The number of the request whose answer set it.
    sent: u64,
}

impl Jar {
    /// The value of the `Cookie` header of a request for `path`; `None` without a cookie for it. `trusted`: over TLS, or to
    /// this machine, to which browsers send secure cookies without TLS.
    pub(super) fn header(&self, path: &str, trusted: bool, now: Instant) -> Option<String> {
        let path = path.split('?').next().unwrap_or(path);
        let mut fit: Vec<&Kept> = self
            .cookies
            .iter()
            .filter(|kept| matches(path, &kept.path) && (trusted || !kept.secure))
            .filter(|kept| kept.until.is_none_or(|until| now < until))
            .collect();
        fit.sort_by_key(|kept| std::cmp::Reverse(kept.path.len()));
        let pairs: Vec<String> =
            fit.iter().filter_map(|kept| Some(format!("{}={}", kept.name, kept.value.as_ref()?))).collect();
        (!pairs.is_empty()).then(|| pairs.join("; "))
    }

    /// Takes a `Set-Cookie` header from the answer to request number `sent` for `path`. One that is not a cookie is left out, as
    /// browsers do.
    pub(super) fn take(&mut self, header: &str, path: &str, sent: u64, now: Instant) {
        let Ok(cookie) = Cookie::parse(header) else { return };
        let until = lifetime(&cookie).map(|left| left.map(|left| now + left));
        let path = match cookie.path().filter(|path| path.starts_with('/')) {
            Some(path) => path.to_owned(),
            None => default_path(path),
        };
        let kept = Kept {
            name: cookie.name().to_owned(),
            value: until.is_some().then(|| cookie.value().to_owned()),
            path,
            until: until.flatten(),
            secure: cookie.secure().unwrap_or(false),
            sent,
        };
        match self.cookies.iter_mut().find(|old| old.name == kept.name && old.path == kept.path) {
            Some(old) if old.sent <= sent => *old = kept,
            Some(_) => {}
            None => self.cookies.push(kept),
        }
    }
}

/// How long a cookie is kept: `None` if it is removed, `Some(None)` if it stays.
fn lifetime(cookie: &Cookie<'_>) -> Option<Option<Duration>> {
    if let Some(age) = cookie.max_age() {
        return u64::try_from(age.whole_seconds()).ok().filter(|age| *age > 0).map(|age| Some(capped(age)));
    }
    match cookie.expires() {
        Some(Expiration::DateTime(when)) => {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
            let left = u64::try_from(when.unix_timestamp()).unwrap_or(0).checked_sub(now)?;
            (left > 0).then(|| Some(capped(left)))
        }
        Some(Expiration::Session) | None => Some(None),
    }
}

/// An instant much later than a drill lasts need not be exact, and must not overflow.
fn capped(seconds: u64) -> Duration {
    Duration::from_secs(seconds.min(400 * 24 * 3_600))
}

/// RFC 6265, 5.1.4: the path of a cookie that names none.
fn default_path(path: &str) -> String {
    let path = path.split('?').next().unwrap_or(path);
    match path.rfind('/') {
        None | Some(0) => "/".to_owned(),
        Some(end) => path[..end].to_owned(),
    }
}

/// RFC 6265, 5.1.4: whether a request for `path` carries a cookie for `of`.
fn matches(path: &str, of: &str) -> bool {
    path.strip_prefix(of).is_some_and(|rest| rest.is_empty() || of.ends_with('/') || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(jar: &Jar, path: &str) -> Option<String> {
        jar.header(path, true, Instant::now())
    }

    #[test]
    fn a_cookie_comes_back_where_its_path_says_and_until_it_is_removed() {
        let (mut jar, now) = (Jar::default(), Instant::now());
        jar.take("sid=abc; Path=/; HttpOnly; Max-Age=60", "/login", 1, now);
        jar.take("cart=7; Path=/cart", "/cart/add", 2, now);
        assert_eq!(header(&jar, "/").as_deref(), Some("sid=abc"));
        assert_eq!(header(&jar, "/cart?x=1").as_deref(), Some("cart=7; sid=abc"));
        assert_eq!(header(&jar, "/cartoon").as_deref(), Some("sid=abc"));
        assert_eq!(jar.header("/", true, now + Duration::from_secs(61)), None, "it has expired");
        jar.take("sid=; Path=/; Max-Age=0", "/logout", 3, now);
        assert_eq!(header(&jar, "/"), None);
        jar.take("sid=x; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT", "/logout", 4, now);
        assert_eq!(header(&jar, "/"), None);
    }

    #[test]
    fn an_answer_to_an_earlier_request_does_not_bring_an_old_cookie_back() {
        let (mut jar, now) = (Jar::default(), Instant::now());
        jar.take("sid=new; Path=/", "/", 5, now);
        jar.take("sid=old; Path=/", "/", 4, now);
        assert_eq!(header(&jar, "/").as_deref(), Some("sid=new"));
        jar.take("sid=; Path=/; Max-Age=0", "/", 7, now);
        jar.take("sid=late; Path=/", "/", 6, now);
        assert_eq!(header(&jar, "/"), None);
    }

    #[test]
    fn a_secure_cookie_goes_over_trusted_lines_only_and_nonsense_is_left_out() {
        let (mut jar, now) = (Jar::default(), Instant::now());
        jar.take("sid=abc; Path=/; Secure", "/", 1, now);
        jar.take("=;;=", "/", 1, now);
        assert_eq!(jar.header("/", false, now), None);
        assert_eq!(jar.header("/", true, now).as_deref(), Some("sid=abc"));
    }
}
