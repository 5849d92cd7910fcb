//! Section 6: whether the load generator delivered the planned load. If it did not, no other figure means anything, so the
//! first section says so too.

use maud::{Markup, html};

use super::parts::{Tile, section as titled, tile};
use crate::describe;
use crate::run::{Generator, Machine, Run};
use crate::text;

pub(super) fn section(run: &Run) -> Markup {
    let generator = &run.generator;
    let (class, answer) = answer(generator);
    let content = html! {
        p { span class={ "chip " (class) } { (answer) } " " (generator.note) }
        div.tiles { (rates(generator)) (machine(&run.machine)) }
    };
    titled("generator", "Did the generator deliver?", &content)
}

/// The answer in a line, for the section with the verdict.
pub(super) fn line(run: &Run) -> Markup {
    let generator = &run.generator;
    let (class, answer) = answer(generator);
    let delivered = describe::generator_line(generator);
    html! {
        p.delivered { "Did the generator deliver? " span class={ "chip " (class) } { (answer) } " " span.quiet { (delivered) } }
    }
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

/// How long the machine kept the harness from running.
fn machine(machine: &Machine) -> Markup {
    let stalls = text::counted(machine.stalls.len() as u64, "stall");
    let beside = format!("{stalls}; at most {} at once", text::millis(machine.longest_ms()));
    html! {
        @if !machine.stalls.is_empty() { (tile("Machine stalls", &text::millis(machine.denied_ms()), &beside)) }
    }
}

fn rates(generator: &Generator) -> Markup {
    let asked = match generator.target_rate {
        Some(target) => format!("of {} asked", text::rate(target)),
        None => "closed loop: no target rate".to_string(),
    };
    let planned = format!("settled of {} planned", text::count(generator.planned));
    let dropped = text::count(generator.dropped);
    let longest = format!("p99; at most {}", text::millis(generator.max_slip_ms));
    let own_cpu = describe::own_cpu(generator);
    html! {
        (tile("Delivered", &text::rate(generator.delivered_rate), &asked))
        (tile("In time", &text::count(generator.in_time), &planned))
        (Tile { label: "Dropped", value: &dropped, beside: "planned, never started", alarm: generator.dropped > 0 })
        (tile("Abandoned", &text::count(generator.abandoned), "not settled by their deadline"))
        (tile("Schedule slip", &text::millis(generator.p99_slip_ms), &longest))
        @if let Some((share, cores)) = own_cpu {
            (Tile { label: "Own CPU", value: &share, beside: &format!("of {cores}"), alarm: generator.saturated })
        }
    }
}
