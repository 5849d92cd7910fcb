//! Child processes that never outlive the harness, not even after a panic or SIGKILL. The kernel kills a child when the
//! thread that started it ends (PR_SET_PDEATHSIG), so a single thread that lives as long as the process starts them
//! all. This is Linux only; elsewhere a child ends with the value that owns it, and a SIGKILL of the harness drops no
//! values. What a child has forked is in its process group, which ends with it; where it may fork (an application), a
//! [`guardian`](super::guardian) ends the group if the harness is killed.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus};
use std::sync::mpsc;
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::signal::{self, Signal};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use nix::unistd::Pid;
use parking_lot::Mutex;

use super::guardian::Guardian;

struct Job {
    command: Command,
    reply: mpsc::Sender<io::Result<Child>>,
}

/// The channel to the spawning thread, which starts with the first child and ends with the process.
static SPAWNER: Mutex<Option<mpsc::Sender<Job>>> = Mutex::new(None);

fn spawner() -> io::Result<mpsc::Sender<Job>> {
    let mut slot = SPAWNER.lock();
    if let Some(sender) = slot.as_ref() {
        return Ok(sender.clone());
    }
    let (sender, jobs) = mpsc::channel::<Job>();
    std::thread::Builder::new().name("firedrill-spawner".into()).spawn(move || {
        while let Ok(mut job) = jobs.recv() {
            let result = job.command.spawn();
            // The caller waits for this answer; if it has panicked, all that remains is to drop the child.
            if let Err(mpsc::SendError(Ok(mut orphan))) = job.reply.send(result) {
                let _ = orphan.kill();
                let _ = orphan.wait();
            }
        }
    })?;
    *slot = Some(sender.clone());
    Ok(sender)
}

/// A running child process of the harness. Dropping it kills its process group and reaps it.
#[derive(Debug)]
pub struct OwnedChild {
    child: Child,
    guardian: Option<Guardian>,
}

impl OwnedChild {
    /// Starts `command`, bound to the life of this process. It gets its own process group: Ctrl-C in the terminal must
    /// reach only the harness, which then heals and stops its children in order.
    ///
    /// # Errors
    /// The system's error: no such file, no permission, no more processes.
    pub fn spawn(command: Command) -> io::Result<Self> {
        Self::start(command, None)
    }

    /// Like [`OwnedChild::spawn`], and what it forks does not outlive this process either.
    ///
    /// # Errors
    /// As [`OwnedChild::spawn`], or no more file descriptors.
    pub fn spawn_guarded(mut command: Command) -> io::Result<Self> {
        let guardian = Guardian::of(&mut command)?;
        Self::start(command, Some(guardian))
    }

    fn start(mut command: Command, guardian: Option<Guardian>) -> io::Result<Self> {
        command.process_group(0);
        #[cfg(target_os = "linux")]
        die_with_parent(&mut command);
        let (reply, answer) = mpsc::channel();
        let gone = || io::Error::other("the thread that starts child processes has ended");
        spawner()?.send(Job { command, reply }).map_err(|_| gone())?;
        let child = answer.recv().map_err(|_| gone())??;
        Ok(Self { child, guardian })
    }

    fn group(&self) -> io::Result<Pid> {
        i32::try_from(self.pid()).map(Pid::from_raw).map_err(io::Error::other)
    }

    /// Kills what is left of the group of a child that has ended but is not reaped: until then its id is not reused.
    fn end_group(&self) {
        if let Ok(group) = self.group() {
            // ESRCH: nothing is left.
            let _ = signal::killpg(group, Signal::SIGKILL);
        }
    }

    /// Its process id. Only this value reaps the child, so the id cannot be reused while this value lives.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Its exit status if it has ended, reaping it.
    ///
    /// # Errors
    /// The error of waitpid(2).
    pub fn exited(&mut self) -> io::Result<Option<ExitStatus>> {
        let look = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
        match waitid(Id::Pid(self.group()?), look) {
            Ok(WaitStatus::StillAlive) => return Ok(None),
            Ok(_) => self.end_group(),
            // Reaped before: `Child` knows its status.
            Err(Errno::ECHILD) => {}
            Err(error) => return Err(error.into()),
        }
        self.child.try_wait()
    }

    /// Sends `signal` to its process group; `false` if it has already ended.
    ///
    /// # Errors
    /// The error of kill(2).
    pub fn signal(&mut self, signal: Signal) -> io::Result<bool> {
        // The pid belongs to the child until it is reaped; afterwards it may belong to another process.
        if self.exited()?.is_some() {
            return Ok(false);
        }
        signal::killpg(self.group()?, signal)?;
        Ok(true)
    }

    /// Waits at most `deadline` for it to end; `None` if it still runs.
    ///
    /// # Errors
    /// The error of waitpid(2).
    pub async fn wait(&mut self, deadline: Duration) -> io::Result<Option<ExitStatus>> {
        let until = tokio::time::Instant::now() + deadline;
        loop {
            if let Some(status) = self.exited()? {
                return Ok(Some(status));
            }
            if tokio::time::Instant::now() >= until {
                return Ok(None);
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}

impl Drop for OwnedChild {
    fn drop(&mut self) {
        if matches!(self.exited(), Ok(None)) {
            self.end_group();
        }
        let _ = self.child.wait();
        if let Some(guardian) = self.guardian.take() {
            guardian.dismiss();
        }
    }
}

/// Lets `command` survive a write beyond its file size limit: the write fails (EFBIG), as on a full disk, instead of
/// the signal's default action ending the process.
pub fn outlive_full_disk(command: &mut Command) {
    // SAFETY: between fork and exec the closure makes one system call (sigaction), which neither allocates nor locks. It
    // installs no handler: an ignored signal stays ignored across exec.
    unsafe {
        command.pre_exec(|| Ok(signal::signal(Signal::SIGXFSZ, signal::SigHandler::SigIgn).map(drop)?));
    }
}

#[cfg(target_os = "linux")]
fn die_with_parent(command: &mut Command) {
    let parent = nix::unistd::getpid();
    // SAFETY: between fork and exec the closure makes two system calls (prctl, getppid) and neither allocates nor locks,
    // as async-signal-safety requires.
    unsafe {
        command.pre_exec(move || {
            nix::sys::prctl::set_pdeathsig(Signal::SIGKILL)?;
            // If the harness died between fork and prctl, the signal will never come.
            if nix::unistd::getppid() != parent {
                return Err(io::Error::from_raw_os_error(nix::errno::Errno::ESRCH as i32));
            }
            Ok(())
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_leads_its_own_process_group_and_is_reaped_on_drop() {
        let mut command = Command::new("sleep");
        command.arg("60");
        let child = OwnedChild::spawn(command).unwrap();
        let pid = Pid::from_raw(child.pid() as i32);
        assert_eq!(nix::unistd::getpgid(Some(pid)), Ok(pid));
        drop(child);
        assert_eq!(nix::unistd::getpgid(Some(pid)), Err(nix::errno::Errno::ESRCH));
    }

    #[test]
    fn a_child_outlives_the_thread_that_asked_for_it() {
        let mut child = std::thread::spawn(|| {
            let mut command = Command::new("sleep");
            command.arg("60");
            OwnedChild::spawn(command).unwrap()
        })
        .join()
        .unwrap();
        assert!(child.signal(Signal::SIGCONT).unwrap());
        assert_eq!(child.exited().unwrap(), None);
    }

    #[test]
    fn a_program_that_does_not_exist_is_an_error() {
        let error = OwnedChild::spawn(Command::new("/nonexistent/redis-server")).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }

    #[tokio::test]
    async fn an_ended_child_is_not_signalled() {
        let mut child = OwnedChild::spawn(Command::new("true")).unwrap();
        let status = child.wait(Duration::from_secs(30)).await.unwrap();
        assert!(status.is_some_and(|status| status.success()));
        assert!(!child.signal(Signal::SIGKILL).unwrap());
    }
}
