//! Which outputs a pipeline gets, and where they go. What the formats are is `firedrill_reports::ci`'s business.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use firedrill_reports::ci::{Invocation, annotations, index, junit, summary, summary_json};
use firedrill_reports::run::write_synced;
use firedrill_reports::text;

use super::args::CiArgs;
use super::given::Given;
use crate::scenario::line_of;

/// What the environment says about the pipeline.
#[derive(Debug, Clone, Default)]
pub struct Pipeline {
    /// Whether this is one: `CI=true`, as GitHub, GitLab and most others set it.
    pub is_on: bool,
    /// The file for this step's summary: `GITHUB_STEP_SUMMARY`.
    pub step_summary: Option<PathBuf>,
    /// The folder of the repository: `GITHUB_WORKSPACE` or `CI_PROJECT_DIR`.
    pub repository: Option<PathBuf>,
}

impl Pipeline {
    /// Reads this process's environment.
    pub fn here() -> Self {
        let path = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        Self {
            is_on: std::env::var_os("CI").is_some_and(|value| value == "true"),
            step_summary: path("GITHUB_STEP_SUMMARY"),
            repository: path("GITHUB_WORKSPACE").or_else(|| path("CI_PROJECT_DIR")),
        }
    }

    /// `file`, as given in `folder`, relative to the repository: pipelines know no other paths. As given if it is elsewhere.
    pub fn in_repository(&self, file: &str, folder: &Path) -> String {
        let plain: PathBuf = folder.join(file).components().collect();
        let inside = self.repository.as_deref().and_then(|repository| plain.strip_prefix(repository).ok());
        inside.map_or_else(|| file.to_owned(), |inside| inside.display().to_string())
    }
}

/// Why there is an output that no flag asked for.
const BY_ITSELF: &str = " (CI=true asks for it, so the exit status stays as it is; --no-ci leaves it out)";

/// Whether an output is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wish {
    /// No.
    Unwanted,
    /// Yes, because this is a pipeline: it must not change the exit status.
    ByItself,
    /// Yes, by a flag.
    Asked,
}

/// The outputs of an invocation.
#[derive(Debug, Clone)]
pub struct Outputs {
    args: CiArgs,
    pipeline: Pipeline,
}

/// An output that could not be written.
#[derive(Debug)]
pub struct Unwritten {
    /// The file, why, and what to do.
    pub text: String,
    /// Whether a flag asked for it. Otherwise the exit status must stay as it is.
    pub asked: bool,
}

impl Outputs {
    /// What these flags ask for in this pipeline.
    pub fn new(args: &CiArgs, pipeline: Pipeline) -> Self {
        Self { args: args.clone(), pipeline }
    }

    fn wish(&self, flag: bool) -> Wish {
        match () {
            () if flag || self.args.ci => Wish::Asked,
            () if self.pipeline.is_on && !self.args.no_ci => Wish::ByItself,
            () => Wish::Unwanted,
        }
    }

    /// The commands that annotate the scenarios' files.
    pub fn annotations(&self, invocation: &Invocation, given: &[Given]) -> Vec<String> {
        if self.wish(self.args.annotations) == Wish::Unwanted {
            return Vec::new();
        }
        annotations::render(invocation, |drilled, path| {
            let given = given.iter().find(|given| given.scenario == drilled.scenario)?;
            line_of(&given.source.text, path)
        })
    }

    /// Writes every wanted file. Returns those that were written, and those that could not be.
    pub fn write(&self, invocation: &Invocation) -> (Vec<PathBuf>, Vec<Unwritten>) {
        let (mut written, mut unwritten) = (Vec::new(), Vec::new());
        let args = &self.args;
        let mut note = |wish: Wish, path: PathBuf, help: &str, write: &dyn Fn(&Path) -> io::Result<()>| {
            if wish == Wish::Unwanted {
                return;
            }
            match write(&path) {
                Ok(()) => written.push(path),
                Err(error) => {
                    let why = if wish == Wish::Asked { "" } else { BY_ITSELF };
                    let text = format!("cannot write {}: {error}; {help}{why}", path.display());
                    unwritten.push(Unwritten { text, asked: wish == Wish::Asked });
                }
            }
        };
        let out = |file: &str| invocation.out.join(file);
        let elsewhere = "choose another folder with --out";
        note(self.wish(args.junit), out(junit::FILE), elsewhere, &|path| {
            replace(path, &junit::render(invocation).map_err(io::Error::other)?)
        });
        let summarised = self.wish(args.summary);
        note(summarised, out(summary::FILE), elsewhere, &|path| {
            replace(path, &summary::render(invocation, summary::WHOLE))
        });
        note(self.wish(args.summary_json), out(summary_json::FILE), elsewhere, &|path| {
            replace(path, &summary_json::render(invocation)?)
        });
        note(self.wish(args.index), out(index::FILE), elsewhere, &|path| replace(path, &index::render(invocation)));
        if let Some(step) = &self.pipeline.step_summary {
            let help = "let GITHUB_STEP_SUMMARY name a file that can be written, or unset it";
            note(summarised, step.clone(), help, &|path| append(path, invocation));
        }
        (written, unwritten)
    }
}

/// Writes `content` to `path`: a reader sees all of it or nothing. An earlier file is kept under the next free number, as
/// runs are, so that two invocations may share a folder.
fn replace(path: &Path, content: &str) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let part = path.with_extension("part");
    let placed =
        write_synced(&part, content.as_bytes()).and_then(|()| keep(path)).and_then(|()| fs::rename(&part, path));
    if placed.is_err() {
        // Half a file helps nobody, and on a full disk it takes room from the others.
        let _ = fs::remove_file(&part);
    }
    placed
}

/// Gives an earlier file at `path` the next free number.
fn keep(path: &Path) -> io::Result<()> {
    if !path.exists() {
        return Ok(());
    }
    let end = path.extension().map(|end| end.to_string_lossy().into_owned()).unwrap_or_default();
    let kept = (1u32..).map(|n| path.with_extension(format!("{n}.{end}"))).find(|kept| !kept.exists());
    kept.map_or(Ok(()), |kept| fs::rename(path, kept))
}

/// Appends the summary to a file to which other steps, and other invocations, have written.
fn append(path: &Path, invocation: &Invocation) -> io::Result<()> {
    let mut file = OpenOptions::new().append(true).create(true).open(path)?;
    let taken = usize::try_from(file.metadata()?.len()).unwrap_or(usize::MAX);
    let room = summary::WHOLE.saturating_sub(taken);
    if room < summary::LEAST {
        let most = text::bytes(summary::WHOLE as f64);
        return Err(io::Error::other(format!("it is full: GitHub drops a summary of more than {most}")));
    }
    // Markdown's blocks need a line between them.
    let gap = if taken > 0 { "\n\n" } else { "" };
    file.write_all(format!("{gap}{}", summary::render(invocation, room - gap.len())).as_bytes())
}

#[cfg(test)]
mod tests {
    use firedrill_reports::ci::{Drilled, Ended};

    use super::*;

    fn invocation(out: &Path) -> Invocation {
        let ended = Ended::NotRun { reason: "no redis-server".to_owned(), exit_status: 4 };
        let drills = vec![Drilled { scenario: "redis-outage".to_owned(), file: None, ended, baseline: None }];
        Invocation { firedrill_version: "0.1.0".to_owned(), out: out.to_owned(), exit_status: 4, drills }
    }

    fn on() -> Pipeline {
        Pipeline { is_on: true, ..Pipeline::default() }
    }

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).into_iter().flatten();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    #[test]
    fn ci_writes_every_output_and_a_flag_only_its_own() {
        let all = ["index.html", "junit.xml", "summary.json", "summary.md"];
        let of = |args: CiArgs, pipeline: Pipeline| {
            let folder = tempfile::tempdir().unwrap();
            let (_, unwritten) = Outputs::new(&args, pipeline).write(&invocation(folder.path()));
            assert!(unwritten.is_empty(), "{unwritten:?}");
            names(folder.path())
        };
        let ci = CiArgs { ci: true, ..CiArgs::default() };
        let no_ci = CiArgs { no_ci: true, ..CiArgs::default() };
        assert_eq!(of(CiArgs::default(), Pipeline::default()), [""; 0]);
        assert_eq!(of(CiArgs::default(), on()), all);
        assert_eq!(of(ci, Pipeline::default()), all);
        assert_eq!(of(no_ci.clone(), on()), [""; 0]);
        assert_eq!(of(CiArgs { junit: true, ..no_ci }, on()), ["junit.xml"]);
    }

    #[test]
    fn an_earlier_output_is_kept_under_a_number() {
        let folder = tempfile::tempdir().unwrap();
        let args = CiArgs { junit: true, ..CiArgs::default() };
        for _ in 0..3 {
            Outputs::new(&args, Pipeline::default()).write(&invocation(folder.path()));
        }
        assert_eq!(names(folder.path()), ["junit.1.xml", "junit.2.xml", "junit.xml"]);
    }

    #[test]
    fn the_step_summary_is_appended_to_and_never_passes_its_limit() {
        let folder = tempfile::tempdir().unwrap();
        let step = folder.path().join("step.md");
        let outputs = |asked: bool| {
            let pipeline = Pipeline { step_summary: Some(step.clone()), ..on() };
            Outputs::new(&CiArgs { summary: asked, ..CiArgs::default() }, pipeline)
        };
        fs::write(&step, "# Another step").unwrap();
        outputs(true).write(&invocation(folder.path()));
        outputs(true).write(&invocation(folder.path()));
        let text = fs::read_to_string(&step).unwrap();
        assert!(text.starts_with("# Another step\n\n## Firedrill: 1 of 1 drill did not pass"), "{text}");
        assert_eq!(text.matches("## Firedrill").count(), 2);

        fs::write(&step, "x".repeat(summary::WHOLE - 10)).unwrap();
        let (_, unwritten) = outputs(true).write(&invocation(folder.path()));
        assert!(unwritten[0].asked && unwritten[0].text.contains("step.md: it is full"), "{unwritten:?}");
        assert_eq!(fs::metadata(&step).unwrap().len(), summary::WHOLE as u64 - 10);
        assert!(!outputs(false).write(&invocation(folder.path())).1[0].asked);
    }

    #[test]
    fn an_output_that_cannot_be_written_does_not_cost_the_others() {
        let folder = tempfile::tempdir().unwrap();
        // A folder takes the place of the file that junit.xml is written to first.
        fs::create_dir(folder.path().join("junit.part")).unwrap();
        let outputs = Outputs::new(&CiArgs { ci: true, ..CiArgs::default() }, on());
        let (written, unwritten) = outputs.write(&invocation(folder.path()));
        assert_eq!((written.len(), unwritten.len()), (3, 1));
        let text = &unwritten[0].text;
        assert!(text.contains("/junit.xml: ") && text.ends_with("; choose another folder with --out"), "{text}");
        assert_eq!(names(folder.path()), ["index.html", "junit.part", "summary.json", "summary.md"]);
    }

    #[test]
    fn a_scenario_s_file_is_named_as_the_repository_knows_it() {
        let pipeline = Pipeline { repository: Some(PathBuf::from("/w/repo")), ..Pipeline::default() };
        let name = |file: &str, folder: &str| pipeline.in_repository(file, Path::new(folder));
        assert_eq!(name("drills/a.toml", "/w/repo"), "drills/a.toml");
        assert_eq!(name("./a.toml", "/w/repo/drills"), "drills/a.toml");
        assert_eq!(name("/w/repo/drills/a.toml", "/elsewhere"), "drills/a.toml");
        assert_eq!(name("/tmp/a.toml", "/w/repo"), "/tmp/a.toml");
        assert_eq!(Pipeline::default().in_repository("a.toml", Path::new("/w")), "a.toml");
    }
}
