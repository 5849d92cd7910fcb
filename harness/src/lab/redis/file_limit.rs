//! The maximum file size of a running process (RLIMIT_FSIZE): simulates a full disk without root and without a mount.
//! Only Linux can limit another process (prlimit(2)).

use std::io;

/// Keeps the files of process `pid`, which must belong to this user, from growing beyond `bytes`; `None` lifts the
/// limit to the hard limit.
///
/// # Errors
/// The error of prlimit(2); [`io::ErrorKind::Unsupported`] on systems other than Linux.
#[cfg(target_os = "linux")]
pub fn set(pid: u32, bytes: Option<u64>) -> io::Result<()> {
    use nix::libc;

    let pid = libc::pid_t::try_from(pid).map_err(io::Error::other)?;
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: both calls get pointers to local values, which the kernel only reads or fills.
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

/// Not supported on this system.
#[cfg(not(target_os = "linux"))]
pub fn set(_pid: u32, _bytes: Option<u64>) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}
