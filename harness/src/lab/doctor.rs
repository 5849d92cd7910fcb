//! What this machine offers to a drill, for `firedrill doctor`: each finding says what was found or, if something is
//! missing, what needs it and how to get it.

use std::path::Path;
use std::time::Duration;

use nix::sys::resource::{Resource, getrlimit};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use firedrill_storage::REDIS_COMMANDS;

use super::Lab;
use super::admin::RedisInfo;
use super::error::LabError;
use super::folder::{default_parent, free_bytes};
use super::recognised::topology_at;
use super::redis::{Existing, RedisBinary, Topology, in_path};
use super::url::RedisUrl;

const PROBE_DEADLINE: Duration = Duration::from_secs(2);

/// Open files needed by a drill with a thousand connections through the proxy: three per connection, plus some.
const NOFILE_WANTED: u64 = 4096;

/// Disk space for the data of a managed Redis and a history.
const DISK_WANTED: u64 = 1 << 30;

/// One check of the environment.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Finding {
    /// The thing checked.
    pub name: &'static str,
    /// Whether it is present and sufficient.
    pub ok: bool,
    /// Whether a drill works without it.
    pub optional: bool,
    /// What was found, or why nothing was.
    pub found: String,
    /// How to get what is missing; `None` if nothing is missing.
    pub cure: Option<String>,
}

impl Finding {
    fn good(name: &'static str, optional: bool, found: impl Into<String>) -> Self {
        Self { name, ok: true, optional, found: found.into(), cure: None }
    }

    fn lacking(name: &'static str, optional: bool, found: impl Into<String>, cure: impl Into<String>) -> Self {
        Self { name, ok: false, optional, found: found.into(), cure: Some(cure.into()) }
    }
}

/// Checks everything that a drill uses. `redis_server` is the binary named on the command line, if any.
pub async fn probe_environment(redis_server: Option<&Path>) -> Vec<Finding> {
    vec![redis_server_finding(redis_server).await, redis_cli(), docker().await, cores(), open_files(), temp_space()]
}

/// Checks whether drills can run on the Redis at `url`: whether it answers, how it is run, role, memory and persistence of
/// each server that accepts writes, and the store's commands, tried on two keys under a separate prefix. Each problem comes
/// with its remedy.
pub async fn probe_redis(url: &RedisUrl) -> Vec<Finding> {
    const NAME: &str = "redis";
    let reached = async {
        let topology = topology_at(url, PROBE_DEADLINE).await?;
        let lab = Lab::find(topology, &Existing::at(url.clone(), PROBE_DEADLINE)).await?;
        let mut infos = Vec::new();
        for admin in lab.leaders().await? {
            infos.push((admin.address(), admin.info().await?));
        }
        Ok::<_, LabError>((lab, infos))
    };
    let (lab, infos) = match reached.await {
        Ok(reached) => reached,
        Err(error) => return vec![wrong(NAME, &error)],
    };
    let version = infos.first().map_or("", |(_, info)| &info.version);
    let mut findings = vec![Finding::good(NAME, false, format!("{version} ({url}){}", group(&lab)))];
    for (address, info) in &infos {
        let several = |finding: Finding| match lab.topology() {
            Topology::Standalone => finding,
            _ => Finding { found: format!("{address}: {}", finding.found), ..finding },
        };
        findings.extend([role(info), memory(info), persistence(info)].map(several));
    }
    if infos.iter().all(|(_, info)| info.role != REPLICA) {
        findings.push(match lab.try_out(REDIS_COMMANDS).await {
            Ok(()) => Finding::good(COMMANDS, false, format!("all {} of the store are taken", REDIS_COMMANDS.len())),
            Err(error) => wrong(COMMANDS, &error),
        });
    }
    findings
}

/// What there is besides the servers that accept writes, in words.
fn group(lab: &Lab) -> String {
    let (servers, sentinels) = (lab.servers().len(), lab.sentinels().map_or(0, |sentinels| sentinels.all().len()));
    match lab.topology() {
        Topology::Standalone => String::new(),
        Topology::Sentinel => format!(", {sentinels} sentinels and {servers} servers: --set lab.topology=sentinel"),
        other => format!(", {servers} servers: --set lab.topology={}", other.name()),
    }
}

const COMMANDS: &str = "redis commands";

/// What INFO calls a replica.
const REPLICA: &str = "slave";

fn wrong(name: &'static str, error: &LabError) -> Finding {
    Finding { name, ok: false, optional: false, found: error.to_string(), cure: None }
}

fn role(info: &RedisInfo) -> Finding {
    const NAME: &str = "redis role";
    match info.role == REPLICA {
        true => {
            let found = "a replica: writes are refused (READONLY)";
            Finding::lacking(NAME, false, found, "give --redis the URL of its primary")
        }
        false => Finding::good(NAME, false, format!("primary, {} replicas", info.replicas)),
    }
}

fn memory(info: &RedisInfo) -> Finding {
    const NAME: &str = "redis memory";
    let used = info.used_memory >> 20;
    if info.maxmemory == 0 {
        return Finding::good(NAME, false, format!("{used} MiB in use, no limit"));
    }
    let found = format!("{used} of {} MiB in use, {}", info.maxmemory >> 20, info.policy);
    match info.policy.as_str() {
        "" | "noeviction" => Finding::good(NAME, false, found),
        _ => Finding::lacking(
            NAME,
            true,
            format!("{found}: sessions can vanish without a fault"),
            "for sessions: maxmemory-policy noeviction",
        ),
    }
}

fn persistence(info: &RedisInfo) -> Finding {
    const NAME: &str = "redis persistence";
    if info.save_failed {
        let found = "the last save failed: writes may be refused (MISCONF)";
        return Finding::lacking(
            NAME,
            true,
            found,
            "see the server's log: a full disk, or a folder it may not write to",
        );
    }
    let found =
        if info.appends { "an append-only file" } else { "no append-only file: a crash loses the latest writes" };
    Finding::good(NAME, false, found)
}

async fn redis_server_finding(explicit: Option<&Path>) -> Finding {
    const NAME: &str = "redis-server";
    match RedisBinary::find(explicit).await {
        Ok(binary) => Finding::good(NAME, false, format!("{} ({})", binary.version, binary.path.display())),
        Err(error) => Finding::lacking(
            NAME,
            false,
            error.to_string().lines().next().unwrap_or_default(),
            "apt-get install redis-server, brew install redis, or --redis URL for a Redis that already runs",
        ),
    }
}

fn redis_cli() -> Finding {
    match in_path(Path::new("redis-cli"), std::env::var_os("PATH").as_deref()) {
        Some(path) => Finding::good("redis-cli", true, path.display().to_string()),
        None => Finding::lacking(
            "redis-cli",
            true,
            "not in PATH; only for your own inspection",
            "apt-get install redis-tools, brew install redis",
        ),
    }
}

async fn docker() -> Finding {
    match tokio::time::timeout(PROBE_DEADLINE, docker_version()).await {
        Ok(Ok(version)) => Finding::good("docker", true, format!("engine {version}")),
        Ok(Err(reason)) => no_docker(reason),
        Err(_) => no_docker(format!("the engine did not answer within {PROBE_DEADLINE:?}")),
    }
}

fn no_docker(reason: String) -> Finding {
    Finding::lacking(
        "docker",
        true,
        reason,
        "start Docker Engine, or set DOCKER_HOST; only drills in containers \
                      need it",
    )
}

/// Asks the engine at `DOCKER_HOST` (default: its Unix socket) for its version with the Engine API's `GET /version`.
async fn docker_version() -> Result<String, String> {
    let host = std::env::var("DOCKER_HOST").unwrap_or_else(|_| "unix:///var/run/docker.sock".to_owned());
    let why = |error: std::io::Error| format!("no engine at {host}: {error}");
    let answer = if let Some(path) = host.strip_prefix("unix://") {
        ask_version(tokio::net::UnixStream::connect(path).await.map_err(why)?).await
    } else if let Some(address) = host.strip_prefix("tcp://") {
        ask_version(tokio::net::TcpStream::connect(address).await.map_err(why)?).await
    } else {
        return Err(format!("DOCKER_HOST={host} is neither unix:// nor tcp://"));
    };
    version_in(&answer.map_err(why)?).ok_or_else(|| format!("what answers at {host} is not a Docker engine"))
}

async fn ask_version(mut stream: impl AsyncRead + AsyncWrite + Unpin) -> std::io::Result<String> {
    stream.write_all(b"GET /version HTTP/1.0\r\nHost: docker\r\n\r\n").await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}

fn version_in(answer: &str) -> Option<String> {
    let (_, body) = answer.split_once("\r\n\r\n")?;
    // In a chunked body, the JSON stands between the chunk sizes.
    let json = body.get(body.find('{')?..=body.rfind('}')?)?;
    let parsed: serde_json::Value = serde_json::from_str(json).ok()?;
    parsed.get("Version")?.as_str().map(str::to_owned)
}

fn cores() -> Finding {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    if cores >= 2 {
        Finding::good("cores", false, cores.to_string())
    } else {
        Finding::lacking(
            "cores",
            true,
            "1",
            "load and Redis share one core: keep rates low, or the generator becomes the bottleneck",
        )
    }
}

fn open_files() -> Finding {
    const NAME: &str = "open files";
    match getrlimit(Resource::RLIMIT_NOFILE) {
        Ok((soft, hard)) if soft >= NOFILE_WANTED => Finding::good(NAME, false, format!("{soft} (at most {hard})")),
        Ok((soft, hard)) => Finding::lacking(
            NAME,
            true,
            format!("{soft} (at most {hard})"),
            format!("ulimit -n {NOFILE_WANTED}, for drills with many connections"),
        ),
        Err(error) => Finding::lacking(NAME, true, error.to_string(), format!("ulimit -n {NOFILE_WANTED}")),
    }
}

fn temp_space() -> Finding {
    const NAME: &str = "temporary folder";
    let temp = default_parent();
    let cure = "set TMPDIR to a folder with 1 GiB to spare";
    match free_bytes(&temp) {
        Ok(free) => {
            let found = format!("{}, {} MiB free", temp.display(), free >> 20);
            if free >= DISK_WANTED {
                Finding::good(NAME, false, found)
            } else {
                Finding::lacking(NAME, true, found, cure)
            }
        }
        Err(error) => Finding::lacking(NAME, false, format!("{}: {error}", temp.display()), cure),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_engine_version_is_read_from_a_plain_and_from_a_chunked_answer() {
        let plain = "HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n{\"Version\":\"20.10.24\"}\n";
        let chunked =
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n16\r\n{\"Version\":\"20.10.24\"}\r\n0\r\n\r\n";
        assert_eq!(version_in(plain).as_deref(), Some("20.10.24"));
        assert_eq!(version_in(chunked).as_deref(), Some("20.10.24"));
        assert_eq!(version_in("HTTP/1.1 404 Not Found\r\n\r\n{}"), None);
    }

    #[tokio::test]
    async fn a_missing_redis_server_comes_with_its_cure() {
        let findings = probe_environment(Some(Path::new("/nonexistent/redis-server"))).await;
        let redis = findings.iter().find(|finding| finding.name == "redis-server").unwrap();
        assert!(!redis.ok && !redis.optional);
        assert!(redis.cure.as_deref().is_some_and(|cure| cure.contains("apt-get install redis-server")));
        assert_eq!(findings.len(), 6);
    }
}
