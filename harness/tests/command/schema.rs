//! The JSON Schema refuses what the program refuses, as far as a schema can, and takes what the program takes. The judge is
//! Python's jsonschema, which is not ours; `scripts/need.sh` installs it.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use firedrill::scenario::{Source, parse, schema, shipped};
use serde_json::{Value, json};

use crate::support::python;

/// Set it to rewrite the schema that the shipped scenarios name, after a change that should change it.
const REWRITE: &str = "FIREDRILL_REWRITE_SCHEMA";

/// The line by which Taplo and the editors that use it find a file's schema
/// (<https://taplo.tamasfe.dev/configuration/directives.html>).
const DIRECTIVE: &str = "#:schema ./scenario.schema.json\n";

const SOUND: &str = include_str!("../../src/scenario/sound.toml");

fn stored() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("scenarios/scenario.schema.json")
}

/// Which of the texts the schema takes.
fn taken(texts: &[String]) -> Vec<bool> {
    let script = "import json, sys; from jsonschema import Draft202012Validator as V\n\
                  asked = json.load(sys.stdin); V.check_schema(asked['schema']); judge = V(asked['schema'])\n\
                  print(json.dumps([judge.is_valid(one) for one in asked['scenarios']]))";
    let scenarios: Vec<Value> =
        texts.iter().map(|text| serde_json::to_value(text.parse::<toml::Table>().unwrap()).unwrap()).collect();
    let mut judge = python();
    let mut judge = judge.args(["-c", script]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let asked = json!({ "schema": schema(), "scenarios": scenarios }).to_string();
    judge.stdin.take().unwrap().write_all(asked.as_bytes()).unwrap();
    let said = judge.wait_with_output().unwrap();
    serde_json::from_slice(&said.stdout).unwrap_or_else(|error| panic!("scripts/need.sh jsonschema: {error}"))
}

fn is_sound(text: &str) -> bool {
    parse(&Source { name: "x.toml".to_owned(), text: text.to_owned() }, &[]).is_ok()
}

#[test]
fn the_schema_and_the_program_take_every_shipped_scenario_and_it_names_the_schema() {
    let texts: Vec<String> = shipped().iter().map(|one| one.text.to_owned()).collect();
    for (one, taken) in shipped().iter().zip(taken(&texts)) {
        assert!(taken, "{}", one.name);
        assert!(one.text.starts_with(DIRECTIVE), "{} does not begin with {DIRECTIVE}", one.name);
    }
}

#[test]
fn the_schema_beside_the_shipped_scenarios_is_the_present_one() {
    let now = format!("{}\n", serde_json::to_string_pretty(&schema()).unwrap());
    if std::env::var_os(REWRITE).is_some() {
        return std::fs::write(stored(), now).unwrap();
    }
    let record = std::fs::read_to_string(stored()).unwrap_or_default();
    assert!(
        now == record,
        "scenarios/scenario.schema.json is not what `firedrill schema` prints; {REWRITE}=1 rewrites it"
    );
    assert_eq!(schema()["$id"], "urn:firedrill:scenario");
}

#[test]
fn the_schema_refuses_what_the_program_refuses() {
    let load = |keys: &str| SOUND.replace("rate = \"100/s\"\nfor  = \"5s\"", keys);
    let fault = |keys: &str| SOUND.replace("at   = \"1s\"\nfor  = \"2s\"", keys);
    let open = |more: &str| load(&format!("rate = \"1/s\"\nfor = \"5s\"\n{more}"));
    let wrong = [
        SOUND.replace("\"x\"", "\"X Y\""),
        SOUND.replace("\"x\"", "\"\""),
        SOUND.replace("about", "abuot"),
        load("rate = \"1/s\"\nusers = 3\nfor = \"5s\""),
        load("for = \"5s\""),
        load("rate = \"1/s\""),
        load("stages = [{ rate = \"1/s\", for = \"5s\" }]\nfor = \"5s\""),
        load("stages = [{ rate = \"1/s\", for = \"0s\" }]"),
        load("rate = \"0/s\"\nfor = \"5s\""),
        load("rate = \"1/s\"\nfor = \"0s\""),
        load("rate = \"1/fortnight\"\nfor = \"5s\""),
        load("rate = \"1/s\"\nfor = \"1.2.3s\""),
        load("users = 0\nfor = \"5s\""),
        load("users = 200000\nfor = \"5s\""),
        open("think = \"1s\""),
        open("rate_cap = \"1/s\""),
        open("sessions = 6000000"),
        open("deadline = \"0s\""),
        open("ghosts = \"101%\""),
        open("name = \"a b\""),
        open("mix = { read = -1 }"),
        open("mix = { create = 0 }"),
        open("mix = { raed = 1 }"),
        open("keys = { zipf = -1.0 }"),
        fault("at = \"1s\"\nfor = \"0s\""),
        fault("at = \"1s\"\nfor = \"1s\"\nrepeat = 0"),
        fault("at = \"1s\"\nfor = \"1s\"\nrepeat = 2"),
        fault("at = \"1s\"\nfor = \"1s\"\nevery = \"2s\""),
        fault("at = \"1s\"\nfor = \"1s\"\nrepeat = 1\nevery = \"2s\""),
        fault("at = \"1s\"\nfor = \"1s\"\nlatency = \"2s\""),
        fault("at = \"1s\"\nfor = \"1s\"\nname = \"A\""),
        SOUND.replace("proxy.down", "proxy.donw"),
        SOUND.replace("during.errors", "during.eror"),
        SOUND.replace("<= 1%", "<= 50ms"),
        SOUND.replace("<= 1%", "1%"),
        format!("{SOUND}[situations]\n\"unknown.append\" = \"<= 3\""),
        format!("{SOUND}[claims]\n\"redis.read\" = \"< 3\""),
        format!("{SOUND}[checks]\nlost-wrties = \"valid\""),
        format!("{SOUND}[checks]\nlost-writes = \"perhaps\""),
        format!("{SOUND}[target]\nconnections = 0"),
        format!("{SOUND}[target]\nconnections = 70000"),
        format!("{SOUND}[store]\npolicy = \"drian\""),
        format!("{SOUND}[store]\nttl = \"0s\""),
        format!("{SOUND}[store]\ntimeout = \"0s\""),
        format!("{SOUND}[store]\ninstances = 9"),
        format!("{SOUND}[store.breaker]\nprobes = 0"),
        format!("{SOUND}[store.breaker]\nopen-for = \"0s\""),
        format!("{SOUND}[steady]\nfor = \"0s\""),
        format!("{SOUND}[lab]\ntopology = \"ring\""),
    ];
    for (text, taken) in wrong.iter().zip(taken(&wrong)) {
        assert!(!is_sound(text), "the program takes {text}");
        assert!(!taken, "the schema takes {text}");
    }
}

#[test]
fn the_schema_takes_what_the_program_takes() {
    let load = |keys: &str| SOUND.replace("rate = \"100/s\"\nfor  = \"5s\"", keys);
    let right = [
        SOUND.to_owned(),
        load("rate = \".5/s\"\nfor = \" 1m30s\""),
        load("rate = \"90/min\"\nfor = \"1.5s\"\nstages = []"),
        load("users = 3\nthink = { constant = \"1s\" }\nrate_cap = \"1/s\"\nfor = \"5s\""),
        load("stages = [{ rate = \"0/s\", for = \"5s\" }, { rate = \"1/s\", for = \"5s\", ramp = true }]"),
        SOUND.replace("\"2s\"", "\"1s\"\nrepeat = 2\nevery = \"2s\""),
        SOUND.replace("<= 1%", " <100% "),
        SOUND.replace("<= 1%", "= 0.5%"),
        format!("{SOUND}recovery = \"< 3s\"\n\"fault.0.errors\" = \"<= 99.9%\"\n[checks]\nlost-writes = \"report\""),
        format!("{SOUND}[situations]\n\"unknown.append\" = \">= 3\""),
    ];
    for (text, taken) in right.iter().zip(taken(&right)) {
        assert!(is_sound(text), "the program refuses {text}");
        assert!(taken, "the schema refuses {text}");
    }
}
