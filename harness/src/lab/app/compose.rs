//! An application in a container, as a Compose file describes its service: `docker compose run` in the foreground is the child
//! process, and what signals would do to a process goes to the container through the engine. The container joins the
//! machine's network, so that it reaches the fault proxy at 127.0.0.1 and is reached there.
//!
//! Everything belongs to a Compose project of the drill's own: the user's containers, networks, volumes and images of the same file
//! stay as they are. A process of its own waits for the end of the harness, however that comes, and then removes what the
//! project made.

use std::collections::BTreeSet;
use std::io;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};
use std::time::Duration;

use tempfile::TempDir;

use super::super::error::{LabError, Missing, ServerError};
use super::super::process::{Owner, ProcessState, last_lines};
use super::super::redis::{APP_LABEL, Containers};
use super::environment;

/// Long enough to build an image.
const BUILD_DEADLINE: Duration = Duration::from_secs(600);

/// Long enough to read a file.
const CONFIG_DEADLINE: Duration = Duration::from_secs(60);

/// Pause between two looks at a container that is to end.
const POLL: Duration = Duration::from_millis(20);

/// Waits for the end of its standard input, which is the end of the harness or of the drill, and removes what the project made: `$1`
/// is its name, `$2` the service, `$3` the folder of the override. Not by the tool's own `down`: that also removes networks and
/// volumes of a fixed name, which may be somebody's. The tool may have been making a container when it was killed, so the
/// containers come first and last.
const GUARD: &str = r#"
cat > /dev/null
exec > /dev/null 2>&1
mine="label=com.docker.compose.project=$1"
containers() { docker ps --all --quiet --filter "$mine" | xargs -r docker rm --force --volumes; }
containers
docker network ls --quiet --filter "$mine" | xargs -r docker network rm
docker volume ls --quiet --filter "$mine" | xargs -r docker volume rm
docker rmi "$1_$2" "$1-$2"
containers
rm -rf "$3"
"#;

/// A service of a Compose file, in a project of the drill's own.
pub struct Compose {
    file: PathBuf,
    service: String,
    project: String,
    opened: tokio::sync::Mutex<Option<Opened>>,
}

/// What a project needs from its first start on. Dropping it removes the project.
struct Opened {
    /// The tool's program and arguments up to its subcommand.
    tool: Vec<String>,
    guard: Child,
}

impl Compose {
    /// The service of the file; nothing happens yet.
    pub fn new(file: PathBuf, service: String) -> Self {
        let project = format!("firedrill-{}-{:08x}", std::process::id(), rand::random::<u32>());
        Self { file, service, project, opened: tokio::sync::Mutex::default() }
    }

    /// Finds the tool, builds the service's image if the file says how, and returns the tool's program and arguments up to its
    /// subcommand. `environment` is what the file's own `${NAME}` stand for.
    ///
    /// # Errors
    /// [`Missing::NoDocker`], [`Missing::NoCompose`]; [`ServerError::Engine`] with the last lines that the tool printed.
    pub(super) async fn open(&self, environment: &[(String, String)]) -> Result<Vec<String>, LabError> {
        let mut opened = self.opened.lock().await;
        if let Some(opened) = &*opened {
            return Ok(opened.tool.clone());
        }
        Containers::reach().await?;
        let folder = TempDir::with_prefix("firedrill-compose-")
            .map_err(|error| LabError::system("making a folder for the override of a Compose file", error))?;
        let over = folder.path().join("override.yaml");
        let text = std::fs::read_to_string(&self.file)
            .map_err(|error| LabError::system(format!("reading {}", self.file.display()), error))?;
        std::fs::write(&over, override_of(&text, &self.service))
            .map_err(|error| LabError::system(format!("writing {}", over.display()), error))?;
        let mut tool = find().await?;
        for word in ["-f", &path(&self.file), "-f", &path(&over), "-p", &self.project] {
            tool.push(word.to_owned());
        }
        let guard = self.guard(folder.path());
        let guard = guard.map_err(|error| LabError::system("starting the guard of a Compose project", error))?;
        // From here on the guard removes the folder.
        let _ = folder.keep();
        *opened = Some(Opened { tool: tool.clone(), guard });
        let said = self.ask(&tool, environment, &["config"], CONFIG_DEADLINE, "reading a Compose file").await?;
        // An image with a name of its own is the user's: it is run as it is, and built only where there is none.
        if !names_image(&said, &self.service) {
            self.ask(&tool, environment, &["build", &self.service], BUILD_DEADLINE, "building an image").await?;
        }
        Ok(tool)
    }

    fn guard(&self, folder: &Path) -> io::Result<Child> {
        let mut guard = self.command(&["sh".to_owned()], &[]);
        guard.args(["-c", GUARD, "sh", &self.project, &self.service]).arg(folder);
        guard.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0).spawn()
    }

    /// Lets the tool do something, and returns what it printed.
    async fn ask(
        &self,
        tool: &[String],
        environment: &[(String, String)],
        what: &[&str],
        deadline: Duration,
        doing: &'static str,
    ) -> Result<String, LabError> {
        let mut asked = tokio::process::Command::from(self.command(tool, environment));
        asked.args(what).stdin(Stdio::null()).kill_on_drop(true);
        let failed = |reason: String| LabError::Server(ServerError::Engine { doing, reason });
        let said = tokio::time::timeout(deadline, asked.output()).await;
        let said = said.map_err(|_| failed(format!("it took more than {deadline:?}")))?;
        let said = said.map_err(|error| LabError::system(format!("running {}", tool[0]), error))?;
        match said.status.success() {
            true => Ok(String::from_utf8_lossy(&said.stdout).into_owned()),
            false => Err(failed(last_lines(&String::from_utf8_lossy(&said.stderr)))),
        }
    }

    fn command(&self, tool: &[String], variables: &[(String, String)]) -> Command {
        let mut command = Command::new(&tool[0]);
        command.args(&tool[1..]).env_clear().envs(environment::inherited(true));
        command.envs(variables.iter().map(|(name, value)| (name, value)));
        command
    }

    /// What the container of an instance is called.
    pub(super) fn name(&self, instance: u32) -> String {
        format!("{}-{instance}", self.project)
    }

    /// The arguments after those of [`Compose::open`] that run a container with these variables, in the foreground: the tool takes
    /// their values from its own environment, so that they stand in no process list.
    pub(super) fn run(&self, instance: u32, environment: &[(String, String)], files: Option<&Path>) -> Vec<String> {
        let label = format!("{APP_LABEL}={}", Owner::this_process());
        let mut words: Vec<String> =
            ["run", "--rm", "--no-deps", "-T", "--name", &self.name(instance), "--label", &label]
                .map(str::to_owned)
                .into();
        // Of two variables of the same name the later one counts, and the environment holds only that.
        let names: BTreeSet<&str> = environment.iter().map(|(name, _)| name.as_str()).collect();
        words.extend(names.into_iter().flat_map(|name| ["-e".to_owned(), name.to_owned()]));
        // The container finds them where `env` says.
        words.extend(files.into_iter().flat_map(|files| ["-v".to_owned(), format!("{0}:{0}:ro", files.display())]));
        words.push(self.service.clone());
        words
    }
}

impl Drop for Opened {
    fn drop(&mut self) {
        // The end of its input lets it work.
        drop(self.guard.stdin.take());
        let _ = self.guard.wait();
    }
}

/// The file that puts the service into the machine's network. The old tool wants the version that the other file has.
fn override_of(text: &str, service: &str) -> String {
    let version = text.lines().find(|line| line.starts_with("version:"));
    let version = version.map_or_else(String::new, |line| format!("{line}\n"));
    format!("{version}services:\n  {}:\n    network_mode: host\n", serde_json::Value::from(service))
}

/// Whether the service has an image with a name of its own, in the file as the tool prints it: with two spaces a level.
fn names_image(config: &str, service: &str) -> bool {
    let within = config.lines().skip_while(|line| *line != "services:").skip(1);
    let named = format!("  {service}:");
    let of_service = within.skip_while(|line| *line != named).skip(1).take_while(|line| line.starts_with("    "));
    of_service.into_iter().any(|line| line.starts_with("    image:"))
}

fn path(path: &Path) -> String {
    path.display().to_string()
}

/// The Compose tool: the engine's plugin, or the program of its own that came before it.
async fn find() -> Result<Vec<String>, LabError> {
    for words in [&["docker", "compose"][..], &["docker-compose"]] {
        let mut asked = tokio::process::Command::new(words[0]);
        asked.args(&words[1..]).arg("version").stdin(Stdio::null()).kill_on_drop(true);
        if asked.output().await.is_ok_and(|output| output.status.success()) {
            return Ok(words.iter().map(|word| (*word).to_owned()).collect());
        }
    }
    Err(LabError::Missing(Missing::NoCompose))
}

/// The container that a run of the tool holds.
pub(super) struct Container {
    engine: Containers,
    name: String,
    pid: AtomicU32,
    paused: AtomicBool,
    /// Locked during each change of its life, so changes happen one at a time.
    turn: tokio::sync::Mutex<()>,
}

impl Container {
    /// The one called `name`.
    ///
    /// # Errors
    /// [`Missing::NoDocker`].
    pub(super) async fn called(name: String) -> Result<Self, LabError> {
        let (pid, paused, turn) = (AtomicU32::new(0), AtomicBool::new(false), tokio::sync::Mutex::default());
        Ok(Self { engine: Containers::reach().await?, name, pid, paused, turn })
    }

    /// The id of its first process on this machine, when it was last looked at.
    pub(super) fn pid(&self) -> Option<u32> {
        Some(self.pid.load(Relaxed)).filter(|pid| *pid != 0)
    }

    pub(super) fn is_paused(&self) -> bool {
        self.paused.load(Relaxed)
    }

    /// Looks at it.
    pub(super) async fn look(&self) -> Result<(), LabError> {
        let pid = self.engine.running(&self.name).await?;
        self.pid.store(pid.unwrap_or(0), Relaxed);
        Ok(())
    }

    /// Kills and removes it, whatever it does.
    pub(super) async fn remove(&self) -> Result<(), LabError> {
        let _turn = self.turn.lock().await;
        self.engine.remove(&self.name).await?;
        self.paused.store(false, Relaxed);
        self.pid.store(0, Relaxed);
        Ok(())
    }

    pub(super) async fn pause(&self) -> Result<(), LabError> {
        let _turn = self.turn.lock().await;
        if !self.is_paused() {
            self.engine.pause(&self.name).await?;
            self.paused.store(true, Relaxed);
        }
        Ok(())
    }

    pub(super) async fn resume(&self) -> Result<(), LabError> {
        let _turn = self.turn.lock().await;
        if self.is_paused() {
            self.engine.unpause(&self.name).await?;
            self.paused.store(false, Relaxed);
        }
        Ok(())
    }

    /// Asks it to end (SIGTERM); whether it did within `grace`.
    pub(super) async fn end(&self, grace: Duration) -> Result<bool, LabError> {
        self.resume().await?;
        let _turn = self.turn.lock().await;
        self.engine.terminate(&self.name).await?;
        let end = tokio::time::Instant::now() + grace;
        loop {
            if self.engine.running(&self.name).await?.is_none() {
                return Ok(true);
            }
            if tokio::time::Instant::now() >= end {
                return Ok(false);
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// Its state, if the tool that holds it is in this one.
    pub(super) fn state(&self, tool: ProcessState) -> ProcessState {
        match (tool, self.is_paused()) {
            (ProcessState::Dead, _) => ProcessState::Dead,
            (_, true) => ProcessState::Stopped,
            (state, false) => state,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_override_has_the_version_of_the_file_and_one_service() {
        let text = "# a shop\nversion: \"3.8\"\nservices:\n  web:\n    image: shop\n";
        let expected = "version: \"3.8\"\nservices:\n  \"web\":\n    network_mode: host\n";
        assert_eq!(override_of(text, "web"), expected);
        assert_eq!(override_of("services: {}\n", "web"), "services:\n  \"web\":\n    network_mode: host\n");
    }

    #[test]
    fn an_image_with_a_name_is_the_users() {
        let config = "services:\n  redis:\n    image: redis:7\n  web:\n    build:\n      context: /shop\n      image: no\nversion: '3'\n";
        assert!(names_image(config, "redis") && !names_image(config, "web") && !names_image(config, "db"));
        assert!(names_image(&config.replace("    build:", "    image: shop\n    build:"), "web"));
    }

    #[test]
    fn the_values_of_variables_are_not_arguments() {
        let compose = Compose::new("/shop/compose.yaml".into(), "web".to_owned());
        let variable = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let words =
            compose.run(2, &[variable("KEY", "s3cret"), variable("A", "b"), variable("KEY", "n3w")], None).join(" ");
        assert!(words.ends_with("-e A -e KEY web") && words.contains(&compose.name(2)), "{words}");
        assert!(!words.contains("s3cret") && !words.contains("n3w"), "{words}");
    }
}
