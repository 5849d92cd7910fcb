//! `firedrill serve`: the saved runs in the browser, filtered and compared.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use firedrill_reports::Run;
use firedrill_reports::compare::{MARGIN, Recorded, compare};
use firedrill_reports::html::{Shown, place, render_comparison, render_html, render_library};
use firedrill_reports::library::{Entry, Library};
use firedrill_reports::run::{HISTORY_FILE, REPORT_FILE, RUN_FILE};
use hyper::http::request::Parts;
use hyper::{Method, StatusCode};
use tokio_util::sync::CancellationToken;

use super::args::ServeArgs;
use super::compare::PAGE;
use super::exit::{Failure, Status};
use super::out;
use super::signals;
use crate::serve_http::{Answer, Local, Site, answer, page, text};

/// Serves the runs until a signal ends it.
pub fn run(args: &ServeArgs) -> Result<Status, Failure> {
    if let Err(error) = std::fs::read_dir(&args.dir) {
        let path = args.dir.display();
        let hint = "`firedrill run` makes runs/, and --out another folder";
        return Err(Failure::File(format!("cannot list {path}: {error}; {hint}")));
    }
    let stop = CancellationToken::new();
    signals::watch(stop.clone(), "ending the pages")?;
    let failed = |error: std::io::Error| {
        Failure::Environment(format!("cannot serve on port {} of 127.0.0.1: {error}; choose another --port", args.port))
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
    runtime.block_on(async {
        let local = Local::open(args.port).await.map_err(failed)?;
        out::line(format_args!("pages  {}", local.url()));
        tokio::select! {
            () = stop.cancelled() => {}
            () = local.serve(Arc::new(Runs { root: args.dir.clone() })) => {}
        }
        Ok(Status::Passed)
    })
}

/// The runs below a folder, looked through for each request: drills may be under way.
struct Runs {
    root: PathBuf,
}

impl Site for Runs {
    fn answer(&self, path: &str, head: &Parts) -> Answer {
        if !matches!(head.method, Method::GET | Method::HEAD) {
            return text(StatusCode::METHOD_NOT_ALLOWED, "only GET");
        }
        let library = match Library::of(&self.root) {
            Ok(library) => library,
            Err(error) => return text(StatusCode::INTERNAL_SERVER_ERROR, &format!("cannot list the folder: {error}")),
        };
        let asked = Asked::of(head.uri.query().unwrap_or_default());
        match path {
            "" => page(render_library(&Shown {
                library: &library,
                root: &self.root,
                scenario: asked.get(Shown::SCENARIO),
                verdict: asked.get(Shown::VERDICT),
            })),
            Shown::COMPARE => self.compared(&library, &asked),
            _ => match path.strip_prefix(Shown::FILES).and_then(|rest| rest.strip_prefix('/')) {
                Some(file) => self.file(&library, &decoded(file)),
                None => text(StatusCode::NOT_FOUND, "there is no such page"),
            },
        }
    }
}

impl Runs {
    /// The run at `wanted`, which is a place that the list names.
    fn at<'l>(&self, library: &'l Library, wanted: &str) -> Option<&'l Entry> {
        library.runs.iter().find(|run| place(&self.root, &run.path) == wanted)
    }

    fn compared(&self, library: &Library, asked: &Asked) -> Answer {
        let sides = [Shown::BASELINE, Shown::RUN].map(|side| {
            let wanted = asked.get(side);
            let entry = self.at(library, wanted).ok_or_else(|| match wanted.is_empty() {
                true => format!("choose a run for {side} first"),
                false => format!("there is no run at {wanted}"),
            })?;
            Run::load(&entry.path)
                .map(|run| Recorded { place: wanted.to_owned(), run })
                .map_err(|error| error.to_string())
        });
        match sides {
            [Ok(baseline), Ok(run)] => page(render_comparison(&[compare(&[baseline], &[run], MARGIN)])),
            [Err(why), _] | [_, Err(why)] => text(StatusCode::NOT_FOUND, &why),
        }
    }

    /// A file of a run: only what a drill writes, and only where a run is.
    fn file(&self, library: &Library, path: &str) -> Answer {
        let nothing = || text(StatusCode::NOT_FOUND, "there is no such file of a run");
        // A browser leaves out the `.` of a run that is the folder itself.
        let (folder, name) = path.rsplit_once('/').unwrap_or((".", path));
        let Some(entry) = self.at(library, folder) else { return nothing() };
        let run = match Run::load(&entry.path) {
            Ok(run) => run,
            Err(error) => return text(StatusCode::NOT_FOUND, &error.to_string()),
        };
        if name == REPORT_FILE {
            return page(render_html(&run));
        }
        let known = [RUN_FILE, HISTORY_FILE, PAGE].contains(&name) || run.files.iter().any(|file| file.name == name);
        match known.then(|| plain_file(&entry.path.join(name))).flatten() {
            Some(bytes) => answer(StatusCode::OK, kind_of(name), bytes),
            None => nothing(),
        }
    }
}

/// The content of a file that is no symbolic link; `None` if it cannot be read.
fn plain_file(path: &Path) -> Option<Vec<u8>> {
    let is_file = std::fs::symlink_metadata(path).is_ok_and(|found| found.is_file());
    is_file.then(|| std::fs::read(path).ok()).flatten()
}

fn kind_of(name: &str) -> &'static str {
    match Path::new(name).extension().and_then(|end| end.to_str()) {
        Some("html") => "text/html; charset=utf-8",
        Some("json") => "application/json",
        Some("log" | "hlog" | "txt") => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

/// The fields of a query.
struct Asked(Vec<(String, String)>);

impl Asked {
    fn of(query: &str) -> Self {
        Self(form_urlencoded::parse(query.as_bytes()).into_owned().collect())
    }

    fn get(&self, name: &str) -> &str {
        self.0.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }
}

/// A path without its escapes. A form would read `+` as a space; a path does not.
fn decoded(path: &str) -> String {
    let form = path.replace('+', "%2B").replace('&', "%26").replace('=', "%3D");
    form_urlencoded::parse(form.as_bytes()).next().map_or_else(String::new, |(name, _)| name.into_owned())
}

#[cfg(test)]
mod tests {
    use hyper::Request;

    use super::*;

    fn ask(runs: &Runs, path: &str) -> u16 {
        let head = Request::get(format!("/{path}")).body(()).unwrap().into_parts().0;
        runs.answer(head.uri.path().trim_start_matches('/'), &head).status().as_u16()
    }

    #[test]
    fn only_files_of_runs_are_served() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("runs");
        let run = root.join("a b/calm");
        let mut record = Run::default();
        record.file("app.log", "what it wrote");
        record.save(&run).unwrap();
        for (file, text) in [("app.log", "log"), ("notes.txt", "mine"), ("../secret.json", "{}")] {
            std::fs::write(run.join(file), text).unwrap();
        }
        std::os::unix::fs::symlink(run.join("notes.txt"), run.join(HISTORY_FILE)).unwrap();
        let runs = Runs { root };
        for (path, status) in [
            ("", 200),
            ("?scenario=calm&verdict=failed", 200),
            ("runs/a%20b/calm/report.html", 200),
            ("runs/a%20b/calm/run.json", 200),
            ("runs/a%20b/calm/app.log", 200),
            ("runs/a%20b/calm/notes.txt", 404),
            ("runs/a%20b/calm/history.fdh", 404),
            ("runs/a%20b/calm/../secret.json", 404),
            ("runs/a%20b/calm/..%2Fsecret.json", 404),
            ("runs/a%20b/secret.json", 404),
            ("runs/", 404),
            ("elsewhere", 404),
            ("compare", 404),
            ("compare?baseline=a+b%2Fcalm&run=a+b%2Fcalm", 200),
            ("compare?baseline=a+b%2Fcalm&run=..", 404),
        ] {
            assert_eq!(ask(&runs, path), status, "{path}");
        }
    }
}
