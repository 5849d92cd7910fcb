//! A hosts file of one process's own: the process finds it at /etc/hosts, and everybody else finds the machine's. It gives
//! Redis a name whose address a drill can change. Linux only: a mount namespace holds the file.

use std::ffi::CString;
use std::fs::{File, OpenOptions};
use std::net::IpAddr;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::process::{Command, Stdio};

use super::error::{LabError, Missing};
use super::folder::LabFolder;

/// The name. Nobody outside of the drill can have it (RFC 2606).
const NAME: &str = "redis.firedrill.invalid";

/// The machine's own file.
const HOSTS: &str = "/etc/hosts";

/// Wide enough for any address, so that a new one takes the old one's place in a single write.
const WIDTH: usize = 45;

/// The file.
pub struct OwnHosts {
    file: File,
    path: CString,
    _folder: LabFolder,
}

impl OwnHosts {
    /// Makes a file in which the name leads to `address`, besides what the machine's file says.
    ///
    /// # Errors
    /// [`Missing::NoMountNamespace`] if this machine does not let a process have it; [`LabError::System`] if it cannot be
    /// written.
    pub fn create(parent: &Path, address: IpAddr) -> Result<Self, LabError> {
        let failed = |error| LabError::system("making a hosts file of the application's own", error);
        let folder = LabFolder::create(parent).map_err(failed)?;
        let path = folder.path().join("hosts");
        // An application may run as another user.
        let file = OpenOptions::new().write(true).create_new(true).mode(0o644).open(&path).map_err(failed)?;
        let machine = std::fs::read(HOSTS).unwrap_or_default();
        file.write_all_at(&machine, entry(address).len() as u64).map_err(failed)?;
        let path = CString::new(path.as_os_str().as_bytes()).map_err(|error| failed(error.into()))?;
        let hosts = Self { file, path, _folder: folder };
        hosts.lead(address)?;
        hosts.try_out()?;
        Ok(hosts)
    }

    /// The name.
    pub fn name(&self) -> &'static str {
        NAME
    }

    /// From now on, the name leads to `address`.
    ///
    /// # Errors
    /// [`LabError::System`].
    pub fn lead(&self, address: IpAddr) -> Result<(), LabError> {
        let written = self.file.write_all_at(entry(address).as_bytes(), 0);
        written.map_err(|error| LabError::system("writing the application's hosts file", error))
    }

    /// Lets the process that `command` will start find the file at /etc/hosts.
    pub fn put_before(&self, command: &mut Command) {
        namespace::enter(command, self.path.clone());
    }

    /// Whether a process can have the file.
    fn try_out(&self) -> Result<(), LabError> {
        let mut command = Command::new("true");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        self.put_before(&mut command);
        match command.status() {
            Ok(_) => Ok(()),
            Err(error) => Err(Missing::NoMountNamespace { reason: error.to_string() }.into()),
        }
    }
}

/// The line of the file.
fn entry(address: IpAddr) -> String {
    format!("{:<WIDTH$} {NAME}\n", address.to_string())
}

#[cfg(target_os = "linux")]
mod namespace {
    use std::ffi::{CStr, CString};
    use std::io;
    use std::os::unix::process::CommandExt as _;
    use std::process::Command;
    use std::ptr::null;

    use nix::libc;

    /// Gives the process that `command` will start a mount namespace in which `file` is at /etc/hosts.
    pub fn enter(command: &mut Command, file: CString) {
        // SAFETY: neither can fail.
        let (user, group) = unsafe { (libc::getuid(), libc::getgid()) };
        // The same user inside as outside.
        let (users, groups) = (format!("{user} {user} 1"), format!("{group} {group} 1"));
        // SAFETY: between fork and exec the closure makes system calls only, on values made before; it neither allocates
        // nor locks.
        unsafe {
            command.pre_exec(move || {
                if libc::unshare(libc::CLONE_NEWNS) == -1 {
                    // Who may not mount on this machine may do so in a user namespace.
                    check(libc::unshare(libc::CLONE_NEWUSER | libc::CLONE_NEWNS))?;
                    say(c"/proc/self/setgroups", b"deny")?;
                    say(c"/proc/self/uid_map", users.as_bytes())?;
                    say(c"/proc/self/gid_map", groups.as_bytes())?;
                }
                let nothing = null();
                check(libc::mount(null(), c"/".as_ptr(), null(), libc::MS_REC | libc::MS_PRIVATE, nothing))?;
                check(libc::mount(file.as_ptr(), c"/etc/hosts".as_ptr(), null(), libc::MS_BIND, nothing))
            });
        }
    }

    fn check(answer: libc::c_int) -> io::Result<()> {
        if answer == -1 { Err(io::Error::last_os_error()) } else { Ok(()) }
    }

    /// Writes `words` to a file of the kernel's.
    fn say(file: &CStr, words: &[u8]) -> io::Result<()> {
        // SAFETY: plain system calls on values that outlive them.
        unsafe {
            let opened = libc::open(file.as_ptr(), libc::O_WRONLY | libc::O_CLOEXEC);
            check(opened)?;
            let written = libc::write(opened, words.as_ptr().cast(), words.len());
            let error = io::Error::last_os_error();
            libc::close(opened);
            if written == words.len() as isize { Ok(()) } else { Err(error) }
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod namespace {
    use std::ffi::CString;
    use std::io;
    use std::os::unix::process::CommandExt as _;
    use std::process::Command;

    /// Lets the start of `command` fail: there are no mount namespaces.
    pub fn enter(command: &mut Command, _: CString) {
        // SAFETY: the closure makes a value and nothing else.
        unsafe {
            command.pre_exec(|| Err(io::Error::from(io::ErrorKind::Unsupported)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::default_parent;

    fn lookup(hosts: &OwnHosts) -> String {
        let mut command = Command::new("cat");
        command.arg(HOSTS);
        hosts.put_before(&mut command);
        String::from_utf8(command.output().unwrap().stdout).unwrap()
    }

    #[test]
    fn the_process_alone_finds_the_file_and_with_it_the_latest_address() {
        let machine = std::fs::read_to_string(HOSTS).unwrap();
        let hosts = OwnHosts::create(&default_parent(), "127.0.0.1".parse().unwrap()).unwrap();
        let first = lookup(&hosts);
        assert!(first.starts_with("127.0.0.1 ") && first.contains(NAME) && first.ends_with(&machine), "{first}");
        hosts.lead("127.0.0.2".parse().unwrap()).unwrap();
        let second = lookup(&hosts);
        assert!(second.starts_with("127.0.0.2 ") && second.len() == first.len(), "{second}");
        assert_eq!(std::fs::read_to_string(HOSTS).unwrap(), machine);
    }
}
