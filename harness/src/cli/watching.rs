//! What shows the drills of `firedrill run` to others while they run, as the flags ask.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::args::WatchArgs;
use super::exit::Failure;
use super::out;
use crate::drill::{Observer, Planned};
use crate::watch::{Board, Endpoint, Grafana, Live, Metrics, Server, Setting, Site, listen};
#[cfg(feature = "otlp")]
use crate::watch::{Collector, Otlp};

/// Where the token for Grafana is, if no file has it. Never an argument: those appear in process lists.
const TOKEN_VARIABLE: &str = "FIREDRILL_GRAFANA_TOKEN";

/// What watches the drills of an invocation.
#[derive(Default)]
pub struct Watching {
    board: Option<Arc<Board>>,
    live: Option<Arc<Live>>,
    grafana: Option<Grafana>,
    #[cfg(feature = "otlp")]
    otlp: Option<Otlp>,
    scenarios: Vec<String>,
    /// Ends with this value.
    server: Option<Server>,
}

impl Watching {
    /// Opens what `args` ask for, for `drills`, which leave their runs in `out`, and says where it is.
    ///
    /// # Errors
    /// A port that is not available, or a wrong URL or token.
    pub fn start(
        args: &WatchArgs,
        drills: &mut [Planned],
        out: &Path,
        stop: &CancellationToken,
    ) -> Result<Self, Failure> {
        let grafana = grafana(args)?;
        let scenarios = drills.iter().map(|drill| drill.plan().scenario.name.clone()).collect();
        let by_hand = match args.inject {
            true => drills.iter_mut().map(Planned::by_hand).collect(),
            false => Vec::new(),
        };
        if !args.shows() {
            return Ok(Self { grafana, scenarios, ..Self::default() });
        }
        let board = Board::of(drills.iter().map(Planned::plan));
        #[cfg(feature = "otlp")]
        let otlp = otlp(args, &board)?;
        let mut sites: Vec<(TcpListener, Arc<dyn Site>)> = Vec::new();
        if let Some(asked) = args.metrics {
            let (listener, address) = opened("--metrics", asked)?;
            let metrics = Metrics::at(address, board.clone());
            out::tell_line(format_args!("metrics {}", metrics.url()));
            sites.push((listener, Arc::new(metrics)));
        }
        let mut live = None;
        if let Some(port) = args.live {
            let (listener, address) = opened("--live", (Ipv4Addr::LOCALHOST, port).into())?;
            let runs = drills.iter().map(|drill| drill.dir().to_owned()).collect();
            let setting = Setting { board: board.clone(), stop: stop.clone(), out: out.to_owned(), runs, by_hand };
            let page = Arc::new(Live::at(address, setting));
            out::tell_line(format_args!("live    {}", page.url()));
            sites.push((listener, page.clone()));
            live = Some(page);
        }
        let server = (!sites.is_empty()).then(|| Server::start(sites)).transpose();
        let server = server.map_err(|error| Failure::Environment(format!("cannot serve what is watched: {error}")))?;
        Ok(Self {
            board: Some(board),
            live,
            grafana,
            #[cfg(feature = "otlp")]
            otlp,
            scenarios,
            server,
        })
    }

    /// What watches the drill with this number.
    pub fn observers(&self, number: usize) -> Vec<Arc<dyn Observer>> {
        let board = self.board.as_ref().map(|board| board.observer(number));
        let scenario = self.scenarios.get(number).map_or("", String::as_str);
        let grafana = self.grafana.as_ref().map(|grafana| grafana.observer(number, scenario));
        board.into_iter().chain(grafana).collect()
    }

    /// Shows that the drill with this number could not run.
    pub fn not_run(&self, number: usize, reason: &str) {
        if let Some(board) = &self.board {
            board.not_run(number, reason);
        }
    }

    /// Ends, once open pages, Grafana and the collector have got what they still lack.
    pub fn finish(self) {
        if let Some(board) = &self.board {
            for number in 0..self.scenarios.len() {
                board.not_run(number, "it did not start");
            }
        }
        if let Some(live) = &self.live {
            live.finish();
        }
        drop(self.server);
        #[cfg(feature = "otlp")]
        if let Some(unsent) = self.otlp.and_then(Otlp::finish) {
            out::tell_line(format_args!("warning: {unsent}"));
        }
        if let Some(unwritten) = self.grafana.and_then(Grafana::finish) {
            out::tell_line(format_args!("warning: {unwritten}"));
        }
    }
}

fn opened(flag: &str, address: SocketAddr) -> Result<(TcpListener, SocketAddr), Failure> {
    listen(address).map_err(|error| {
        Failure::Environment(format!("{flag}: cannot listen on {address}: {error}; give another port, or 0 for any"))
    })
}

/// What sends the metrics of `board`, as its flag and OpenTelemetry's variables ask.
#[cfg(feature = "otlp")]
fn otlp(args: &WatchArgs, board: &Arc<Board>) -> Result<Option<Otlp>, Failure> {
    const HEADERS: &str = "OTEL_EXPORTER_OTLP_HEADERS";
    const INTERVAL: &str = "OTEL_METRIC_EXPORT_INTERVAL";
    let Some(url) = &args.otlp else { return Ok(None) };
    let variable = |name: &str| std::env::var(name).unwrap_or_default();
    let collector =
        Collector::new(url, &variable(HEADERS)).map_err(|error| Failure::Usage(format!("--otlp: {error}")))?;
    let interval = match variable(INTERVAL).trim() {
        "" => 5_000,
        text => match text.parse() {
            Ok(millis @ 1..) => millis,
            _ => {
                return Err(Failure::Usage(format!("{INTERVAL}={text}: give a whole number of milliseconds, above 0")));
            }
        },
    };
    let otlp = Otlp::start(collector, std::time::Duration::from_millis(interval), board.clone());
    otlp.map(Some).map_err(|error| Failure::Environment(format!("cannot start a thread for --otlp: {error}")))
}

fn grafana(args: &WatchArgs) -> Result<Option<Grafana>, Failure> {
    let Some(url) = &args.grafana else { return Ok(None) };
    let token = match &args.grafana_token_file {
        Some(file) => std::fs::read_to_string(file)
            .map_err(|error| Failure::File(format!("--grafana-token-file: {}: {error}", file.display())))?,
        None => std::env::var(TOKEN_VARIABLE).map_err(|_| {
            Failure::Usage(format!("--grafana needs a token: set {TOKEN_VARIABLE}, or give --grafana-token-file FILE"))
        })?,
    };
    let endpoint = Endpoint::new(url, &token).map_err(|error| Failure::Usage(format!("--grafana: {error}")))?;
    let grafana = Grafana::start(endpoint);
    grafana.map(Some).map_err(|error| Failure::Environment(format!("cannot start a thread for Grafana: {error}")))
}
