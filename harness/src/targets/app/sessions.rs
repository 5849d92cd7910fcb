//! Which session of the drill is which session of the application. The application chooses the ids, and only the holder
//! of the cookie reaches a session; all lanes share the cookies.

use hashbrown::HashMap;
use hyper::header::HeaderValue;
use parking_lot::RwLock;

use crate::history::SessionNo;

/// The cookies that the application gave out, and for whom.
#[derive(Default)]
pub(super) struct Sessions(RwLock<Known>);

#[derive(Default)]
struct Known {
    cookies: HashMap<SessionNo, HeaderValue>,
    numbers: HashMap<String, SessionNo>,
}

impl Sessions {
    /// Session `number` is called `id` by the application, and `cookie` opens it.
    pub fn learn(&self, number: SessionNo, id: String, cookie: HeaderValue) {
        let mut known = self.0.write();
        known.cookies.insert(number, cookie);
        known.numbers.insert(id, number);
    }

    /// What opens the session; `None` if the application never gave it out, because its create failed or its answer
    /// was lost.
    pub fn cookie(&self, number: SessionNo) -> Option<HeaderValue> {
        self.0.read().cookies.get(&number).cloned()
    }

    /// Whose session is called `id`; `None` if the application never gave that id out.
    pub fn number(&self, id: &str) -> Option<SessionNo> {
        self.0.read().numbers.get(id).copied()
    }
}
