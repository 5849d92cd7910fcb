//! Texts with places for values: `{{name}}`. No conditions and no loops; an unknown name is an error before anything runs.

use std::fmt::Write as _;

/// A text with places for values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Template {
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Name(String),
}

/// Where the values of names come from.
pub(super) trait Values {
    /// Appends the value of `name` to `out`; `false` if it has none.
    fn put(&self, name: &str, out: &mut String) -> bool;
}

impl Template {
    /// Reads `text`.
    ///
    /// # Errors
    /// Why it is not a template: an opening without its end, or a name that cannot be one.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let (mut parts, mut rest) = (Vec::new(), text);
        while let Some((before, after)) = rest.split_once("{{") {
            let Some((name, after)) = after.split_once("}}") else {
                return Err(format!("`{{{{{}` has no end: write {{{{name}}}}", excerpt(after)));
            };
            let name = name.trim();
            if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte)) {
                return Err(format!("`{{{{{name}}}}}` is not a name: use letters, digits, `_`, `-` and `.`"));
            }
            if !before.is_empty() {
                parts.push(Part::Text(before.to_owned()));
            }
            parts.push(Part::Name(name.to_owned()));
            rest = after;
        }
        if !rest.is_empty() {
            parts.push(Part::Text(rest.to_owned()));
        }
        Ok(Self { parts })
    }

    /// The names in it.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|part| match part {
            Part::Name(name) => Some(name.as_str()),
            Part::Text(_) => None,
        })
    }

    /// The text with its values.
    ///
    /// # Errors
    /// The name that has no value.
    pub(super) fn render(&self, values: &dyn Values) -> Result<String, String> {
        let mut out = String::new();
        for part in &self.parts {
            match part {
                Part::Text(text) => out.push_str(text),
                Part::Name(name) if values.put(name, &mut out) => {}
                Part::Name(name) => return Err(format!("{{{{{name}}}}} has no value")),
            }
        }
        Ok(out)
    }
}

fn excerpt(text: &str) -> String {
    text.chars().take(20).collect()
}

/// Pairs of names and values.
impl Values for &[(&str, &str)] {
    fn put(&self, name: &str, out: &mut String) -> bool {
        match self.iter().find(|(known, _)| *known == name) {
            Some((_, value)) => write!(out, "{value}").is_ok(),
            None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn render(text: &str, values: &[(&str, &str)]) -> Result<String, String> {
        Template::parse(text)?.render(&values)
    }

    #[test]
    fn names_are_replaced_by_their_values_and_nothing_else_is_touched() {
        let values = [("token", "42"), ("redis.port", "7001")];
        assert_eq!(render("item-{{token}}", &values).unwrap(), "item-42");
        assert_eq!(render("{{ redis.port }}/{{token}}", &values).unwrap(), "7001/42");
        assert_eq!(render("{\"a\": {\"b\": 1}}", &values).unwrap(), "{\"a\": {\"b\": 1}}");
        assert_eq!(render("", &values).unwrap(), "");
    }

    #[test]
    fn a_name_without_value_or_end_is_an_error_that_says_so() {
        assert_eq!(render("{{tokn}}", &[("token", "42")]).unwrap_err(), "{{tokn}} has no value");
        assert!(render("a{{token", &[]).unwrap_err().contains("has no end"));
        assert!(render("{{to ken}}", &[]).unwrap_err().contains("is not a name"));
        assert!(render("{{}}", &[]).unwrap_err().contains("is not a name"));
    }
}
