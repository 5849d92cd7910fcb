//! How a store under test finds the host of its Redis, and with which password it connects: as its machine does, unless the drill leads it to a proxy, until a
//! fault changes the answer. Connections that are open are not affected; they were found before.

use std::collections::HashMap;
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

/// The password that the store under test connects with: that of its URL, until a fault has it told another one. Open
/// connections are not affected.
#[derive(Default)]
pub struct StorePassword(Mutex<Option<String>>);

impl StorePassword {
    /// From now on, the store connects with this password; `None`: with that of its URL.
    pub fn tell(&self, password: Option<String>) {
        *self.0.lock() = password;
    }

    /// What it was told.
    pub fn told(&self) -> Option<String> {
        self.0.lock().clone()
    }
}

/// The resolver of the store under test.
#[derive(Debug, Default)]
pub struct StoreNames {
    /// `None`: the machine's answer.
    answer: Mutex<Option<Answer>>,
    /// Where the store finds servers whose announced address is not the drill's to change, by host and port.
    led: Mutex<HashMap<(String, u16), SocketAddr>>,
    /// Lookups that a fault has answered.
    falsified: AtomicU64,
}

impl StoreNames {
    /// Answers every lookup like this from now on; `None`: as the machine does.
    pub fn set(&self, answer: Option<Answer>) {
        *self.answer.lock() = answer;
    }

    /// From now on, the server that its group knows as `host` and `port` is found at `address`.
    pub fn lead(&self, host: &str, port: u16, address: SocketAddr) {
        self.led.lock().insert((host.to_owned(), port), address);
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
        let led = self.led.lock().get(&(host.to_owned(), port)).copied();
        let stream = match answer {
            None => match led {
                Some(proxy) => tcp(proxy).await?,
                None => tcp((host, port)).await?,
            },
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

    #[tokio::test]
    async fn a_server_that_the_drill_leads_elsewhere_is_found_there_and_others_where_they_are() {
        let (usual, proxy) =
            (TcpListener::bind("127.0.0.1:0").await.unwrap(), TcpListener::bind("127.0.0.1:0").await.unwrap());
        let port = usual.local_addr().unwrap().port();
        let names = StoreNames::default();
        names.lead("redis-1.invalid", port, proxy.local_addr().unwrap());

        drop(names.connect("redis-1.invalid", port).await.unwrap());
        proxy.accept().await.unwrap();
        drop(names.connect("localhost", port).await.unwrap());
        usual.accept().await.unwrap();
        assert_eq!(names.falsified(), 0);
    }
}
