//! A Redis server in this process: the commands and scripts that the store uses, and the faults of real servers.

pub mod commands;
pub mod connection;
pub mod fate;
pub mod keyspace;
pub mod line;
mod lua;
pub mod path;
pub mod resp;
pub mod server;
