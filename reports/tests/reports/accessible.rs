//! The pages hold to the rules of accessible pages: axe-core judges them in Chromium, in light and in dark.

use std::path::{Path, PathBuf};
use std::process::Command;

use firedrill_reports::ci::{Drilled, Ended, Invocation, index};
use firedrill_reports::compare::{MARGIN, compare};
use firedrill_reports::evidence::{Evidence, Plan, Witness};
use firedrill_reports::html::{Shown, render_comparison, render_evidence, render_library, render_live};
use firedrill_reports::library::{Entry, Library, Unreadable};
use firedrill_reports::{Capacity, Run, render_capacity, render_html};
use serde::Deserialize;
use serde_json::json;

use crate::common;
use crate::compare::recorded;

const DARK: &str = "@media (prefers-color-scheme: dark)";

/// What axe-core says of a page.
#[derive(Debug, Deserialize)]
struct Judged {
    name: String,
    /// The rules that the page met.
    passed: Vec<String>,
    /// The rules that it broke.
    violated: Vec<String>,
    /// Where it broke them.
    offences: Vec<String>,
}

/// The rules of `scripts/validators.txt`.
fn rules() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let installed = Command::new(root.join("scripts/validators.sh")).status().unwrap();
    assert!(installed.success(), "scripts/validators.sh");
    root.join("target/validators/axe_playwright_python/axe.min.js")
}

/// Shows the pages to Chromium, 1300 pixels wide, one after another.
fn judge(pages: &[(String, String)]) -> Vec<Judged> {
    let folder = tempfile::tempdir().unwrap();
    std::fs::copy(rules(), folder.path().join("axe.js")).unwrap();
    // A `<` within a script could end it.
    let pages = serde_json::to_string(pages).unwrap().replace('<', "\\u003c");
    let script = include_str!("accessible.js");
    let driver = format!(
        "<!doctype html><meta charset=\"utf-8\"><script src=\"axe.js\"></script><script>const pages = {pages};\n{script}</script>"
    );
    let file = folder.path().join("driver.html");
    std::fs::write(&file, driver).unwrap();
    let mut chromium = Command::new("chromium");
    chromium.args([
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--window-size=1300,1000",
    ]);
    chromium.arg(format!("--user-data-dir={}", folder.path().join("profile").display()));
    chromium.args(["--virtual-time-budget=100000", "--dump-dom"]).arg(format!("file://{}", file.display()));
    let shown = chromium.output().unwrap_or_else(|error| panic!("scripts/need.sh chromium: {error}"));
    let page = String::from_utf8_lossy(&shown.stdout);
    let found = page.split_once("<pre id=\"found\">").and_then(|(_, rest)| rest.split_once("</pre>"));
    let (found, _) = found.unwrap_or_else(|| panic!("{}\n{page}", String::from_utf8_lossy(&shown.stderr)));
    serde_json::from_str(found).unwrap_or_else(|error| panic!("{error}: {found}"))
}

fn invocation(runs: impl IntoIterator<Item = Run>) -> Invocation {
    let mut drills: Vec<Drilled> = runs
        .into_iter()
        .map(|run| Drilled {
            scenario: run.scenario.name.clone(),
            file: None,
            ended: Ended::Judged { folder: run.scenario.name.clone().into(), run: Box::new(run) },
            baseline: None,
        })
        .collect();
    let ended = Ended::NotRun { reason: "no redis-server on the PATH".to_owned(), exit_status: 4 };
    drills.push(Drilled { scenario: "not-run".to_owned(), file: None, ended, baseline: None });
    Invocation { firedrill_version: "0.1.0".to_owned(), out: "runs".into(), exit_status: 1, drills }
}

/// A search that found a knee.
fn capacity() -> Capacity {
    let step = |rate: f64, verdict: &str, of_target: bool| {
        json!({
            "of_target": of_target, "phase": if of_target { "climb" } else { "ceiling" }, "rate": rate, "seconds": 4,
            "verdict": verdict, "why": "", "throughput": rate, "in_flight": 18.2, "p50_ms": 0.4, "p99_ms": rate / 4e3, "errors": 0.0,
            "shares": [{ "share": 0.004, "low": 0.003, "high": 0.006 }], "little": 0.01, "redis_cores": 0.9, "process_cores": 0.8,
            "idle_cores": 0.3, "stolen": 0.0,
        })
    };
    let capacity = json!({
        "format_version": 1, "firedrill_version": "0.1.0", "started": "2026-11-29T22:00:00Z", "scenario": "redis-outage",
        "target": "store", "seed": 7, "objectives": [{ "text": "read.p99 <= 5ms", "allowed": 0.01 }],
        "knee": { "kind": "at", "rate": 20_500.0, "low": 20_000.0, "high": 21_000.0 }, "cut_short": false, "interrupted": false,
        "wanted_width": 0.05, "ceiling": 90_000.0, "limit": { "name": "redis-main-thread", "evidence": "0.97 of a core" },
        "in_flight": 18.2, "redis_cpu_us": 46.0, "replay": "firedrill capacity redis-outage --slo 'read.p99 <= 5ms' --seed 7",
        "steps": [step(9e4, "passed", false), step(1e4, "passed", true), step(2.2e4, "failed", true)],
        "environment": [{ "key": "redis", "value": "7.0.15" }],
    });
    serde_json::from_value(capacity).unwrap()
}

/// Evidence with a step that is met, one that is not, and one without runs.
fn evidence() -> String {
    let step = |scenario: &str, accept: &str| {
        format!("[[step]]\nname = \"{scenario}\"\nscenario = \"{scenario}\"\nruns = 1\naccept = {{ {accept} }}\n")
    };
    let met = step(
        &common::passed().scenario.name,
        "lost = \"100 %\", not-found = \"100 %\", refused = \"100 %\", delayed = \"100 %\"",
    );
    let plan = [met, step(&common::failed().scenario.name, ""), step("nobody-ran-it", "")].concat();
    let plan = Plan::parse(&format!("title = \"Move to Redis\"\nabout = \"Nobody is logged out.\"\n{plan}")).unwrap();
    let witness = |run: Run| Witness { place: run.scenario.name.clone(), digest: "d".repeat(64), run };
    let runs = [common::passed(), common::failed()].map(witness);
    let named = ("plan.toml".to_owned(), "e".repeat(64));
    let evidence = Evidence::judge(&plan, named, &runs, "2026-11-30T14:00:00Z".to_owned());
    render_evidence(&evidence, &"f".repeat(64))
}

/// Saved runs with every verdict, and a folder that cannot be read.
fn library() -> String {
    let entry = |run: Run| Entry {
        path: Path::new("/runs").join(&run.scenario.name),
        scenario: run.scenario.name,
        verdict: run.verdict,
        seed: run.seed,
        started_at: run.started_at,
        load_seconds: run.load_seconds,
        reasons: run.reasons,
        firedrill_version: run.firedrill_version,
    };
    let runs = [common::passed(), common::failed(), common::interrupted()].map(entry).to_vec();
    let unreadable = vec![Unreadable { path: "/runs/half".into(), reason: "it has no run.json".to_owned() }];
    let library = Library { runs, unreadable, others: 2 };
    render_library(&Shown { library: &library, root: Path::new("/runs"), scenario: "", verdict: "" })
}

#[test]
fn no_page_breaks_a_rule_of_axe_core_in_light_or_dark() {
    let compared = compare(&[recorded(common::passed())], &[recorded(common::failed())], MARGIN);
    let light = [
        ("passed", render_html(&common::passed())),
        ("failed", render_html(&common::failed())),
        ("interrupted", render_html(&common::interrupted())),
        ("many faults", render_html(&common::many_faults())),
        ("compared", render_comparison(&[compared])),
        ("capacity", render_capacity(&capacity())),
        ("evidence", evidence()),
        ("library", library()),
        ("live", render_live()),
        ("index", index::render(&invocation([common::passed(), common::failed(), common::interrupted()]))),
    ];
    let mut pages = vec![("spoilt".to_owned(), "<p style=\"color: #aaa\">Grey<img src=\"data:,\">".to_owned())];
    for (name, page) in light {
        assert!(page.contains(DARK), "{name}");
        pages.push((format!("{name}, dark"), page.replace(DARK, "@media all")));
        pages.push((name.to_owned(), page));
    }
    let judged = judge(&pages);
    assert_eq!(judged.len(), pages.len());
    // The judge can say no.
    for rule in ["color-contrast", "image-alt", "html-has-lang"] {
        assert!(judged[0].violated.iter().any(|violated| violated == rule), "{rule}: {judged:?}");
    }
    for page in &judged[1..] {
        assert!(page.passed.len() > 20 && page.passed.iter().any(|rule| rule == "color-contrast"), "{page:?}");
    }
    let offences: Vec<String> = judged[1..]
        .iter()
        .filter(|page| !page.offences.is_empty())
        .map(|page| format!("{}:\n  {}", page.name, page.offences.join("\n  ")))
        .collect();
    assert!(offences.is_empty(), "{}", offences.join("\n"));
}
