//! How `[[fault]]` tables are parsed, rejected, written and described.

use super::super::registry::*;
use super::super::{DiskData, PauseMode, Stream};
use super::*;
use crate::units::{Bytes, Share};

fn read(table: &str) -> Result<FaultSpec, String> {
    table.parse().map_err(|error: FaultSpecError| error.to_string())
}

/// The error message, and the text it points at.
fn error_of(table: &str) -> (String, &str) {
    let error = table.parse::<FaultSpec>().unwrap_err();
    (error.to_string(), &table[error.span().unwrap()])
}

#[test]
fn every_kind_is_read_with_its_defaults() {
    let kind = |table: &str| read(&format!("{table}\nat = \"6s\"\nfor = \"5s\"")).unwrap().kind;
    assert_eq!(kind("kind = 'proxy.down'"), FaultKind::from(Down {}));
    assert_eq!(
        kind("kind = 'proxy.latency'\nlatency = '50ms'"),
        FaultKind::from(Latency { latency: Span::millis(50), jitter: Span::millis(0), stream: Stream::Downstream })
    );
    assert_eq!(
        kind("kind = 'proxy.timeout'"),
        FaultKind::from(Timeout { timeout: Span::millis(0), stream: Stream::Both })
    );
    assert_eq!(
        kind("kind = 'proxy.bandwidth'\nrate = 100\nstream = 'upstream'"),
        FaultKind::from(Bandwidth { rate: 100, stream: Stream::Upstream })
    );
    assert_eq!(
        kind("kind = 'proxy.slow_close'\ndelay = '2s'"),
        FaultKind::from(SlowClose { delay: Span::secs(2), stream: Stream::Downstream })
    );
    assert_eq!(
        kind("kind = 'proxy.reset_peer'"),
        FaultKind::from(ResetPeer { timeout: Span::millis(0), stream: Stream::Downstream })
    );
    assert_eq!(
        kind("kind = 'proxy.slicer'\nsize = '64B'"),
        FaultKind::from(Slicer {
            size: Bytes(64),
            variation: Bytes(0),
            delay: Span::millis(1),
            stream: Stream::Downstream
        })
    );
    assert_eq!(
        kind("kind = 'proxy.limit_data'\nbytes = '10KB'\nstream = 'both'"),
        FaultKind::from(LimitData { bytes: Bytes(10_000), stream: Stream::Both })
    );
    assert_eq!(kind("kind = 'keys.delete'\nshare = '20%'"), FaultKind::from(KeysDelete { share: Share(0.2) }));
    assert_eq!(kind("kind = 'keys.corrupt'\nshare = '5%'"), FaultKind::from(KeysCorrupt { share: Share(0.05) }));
    assert_eq!(kind("kind = 'process.kill'"), FaultKind::from(Kill { data: DiskData::Keep }));
    assert_eq!(kind("kind = 'process.kill'\ndata = 'lose'"), FaultKind::from(Kill { data: DiskData::Lose }));
    assert_eq!(kind("kind = 'process.stop'"), FaultKind::from(Stop {}));
    assert_eq!(kind("kind = 'server.readonly'"), FaultKind::from(Readonly {}));
    assert_eq!(kind("kind = 'server.oom'"), FaultKind::from(Oom {}));
    assert_eq!(kind("kind = 'server.auth'"), FaultKind::from(Auth { overlap: Span::default(), told: false }));
    assert_eq!(kind("kind = 'server.maxclients'"), FaultKind::from(MaxClients {}));
    assert_eq!(kind("kind = 'server.pause'"), FaultKind::from(Pause { mode: PauseMode::All }));
    assert_eq!(kind("kind = 'server.slow'"), FaultKind::from(Slow { busy: Span::millis(500) }));
    assert_eq!(kind("kind = 'server.idle-timeout'"), FaultKind::from(IdleTimeout { timeout: Span::secs(1) }));
    assert_eq!(kind("kind = 'server.noreplicas'"), FaultKind::from(NoReplicas {}));
    assert_eq!(kind("kind = 'server.script-flush'"), FaultKind::from(ScriptFlush {}));
}

#[test]
fn what_is_written_is_read_back() {
    for table in [
        "kind = \"proxy.down\"\nat = \"6s\"\nfor = \"5s\"\n",
        "kind = \"process.stop\"\nat = \"6s\"\nfor = \"500ms\"\nrepeat = 3\nevery = \"2s\"\nspread = \"1s\"\n",
        "kind = \"proxy.latency\"\nat = \"6s\"\nfor = \"5s\"\nlatency = \"50ms\"\njitter = \"5ms\"\nstream = \"both\"\n",
        "kind = \"server.pause\"\nat = \"6s\"\nfor = \"5s\"\nmode = \"write\"\n",
        "kind = \"server.slow\"\nat = \"6s\"\nfor = \"5s\"\nbusy = \"300ms\"\n",
        "kind = \"server.idle-timeout\"\nat = \"6s\"\nfor = \"5s\"\ntimeout = \"2s\"\n",
        "kind = \"proxy.slicer\"\nat = \"6s\"\nfor = \"5s\"\ndelay = \"2ms\"\nsize = \"64B\"\nvariation = \"8B\"\nstream = \"both\"\n",
        "kind = \"proxy.limit_data\"\nat = \"6s\"\nfor = \"5s\"\nbytes = \"10KB\"\nstream = \"both\"\n",
        "kind = \"keys.corrupt\"\nat = \"6s\"\nfor = \"5s\"\nshare = \"20%\"\n",
        "kind = \"server.noreplicas\"\nat = \"6s\"\nfor = \"5s\"\n",
        "kind = \"process.kill\"\nat = \"6s\"\nfor = \"5s\"\ndata = \"lose\"\n",
        "kind = \"process.power-loss\"\nat = \"6s\"\nfor = \"5s\"\n",
        "kind = \"server.eviction\"\nat = \"6s\"\nfor = \"5s\"\nshare = \"30%\"\n",
        "kind = \"cluster.migrate-slots\"\nat = \"6s\"\nfor = \"5s\"\nshare = \"20%\"\ndelay = \"50ms\"\n",
        "kind = \"proxy.reset_peer\"\nat = \"6s\"\nfor = \"5s\"\n\n[on]\ncommand = \"SET\"\nevery = 3\nside = \"applied\"\n",
        "kind = \"proxy.timeout\"\nat = \"6s\"\nfor = \"5s\"\n\n[on]\ncommand = \"SET\"\nfollows = \"GET\"\nside = \"before\"\n",
        "kind = \"server.oom\"\nat = \"6s\"\nfor = \"5s\"\n\n[on]\nstate = \"draining\"\nnth = 2\nafter = \"20ms\"\n",
        "kind = \"clock.jump\"\nat = \"6s\"\nfor = \"5s\"\nby = \"24h\"\n",
    ] {
        let spec = read(table).unwrap();
        let written = toml::to_string(&spec).unwrap();
        assert_eq!(written, table);
    }
}

#[test]
fn every_error_points_at_what_is_wrong() {
    for (table, reason, place) in [
        ("latencey = '50ms'", "proxy.latency takes no `latencey`", "latencey"),
        ("jitter = '5ms'", "proxy.latency needs `latency`", "'proxy.latency'"),
        ("latency = '50 parsecs'", "a length of time like", "'50 parsecs'"),
        ("latency = '5ms'\nrepeat = 2", "repeat needs `every`", "2"),
        ("latency = '5ms'\nrepeat = 2\nevery = '1s'", "`every` must be at least 5s", "'1s'"),
        ("latency = '5ms'\nstream = 'sideways'", "unknown variant `sideways`", "'sideways'"),
    ] {
        let table = format!("kind = 'proxy.latency'\nat = '6s'\nfor = '5s'\n{table}");
        let (message, at) = error_of(&table);
        assert!(message.contains(reason), "{message}");
        assert_eq!(at, place, "{message}");
    }
    let (message, at) = error_of("kind = 'proxy.lag'\nat = '6s'\nfor = '5s'");
    assert!(message.starts_with("there is no fault `proxy.lag`: there are proxy.down, proxy.latency"), "{message}");
    assert_eq!(at, "'proxy.lag'");
    let (message, at) = error_of("kind = 'proxy.down'\nat = '6s'\nfor = '5 parsecs'");
    assert!(message.contains("a length of time like"), "{message}");
    assert_eq!(at, "'5 parsecs'");
    let (_, at) = error_of("kind = 'proxy.down'\nat = '6s'\nfor = '5s'\non = { state = 'drained' }");
    assert_eq!(at, "'drained'");
    assert_eq!(error_of("at = '6s'\nfor = '5s'").0, "missing field `kind`");
    assert_eq!(error_of("kind = 'proxy.down'\nfor = '5s'").0, "missing field `at`");
}

#[test]
fn the_keys_may_stand_in_any_order() {
    let spec = read("latency = '50ms'\nfor = '5s'\nat = '6s'\nkind = 'proxy.latency'").unwrap();
    assert_eq!((spec.kind.name(), spec.at), ("proxy.latency", Span::secs(6)));
}

#[test]
fn tables_that_make_no_sense_are_refused_with_the_reason() {
    for (table, reason) in [
        ("kind = 'proxy.down'\nlatency = '5ms'", "proxy.down takes no `latency`: it takes no parameters"),
        ("kind = 'proxy.latency'\nrate = 5", "proxy.latency takes no `rate`: it takes latency, jitter, stream"),
        ("kind = 'proxy.latency'", "proxy.latency needs `latency`, such as \"50ms\""),
        ("kind = 'proxy.bandwidth'", "proxy.bandwidth needs `rate`, such as 100 (KB/s)"),
        ("kind = 'proxy.bandwidth'\nrate = 0", "`rate` must be at least 1 KB/s"),
        ("kind = 'server.pause'\nmode = 'reads'", "unknown variant `reads`, expected `all` or `write`"),
        ("kind = 'server.slow'\nbusy = '1ms'", "`busy` must be between 20ms and 10s"),
        ("kind = 'server.idle-timeout'\ntimeout = '1500ms'", "`timeout` must be whole seconds, at least \"1s\""),
        ("kind = 'proxy.slicer'\nsize = '8B'\nvariation = '8B'", "`size` must be at least \"1B\", and larger"),
        ("kind = 'proxy.slicer'\nsize = '8B'\ndelay = '0'", "`delay` must be at least \"1us\""),
        ("kind = 'keys.delete'", "keys.delete needs `share`, such as \"20%\""),
        ("kind = 'keys.corrupt'\nshare = '0%'", "`share` must be more than \"0%\""),
        ("kind = 'process.kill'\ndata = 'maybe'", "unknown variant `maybe`, expected `keep` or `lose`"),
        ("kind = 'process.stop'\ndata = 'lose'", "process.stop takes no `data`: it takes no parameters"),
        ("kind = 'server.eviction'\nshare = '100%'", "`share` must be more than \"0%\" and less than \"100%\""),
        ("kind = 'cluster.migrate-slots'\nshare = '0%'", "`share` must be more than \"0%\""),
        ("kind = 'cluster.migrate-slots'\ndelay = '11s'", "`delay` must be at most 10s"),
        ("kind = 'clock.jump'", "clock.jump needs `by`, such as \"1h\""),
        ("kind = 'clock.skew'\nby = '1ms'", "`by` must be between 1s and 87600h"),
        ("kind = 'server.oom'\nbusy = '1s'", "server.oom takes no `busy`: it takes no parameters"),
        (
            "kind = 'proxy.down'\non = { command = 'SET' }",
            "proxy.down takes no `command` in `on`: it is for proxy.latency",
        ),
        ("kind = 'proxy.reset_peer'\non = { command = '' }", "`on` `command` must name a command"),
        ("kind = 'proxy.down'\non = { state = 'draining', nth = 0 }", "`on` `nth` counts from 1"),
        ("kind = 'proxy.down'\non = { state = 'drained' }", "unknown variant `drained`, expected one of `fallback`"),
        ("kind = 'proxy.down'\non = { after = '5ms' }", "`on` needs a `command` or a `state`"),
        ("kind = 'proxy.reset_peer'\nstream = 'both'\non = { command = 'SET' }", "`stream` makes no sense with `on`"),
        ("kind = 'proxy.latency'\nlatency = '5ms'\njitter = '1ms'\non = { command = 'SET' }", "`jitter` makes no"),
        ("kind = 'proxy.timeout'\ntimeout = '1s'\non = { command = 'SET' }", "`timeout` makes no sense with `on`"),
        ("kind = 'proxy.down'\nrepeat = 0", "`repeat` must be at least 1"),
        ("kind = 'proxy.down'\nrepeat = 10001\nevery = '9s'", "`repeat` must be at most 10000"),
        ("kind = 'proxy.down'\nrepeat = 2", "repeat needs `every`, such as \"2s\""),
        ("kind = 'proxy.down'\nevery = '9s'", "every needs `repeat`, such as 3"),
        ("kind = 'proxy.down'\nrepeat = 2\nevery = '5s'\nspread = '1s'", "`every` must be at least 6s"),
    ] {
        let error = read(&format!("{table}\nat = \"6s\"\nfor = \"5s\"")).unwrap_err();
        assert!(error.contains(reason), "{table}: {error}");
    }
    let error = read("kind = 'proxy.down'\nat = '6s'\nfor = '0s'").unwrap_err();
    assert!(error.contains("`for` must be longer than zero"), "{error}");
}

#[test]
fn the_schema_gives_each_kind_its_own_documented_keys() {
    let schema = serde_json::to_value(schemars::schema_for!(FaultSpec)).unwrap();
    let tables = schema["oneOf"].as_array().unwrap();
    assert_eq!(tables.len(), kinds().len());
    for table in tables {
        for (key, property) in table["properties"].as_object().unwrap() {
            assert!(property["description"].is_string(), "{} {key}", table["title"]);
        }
    }
    let latency = tables.iter().find(|table| table["title"] == "proxy.latency").unwrap();
    let keys: Vec<&str> = latency["properties"].as_object().unwrap().keys().map(String::as_str).collect();
    let common = ["kind", "name", "at", "for", "repeat", "every", "spread", "toxicity", "connections", "to", "on"];
    assert_eq!(keys, [&common[..], &["latency", "jitter", "stream"]].concat());
    let oom = tables.iter().find(|table| table["title"] == "server.oom").unwrap();
    assert!(oom["properties"].get("toxicity").is_none());
    assert_eq!(latency["required"], json!(["kind", "at", "for", "latency"]));
    assert_eq!(latency["properties"]["stream"]["default"], "downstream");
}

#[test]
fn every_name_is_its_own_and_every_parameter_is_documented() {
    for (number, entry) in kinds().iter().enumerate() {
        assert!(kinds()[..number].iter().all(|other| other.name != entry.name), "{}", entry.name);
        for parameter in entry.parameters() {
            assert!(!parameter.about().is_empty(), "{} {}", entry.name, parameter.name);
            assert!(!parameter.required || !parameter.example().is_empty(), "{} {}", entry.name, parameter.name);
        }
    }
}

#[test]
fn a_partial_outage_is_read_written_and_refused_in_its_place() {
    let table = "kind = \"proxy.down\"\nat = \"1s\"\nfor = \"2s\"\ntoxicity = \"20%\"\nconnections = \"new\"\nto = [2, \"replica\"]\n";
    let spec = read(table).unwrap();
    assert_eq!(spec.reach.toxicity, Some(Share(0.2)));
    assert_eq!(read(&toml::to_string(&spec).unwrap()).unwrap(), spec);
    let broken = |from: &str, to: &str| {
        let table = table.replace(from, to);
        let (message, place) = error_of(&table);
        format!("{message}, at {place}")
    };
    assert_eq!(broken("20%", "0%"), "`toxicity` must be more than \"0%\": such a fault reaches nothing, at \"0%\"");
    assert_eq!(broken("[2, ", "[0, "), "`to` counts servers from 1, at [0, \"replica\"]");
    assert_eq!(broken("[2, \"replica\"]", "[]"), "`to` names no server, at []");
    assert!(broken("[2, ", "[\"replica\", ").starts_with("`to` names a server twice"));
    let strange = broken("proxy.down", "server.oom");
    assert!(strange.starts_with("server.oom takes no `toxicity`: it is for proxy.down, "), "{strange}");
    assert!(strange.ends_with(", at toxicity"), "{strange}");
    let on = "kind = \"proxy.latency\"\nlatency = \"5ms\"\nat = \"1s\"\nfor = \"2s\"\non = { command = \"GET\" }\n";
    let both = format!("{on}toxicity = \"5%\"");
    assert_eq!(error_of(&both).0, "`toxicity` makes no sense with `on`: use its `share`");
    let hang = "kind = \"proxy.connect-hang\"\nat = \"1s\"\nfor = \"2s\"\nconnections = \"open\"";
    assert_eq!(error_of(hang), ("`connections` must be \"all\" or \"new\" here".to_owned(), "\"open\""));
}

#[test]
fn a_server_that_the_topology_lacks_is_named() {
    let to = |to: &str| read(&format!("kind = \"proxy.down\"\nat = \"1s\"\nfor = \"2s\"\nto = {to}")).unwrap().reach;
    assert_eq!(to("[1]").check_servers(Topology::Standalone), Ok(()));
    let flaw = to("[2]").check_servers(Topology::Replica).unwrap_err().problem;
    assert_eq!(flaw, "names server 2; with lab.topology = \"replica\" the load reaches one server");
    assert_eq!(to("[6, \"replica\"]").check_servers(Topology::Cluster), Ok(()));
    assert!(to("[\"replica\"]").check_servers(Topology::Tls).is_err());
    assert!(to("[3]").check_servers(Topology::Sentinel).unwrap_err().problem.ends_with("the load reaches 2 servers"));
}
