//! Free loopback ports for servers that die and come back. They lie outside the kernel's range for outgoing
//! connections: inside it, a client that keeps connecting to a dead server's port is sooner or later assigned that very
//! port, connects to itself, and blocks the server's return.

use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::ops::RangeInclusive;

use rand::RngExt as _;

/// The unprivileged ports below Linux's default range for outgoing connections.
const DEFAULT: RangeInclusive<u16> = 15_000..=32_000;

const TRIES: u32 = 64;

/// A free port of 127.0.0.1. Another process may take it before the caller does; then try again.
///
/// # Errors
/// The error of bind(2) if no port could be bound at all.
pub fn free_port() -> io::Result<u16> {
    let outgoing = outgoing_range();
    for _ in 0..TRIES {
        let port = rand::rng().random_range(DEFAULT);
        if !outgoing.contains(&port) && TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return Ok(port);
        }
    }
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr().map(|address| address.port())
}

/// The kernel's range for outgoing connections (ip(7)), or the default if the kernel does not report it.
fn outgoing_range() -> RangeInclusive<u16> {
    let said = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap_or_default();
    let mut ends = said.split_ascii_whitespace().map(str::parse);
    match (ends.next(), ends.next()) {
        (Some(Ok(low)), Some(Ok(high))) => low..=high,
        _ => 32_768..=60_999,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_free_port_is_not_one_that_outgoing_connections_get() {
        let port = free_port().unwrap();
        let outgoing = outgoing_range();
        let everything_is_outgoing = outgoing.contains(DEFAULT.start()) && outgoing.contains(DEFAULT.end());
        assert!(everything_is_outgoing || !outgoing.contains(&port), "{port} in {outgoing:?}");
    }
}
