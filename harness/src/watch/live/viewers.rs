//! The open pages, and what they have fetched.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

/// A page asks twice a second, one in a hidden tab once. One that has not asked for this long is gone.
const GONE: Duration = Duration::from_secs(3);

/// More pages than this are not waited for.
const MOST: usize = 64;

struct Viewer {
    seen: Instant,
    reports: usize,
}

/// The open pages.
#[derive(Default)]
pub struct Viewers {
    known: Mutex<HashMap<u64, Viewer>>,
    changed: Condvar,
}

impl Viewers {
    /// Notes that the page with this number has asked, and how many reports it has.
    pub fn seen(&self, viewer: u64, reports: usize) {
        let mut known = self.known.lock();
        if known.len() < MOST || known.contains_key(&viewer) {
            known.insert(viewer, Viewer { seen: Instant::now(), reports });
            self.changed.notify_all();
        }
    }

    /// Waits until every page that is still open has `reports` reports, but not beyond `deadline`.
    pub fn wait_until_served(&self, reports: usize, deadline: Instant) {
        let mut known = self.known.lock();
        loop {
            let open = known.values().filter(|viewer| viewer.reports < reports).map(|viewer| viewer.seen + GONE);
            // The moment at which the last page that lacks something counts as gone.
            let Some(until) = open.filter(|gone| *gone > Instant::now()).max() else { return };
            if Instant::now() >= deadline {
                return;
            }
            self.changed.wait_until(&mut known, until.min(deadline));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_waited_for_until_it_has_every_report_and_nobody_else_is() {
        let viewers = std::sync::Arc::new(Viewers::default());
        let far = Instant::now() + Duration::from_secs(60);
        viewers.wait_until_served(1, far);
        viewers.seen(7, 0);
        let fetching = viewers.clone();
        let waiting = std::thread::spawn(move || fetching.wait_until_served(1, far));
        assert!(!waiting.is_finished());
        viewers.seen(7, 1);
        waiting.join().unwrap();
        viewers.wait_until_served(2, Instant::now());
    }
}
