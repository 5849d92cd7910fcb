//! Charts as HTML and SVG: panels one above the other over one horizontal axis. The SVG holds shapes alone and is stretched
//! to whatever width there is; texts are HTML, placed in percent, so that they stay readable on a telephone and on paper.
//! Colours are classes, so that the page's style decides them for light, dark and print.

mod axis;
mod shape;

pub(super) use axis::{Axis, moment_axis};
pub(super) use shape::{Area, Path};

use super::markup::Html;

/// Width and height of the coordinates within a panel; the style stretches them.
const SPAN: f64 = 1000.0;

/// A bar of a smaller share of the panel's width has no room for its text.
const NARROW: f64 = 0.1;

/// A chart.
pub(super) struct Chart<'a> {
    /// What it shows, for those who cannot see it.
    pub(super) label: String,
    /// The horizontal axis of all panels.
    pub(super) x: &'a Axis,
    /// What is marked on every panel.
    pub(super) marks: Vec<Stretch>,
    /// The name of the place under the pointer.
    pub(super) pointer: Readings,
    /// The panels, from the top.
    pub(super) panels: Vec<Panel>,
}

/// A stretch of the horizontal axis: a band or a line across every panel, or a bar in a lane.
pub(super) struct Stretch {
    /// Its style class.
    pub(super) class: &'static str,
    /// Where it begins, in the horizontal axis's values.
    pub(super) from: f64,
    /// Where it ends; the same for a line.
    pub(super) to: f64,
    /// The text on it; may be empty.
    pub(super) text: String,
    /// What it is, in full.
    pub(super) title: String,
}

/// One panel of a chart.
pub(super) struct Panel {
    /// What it shows.
    pub(super) title: String,
    /// Its unit or a remark; may be empty.
    pub(super) remark: &'static str,
    /// Its style class, which decides the height.
    pub(super) class: &'static str,
    /// What is in it.
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
    /// Named stretches of time, a lane each.
    Lanes(Vec<Lane>),
}

/// A line or an area.
pub(super) struct Series {
    /// Its name in the key.
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
    /// What stands before it.
    pub(super) name: String,
    /// Its bars.
    pub(super) bars: Vec<Stretch>,
}

/// What the pointer reads off a series: texts, each valid from its place to the next. The places are in the horizontal
/// axis's values and rise.
#[derive(Default)]
pub(super) struct Readings(Vec<(f64, String)>);

impl Readings {
    /// Notes that from `place` on the reading is `text`.
    pub(super) fn push(&mut self, place: f64, text: String) {
        self.0.push((place, text));
    }

    /// For the script: `place:text|place:text`, places from 0 to 1000 across the panel.
    fn encoded(&self, x: &Axis) -> String {
        let encoded: Vec<String> = self
            .0
            .iter()
            .map(|(place, text)| format!("{:.1}:{}", x.place(*place) * SPAN, text.replace('|', "/")))
            .collect();
        encoded.join("|")
    }
}

impl Chart<'_> {
    /// Adds the chart to `html`.
    pub(super) fn render(&self, html: &mut Html) {
        html.el("figure", &[("class", "chart"), ("role", "group"), ("aria-label", &self.label)], |figure| {
            let pointer = self.pointer.encoded(self.x);
            figure.el("div", &[("class", "pointer"), ("data-points", &pointer)], |_| {});
            for panel in &self.panels {
                figure.el("div", &[("class", "panel")], |row| self.panel(panel, row));
            }
            figure.el("div", &[("class", "x-axis"), ("aria-hidden", "true")], |axis| {
                for (place, label) in self.x.ticks() {
                    axis.leaf("span", &[("style", &format!("left:{}", percent(place)))], label);
                }
            });
        });
    }

    fn panel(&self, panel: &Panel, html: &mut Html) {
        html.el("div", &[("class", "keys")], |keys| {
            keys.leaf("strong", &[], &panel.title);
            if !panel.remark.is_empty() {
                keys.leaf("span", &[("class", "quiet")], panel.remark);
            }
            if let Content::Plot { series, .. } = &panel.content {
                for one in series {
                    let points = one.readings.encoded(self.x);
                    let attributes = [("class", "key"), ("data-points", points.as_str())];
                    let shown = if points.is_empty() { &attributes[..1] } else { &attributes[..] };
                    keys.el("span", shown, |key| {
                        key.leaf("i", &[("class", one.class)], "");
                        key.text(&one.name);
                    });
                }
            }
        });
        html.el("div", &[("class", &format!("plot {}", panel.class))], |plot| {
            for mark in &self.marks {
                self.stretch("mark", mark, plot);
            }
            match &panel.content {
                Content::Plot { y, series } => self.shapes(y, series, plot),
                Content::Lanes(lanes) => {
                    for lane in lanes {
                        plot.el("div", &[("class", "lane")], |row| self.lane(lane, row));
                    }
                }
            }
            plot.leaf("div", &[("class", "cross")], "");
        });
    }

    /// The bars of a lane. The text of a bar too narrow for it stands beside the bar, unless another bar may be there.
    fn lane(&self, lane: &Lane, row: &mut Html) {
        row.leaf("span", &[("class", "y")], &lane.name);
        for bar in &lane.bars {
            let (left, right) = (self.x.place(bar.from), self.x.place(bar.to));
            if right - left > NARROW {
                self.stretch("bar", bar, row);
                continue;
            }
            self.stretch("bar", &Stretch { text: String::new(), title: bar.title.clone(), ..*bar }, row);
            if lane.bars.len() == 1 {
                let left_half = right < 0.5;
                let (side, place) = if left_half { ("left", right) } else { ("right", 1.0 - left) };
                let style = format!("{side}:{}", percent(place));
                row.leaf("span", &[("class", &format!("beside {}", bar.class)), ("style", &style)], &bar.text);
            }
        }
    }

    fn stretch(&self, kind: &str, stretch: &Stretch, html: &mut Html) {
        let (left, right) = (self.x.place(stretch.from), self.x.place(stretch.to));
        let style = format!("left:{};width:{}", percent(left), percent((right - left).max(0.0)));
        let class = format!("{kind} {}", stretch.class);
        html.leaf("span", &[("class", &class), ("style", &style), ("title", &stretch.title)], &stretch.text);
    }

    fn shapes(&self, y: &Axis, series: &[Series], plot: &mut Html) {
        plot.el(
            "svg",
            &[("viewBox", "0 0 1000 1000"), ("preserveAspectRatio", "none"), ("aria-hidden", "true")],
            |svg| {
                for (place, _) in y.ticks() {
                    let height = format!("{:.1}", (1.0 - place) * SPAN);
                    svg.leaf("path", &[("class", "grid"), ("d", &format!("M0 {height}H1000"))], "");
                }
                for (place, _) in self.x.ticks() {
                    let across = format!("{:.1}", place * SPAN);
                    svg.leaf("path", &[("class", "grid"), ("d", &format!("M{across} 0V1000"))], "");
                }
                for one in series {
                    svg.leaf("path", &[("class", one.class), ("d", &one.path)], "");
                }
            },
        );
        for (place, label) in y.ticks() {
            plot.leaf("span", &[("class", "y"), ("style", &format!("bottom:{}", percent(place)))], label);
        }
    }
}

fn percent(share: f64) -> String {
    format!("{:.2}%", share * 100.0)
}
