//! What the server does to a connection from outside.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use tokio::sync::Notify;

use super::resp::Reply;

/// What the server does to a connection from outside.
#[derive(Default)]
pub struct Line {
    cut: AtomicBool,
    pushed: Mutex<VecDeque<Vec<u8>>>,
    rung: Notify,
}

impl Line {
    /// The server closes the connection.
    pub fn cut(&self) {
        self.cut.store(true, Ordering::SeqCst);
        self.rung.notify_one();
    }

    /// Sends a message that is not a reply.
    pub fn push(&self, message: Reply) {
        let mut bytes = Vec::new();
        message.encode(&mut bytes);
        self.pushed.lock().push_back(bytes);
        self.rung.notify_one();
    }

    pub(crate) fn is_cut(&self) -> bool {
        self.cut.load(Ordering::SeqCst)
    }

    pub(crate) fn take_pushed(&self) -> Vec<Vec<u8>> {
        self.pushed.lock().drain(..).collect()
    }

    pub(crate) async fn rung(&self) {
        self.rung.notified().await;
    }
}
