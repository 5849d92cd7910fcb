//! `firedrill doctor`: what is installed, what is missing, how to get it.

use super::args::DoctorArgs;
use super::exit::{Failure, Status};
use super::out;
use super::redis::external;
use crate::lab::{probe_environment, probe_redis};

/// Prints one line per requirement of a drill. Exit status 4 if something indispensable is missing.
pub fn run(args: &DoctorArgs) -> Result<Status, Failure> {
    let url = match args.redis.as_deref() {
        None | Some("" | "managed") => None,
        Some(text) => Some(external(text, &args.trust)?),
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::Environment(format!("cannot start a runtime: {error}")))?;
    let mut findings = runtime.block_on(probe_environment(None));
    if let Some(url) = &url {
        findings.extend(runtime.block_on(probe_redis(url)));
    }
    let width = findings.iter().map(|finding| finding.name.len()).max().unwrap_or(0);
    let mut status = Status::Passed;
    for finding in &findings {
        let sign = match (finding.ok, finding.optional) {
            (true, _) => "ok     ",
            (false, true) => "absent ",
            (false, false) => {
                status = Status::Environment;
                "MISSING"
            }
        };
        out::line(format_args!("{sign}  {:width$}  {}", finding.name, finding.found));
        if let Some(cure) = &finding.cure {
            out::line(format_args!("         {:width$}  -> {cure}", ""));
        }
    }
    match status {
        Status::Passed => out::line("\nready: firedrill run redis-outage"),
        _ => out::line("\nnot ready: see above"),
    }
    Ok(status)
}
