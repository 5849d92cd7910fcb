//! The shipped shapes of session data.

pub mod conversation;
pub mod timestamp;
pub mod trivia;
