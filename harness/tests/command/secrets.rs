//! Secrets that a person gives to a drill are in nothing that it writes or prints.

use std::path::Path;
use std::process::Output;

use firedrill_reports::Run;

use crate::support::http::ask;
use crate::support::watched::{Watched, parts};
use crate::support::{firedrill, room_for_one};

const SHOP: &str = include_str!("own_app/shop.toml");

/// What nobody may read.
const SECRET: &str = "hunter2-in-clear";

/// The shop, with a secret in its environment, one in a deploy, and one in a request.
fn shop() -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("shop.py"), include_str!("own_app/shop.py")).unwrap();
    let env = "env     = { REDIS = \"{{redis.host}}:{{redis.port}}\"";
    let login = "json = { user = \"{{session}}\"";
    assert!(SHOP.contains(env) && SHOP.contains(login));
    let text = SHOP
        .replace(env, &format!("{env}, OF_FILE = \"{SECRET}\""))
        .replace(login, &format!("{login}, password = \"{SECRET}\""));
    let deploy = format!("[[deploy]]\nat = \"3s\"\nenv = {{ OF_DEPLOY = \"{SECRET}\" }}\n\n[gates]");
    std::fs::write(folder.path().join("shop.toml"), text.replace("[gates]", &deploy)).unwrap();
    let file = folder.path().join("shop.toml").display().to_string();
    (folder, file)
}

fn said(output: &Output) -> String {
    [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned()).concat()
}

/// The files below `folder` with the secret in them.
fn leaks(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(leaks(&path));
        } else if String::from_utf8_lossy(&std::fs::read(&path).unwrap()).contains(SECRET) {
            found.push(path.display().to_string());
        }
    }
    found
}

/// What a command answers at these URLs, again and again while it runs.
fn served_until_the_end(command: &mut Watched, urls: &[&str]) -> String {
    let mut served = String::new();
    while command.runs() {
        for url in urls {
            let (address, path) = parts(url);
            served.extend(ask(address, "GET", &path, &[], "").map(|answer| answer.body));
        }
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    served
}

#[test]
fn a_secret_that_a_drill_is_given_is_in_nothing_that_it_writes() {
    let _room = room_for_one();
    let (folder, file) = shop();
    let runs = folder.path().join("runs");
    let set = |key: &str, value: &str| ["--set".to_owned(), format!("{key}={value}")];
    let sets = [
        set("app.env.PLAIN", SECRET),
        set("app.env.DSN", &format!("postgres://me:{SECRET}@db/shop")),
        set("deploy.0.env.MORE", SECRET),
        set("load.0.for", "5s"),
    ];
    let mut command = firedrill();
    command.args(["run", &file, "--seed", "7", "--json", "--ci", "--live", "--metrics", "127.0.0.1:0", "--out"]);
    let events = folder.path().join("events.jsonl");
    let to_file = std::fs::File::create(&events).unwrap();
    let mut drill = Watched::start(command.arg(&runs).args(sets.concat()).stdout(to_file));
    let (metrics, live) = (drill.told("metrics "), drill.told("live "));
    let served = served_until_the_end(&mut drill, &[&live, &format!("{live}state"), &metrics]);
    // The verdict is not this test's: a restart of the only instance interrupts the load.
    let (_, told) = drill.ended();
    let run = Run::load(&runs.join("shop")).unwrap_or_else(|error| panic!("{error}: {told}"));
    let events = std::fs::read_to_string(events).unwrap();
    assert!(events.contains("\"verdict\""), "{events}");
    assert!(!told.contains(SECRET) && !events.contains(SECRET), "{told}{events}");
    assert!(served.contains("firedrill_drill_") && served.contains("\"shop\""), "{served}");
    assert!(!served.contains(SECRET), "{served}");
    assert_eq!(leaks(&runs), [""; 0]);
    let expected = format!(
        "firedrill run {file} --seed 7 --set 'app.env.PLAIN=***' --set 'app.env.DSN=***' --set 'deploy.0.env.MORE=***' \
         --set load.0.for=5s"
    );
    assert_eq!(run.replay, expected);
    for line in
        ["PLAIN = \"***\"", "OF_FILE = \"***\"", "OF_DEPLOY = \"***\"", "***{{redis.port}}", "password = \"***\""]
    {
        assert!(run.config.contains(line), "{line} is not in {}", run.config);
    }

    let plan = "title = \"Open\"\n[[step]]\nname = \"Open\"\nscenario = \"shop\"\n";
    std::fs::write(folder.path().join("plan.toml"), plan).unwrap();
    for command in ["report runs/shop", "check runs/shop", "runs runs", "evidence --plan plan.toml runs"] {
        let shown = firedrill().args(command.split(' ')).current_dir(folder.path()).output().unwrap();
        assert!(!said(&shown).contains(SECRET), "{command:?}: {}", said(&shown));
    }
    let shown = firedrill().args(["show", &file]).output().unwrap();
    assert!(said(&shown).contains("OF_FILE = \"***\"") && !said(&shown).contains(SECRET), "{}", said(&shown));
    assert_eq!(leaks(&runs), [""; 0]);
}

#[test]
fn what_a_replay_line_leaves_out_must_be_given_again_and_no_error_shows_it() {
    let (_folder, file) = shop();
    for (set, message) in [
        ("app.env.PLAIN=***".to_owned(), "give it again"),
        (format!("app.env.OF US={SECRET}"), "is not a path of keys"),
        (format!("app.env.DEEP={}{SECRET}", "[".repeat(20)), "nested deeper"),
    ] {
        let refused = firedrill().args(["run", &file, "--set", &set]).output().unwrap();
        assert_eq!(refused.status.code(), Some(2));
        assert!(said(&refused).contains(message) && !said(&refused).contains(SECRET), "{}", said(&refused));
    }
}

#[test]
fn an_error_shows_its_line_and_no_secret_beside_it() {
    let (_folder, file) = shop();
    let wrong = firedrill().args(["run", &file, "--set", "app.wihtin=1s"]).output().unwrap();
    assert_eq!(wrong.status.code(), Some(2));
    assert!(said(&wrong).contains("wihtin") && !said(&wrong).contains(SECRET), "{}", said(&wrong));
}

/// So that a secret is neither in a file nor in the list of processes.
#[test]
fn an_application_gets_a_variable_of_the_harness_by_its_name() {
    let _room = room_for_one();
    let (_folder, file) = shop();
    let walk = |keep: Option<&str>| {
        let mut command = firedrill();
        command.args(["try", &file, "--set", "app.env.KEEP={{env.SHOP_KEEP}}"]).env_remove("SHOP_KEEP");
        let done = command.envs(keep.map(|keep| ("SHOP_KEEP", keep))).output().unwrap();
        (done.status.code().unwrap_or(-1), said(&done))
    };
    let (status, text) = walk(None);
    assert!(status == 2 && text.contains("there is no variable SHOP_KEEP"), "{status}: {text}");
    let (status, text) = walk(Some("redis"));
    assert_eq!(status, 0, "{text}");
    // It keeps its sessions in memory, as it was told.
    let (status, text) = walk(Some("memory"));
    assert!(status == 3 && text.contains("did not use the Redis"), "{status}: {text}");
}
