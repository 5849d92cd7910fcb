//! Numbers as people read them. They are formatted in one place, so that the terminal, the report and the gates never
//! show the same value in two ways.

use std::time::{SystemTime, UNIX_EPOCH};

/// Three significant digits, without trailing zeros: `0.04`, `1.5`, `12.3`, `456`, `7890`.
pub fn number(value: f64) -> String {
    if !value.is_finite() {
        return "–".to_string();
    }
    let size = value.abs();
    if size != 0.0 && !(0.0001..1e15).contains(&size) {
        return format!("{value:.2e}");
    }
    let decimals = if size >= 99.95 || size == 0.0 {
        0
    } else {
        // log10 counts the digits before the point: two for 10 to 99.9, none for 0.1 to 0.99.
        (2 - size.log10().floor() as i32).clamp(0, 6) as usize
    };
    let fixed = format!("{value:.decimals$}");
    let short = if fixed.contains('.') { fixed.trim_end_matches('0').trim_end_matches('.') } else { &fixed };
    if short == "-0" { "0".to_string() } else { group_thousands(short) }
}

/// A whole number with separated groups of digits: `12 345`.
pub fn count(value: u64) -> String {
    group_thousands(&value.to_string())
}

/// A duration in milliseconds, shown in a suitable unit: `85 µs`, `1.2 ms`, `3.4 s`, `2 min 5 s`.
pub fn millis(ms: f64) -> String {
    if !ms.is_finite() {
        return "–".to_string();
    }
    let size = ms.abs();
    if size == 0.0 {
        "0 ms".to_string()
    } else if size < 0.9995 {
        format!("{} µs", number(ms * 1000.0))
    } else if size < 999.5 {
        format!("{} ms", number(ms))
    } else if size < 119_500.0 {
        format!("{} s", number(ms / 1000.0))
    } else {
        let seconds = (size / 1000.0).round();
        let sign = if ms < 0.0 { "-" } else { "" };
        let (minutes, rest) = ((seconds / 60.0).floor(), seconds % 60.0);
        if rest == 0.0 { format!("{sign}{minutes:.0} min") } else { format!("{sign}{minutes:.0} min {rest:.0} s") }
    }
}

/// A point in time on the drill's clock, in milliseconds: `6.01 s`. Always two decimals, so that times line up.
pub fn moment(ms: f64) -> String {
    if !ms.is_finite() {
        return "–".to_string();
    }
    format!("{} s", group_thousands(&format!("{:.2}", ms / 1000.0)))
}

/// A period on the drill's clock: `6.01 – 11.03 s`; `from 6.01 s` if its end is unknown.
pub fn window(from_ms: f64, to_ms: Option<f64>) -> String {
    match to_ms {
        Some(to) => format!("{} – {}", moment(from_ms).trim_end_matches(" s"), moment(to)),
        None => format!("from {}", moment(from_ms)),
    }
}

/// A fraction from 0 to 1 in percent: `0.4 %`.
pub fn percent(share: f64) -> String {
    format!("{} %", number(share * 100.0))
}

/// A number per second: `1 000/s`.
pub fn rate(per_second: f64) -> String {
    format!("{}/s", number(per_second))
}

/// A number of bytes in binary units: `48.5 MiB`.
pub fn bytes(value: f64) -> String {
    let mut value = value;
    for unit in ["B", "KiB", "MiB", "GiB"] {
        if value.abs() < 1024.0 {
            return format!("{} {unit}", number(value));
        }
        value /= 1024.0;
    }
    format!("{} TiB", number(value))
}

/// `count` and its noun, in the plural unless there is one: `1 key`, `2 keys`.
pub fn counted(count: u64, noun: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{} {noun}{plural}", self::count(count))
}

/// A time as RFC 3339 in UTC with milliseconds: `2025-03-09T12:34:56.789Z`. Times before 1970, which no run has, are
/// shown as its start.
pub fn rfc3339(moment: SystemTime) -> String {
    let since = moment.duration_since(UNIX_EPOCH).unwrap_or_default();
    let (days, second) = (since.as_secs() / 86_400, since.as_secs() % 86_400);
    let (year, month, day) = civil_date(days);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{:03}Z", since.subsec_millis())
}

/// Whether `text` has the form of [`rfc3339`]. Such texts sort by time.
pub fn is_rfc3339(text: &str) -> bool {
    const FORM: &[u8] = b"dddd-dd-ddTdd:dd:dd.dddZ";
    let fits = |(form, letter): (&u8, u8)| if *form == b'd' { letter.is_ascii_digit() } else { letter == *form };
    text.len() == FORM.len() && FORM.iter().zip(text.bytes()).all(fits)
}

/// Year, month and day of the `days`-th day after 1970-01-01: Howard Hinnant's `civil_from_days`
/// (<https://howardhinnant.github.io/date_algorithms.html>), for days that are not negative.
fn civil_date(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    (year, month, day)
}

/// Puts a no-break space between groups of three digits of the whole part, from five digits on.
fn group_thousands(number: &str) -> String {
    let (sign, rest) = match number.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", number),
    };
    let (whole, fraction) = match rest.find('.') {
        Some(point) => rest.split_at(point),
        None => (rest, ""),
    };
    if whole.len() < 5 {
        return number.to_string();
    }
    let mut grouped = String::with_capacity(number.len() + whole.len());
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index) % 3 == 0 {
            grouped.push('\u{a0}');
        }
        grouped.push(digit);
    }
    format!("{sign}{grouped}{fraction}")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn numbers_keep_three_significant_digits_and_no_trailing_zeros() {
        let cases = [
            (0.0, "0"),
            (0.00123, "0.00123"),
            (0.5, "0.5"),
            (1.0, "1"),
            (9.999, "10"),
            (12.34, "12.3"),
            (99.96, "100"),
            (456.7, "457"),
            (1000.4, "1000"),
            (12_345.6, "12\u{a0}346"),
            (-1_234_567.0, "-1\u{a0}234\u{a0}567"),
            (-0.000_01, "-1.00e-5"),
            (f64::NAN, "–"),
            (f64::INFINITY, "–"),
        ];
        for (value, text) in cases {
            assert_eq!(number(value), text, "{value}");
        }
    }

    #[test]
    fn durations_choose_the_unit_that_suits_them() {
        let cases = [
            (0.0, "0 ms"),
            (0.085, "85 µs"),
            (0.9999, "1 ms"),
            (50.12, "50.1 ms"),
            (999.0, "999 ms"),
            (999.9, "1 s"),
            (3456.0, "3.46 s"),
            (119_000.0, "119 s"),
            (120_000.0, "2 min"),
            (125_400.0, "2 min 5 s"),
            (-250.0, "-250 ms"),
        ];
        for (ms, text) in cases {
            assert_eq!(millis(ms), text, "{ms}");
        }
    }

    #[test]
    fn shares_rates_and_bytes_carry_their_unit() {
        assert_eq!(percent(0.004), "0.4 %");
        assert_eq!(percent(1.0), "100 %");
        assert_eq!(rate(1000.0), "1000/s");
        assert_eq!(bytes(1023.0), "1023 B");
        assert_eq!(bytes(50.0 * 1024.0), "50 KiB");
        assert_eq!(bytes(256.0 * 1024.0 * 1024.0), "256 MiB");
        assert_eq!(counted(1, "key"), "1 key");
        assert_eq!(counted(10_000, "key"), "10\u{a0}000 keys");
    }

    #[test]
    fn moments_and_windows_of_the_drill_line_up() {
        assert_eq!(moment(6012.0), "6.01 s");
        assert_eq!(moment(-500.0), "-0.50 s");
        assert_eq!(window(6012.0, Some(11_031.0)), "6.01 – 11.03 s");
        assert_eq!(window(6000.0, None), "from 6.00 s");
    }

    #[test]
    fn dates_are_written_in_utc_across_leap_days() {
        let at = |seconds| rfc3339(UNIX_EPOCH + Duration::from_millis(seconds));
        assert_eq!(at(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(at(951_782_400_000), "2000-02-29T00:00:00.000Z");
        assert_eq!(at(1_709_251_199_999), "2024-02-29T23:59:59.999Z");
        assert_eq!(at(1_767_225_600_123), "2026-01-01T00:00:00.123Z");
        assert_eq!(rfc3339(UNIX_EPOCH - Duration::from_secs(1)), "1970-01-01T00:00:00.000Z");
    }
}
