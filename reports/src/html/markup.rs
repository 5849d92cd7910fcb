//! Markup that is escaped by construction: text and attribute values go through one door, and what is not escaped has to
//! be written in this crate's source.

/// A piece of HTML in the making.
#[derive(Debug, Default)]
pub(super) struct Html(String);

/// Attributes of an element: names from the source, values escaped.
pub(super) type Attributes<'a> = &'a [(&'static str, &'a str)];

impl Html {
    /// Adds text.
    pub(super) fn text(&mut self, text: &str) {
        escape(text, &mut self.0);
    }

    /// Adds markup that stands in the source.
    pub(super) fn raw(&mut self, markup: &'static str) {
        self.0.push_str(markup);
    }

    /// Adds an element with content.
    pub(super) fn el(&mut self, tag: &'static str, attributes: Attributes<'_>, content: impl FnOnce(&mut Self)) {
        self.open(tag, attributes);
        content(self);
        self.0.push_str("</");
        self.0.push_str(tag);
        self.0.push('>');
    }

    /// Adds an element that holds nothing but text.
    pub(super) fn leaf(&mut self, tag: &'static str, attributes: Attributes<'_>, text: &str) {
        self.el(tag, attributes, |element| element.text(text));
    }

    /// Adds an element that never has content, such as `meta`.
    pub(super) fn void(&mut self, tag: &'static str, attributes: Attributes<'_>) {
        self.open(tag, attributes);
    }

    fn open(&mut self, tag: &'static str, attributes: Attributes<'_>) {
        self.0.push('<');
        self.0.push_str(tag);
        for (name, value) in attributes {
            self.0.push(' ');
            self.0.push_str(name);
            self.0.push_str("=\"");
            escape(value, &mut self.0);
            self.0.push('"');
        }
        self.0.push('>');
    }

    /// A table with a heading row, followed by `rows`. Columns from `figures_from` on hold numbers.
    pub(super) fn table(&mut self, heads: &[&str], figures_from: usize, rows: impl FnOnce(&mut Self)) {
        self.el("div", &[("class", "scroll")], |scroll| {
            scroll.el("table", &[], |table| {
                table.el("thead", &[], |head| {
                    head.el("tr", &[], |row| {
                        for (column, name) in heads.iter().enumerate() {
                            let class = if column >= figures_from { "figure" } else { "" };
                            row.leaf("th", &[("class", class), ("scope", "col")], name);
                        }
                    });
                });
                table.el("tbody", &[], rows);
            });
        });
    }

    /// The finished markup.
    pub(super) fn into_string(self) -> String {
        self.0
    }
}

/// Escapes what has a meaning in text and in quoted attribute values, and drops the control characters that HTML forbids
/// (<https://html.spec.whatwg.org/multipage/parsing.html#preprocessing-the-input-stream>).
fn escape(text: &str, into: &mut String) {
    for letter in text.chars() {
        match letter {
            '&' => into.push_str("&amp;"),
            '<' => into.push_str("&lt;"),
            '>' => into.push_str("&gt;"),
            '"' => into.push_str("&quot;"),
            '\'' => into.push_str("&#39;"),
            '\n' | '\t' => into.push(letter),
            letter if letter.is_control() => {}
            letter => into.push(letter),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_attribute_values_are_escaped() {
        let mut html = Html::default();
        html.leaf("p", &[("title", "\"><script>")], "a < b & 'c'\0");
        assert_eq!(html.into_string(), "<p title=\"&quot;&gt;&lt;script&gt;\">a &lt; b &amp; &#39;c&#39;</p>");
    }
}
