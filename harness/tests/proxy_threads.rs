//! A test binary of its own: it counts the threads of its process.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::time::{Duration, Instant};

use firedrill::proxy::ProxyServer;

/// The proxies' threads of this process.
fn threads() -> usize {
    std::fs::read_dir("/proc/self/task")
        .unwrap()
        .filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("comm")).ok())
        .filter(|name| name.trim() == "firedrill-proxy")
        .count()
}

#[test]
fn starting_and_dropping_many_servers_leaves_no_thread_behind() {
    for seed in 0..50 {
        drop(ProxyServer::start(seed).unwrap());
    }
    // A thread that was joined may still be listed for a moment.
    let deadline = Instant::now() + Duration::from_secs(10);
    while threads() > 0 {
        assert!(Instant::now() < deadline, "{} threads are left", threads());
        std::thread::sleep(Duration::from_millis(5));
    }
}
