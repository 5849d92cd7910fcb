//! The kernel's view of a process: whether it lives, whether it is stopped, and when it started, so that a reused pid
//! is not mistaken for the original process.

use std::net::{IpAddr, SocketAddr};

use nix::unistd::{SysconfVar, sysconf};

/// The part of `/proc/<pid>/stat` (proc(5)) that the lab needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProcessStat {
    /// The state letter: `R` running, `S` sleeping, `T` stopped by a signal, `Z` ended but not yet reaped.
    pub state: char,
    /// When it started, in clock ticks since boot.
    pub started: u64,
}

impl ProcessStat {
    /// Whether a signal has stopped it.
    pub fn is_stopped(&self) -> bool {
        self.state == 'T'
    }

    fn parse(line: &str) -> Option<Self> {
        // The second field is the program's name in parentheses, which may itself contain blanks and parentheses.
        let after_name = &line[line.rfind(')')? + 1..];
        let mut fields = after_name.split_ascii_whitespace();
        let state = fields.next()?.chars().next()?;
        let started = fields.nth(18)?.parse().ok()?;
        Some(Self { state, started })
    }
}

/// The state of process `pid`; `None` without such a process or without `/proc`.
pub fn stat(pid: u32) -> Option<ProcessStat> {
    ProcessStat::parse(&std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// Resident memory of process `pid` in bytes (`/proc/<pid>/statm`, second field, in pages).
pub fn resident_bytes(pid: u32) -> Option<u64> {
    let statm = std::fs::read_to_string(format!("/proc/{pid}/statm")).ok()?;
    let pages: u64 = statm.split_whitespace().nth(1)?.parse().ok()?;
    Some(pages * setting(SysconfVar::PAGE_SIZE)?)
}

/// CPU time that process `pid` has used since its start, in milliseconds (`/proc/<pid>/stat`, utime and stime, in ticks).
pub fn cpu_ms(pid: u32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let after_name = &stat[stat.rfind(')')? + 1..];
    let ticks = after_name.split_ascii_whitespace().skip(11).take(2).map(|field| field.parse::<u64>().ok());
    let used = ticks.sum::<Option<u64>>()?;
    Some(used * 1_000 / setting(SysconfVar::CLK_TCK)?.max(1))
}

/// How long a CPU quota has held the control group of process `pid` back, in nanoseconds: `throttled_time` of `cpu.stat` in
/// cgroup v1, `throttled_usec` in v2 (cgroups(7)). `None` without a group that can have one.
pub fn throttled_ns(pid: u32) -> Option<u64> {
    let groups = std::fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()?;
    let stats = cpu_groups(&groups).map(|group| std::fs::read_to_string(format!("/sys/fs/cgroup/{group}/cpu.stat")));
    stats.filter_map(Result::ok).find_map(|stat| throttled_in(&stat))
}

/// The folders that may hold a group's `cpu.stat`, in `/proc/<pid>/cgroup`: `4:cpu,cpuacct:/a` or `0::/a`.
fn cpu_groups(groups: &str) -> impl Iterator<Item = String> {
    groups.lines().filter_map(|line| {
        let (_, rest) = line.split_once(':')?;
        let (controllers, path) = rest.split_once(':')?;
        let is_cpu = controllers.is_empty() || controllers.split(',').any(|controller| controller == "cpu");
        is_cpu.then(|| format!("{controllers}{path}"))
    })
}

fn throttled_in(stat: &str) -> Option<u64> {
    stat.lines().find_map(|line| match line.split_once(' ')? {
        ("throttled_time", value) => value.parse().ok(),
        ("throttled_usec", value) => value.parse::<u64>().ok().map(|micros| micros * 1_000),
        _ => None,
    })
}

/// Time of all processors since boot, in ticks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProcessorTime {
    /// All of it.
    pub total: u64,
    /// Idle, or waiting for a disk.
    pub idle: u64,
    /// Taken by other virtual machines.
    pub stolen: u64,
}

/// The time of all processors of this machine (`/proc/stat`, first line, proc(5)).
pub fn processors() -> Option<ProcessorTime> {
    processors_in(&std::fs::read_to_string("/proc/stat").ok()?)
}

fn processors_in(stat: &str) -> Option<ProcessorTime> {
    let line = stat.lines().next()?.strip_prefix("cpu ")?;
    // user, nice, system, idle, iowait, irq, softirq, steal; guest time, which follows, is part of user time.
    let times: Vec<u64> = line.split_ascii_whitespace().take(8).map_while(|field| field.parse().ok()).collect();
    let [.., idle, wait, _, _, stolen] = times[..] else { return None };
    Some(ProcessorTime { total: times.iter().sum(), idle: idle + wait, stolen })
}

/// Attempts to connect to an address of this machine that hang now: sockets of this network namespace in SYN-SENT
/// (proc(5), `/proc/net/tcp`). An unspecified address stands for all: only the port counts.
pub fn attempts_to(address: SocketAddr) -> u64 {
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"];
    tables
        .iter()
        .filter_map(|table| std::fs::read_to_string(table).ok())
        .map(|table| attempts_in(&table, address))
        .sum()
}

fn attempts_in(table: &str, address: SocketAddr) -> u64 {
    const SYN_SENT: &str = "02";
    sockets_to(table, address, SYN_SENT).count() as u64
}

/// The inodes of the sockets of a table whose remote end is `address`, in this state.
fn sockets_to<'t>(table: &'t str, address: SocketAddr, state: &'t str) -> impl Iterator<Item = &'t str> {
    let to = match address.ip().is_unspecified() {
        true => vec![format!(":{:04X}", address.port())],
        false => vec![in_table(address), in_table(SocketAddr::new(mapped(address.ip()), address.port()))],
    };
    table.lines().filter_map(move |line| {
        let mut fields = line.split_ascii_whitespace().skip(2);
        let leads_there = fields.next().is_some_and(|remote| to.iter().any(|to| remote.ends_with(to)));
        (leads_there && fields.next() == Some(state)).then(|| fields.nth(5).unwrap_or_default())
    })
}

/// Established connections of this process to an address in this network namespace.
pub fn own_connections_to(address: SocketAddr) -> u64 {
    const ESTABLISHED: &str = "01";
    let Ok(descriptors) = std::fs::read_dir("/proc/self/fd") else { return 0 };
    let links = descriptors.filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok());
    let own: Vec<String> = links.map(|link| link.to_string_lossy().into_owned()).collect();
    let is_own = |inode: &str| own.contains(&format!("socket:[{inode}]"));
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"].map(std::fs::read_to_string);
    let in_table =
        |table: &String| sockets_to(table, address, ESTABLISHED).filter(|inode| is_own(inode)).count() as u64;
    tables.iter().flatten().map(in_table).sum()
}

/// As a socket of version 6 names an address of version 4.
fn mapped(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(ip) => ip.to_ipv6_mapped().into(),
        IpAddr::V6(_) => ip,
    }
}

/// As the kernel prints it: words of four bytes in the machine's order, and the port.
fn in_table(address: SocketAddr) -> String {
    let bytes = match address.ip() {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    };
    let words = bytes.as_chunks::<4>().0.iter().map(|word| format!("{:08X}", u32::from_ne_bytes(*word)));
    format!("{}:{:04X}", words.collect::<String>(), address.port())
}

fn setting(name: SysconfVar) -> Option<u64> {
    u64::try_from(sysconf(name).ok()??).ok()
}

/// The pid namespace of this process: pids from different namespaces must not be compared (containers may share
/// `/tmp`). 0 if the system has none.
pub fn pid_namespace() -> u64 {
    std::fs::read_link("/proc/self/ns/pid")
        .ok()
        .and_then(|link| link.to_string_lossy().trim_start_matches("pid:[").trim_end_matches(']').parse().ok())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_blanks_and_parentheses_does_not_shift_the_fields() {
        let line = "4242 (my (odd) name) T 1 4242 4242 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 5 0 987654 70000000 3000 1";
        assert_eq!(ProcessStat::parse(line), Some(ProcessStat { state: 'T', started: 987_654 }));
    }

    #[test]
    fn the_time_of_all_processors_is_read_and_guests_are_not_counted_twice() {
        let stat = "cpu  100 5 40 800 20 1 4 30 90 0\ncpu0 50 2 20 400 10 0 2 15 45 0\n";
        assert_eq!(processors_in(stat), Some(ProcessorTime { total: 1_000, idle: 820, stolen: 30 }));
        assert_eq!(processors_in("cpu  1 2"), None);
        assert!(processors().is_some_and(|time| time.total >= time.idle));
    }

    #[test]
    fn a_quota_is_read_from_both_versions_of_control_groups() {
        let groups: Vec<String> = cpu_groups("5:memory:/a\n4:cpu,cpuacct:/a/b\n1:cpuset:/\n0::/c\n").collect();
        assert_eq!(groups, ["cpu,cpuacct/a/b", "/c"]);
        assert_eq!(throttled_in("nr_periods 9\nnr_throttled 3\nthrottled_time 5000\n"), Some(5_000));
        assert_eq!(throttled_in("usage_usec 9\nthrottled_usec 70\n"), Some(70_000));
        assert_eq!(throttled_in("usage_usec 9\n"), None);
    }

    #[test]
    fn only_attempts_to_the_address_are_counted() {
        // Written by Linux 5.10: attempts, an established connection and a listener, of ports 6380 (18EC) and 6381.
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n   \
                     0: 0100007F:9C40 0100007F:18EC 02 00000001:00000000 01:00000032 00000001     0        0 7 2 0 1\n   \
                     1: 0100007F:9C42 0100007F:18EC 01 00000000:00000000 00:00000000 00000000     0        0 8 1 0 1\n   \
                     2: 0100007F:18EC 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 9 1 0 1\n   \
                     3: 0100007F:9C44 0200007F:18ED 02 00000001:00000000 01:00000032 00000001     0        0 7 2 0 1\n";
        let to = |address: &str| attempts_in(table, address.parse().unwrap());
        assert_eq!((to("127.0.0.1:6380"), to("127.0.0.2:6380"), to("127.0.0.1:6379")), (1, 0, 0));
        assert_eq!((to("127.0.0.1:6381"), to("127.0.0.2:6381"), to("0.0.0.0:6381"), to("[::]:6380")), (0, 1, 1, 1));
        let table = "   0: 0000000000000000FFFF00000100007F:9C40 0000000000000000FFFF00000100007F:18EC 02 00000001:00000000\n   \
                     1: 00000000000000000000000001000000:9C46 00000000000000000000000001000000:18EC 02 00000001:00000000\n";
        let to = |address: &str| attempts_in(table, address.parse().unwrap());
        assert_eq!((to("127.0.0.1:6380"), to("[::1]:6380"), to("[::1]:6381")), (1, 1, 0));
    }

    #[test]
    fn only_connections_of_this_process_to_the_address_are_its_own() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        assert_eq!(own_connections_to(address), 0);
        let _both = [(); 2].map(|()| std::net::TcpStream::connect(address).unwrap());
        assert_eq!(own_connections_to(address), 2, "accepted or not");
    }

    #[test]
    fn this_process_has_memory_and_uses_the_processor() {
        let pid = std::process::id();
        assert!(resident_bytes(pid).is_some_and(|bytes| bytes > 1 << 20));
        let before = cpu_ms(pid).unwrap();
        let begun = std::time::Instant::now();
        while cpu_ms(pid).unwrap() == before {
            assert!(begun.elapsed().as_secs() < 60, "no CPU time in a busy minute");
        }
        assert_eq!((resident_bytes(0), cpu_ms(0)), (None, None));
    }

    #[test]
    fn this_process_is_found_alive_and_a_truncated_line_is_not() {
        assert!(stat(std::process::id()).is_some_and(|stat| !stat.is_stopped() && stat.started > 0));
        assert_eq!(ProcessStat::parse("4242 (redis-server) S 1"), None);
    }
}
