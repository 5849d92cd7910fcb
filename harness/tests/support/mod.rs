//! What the tests of all four binaries share.
#![allow(dead_code, unused_imports)] // each test binary uses its part

pub mod alone;
pub mod app;
pub mod browser;
pub mod docker;
pub mod drill;
pub mod foreign;
pub mod ground;
pub mod http;
pub mod process;
pub mod python;
pub mod toxiproxy;
pub mod watched;

pub use drill::*;
pub use process::*;
pub use python::*;
