//! Parses and validates a scenario.

use std::path::Path;

use firedrill_reports::text;
use toml::Spanned;
use toml::de::{DeTable, DeValue};
use toml_edit::DocumentMut;

use super::application::folder_of;
use super::depth::too_deep;
use super::error::{Found, Problem, ScenarioError};
use super::model::{RedisSpec, Scenario};
use super::overrides::Override;
use super::place::place;
use super::read_all::read_all;
use super::replay::include_recordings;
use super::source::Source;
use super::validate::problems;
use crate::fault::FaultSpec;
use crate::lab::directives::RedisConf;
use crate::nearest::did_you_mean_in;
use crate::targets::TargetKind;

/// Parses a scenario and applies the command line's overrides.
///
/// # Errors
/// The first syntax error; or every key, type or unit that is wrong; or every [`Problem`] that validation finds. Each has its
/// position, and they are in the text's order.
pub fn parse(source: &Source, overrides: &[Override]) -> Result<Scenario, ScenarioError> {
    parse_with(source, overrides, |_| {})
}

/// Like [`parse`], with `adapt` applied before validation.
///
/// # Errors
/// Same as [`parse`].
pub fn parse_with(
    source: &Source,
    overrides: &[Override],
    adapt: impl FnOnce(&mut Scenario),
) -> Result<Scenario, ScenarioError> {
    let file = Path::new(&source.name);
    if let Some(place) = too_deep(&source.text) {
        none(source, vec![("this is nested deeper than any key of a scenario".to_owned(), Some(place), None)])?;
    }
    let source = &overridden(source, overrides)?;
    let mut document = DeTable::parse(&source.text).map_err(|error| {
        ScenarioError::Invalid(Box::new(source.error(error.message().to_owned(), error.span(), None)))
    })?;
    let names_kind = document.get_ref().get("target").and_then(|table| table.get_ref().get("kind")).is_some();
    // Each kind of fault parses its own table, so that an error points at the exact key.
    let tables = match document.get_ref().get("fault").map(Spanned::get_ref) {
        Some(DeValue::Array(_)) => document.get_mut().remove("fault"),
        // Anything else is rejected like any key of a wrong type.
        _ => None,
    };
    let (scenario, mut errors) = read_all(document);
    let faults = faults(tables, &mut errors);
    none(source, errors)?;
    let Some(mut scenario) = scenario else {
        return Err(ScenarioError::Invalid(Box::new(source.error("this is not a scenario".to_owned(), None, None))));
    };
    scenario.fault = faults;
    if let Some(app) = &mut scenario.app {
        let dir = folder_of(file).join(app.dir.take().unwrap_or_default());
        app.dir = app.url.is_none().then(|| std::path::absolute(&dir).unwrap_or(dir));
        if !names_kind {
            scenario.target.kind = TargetKind::described();
        }
    }
    let refused = |problem: Problem| {
        let error = source.error(problem.message.clone(), place(&source.text, &problem), Some(problem.help));
        ScenarioError::Invalid(Box::new(error))
    };
    let folder = file.parent().unwrap_or(Path::new(""));
    include_config(&mut scenario.lab.redis, folder).map_err(|message| {
        refused(Problem::at("lab.redis.config", message, "a path relative to the scenario's file"))
    })?;
    include_recordings(&mut scenario.load, folder).map_err(refused)?;
    adapt(&mut scenario);
    let shown = problems(&scenario).into_iter();
    let shown = shown.map(|problem| (problem.message.clone(), place(&source.text, &problem), Some(problem.help)));
    none(source, shown.collect()).map(|()| scenario)
}

/// Reads the redis.conf that a scenario in `folder` names, and puts its directives before the scenario's own.
fn include_config(redis: &mut RedisSpec, folder: &Path) -> Result<(), String> {
    let Some(file) = redis.config.take() else { return Ok(()) };
    let path = folder.join(file);
    let wrong = |reason: String| format!("{}: {reason}", path.display());
    let text = std::fs::read_to_string(&path).map_err(|error| wrong(error.to_string()))?;
    let RedisConf { mut directives, left_out } = RedisConf::read(&text).map_err(wrong)?;
    if !left_out.is_empty() {
        tracing::warn!(file = %path.display(), left_out = %left_out.join(", "), "the lab decides these directives itself");
    }
    directives.append(&mut redis.directives);
    redis.directives = directives;
    Ok(())
}

/// The faults of a scenario; those that cannot be read leave an error.
fn faults(tables: Option<Spanned<DeValue<'_>>>, errors: &mut Vec<Found>) -> Vec<FaultSpec> {
    let Some(DeValue::Array(tables)) = tables.map(Spanned::into_inner) else { return Vec::new() };
    let mut specs = Vec::new();
    for table in tables {
        match FaultSpec::read(table) {
            Ok(spec) => specs.push(spec),
            Err(error) => {
                let message = error.to_string();
                let explained = || "`firedrill list --faults` shows every kind and its parameters".to_owned();
                let help = did_you_mean_in(&message).unwrap_or_else(explained);
                errors.push((message, error.span(), Some(help)));
            }
        }
    }
    specs
}

/// The most errors that are shown together. Each holds the text, and nobody reads more.
const MOST_SHOWN: usize = 20;

/// `Ok` without `errors`; otherwise the first error in the text, with the others attached in the text's order.
fn none(source: &Source, mut errors: Vec<Found>) -> Result<(), ScenarioError> {
    errors.sort_by_key(|(_, span, _)| span.as_ref().map_or(usize::MAX, |span| span.start));
    let hidden = errors.len().saturating_sub(MOST_SHOWN);
    errors.truncate(MOST_SHOWN);
    if hidden > 0 {
        errors.push((format!("and {} more", text::counted(hidden as u64, "problem")), None, None));
    }
    let mut shown = errors.into_iter().map(|(message, span, help)| source.error(message, span, help));
    let Some(mut first) = shown.next() else { return Ok(()) };
    first.others = shown.collect();
    Err(ScenarioError::Invalid(Box::new(first)))
}

/// The text with the overrides applied, so that an error in an override is shown in its context.
fn overridden(source: &Source, overrides: &[Override]) -> Result<Source, ScenarioError> {
    let (applications, sets): (Vec<&Override>, Vec<&Override>) =
        overrides.iter().partition(|change| change.is_application());
    // The scenario comes first, then its application, then what may change both.
    let shipped = (applications.is_empty() && source.is_for_any_application()).then(Override::session_server);
    let changes: Vec<&Override> = shipped.iter().chain(applications.iter().copied()).chain(sets).collect();
    if changes.is_empty() {
        return Ok(source.clone());
    }
    let mut document: DocumentMut = source.text.parse().map_err(|error: toml_edit::TomlError| {
        ScenarioError::Invalid(Box::new(source.error(error.message().to_owned(), error.span(), None)))
    })?;
    changes.iter().try_for_each(|change| change.apply(&mut document))?;
    let mut flags: Vec<&str> = overrides.iter().map(|change| change.flag().0).collect();
    flags.sort_unstable();
    flags.dedup();
    let with = if flags.is_empty() { String::new() } else { format!(" (with {})", flags.join(" and ")) };
    Ok(Source { name: format!("{}{with}", source.name), text: document.to_string() })
}

#[cfg(test)]
mod tests {
    use super::super::load_model::Mix;
    use super::super::refused::SOUND;
    use super::*;

    fn parsed(text: &str) -> Result<Scenario, ScenarioError> {
        parse(&Source { name: "x.toml".to_owned(), text: text.to_owned() }, &[])
    }

    /// The message and the text that the caret points at.
    fn error_of(text: &str) -> (String, String) {
        match parsed(text) {
            Err(ScenarioError::Invalid(error)) => {
                let span = error.span.expect("a place in the file");
                (error.message, text[span.offset()..span.offset() + span.len()].to_owned())
            }
            other => panic!("expected an error with a place, got {other:?}"),
        }
    }

    #[test]
    fn a_short_scenario_gets_the_defaults() {
        let scenario = parsed(SOUND).unwrap();
        assert_eq!(scenario.store.ttl.to_string(), "1h");
        assert_eq!(scenario.store.policy.to_string(), "drain");
        assert_eq!(scenario.load[0].sessions, 100);
        assert_eq!(scenario.load[0].mix, Mix::default());
    }

    #[test]
    fn what_is_written_out_is_read_back_the_same() {
        let scenario = parsed(SOUND).unwrap();
        let text = toml::to_string(&scenario).unwrap();
        assert_eq!(parsed(&text).unwrap(), scenario);
    }

    #[test]
    fn a_redis_conf_beside_the_scenario_gives_its_directives_before_the_scenarios_own() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("redis.conf"), "port 6379\ntimeout 300\nmaxmemory-policy allkeys-lru\n")
            .unwrap();
        let text = format!("{SOUND}\n[lab.redis]\nconfig = \"redis.conf\"\ndirectives = [\"timeout 5\"]\n");
        let name = folder.path().join("x.toml").display().to_string();
        let redis = parse(&Source { name, text: text.clone() }, &[]).unwrap().lab.redis;
        assert_eq!(redis.directives, ["timeout 300", "maxmemory-policy allkeys-lru", "timeout 5"]);
        assert_eq!(redis.config, None, "what is written out needs no file");

        let (message, place) = error_of(&text);
        assert!(message.starts_with("redis.conf: "), "{message}");
        assert_eq!(place, "\"redis.conf\"");
    }

    #[test]
    fn a_directive_that_the_lab_decides_is_refused_in_its_place() {
        let (message, place) =
            error_of(&format!("{SOUND}\n[lab.redis]\ndirectives = [\"timeout 5\", \"port 6379\"]\n"));
        assert!(message.contains("`port` is not yours to set"), "{message}");
        assert!(place.contains("port 6379"), "{place}");
    }

    #[test]
    fn a_misspelt_key_is_named_in_its_place() {
        let (message, place) = error_of(&SOUND.replace("rate =", "rat ="));
        assert!(message.starts_with("unknown field `rat`"), "{message}");
        assert_eq!(place, "rat");
    }

    #[test]
    fn a_wrong_unit_is_named_in_its_place() {
        let (message, place) = error_of(&SOUND.replace("\"5s\"", "\"5 parsecs\""));
        assert_eq!(message, "`5 parsecs` is not a length of time like \"250ms\", \"5s\", \"1m30s\" or \"1h\"");
        assert_eq!(place, "\"5 parsecs\"");
    }

    #[test]
    fn an_impossible_time_is_named_in_its_place() {
        let (message, place) = error_of(&SOUND.replace("for  = \"2s\"", "for  = \"0s\""));
        assert_eq!(message, "`for` must be longer than zero");
        assert_eq!(place, "\"0s\"");
    }

    #[test]
    fn a_payload_that_no_redis_can_hold_is_named_in_its_place() {
        let (message, place) = error_of(&SOUND.replace("for  = \"5s\"", "for  = \"5s\"\npayload = \"513MiB\""));
        assert_eq!(message, "a Redis value holds 512 MiB at most");
        assert_eq!(place, "\"513MiB\"");
        let (_, place) = error_of(
            &SOUND.replace("rate = \"100/s\"", "rate = \"100/s\"\npayload.min = \"1B\"\npayload.max = \"5GB\""),
        );
        assert!(place.contains("payload") || place.contains("5GB"), "{place}");
    }

    #[test]
    fn a_size_a_pause_or_a_cap_that_makes_no_sense_is_refused() {
        let load = |keys: &str| SOUND.replace("for  = \"5s\"", &format!("for  = \"5s\"\n{keys}"));
        let (message, _) = error_of(&load("payload = { median = \"0B\", sigma = 1.0, max = \"1KB\" }"));
        assert!(message.contains("a median above 0B"), "{message}");
        let (message, _) = error_of(&load("payload = { median = \"1KB\", sigma = 1.0, most = \"1KB\" }"));
        assert!(message.contains("payload") || message.contains("variant"), "{message}");
        let (message, place) = error_of(&load("rate_cap = \"9/s\""));
        assert_eq!((message.as_str(), place.as_str()), ("only a load with `users` has a rate cap", "\"9/s\""));
        let (message, _) = error_of(&load("think = { constant = \"1s\" }"));
        assert_eq!(message, "only a load with `users` has a think time");
    }

    #[test]
    fn a_gate_that_nothing_measures_is_named_in_its_place() {
        let (message, place) = error_of(&SOUND.replace("during.errors", "during.eror"));
        assert!(message.contains("during.eror"), "{message}");
        assert_eq!(place, "\"during.eror\"");
    }

    #[test]
    fn a_situation_that_cannot_be_is_named_in_its_place() {
        let with = |situation: &str| SOUND.replace("[gates]", &format!("[situations]\n{situation}\n[gates]"));
        let scenario = parsed(&with("\"unknown.append\" = \">= 10\"")).unwrap();
        assert_eq!(parsed(&toml::to_string(&scenario).unwrap()).unwrap(), scenario);
        let (message, place) = error_of(&with("\"unknown.appends\" = \">= 10\""));
        assert_eq!(
            (message.as_str(), place.as_str()),
            ("nothing is measured as `unknown.appends`", "\"unknown.appends\"")
        );
        let (message, place) = error_of(&with("conflicts = \"<= 10\""));
        assert!(
            message.starts_with("`<= 10` makes no sense for `conflicts`: a situation states a minimum"),
            "{message}"
        );
        assert_eq!(place, "\"<= 10\"");
        let (message, place) = error_of(&with("\"after-destroy.read\" = \">= 1\""));
        assert_eq!((message.as_str(), place.as_str()), ("no load has the operation destroy", "\"after-destroy.read\""));
        let (message, _) = error_of(
            &with("\"taken-over.read\" = \">= 1\"\n[target]\nkind = \"redis\"")
                .replace("rate = ", "mix = { read = 1 }\nrate = "),
        );
        assert!(message.contains("does not report what its fallback does"), "{message}");
    }

    #[test]
    fn a_fault_that_takes_sessions_away_is_refused_where_the_store_would_be_blamed_for_it() {
        let fault = "kind = \"keys.delete\"\nshare = \"10%\"\nat = \"1s\"\nfor = \"1s\"";
        let with = |checks: &str| {
            format!(
                "name = \"x\"\nabout = \"x\"\n[[load]]\nrate = \"9/s\"\nfor = \"5s\"\n[[fault]]\n{fault}\n[checks]\n{checks}"
            )
        };
        let four = "lost-writes = \"report\"\nread-your-writes = \"report\"\nmonotonic-reads = \"report\"\n\
                    stale-reads = \"report\"\n";
        let (message, place) = error_of(&with(four));
        assert!(message.starts_with("keys.delete removes acknowledged data"), "{message}");
        assert_eq!(place, "\"keys.delete\"");
        assert!(error_of(&with(&format!("{four}ttl = \"valid\""))).0.starts_with("keys.delete removes"));
        parsed(&with(&format!("{four}ttl = \"report\""))).unwrap();
    }

    #[test]
    fn a_fault_that_would_begin_after_the_load_is_named_in_its_place() {
        let with = |at: &str| SOUND.replace("at   = \"1s\"", &format!("at   = \"{at}\""));
        let (message, place) = error_of(&with("5s"));
        assert_eq!((message.as_str(), place.as_str()), ("the load has ended by then", "\"5s\""));
        parsed(&with("4900ms")).unwrap();
    }

    #[test]
    fn a_deploy_that_cannot_be_is_named_in_its_place() {
        let with = |deploys: &str| SOUND.replace("[[fault]]", &format!("{deploys}\n[[fault]]"));
        let deploy = |at: &str, policy: &str| format!("[[deploy]]\nat = \"{at}\"\npolicy = \"{policy}\"\n");
        parsed(&with(&[deploy("1s", "dual-write"), deploy("2s", "fail-fast")].concat())).unwrap();
        let (message, place) = error_of(&with(&deploy("1s", "forced")));
        assert!(message.contains("unknown variant `forced`"), "{message}");
        assert_eq!(place, "\"forced\"");
        let (message, place) = error_of(&with(&deploy("5s", "degrade")));
        assert_eq!((message.as_str(), place.as_str()), ("the load has ended by then", "\"5s\""));
        let (message, place) = error_of(&with(&[deploy("2s", "degrade"), deploy("1s", "drain")].concat()));
        assert_eq!((message.as_str(), place.as_str()), ("deploys must be in order of time", "\"1s\""));
        let (message, place) = error_of(&with(&deploy("1s", "memory")));
        assert!(message.starts_with("a rebuilt store has no session"), "{message}");
        assert_eq!(place, "\"memory\"");
        parsed(&with(&deploy("1s", "memory")).replace("[gates]", "[store]\nfinal_reads = \"living\"\n[gates]"))
            .unwrap();
    }

    #[test]
    fn what_a_topology_cannot_have_is_named_in_its_place() {
        let with = |lab: &str| SOUND.replace("[[load]]", &format!("[lab]\n{lab}\n[[load]]"));
        let (message, place) = error_of(&with("topology = \"ring\""));
        assert!(message.contains("unknown variant `ring`"), "{message}");
        assert_eq!(place, "\"ring\"");
        let (message, place) = error_of(&with("topology = \"sentinel\""));
        assert!(message.starts_with("proxy.down removes acknowledged data"), "{message}");
        assert_eq!(place, "\"proxy.down\"");
        parsed(&with("topology = \"cluster\"")).unwrap();
        let (message, place) = error_of(&with("topology = \"sentinel\"").replace("proxy.down", "server.oom"));
        assert!(message.starts_with("it would hit one server and then move"), "{message}");
        assert_eq!(place, "\"server.oom\"");
        let (message, place) = error_of(&with("topology = \"tls\"\nkind = \"docker\""));
        assert_eq!((message.as_str(), place.as_str()), ("a container runs one server", "\"tls\""));
        let (message, _) = error_of(&with("topology = \"tls\"").replace("proxy.down", "server.oom"));
        assert_eq!(message, "this fault needs more rights than the store's ACL user has here");
        let kill = with("topology = \"cluster\"").replace("proxy.down", "process.kill");
        let (message, place) = error_of(&kill);
        assert!(message.starts_with("process.kill removes acknowledged data"), "{message}");
        assert_eq!(place, "\"process.kill\"");
        parsed(&with("topology = \"tls\"")).unwrap();
        let at_commands =
            with("topology = \"tls\"").replace("\"proxy.down\"", "\"proxy.reset_peer\"\non = { command = \"SET\" }");
        let (message, place) = error_of(&at_commands);
        assert!(message.starts_with("over TLS the proxy sees no commands"), "{message}");
        assert_eq!(place, "{ command = \"SET\" }");
        parsed(&at_commands.replace("command = \"SET\"", "state = \"draining\"")).unwrap();
        parsed(&with("topology = \"replica\"")).unwrap();
    }

    #[test]
    fn a_state_that_the_target_does_not_report_is_refused_in_its_place() {
        for (target, state, reason) in [
            ("redis", "draining", "the redis target does not report what its fallback does"),
            ("null", "breaker-open", "the null target does not report when its circuit breaker opens"),
        ] {
            let on = format!("{{ state = \"{state}\" }}");
            let text = SOUND
                .replace("[gates]", &format!("[target]\nkind = \"{target}\"\n[gates]"))
                .replace("rate = ", "mix = { read = 1 }\nrate = ")
                .replace("\"proxy.down\"", &format!("\"proxy.down\"\non = {on}"));
            assert_eq!(error_of(&text), (reason.to_owned(), on));
        }
    }

    #[test]
    fn a_breaker_that_cannot_be_is_named_in_its_place() {
        let with = |breaker: &str| SOUND.replace("[gates]", &format!("[store]\nbreaker = {breaker}\n[gates]"));
        let scenario = parsed(&with("{ open-for = \"2s\" }")).unwrap();
        let breaker = scenario.store.breaker.unwrap().config();
        assert_eq!((breaker.failures, breaker.open_for.as_secs(), breaker.probes), (5, 2, 1));
        let (message, place) = error_of(&with("{ probes = 0 }"));
        assert_eq!((message.as_str(), place.as_str()), ("without a probe it would never close", "0"));
    }

    #[test]
    fn several_stores_need_a_target_that_has_them_and_are_not_too_many() {
        let with =
            |store: &str, target: &str| SOUND.replace("[gates]", &format!("[store]\n{store}\n{target}\n[gates]"));
        let scenario = parsed(&with("instances = 2\nrouting = \"round-robin\"", "")).unwrap();
        assert_eq!(scenario.store.instances.get(), 2);
        assert_eq!(parsed(&toml::to_string(&scenario).unwrap()).unwrap(), scenario);
        let (message, place) = error_of(&with("instances = 9", ""));
        assert_eq!((message.as_str(), place.as_str()), ("that many show nothing that fewer do not", "9"));
        assert!(parsed(&with("instances = 0", "")).is_err());
        let null = with("instances = 2", "[target]\nkind = \"null\"");
        let (message, place) =
            error_of(&null.replace("for  = \"5s\"", "for  = \"5s\"\nmix = { create = 1, read = 1 }"));
        assert!(message.contains("is one process in a drill"), "{message}");
        assert_eq!(place, "2");
    }

    #[test]
    fn a_fault_of_encrypted_values_needs_encryption() {
        let with = |store: &str| {
            SOUND.replace("kind = \"proxy.down\"", "kind = \"keys.plain\"\nshare = \"10%\"").replace("[gates]", store)
        };
        let (message, place) = error_of(&with("[gates]"));
        assert_eq!(message, "without encryption what it leaves is a session like any other");
        assert_eq!(place, "\"keys.plain\"");
        parsed(&with("[store]\nencryption = true\n[gates]")).unwrap();
    }

    #[test]
    fn a_gate_on_a_fault_needs_a_fault() {
        let start = SOUND.find("[[fault]]").unwrap();
        let end = SOUND.find("[gates]").unwrap();
        let (message, place) = error_of(&[&SOUND[..start], &SOUND[end..]].concat());
        assert_eq!(message, "`during.errors` measures what a fault does, and there is no fault");
        assert_eq!(place, "\"during.errors\"");
    }

    #[test]
    fn more_than_fits_into_memory_is_refused() {
        let (message, _) = error_of(&SOUND.replace("rate = \"100/s\"", "rate = \"100/s\"\nsessions = 2000000000"));
        assert_eq!(message, "that many sessions do not fit into memory");
    }

    #[test]
    fn an_override_is_checked_like_the_file() {
        let source = Source { name: "x.toml".to_owned(), text: SOUND.to_owned() };
        let scenario = parse(&source, &["load.rate=7/s".parse().unwrap()]).unwrap();
        assert_eq!(scenario.load[0].rate, Some(crate::units::Rate(7.0)));
        assert!(parse(&source, &["load.rate=7".parse().unwrap()]).is_err());
        assert!(parse(&source, &["store.polcy=drain".parse().unwrap()]).is_err());
    }
}
