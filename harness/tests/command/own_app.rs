//! Applications of somebody's own, described in a scenario: real processes, and the examples with their real middleware.

use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use firedrill::lab::{free_port, procfs};

use crate::support::{FinishedDrill, Places, firedrill, room_for_one, run, run_once, start};

const SHOP: &str = include_str!("own_app/shop.toml");
const RENEWAL: &str = include_str!("own_app/renewal.toml");
const COUNTER: &str = include_str!("own_app/counter.toml");

/// The shop and `changes` of its scenario, in a folder of their own.
fn shop(changes: &[(&str, &str)]) -> (tempfile::TempDir, String) {
    shop_for(SHOP, changes)
}

/// The shop and `changes` of `scenario`.
fn shop_for(scenario: &str, changes: &[(&str, &str)]) -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("shop.py"), include_str!("own_app/shop.py")).unwrap();
    let text = changes.iter().fold(scenario.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "{from}");
        text.replace(from, to)
    });
    let file = folder.path().join("shop.toml");
    std::fs::write(&file, text).unwrap();
    let name = file.to_str().unwrap().to_owned();
    (folder, name)
}

fn try_out(file: &str) -> (i32, String) {
    let _room = room_for_one();
    let Output { status, stdout, stderr } = firedrill().args(["try", file]).output().unwrap();
    let text = [stdout, stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    (status.code().unwrap_or(-1), text)
}

#[test]
fn an_application_that_adds_in_one_step_keeps_every_acknowledged_item_through_an_outage() {
    let (_folder, file) = shop(&[]);
    let done = passes(&file, &["lost-writes", "duplicated-writes", "phantom-writes", "isolation", "resurrection"]);
    let run = done.run();
    assert!(run.faults[0].bit, "{:?}", run.faults);
    assert!(run.files.iter().any(|file| file.name == "app.log"), "{:?}", run.files);
}

#[test]
fn an_application_may_find_its_redis_in_a_file_which_goes_with_the_drill() {
    let (folder, file) = shop(&[
        (
            r#"command = ["python3", "shop.py", "{{port}}"]"#,
            r#"command = ["sh", "-c", "echo {{files}} > seen; REDIS=$(cat {{files}}/conf/redis) exec python3 shop.py {{port}}"]"#,
        ),
        (
            r#"env     = { REDIS = "{{redis.host}}:{{redis.port}}" }"#,
            r#"files   = { "conf/redis" = "{{redis.host}}:{{redis.port}}" }"#,
        ),
    ]);
    let (status, text) = try_out(&file);
    assert_eq!(status, 0, "{text}");
    let seen = std::fs::read_to_string(folder.path().join("seen")).unwrap();
    assert!(seen.contains("/files") && !Path::new(seen.trim()).exists(), "{seen}");
}

/// A sound application passes, and each checker of `examined` had something to examine.
fn passes(file: &str, examined: &[&str]) -> FinishedDrill {
    let done = run(Places::OneServer, file, &[]).expect(0);
    for name in examined {
        let check = done.run().checks.into_iter().find(|check| check.name == *name).unwrap();
        assert!(check.examined > 0 && done.check(name) == "valid", "{check:?}");
    }
    done
}

/// A defect is found by `checker` and no other accuses the application. `changes` make the defect, and are values of `--set`.
fn is_caught_by(checker: &str, file: &str, changes: &[&str]) {
    is_caught_by_and_perhaps(checker, &[], file, changes);
}

/// The same, where the defect may do more: then those in `perhaps` are right to accuse the application too.
fn is_caught_by_and_perhaps(checker: &str, perhaps: &[&str], file: &str, changes: &[&str]) {
    let set: Vec<&str> = changes.iter().flat_map(|change| ["--set", change]).collect();
    let done = run(Places::OneServer, file, &set).expect(1);
    for check in done.run().checks {
        let invalid = done.check(&check.name) == "invalid";
        if perhaps.contains(&&*check.name) {
            continue;
        }
        assert_eq!(invalid, check.name == checker, "{changes:?}: {check:?}");
    }
}

#[test]
fn a_renewed_session_is_under_its_new_id_alone_and_a_logout_everywhere_ends_all_of_its_user() {
    let (_folder, file) = shop_for(RENEWAL, &[]);
    passes(&file, &["renewals", "logouts", "lost-writes", "read-your-writes", "resurrection", "isolation"]);
    let (status, text) = try_out(&file);
    assert_eq!(status, 0, "{text}");
    assert!(text.contains("not found under the id from before the renewal"), "{text}");
}

#[test]
fn a_session_that_keeps_its_id_at_a_login_or_outlives_a_logout_everywhere_is_found() {
    let (_folder, file) = shop_for(RENEWAL, &[]);
    is_caught_by("renewals", &file, &["app.env.RENEW=\"keeps\""]);
    // An item that is added beside the renewal may go into the copy under the old id.
    is_caught_by_and_perhaps("renewals", &["lost-writes", "read-your-writes"], &file, &["app.env.RENEW=\"copies\""]);
    is_caught_by("logouts", &file, &["app.env.EVERYWHERE=\"here\""]);
}

#[test]
fn a_counter_that_is_increased_in_one_step_counts_every_visit_and_one_written_back_whole_does_not() {
    let (_folder, file) = shop_for(COUNTER, &[]);
    let done = passes(&file, &["counter", "lost-writes", "resurrection", "isolation"]);
    let export = |arguments: &[&str]| firedrill().arg("export").arg(done.dir()).args(arguments).output().unwrap();
    assert!(export(&["--format", "jepsen-json"]).status.success());
    let refused = export(&["--format", "porcupine"]);
    let text = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && text.contains("its sessions are counters"), "{text}");
    // Without logouts: a session that is written back whole beside one comes back, and `resurrection` is right to say so.
    is_caught_by("counter", &file, &["app.env.UPDATE=\"whole\"", "load.mix={ create = 0.3, read = 3, increment = 6 }"]);
}

#[test]
fn an_application_that_keeps_its_sessions_in_memory_proves_nothing() {
    let (_folder, file) = shop(&[("REDIS = ", "KEEP = \"memory\", REDIS = ")]);
    let done = run_once(Places::OneServer, &file, &[]).expect(3);
    assert!(done.stderr.contains("the application did not use the Redis it was given"), "{}", done.stderr);
    let (status, text) = try_out(&file);
    assert_eq!(status, 3, "{text}");
}

#[test]
fn one_session_is_walked_through_with_every_request_and_answer() {
    let (_folder, file) = shop(&[]);
    let (status, text) = try_out(&file);
    assert_eq!(status, 0, "{text}");
    for line in
        ["1. POST /login", "> cookie shop", "< 201 Created", "< set-cookie shop=…; Path=/; HttpOnly", "1 writes and"]
    {
        assert!(text.contains(line), "{line}: {text}");
    }
    assert!(text.contains("= ok, no such session"), "the read after the destroy: {text}");
}

#[test]
fn a_form_with_a_file_is_sent_and_the_redirect_after_it_followed() {
    let (_folder, file) = shop(&[(
        "{ post = \"/cart\", json = { item = \"{{token}}\" }, expect = [201] }",
        "{ post = \"/upload\", multipart = { note = { file = \"n.txt\", content = \"{{token}}\" } }, follow = true }",
    )]);
    let (status, text) = try_out(&file);
    assert_eq!(status, 0, "{text}");
    for line in ["1. POST /upload", "< 303 See Other", "1. GET /cart"] {
        assert!(text.contains(line), "{line}: {text}");
    }
}

#[test]
fn a_description_that_does_not_fit_is_named_with_its_line_and_the_answer() {
    let (_folder, file) = shop(&[("expect = [201]", "expect = [204]")]);
    let (status, text) = try_out(&file);
    assert_eq!(status, 1, "{text}");
    let wrong = "shop.toml:12: append:204".replace("204", "201");
    assert!(text.contains(&wrong), "{wrong}: {text}");
    assert!(text.contains("201 to POST /cart, not 204: {\"note\": \"added\"}"), "{text}");
    let done = run_once(Places::OneServer, &file, &[]).expect(3);
    assert!(done.stderr.contains("201 to POST /cart, not 204"), "{}", done.stderr);
}

#[test]
fn an_application_that_does_not_start_is_reported_with_its_log() {
    let (_folder, file) = shop(&[("\"shop.py\"", "\"no-such.py\"")]);
    let (status, text) = try_out(&file);
    assert_eq!(status, 4, "{text}");
    assert!(text.contains("app ended while it was starting") && text.contains("no-such.py"), "{text}");
}

#[test]
fn a_description_that_cannot_work_is_refused_in_its_place() {
    for (change, message) in [
        (("{{token}}", "{{tokn}}"), "nothing is called `tokn` here"),
        (("mix      = {", "mix      = { put = 1,"), "the http target does not support put"),
        (
            ("[op.destroy]", "[store]\npolicy = \"drain\"\nttl = \"5s\"\n[op.destroy]"),
            "does not take this setting from the drill",
        ),
        (
            ("command = [\"python3\", \"shop.py\", \"{{port}}\"]", "url = \"http://127.0.0.1:9\""),
            "leave it out, or give a command",
        ),
        (("[target]", "[target]\nkind = \"store\""), "the store target takes no [app]"),
        (
            ("[target]", "[[deploy]]\nat = \"1s\"\nenv = { A = \"{{nope}}\" }\n[target]"),
            "nothing is called `nope` here",
        ),
        (("[target]", "[[deploy]]\nat = \"1s\"\n[target]"), "a deploy changes either"),
        (("kind = \"proxy.down\"", "kind = \"app.kill\"\nto = [2]"), "names instance 2"),
    ] {
        let (_folder, file) = shop(&[change]);
        let done = run_once(Places::OneServer, &file, &[]).expect(2);
        assert!(done.stderr.contains(message) && done.stderr.contains("here"), "{message}: {}", done.stderr);
    }
}

#[test]
fn what_an_application_forks_ends_with_a_killed_drill() {
    let (folder, file) = shop(&[]);
    let pid = folder.path().join("pid");
    let text = std::fs::read_to_string(&file).unwrap();
    let with_pid = text.replace("env     = {", &format!("env     = {{ PID = \"{}\",", pid.display()));
    std::fs::write(&file, with_pid).unwrap();
    let _room = room_for_one();
    let mut drill = start(&file, folder.path());
    let worker: u32 = within("the worker's pid", || std::fs::read_to_string(&pid).ok()?.parse().ok());
    drill.kill().unwrap();
    drill.wait().unwrap();
    within("the worker's end", || procfs::stat(worker).is_none_or(|stat| stat.state == 'Z').then_some(()));
}

/// A child process that ends with the test.
struct Beside(Child);

impl Drop for Beside {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn an_application_that_already_runs_is_drilled_through_a_proxy_of_known_address() {
    let (app, proxy) = (free_port().unwrap(), free_port().unwrap());
    let command =
        "command = [\"python3\", \"shop.py\", \"{{port}}\"]\nenv     = { REDIS = \"{{redis.host}}:{{redis.port}}\" }";
    let url = format!("url = \"http://127.0.0.1:{app}\"");
    let lab = format!("[lab]\nproxy = \"127.0.0.1:{proxy}\"\n\n[target]");
    let (folder, file) = shop(&[(command, &url), ("[target]", &lab)]);
    let mut shop = Command::new("python3");
    shop.arg(folder.path().join("shop.py")).arg(app.to_string()).env("REDIS", format!("127.0.0.1:{proxy}"));
    let _shop = Beside(shop.stderr(Stdio::null()).spawn().unwrap());
    within("the shop", || TcpStream::connect(("127.0.0.1", app)).ok());
    let done = run(Places::OneServer, &file, &[]).expect(0);
    assert!(done.run().faults[0].bit, "{:?}", done.run().faults);
    assert!(!done.dir().join("app.log").exists());
    let killed = "fault=[{ kind = \"app.kill\", at = \"1s\", for = \"1s\" }]";
    let done = run_once(Places::OneServer, &file, &["--set", killed]).expect(2);
    assert!(done.stderr.contains("not the drill's own process"), "{}", done.stderr);
}

fn within<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + Duration::from_secs(60);
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < end, "{what} did not come");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Drills an example as its README says, with its packages installed in the versions that it pins.
fn example(name: &str, arguments: &[&str]) -> FinishedDrill {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let installed = Command::new(root.join("scripts/example.sh")).arg(name).status().unwrap();
    assert!(installed.success(), "the packages of {name} cannot be installed");
    let file: PathBuf = root.join("examples").join(name).join(format!("{name}.toml"));
    run(Places::OneServer, file.to_str().unwrap(), arguments)
}

#[test]
fn aiohttp_session_loses_items_that_two_tabs_add_at_once_and_undoes_logouts() {
    let done = example("aiohttp-cart", &[]).expect(1);
    assert_eq!(done.check("lost-writes"), "invalid", "{}", done.stdout);
    assert_eq!(done.check("resurrection"), "invalid", "{}", done.stdout);
    assert_eq!(done.check("isolation"), "valid", "{}", done.stdout);
    assert_eq!(done.check("phantom-writes"), "valid", "{}", done.stdout);
}

/// Forms with a CSRF token, HTML, redirects, and a server with workers.
#[test]
fn flask_session_loses_notes_that_two_tabs_add_at_once() {
    let done = example("flask-notes", &[]).expect(1);
    assert_eq!(done.check("lost-writes"), "invalid", "{}", done.stdout);
    assert_eq!(done.check("isolation"), "valid", "{}", done.stdout);
    assert_eq!(done.check("phantom-writes"), "valid", "{}", done.stdout);
}

/// Middleware that locks a session for as long as a request has it open serialises two tabs, and is accused of nothing. The same
/// middleware without the lock, which is its default, loses items.
#[test]
fn phpredis_keeps_every_item_only_with_its_lock() {
    let done = example("php-cart", &[]).expect(0);
    for name in ["lost-writes", "duplicated-writes", "phantom-writes", "resurrection", "isolation"] {
        let check = done.run().checks.into_iter().find(|check| check.name == name).unwrap();
        assert!(check.examined > 0 && done.check(name) == "valid", "{check:?}");
    }
    let done = example("php-cart", &["--set", "app.env.SESSION_LOCKING=\"0\""]).expect(1);
    assert_eq!(done.check("lost-writes"), "invalid", "{}", done.stdout);
    assert_eq!(done.check("isolation"), "valid", "{}", done.stdout);
}

#[test]
fn redis_rack_loses_items_that_two_tabs_add_at_once() {
    let done = example("rack-cart", &[]).expect(1);
    assert_eq!(done.check("lost-writes"), "invalid", "{}", done.stdout);
    assert_eq!(done.check("isolation"), "valid", "{}", done.stdout);
    assert_eq!(done.check("phantom-writes"), "valid", "{}", done.stdout);
}

/// The shipped scenarios for any application take what a file describes, and say what they cannot do without.
#[test]
fn a_shipped_scenario_takes_the_application_of_a_file_or_says_what_that_lacks() {
    let (_folder, file) = shop(&[("[op.destroy]\nsteps = [{ post = \"/logout\" }]\n", "")]);
    let show =
        |scenario: &str, flag: &str, value: &str| firedrill().args(["show", scenario, flag, value]).output().unwrap();
    let shown = show("app-outage", "--app", &file);
    let text = String::from_utf8_lossy(&shown.stdout).into_owned();
    assert!(shown.status.success() && text.contains("shop.py"), "{text}{}", String::from_utf8_lossy(&shown.stderr));
    let refused = show("app-logout", "--app", &file);
    let text = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(2), "{text}");
    assert!(text.contains("no load has the operation destroy"), "{text}");
    let refused = show("app-expiry", "--app", &file);
    assert_eq!(refused.status.code(), Some(2), "the shop takes no lifetime from the drill");
    let own = String::from_utf8_lossy(&show("app-outage", "--set", "seed=1").stdout).into_owned();
    assert!(own.contains("session-server"), "{own}");
}
