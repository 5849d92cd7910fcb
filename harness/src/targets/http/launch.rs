//! How the application of a scenario's `[app]` is started or reached.

use std::net::{SocketAddr, ToSocketAddrs as _};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use hyper::Uri;
use indexmap::IndexMap;
use regex::Regex;

use super::super::description::{AppSpec, Description};
use super::super::kind::{Flaw, LaunchSite};
use super::taken;
use super::template::{Template, Values};
use crate::lab::{AppCommand, AppStart, CommandLine, Compose};

/// What tells the application where its Redis is.
const WHERE: [&str; 3] = ["redis.url", "redis.host", "redis.port"];

/// What an unknown name can be instead.
fn names_help() -> String {
    let names = taken::VALUES.iter().map(|value| format!("{{{{{}}}}}", value.name));
    format!("{}, {{{{env.NAME}}}}", names.collect::<Vec<_>>().join(", "))
}

/// The variable of the harness's own environment that a name stands for.
fn variable(name: &str) -> Option<&str> {
    name.strip_prefix("env.").filter(|variable| !variable.is_empty())
}

/// What is wrong with `app`.
pub(super) fn flaws(app: &AppSpec) -> Vec<Flaw> {
    let mut found = Vec::new();
    let connected = app.connected.as_ref().map(|connected| &connected.get);
    for (key, path) in [("ready", Some(&app.ready)), ("events", app.events.as_ref()), ("connected", connected)] {
        if path.is_some_and(|path| !path.starts_with('/')) {
            found.push(Flaw::at(["app", key], "a path begins with /", "as \"/health\""));
        }
    }
    if app
        .connected
        .as_ref()
        .and_then(|connected| connected.body.as_deref())
        .is_some_and(|body| Regex::new(body).is_err())
    {
        found.push(Flaw::at(
            ["app", "connected", "body"],
            "not a regular expression",
            "as '\"status\": *\"connected\"'",
        ));
    }
    match (app.command.is_empty(), &app.compose, &app.url) {
        (false, None, None) | (true, Some(_), None) => command_flaws(app, &mut found),
        (true, None, Some(url)) => {
            if let Err(message) = authority(url) {
                found.push(Flaw::at(["app", "url"], message, "as \"http://127.0.0.1:3000\""));
            }
            let unused = [
                ("env", !app.env.is_empty()),
                ("files", !app.files.is_empty()),
                ("dir", app.dir.is_some()),
                ("instances", app.instances.get() > 1),
            ];
            for (key, _) in unused.into_iter().filter(|(_, given)| *given) {
                let message = "an application that already runs is not started";
                found.push(Flaw::at(["app", key], message, "leave it out, or give a command instead of the url"));
            }
        }
        _ => {
            let help = "command = [\"gunicorn\", \"-b\", \"127.0.0.1:{{port}}\", \"shop:app\"], or compose = { file = \"compose.yaml\", \
                 service = \"web\" }, or url for one that runs";
            found.push(Flaw::at(["app"], "an application has either a command, or a compose file, or a url", help));
        }
    }
    found
}

fn command_flaws(app: &AppSpec, found: &mut Vec<Flaw>) {
    let mut used: Vec<String> = Vec::new();
    let how = if app.compose.is_some() { "compose" } else { "command" };
    for (at, text) in app.command.iter().enumerate() {
        let path = ["app".to_owned(), "command".to_owned(), at.to_string()];
        let Some(template) = template(&path, text, found) else { continue };
        let is_secret = |name: &&str| variable(name).is_some() || taken::named(name).is_some_and(|value| value.secret);
        let is_optional = |name: &&str| taken::named(name).is_some_and(|value| value.optional);
        if let Some(name) = template.names().find(is_secret) {
            let message =
                format!("every user of the machine can read a process's arguments, and {{{{{name}}}}} is secret");
            found.push(Flaw::at(path, message, "put it into [app.env]"));
        } else if let Some(name) = template.names().find(is_optional) {
            let message = format!("not every drill has a {{{{{name}}}}}, and an argument cannot be left out");
            found.push(Flaw::at(path, message, "put it into [app.env]: a variable without a value is left out"));
        }
        used.extend(template.names().map(str::to_owned));
    }
    for (name, text) in &app.env {
        let template = template(&["app", "env", name], text, found);
        used.extend(template.iter().flat_map(Template::names).map(str::to_owned));
    }
    file_flaws(app, &mut used, found);
    if !used.iter().any(|name| name == "port") {
        let help = "use {{port}} in command or env: the drill chooses a free one";
        found.push(Flaw::at(["app", how], "nothing tells the application its port", help));
    }
    if !used.iter().any(|name| WHERE.contains(&name.as_str())) {
        let help = "env = { REDIS_URL = \"{{redis.url}}\" }, or {{redis.host}} and {{redis.port}}";
        found.push(Flaw::at(["app", how], "nothing tells the application where its Redis is", help));
    }
}

/// What is wrong with the files of `app`; the names in them are added to `used`.
fn file_flaws(app: &AppSpec, used: &mut Vec<String>, found: &mut Vec<Flaw>) {
    let is_told = used.iter().any(|name| name == "files");
    if is_told == app.files.is_empty() {
        let (key, message, help) = match is_told {
            true => ("env", "there are no files", "add [app.files], or leave {{files}} out"),
            false => ("files", "nothing tells the application where its files are", "use {{files}} in command or env"),
        };
        found.push(Flaw::at(["app", key], message, help));
    }
    for (name, text) in &app.files {
        let at = ["app", "files", name];
        let is_inside = Path::new(name).components().all(|part| matches!(part, Component::Normal(_)));
        if !is_inside || name.is_empty() {
            let message = "a file is in the folder {{files}}, and its path is relative to that";
            found.push(Flaw::at(at, message, "as \"config/app.yml\""));
        }
        let Some(template) = template(&at, text, found) else { continue };
        if let Some(name) = template.names().find(|name| taken::named(name).is_some_and(|value| value.optional)) {
            let message = format!("not every drill has a {{{{{name}}}}}, and a part of a file cannot be left out");
            found.push(Flaw::at(at, message, "put it into [app.env]: a variable without a value is left out"));
        }
        used.extend(template.names().map(str::to_owned));
    }
}

/// `text` at `path`, if it is a template whose names are known here.
fn template<P: AsRef<str>>(path: &[P], text: &str, found: &mut Vec<Flaw>) -> Option<Template> {
    let flaw = |message: String| Flaw::at(path.iter().map(|key| key.as_ref()), message, names_help());
    match Template::parse(text) {
        Err(message) => {
            found.push(flaw(message));
            None
        }
        Ok(template) => {
            let unknown = template
                .names()
                .find(|name| taken::named(name).is_none() && variable(name).is_none())
                .map(str::to_owned);
            found.extend(unknown.as_ref().map(|name| flaw(format!("nothing is called `{name}` here"))));
            unknown.is_none().then_some(template)
        }
    }
}

/// What is wrong with the environments that deploys give to `app`.
pub(super) fn deploy_flaws(app: &AppSpec, deploys: &[IndexMap<String, String>]) -> Vec<Flaw> {
    let mut found = Vec::new();
    for (number, env) in deploys.iter().enumerate().filter(|(_, env)| !env.is_empty()) {
        let number = number.to_string();
        if app.url.is_some() {
            let message = "an application that already runs is not restarted";
            found.push(Flaw::at(["deploy", &number, "env"], message, "let the drill start it: app.command"));
        }
        for (name, text) in env {
            template(&["deploy", &number, "env", name], text, &mut found);
        }
    }
    found
}

/// Host and port of `url`.
fn authority(url: &str) -> Result<String, String> {
    let uri: Uri = url.parse().map_err(|_| "this is no URL".to_owned())?;
    if uri.authority().is_some_and(|authority| authority.as_str().contains('@')) {
        return Err("leave user and password out: every record shows the URL".to_owned());
    }
    match (uri.scheme_str(), uri.host(), uri.path()) {
        (Some("http"), Some(host), "" | "/") => Ok(format!("{host}:{}", uri.port_u16().unwrap_or(80))),
        (Some("https"), ..) => Err("TLS to the application is not supported".to_owned()),
        (Some("http"), Some(_), _) => Err("a path belongs to the steps".to_owned()),
        _ => Err("this is not an http:// URL with a host".to_owned()),
    }
}

/// The address of an application that already runs.
///
/// # Errors
/// Why it has none.
pub(super) fn address(url: &str) -> Result<SocketAddr, String> {
    let authority = authority(url)?;
    let mut found = authority.to_socket_addrs().map_err(|error| format!("{authority} cannot be resolved: {error}"))?;
    found.next().ok_or_else(|| format!("{authority} has no address"))
}

/// How to start the application; `None` if it already runs.
pub(super) fn launch(description: &Description, site: &LaunchSite<'_>) -> Option<AppCommand> {
    let app = &description.app;
    if app.url.is_some() {
        return None;
    }
    // But for the port and the instance, which only the start knows.
    let values = taken::of(site);
    let read = |text: &String| Template::parse(text).ok();
    let argv: Vec<Template> = app.command.iter().filter_map(read).collect();
    let environment: Vec<(String, Template)> =
        app.env.iter().filter_map(|(name, text)| Some((name.clone(), read(text)?))).collect();
    let files: Vec<(PathBuf, Template)> =
        app.files.iter().filter_map(|(name, text)| Some((name.into(), read(text)?))).collect();
    let line = move |start: &AppStart<'_>| {
        let (port, instance) = (start.port.to_string(), start.instance.to_string());
        let folder = start.files.map_or_else(String::new, |folder| folder.display().to_string());
        let mut known: Vec<(&str, &str)> = values.iter().map(|(name, value)| (*name, value.as_str())).collect();
        known.extend([("port", port.as_str()), ("instance", instance.as_str()), ("files", folder.as_str())]);
        let known = Known(&known);
        // An unknown name is refused with the scenario, and a variable of the harness that is not set before anything starts: a
        // value that is missing here is one that this drill does not have.
        let filled = |template: &Template| template.render(&known).ok();
        let deployed = start.deployed.iter().filter_map(|(name, text)| Some((name, Template::parse(text).ok()?)));
        // Of two variables of the same name the later one counts.
        let environment = environment.iter().filter_map(|(name, value)| Some((name.clone(), filled(value)?)));
        let deployed = deployed.filter_map(|(name, value)| Some((name.clone(), filled(&value)?)));
        let argv = argv.iter().map(|argument| filled(argument).unwrap_or_default()).collect();
        let files = files.iter().map(|(name, text)| (name.clone(), filled(text).unwrap_or_default())).collect();
        CommandLine { argv, environment: environment.chain(deployed).collect(), files }
    };
    let folder = app.dir.clone().unwrap_or_else(|| PathBuf::from("."));
    let compose = app.compose.as_ref().map(|spec| Compose::new(folder.join(&spec.file), spec.service.clone()));
    Some(AppCommand { compose: compose.map(Arc::new), line: Arc::new(line), folder, ready: app.ready.clone() })
}

/// Pairs of names and values, and the harness's own variables.
struct Known<'a>(&'a [(&'a str, &'a str)]);

impl Values for Known<'_> {
    fn put(&self, name: &str, out: &mut String) -> bool {
        match variable(name) {
            Some(variable) => std::env::var(variable).is_ok_and(|value| {
                out.push_str(&value);
                true
            }),
            None => self.0.put(name, out),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::RedisUrl;
    use crate::targets::{OpsSpec, StoreSpec};

    fn app(text: &str) -> AppSpec {
        toml::from_str(text).unwrap()
    }

    fn first(text: &str) -> (String, String) {
        let flaws = flaws(&app(text));
        flaws.first().map(|flaw| (flaw.path.join("."), flaw.message.clone())).unwrap_or_default()
    }

    const SOUND: &str = "command = ['shop', '--port={{port}}']
        env = { REDIS_URL = '{{redis.url}}', KEY = '{{secret}}', CA = '{{redis.ca-file}}' }";

    #[test]
    fn an_application_gets_its_port_and_its_redis_and_keeps_its_secret_when_it_starts_again() {
        let url: RedisUrl = "redis://:s3cret@127.0.0.1:7001".parse().unwrap();
        let (store, description) =
            (StoreSpec::default(), Description { app: app(SOUND), op: OpsSpec::default(), deploys: Vec::new() });
        let site = LaunchSite { store: &store, description: None, seed: 7, url: &url, prefix: "firedrill:00:" };
        let command = launch(&description, &site).unwrap();
        let start = |port, deployed| (command.line)(&AppStart { port, instance: 2, deployed, files: None });
        let CommandLine { argv, environment, .. } = start(7777, &[]);
        assert_eq!(argv, ["shop", "--port=7777"]);
        assert_eq!(environment[0], ("REDIS_URL".to_owned(), "redis://:s3cret@127.0.0.1:7001".to_owned()));
        assert_eq!(environment[1].1.len(), 64);
        assert_eq!(environment.len(), 2, "without TLS there is no authority to trust");
        assert_eq!(start(7778, &[]).environment[1], environment[1]);
        let deployed = [("ME".to_owned(), "{{instance}}".to_owned()), ("KEY".to_owned(), "new".to_owned())];
        let pairs = start(7778, &deployed).environment;
        assert_eq!(pairs[2..], [("ME".to_owned(), "2".to_owned()), ("KEY".to_owned(), "new".to_owned())]);
    }

    #[test]
    fn files_are_filled_for_each_start_and_found_by_their_folder() {
        let url: RedisUrl = "redis://:s3cret@127.0.0.1:7001".parse().unwrap();
        let text =
            "command = ['shop', '{{files}}/app.yml']\n[files]\n\"app.yml\" = 'port: {{port}}, redis: {{redis.url}}'";
        assert_eq!(first(text), Default::default());
        let description = Description { app: app(text), op: OpsSpec::default(), deploys: Vec::new() };
        let store = StoreSpec::default();
        let site = LaunchSite { store: &store, description: None, seed: 7, url: &url, prefix: "firedrill:00:" };
        let command = launch(&description, &site).unwrap();
        let start = AppStart { port: 7777, instance: 1, deployed: &[], files: Some(Path::new("/private")) };
        let CommandLine { argv, files, .. } = (command.line)(&start);
        assert_eq!(argv[1], "/private/app.yml");
        assert_eq!(files, [("app.yml".into(), "port: 7777, redis: redis://:s3cret@127.0.0.1:7001".to_owned())]);
        assert_eq!(first(&text.replace("{{files}}", "conf")).0, "app.files");
        assert_eq!(first(&text.replace("\"app.yml\"", "\"../app.yml\"")).0, "app.files.../app.yml");
        assert_eq!(first(&text.replace("\"app.yml\"", "\"/etc/app.yml\"")).0, "app.files./etc/app.yml");
        assert_eq!(first(&text.replace("{{redis.url}}", "{{redis.url}} {{redis.ca-file}}")).0, "app.files.app.yml");
        assert_eq!(first(&SOUND.replace("{{secret}}", "{{files}}")).0, "app.env");
    }

    #[test]
    fn what_is_wrong_with_a_deploy_of_an_application_is_named_with_its_place() {
        let deploys = |text: &str| [IndexMap::new(), IndexMap::from([("A".to_owned(), text.to_owned())])];
        let places = |of: &str, text: &str| -> Vec<String> {
            deploy_flaws(&app(of), &deploys(text)).iter().map(|flaw| flaw.path.join(".")).collect()
        };
        assert_eq!(places(SOUND, "{{redis.url}}"), Vec::<String>::new());
        assert_eq!(places(SOUND, "{{redis.uri}}"), ["deploy.1.env.A"]);
        assert_eq!(places("url = 'http://localhost:3000'", "b"), ["deploy.1.env"]);
    }

    #[test]
    fn what_is_wrong_with_an_application_is_named_with_its_place() {
        assert_eq!(first(SOUND), Default::default());
        assert_eq!(first("url = 'http://localhost:3000'"), Default::default());
        assert_eq!(first("").1, "an application has either a command, or a compose file, or a url");
        assert_eq!(first(&SOUND.replace("{{port}}", "80")).1, "nothing tells the application its port");
        assert_eq!(first(&SOUND.replace("{{redis.url}}", "x")).1, "nothing tells the application where its Redis is");
        assert_eq!(first(&SOUND.replace("{{redis.url}}", "{{redis.uri}}")).0, "app.env.REDIS_URL");
        let (place, message) = first("command = ['shop', '{{port}}', '{{redis.url}}']");
        assert_eq!(place, "app.command.2");
        assert!(message.contains("every user of the machine"), "{message}");
        assert!(first("url = 'http://me:s3cret@localhost:3000'").1.starts_with("leave user and password out"));
        assert_eq!(first(&SOUND.replace("{{secret}}", "{{env.SHOP_KEY}}")), Default::default());
        assert_eq!(first(&SOUND.replace("{{port}}", "{{port}}{{env.SHOP_KEY}}")).0, "app.command.1");
        assert_eq!(first("url = 'https://shop.example'").1, "TLS to the application is not supported");
        assert_eq!(first("url = 'http://localhost:3000'\nenv = { A = 'b' }").0, "app.env");
        assert_eq!(first("url = 'http://localhost:3000'\ninstances = 2").0, "app.instances");
        let service = "compose = { file = 'compose.yaml', service = 'web' }";
        assert_eq!(first(&format!("{service}\n{}", SOUND.lines().last().unwrap())).0, "app.compose", "it has no port");
        let sound = format!("{service}\nenv = {{ PORT = '{{{{port}}}}', REDIS_URL = '{{{{redis.url}}}}' }}");
        assert_eq!(first(&sound), Default::default());
        assert_eq!(first(&format!("{sound}\nurl = 'http://localhost:3000'")).0, "app");
        let (place, message) = first("command = ['shop', '{{port}}', '{{redis.ca-file}}']");
        assert!(place == "app.command.2" && message.contains("cannot be left out"), "{place} {message}");
        assert_eq!(first(&format!("{SOUND}\nconnected = {{ get = 'up' }}")).0, "app.connected");
        assert_eq!(first(&format!("{SOUND}\nconnected = {{ get = '/up', body = '(' }}")).0, "app.connected.body");
    }
}
