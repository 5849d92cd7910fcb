//! With the feature `planted`: which defect the code that runs now has. The tasks and calls of a store set it for as long as
//! they are polled, so seams need no access to the store.

use std::cell::Cell;
use std::collections::HashSet;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{LazyLock, Mutex, PoisonError};

use super::defect::Planted;

thread_local! {
    static NOW: Cell<Hooks> = const { Cell::new(Hooks { defect: None, store: 0 }) };
}

/// What is planted in one store.
#[derive(Debug, Clone, Copy, Default)]
pub struct Hooks {
    defect: Option<&'static Planted>,
    /// Tells the stores apart that have something planted.
    store: u64,
}

impl Hooks {
    /// With this defect planted.
    pub fn of(defect: &'static Planted) -> Self {
        static STORES: AtomicU64 = AtomicU64::new(1);
        Self { defect: Some(defect), store: STORES.fetch_add(1, Ordering::Relaxed) }
    }

    /// Whether nothing is planted.
    pub(crate) fn is_empty(self) -> bool {
        self.defect.is_none()
    }

    /// Does some work of the store; tasks that it spawns as [`carried`] go on with the same defect.
    pub(crate) fn during<T>(self, work: impl FnOnce() -> T) -> T {
        struct Restored(Hooks);
        impl Drop for Restored {
            fn drop(&mut self) {
                NOW.set(self.0);
            }
        }
        let _restored = Restored(NOW.replace(self));
        work()
    }

    /// The same for work that waits.
    pub(crate) async fn within<F: Future>(self, work: F) -> F::Output {
        let mut work = pin!(work);
        poll_fn(move |context| self.during(|| work.as_mut().poll(context))).await
    }
}

/// A task of the store that runs now.
pub(crate) fn carried<F: Future>(task: F) -> impl Future<Output = F::Output> {
    NOW.get().within(task)
}

/// Whether the store that runs now has this defect.
pub(crate) fn is_planted(defect: &'static Planted) -> bool {
    NOW.get().defect.is_some_and(|planted| std::ptr::eq(planted, defect))
}

/// Whether the store that runs now asks this for the first time.
pub(crate) fn first_time(what: &str) -> bool {
    static ASKED: LazyLock<Mutex<HashSet<(u64, String)>>> = LazyLock::new(Mutex::default);
    ASKED.lock().unwrap_or_else(PoisonError::into_inner).insert((NOW.get().store, what.to_owned()))
}

/// A script's text with the defect planted in it; `None`: the defect, if there is any, is elsewhere.
pub(crate) fn lua(code: &str) -> Option<String> {
    let (part, instead) = NOW.get().defect?.lua?;
    code.contains(part).then(|| code.replacen(part, instead, 1))
}

#[cfg(test)]
mod tests {
    use super::super::{ALL, find, seam};
    use super::*;

    #[tokio::test]
    async fn a_defect_is_planted_in_its_own_stores_calls_and_tasks_alone() {
        let planted = Hooks::of(find("deaf-to-destroys").unwrap());
        let look = || (seam!(deaf_to_destroys), seam!(splits_capacity));
        assert_eq!(look(), (false, false));
        let task = planted.during(|| {
            assert_eq!(look(), (true, false));
            Hooks::default().during(|| assert_eq!(look(), (false, false)));
            assert_eq!(look(), (true, false));
            tokio::spawn(carried(async move {
                tokio::task::yield_now().await;
                look()
            }))
        });
        assert_eq!(look(), (false, false));
        let other = Hooks::of(find("splits-capacity").unwrap()).within(async {
            tokio::task::yield_now().await;
            look()
        });
        assert_eq!(tokio::join!(other, async { task.await.unwrap() }), ((false, true), (true, false)));
        assert_eq!(look(), (false, false));
    }

    #[test]
    fn every_defect_has_a_name_of_its_own_and_says_where_it_was_seen() {
        for (at, defect) in ALL.iter().enumerate() {
            let name = defect.name;
            assert!(ALL[..at].iter().all(|other| other.name != name), "{name} is there twice");
            assert!(name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-'), "{name}");
            assert!(!defect.about.is_empty() && !defect.source.is_empty(), "{name}");
            assert!(defect.scenarios.len() <= 4, "{name} names too many scenarios");
        }
        let error = find("none-such").unwrap_err().to_string();
        assert!(
            error.starts_with("no planted defect `none-such`: use one of ") && error.contains(ALL[0].name),
            "{error}"
        );
    }
}
