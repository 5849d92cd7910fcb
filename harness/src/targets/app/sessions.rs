//! Maps the drill's sessions to the application's. The application chooses the ids, and only the holder of the cookie
//! can reach a session; all lanes share the cookies.

use hashbrown::HashMap;
use hyper::header::HeaderValue;
use parking_lot::RwLock;

use crate::history::SessionNo;

/// The cookies issued by the application, and the sessions they belong to.
#[derive(Default)]
pub(super) struct Sessions(RwLock<Known>);

#[derive(Default)]
struct Known {
    cookies: HashMap<SessionNo, HeaderValue>,
    numbers: HashMap<String, SessionNo>,
}

impl Sessions {
    /// Records that the application calls session `number` `id`, and that `cookie` opens it.
    pub fn learn(&self, number: SessionNo, id: String, cookie: HeaderValue) {
        let mut known = self.0.write();
        known.cookies.insert(number, cookie);
        known.numbers.insert(id, number);
    }

    /// The cookie of the session; `None` if the application never issued one, because the create failed or its answer
    /// was lost.
    pub fn cookie(&self, number: SessionNo) -> Option<HeaderValue> {
        self.0.read().cookies.get(&number).cloned()
    }

    /// The number of the session called `id`; `None` if the application never issued that id.
    pub fn number(&self, id: &str) -> Option<SessionNo> {
        self.0.read().numbers.get(id).copied()
    }
}
