//! The quantities a scenario is written in: `"5s"`, `"1000/s"`, `"50KB"`, `"1%"`. Each type reads and prints the same
//! text, so that a scenario survives a round trip, and its error says what it accepts.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// A text that is not the quantity it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not {expected}")]
pub struct UnitError {
    text: String,
    expected: &'static str,
}

fn unit_error(text: &str, expected: &'static str) -> UnitError {
    UnitError { text: text.to_owned(), expected }
}

/// Splits `"1.5ms"` into its number and its unit.
fn number_and_unit(text: &str) -> Option<(f64, &str)> {
    let text = text.trim();
    let end = text.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(text.len());
    let number = text[..end].parse::<f64>().ok().filter(|n| n.is_finite())?;
    Some((number, text[end..].trim()))
}

/// Prints a number without a needless fraction: `5`, not `5.0`.
fn plain(number: f64) -> String {
    let rounded = (number * 1e6).round() / 1e6;
    format!("{rounded}")
}

/// A length of time: `"250ms"`, `"5s"`, `"1m30s"`, `"1h"`. Never negative.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Hash)]
pub struct Span(pub Duration);

impl Span {
    const EXPECTED: &'static str = "a length of time like \"250ms\", \"5s\", \"1m30s\" or \"1h\"";
    const UNITS: [(&'static str, f64); 6] =
        [("us", 1e-6), ("µs", 1e-6), ("ms", 1e-3), ("s", 1.0), ("m", 60.0), ("h", 3600.0)];

    /// A span of whole milliseconds.
    pub const fn millis(ms: u64) -> Self {
        Self(Duration::from_millis(ms))
    }

    /// A span of whole seconds.
    pub const fn secs(s: u64) -> Self {
        Self(Duration::from_secs(s))
    }

    /// The span in nanoseconds, as the drill's clock counts them.
    pub fn nanos(self) -> i64 {
        i64::try_from(self.0.as_nanos()).unwrap_or(i64::MAX)
    }
}

impl FromStr for Span {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let error = || unit_error(text, Self::EXPECTED);
        let mut rest = text.trim();
        if rest == "0" {
            return Ok(Self::default());
        }
        let mut seconds = 0.0;
        while !rest.is_empty() {
            let (number, tail) = number_and_unit(rest).ok_or_else(error)?;
            let unit_end = tail.find(|c: char| c.is_ascii_digit()).unwrap_or(tail.len());
            let unit = tail[..unit_end].trim();
            let scale = Self::UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(error)?.1;
            seconds += number * scale;
            rest = &tail[unit_end..];
        }
        if text.trim().is_empty() {
            return Err(error());
        }
        // Rounded to the nanosecond: 0.3 s must not become 299.999999 ms.
        let nanos = (seconds * 1e9).round();
        if nanos >= i64::MAX as f64 { Err(error()) } else { Ok(Self(Duration::from_nanos(nanos as u64))) }
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs_f64();
        let (scale, unit) = match seconds {
            0.0 => return f.write_str("0s"),
            s if s >= 3600.0 && s % 3600.0 == 0.0 => (3600.0, "h"),
            s if s >= 60.0 && s % 60.0 == 0.0 => (60.0, "m"),
            s if s >= 1.0 => (1.0, "s"),
            s if s >= 1e-3 => (1e-3, "ms"),
            _ => (1e-6, "us"),
        };
        write!(f, "{}{unit}", plain(seconds / scale))
    }
}

/// Events per second: `"1000/s"`, `"90/min"`, `"5000/h"`.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Default)]
pub struct Rate(pub f64);

impl FromStr for Rate {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let error = || unit_error(text, "a rate like \"1000/s\" or \"90/min\"");
        let (number, unit) = number_and_unit(text).ok_or_else(error)?;
        match unit {
            "/s" => Ok(Self(number)),
            "/min" | "/m" => Ok(Self(number / 60.0)),
            "/h" => Ok(Self(number / 3600.0)),
            _ => Err(error()),
        }
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/s", plain(self.0))
    }
}

/// An amount of bytes: `"512B"`, `"50KB"` (1,000), `"1KiB"` (1,024), `"256MB"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Bytes(pub u64);

impl FromStr for Bytes {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let error = || unit_error(text, "an amount of bytes like \"512B\", \"50KB\" or \"1KiB\"");
        let (number, unit) = number_and_unit(text).ok_or_else(error)?;
        let scale = match unit {
            "B" => 1u64,
            "KB" | "kB" => 1_000,
            "MB" => 1_000_000,
            "GB" => 1_000_000_000,
            "KiB" => 1 << 10,
            "MiB" => 1 << 20,
            "GiB" => 1 << 30,
            _ => return Err(error()),
        };
        Ok(Self((number * scale as f64).round() as u64))
    }
}

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (scale, unit) in [
            (1u64 << 30, "GiB"),
            (1_000_000_000, "GB"),
            (1 << 20, "MiB"),
            (1_000_000, "MB"),
            (1 << 10, "KiB"),
            (1_000, "KB"),
        ] {
            if self.0 >= scale && self.0.is_multiple_of(scale) {
                return write!(f, "{}{unit}", self.0 / scale);
            }
        }
        write!(f, "{}B", self.0)
    }
}

/// A share of a whole: `"1%"` is 0.01. Between 0 % and 100 %.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Default)]
pub struct Share(pub f64);

impl FromStr for Share {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        match number_and_unit(text) {
            Some((number, "%")) if number <= 100.0 => Ok(Self(number / 100.0)),
            _ => Err(unit_error(text, "a share like \"1%\", at most \"100%\"")),
        }
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}%", plain(self.0 * 100.0))
    }
}

/// Lets a type that has a text form be written as that text in TOML and JSON, and documented in the JSON Schema.
macro_rules! as_text {
    ($type:ty, $name:literal, $pattern:literal, $example:literal) => {
        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Text;
                impl serde::de::Visitor<'_> for Text {
                    type Value = $type;
                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str(concat!("text like \"", $example, "\""))
                    }
                    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<$type, E> {
                        text.parse().map_err(E::custom)
                    }
                }
                deserializer.deserialize_str(Text)
            }
        }

        impl schemars::JsonSchema for $type {
            fn schema_name() -> Cow<'static, str> {
                $name.into()
            }
            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({ "type": "string", "pattern": $pattern, "examples": [$example] })
            }
        }
    };
}

as_text!(Span, "Span", r"^(0|(\s*[0-9.]+\s*(us|µs|ms|s|m|h))+)$", "5s");
as_text!(Rate, "Rate", r"^\s*[0-9.]+\s*/(s|min|m|h)$", "1000/s");
as_text!(Bytes, "Bytes", r"^\s*[0-9.]+\s*(B|KB|kB|MB|GB|KiB|MiB|GiB)$", "50KB");
as_text!(Share, "Share", r"^\s*[0-9.]+\s*%$", "1%");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read_in_every_unit() {
        for (text, ms) in [("250ms", 250), ("5s", 5_000), ("1m30s", 90_000), ("1h", 3_600_000), ("0.3s", 300), ("0", 0)]
        {
            assert_eq!(text.parse::<Span>(), Ok(Span::millis(ms)), "{text}");
        }
        assert_eq!("40us".parse::<Span>(), Ok(Span(Duration::from_micros(40))));
    }

    #[test]
    fn a_wrong_unit_is_refused_with_what_would_be_right() {
        for text in ["5 parsecs", "-5s", "5", "", "s", "5s5", "1e3s"] {
            let error = text.parse::<Span>().unwrap_err().to_string();
            assert!(error.contains("a length of time like"), "{text}: {error}");
        }
        assert!("1000".parse::<Rate>().is_err());
        assert!("1000/fortnight".parse::<Rate>().is_err());
        assert!("101%".parse::<Share>().is_err());
        assert!("50kb".parse::<Bytes>().is_err());
    }

    #[test]
    fn what_is_printed_is_read_back() {
        for text in ["250ms", "5s", "90s", "1h", "24h", "1.5s", "40us", "0s"] {
            assert_eq!(text.parse::<Span>().unwrap().to_string(), text);
        }
        for text in ["512B", "50KB", "1KiB", "256MB", "64MiB"] {
            assert_eq!(text.parse::<Bytes>().unwrap().to_string(), text);
        }
        assert_eq!("90/min".parse::<Rate>().unwrap().to_string(), "1.5/s");
        assert_eq!("0.1%".parse::<Share>().unwrap().to_string(), "0.1%");
    }
}
