//! The record of a drill ("run") and its renderings: `run.json`, the HdrHistogram log, the verdict on the terminal, the
//! HTML report, and what pipelines read. This crate knows neither Redis nor tokio: any program can fill a [`Run`], and a
//! saved run can be rendered again years later without the target.

pub mod capacity;
#[cfg(feature = "ci")]
pub mod ci;
pub mod compare;
#[cfg_attr(not(feature = "terminal"), allow(dead_code, reason = "some words are only for the terminal"))]
mod describe;
pub mod evidence;
pub mod hlog;
pub mod html;
pub mod library;
pub mod run;
#[cfg(feature = "terminal")]
pub mod terminal;
pub mod text;

pub use capacity::Capacity;
pub use html::{render_capacity, render_html};
pub use run::{Run, RunError};
