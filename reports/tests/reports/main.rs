//! The record of a run and its renderings, tested from outside.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod accessible;
mod common;
mod compare;
mod format;
mod html;
mod properties;
mod terminal;
