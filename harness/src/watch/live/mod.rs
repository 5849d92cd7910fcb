//! The live page: one page on a loopback address, with a token in its URL, that follows the drills of an invocation, stops
//! them, starts and ends their faults where they are started by hand, and ends as their reports.

mod state;
mod viewers;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use bytes::Bytes;
use firedrill_reports::html::{LIVE_POLICY, render_live};
use firedrill_reports::run::REPORT_FILE;
use http_body_util::Full;
use hyper::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, HeaderValue, LOCATION, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS,
};
use hyper::http::request::Parts;
use hyper::{Method, Response, StatusCode};
use tokio_util::sync::CancellationToken;

use self::state::{Detail, Entry, State};
use self::viewers::Viewers;
use super::board::Board;
use super::server::Site;
use crate::drill::Stage;
use crate::fault::ByHand;
use crate::serve_http::{Answer, Token, objection, text};

/// How long the command waits at its end for open pages to fetch the last report.
const LAST_FETCH: Duration = Duration::from_secs(5);

const HTML: &str = "text/html; charset=utf-8";
const JSON: &str = "application/json";

/// What a live page shows and controls.
pub struct Setting {
    /// The drills.
    pub board: Arc<Board>,
    /// Cancelled by the button that stops them.
    pub stop: CancellationToken,
    /// The folder of the invocation's runs.
    pub out: PathBuf,
    /// The folder of each drill's run.
    pub runs: Vec<PathBuf>,
    /// The switches of each drill's faults; empty if faults begin by themselves.
    pub by_hand: Vec<ByHand>,
}

/// The live page of an invocation.
pub struct Live {
    address: SocketAddr,
    token: Token,
    setting: Setting,
    out: String,
    page: String,
    over: AtomicBool,
    viewers: Viewers,
}

impl Live {
    /// A page served at `address`, under a fresh token.
    pub fn at(address: SocketAddr, setting: Setting) -> Self {
        let out = setting.out.display().to_string();
        let page = render_live();
        Self {
            address,
            token: Token::fresh(),
            setting,
            out,
            page,
            over: AtomicBool::default(),
            viewers: Viewers::default(),
        }
    }

    /// Its URL. Anyone who knows it can stop the drill.
    pub fn url(&self) -> String {
        format!("http://{}/{}/", self.address, self.token.as_str())
    }

    /// Tells the open pages that no more drill will run, and waits a moment for them to fetch what they still lack.
    pub fn finish(&self) {
        let ended = self.setting.board.read(|drills| drills.iter().filter(|one| Entry::of(one).has_report()).count());
        self.over.store(true, Relaxed);
        self.viewers.wait_until_served(ended, Instant::now() + LAST_FETCH);
    }

    fn route(&self, head: &Parts, path: &[&str]) -> Answer {
        let is_get = head.method == Method::GET;
        match (path, is_get, &head.method) {
            ([""], true, _) => whole(HTML, self.page.clone()),
            (["state"], true, _) => self.state(head.uri.query().unwrap_or_default()),
            (["report", number], true, _) => self.report(number),
            (["stop"], _, &Method::POST) => {
                self.setting.stop.cancel();
                text(StatusCode::ACCEPTED, "stopping: faults are healed, and the report is written")
            }
            (["drill", drill, "fault", fault, wish @ ("start" | "end")], _, &Method::POST) => {
                self.wish(drill, fault, *wish == "start")
            }
            ([""] | ["state"] | ["report", _] | ["stop"] | ["drill", _, "fault", _, "start" | "end"], ..) => {
                text(StatusCode::METHOD_NOT_ALLOWED, "wrong method")
            }
            _ => text(StatusCode::NOT_FOUND, "there is nothing here"),
        }
    }

    fn state(&self, query: &str) -> Answer {
        let mut asked = Asked::default();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            match &*name {
                "drill" => asked.drill = value.parse().ok(),
                "from" => asked.from = value.parse().unwrap_or(0),
                "viewer" => asked.viewer = value.parse().ok(),
                "reports" => asked.reports = value.parse().unwrap_or(0),
                _ => {}
            }
        }
        if let Some(viewer) = asked.viewer {
            self.viewers.seen(viewer, asked.reports);
        }
        let json = self.setting.board.read(|drills| {
            // The page follows the drill that runs: the last one that has begun.
            let running = drills.iter().rposition(|drill| drill.stage.is_some()).unwrap_or(0);
            let number = asked.drill.filter(|number| *number < drills.len()).unwrap_or(running);
            let from = if asked.drill == Some(number) { asked.from } else { 0 };
            let by_hand = self.setting.by_hand.get(number);
            serde_json::to_string(&State {
                over: self.over.load(Relaxed),
                stopping: self.setting.stop.is_cancelled(),
                out: &self.out,
                drills: drills.iter().map(Entry::of).collect(),
                running,
                drill: drills.get(number).map(|shown| Detail::of(number, shown, from, by_hand)),
            })
        });
        match json {
            Ok(json) => whole(JSON, json),
            Err(error) => text(StatusCode::INTERNAL_SERVER_ERROR, &format!("the state cannot be written: {error}")),
        }
    }

    fn report(&self, number: &str) -> Answer {
        let number: Option<usize> = number.parse().ok();
        let is_there = |number: &usize| {
            self.setting.board.read(|drills| drills.get(*number).is_some_and(|shown| Entry::of(shown).has_report()))
        };
        let run = number.filter(is_there).and_then(|number| self.setting.runs.get(number));
        let Some(run) = run else { return text(StatusCode::NOT_FOUND, "there is no report yet") };
        match std::fs::read(run.join(REPORT_FILE)) {
            Ok(page) => whole(HTML, page),
            Err(error) => text(StatusCode::NOT_FOUND, &format!("the report cannot be read: {error}")),
        }
    }

    fn wish(&self, drill: &str, fault: &str, on: bool) -> Answer {
        let numbers = drill.parse::<usize>().ok().zip(fault.parse::<u32>().ok());
        let Some((drill, fault)) = numbers else { return text(StatusCode::NOT_FOUND, "there is no such fault") };
        let Some(by_hand) = self.setting.by_hand.get(drill) else {
            return text(StatusCode::CONFLICT, "faults begin by themselves: start the command with --inject");
        };
        let is_under_load = self.setting.board.read(|drills| {
            let shown = drills.get(drill);
            shown.is_some_and(|shown| shown.stage == Some(Stage::Load) && shown.clock.is_some())
        });
        if !is_under_load {
            return text(StatusCode::CONFLICT, "faults can be started and ended only during the load");
        }
        match by_hand.want(fault, on) {
            Ok(()) => text(StatusCode::ACCEPTED, if on { "starting" } else { "ending" }),
            Err(error) => text(StatusCode::NOT_FOUND, &error.to_string()),
        }
    }
}

/// What a page asks for.
#[derive(Default)]
struct Asked {
    /// The drill that it shows.
    drill: Option<usize>,
    /// How many of its seconds the page has.
    from: usize,
    /// The page's number, which it drew.
    viewer: Option<u64>,
    /// How many reports it has.
    reports: usize,
}

impl Site for Live {
    fn answer(&self, head: &Parts) -> Answer {
        let mut answer = match objection(head, self.address) {
            Some(reason) => text(StatusCode::FORBIDDEN, reason),
            None => {
                let path: Vec<&str> = head.uri.path().split('/').skip(1).collect();
                match path.split_first() {
                    Some((token, rest)) if self.token.is(token) && !rest.is_empty() => self.route(head, rest),
                    Some((token, _)) if self.token.is(token) => moved(&format!("/{token}/")),
                    // As if there were nothing: a wrong token learns nothing.
                    _ => text(StatusCode::NOT_FOUND, "there is nothing here"),
                }
            }
        };
        let fixed = [
            (CACHE_CONTROL, "no-store"),
            (CONTENT_SECURITY_POLICY, LIVE_POLICY),
            (REFERRER_POLICY, "no-referrer"),
            (X_CONTENT_TYPE_OPTIONS, "nosniff"),
            (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
            (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        ];
        for (name, value) in fixed {
            answer.headers_mut().insert(name, HeaderValue::from_static(value));
        }
        answer
    }
}

fn whole(kind: &'static str, body: impl Into<Bytes>) -> Answer {
    let mut answer = Response::new(Full::new(body.into()));
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    answer
}

fn moved(to: &str) -> Answer {
    let mut answer = text(StatusCode::PERMANENT_REDIRECT, to);
    if let Ok(to) = HeaderValue::from_str(to) {
        answer.headers_mut().insert(LOCATION, to);
    }
    answer
}

#[cfg(test)]
mod tests {
    use hyper::Request;

    use super::*;

    fn live() -> Live {
        let setting = Setting {
            board: Board::of([]),
            stop: CancellationToken::new(),
            out: "runs".into(),
            runs: Vec::new(),
            by_hand: Vec::new(),
        };
        Live::at("127.0.0.1:7000".parse().unwrap(), setting)
    }

    fn ask(live: &Live, method: &str, path: &str, host: &str) -> StatusCode {
        let request = Request::builder().method(method).uri(path).header("host", host).body(()).unwrap();
        live.answer(&request.into_parts().0).status()
    }

    #[test]
    fn nothing_is_there_without_the_token_or_under_another_name() {
        let live = live();
        let token = live.token.as_str();
        let own = "127.0.0.1:7000";
        for path in ["/", "/state", "/stop", "//stop", "/0123456789abcdef0123456789abcdef/stop"] {
            assert_eq!(ask(&live, "POST", path, own), StatusCode::NOT_FOUND, "{path}");
        }
        let stop = format!("/{token}/stop");
        assert_eq!(ask(&live, "POST", &stop, "evil.example:7000"), StatusCode::FORBIDDEN);
        assert_eq!(ask(&live, "GET", &stop, own), StatusCode::METHOD_NOT_ALLOWED);
        assert!(!live.setting.stop.is_cancelled());
        assert_eq!(ask(&live, "GET", &format!("/{token}"), own), StatusCode::PERMANENT_REDIRECT);
        assert_eq!(ask(&live, "GET", &format!("/{token}/"), own), StatusCode::OK);
        assert_eq!(ask(&live, "GET", &format!("/{token}/state?drill=7&from=x&viewer=-1"), own), StatusCode::OK);
        assert_eq!(ask(&live, "GET", &format!("/{token}/report/../../etc/passwd"), own), StatusCode::NOT_FOUND);
        assert_eq!(ask(&live, "POST", &format!("/{token}/drill/0/fault/0/start"), own), StatusCode::CONFLICT);
        assert_eq!(ask(&live, "POST", &stop, own), StatusCode::ACCEPTED);
        assert!(live.setting.stop.is_cancelled());
    }
}
