//! File descriptors: some are reserved, so that the API answers, and can take proxies down, even if proxies and connections
//! have used up the rest.

use std::io;
use std::os::fd::AsRawFd;

use nix::errno::Errno;
use nix::sys::resource::{Resource, getrlimit};

/// The most that is kept in reserve.
const RESERVE: u64 = 256;

/// The most descriptors that this process may have, and how many of them are the API's alone.
pub(crate) fn limit_and_reserve() -> (u64, u64) {
    let limit = getrlimit(Resource::RLIMIT_NOFILE).map_or(u64::MAX, |(soft, _)| soft);
    (limit, RESERVE.min(limit / 4))
}

/// Gives `new`, just opened, back where it is one of the reserve. The system numbers descriptors from the lowest that is
/// free, so where this one is high, all below it are taken.
///
/// # Errors
/// EMFILE, as where the system had none left.
pub(crate) fn spared<T: AsRawFd>(new: T) -> io::Result<T> {
    let (limit, reserve) = limit_and_reserve();
    match u64::try_from(new.as_raw_fd()) {
        Ok(number) if number >= limit - reserve => Err(Errno::EMFILE.into()),
        _ => Ok(new),
    }
}

/// Whether it failed because no descriptor is left.
pub(crate) fn ran_out(error: &io::Error) -> bool {
    matches!(error.raw_os_error().map(Errno::from_raw), Some(Errno::EMFILE | Errno::ENFILE))
}
