//! Section 2: whether the load generator delivered what was asked of it. If it did not, nothing below means anything.

use super::markup::Html;
use super::{section as titled, tile};
use crate::describe;
use crate::run::{Generator, Run};
use crate::text;

pub(super) fn section(run: &Run, html: &mut Html) {
    titled("generator", "Did the generator deliver?", html, |html| {
        let generator = &run.generator;
        let (class, answer) = answer(generator);
        html.el("p", &[], |line| {
            line.leaf("span", &[("class", &format!("chip {class}"))], answer);
            line.text(" ");
            line.text(&generator.note);
        });
        html.el("div", &[("class", "tiles")], |tiles| rates(generator, tiles));
    });
}

fn answer(generator: &Generator) -> (&'static str, &'static str) {
    if generator.saturated {
        ("bad", "no: the generator was the bottleneck")
    } else if generator.started == 0 {
        ("doubtful", "nothing was started")
    } else if generator.dropped > 0 || generator.started < generator.planned {
        ("doubtful", "not all that was planned was started")
    } else {
        ("good", "yes")
    }
}

fn rates(generator: &Generator, tiles: &mut Html) {
    let achieved = text::rate(generator.achieved_rate);
    match generator.target_rate {
        Some(target) => {
            let asked = format!("of {} asked", text::rate(target));
            tile("Delivered", &achieved, &asked, "", tiles);
        }
        None => tile("Delivered", &achieved, "closed loop: no rate was asked", "", tiles),
    }
    let planned = format!("of {} planned", text::count(generator.planned));
    tile("Started", &text::count(generator.started), &planned, "", tiles);
    let alarm = if generator.dropped > 0 { "alarm" } else { "" };
    tile("Dropped", &text::count(generator.dropped), "planned, never started", alarm, tiles);
    tile("Abandoned", &text::count(generator.abandoned), "not settled by their deadline", "", tiles);
    let longest = format!("p99; at most {}", text::millis(generator.max_slip_ms));
    tile("Schedule slip", &text::millis(generator.p99_slip_ms), &longest, "", tiles);
    if let Some((share, cores)) = describe::own_cpu(generator) {
        let alarm = if generator.saturated { "alarm" } else { "" };
        tile("Own CPU", &share, &format!("of {cores}"), alarm, tiles);
    }
}
