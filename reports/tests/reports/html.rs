//! The report as one page: complete, offline, escaped, in reading order.

use firedrill_reports::run::{Bucket, Fault, Figures, Phase, PhaseName, Scenario, Timeline, Verdict};
use firedrill_reports::terminal::{self, Style};
use firedrill_reports::{Run, render_html};

use crate::common;

/// Every value of the attribute `name` in `page`.
fn values<'a>(page: &'a str, name: &str) -> Vec<&'a str> {
    page.split(&format!(" {name}=\"")).skip(1).map(|rest| rest.split_once('"').unwrap().0).collect()
}

#[test]
fn nothing_is_loaded_from_anywhere() {
    let page = render_html(&common::failed());
    for forbidden in ["http:", "https:", "src=", "@import", "url(", "fetch(", "import("] {
        assert!(!page.contains(forbidden), "the page contains {forbidden}");
    }
    for link in values(&page, "href") {
        let within = link == "data:," || link.starts_with('#') || link.starts_with("./");
        assert!(within && !link.contains(".."), "{link}");
    }
    assert!(page.contains("content=\"default-src 'none'; style-src 'unsafe-inline'"));
}

#[test]
fn the_sections_stand_in_reading_order() {
    let page = render_html(&common::passed());
    let ids = ["verdict", "timeline", "lost", "promises", "tail", "generator", "origin"];
    let places: Vec<usize> = ids.iter().map(|id| page.find(&format!("<section id=\"{id}\">")).expect(id)).collect();
    assert!(places.is_sorted(), "{places:?}");
    assert!(places[3] < page.find(">Gates<").unwrap() && page.find(">Checks<").unwrap() < places[4]);
}

#[test]
fn every_gate_is_named_with_limit_and_actual() {
    let page = render_html(&common::failed());
    for (class, word, gate, limit, actual) in [
        ("bad", "fail", "during.errors", "&lt;= 0.1%", "0.593 %"),
        ("doubtful", "unknown", "after.read.p95", "&lt;= 50ms", "not measured"),
        ("good", "pass", "recovery", "&lt;= 3s", "863 ms"),
        ("good", "pass", "fallback.activations", "= 1", "1"),
    ] {
        let row = format!(
            "<td><span class=\"chip {class}\">{word}</span></td><td><code>{gate}</code></td>\
             <td><code>{limit}</code></td><td class=\"strong\">{actual}</td>"
        );
        assert!(page.contains(&row), "{row}");
    }
}

#[test]
fn situations_are_named_and_the_table_of_what_was_reached_is_folded() {
    let page = render_html(&common::passed());
    assert!(page.contains("4 appends of unknown outcome") && page.contains("&gt;= 1"), "{page}");
    let (_, folded) = page.split_once("<summary>What was reached").unwrap();
    let (folded, _) = folded.split_once("</details>").unwrap();
    assert!(folded.contains("never destroy while the fallback was active"), "{folded}");
    assert!(folded.contains(">never</td>") && !folded.contains(">0</td>"), "{folded}");
}

#[test]
fn offences_are_named_and_those_left_out_are_counted() {
    let page = render_html(&common::failed());
    assert!(page.contains("<td class=\"time\">6.13 s</td><td>17</td><td>6120, 19990</td>"));
    assert!(page.contains("The first 5 of 1507 offences, one by one"));
}

#[test]
fn what_was_lost_has_a_line_per_cause_with_its_operations_and_the_offences_are_folded() {
    let page = render_html(&common::failed());
    let (_, lost) = page.split_once("<section id=\"lost\">").unwrap();
    let (lost, _) = lost.split_once("</section>").unwrap();
    let line = "<strong>1507 writes</strong> of 312 sessions: \
                <strong>made by the fallback, dropped at 11.05 s under policy degrade</strong>. \
                <span class=\"quiet\">1130 append, 377 create, acknowledged 6.13 – 11.00 s.</span> \
                The first: <code class=\"flags\">--operations 6120,6127,";
    assert!(lost.contains(line), "{lost}");
    let (shown, _) = lost.split_once("<details").unwrap();
    assert!(!shown.contains("6120, 19990"), "{shown}");
    assert!(lost.contains("<td class=\"figure alarm\">312</td><td class=\"figure\">62.4 %</td>"), "{lost}");
    // An older record names no cause: its offences are grouped by what they say.
    let mut older = common::failed();
    older.impact = None;
    older.checks[0].causes.clear();
    let page = render_html(&older);
    assert!(page.contains(", and 4 like it, and 1502 that are not described. "), "{page}");
}

#[test]
fn every_section_is_in_the_contents_and_every_file_of_the_run_is_a_link() {
    let page = render_html(&common::failed());
    for id in values(&page, "href").iter().filter_map(|link| link.strip_prefix('#')) {
        assert!(page.contains(&format!("<section id=\"{id}\">")), "{id}");
    }
    for file in ["run.json", "history.fdh", "latency.hlog"] {
        assert!(page.contains(&format!("<a href=\"./{file}\">{file}</a>")), "{file}");
    }
}

#[test]
fn every_chart_is_said_in_words_and_as_a_table() {
    let page = render_html(&common::passed());
    let labels = values(&page, "aria-label");
    let timeline = labels.iter().find(|label| label.starts_with("Throughput, ")).unwrap();
    assert!(timeline.contains("during 6.01 – 11.03 s: ") && timeline.contains(" errors, p99 "), "{timeline}");
    let curves = labels.iter().find(|label| label.contains("all operations")).unwrap();
    assert!(curves.contains("before: median ") && curves.contains("after: median "), "{curves}");
    let (_, table) = page.split_once("<summary>The same as tables").unwrap();
    let (table, _) = table.split_once("</details>").unwrap();
    assert!(table.contains("<td>fault</td><td class=\"time\">6.01 – 11.03 s</td><td>proxy.down</td>"), "{table}");
    assert!(table.contains("<td>connection</td><td class=\"time\">6.00 – 11.00 s</td><td>none</td>"), "{table}");
}

#[test]
fn each_operation_has_what_went_wrong_and_its_tail_in_each_phase() {
    let page = render_html(&common::failed());
    let (_, table) = page.split_once("By operation</h3>").unwrap();
    let (table, _) = table.split_once("</table>").unwrap();
    for op in ["create", "read", "append"] {
        assert!(table.contains(&format!("<td><code>{op}</code></td>")), "{op}");
    }
    assert_eq!(table.matches("not well").count(), 4, "{table}");
    assert!(page.contains("scope=\"rowgroup\">By fault</th>"), "{page}");
}

#[test]
fn what_users_write_is_shown_and_never_run() {
    let hostile = "<script>alert(1)</script>\"'&";
    let mut run = common::failed();
    run.scenario = Scenario { name: hostile.into(), about: hostile.into(), tags: vec![hostile.into()] };
    run.reasons = vec![hostile.into()];
    run.config = hostile.into();
    run.replay = hostile.into();
    run.fact(hostile, hostile);
    run.file(hostile, hostile);
    run.gates[0].name = hostile.into();
    run.checks[0].samples[0].text = hostile.into();
    run.faults[0].kind = hostile.into();
    run.errors[0].cause = hostile.into();
    run.percentile_curves[0].op = Some(hostile.into());
    run.fallback.activations[0].cause = hostile.into();
    let page = render_html(&run);
    assert!(!page.contains("<script>alert"));
    assert_eq!(page.matches("<script>").count(), 1);
    assert!(page.contains("<h1>&lt;script&gt;alert(1)&lt;/script&gt;&quot;'&amp;</h1>"));
}

#[test]
fn attribute_values_are_escaped() {
    let mut run = common::many_faults();
    run.faults[0].kind = "\"onmouseover=\"alert(1)".into();
    let page = render_html(&run);
    assert!(!page.contains("\"onmouseover"));
    assert!(page.contains("title=\"&quot;onmouseover=&quot;alert(1)"));
}

#[test]
fn control_characters_are_left_out() {
    let mut run = common::failed();
    run.reasons = vec!["a\0b\u{1b}[31mc\u{9b}d\te".into()];
    assert!(render_html(&run).contains("<li>ab[31mcd\te</li>"));
}

#[test]
fn the_fault_is_a_band_and_the_recovery_a_line_on_every_panel() {
    let page = render_html(&common::passed());
    let bands = page.matches("<span class=\"mark fault\" style=\"left:30.06%;width:25.09%\"").count();
    let lines = page.matches("<span class=\"mark recovered\" style=\"left:59.47%;width:0.00%\"").count();
    assert_eq!((bands, lines), (7, 7), "lanes, throughput, response time, errors, under way, memory, CPU");
    assert!(page.contains("<span class=\"bar fallback\" style=\"left:31.31%;width:27.56%\""));
}

#[test]
fn a_fault_that_never_took_hold_has_no_band_and_says_so() {
    let page = render_html(&common::interrupted());
    assert!(!page.contains("mark fault"));
    assert!(page.contains("<span class=\"chip doubtful\">never bit</span>"));
}

#[test]
fn every_fault_has_a_lane_and_is_named_even_where_its_bar_is_narrow() {
    let page = render_html(&common::many_faults());
    for number in 0..5 {
        assert!(page.contains(&format!("<span class=\"y\">fault {number}</span>")), "{number}");
    }
    assert!(page.contains("<span class=\"beside fault\" style=\"left:10.00%\">process.kill</span>"));
    assert!(page.contains("<span class=\"beside fault\" style=\"right:7.50%\">disk.full</span>"));
    assert!(page.contains("title=\"proxy.latency 9.00 – 13.00 s\">proxy.latency</span>"));
}

#[test]
fn each_phase_has_its_curve_per_operation_and_over_all() {
    let page = render_html(&common::passed());
    for phase in ["before", "during", "recovery", "after"] {
        let curves = page.matches(&format!("<path class=\"line {phase}\" d=\"M")).count();
        assert_eq!(curves, 4, "{phase}: over all, create, read, append");
    }
}

#[test]
fn the_replay_line_seed_and_configuration_are_on_the_page() {
    let page = render_html(&common::failed());
    assert!(page.contains("<code>firedrill run redis-outage --seed 4242 --set store.policy=degrade</code>"));
    assert!(page.contains("<th scope=\"row\">seed</th><td>4242</td>"));
    assert!(page.contains("persistence = &quot;aof-everysec&quot;"));
}

#[test]
fn an_empty_run_is_rendered_and_says_what_is_missing() {
    let page = render_html(&Run { verdict: Verdict::Interrupted, ..Run::default() });
    for says in
        ["No gate was judged.", "No checker judged this run.", "No operation was measured.", "No phase was measured."]
    {
        assert!(page.contains(says), "{says}");
    }
}

#[test]
fn a_run_without_faults_shows_no_recovery() {
    let mut run = common::passed();
    run.faults.clear();
    run.recovery_ms = None;
    run.recovered_at_ms = None;
    let page = render_html(&run);
    assert!(page.contains("The scenario has no faults."));
    assert!(!page.contains("Recovery"));
}

#[test]
fn degenerate_times_stay_within_the_chart() {
    let bucket = Bucket { from_ms: f64::INFINITY, planned: u64::MAX, ..Bucket::default() };
    let run = Run {
        timeline: Timeline { bucket_ms: 0.0, buckets: vec![bucket.clone(), bucket] },
        phases: vec![Phase {
            name: PhaseName::Before,
            figures: Figures { from_ms: f64::NAN, to_ms: f64::NEG_INFINITY, ..Figures::default() },
            operations: Vec::new(),
            batches: Vec::new(),
        }],
        faults: vec![Fault { onset_ms: Some(9e99), end_ms: Some(-9e99), ..Fault::default() }],
        recovered_at_ms: Some(f64::NAN),
        ..Run::default()
    };
    let page = render_html(&run);
    for style in values(&page, "style") {
        for number in style.split(';').filter_map(|rule| rule.split_once(':')).map(|(_, value)| value) {
            let share: f64 = number.trim_end_matches('%').parse().expect(style);
            assert!((0.0..=100.0).contains(&share), "{style}");
        }
    }
    for path in values(&page, "d") {
        assert!(!path.contains("NaN") && !path.contains("inf"), "{path}");
    }
}

#[test]
fn a_refusal_is_quoted_in_the_servers_own_words_on_page_and_terminal() {
    let said = |text: &str| {
        text.contains("Redis refused 3 operations") && text.contains("OOM command not allowed when used memory")
    };
    assert!(said(&render_html(&common::failed())));
    assert!(said(&terminal::drill(&common::failed(), Style { colour: false, width: 120 })));
    let silent = Run { refusals: Vec::new(), ..common::failed() };
    assert!(!render_html(&silent).contains("Redis refused"));
}
