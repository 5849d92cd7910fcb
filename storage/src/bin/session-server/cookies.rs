//! The cookie that carries a session's id (R5): signed, httpOnly, sameSite, secure in production.

use std::time::Duration;

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use cookie::{Cookie, CookieJar, Key, SameSite};
use firedrill_storage::SessionId;
use firedrill_storage::config::{Secret, ServerConfig};
use ring::hkdf;

use crate::answer::Failure;

/// Bytes of a key, as the cookie crate requires.
const KEY_BYTES: usize = 64;

/// Creates and reads the cookie.
pub struct SessionCookie {
    name: String,
    key: Key,
    production: bool,
    life: Duration,
}

impl SessionCookie {
    /// A cookie that lives as long as its session. Without a configured secret, it uses a random one for the life of
    /// this process.
    pub fn new(settings: &ServerConfig, life: Duration) -> Result<Self, &'static str> {
        let key = match &settings.secret {
            Some(secret) => key(secret).ok_or("no key can be derived from SESSION_SECRET")?,
            None => {
                tracing::warn!("SESSION_SECRET is not set: cookies are void after a restart");
                Key::try_generate().ok_or("the system gives no random numbers to make a key of")?
            }
        };
        Ok(Self { name: settings.cookie.clone(), key, production: settings.production, life })
    }

    /// The header that sets the cookie for `id`, or restarts its lifetime.
    pub fn hand_out(&self, id: &SessionId) -> Result<HeaderValue, Failure> {
        let mut jar = CookieJar::new();
        jar.signed_mut(&self.key).add(Cookie::new(self.name.clone(), id.as_str().to_owned()));
        let signed = jar.get(&self.name).map(|cookie| cookie.value().to_owned()).unwrap_or_default();
        self.header(signed, self.life)
    }

    /// The header that deletes the cookie.
    pub fn take_back(&self) -> Result<HeaderValue, Failure> {
        self.header(String::new(), Duration::ZERO)
    }

    fn header(&self, value: String, life: Duration) -> Result<HeaderValue, Failure> {
        let life = cookie::time::Duration::try_from(life).unwrap_or(cookie::time::Duration::MAX);
        let cookie = Cookie::build((self.name.clone(), value))
            .path("/")
            .http_only(true)
            .same_site(SameSite::Lax)
            .secure(self.production)
            .max_age(life)
            .build();
        HeaderValue::from_str(&cookie.encoded().to_string())
            .map_err(|_| Failure::new(StatusCode::INTERNAL_SERVER_ERROR, "cookie", "the cookie cannot be written"))
    }

    /// The session that a request belongs to. A cookie not signed here counts as none.
    pub fn session(&self, headers: &HeaderMap) -> Result<SessionId, Failure> {
        let ours = headers
            .get_all(header::COOKIE)
            .iter()
            .filter_map(|header| header.to_str().ok())
            .flat_map(|header| Cookie::split_parse_encoded(header.to_owned()))
            .flatten()
            .filter(|cookie| cookie.name() == self.name);
        let mut found = false;
        for cookie in ours {
            found = true;
            let verified = CookieJar::new().signed(&self.key).verify(cookie);
            if let Some(id) = verified.and_then(|cookie| SessionId::new(cookie.value())) {
                return Ok(id);
            }
        }
        Err(if found {
            Failure::new(StatusCode::UNAUTHORIZED, "bad_cookie", "the session cookie was not made by this service")
        } else {
            Failure::new(StatusCode::UNAUTHORIZED, "no_cookie", "no session cookie: start with POST /api/game/session")
        })
    }
}

/// Derives a key from the secret.
fn key(secret: &Secret) -> Option<Key> {
    struct Length;
    impl hkdf::KeyType for Length {
        fn len(&self) -> usize {
            KEY_BYTES
        }
    }
    let salt = hkdf::Salt::new(hkdf::HKDF_SHA512, b"firedrill session cookie");
    let mut bytes = [0; KEY_BYTES];
    let stretched = salt.extract(secret.reveal().as_bytes());
    stretched.expand(&[b"sign"], Length).ok()?.fill(&mut bytes).ok()?;
    Some(Key::from(&bytes))
}
