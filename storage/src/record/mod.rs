//! The session data that the crate ships.

pub mod conversation;
pub mod timestamp;
pub mod trivia;
