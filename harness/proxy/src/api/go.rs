//! JSON as Toxiproxy's server reads it, which is as Go's `encoding/json` fills a struct:
//!
//! - What follows the first value of a body is ignored, and so are unknown fields.
//! - Names match in any case, and of several equal ones the last counts; `null` leaves a field as it is.
//! - An integer has no fraction and no exponent, and fits into 64 bits.
//! - What is no UTF-8 becomes U+FFFD.
//!
//! Errors are in Go's words.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

/// The first JSON value of `body`.
pub(super) fn document(body: &str) -> Result<&RawValue, String> {
    <&RawValue>::deserialize(&mut serde_json::Deserializer::from_str(body)).map_err(|error| syntax(&error, body))
}

/// The elements of an array; none for `null`.
pub(super) fn array<'a>(value: &'a RawValue, go_type: &str) -> Result<Vec<&'a RawValue>, String> {
    match Shape::of(value) {
        Shape::Null => Ok(Vec::new()),
        Shape::Array => serde_json::from_str(value.get()).map_err(|error| error.to_string()),
        shape => Err(format!("json: cannot unmarshal {} into Go value of type {go_type}", shape.name())),
    }
}

/// A JSON object that fills a struct.
pub(super) struct Struct<'a> {
    /// Go's name of the struct, for messages.
    name: String,
    /// The field in which it is, for messages.
    within: &'static str,
    fields: Vec<(String, &'a RawValue)>,
}

impl<'a> Struct<'a> {
    /// The struct `name` of the package `package`; `null` fills nothing.
    pub fn read(value: &'a RawValue, package: &str, name: &str) -> Result<Self, String> {
        match Shape::of(value) {
            Shape::Null => Ok(Self { name: name.to_owned(), within: "", fields: Vec::new() }),
            Shape::Object => Self::object(value, "", name.to_owned()),
            shape => Err(format!("json: cannot unmarshal {} into Go value of type {package}{name}", shape.name())),
        }
    }

    fn object(value: &'a RawValue, within: &'static str, name: String) -> Result<Self, String> {
        let Members(fields) = serde_json::from_str(value.get()).map_err(|error| error.to_string())?;
        Ok(Self { name, within, fields })
    }

    pub fn text(&self, field: &str) -> Result<Option<String>, String> {
        self.last(field, "string", |value| match Shape::of(value) {
            Shape::String => serde_json::from_str::<Text>(value.get()).ok().map(|Text(text)| text),
            _ => None,
        })
    }

    pub fn flag(&self, field: &str) -> Result<Option<bool>, String> {
        self.last(field, "bool", |value| value.get().parse().ok())
    }

    pub fn float32(&self, field: &str) -> Result<Option<f32>, String> {
        let finite = |value: &RawValue| match Shape::of(value) {
            Shape::Number => value.get().parse().ok().filter(|number: &f32| number.is_finite()),
            _ => None,
        };
        self.last(field, "float32", finite)
    }

    pub fn integer(&self, field: &str, go_type: &'static str) -> Result<Option<i64>, String> {
        self.last(field, go_type, |value| value.get().parse().ok())
    }

    /// The last value of a field, whatever it is.
    pub fn any(&self, field: &str) -> Option<Value> {
        self.given(field).filter_map(|value| serde_json::from_str(value.get()).ok()).last()
    }

    /// The objects in a field, each to be filled after the one before. A `null` ends them.
    pub fn objects(&self, field: &'static str, go_type: &str) -> Result<Vec<&'a RawValue>, String> {
        let given = self.given(field).take_while(|value| Shape::of(value) != Shape::Null);
        given
            .map(|value| match Shape::of(value) {
                Shape::Object => Ok(value),
                _ => Err(self.mismatch(value, field, go_type)),
            })
            .collect()
    }

    /// One of [`Struct::objects`] as the struct `name`.
    pub fn inner(value: &'a RawValue, field: &'static str, name: String) -> Result<Self, String> {
        Self::object(value, field, name)
    }

    fn given(&self, field: &str) -> impl Iterator<Item = &'a RawValue> {
        self.fields.iter().filter(move |(name, _)| folded(name).eq(folded(field))).map(|(_, value)| *value)
    }

    fn last<T>(
        &self,
        field: &str,
        go_type: &str,
        read: impl Fn(&'a RawValue) -> Option<T>,
    ) -> Result<Option<T>, String> {
        let mut last = None;
        for value in self.given(field).filter(|value| Shape::of(value) != Shape::Null) {
            last = Some(read(value).ok_or_else(|| self.mismatch(value, field, go_type))?);
        }
        Ok(last)
    }

    fn mismatch(&self, value: &RawValue, field: &str, go_type: &str) -> String {
        let Self { name, within, .. } = self;
        let given = match Shape::of(value) {
            Shape::Number if matches!(go_type, "int" | "int64" | "float32") => format!("number {}", value.get()),
            shape => shape.name().to_owned(),
        };
        let dot = if within.is_empty() { "" } else { "." };
        format!("json: cannot unmarshal {given} into Go struct field {name}.{within}{dot}{field} of type {go_type}")
    }
}

/// Letters as Go compares names of fields. Two more than ASCII's fold to an ASCII letter.
fn folded(name: &str) -> impl Iterator<Item = char> {
    name.chars().map(|letter| match letter {
        'ſ' => 's',
        '\u{212a}' => 'k',
        letter => letter.to_ascii_lowercase(),
    })
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Shape {
    Null,
    Bool,
    Number,
    String,
    Array,
    Object,
}

impl Shape {
    fn of(value: &RawValue) -> Self {
        match value.get().as_bytes().first() {
            Some(b'n') => Self::Null,
            Some(b't' | b'f') => Self::Bool,
            Some(b'"') => Self::String,
            Some(b'[') => Self::Array,
            Some(b'{') => Self::Object,
            _ => Self::Number,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool => "bool",
            Self::Number => "number",
            Self::String => "string",
            Self::Array => "array",
            Self::Object => "object",
        }
    }
}

/// A string, in which half a surrogate pair is allowed.
struct Text(String);

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(text: D) -> Result<Self, D::Error> {
        struct Bytes;
        impl Visitor<'_> for Bytes {
            type Value = Text;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Text, E> {
                Ok(Text(String::from_utf8_lossy(bytes).into_owned()))
            }
        }
        text.deserialize_bytes(Bytes)
    }
}

/// The members of an object, in order, with those that come more than once.
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(object: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Members<'de>, A::Error> {
                let mut all = Vec::new();
                while let Some((Text(name), value)) = members.next_entry()? {
                    all.push((name, value));
                }
                Ok(Members(all))
            }
        }
        object.deserialize_map(Object)
    }
}

/// Where Go's scanner would have been, by serde_json's words for it.
const PLACES: &[(&str, &str)] = &[
    ("expected value", "looking for beginning of value"),
    ("key must be a string", "looking for beginning of object key string"),
    ("expected `:`", "after object key"),
    ("expected `,` or `}`", "after object key:value pair"),
    ("expected `,` or `]`", "after array element"),
    ("invalid number", "in numeric literal"),
    ("invalid escape", "in string escape code"),
    (BROKEN_STRING, "in string literal"),
];

const BROKEN_STRING: &str = "control character";

/// What is wrong with the syntax.
fn syntax(error: &serde_json::Error, body: &str) -> String {
    if error.is_eof() {
        return if body.trim().is_empty() { "EOF".into() } else { "unexpected EOF".into() };
    }
    let words = error.to_string();
    let line = body.split('\n').nth(error.line().saturating_sub(1)).unwrap_or_default();
    // serde_json counts the letter at fault, but not where a string breaks off at it.
    let counted = usize::from(!words.starts_with(BROKEN_STRING));
    let (before, from) = line.split_at_checked(error.column().saturating_sub(counted)).unwrap_or((line, ""));
    let letter = from.chars().next().unwrap_or('\n');
    let place = PLACES.iter().find(|(start, _)| words.starts_with(start)).map(|(_, place)| (*place).to_owned());
    match place.or_else(|| in_literal(before)) {
        Some(place) => format!("invalid character {letter:?} {place}"),
        None => words,
    }
}

/// The place after the beginning of `true`, `false` or `null`.
fn in_literal(before: &str) -> Option<String> {
    let begun = before.rsplit(|letter: char| !letter.is_ascii_lowercase()).next()?;
    let literal =
        ["true", "false", "null"].into_iter().find(|literal| !begun.is_empty() && literal.starts_with(begun))?;
    let expected = literal[begun.len()..].chars().next()?;
    Some(format!("in literal {literal} (expecting {expected:?})"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Struct<'_> {
        Struct::read(document(json).unwrap(), "toxiproxy.", "Proxy").unwrap()
    }

    #[test]
    fn names_match_in_any_case_and_the_last_of_them_counts_unless_it_is_null() {
        let proxy = read(r#"{"NAME":"a","name":"b","Name":null,"ſtream":"up","more":1e999}"#);
        assert_eq!(proxy.text("name"), Ok(Some("b".into())));
        assert_eq!(proxy.text("stream"), Ok(Some("up".into())));
        assert_eq!(proxy.text("listen"), Ok(None));
        assert_eq!(read("null").text("name"), Ok(None));
    }

    #[test]
    fn what_follows_the_first_value_is_ignored() {
        assert_eq!(read(r#" {"name":"a"} {"name": oops"#).text("name"), Ok(Some("a".into())));
    }

    #[test]
    fn integers_have_no_fraction_and_64_bits() {
        let read = |number: &str| {
            let json = format!(r#"{{"n":{number}}}"#);
            read(&json).integer("n", "int64")
        };
        assert_eq!(read("-5"), Ok(Some(-5)));
        assert_eq!(read("-0"), Ok(Some(0)));
        assert_eq!(read("9223372036854775807"), Ok(Some(i64::MAX)));
        for (bad, given) in [
            ("1.0", "number 1.0"),
            ("1e3", "number 1e3"),
            ("9223372036854775808", "number 9223372036854775808"),
            ("\"5\"", "string"),
            ("true", "bool"),
            ("[]", "array"),
        ] {
            let expected = format!("json: cannot unmarshal {given} into Go struct field Proxy.n of type int64");
            assert_eq!(read(bad), Err(expected));
        }
    }

    #[test]
    fn floats_are_those_that_32_bits_hold() {
        let read = |number: &str| {
            let json = format!(r#"{{"n":{number}}}"#);
            read(&json).float32("n")
        };
        assert_eq!(read("-7.5e1"), Ok(Some(-75.0)));
        assert_eq!(read("1e-99"), Ok(Some(0.0)));
        assert!(read("1e39").unwrap_err().starts_with("json: cannot unmarshal number 1e39 into"));
        assert!(read("\"NaN\"").unwrap_err().starts_with("json: cannot unmarshal string into"));
    }

    #[test]
    fn half_a_surrogate_pair_is_replaced() {
        let name = read(r#"{"name":"a\ud800b"}"#).text("name").unwrap().unwrap();
        assert!(name.starts_with("a\u{fffd}") && name.ends_with('b'), "{name:?}");
        assert_eq!(read(r#"{"name":"\u00e9\ud83d\ude00"}"#).text("name"), Ok(Some("é😀".into())));
    }

    #[test]
    fn errors_of_syntax_are_in_gos_words() {
        for (body, expected) in [
            ("", "EOF"),
            (" \n", "EOF"),
            ("{", "unexpected EOF"),
            (r#"{"a":"#, "unexpected EOF"),
            ("x", "invalid character 'x' looking for beginning of value"),
            ("{a:1}", "invalid character 'a' looking for beginning of object key string"),
            (r#"{"a" 1}"#, "invalid character '1' after object key"),
            (r#"{"a":1 "b":2}"#, "invalid character '\"' after object key:value pair"),
            (r#"{"a":1,}"#, "invalid character '}' looking for beginning of object key string"),
            ("[1 2]", "invalid character '2' after array element"),
            ("[1,]", "invalid character ']' looking for beginning of value"),
            ("{\n\"a\":\n?}", "invalid character '?' looking for beginning of value"),
            (r#"{"a":"\x"}"#, "invalid character 'x' in string escape code"),
            ("{\"a\":\"\n\"}", "invalid character '\\n' in string literal"),
            ("{\"a\":\"é\tb\"}", "invalid character '\\t' in string literal"),
            (r#"{"a":-x}"#, "invalid character 'x' in numeric literal"),
            ("name=a", "invalid character 'a' in literal null (expecting 'u')"),
            (r#"{"a":tru}"#, "invalid character '}' in literal true (expecting 'e')"),
            ("[fals", "unexpected EOF"),
        ] {
            assert_eq!(document(body).map(RawValue::get), Err(expected.to_owned()), "{body}");
        }
    }
}
