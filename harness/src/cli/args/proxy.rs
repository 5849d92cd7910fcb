//! The command line of `firedrill proxy`: that of `toxiproxy-server`, as Go's package flag reads it.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args as ClapArgs;

/// What the help says at its end.
pub(super) const HELP: &str = "\
The flags are those of toxiproxy-server, with one dash or two: -host, -port, -config, -seed,
-version, -proxy-metrics, -runtime-metrics. GET /metrics (Prometheus) is always served.";

#[derive(Debug, ClapArgs)]
pub struct ProxyArgs {
    /// Address that the HTTP API listens on; 0.0.0.0 for every interface, IPv4 and IPv6.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1")]
    pub host: String,
    /// Port of the HTTP API, by its number or its name.
    #[arg(long, value_name = "PORT", default_value = "8474")]
    pub port: String,
    /// JSON file with the initial proxies, in the format of POST /populate. One that is missing or wrong is reported, and
    /// the API is served.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Host name, besides localhost, that clients may use for an API on loopback. May be repeated.
    #[arg(long = "allow-host", value_name = "NAME", action = clap::ArgAction::Append)]
    pub allow_hosts: Vec<String>,
    /// Seed of jitter, packet sizes and toxicity. Default: a fresh one.
    #[arg(long, value_name = "N", value_parser = seed, allow_hyphen_values = true)]
    pub seed: Option<u64>,
    #[command(flatten)]
    pub switches: Switches,
}

/// Flags without a value, or with one after an equals sign: `-proxy-metrics=false`.
#[derive(Debug, ClapArgs)]
pub struct Switches {
    /// Print the version of Toxiproxy's API that it serves.
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, hide_default_value = true,
          default_value = "false", default_missing_value = "true", value_parser = switch)]
    pub version: bool,
    /// Accepted as by toxiproxy-server; the proxies' metrics are always served.
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, hide_default_value = true,
          default_value = "false", default_missing_value = "true", value_parser = switch)]
    pub proxy_metrics: bool,
    /// Report the process's CPU time, memory and file descriptors on GET /metrics too.
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, hide_default_value = true,
          default_value = "false", default_missing_value = "true", value_parser = switch)]
    pub runtime_metrics: bool,
}

/// toxiproxy-server's users write long flags with one dash: `firedrill proxy -port 8474`. A number such as -5 stays one.
pub fn with_two_dashes(words: impl Iterator<Item = OsString>) -> Vec<OsString> {
    let mut words: Vec<OsString> = words.collect();
    if words.get(1).is_some_and(|word| word == "proxy") {
        for word in &mut words[2..] {
            let text = word.to_string_lossy();
            let mut letters = text.chars();
            if letters.next() == Some('-')
                && letters.next().is_some_and(char::is_alphabetic)
                && letters.next().is_some()
            {
                *word = format!("-{text}").into();
            }
        }
    }
    words
}

/// A truth as Go's `strconv.ParseBool` reads it.
fn switch(text: &str) -> Result<bool, String> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
        _ => Err("expected true or false".to_owned()),
    }
}

/// An integer as Go's flags are: signed, and hexadecimal, octal or binary by its prefix. Unsigned ones of 64 bits are taken
/// too.
fn seed(text: &str) -> Result<u64, String> {
    let bad = || format!("expected an integer from {} to {}", i64::MIN, u64::MAX);
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let lower = digits.to_ascii_lowercase();
    let (radix, digits) = [("0x", 16), ("0b", 2), ("0o", 8), ("0", 8)]
        .into_iter()
        .find_map(|(prefix, radix)| Some((radix, lower.strip_prefix(prefix).filter(|rest| !rest.is_empty())?)))
        .unwrap_or((10, &lower));
    let number = i128::from_str_radix(&digits.replace('_', ""), radix).map_err(|_| bad())?;
    let number = if text.starts_with('-') { -number } else { number };
    i64::try_from(number).map(i64::cast_unsigned).or_else(|_| u64::try_from(number)).map_err(|_| bad())
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::super::{Args, Command};
    use super::*;

    fn parsed(words: &[&str]) -> Result<ProxyArgs, String> {
        let words = ["firedrill", "proxy"].iter().chain(words).map(OsString::from);
        match Args::try_parse_from(with_two_dashes(words)).map_err(|error| error.to_string())?.command {
            Command::Proxy(args) => Ok(args),
            other => Err(format!("{other:?}")),
        }
    }

    #[test]
    fn the_flags_may_have_one_dash() {
        let words = ["firedrill", "proxy", "-port", "8475", "-host=127.0.0.1", "--seed", "1", "-seed", "-1", "-h"];
        let expected =
            ["firedrill", "proxy", "--port", "8475", "--host=127.0.0.1", "--seed", "1", "--seed", "-1", "-h"];
        assert_eq!(with_two_dashes(words.iter().map(OsString::from)), expected);
        assert_eq!(
            with_two_dashes(["firedrill", "run", "-port"].iter().map(OsString::from)),
            ["firedrill", "run", "-port"]
        );
    }

    #[test]
    fn the_flags_of_toxiproxy_server_are_taken_as_go_takes_them() {
        let args = parsed(&["-host=", "-port", "http", "-config", "a.json", "-seed", "-5", "-config=b.json"]).unwrap();
        assert_eq!((args.host.as_str(), args.port.as_str(), args.seed), ("", "http", Some((-5_i64).cast_unsigned())));
        assert_eq!(args.config, Some("b.json".into()), "the last one counts");
        for (words, version, proxy, runtime) in [
            (&[][..], false, false, false),
            (&["-version", "-proxy-metrics", "-runtime-metrics"], true, true, true),
            (&["--version=T", "--proxy-metrics=1", "-runtime-metrics=FALSE"], true, true, false),
            (&["-proxy-metrics", "-proxy-metrics=false", "-runtime-metrics", "-port", "0"], false, false, true),
        ] {
            let switches = parsed(words).unwrap().switches;
            let seen = (switches.version, switches.proxy_metrics, switches.runtime_metrics);
            assert_eq!(seen, (version, proxy, runtime), "{words:?}");
        }
        for wrong in [&["-proxy-metrics=yes"][..], &["-seed", "x"], &["stray"], &["-port"], &["-unknown"]] {
            assert!(parsed(wrong).is_err(), "{wrong:?}");
        }
        let whole = parsed(&["-unknown"]).unwrap_err();
        assert!(whole.contains("'--unknown'"), "{whole}");
    }

    #[test]
    fn a_seed_is_an_integer_in_gos_notations() {
        for (text, expected) in [
            ("7", Some(7)),
            ("+7", Some(7)),
            ("0x1F", Some(31)),
            ("0b11", Some(3)),
            ("017", Some(15)),
            ("1_000", Some(1_000)),
            ("0", Some(0)),
            ("-1", Some(u64::MAX)),
            ("18446744073709551615", Some(u64::MAX)),
            ("18446744073709551616", None),
            ("1.5", None),
            ("", None),
        ] {
            assert_eq!(seed(text).ok(), expected, "{text:?}");
        }
    }
}
