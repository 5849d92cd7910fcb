//! The drill whose load is searched with.

use std::path::PathBuf;

use tokio_util::sync::CancellationToken;

use crate::cli::args::CapacityArgs;
use crate::cli::exit::Failure;
use crate::cli::redis::external;
use crate::cli::source::source;
use crate::drill::{self, Drill, RedisChoice};

/// The drill that the command line names, which leaves its files in `out`.
pub fn drill(args: &CapacityArgs, out: PathBuf, stop: &CancellationToken) -> Result<Drill, Failure> {
    let redis = match args.redis.as_str() {
        "managed" => RedisChoice::Managed(args.redis_server.clone()),
        url => RedisChoice::External(external(url, &args.trust)?),
    };
    let drill = Drill::from_source(source(&args.scenario)?)
        .redis_choice(redis)
        .session_server(args.session_server.clone())
        .workers(args.workers)
        .out(out)
        .stop(stop.clone());
    Ok(args.changes.apply(drill))
}

/// The folder of all files of the search.
pub fn folder(args: &CapacityArgs) -> PathBuf {
    args.out.clone().unwrap_or_else(|| PathBuf::from("runs").join(drill::folder_name()))
}
