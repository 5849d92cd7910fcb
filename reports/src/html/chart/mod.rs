//! Charts as HTML and SVG: stacked panels over one horizontal axis. The SVG contains only shapes and is stretched to
//! the available width; texts are HTML, positioned in percent, so that they stay readable on a phone and on paper.
//! Colours are classes, so the page's style decides them for light, dark and print.

mod axis;
mod shape;

pub(super) use axis::{Axis, moment_axis};
pub(super) use shape::{Area, Path};

use maud::{Markup, Render, html};

/// Width and height of a panel's coordinate system; the style stretches it.
const SPAN: f64 = 1000.0;

/// A bar with a smaller share of the panel's width than this has no room for its text.
const NARROW: f64 = 0.1;

/// A chart.
pub(super) struct Chart<'a> {
    /// A description for screen readers.
    pub(super) label: String,
    /// The horizontal axis of all panels.
    pub(super) x: &'a Axis,
    /// The marks on every panel.
    pub(super) marks: Vec<Stretch>,
    /// The label for the position under the pointer.
    pub(super) pointer: Readings,
    /// The panels, from top to bottom.
    pub(super) panels: Vec<Panel>,
}

/// A section of the horizontal axis: a band or a line across every panel, or a bar in a lane.
pub(super) struct Stretch {
    /// Its style class.
    pub(super) class: &'static str,
    /// Where it starts, on the horizontal axis.
    pub(super) from: f64,
    /// Where it ends; equal to `from` for a line.
    pub(super) to: f64,
    /// The text on it; may be empty.
    pub(super) text: String,
    /// Its full description.
    pub(super) title: String,
}

/// One panel of a chart.
pub(super) struct Panel {
    /// What it shows.
    pub(super) title: String,
    /// Its unit or a remark; may be empty.
    pub(super) remark: &'static str,
    /// Its style class, which sets the height.
    pub(super) class: &'static str,
    /// Its content.
    pub(super) content: Content,
}

/// What a panel shows.
pub(super) enum Content {
    /// Series against a vertical axis.
    Plot {
        /// The vertical axis.
        y: Axis,
        /// The series, drawn in this order.
        series: Vec<Series>,
    },
    /// Named periods of time, one lane each.
    Lanes(Vec<Lane>),
}

/// A line or an area.
pub(super) struct Series {
    /// Its name in the legend.
    pub(super) name: String,
    /// Its style class.
    pub(super) class: &'static str,
    /// The `d` attribute of its path.
    pub(super) path: String,
    /// Its values for the pointer.
    pub(super) readings: Readings,
}

/// A lane of bars.
pub(super) struct Lane {
    /// The text in front of it.
    pub(super) name: String,
    /// Its bars.
    pub(super) bars: Vec<Stretch>,
}

/// What the pointer shows for a series: texts, each valid from its position to the next. The positions are on the
/// horizontal axis, in ascending order.
#[derive(Default)]
pub(super) struct Readings(Vec<(f64, String)>);

impl Readings {
    /// From `place` on, the pointer shows `text`.
    pub(super) fn push(&mut self, place: f64, text: String) {
        self.0.push((place, text));
    }

    /// Encodes the readings for the script: `place:text|place:text`, with positions from 0 to 1000 across the panel.
    fn encoded(&self, x: &Axis) -> String {
        let encoded: Vec<String> = self
            .0
            .iter()
            .map(|(place, text)| format!("{:.1}:{}", x.place(*place) * SPAN, text.replace('|', "/")))
            .collect();
        encoded.join("|")
    }
}

impl Render for Chart<'_> {
    fn render(&self) -> Markup {
        html! {
            figure.chart role="group" aria-label=(self.label) {
                div.pointer data-points=(self.pointer.encoded(self.x)) {}
                @for panel in &self.panels {
                    div.panel {
                        (self.keys(panel))
                        (self.plot(panel))
                    }
                }
                div.x-axis aria-hidden="true" {
                    @for (place, label) in self.x.ticks() { span style={ "left:" (percent(place)) } { (label) } }
                }
            }
        }
    }
}

impl Chart<'_> {
    /// The panel's title and its colour legend.
    fn keys(&self, panel: &Panel) -> Markup {
        let series: &[Series] = match &panel.content {
            Content::Plot { series, .. } => series,
            Content::Lanes(_) => &[],
        };
        html! {
            div.keys {
                strong { (panel.title) }
                @if !panel.remark.is_empty() { span.quiet { (panel.remark) } }
                @for one in series {
                    @let points = one.readings.encoded(self.x);
                    span.key data-points=[(!points.is_empty()).then_some(points)] { i class=(one.class) {} (one.name) }
                }
            }
        }
    }

    fn plot(&self, panel: &Panel) -> Markup {
        html! {
            div class={ "plot " (panel.class) } aria-hidden="true" {
                @for mark in &self.marks { (self.stretch("mark", mark)) }
                @match &panel.content {
                    Content::Plot { y, series } => (self.shapes(y, series)),
                    Content::Lanes(lanes) => {
                        @for lane in lanes { div.lane { (self.lane(lane)) } }
                    }
                }
                div.cross {}
            }
        }
    }

    /// The bars of a lane. The text of a narrow bar is drawn next to it, unless another bar may be there: one that is not
    /// a part of it.
    fn lane(&self, lane: &Lane) -> Markup {
        html! {
            span.y { (lane.name) }
            @for bar in &lane.bars {
                @if self.x.place(bar.to) - self.x.place(bar.from) > NARROW {
                    (self.stretch("bar", bar))
                } @else {
                    (self.stretch("bar", &Stretch { text: String::new(), title: bar.title.clone(), ..*bar }))
                    @if lane.bars.iter().all(|other| other.from >= bar.from && other.to <= bar.to) { (self.beside(bar)) }
                }
            }
        }
    }

    /// The text of a bar, on the side with more room.
    fn beside(&self, bar: &Stretch) -> Markup {
        let (left, right) = (self.x.place(bar.from), self.x.place(bar.to));
        let (side, place) = if right < 0.5 { ("left", right) } else { ("right", 1.0 - left) };
        html! { span class={ "beside " (bar.class) } style={ (side) ":" (percent(place)) } { (bar.text) } }
    }

    fn stretch(&self, kind: &str, stretch: &Stretch) -> Markup {
        let (left, right) = (self.x.place(stretch.from), self.x.place(stretch.to));
        let width = percent((right - left).max(0.0));
        html! {
            span class={ (kind) " " (stretch.class) } style={ "left:" (percent(left)) ";width:" (width) }
                title=(stretch.title) { (stretch.text) }
        }
    }

    fn shapes(&self, y: &Axis, series: &[Series]) -> Markup {
        html! {
            svg viewBox="0 0 1000 1000" preserveAspectRatio="none" aria-hidden="true" {
                @for (place, _) in y.ticks() {
                    path.grid d=(format_args!("M0 {:.1}H1000", (1.0 - place) * SPAN)) {}
                }
                @for (place, _) in self.x.ticks() { path.grid d=(format_args!("M{:.1} 0V1000", place * SPAN)) {} }
                @for one in series { path class=(one.class) d=(one.path) {} }
            }
            @for (place, label) in y.ticks() { span.y style={ "bottom:" (percent(place)) } { (label) } }
        }
    }
}

fn percent(share: f64) -> String {
    format!("{:.2}%", share * 100.0)
}
