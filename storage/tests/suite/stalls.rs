//! How long the machine itself stalled. A thread asks to be woken every few milliseconds; how much it oversleeps is not
//! the fault of the code under test.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

const TICK: Duration = Duration::from_millis(10);
/// Oversleeping counts only beyond this.
const STALL: Duration = Duration::from_millis(50);

/// In microseconds.
static STALLED: AtomicU64 = AtomicU64::new(0);

/// All stalls since the first call.
pub fn so_far() -> Duration {
    static WATCH: OnceLock<()> = OnceLock::new();
    WATCH.get_or_init(|| {
        std::thread::spawn(watch);
    });
    Duration::from_micros(STALLED.load(Ordering::Relaxed))
}

/// Stalls since then, including one that is just ending.
pub async fn since(before: Duration) -> Duration {
    tokio::time::sleep(3 * TICK).await;
    so_far() - before
}

fn watch() {
    loop {
        let began = Instant::now();
        std::thread::sleep(TICK);
        let beyond = began.elapsed() - TICK;
        if beyond > STALL {
            STALLED.fetch_add(beyond.as_micros() as u64, Ordering::Relaxed);
        }
    }
}
