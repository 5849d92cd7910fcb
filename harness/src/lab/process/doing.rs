//! What the main thread of a process does at one instant, as the kernel tells it. Sampled, it shows what a server waits for: a
//! thread that is blocked in fdatasync uses no processor and yet serves nobody.

use nix::libc;

use super::procfs;

/// What a main thread does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Doing {
    /// It runs, or waits for a processor.
    Running,
    /// It waits for events on its connections.
    Idle,
    /// A signal has stopped the process.
    Stopped,
    /// It waits in another system call, of this name.
    Blocked(&'static str),
}

/// The main thread of process `pid` now. `None` without such a process, and where the system does not show its system call:
/// that takes the same user, or a child process.
pub fn doing(pid: u32) -> Option<Doing> {
    match procfs::stat(pid)?.is_stopped() {
        true => Some(Doing::Stopped),
        false => doing_in(&std::fs::read_to_string(format!("/proc/{pid}/syscall")).ok()?),
    }
}

/// `/proc/<pid>/syscall` (proc(5)): `running`; or the number of the system call in which it is blocked, and its arguments; or -1 if
/// it is blocked outside of one.
fn doing_in(text: &str) -> Option<Doing> {
    let first = text.split_ascii_whitespace().next()?;
    if first == "running" {
        return Some(Doing::Running);
    }
    Some(match first.parse::<libc::c_long>().ok()? {
        // A page that is not in memory.
        -1 => Doing::Blocked("a page fault"),
        call if waits_for_events(call) => Doing::Idle,
        call => Doing::Blocked(name(call)),
    })
}

/// The calls in which event loops wait.
fn waits_for_events(call: libc::c_long) -> bool {
    #[cfg(target_arch = "x86_64")]
    if [libc::SYS_epoll_wait, libc::SYS_poll, libc::SYS_select].contains(&call) {
        return true;
    }
    [libc::SYS_epoll_pwait, libc::SYS_epoll_pwait2, libc::SYS_ppoll, libc::SYS_pselect6].contains(&call)
}

fn name(call: libc::c_long) -> &'static str {
    const NAMES: [(libc::c_long, &str); 12] = [
        (libc::SYS_fsync, "fsync"),
        (libc::SYS_fdatasync, "fdatasync"),
        (libc::SYS_sync_file_range, "sync_file_range"),
        (libc::SYS_write, "write"),
        (libc::SYS_writev, "writev"),
        (libc::SYS_pwrite64, "pwrite"),
        (libc::SYS_read, "read"),
        (libc::SYS_futex, "futex"),
        (libc::SYS_nanosleep, "nanosleep"),
        (libc::SYS_clock_nanosleep, "clock_nanosleep"),
        (libc::SYS_clone, "clone"),
        (libc::SYS_wait4, "wait4"),
    ];
    NAMES.iter().find(|(number, _)| *number == call).map_or("another system call", |(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_named_and_an_event_loop_is_idle() {
        let line = |call: libc::c_long| format!("{call} 0x5 0x7f01 0x2710 0x64 0x0 0x8 0x7ffd5 0x7f99\n");
        assert_eq!(doing_in("running\n"), Some(Doing::Running));
        assert_eq!(doing_in(&line(libc::SYS_epoll_pwait)), Some(Doing::Idle));
        assert_eq!(doing_in(&line(libc::SYS_fdatasync)), Some(Doing::Blocked("fdatasync")));
        assert_eq!(doing_in(&line(libc::SYS_mount)), Some(Doing::Blocked("another system call")));
        assert_eq!(doing_in("-1 0x7ffd5 0x7f99\n"), Some(Doing::Blocked("a page fault")));
        assert_eq!((doing_in(""), doing_in("permission\n"), doing(0)), (None, None, None));
    }

    #[test]
    fn a_process_that_sleeps_is_seen_to_do_so() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let asleep = Doing::Blocked("clock_nanosleep");
        let begun = std::time::Instant::now();
        while doing(child.id()) != Some(asleep) {
            assert!(begun.elapsed().as_secs() < 60, "{:?}", doing(child.id()));
        }
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
