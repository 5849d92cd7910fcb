//! The application under drill, a child process on a loopback port that stays the same across kills and restarts: the command of
//! a scenario's `[app]`, or the Compose tool that runs its container. It is configured only by what its launch says, and it never
//! outlives the harness.

pub mod compose;
mod environment;
mod files;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use indexmap::IndexMap;
use parking_lot::Mutex;

use self::compose::{Compose, Container};
use self::files::OwnFiles;
use super::error::{LabError, Missing, ServerError};
use super::own_hosts::OwnHosts;
use super::process::{Output, ProcessState, Program, Readiness, ServerChild, ServerProcess, on_free_port};
use super::redis::in_path;
use super::status::status;

/// Names the binary if no option does.
pub const SESSION_SERVER_VARIABLE: &str = "FIREDRILL_SESSION_SERVER";

/// The program of this name is the binary that comes with Firedrill.
const SESSION_SERVER: &str = "session-server";

/// What the application is called in errors and for its log.
const NAME: &str = "app";

/// How a scenario's `[app]` is started. May hold secrets, so this type has no Debug.
#[derive(Clone)]
pub struct AppCommand {
    /// The service whose container it is, if it runs in one: then there is no program and there are no arguments.
    pub compose: Option<Arc<Compose>>,
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
    /// The folder of its files, if it has any.
    pub files: Option<&'a Path>,
}

/// A program with its arguments and the variables that are set for it.
pub struct CommandLine {
    /// The program, then its arguments.
    pub argv: Vec<String>,
    /// Its variables.
    pub environment: Vec<(String, String)>,
    /// The files that it is to find, by paths relative to their folder.
    pub files: Vec<(PathBuf, String)>,
}

/// How to run the application.
#[derive(Clone)]
pub struct AppConfig {
    /// The `session-server` binary; [`AppProcess::find`] looks for it if none is named.
    pub binary: Option<PathBuf>,
    /// What to start.
    pub command: AppCommand,
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

/// An application that the drill owns. Dropping it kills its whole process group, or its container.
pub struct AppProcess {
    child: ServerChild,
    container: Option<Container>,
    program: Application,
    printed: Vec<PathBuf>,
    requests: Arc<AtomicU64>,
    called: String,
    grace: Duration,
}

/// What a start needs.
struct Application {
    command: AppCommand,
    /// The program, if it is not the one that the command names.
    found: Option<PathBuf>,
    /// The Compose tool's program and first arguments, where the application runs in a container.
    tool: Vec<String>,
    files: Option<OwnFiles>,
    port: u16,
    instance: u32,
    deployed: Mutex<Vec<(String, String)>>,
    hosts: Option<Arc<OwnHosts>>,
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
    /// [`Missing::NoSessionServer`] before anything is started, or what [`Compose::open`] lacks; [`ServerError::Exited`] and
    /// [`ServerError::NotReady`] with the end of the log.
    pub async fn start(config: AppConfig) -> Result<Self, LabError> {
        let (line, instance) = (&config.command.line, config.instance.0);
        let CommandLine { argv, environment, files } =
            line(&AppStart { port: 0, instance, deployed: &[], files: None });
        let is_ours = argv.first().is_some_and(|program| program == SESSION_SERVER);
        let found = is_ours.then(|| Self::find(config.binary.as_deref())).transpose()?;
        let (tool, mut container) = match &config.command.compose {
            Some(compose) => {
                let name = compose.name(config.instance.0);
                (compose.open(&environment).await?, Some(Container::called(name).await?))
            }
            None => (Vec::new(), None),
        };
        let prepare = |port| {
            let (instance, of) = config.instance;
            let (file, called) = match of {
                1 => (NAME.to_owned(), "the application".to_owned()),
                _ => (format!("{NAME}-{instance}"), format!("instance {instance} of the application")),
            };
            let in_logs = |ending: &str| config.logs.join(format!("{file}.{ending}"));
            let output = Output { out: in_logs("out"), log: in_logs("log") };
            let printed = vec![output.log.clone(), output.out.clone()];
            let child = ServerChild::new(NAME, output, config.start_deadline).forking();
            let (command, found, hosts) = (config.command.clone(), found.clone(), config.hosts.clone());
            let (tool, deployed) = (tool.clone(), Mutex::default());
            let files = (!files.is_empty()).then(OwnFiles::create).transpose()?;
            if let Some(own) = &files {
                own.write(&line(&AppStart { port, instance, deployed: &[], files: Some(own.path()) }).files)?;
            }
            let program = Application { command, found, tool, files, port, instance, hosts, deployed };
            let requests = Arc::default();
            Ok(Self { child, container: None, program, printed, requests, called, grace: config.grace })
        };
        let mut app = on_free_port(prepare, |app| (&app.child, &app.program)).await?;
        app.container = container.take();
        app.look().await?;
        Ok(app)
    }

    /// Looks at its container, if it has one: only the engine knows the id of the process.
    async fn look(&self) -> Result<(), LabError> {
        match &self.container {
            Some(container) => container.look().await,
            None => Ok(()),
        }
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
        let Some(container) = &self.container else {
            return self.child.restart(&self.program, self.grace).await;
        };
        let by_itself = container.end(self.grace).await?;
        self.renew().await?;
        Ok(by_itself)
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
        let AppCommand { line, folder, .. } = &self.command;
        let deployed = self.deployed.lock().clone();
        let files = self.files.as_ref().map(OwnFiles::path);
        let start = AppStart { port: self.port, instance: self.instance, deployed: &deployed, files };
        let CommandLine { argv, environment: variables, .. } = line(&start);
        let program = argv.first().map_or("", String::as_str);
        // A path is the folder's, a bare name is looked up in PATH.
        let mut command = match (&self.found, self.tool.first()) {
            (Some(found), _) => Command::new(found),
            (None, Some(tool)) => Command::new(tool),
            (None, None) if program.contains('/') => Command::new(folder.join(program)),
            (None, None) => Command::new(program),
        };
        // Redis variables in the harness's environment configure the harness, not the application.
        let inherited = environment::inherited(!self.tool.is_empty());
        let words = match &self.command.compose {
            Some(compose) => [self.tool[1..].to_vec(), compose.run(self.instance, &variables, files)].concat(),
            None => argv.into_iter().skip(1).collect(),
        };
        command.args(words).current_dir(folder).env_clear().envs(inherited).envs(variables);
        if let Some(hosts) = &self.hosts {
            hosts.put_before(&mut command);
        }
        command
    }

    /// It is ready once it answers.
    async fn readiness(&self, _: u32) -> Readiness {
        match status(self.address(), &self.command.ready).await {
            Some(100..500) => Readiness::Ready,
            _ => Readiness::NotYet,
        }
    }
}

#[async_trait::async_trait]
impl ServerProcess for AppProcess {
    fn pid(&self) -> Option<u32> {
        match &self.container {
            Some(container) => container.pid(),
            None => self.child.pid(),
        }
    }

    fn state(&self) -> ProcessState {
        match &self.container {
            Some(container) => container.state(self.child.state()),
            None => self.child.state(),
        }
    }

    async fn kill(&self) -> Result<(), LabError> {
        let (Some(container), false) = (&self.container, self.state() == ProcessState::Dead) else {
            return self.child.kill().await;
        };
        container.remove().await?;
        match self.child.kill().await {
            // The tool that runs the container sees its end, and may itself be gone by now.
            Err(LabError::Server(ServerError::NotRunning { .. })) => Ok(()),
            killed => killed,
        }
    }

    async fn ensure_running(&self) -> Result<(), LabError> {
        self.child.ensure_running(&self.program).await?;
        self.look().await
    }

    async fn pause(&self) -> Result<(), LabError> {
        match &self.container {
            Some(container) => container.pause().await,
            None => self.child.pause().await,
        }
    }

    async fn resume(&self) -> Result<(), LabError> {
        match &self.container {
            Some(container) => container.resume().await,
            None => self.child.resume().await,
        }
    }

    fn freeze(&self, frozen: bool) -> Result<bool, LabError> {
        match &self.container {
            Some(_) => Ok(false),
            None => self.child.freeze(frozen),
        }
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

    /// A server in Python that answers every request.
    const ANSWERS: &str = r#"
import http.server, os, sys
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(204); self.end_headers()
    def log_message(self, *_): pass
server = http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Answer)
"#;

    /// The shell runs `script`, in which `$SERVE` is [`ANSWERS`] followed by `then`.
    fn config(folder: &Path, then: &str, script: &str) -> AppConfig {
        std::fs::write(folder.join("server.py"), format!("{ANSWERS}{then}\n")).unwrap();
        let script = script.replace("$SERVE", "python3 server.py $PORT");
        let line = move |start: &AppStart<'_>| CommandLine {
            argv: ["sh", "-c", &script].map(str::to_owned).to_vec(),
            environment: vec![("PORT".to_owned(), start.port.to_string())],
            files: Vec::new(),
        };
        AppConfig {
            binary: None,
            command: AppCommand {
                compose: None,
                line: Arc::new(line),
                folder: folder.to_owned(),
                ready: "/".to_owned(),
            },
            instance: (1, 1),
            hosts: None,
            logs: folder.to_owned(),
            start_deadline: Duration::from_secs(20),
            grace: Duration::from_secs(20),
        }
    }

    const FOREVER: &str = "server.serve_forever()";

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
        let app = AppProcess::start(config(folder.path(), FOREVER, "exec $SERVE")).await.unwrap();
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
        let polite = AppProcess::start(config(folder.path(), FOREVER, "exec $SERVE")).await.unwrap();
        let first = polite.pid();
        assert!(polite.restart(&IndexMap::new()).await.unwrap());
        assert!(polite.pid().is_some() && polite.pid() != first);
        drop(polite);
        let stubborn = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); server.serve_forever()";
        let stubborn = config(folder.path(), stubborn, "exec $SERVE");
        let stubborn = AppConfig { grace: Duration::from_millis(50), ..stubborn };
        let stubborn = AppProcess::start(stubborn).await.unwrap();
        assert!(!stubborn.restart(&IndexMap::new()).await.unwrap());
        assert_eq!(stubborn.state(), ProcessState::Running);
    }

    #[tokio::test]
    async fn an_application_that_is_starting_another_program_is_stopped_too() {
        let folder = tempfile::tempdir().unwrap();
        // The shell starts each program by vfork(2), in which one of three is met.
        let busy = "$SERVE & while :; do sleep 0.002; done";
        let app = AppProcess::start(config(folder.path(), FOREVER, busy)).await.unwrap();
        for _ in 0..20 {
            app.pause().await.unwrap();
            assert_eq!(app.state(), ProcessState::Stopped);
            app.resume().await.unwrap();
        }
    }

    #[tokio::test]
    async fn an_application_that_exits_is_reported_with_its_log() {
        let folder = tempfile::tempdir().unwrap();
        let exits = config(folder.path(), "", "echo SESSION_SECRET is missing >&2; exit 2");
        let error = AppProcess::start(exits).await.err().unwrap().to_string();
        assert!(error.contains("app ended") && error.contains("SESSION_SECRET is missing"), "{error}");
    }

    #[tokio::test]
    async fn an_application_takes_its_children_with_it() {
        let folder = tempfile::tempdir().unwrap();
        let forks = "if os.fork() == 0:
    open('child', 'w').write(str(os.getpid()))
    server.serve_forever()
os.wait()";
        let app = AppProcess::start(config(folder.path(), forks, "exec $SERVE")).await.unwrap();
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
