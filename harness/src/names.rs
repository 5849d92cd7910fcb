//! How a store under test finds the host of its Redis: as its machine does, until a fault changes the answer. Connections
//! that are open are not affected; they were found before.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use firedrill_storage::network::tcp;
use firedrill_storage::{Network, Stream};
use parking_lot::Mutex;

/// What a fault makes of a lookup.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// Another address.
    Address(SocketAddr),
    /// There is no such name.
    Unknown,
    /// None, ever: the store's own deadline ends it.
    Silence,
}

/// The resolver of the store under test.
#[derive(Debug, Default)]
pub struct StoreNames {
    /// `None`: the machine's answer.
    answer: Mutex<Option<Answer>>,
    /// Lookups that a fault has answered.
    falsified: AtomicU64,
}

impl StoreNames {
    /// Answers every lookup like this from now on; `None`: as the machine does.
    pub fn set(&self, answer: Option<Answer>) {
        *self.answer.lock() = answer;
    }

    /// How many lookups a fault has answered so far.
    pub fn falsified(&self) -> u64 {
        self.falsified.load(Relaxed)
    }
}

#[async_trait::async_trait]
impl Network for StoreNames {
    async fn connect(&self, host: &str, port: u16) -> io::Result<Box<dyn Stream>> {
        let answer = *self.answer.lock();
        if answer.is_some() {
            self.falsified.fetch_add(1, Relaxed);
        }
        let stream = match answer {
            None => tcp((host, port)).await?,
            Some(Answer::Address(address)) => tcp(address).await?,
            Some(Answer::Unknown) => return Err(io::Error::other("Name or service not known")),
            Some(Answer::Silence) => std::future::pending().await,
        };
        Ok(Box::new(stream))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn a_lookup_is_answered_as_the_fault_wants_and_then_as_the_machine_does() {
        let (usual, other) =
            (TcpListener::bind("127.0.0.1:0").await.unwrap(), TcpListener::bind("127.0.0.1:0").await.unwrap());
        let port = usual.local_addr().unwrap().port();
        let names = StoreNames::default();

        drop(names.connect("localhost", port).await.unwrap());
        usual.accept().await.unwrap();
        assert_eq!(names.falsified(), 0);

        names.set(Some(Answer::Address(other.local_addr().unwrap())));
        drop(names.connect("localhost", port).await.unwrap());
        other.accept().await.unwrap();

        names.set(Some(Answer::Unknown));
        assert!(names.connect("localhost", port).await.is_err());

        names.set(Some(Answer::Silence));
        let silent = tokio::time::timeout(Duration::from_millis(50), names.connect("localhost", port)).await;
        assert!(silent.is_err());
        assert_eq!(names.falsified(), 3);

        names.set(None);
        drop(names.connect("localhost", port).await.unwrap());
        usual.accept().await.unwrap();
    }
}
