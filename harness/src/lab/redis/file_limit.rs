//! The size that files of a running process may grow to (RLIMIT_FSIZE): a full disk without root and without
//! a mount. Only Linux can limit another process (prlimit(2)).

use std::io;

/// Lets no file of process `pid`, one of this user's, grow beyond `bytes`; `None`: as far as the hard limit allows.
///
/// # Errors
/// The error of prlimit(2); [`io::ErrorKind::Unsupported`] elsewhere than on Linux.
#[cfg(target_os = "linux")]
pub fn set(pid: u32, bytes: Option<u64>) -> io::Result<()> {
    use nix::libc;

    let pid = libc::pid_t::try_from(pid).map_err(io::Error::other)?;
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: both calls get pointers to values that live here and that the kernel only reads or fills.
    let done = unsafe { libc::prlimit(pid, libc::RLIMIT_FSIZE, std::ptr::null(), &mut limit) };
    if done != 0 {
        return Err(io::Error::last_os_error());
    }
    limit.rlim_cur = bytes.map_or(limit.rlim_max, |bytes| bytes.min(limit.rlim_max));
    // SAFETY: as above.
    match unsafe { libc::prlimit(pid, libc::RLIMIT_FSIZE, &limit, std::ptr::null_mut()) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// See the other one.
#[cfg(not(target_os = "linux"))]
pub fn set(_pid: u32, _bytes: Option<u64>) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}
