//! File descriptors: some are reserved, so that the API can answer and take proxies down even if proxies and
//! connections have used up the rest.

use std::io;
use std::os::fd::AsRawFd;

use nix::errno::Errno;
use nix::sys::resource::{Resource, getrlimit};

/// The maximum reserve.
const RESERVE: u64 = 256;

/// The maximum number of descriptors of this process, and how many of them are reserved for the API.
pub(crate) fn limit_and_reserve() -> (u64, u64) {
    let limit = getrlimit(Resource::RLIMIT_NOFILE).map_or(u64::MAX, |(soft, _)| soft);
    (limit, RESERVE.min(limit / 4))
}

/// Closes the new descriptor `new` if it belongs to the reserve. The system assigns the lowest free number, so if this
/// number is high, all lower ones are taken.
///
/// # Errors
/// EMFILE, as if the system had no descriptors left.
pub(crate) fn spared<T: AsRawFd>(new: T) -> io::Result<T> {
    let (limit, reserve) = limit_and_reserve();
    match u64::try_from(new.as_raw_fd()) {
        Ok(number) if number >= limit - reserve => Err(Errno::EMFILE.into()),
        _ => Ok(new),
    }
}

/// Whether the call failed for lack of descriptors.
pub(crate) fn ran_out(error: &io::Error) -> bool {
    matches!(error.raw_os_error().map(Errno::from_raw), Some(Errno::EMFILE | Errno::ENFILE))
}
