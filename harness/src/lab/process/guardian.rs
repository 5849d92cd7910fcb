//! Ends the process group of a child when the harness is gone, however that went. The kernel's own means
//! (PR_SET_PDEATHSIG) reaches the direct child alone, and an application forks: gunicorn its workers, npm the server.
//!
//! A guardian is a fork of the child, made before the child becomes its program. It waits on a pipe whose other end only
//! the harness holds: its end of file says that the harness has ended, a byte that the child was ended in order.

use std::io::{self, PipeWriter, Write as _};
use std::os::fd::{AsRawFd as _, OwnedFd, RawFd};
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use nix::libc;

/// The harness's end of the pipe. While it is open, the guardian waits.
#[derive(Debug)]
pub(super) struct Guardian {
    pipe: PipeWriter,
}

impl Guardian {
    /// Gives the process that `command` will start a guardian. The process must lead its own group.
    ///
    /// # Errors
    /// No more file descriptors.
    pub(super) fn of(command: &mut Command) -> io::Result<Self> {
        let (reader, pipe) = io::pipe()?;
        let reader = OwnedFd::from(reader);
        // SAFETY: between fork and exec the closure makes system calls only; the guardian makes nothing else and never
        // returns. Neither allocates nor locks.
        unsafe {
            command.pre_exec(move || fork_guardian(reader.as_raw_fd()));
        }
        Ok(Self { pipe })
    }

    /// Lets the guardian go without ending anything: the group's id may belong to another one by now.
    pub(super) fn dismiss(mut self) {
        // Without a reader there is no guardian any more.
        let _ = self.pipe.write_all(b".");
    }
}

/// In the child: leaves a guardian of its group behind. The guardian's parent ends at once, so that it is not a child that
/// the program would not know.
///
/// # Safety
/// The calling process must have one thread.
unsafe fn fork_guardian(pipe: RawFd) -> io::Result<()> {
    // SAFETY: plain system calls on values of this function.
    unsafe {
        let group = libc::getpid();
        match fork() {
            -1 => Err(io::Error::last_os_error()),
            0 => {
                if fork() == 0 {
                    guard(group, pipe);
                }
                libc::_exit(0)
            }
            between => {
                while libc::waitpid(between, std::ptr::null_mut(), 0) == -1 && *libc::__errno_location() == libc::EINTR
                {
                }
                Ok(())
            }
        }
    }
}

/// Forks without libc's handlers, which may lock.
///
/// # Safety
/// As of fork(2).
unsafe fn fork() -> libc::pid_t {
    let none = 0_usize;
    // SAFETY: with SIGCHLD alone and no stack, clone(2) is fork(2).
    unsafe { libc::syscall(libc::SYS_clone, libc::SIGCHLD as usize, none, none, none, none) as libc::pid_t }
}

/// The guardian's life. It keeps nothing open but the pipe: a socket of the harness that stayed open here would never close.
///
/// # Safety
/// Must be called in a process of its own, which it ends.
unsafe fn guard(group: libc::pid_t, pipe: RawFd) -> ! {
    // SAFETY: plain system calls; the process has no other user.
    unsafe {
        libc::setsid();
        libc::dup2(pipe, 0);
        libc::syscall(libc::SYS_close_range, 1_usize, u32::MAX as usize, 0_usize);
        let mut byte = 0_u8;
        loop {
            match libc::read(0, (&raw mut byte).cast(), 1) {
                0 => {
                    libc::killpg(group, libc::SIGKILL);
                    libc::_exit(0)
                }
                -1 if *libc::__errno_location() == libc::EINTR => {}
                _ => libc::_exit(0),
            }
        }
    }
}
