//! Finds the `redis-server` that a managed lab runs, and asks for its version.

use std::ffi::OsStr;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use crate::lab::error::{LabError, Missing};

/// Names the server binary if no option does.
pub const REDIS_SERVER_VARIABLE: &str = "FIREDRILL_REDIS_SERVER";

const VERSION_DEADLINE: Duration = Duration::from_secs(10);

/// The part of a server's version that its settings depend on.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    /// First number.
    pub major: u32,
    /// Second number.
    pub minor: u32,
    /// The full version, as the server writes it.
    pub text: String,
}

impl Version {
    /// Reads `Redis server v=7.0.15 sha=…` and `Valkey server v=8.0.1 sha=…`.
    fn parse(line: &str) -> Option<Self> {
        let text = line.split_ascii_whitespace().find_map(|word| word.strip_prefix("v="))?;
        let mut numbers = text.split('.').map(|number| number.parse().ok());
        Some(Self { major: numbers.next()??, minor: numbers.next()??, text: text.to_owned() })
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// A `redis-server` that has answered.
#[derive(Debug, Clone)]
pub struct RedisBinary {
    /// The file.
    pub path: PathBuf,
    /// The version it reports.
    pub version: Version,
}

impl RedisBinary {
    /// Finds the server: `explicit` if given, else `FIREDRILL_REDIS_SERVER`, else `redis-server` in `PATH`.
    ///
    /// # Errors
    /// [`Missing::NoRedisServer`] if there is none, [`Missing::BadBinary`] if the binary does not report a version.
    pub async fn find(explicit: Option<&Path>) -> Result<Self, LabError> {
        let variable = std::env::var_os(REDIS_SERVER_VARIABLE).filter(|value| !value.is_empty()).map(PathBuf::from);
        let path = locate(explicit, variable.as_deref(), std::env::var_os("PATH").as_deref())?;
        Self::at(path).await
    }

    async fn at(path: PathBuf) -> Result<Self, LabError> {
        let bad = |reason: String| LabError::Missing(Missing::BadBinary { path: path.clone(), reason });
        let run = tokio::process::Command::new(&path).arg("--version").stdin(Stdio::null()).kill_on_drop(true).output();
        let output = tokio::time::timeout(VERSION_DEADLINE, run)
            .await
            .map_err(|_| bad(format!("--version took longer than {VERSION_DEADLINE:?}")))?
            .map_err(|error| bad(error.to_string()))?;
        let said = String::from_utf8_lossy(&output.stdout);
        let version = Version::parse(&said).ok_or_else(|| bad("--version does not name a version".into()))?;
        Ok(Self { path, version })
    }
}

fn locate(explicit: Option<&Path>, variable: Option<&Path>, search: Option<&OsStr>) -> Result<PathBuf, LabError> {
    if let Some(named) = explicit.or(variable) {
        // A bare name is looked up in PATH, as in a shell.
        let found = if named.components().count() == 1 { in_path(named, search) } else { file(named) };
        return found.ok_or_else(|| LabError::Missing(Missing::NoRedisServer { looked: named.display().to_string() }));
    }
    in_path(Path::new("redis-server"), search).ok_or_else(|| {
        LabError::Missing(Missing::NoRedisServer { looked: format!("{REDIS_SERVER_VARIABLE} and PATH") })
    })
}

/// The first file called `name` in the folders of `search` (the value of PATH).
pub fn in_path(name: &Path, search: Option<&OsStr>) -> Option<PathBuf> {
    std::env::split_paths(search?).find_map(|folder| file(&folder.join(name)))
}

/// The file as an absolute path: servers start in their own working directories.
fn file(path: &Path) -> Option<PathBuf> {
    path.is_file().then(|| std::path::absolute(path).unwrap_or_else(|_| path.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_of_redis_and_valkey_are_read() {
        let redis = Version::parse("Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64").unwrap();
        assert_eq!((redis.major, redis.minor, redis.text.as_str()), (7, 0, "7.0.15"));
        let valkey = Version::parse("Valkey server v=8.1.0-rc2 sha=00000000:0 malloc=jemalloc").unwrap();
        assert_eq!((valkey.major, valkey.minor, valkey.text.as_str()), (8, 1, "8.1.0-rc2"));
        assert_eq!(Version::parse("nginx version: nginx/1.22.1"), None);
    }

    #[test]
    fn a_missing_server_is_reported_with_the_ways_to_get_one() {
        let error = locate(None, None, Some(OsStr::new("/nonexistent"))).unwrap_err();
        assert!(matches!(error, LabError::Missing(Missing::NoRedisServer { .. })));
        let text = error.to_string();
        for way in [
            "apt-get install redis-server",
            "brew install redis",
            "docker compose up",
            "--redis URL",
            "FIREDRILL_REDIS_SERVER",
        ] {
            assert!(text.contains(way), "{way} is missing in: {text}");
        }
    }

    #[test]
    fn the_explicit_path_wins_over_the_variable_and_the_variable_over_path() {
        let here = std::env::current_exe().unwrap();
        let folder = here.parent().unwrap();
        assert_eq!(locate(Some(&here), Some(Path::new("/nonexistent/b")), None).unwrap(), here);
        assert_eq!(locate(None, Some(&here), None).unwrap(), here);
        let name = Path::new(here.file_name().unwrap());
        assert_eq!(locate(Some(name), None, Some(folder.as_os_str())).unwrap(), here);
        let error = locate(Some(Path::new("/nonexistent/a")), Some(&here), None).unwrap_err();
        assert!(error.to_string().contains("/nonexistent/a"), "{error}");
    }

    #[test]
    fn a_relative_path_holds_in_any_working_directory() {
        let relative = Path::new("src/lib.rs");
        let found = locate(Some(relative), None, None).unwrap();
        assert!(found.is_absolute() && found.ends_with(relative), "{}", found.display());
    }

    #[tokio::test]
    async fn a_program_that_is_no_redis_is_refused_by_name() {
        let error = RedisBinary::find(Some(Path::new("/bin/true"))).await.unwrap_err();
        assert!(matches!(error, LabError::Missing(Missing::BadBinary { .. })), "{error:?}");
        assert!(error.to_string().contains("/bin/true"), "{error}");
    }
}
