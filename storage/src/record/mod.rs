//! The shipped shapes of session data.

pub mod timestamp;
pub mod trivia;
