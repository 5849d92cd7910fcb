//! The differential with Toxiproxy 2.12: the requests of tests/toxiproxy, each to a server of its own, and the answers that
//! Toxiproxy gives. Where ours is another by choice, docs/proxy.md says so.

mod exposed;

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;

use firedrill_proxy::ProxyServer;
use serde::Deserialize;
use serde_json::Value;
use tokio::runtime::Runtime;

use crate::support::{DEADLINE, any_port};

/// The files that are run here. `exposed` has a network namespace of its own.
const SUBJECTS: [&str; 8] = ["routes", "proxies", "changes", "populate", "toxics", "attributes", "json", "noop"];

/// A field that Toxiproxy shows by an oversight, always empty. Ours does not have it.
const LOGGER: &str = "Logger";

#[derive(Deserialize)]
struct Subject {
    subject: String,
    cases: Vec<Case>,
}

/// A request, and what Toxiproxy answers.
#[derive(Deserialize)]
struct Case {
    /// Requests that come first: method, path and body.
    #[serde(default)]
    before: Vec<String>,
    request: String,
    /// One more header.
    headers: Option<String>,
    #[serde(default)]
    body: String,
    #[serde(flatten)]
    expected: Expected,
    /// Headers of the answer.
    #[serde(default)]
    head: std::collections::BTreeMap<String, Value>,
    /// What ours answers, where that is another by choice.
    ours: Option<Choice>,
    /// Where Toxiproxy says so.
    source: String,
}

#[derive(Deserialize)]
struct Expected {
    status: u16,
    /// The JSON of the body; see [`fits`].
    answer: Option<Value>,
    /// The body as it is.
    text: Option<String>,
}

#[derive(Deserialize)]
struct Choice {
    #[serde(flatten)]
    expected: Expected,
    /// Words of docs/proxy.md, where the reason is.
    choice: String,
}

fn subject(name: &str) -> Subject {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/toxiproxy/{name}.json"));
    let text = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

struct Answer {
    status: u16,
    head: String,
    body: String,
}

fn send(api: SocketAddr, request: &str, headers: Option<&str>, body: &str) -> Answer {
    let mut socket = TcpStream::connect(api).unwrap();
    socket.set_read_timeout(Some(DEADLINE)).unwrap();
    let headers = headers.unwrap_or("X-Test: 1");
    let length = body.len();
    write!(
        socket,
        "{request} HTTP/1.1\r\nHost: {api}\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n\r\n{body}"
    )
    .unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Answer { status, head: head.to_lowercase(), body: body.to_owned() }
}

/// Whether `seen` is what is expected. Text in it may be `<kind>`, or begin with `^`: then the rest is how it begins.
fn fits(seen: &Value, expected: &Value) -> bool {
    match (seen, expected) {
        (Value::Object(seen), Value::Object(expected)) => {
            let mut expected = expected.clone();
            expected.remove(LOGGER);
            seen.len() == expected.len()
                && expected.iter().all(|(key, expected)| seen.get(key).is_some_and(|seen| fits(seen, expected)))
        }
        (Value::Array(seen), Value::Array(expected)) => {
            seen.len() == expected.len() && seen.iter().zip(expected).all(|(seen, expected)| fits(seen, expected))
        }
        // JSON has one kind of number: 1 and 1.0 are equal.
        (Value::Number(seen), Value::Number(expected)) => {
            seen == expected || seen.as_f64().is_some_and(|seen| expected.as_f64() == Some(seen))
        }
        (Value::Bool(_), Value::String(kind)) if kind == "<bool>" => true,
        (Value::String(seen), Value::String(expected)) => text_fits(seen, expected),
        _ => seen == expected,
    }
}

fn text_fits(seen: &str, expected: &str) -> bool {
    let address = || seen.parse::<SocketAddr>().is_ok_and(|addr| addr.ip().is_loopback() && addr.port() > 0);
    match expected {
        "<string>" => true,
        "<address>" => address(),
        "<id>" => seen.len() == 20 && seen.bytes().all(|byte| b"0123456789abcdefghijklmnopqrstuv".contains(&byte)),
        _ => expected.strip_prefix('^').map_or(seen == expected, |start| seen.starts_with(start)),
    }
}

/// What is wrong with an answer; nothing where it is as expected.
fn difference(answer: &Answer, expected: &Expected, head: &Case, redis: &str) -> Option<String> {
    let here = |text: &str| text.replace("{redis}", redis);
    let mut wrong = Vec::new();
    if answer.status != expected.status {
        wrong.push(format!("status {}", answer.status));
    }
    if let Some(shape) = &expected.answer {
        let shape: Value = serde_json::from_str(&here(&shape.to_string())).unwrap();
        let seen = serde_json::from_str(&answer.body).unwrap_or(Value::Null);
        if answer.body.is_empty() || !fits(&seen, &shape) {
            wrong.push(format!("body {}", answer.body));
        }
    }
    if let Some(text) = &expected.text
        && !text_fits(&answer.body, &here(text))
    {
        wrong.push(format!("body {:?}", answer.body));
    }
    for (name, value) in &head.head {
        let start = format!("{name}: ");
        let seen = answer.head.lines().find_map(|line| line.strip_prefix(&start)).unwrap_or_default();
        if !text_fits(seen, value.as_str().unwrap()) {
            wrong.push(format!("header {name}: {seen:?}"));
        }
    }
    (!wrong.is_empty()).then(|| wrong.join(", "))
}

/// The differences of a subject, each with its request, and how many requests it has.
fn differences(runtime: &Runtime, name: &str) -> (Vec<String>, usize) {
    let Subject { subject, cases } = subject(name);
    let mut found = Vec::new();
    for case in &cases {
        let server = ProxyServer::start(1).unwrap();
        let proxy = runtime.block_on(server.create("redis", any_port(), "127.0.0.1:1", true)).unwrap();
        let api = server.serve_api(any_port()).unwrap();
        let redis = proxy.listen_addr().to_string();
        let here = |text: &str| text.replace("{redis}", &redis);
        for before in &case.before {
            let mut words = before.splitn(3, ' ');
            let (method, path) = (words.next().unwrap(), words.next().unwrap());
            send(api, &format!("{method} {path}"), None, &here(words.next().unwrap_or_default()));
        }
        let answer = send(api, &case.request, case.headers.as_deref(), &here(&case.body));
        let expected = case.ours.as_ref().map_or(&case.expected, |ours| &ours.expected);
        if let Some(difference) = difference(&answer, expected, case, &redis) {
            let Case { before, request, body, source, .. } = case;
            let wanted = expected.answer.as_ref().map(Value::to_string).or(expected.text.clone()).unwrap_or_default();
            found.push(format!(
                "{subject}: {before:?} {request} {body}\n  seen: {difference}\n  expected: {} {wanted}\n  ({source})",
                expected.status
            ));
        }
    }
    (found, cases.len())
}

#[test]
fn every_answer_is_toxiproxys() {
    let runtime = Runtime::new().unwrap();
    let (mut found, mut requests) = (Vec::new(), 0);
    for name in SUBJECTS {
        let (differences, cases) = differences(&runtime, name);
        found.extend(differences);
        requests += cases;
    }
    assert!(found.is_empty(), "{} of {requests} answers differ:\n{}", found.len(), found.join("\n"));
    assert!(requests >= 300, "only {requests} requests were made");
}

#[test]
fn every_answer_that_is_another_by_choice_is_explained_in_the_documentation() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/proxy.md");
    let page = std::fs::read_to_string(page).unwrap();
    for name in SUBJECTS {
        for Choice { choice, .. } in subject(name).cases.into_iter().filter_map(|case| case.ours) {
            assert!(page.contains(&choice), "docs/proxy.md does not say \"{choice}\"");
        }
    }
    assert!(page.contains(&format!("`{LOGGER}`")));
}
