//! Section 7: where the run comes from, and how to repeat it.

use maud::{Markup, html};

use super::parts::{fold, link, section as titled};
use crate::run::{RUN_FILE, Run};
use crate::text;

pub(super) fn section(run: &Run) -> Markup {
    let configuration = html! { "Configuration, defaults and overrides included" };
    let content = html! {
        pre.replay { code { (run.replay) } }
        div.columns {
            div {
                h3 { "Environment" }
                (environment(run))
            }
            div {
                h3 { "Files of this run" }
                (files(run))
                (fold(&configuration, false, false, &html! { pre.config { code { (run.config) } } }))
            }
        }
    };
    titled("origin", "Run it again", &content)
}

fn environment(run: &Run) -> Markup {
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
    html! {
        table.facts {
            @for (key, value) in own.into_iter().chain(facts).chain([("tags", tags.as_str())]) {
                tr { th scope="row" { (key) } td { (value) } }
            }
        }
    }
}

fn files(run: &Run) -> Markup {
    let own = [(RUN_FILE, "this record as JSON")];
    let saved = run.files.iter().map(|file| (file.name.as_str(), file.about.as_str()));
    html! {
        table.facts {
            @for (name, about) in own.into_iter().chain(saved) {
                tr { th scope="row" { a href=(link(name)) { (name) } } td { (about) } }
            }
        }
    }
}
