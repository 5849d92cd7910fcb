//! Section 6 of the reading order: where the run comes from and how to run it again.

use super::markup::Html;
use super::section as titled;
use crate::run::Run;
use crate::text;

pub(super) fn section(run: &Run, html: &mut Html) {
    titled("origin", "Run it again", html, |html| {
        html.el("pre", &[("class", "replay")], |line| line.leaf("code", &[], &run.replay));
        html.el("div", &[("class", "columns")], |columns| {
            columns.el("div", &[], |left| {
                left.leaf("h3", &[], "Environment");
                environment(run, left);
                files(run, left);
            });
            columns.el("div", &[], |right| {
                right.leaf("h3", &[], "Configuration, defaults and overrides included");
                right.el("pre", &[("class", "config")], |config| config.leaf("code", &[], &run.config));
            });
        });
    });
}

fn environment(run: &Run, html: &mut Html) {
    let seed = run.seed.to_string();
    let load = text::millis(run.load_seconds * 1000.0);
    let exit = run.exit_status.to_string();
    let own = [
        ("seed", seed.as_str()),
        ("firedrill", &run.firedrill_version),
        ("started", &run.started_at),
        ("load", &load),
        ("exit status", &exit),
    ];
    let facts = run.environment.iter().map(|fact| (fact.key.as_str(), fact.value.as_str()));
    let tags = run.scenario.tags.join(", ");
    html.el("table", &[("class", "facts")], |table| {
        for (key, value) in own.into_iter().chain(facts).chain([("tags", tags.as_str())]) {
            table.el("tr", &[], |row| {
                row.leaf("th", &[("scope", "row")], key);
                row.leaf("td", &[], value);
            });
        }
    });
}

fn files(run: &Run, html: &mut Html) {
    html.leaf("h3", &[], "Files of this run");
    html.el("table", &[("class", "facts")], |table| {
        let own = [("run.json", "this record, for machines")];
        let saved = run.files.iter().map(|file| (file.name.as_str(), file.about.as_str()));
        for (name, about) in own.into_iter().chain(saved) {
            table.el("tr", &[], |row| {
                row.el("th", &[("scope", "row")], |cell| cell.leaf("code", &[], name));
                row.leaf("td", &[], about);
            });
        }
    });
}
