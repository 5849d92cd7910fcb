//! The application under drill, a child process on a loopback port that stays the same across kills and restarts:
//! `session-server`, or the command of a scenario's `[app]`. It is configured only by what its launch says, and it never
//! outlives the harness.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use indexmap::IndexMap;
use parking_lot::Mutex;

use super::error::{LabError, Missing, ServerError};
use super::own_hosts::OwnHosts;
use super::process::{Output, Printed, Program, Readiness, ServerChild, ServerProcess, Supervised, on_free_port};
use super::redis::in_path;
use super::status::status;

/// Names the binary if no option does.
pub const SESSION_SERVER_VARIABLE: &str = "FIREDRILL_SESSION_SERVER";

/// The binary's name, also used in errors and for its log.
const SESSION_SERVER: &str = "session-server";

/// The name of an application that a scenario describes, in errors and for its log.
const DESCRIBED: &str = "app";

/// The start of the first line of `session-server` on stdout once it listens.
const GREETING: &str = "listening on http://";

/// The variables it inherits from the harness: the log level and the system's trusted authorities.
const INHERITED: [&str; 3] = ["RUST_LOG", "SSL_CERT_FILE", "SSL_CERT_DIR"];

/// What a command needs beyond these to find its interpreter, its packages and a place for temporary files.
const INHERITED_BY_COMMANDS: [&str; 8] = ["PATH", "HOME", "USER", "LANG", "LC_ALL", "TZ", "TMPDIR", "VIRTUAL_ENV"];

/// How an application is started. May hold secrets, so this type has no Debug.
#[derive(Clone)]
pub enum AppLaunch {
    /// `session-server`, with its whole environment except `PORT` and `BIND_ADDRESS`.
    SessionServer(Vec<(&'static str, String)>),
    /// A command of the scenario's.
    Command(AppCommand),
}

/// The command of a scenario's `[app]`.
#[derive(Clone)]
pub struct AppCommand {
    /// Program, arguments and environment of a start.
    pub line: Arc<dyn Fn(&AppStart<'_>) -> CommandLine + Send + Sync>,
    /// The folder it runs in.
    pub folder: PathBuf,
    /// The path that answers with a status below 500 once it serves.
    pub ready: String,
}

/// One start of a command.
pub struct AppStart<'a> {
    /// Where it is to listen on 127.0.0.1.
    pub port: u16,
    /// Which of several instances it is, from 1.
    pub instance: u32,
    /// What deploys have added to its environment, the latest last.
    pub deployed: &'a [(String, String)],
}

/// A program with its arguments and the variables that are set for it.
pub struct CommandLine {
    /// The program, then its arguments.
    pub argv: Vec<String>,
    /// Its variables.
    pub environment: Vec<(String, String)>,
}

/// How to run the application.
#[derive(Clone)]
pub struct AppConfig {
    /// The `session-server` binary; [`AppProcess::find`] looks for it if none is named.
    pub binary: Option<PathBuf>,
    /// What to start.
    pub launch: AppLaunch,
    /// Which instance of how many it is, from 1.
    pub instance: (u32, u32),
    /// The hosts file that it finds, if not the machine's.
    pub hosts: Option<Arc<OwnHosts>>,
    /// The folder for its output.
    pub logs: PathBuf,
    /// The time limit for a start.
    pub start_deadline: Duration,
    /// The time limit for an orderly end.
    pub grace: Duration,
}

/// An application that the drill owns. Dropping it kills its whole process group.
pub struct AppProcess {
    child: ServerChild,
    program: Application,
    printed: Vec<PathBuf>,
    requests: Arc<AtomicU64>,
    called: String,
    grace: Duration,
}

/// What a start needs.
struct Application {
    kind: Started,
    port: u16,
    instance: u32,
    deployed: Mutex<Vec<(String, String)>>,
    hosts: Option<Arc<OwnHosts>>,
}

enum Started {
    SessionServer {
        binary: PathBuf,
        environment: Vec<(&'static str, String)>,
    },
    /// A command, and the program if it is not the one that the command names.
    Command {
        command: AppCommand,
        program: Option<PathBuf>,
    },
}

impl Application {
    fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }
}

impl AppProcess {
    /// Finds the binary: `explicit` if given, else `FIREDRILL_SESSION_SERVER`, else next to this executable, else in
    /// `PATH`.
    ///
    /// # Errors
    /// [`Missing::NoSessionServer`].
    pub fn find(explicit: Option<&Path>) -> Result<PathBuf, LabError> {
        let variable = std::env::var_os(SESSION_SERVER_VARIABLE).filter(|value| !value.is_empty()).map(PathBuf::from);
        let here = std::env::current_exe().ok().and_then(|exe| exe.parent().map(Path::to_owned));
        let search = std::env::var_os("PATH");
        locate(explicit.or(variable.as_deref()), here.as_deref(), |name| in_path(name, search.as_deref()))
    }

    /// Starts the application and returns once it serves. If another process takes the port first, it tries another
    /// port.
    ///
    /// # Errors
    /// [`Missing::NoSessionServer`] before anything is started; [`ServerError::Exited`] and [`ServerError::NotReady`]
    /// with the end of the log.
    pub async fn start(config: AppConfig) -> Result<Self, LabError> {
        let needs_binary = match &config.launch {
            AppLaunch::SessionServer(_) => true,
            AppLaunch::Command(AppCommand { line, .. }) => {
                let start = AppStart { port: 0, instance: config.instance.0, deployed: &[] };
                line(&start).argv.first().is_some_and(|program| program == SESSION_SERVER)
            }
        };
        let binary = needs_binary.then(|| Self::find(config.binary.as_deref())).transpose()?;
        let prepare = |port| {
            let (name, kind) = match (&config.launch, &binary) {
                (AppLaunch::SessionServer(environment), Some(binary)) => {
                    let (binary, environment) = (binary.clone(), environment.clone());
                    (SESSION_SERVER, Started::SessionServer { binary, environment })
                }
                (AppLaunch::Command(command), program) => {
                    (DESCRIBED, Started::Command { command: command.clone(), program: program.clone() })
                }
                (AppLaunch::SessionServer(_), None) => {
                    return Err(LabError::Missing(Missing::NoSessionServer { looked: "nowhere".to_owned() }));
                }
            };
            let (instance, of) = config.instance;
            let (file, called) = match of {
                1 => (name.to_owned(), "the application".to_owned()),
                _ => (format!("{name}-{instance}"), format!("instance {instance} of the application")),
            };
            let in_logs = |ending: &str| config.logs.join(format!("{file}.{ending}"));
            let output = Output { out: in_logs("out"), log: in_logs("log") };
            let printed = vec![output.log.clone(), output.out.clone()];
            let child = ServerChild::new(name, output, config.start_deadline);
            let child = if matches!(kind, Started::Command { .. }) { child.forking() } else { child };
            let program = Application { kind, port, instance, hosts: config.hosts.clone(), deployed: Mutex::default() };
            Ok(Self { child, program, printed, requests: Arc::default(), called, grace: config.grace })
        };
        on_free_port(prepare, |app| (&app.child, &app.program)).await
    }

    /// The address it listens on; the address stays the same while the process is dead.
    pub fn address(&self) -> SocketAddr {
        self.program.address()
    }

    /// The load's request counter: a fault in an unused process has no impact.
    pub fn requests(&self) -> &Arc<AtomicU64> {
        &self.requests
    }

    /// Kills the process if it is alive and starts it again, which discards everything it held only in memory.
    ///
    /// # Errors
    /// Same as [`ServerProcess::ensure_running`].
    pub async fn renew(&self) -> Result<(), LabError> {
        match self.kill().await {
            Ok(()) | Err(LabError::Server(ServerError::NotRunning { .. })) => self.ensure_running().await,
            Err(error) => Err(error),
        }
    }

    /// Asks it to end (SIGTERM), kills it if it still runs after its grace, and starts it again with these variables beside
    /// those that it has. Returns once it serves, and says whether it ended by itself.
    ///
    /// # Errors
    /// Same as [`ServerProcess::ensure_running`].
    pub async fn restart(&self, env: &IndexMap<String, String>) -> Result<bool, LabError> {
        self.program.deployed.lock().extend(env.iter().map(|(name, text)| (name.clone(), text.clone())));
        self.child.restart(&self.program, self.grace).await
    }

    /// Its name in sentences: "the application", or which instance of it.
    pub fn called(&self) -> &str {
        &self.called
    }

    /// The files that it prints to: its log, and its standard output.
    pub fn printed(&self) -> Vec<PathBuf> {
        self.printed.clone()
    }

    /// The name of its log's file.
    pub fn log_name(&self) -> Option<String> {
        Some(self.printed.first()?.file_name()?.to_string_lossy().into_owned())
    }

    /// The last lines of its log.
    pub fn log_tail(&self) -> String {
        self.child.log_tail()
    }
}

#[async_trait::async_trait]
impl Program for Application {
    fn command(&self) -> Command {
        let inherited = |names: &[&'static str]| -> Vec<(&'static str, std::ffi::OsString)> {
            names.iter().filter_map(|name| Some((*name, std::env::var_os(name)?))).collect()
        };
        // Redis variables in the harness's environment configure the harness, not the application.
        let mut command = match &self.kind {
            Started::SessionServer { binary, environment } => {
                let mut command = Command::new(binary);
                command
                    .env_clear()
                    .envs(inherited(&INHERITED))
                    .envs(environment.iter().map(|(name, value)| (name, value)))
                    .env("BIND_ADDRESS", Ipv4Addr::LOCALHOST.to_string())
                    .env("PORT", self.port.to_string());
                command
            }
            Started::Command { command: AppCommand { line, folder, .. }, program: found } => {
                let deployed = self.deployed.lock().clone();
                let start = AppStart { port: self.port, instance: self.instance, deployed: &deployed };
                let CommandLine { argv, environment } = line(&start);
                let program = argv.first().map_or("", String::as_str);
                // A path is the folder's, a bare name is looked up in PATH.
                let mut command = match found {
                    Some(found) => Command::new(found),
                    None if program.contains('/') => Command::new(folder.join(program)),
                    None => Command::new(program),
                };
                command
                    .args(argv.iter().skip(1))
                    .current_dir(folder)
                    .env_clear()
                    .envs(inherited(&INHERITED))
                    .envs(inherited(&INHERITED_BY_COMMANDS))
                    .envs(environment);
                command
            }
        };
        if let Some(hosts) = &self.hosts {
            hosts.put_before(&mut command);
        }
        command
    }

    /// `session-server` is ready once its first line names the address it listens on, a command once it answers.
    async fn readiness(&self, _: u32, printed: &Printed<'_>) -> Readiness {
        match &self.kind {
            Started::SessionServer { .. } => {
                let said = printed.text();
                let Some((line, _)) = said.split_once('\n') else { return Readiness::NotYet };
                let expected = format!("{GREETING}{}", self.address());
                match line.trim_end() == expected {
                    true => Readiness::Ready,
                    false => Readiness::Wrong(format!("its first line is not `{expected}` but `{line}`")),
                }
            }
            Started::Command { command: AppCommand { ready, .. }, .. } => match status(self.address(), ready).await {
                Some(100..500) => Readiness::Ready,
                _ => Readiness::NotYet,
            },
        }
    }
}

impl Supervised for AppProcess {
    fn child(&self) -> &ServerChild {
        &self.child
    }

    fn program(&self) -> &dyn Program {
        &self.program
    }
}

fn locate(
    named: Option<&Path>,
    here: Option<&Path>,
    in_path: impl Fn(&Path) -> Option<PathBuf>,
) -> Result<PathBuf, LabError> {
    let name = Path::new(SESSION_SERVER);
    let looked = match (named, here) {
        (Some(named), _) if named.is_file() => return Ok(named.to_owned()),
        (Some(named), _) => {
            return Err(LabError::Missing(Missing::NoSessionServer { looked: named.display().to_string() }));
        }
        (None, Some(here)) if here.join(name).is_file() => return Ok(here.join(name)),
        (None, Some(here)) => format!("{SESSION_SERVER_VARIABLE}, {} and PATH", here.display()),
        (None, None) => format!("{SESSION_SERVER_VARIABLE} and PATH"),
    };
    in_path(name).ok_or(LabError::Missing(Missing::NoSessionServer { looked }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::ProcessState;

    /// A shell script that stands in for the binary.
    fn config(folder: &Path, script: &str) -> AppConfig {
        let binary = folder.join("app");
        std::fs::write(folder.join("script"), format!("#!/bin/sh\n{script}\n")).unwrap();
        // A child of another test would inherit a file that this process writes, and the system runs no such file.
        let installed =
            Command::new("install").args(["-m", "755"]).args([&folder.join("script"), &binary]).status().unwrap();
        assert!(installed.success(), "{installed}");
        AppConfig {
            binary: Some(binary),
            launch: AppLaunch::SessionServer(vec![("GREETING", "listening on http://127.0.0.1".to_owned())]),
            instance: (1, 1),
            hosts: None,
            logs: folder.to_owned(),
            start_deadline: Duration::from_secs(20),
            grace: Duration::from_secs(20),
        }
    }

    #[test]
    fn the_binary_is_the_named_one_or_the_one_beside_the_command_or_in_path() {
        let folder = tempfile::tempdir().unwrap();
        let beside = folder.path().join(SESSION_SERVER);
        let other = folder.path().join("other");
        for file in [&beside, &other] {
            std::fs::write(file, "").unwrap();
        }
        let nowhere = |_: &Path| None;
        assert_eq!(locate(Some(&other), Some(folder.path()), nowhere).unwrap(), other);
        assert_eq!(locate(None, Some(folder.path()), nowhere).unwrap(), beside);
        assert_eq!(locate(None, Some(Path::new("/nonexistent")), |_| Some(other.clone())).unwrap(), other);
        let error = locate(None, Some(Path::new("/nonexistent")), nowhere).unwrap_err().to_string();
        assert!(error.contains("cargo build") && error.contains("/nonexistent"), "{error}");
        assert!(locate(Some(Path::new("/nonexistent/app")), Some(folder.path()), nowhere).is_err());
    }

    #[tokio::test]
    async fn it_is_killed_and_started_again_at_the_same_port_with_the_same_environment() {
        let folder = tempfile::tempdir().unwrap();
        let app = AppProcess::start(config(folder.path(), "echo $GREETING:$PORT\nsleep 60")).await.unwrap();
        let (address, first) = (app.address(), app.pid().unwrap());
        app.kill().await.unwrap();
        assert_eq!(app.state(), ProcessState::Dead);
        app.ensure_running().await.unwrap();
        assert_eq!(app.address(), address);
        assert_ne!(app.pid().unwrap(), first);
        app.pause().await.unwrap();
        assert_eq!(app.state(), ProcessState::Stopped);
        app.resume().await.unwrap();
        assert_eq!(app.state(), ProcessState::Running);
        let third = app.pid();
        app.renew().await.unwrap();
        assert_ne!(app.pid(), third);
    }

    #[tokio::test]
    async fn it_is_asked_to_end_before_it_is_killed_and_started_again() {
        let folder = tempfile::tempdir().unwrap();
        let polite = AppProcess::start(config(folder.path(), "echo $GREETING:$PORT\nsleep 60")).await.unwrap();
        let first = polite.pid();
        assert!(polite.restart(&IndexMap::new()).await.unwrap());
        assert!(polite.pid().is_some() && polite.pid() != first);
        drop(polite);
        let stubborn = config(folder.path(), "trap '' TERM\necho $GREETING:$PORT\nsleep 60");
        let stubborn = AppConfig { grace: Duration::from_millis(50), ..stubborn };
        let stubborn = AppProcess::start(stubborn).await.unwrap();
        assert!(!stubborn.restart(&IndexMap::new()).await.unwrap());
        assert_eq!(stubborn.state(), ProcessState::Running);
    }

    #[tokio::test]
    async fn an_application_that_is_starting_another_program_is_stopped_too() {
        let folder = tempfile::tempdir().unwrap();
        // After its first line the shell starts `sleep` by vfork(2), in which one of three is met.
        let app = AppProcess::start(config(folder.path(), "echo $GREETING:$PORT\nsleep 60")).await.unwrap();
        for _ in 0..10 {
            app.pause().await.unwrap();
            assert_eq!(app.state(), ProcessState::Stopped);
            app.renew().await.unwrap();
        }
    }

    #[tokio::test]
    async fn an_application_that_exits_is_reported_with_its_log_and_one_with_another_first_line_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let start = |script: &str| AppProcess::start(config(folder.path(), script));
        let error = start("echo SESSION_SECRET is missing >&2; exit 2").await.err().unwrap().to_string();
        assert!(error.contains("session-server ended") && error.contains("SESSION_SECRET is missing"), "{error}");
        let error = start("echo hello; sleep 60").await.err().unwrap().to_string();
        assert!(error.contains("`hello`"), "{error}");
    }

    /// A server in Python that answers every request, in a child of the process that is started.
    const FORKS: &str = r#"
import http.server, os, sys
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(204); self.end_headers()
    def log_message(self, *_): pass
server = http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Answer)
if os.fork() == 0:
    open(os.environ["CHILD"], "w").write(str(os.getpid()))
    server.serve_forever()
os.wait()
"#;

    #[tokio::test]
    async fn a_command_is_ready_once_it_answers_and_takes_its_children_with_it() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("server.py"), FORKS).unwrap();
        let child = folder.path().join("child").display().to_string();
        let line = move |start: &AppStart<'_>| CommandLine {
            argv: ["python3", "server.py", &start.port.to_string()].map(str::to_owned).to_vec(),
            environment: vec![("CHILD".to_owned(), child.clone())],
        };
        let command = AppCommand { line: Arc::new(line), folder: folder.path().to_owned(), ready: "/".to_owned() };
        let launch = AppLaunch::Command(command);
        let (logs, limit) = (folder.path().to_owned(), Duration::from_secs(20));
        let app = AppProcess::start(AppConfig {
            binary: None,
            launch,
            hosts: None,
            instance: (1, 1),
            logs,
            start_deadline: limit,
            grace: limit,
        })
        .await
        .unwrap();
        assert_eq!(status(app.address(), "/").await, Some(204));
        let worker = || -> u32 { std::fs::read_to_string(folder.path().join("child")).unwrap().parse().unwrap() };
        let gone = async |pid: u32| {
            let end = tokio::time::Instant::now() + Duration::from_secs(20);
            while crate::lab::procfs::stat(pid).is_some_and(|stat| stat.state != 'Z') {
                assert!(tokio::time::Instant::now() < end, "process {pid} is still there");
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let first = worker();
        app.renew().await.unwrap();
        gone(first).await;
        assert_eq!(status(app.address(), "/").await, Some(204));
        let second = worker();
        drop(app);
        gone(second).await;
    }
}
