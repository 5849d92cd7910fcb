//! Prometheus' text format, version 0.0.4 (<https://prometheus.io/docs/instrumenting/exposition_formats/>), for whoever
//! serves metrics.

use std::fmt::{Display, Write};

/// The content type of the text.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// A text that grows by metrics. The samples of a metric follow its head.
#[derive(Debug, Default)]
pub struct Exposition(String);

// Writing to a string cannot fail.
impl Exposition {
    /// Begins a metric: its name, its kind (`counter`, `gauge`, `histogram`) and what it is, in one line.
    pub fn metric(&mut self, name: &str, kind: &str, help: &str) {
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    /// Adds a sample under `name`, which is the metric's, or its with a suffix such as `_bucket`. Values of labels are
    /// escaped.
    pub fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) {
        let labels: Vec<String> =
            labels.iter().map(|(label, value)| format!("{label}=\"{}\"", escaped(value))).collect();
        let _ = match labels.is_empty() {
            true => writeln!(self.0, "{name} {value}"),
            false => writeln!(self.0, "{name}{{{}}} {value}", labels.join(",")),
        };
    }

    /// The whole text.
    pub fn into_text(self) -> String {
        self.0
    }
}

fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_names_its_labels_and_escapes_their_values() {
        let mut text = Exposition::default();
        text.metric("bytes_total", "counter", "Bytes.");
        text.sample("bytes_total", &[("proxy", "a\"b\\c\nd"), ("direction", "upstream")], 7);
        text.sample("bytes_total", &[], 0.5);
        assert_eq!(
            text.into_text(),
            "# HELP bytes_total Bytes.\n# TYPE bytes_total counter\n\
             bytes_total{proxy=\"a\\\"b\\\\c\\nd\",direction=\"upstream\"} 7\nbytes_total 0.5\n"
        );
    }
}
