//! The templates for pipelines: GitHub's action, GitLab's job, the Jenkinsfile. Schemas that are not ours judge the YAML, and bash
//! runs the steps.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use firedrill_reports::ci::summary_json::Summary;
use regex::Regex;
use serde_json::Value;

use super::release::LINKED;
use super::{printed, short_scenario};
use crate::support::docker::{root, text};
use crate::support::{room_for_one, validated, without_settings};

const ACTIONS: &str = "check_jsonschema/builtin_schemas/vendor/github-actions.json";
const WORKFLOWS: &str = "check_jsonschema/builtin_schemas/vendor/github-workflows.json";
const GITLAB: &str = "check_jsonschema/builtin_schemas/vendor/gitlab-ci.json";

/// Redis never fits into a byte.
const FAILS: &str = "[gates]\n\"redis.memory\" = \"<= 1B\"\n";
/// Nothing disturbs the drill, so no append has an unknown outcome.
const PROVES_NOTHING: &str = "[situations]\n\"unknown.append\" = \">= 1\"\n";

/// A repository with drills, for a pipeline.
fn repository() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, more) in [("holds", ""), ("fails", FAILS), ("proves-nothing", PROVES_NOTHING)] {
        short_scenario(folder.path(), name, more);
    }
    folder
}

fn string(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} is no string")).to_owned()
}

/// The words of a YAML list.
fn lines(list: &Value) -> Vec<String> {
    list.as_array().unwrap().iter().map(string).collect()
}

/// Runs a step of a pipeline in a repository, as `bash -eo pipefail` does.
fn step(repository: &Path, script: &str, variables: &BTreeMap<String, String>) -> Output {
    let mut bash = without_settings(Command::new("bash"));
    bash.args(["--noprofile", "--norc", "-eo", "pipefail", "-c", script]);
    bash.current_dir(repository).envs(variables).output().unwrap()
}

/// Runs the steps of the action with these inputs. Returns how the drill's step ended, and the action's outputs.
fn act(repository: &Path, given: &[(&str, &str)]) -> (Output, BTreeMap<String, String>) {
    let action = validated(ACTIONS, &root().join("action.yml")).unwrap();
    let input = |name: &str| {
        let input = action["inputs"].get(name).unwrap_or_else(|| panic!("no input {name}"));
        let given = given.iter().find(|(one, _)| *one == name).map(|(_, value)| (*value).to_owned());
        given.unwrap_or_else(|| string(&input["default"]))
    };
    let expression = Regex::new(r"\$\{\{ *inputs\.([a-z-]+) *\}\}").unwrap();
    let told = repository.join("outputs");
    fs::write(&told, "").unwrap();
    let folder = Path::new(env!("CARGO_BIN_EXE_firedrill")).parent().unwrap();
    let path = format!("{}:{}", folder.display(), std::env::var("PATH").unwrap());
    let mut ended = None;
    for one in action["runs"]["steps"].as_array().unwrap().iter().filter(|one| one["run"].is_string()) {
        let script = string(&one["run"]);
        assert!(!script.contains("${{"), "an input within a script is run as one: {script}");
        assert_eq!(one["shell"], "bash");
        let mut variables: BTreeMap<String, String> = [
            ("PATH", path.clone()),
            ("CI", "true".to_owned()),
            ("GITHUB_OUTPUT", told.display().to_string()),
            ("GITHUB_ACTION_PATH", root().display().to_string()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into();
        for (name, value) in one["env"].as_object().into_iter().flatten() {
            let value = expression.replace_all(value.as_str().unwrap(), |found: &regex::Captures<'_>| input(&found[1]));
            assert!(!value.contains("${{"), "{name}: {value}");
            variables.insert(name.clone(), value.into_owned());
        }
        ended = Some(step(repository, &script, &variables));
    }
    let told: BTreeMap<String, String> = fs::read_to_string(&told)
        .unwrap()
        .lines()
        .map(|line| line.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned())).unwrap())
        .collect();
    let outputs = action["outputs"].as_object().unwrap().iter().map(|(name, output)| {
        let from = string(&output["value"]);
        let from = from.strip_prefix("${{ steps.drill.outputs.").and_then(|rest| rest.strip_suffix(" }}")).unwrap();
        (name.clone(), told[from].clone())
    });
    (ended.unwrap(), outputs.collect())
}

#[test]
fn the_action_fails_with_the_drill_and_says_so_in_its_outputs() {
    let repository = repository();
    let _room = room_for_one();
    let (ended, outputs) = act(repository.path(), &[("scenarios", "fails.toml --seed 7")]);
    assert_eq!(ended.status.code(), Some(1), "{}", text(&ended));
    assert_eq!((outputs["verdict"].as_str(), outputs["exit-status"].as_str()), ("failed", "1"));
    assert_eq!(outputs["report"], "firedrill-runs/index.html");
    assert!(fs::read_to_string(repository.path().join(&outputs["report"])).unwrap().contains("fails/report.html"));
    let lines = fs::read_to_string(root().join("action.yml")).unwrap().lines().count();
    assert!(lines <= 40, "{lines}");
}

#[test]
fn the_action_fails_where_nothing_was_proved_unless_it_shall_only_warn() {
    let repository = repository();
    let _room = room_for_one();
    let (ended, outputs) = act(repository.path(), &[("scenarios", "proves-nothing.toml")]);
    assert_eq!((ended.status.code(), outputs["verdict"].as_str()), (Some(3), "inconclusive"), "{}", text(&ended));
    let warns = [("scenarios", "proves-nothing.toml"), ("fail-on-inconclusive", "false")];
    let (ended, outputs) = act(repository.path(), &warns);
    assert_eq!((ended.status.code(), outputs["verdict"].as_str()), (Some(0), "inconclusive"), "{}", text(&ended));
    assert!(text(&ended).lines().any(|line| line.starts_with("::warning::")), "{}", text(&ended));
    // What is wrong with the command line is never made a warning.
    let (ended, outputs) = act(repository.path(), &[("scenarios", "nowhere.toml"), ("fail-on-inconclusive", "false")]);
    assert_eq!((ended.status.code(), outputs["verdict"].as_str()), (Some(2), "usage"), "{}", text(&ended));
}

/// An archive as `scripts/dist.sh` makes it, with the command alone, at a URL; and its checksum.
fn archive(folder: &Path) -> [(&'static str, String); 2] {
    let file = folder.join("firedrill.tar");
    let name = "s,^,firedrill-0.1.0-x86_64-linux/,";
    let mut tar = Command::new("tar");
    tar.args(["--transform", name, "-C"]).arg(LINKED.1.parent().unwrap()).arg("-cf").arg(&file).arg("firedrill");
    printed(&mut tar);
    let sum = printed(Command::new("sha256sum").arg(&file));
    let sum = sum.split(' ').next().unwrap().to_owned();
    [("FIREDRILL_ARCHIVE", format!("file://{}", file.display())), ("FIREDRILL_SHA256", sum)]
}

/// Sets variables that a template has.
fn set(variables: &mut BTreeMap<String, String>, values: impl IntoIterator<Item = (&'static str, String)>) {
    for (name, value) in values {
        assert!(variables.contains_key(name), "the template has no {name}");
        variables.insert(name.to_owned(), value);
    }
}

/// The only file that a pattern with at most one `*` in its name fits.
fn found(repository: &Path, pattern: &str) -> PathBuf {
    let path = repository.join(pattern);
    let name = path.file_name().unwrap().to_str().unwrap();
    let (start, end) = name.split_once('*').unwrap_or((name, ""));
    let files = fs::read_dir(path.parent().unwrap()).unwrap().map(|entry| entry.unwrap());
    let fits = |name: &str| name.starts_with(start) && name.ends_with(end);
    let mut fitting = files.filter(|file| fits(file.file_name().to_str().unwrap())).map(|file| file.path());
    fitting.next().unwrap_or_else(|| panic!("no {pattern}"))
}

#[test]
fn gitlab_s_job_installs_the_pinned_archive_and_keeps_its_reports() {
    let job = &validated(GITLAB, &root().join("ci/gitlab-ci.yml")).unwrap()["firedrill"];
    let mut variables: BTreeMap<String, String> =
        job["variables"].as_object().unwrap().iter().map(|(name, value)| (name.clone(), string(value))).collect();
    let repository = repository();
    set(&mut variables, archive(repository.path()));
    set(&mut variables, [("FIREDRILL_SCENARIOS", "holds.toml --seed 7".to_owned())]);
    variables.insert("CI".to_owned(), "true".to_owned());
    let script = [lines(&job["before_script"]), lines(&job["script"])].concat().join("\n");
    let _room = room_for_one();
    let ended = step(repository.path(), &script, &variables);
    assert_eq!(ended.status.code(), Some(0), "{}", text(&ended));
    assert_eq!(job["artifacts"]["when"], "always");
    for kept in lines(&job["artifacts"]["paths"]) {
        let summary = fs::read_to_string(repository.path().join(kept).join("summary.json")).unwrap();
        let summary: Summary = serde_json::from_str(&summary).unwrap();
        assert_eq!(summary.scenarios[0].name, "holds");
    }
    let junit = found(repository.path(), job["artifacts"]["reports"]["junit"].as_str().unwrap());
    assert!(fs::read_to_string(junit).unwrap().contains("firedrill.holds"));

    set(&mut variables, [("FIREDRILL_SHA256", "0".repeat(64))]);
    let ended = step(repository.path(), &script, &variables);
    assert!(!ended.status.success() && text(&ended).contains("FAILED"), "{}", text(&ended));
    assert!(!text(&ended).contains("holds"), "an archive that is not the pinned one must not run: {}", text(&ended));
}

#[test]
fn jenkins_installs_the_pinned_archive_and_fails_with_the_drill() {
    let file = fs::read_to_string(root().join("ci/Jenkinsfile")).unwrap();
    let variable = Regex::new(r"(?m)^ +([A-Z_0-9]+) = '([^']*)'").unwrap();
    let mut variables: BTreeMap<String, String> =
        variable.captures_iter(&file).map(|found| (found[1].to_owned(), found[2].to_owned())).collect();
    let repository = repository();
    set(&mut variables, archive(repository.path()));
    set(&mut variables, [("FIREDRILL_SCENARIOS", "fails.toml".to_owned())]);
    variables.insert("BUILD_NUMBER".to_owned(), "7".to_owned());
    let steps: Vec<&str> = file.split("sh '''").skip(1).map(|rest| rest.split("'''").next().unwrap()).collect();
    assert_eq!(steps.len(), 2, "{file}");
    let _room = room_for_one();
    for (script, status) in steps.into_iter().zip([0, 1]) {
        assert!(script.starts_with("#!/bin/bash -e\n"), "{script}");
        let ended = step(repository.path(), script, &variables);
        assert_eq!(ended.status.code(), Some(status), "{}", text(&ended));
    }
    let junit = Regex::new(r#"junit "([^"]+)""#).unwrap().captures(&file).unwrap()[1].replace("${BUILD_NUMBER}", "7");
    assert!(fs::read_to_string(found(repository.path(), &junit)).unwrap().contains("firedrill.fails"));
}

/// The fenced blocks of a page, with their languages.
fn blocks(page: &str) -> Vec<(&str, String)> {
    let mut blocks = Vec::new();
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        if let Some(language) = line.strip_prefix("```") {
            let block: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
            blocks.push((language, block.join("\n") + "\n"));
        }
    }
    blocks
}

#[test]
fn the_guide_shows_the_templates_as_they_are() {
    let page = fs::read_to_string(root().join("docs/gate-a-pipeline.md")).unwrap();
    let blocks = blocks(&page);
    for (language, file) in [("yaml", "ci/gitlab-ci.yml"), ("groovy", "ci/Jenkinsfile")] {
        let template = fs::read_to_string(root().join(file)).unwrap();
        let shown = blocks.iter().any(|block| *block == (language, template.clone()));
        assert!(shown, "docs/gate-a-pipeline.md must show {file} as it is:\n{template}");
    }
    let workflow = blocks.iter().find(|(language, text)| *language == "yaml" && text.contains("runs-on")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("workflow.yml");
    fs::write(&file, &workflow.1).unwrap();
    let workflow = validated(WORKFLOWS, &file).unwrap();
    let action = validated(ACTIONS, &root().join("action.yml")).unwrap();
    let steps = workflow["jobs"]["drills"]["steps"].as_array().unwrap();
    let ours = steps.iter().find(|one| one["uses"].as_str().is_some_and(|name| name.contains("/firedrill@"))).unwrap();
    for name in ours["with"].as_object().unwrap().keys() {
        assert!(action["inputs"].get(name).is_some(), "the action has no input {name}");
    }
    // The judge can say no.
    fs::write(&file, "on: push\njobs: { drills: { steps: [] } }\n").unwrap();
    validated(WORKFLOWS, &file).unwrap_err();
}
