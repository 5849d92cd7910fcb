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

/// Splits `"1.5ms"` into its number, digits with at most one point, and its unit.
fn number_and_unit(text: &str) -> Option<(&str, &str)> {
    let text = text.trim();
    let end = text.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    number.parse::<f64>().ok().filter(|n| n.is_finite())?;
    Some((number, unit.trim()))
}

/// `number` times `scale`, to the nearest whole number; `None` if that does not fit. Not by way of a float, which keeps
/// sixteen digits: what is printed must be read back the same.
fn whole(number: &str, scale: u64) -> Option<u64> {
    /// Further digits are worth less than any unit.
    const DIGITS: usize = 18;
    let (before, after) = number.split_once('.').unwrap_or((number, ""));
    let after = &after[..after.len().min(DIGITS)];
    let digits = |text: &str| if text.is_empty() { Ok(0) } else { text.parse::<u64>().map(u128::from) };
    let (scale, one) = (u128::from(scale), 10_u128.pow(after.len() as u32));
    let total = digits(before).ok()? * scale + (digits(after).ok()? * scale + one / 2) / one;
    u64::try_from(total).ok()
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
    /// Each unit in nanoseconds; the first name of several is the one that is printed.
    const UNITS: [(&'static str, u64); 6] = [
        ("h", 3_600_000_000_000),
        ("m", 60_000_000_000),
        ("s", 1_000_000_000),
        ("ms", 1_000_000),
        ("us", 1_000),
        ("µs", 1_000),
    ];

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
        let mut nanos = 0_u64;
        while !rest.is_empty() {
            let (number, tail) = number_and_unit(rest).ok_or_else(error)?;
            let unit_end = tail.find(|c: char| c.is_ascii_digit()).unwrap_or(tail.len());
            let unit = tail[..unit_end].trim();
            let scale = Self::UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(error)?.1;
            nanos = whole(number, scale).and_then(|part| nanos.checked_add(part)).ok_or_else(error)?;
            rest = &tail[unit_end..];
        }
        if text.trim().is_empty() || i64::try_from(nanos).is_err() {
            return Err(error());
        }
        Ok(Self(Duration::from_nanos(nanos)))
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanos = self.0.as_nanos();
        if nanos == 0 {
            return f.write_str("0s");
        }
        // Hours and minutes have no decimals: a third of one has no end.
        let fits = |(name, unit): &&(&str, u64)| {
            let unit = u128::from(*unit);
            if matches!(*name, "h" | "m") { nanos.is_multiple_of(unit) } else { nanos >= unit }
        };
        let (name, unit) = *Self::UNITS.iter().find(fits).unwrap_or(&("us", 1_000));
        let (whole, rest) = (nanos / u128::from(unit), nanos % u128::from(unit));
        match rest {
            0 => write!(f, "{whole}{name}"),
            rest => {
                let decimals = format!("{rest:0digits$}", digits = unit.ilog10() as usize);
                write!(f, "{whole}.{}{name}", decimals.trim_end_matches('0'))
            }
        }
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
        let number: f64 = number.parse().map_err(|_| error())?;
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
        // A rate a minute or an hour may have no end a second.
        for (scale, unit) in [(1.0, "s"), (60.0, "min"), (3600.0, "h")] {
            let text = format!("{}/{unit}", plain(self.0 * scale));
            if text.parse() == Ok(*self) {
                return f.write_str(&text);
            }
        }
        write!(f, "{}/s", self.0)
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
        whole(number, scale).map(Self).ok_or_else(error)
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
        let hundredths =
            number_and_unit(text).filter(|(_, unit)| *unit == "%").map(|(number, _)| format!("{number}e-2"));
        match hundredths.and_then(|number| number.parse::<f64>().ok()) {
            Some(share) if share <= 1.0 => Ok(Self(share)),
            _ => Err(unit_error(text, "a share like \"1%\", at most \"100%\"")),
        }
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = format!("{}%", plain(self.0 * 100.0));
        if text.parse() == Ok(*self) {
            return f.write_str(&text);
        }
        // Every digit, with the point two places further on: a product would be rounded.
        let digits = self.0.to_string();
        let (before, after) = digits.split_once('.').unwrap_or((&digits, ""));
        let shifted = format!("{before}{after:0<2}");
        let (percent, rest) = shifted.split_at(before.len() + 2);
        let percent = percent.trim_start_matches('0');
        let percent = if percent.is_empty() { "0" } else { percent };
        let point = if rest.is_empty() { "" } else { "." };
        write!(f, "{percent}{point}{rest}%")
    }
}

/// Lets a type that has a text form be written as that text in TOML and JSON, and documented in the JSON Schema.
macro_rules! as_text {
    ($type:ty, $name:literal, $pattern:literal, $example:literal) => {
        impl $type {
            /// Its text as a regular expression.
            pub(crate) const PATTERN: &str = $pattern;
        }

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

as_text!(Span, "Span", r"^(\s*0\s*|(\s*([0-9]+\.?[0-9]*|\.[0-9]+)\s*(us|µs|ms|s|m|h)\s*)+)$", "5s");
as_text!(Rate, "Rate", r"^\s*([0-9]+\.?[0-9]*|\.[0-9]+)\s*/(s|min|m|h)\s*$", "1000/s");
as_text!(Bytes, "Bytes", r"^\s*([0-9]+\.?[0-9]*|\.[0-9]+)\s*(B|KB|kB|MB|GB|KiB|MiB|GiB)\s*$", "50KB");
as_text!(Share, "Share", r"^\s*(0*100(\.0*)?|0*[0-9]{1,2}(\.[0-9]*)?|\.[0-9]+)\s*%\s*$", "1%");

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

    #[test]
    fn what_is_longer_or_larger_than_can_be_counted_is_refused() {
        assert!("2562047h".parse::<Span>().is_ok() && "2562048h".parse::<Span>().is_err());
        assert!("99999999999999999999999h".parse::<Span>().is_err());
        assert_eq!("18446744073709551615B".parse(), Ok(Bytes(u64::MAX)));
        assert!("18446744073709551616B".parse::<Bytes>().is_err() && "17179869184GiB".parse::<Bytes>().is_err());
    }

    #[test]
    fn no_digit_is_lost() {
        let printed = |span: Duration| Span(span).to_string();
        assert_eq!(printed(Duration::new(3600, 1)), "3600.000000001s");
        assert_eq!(printed(Duration::from_nanos(1)), "0.001us");
        assert_eq!("1/h".parse::<Rate>().unwrap().to_string(), "1/h");
        assert_eq!("100/min".parse::<Rate>().unwrap().to_string(), "100/min");
        assert_eq!("0.00000012%".parse::<Share>().unwrap().to_string(), "0.00000012%");
        assert_eq!("9007199254740993B".parse(), Ok(Bytes(9_007_199_254_740_993)));
    }

    /// `value` is printed such that it is read back the same.
    fn reads_back<T: FromStr<Err = UnitError> + fmt::Display + fmt::Debug + PartialEq>(value: T) {
        let text = value.to_string();
        assert_eq!(text.parse(), Ok(value), "{text}");
    }

    /// Whatever `text` is read as is read back the same.
    fn read<T: FromStr<Err = UnitError> + fmt::Display + fmt::Debug + PartialEq>(text: &str) {
        match text.parse::<T>() {
            Ok(value) => reads_back(value),
            Err(error) => assert!(error.to_string().contains(" like "), "{error}"),
        }
    }

    #[test]
    fn any_quantity_is_refused_or_printed_such_that_it_is_read_back() {
        let words = ["us", "µs", "ms", "s", "m", "h", "/s", "/min", "/h", "B", "KB", "GiB", "%", ".", "0", " ", "e9"];
        firedrill_fuzz::fuzz("units", &words, |input| {
            let text = String::from_utf8_lossy(input);
            for line in text.lines() {
                read::<Span>(line);
                read::<Rate>(line);
                read::<Bytes>(line);
                read::<Share>(line);
            }
            // Also what no text was read as.
            for eight in input.as_chunks::<8>().0 {
                let number = u64::from_le_bytes(*eight);
                reads_back(Span(Duration::from_nanos(number >> 1)));
                reads_back(Bytes(number));
                let float = f64::from_bits(number >> 1);
                if float.is_finite() {
                    reads_back(Rate(float));
                }
                reads_back(Share(float.fract().max(0.0)));
            }
        });
    }
}
