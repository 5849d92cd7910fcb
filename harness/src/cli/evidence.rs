//! `firedrill evidence`: judges a plan by the runs that rehearse its steps, and writes the page that a reviewer signs.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use firedrill_reports::Run;
use firedrill_reports::evidence::{Answer, Evidence, Plan, Witness};
use firedrill_reports::html::render_evidence;
use firedrill_reports::library::Library;
use firedrill_reports::run::{RUN_FILE, write_whole};
use firedrill_reports::text::rfc3339;
use ring::digest::{SHA256, digest};

use super::args::EvidenceArgs;
use super::exit::{Failure, Status};
use super::out;
use crate::scenario::shipped_named;

/// The file of the page.
const PAGE: &str = "evidence.html";

/// Judges the plan, prints the answer of each step, and writes the page.
pub fn run(args: &EvidenceArgs) -> Result<Status, Failure> {
    let file = args.plan.display().to_string();
    let text = std::fs::read_to_string(&args.plan)
        .map_err(|error| Failure::File(format!("cannot read the plan {file}: {error}")))?;
    let plan = Plan::parse(&text).map_err(|error| Failure::Usage(format!("the plan {file}: {error}")))?;
    let mut witnesses = Vec::new();
    for dir in &args.dirs {
        witnesses.extend(of_folder(dir, &plan)?);
    }
    let named = (file, sha256(text.as_bytes()));
    let evidence = Evidence::judge(&plan, named, &witnesses, rfc3339(SystemTime::now()));
    let page = args.html.clone().unwrap_or_else(|| args.dirs.first().map_or_else(PathBuf::new, |dir| dir.join(PAGE)));
    let signed = sha256(evidence.statement().as_bytes());
    write_whole(&page, render_evidence(&evidence, &signed).as_bytes()).map_err(|error| {
        Failure::Environment(format!("cannot write {}: {error}; choose another file with --html", page.display()))
    })?;
    if args.json {
        let json = serde_json::to_string_pretty(&evidence)
            .map_err(|error| Failure::Environment(format!("cannot write the evidence as JSON: {error}")))?;
        out::line(json);
    } else {
        print(&evidence, &signed, &page);
    }
    Ok(match evidence.answer() {
        Answer::Met => Status::Passed,
        Answer::NotMet => Status::Failed,
        Answer::NoEvidence => Status::Inconclusive,
    })
}

fn print(evidence: &Evidence, signed: &str, page: &Path) {
    for step in &evidence.steps {
        out::line(format_args!("{:12} {}", step.answer.name(), step.step.name));
        for reason in &step.reasons {
            out::line(format_args!("             {reason}"));
        }
        for (place, why) in &step.left_out {
            out::line(format_args!("             left out: {place}: {why}"));
        }
        if step.runs.is_empty() && step.left_out.is_empty() {
            out::line(format_args!("             {}", hint(&step.step.scenario)));
        }
    }
    out::line(format_args!("digest       {signed}"));
    out::line(format_args!("page         {}", page.display()));
}

/// How a step gets its first run.
fn hint(scenario: &str) -> String {
    match shipped_named(scenario) {
        Ok(_) => format!("run it: firedrill run {scenario}"),
        Err(_) => {
            format!("no run of {scenario} is there, and no shipped scenario has this name: run your file with it")
        }
    }
}

/// The runs below `dir` of scenarios that the plan names.
fn of_folder(dir: &Path, plan: &Plan) -> Result<Vec<Witness>, Failure> {
    let library = Library::of(dir).map_err(|error| {
        Failure::File(format!("cannot list {}: {error}; name the folder with the plan's runs", dir.display()))
    })?;
    for folder in &library.unreadable {
        out::tell_line(format_args!("not readable: {}: {}", folder.path.display(), folder.reason));
    }
    let is_asked = |scenario: &str| plan.steps.iter().any(|step| step.scenario == scenario);
    let asked = library.runs.iter().filter(|entry| is_asked(&entry.scenario));
    asked.map(|entry| witness(&entry.path)).collect()
}

fn witness(folder: &Path) -> Result<Witness, Failure> {
    let record = folder.join(RUN_FILE);
    let bytes =
        std::fs::read(&record).map_err(|error| Failure::File(format!("cannot read {}: {error}", record.display())))?;
    let run = Run::load(&record).map_err(|error| Failure::File(error.to_string()))?;
    Ok(Witness { place: folder.display().to_string(), digest: sha256(&bytes), run })
}

/// The SHA-256 of `bytes` in hexadecimal digits.
fn sha256(bytes: &[u8]) -> String {
    digest(&SHA256, bytes).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_those_of_sha256sum() {
        assert_eq!(sha256(b"abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }
}
