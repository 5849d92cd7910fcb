//! The script of a drill: TOML, read with the file's line and a caret under every error.

pub mod units;
