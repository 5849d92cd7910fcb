//! Compiles a description: requests become templates, captures compiled paths. What can be wrong with it is found here.

use hyper::Method;
use hyper::header::HeaderName;
use regex::Regex;

use super::super::description::{
    AnswerSpec, Description, ExtractSpec, OpSpec, OpsSpec, PartSpec, RefusedSpec, StepSpec,
};
use super::super::kind::Flaw;
use super::extract::Extract;
use super::launch;
use super::program::{Answer, Body, Json, Op, Part, Program, Step};
use super::template::Template;
use crate::history::OpKind;

/// The names that every request knows.
const ALWAYS: [&str; 4] = ["session", "user", "id", "seed"];

/// The names of operations that write.
const WHERE_WRITTEN: [&str; 3] = ["token", "payload", "bytes"];

/// Compiles `description`.
///
/// # Errors
/// Everything that is wrong with it.
pub(super) fn program(description: &Description) -> Result<Program, Vec<Flaw>> {
    let mut flaws = launch::flaws(&description.app);
    flaws.extend(launch::deploy_flaws(&description.app, &description.deploys));
    let ops = &description.op;
    for needed in [OpKind::Create, OpKind::Read].into_iter().filter(|kind| !description.offers(*kind)) {
        let name = needed.name();
        let help = format!("add [op.{name}] with steps = [{{ get = \"/\" }}]");
        flaws.push(Flaw::at(
            ["op"],
            format!("every drill makes sessions and reads them; there is no [op.{name}]"),
            help,
        ));
    }
    let models = [ops.append.is_some(), ops.put.is_some(), ops.increment.is_some()];
    if models.iter().filter(|given| **given).count() > 1 {
        let message = "a session is a list (append), a register (put) or a counter (increment)";
        flaws.push(Flaw::at(["op"], message, "describe one of them"));
    }
    let writes = ops.append.is_some() || ops.put.is_some();
    if let Some(read) = &ops.read {
        if read.tokens.is_none() && writes {
            let message = "what was written is never looked for";
            flaws.push(Flaw::at(["op", "read"], message, "add tokens = { json = \"$.items[*]\" }"));
        }
        if read.count.is_some() != ops.increment.is_some() {
            let message = "a counter has an increment, and a read that shows its number";
            flaws.push(Flaw::at(["op", "read"], message, "add [op.increment], and count = { json = \"$.count\" }"));
        }
    }
    flaws.extend(absence_flaws(ops));
    flaws.extend(renewal_flaws(ops));
    let mut known: Vec<&str> = Vec::new();
    let mut operations = Vec::new();
    for (kind, spec) in ops.all() {
        let Some(spec) = spec else { continue };
        let mut here = Names { always: known.clone(), kind };
        let op = op(kind, spec, &mut here, &mut flaws);
        if kind == OpKind::Create {
            known = here.always;
        }
        operations.extend(op.map(|op| (kind, op)));
    }
    if flaws.is_empty() { Ok(Program::new(operations)) } else { Err(flaws) }
}

/// The operations whose answers must be told from those without a session.
fn absence_flaws(ops: &OpsSpec) -> Vec<Flaw> {
    let message = |kind| match kind {
        OpKind::Renew => {
            "how does an answer say that there is no session to renew? A login that makes one would pass for a renewal"
        }
        _ => {
            "how does an answer say that there is no such session? A login page with status 200 would pass for success"
        }
    };
    let help = "add absent = { status = [401] }, or { location = \"/login\" }, or { body = \"Please log in\" }";
    let needed = |kind| matches!(kind, OpKind::Read | OpKind::Renew | OpKind::Revisit);
    let lacks = |spec: Option<&OpSpec>| spec.is_some_and(|spec| spec.absent.is_none());
    let lacking = ops.all().into_iter().filter(|(kind, spec)| needed(*kind) && lacks(*spec));
    lacking.map(|(kind, _)| Flaw::at(["op", kind.name()], message(kind), help)).collect()
}

/// What is wrong with the operations that change a session's id or end several sessions.
fn renewal_flaws(ops: &OpsSpec) -> Vec<Flaw> {
    let mut flaws = Vec::new();
    if ops.revisit.is_some() && ops.renew.is_none() {
        flaws.push(Flaw::at(["op", "revisit"], "nothing gives a session another id", "add [op.renew]"));
    }
    if ops.logout_everywhere.is_some() && !ops.create.as_ref().is_some_and(|create| create.names("user")) {
        let message = "whose sessions are ended? The login does not say which user it is";
        flaws.push(Flaw::at(["op", "logout-everywhere"], message, "let a request of [op.create] name {{user}}"));
    }
    flaws
}

/// The names that a step may use.
struct Names<'s> {
    /// Captured by create, or by an earlier step of the same operation.
    always: Vec<&'s str>,
    kind: OpKind,
}

impl Names<'_> {
    fn check<'n>(&self, names: impl Iterator<Item = &'n str>) -> Result<(), String> {
        let writes =
            matches!(self.kind, OpKind::Create | OpKind::Append | OpKind::Put | OpKind::Increment | OpKind::Award);
        for name in names {
            let known =
                ALWAYS.contains(&name) || (writes && WHERE_WRITTEN.contains(&name)) || self.always.contains(&name);
            if !known {
                let mut all = ALWAYS.to_vec();
                all.extend(WHERE_WRITTEN.iter().filter(|_| writes));
                all.extend(&self.always);
                return Err(format!("nothing is called `{name}` here; there is {}", all.join(", ")));
            }
        }
        Ok(())
    }
}

fn op<'s>(kind: OpKind, spec: &'s OpSpec, names: &mut Names<'s>, flaws: &mut Vec<Flaw>) -> Option<Op> {
    let before = flaws.len();
    let path = |rest: &[&str]| -> Vec<String> {
        ["op", kind.name()].iter().chain(rest).map(|part| (*part).to_owned()).collect()
    };
    if spec.steps.is_empty() {
        flaws.push(Flaw::at(path(&["steps"]), "there is no step", "give steps = [{ get = \"/\" }]"));
    }
    let mut steps = Vec::new();
    for (number, step) in spec.steps.iter().enumerate() {
        let number = number.to_string();
        let at = |rest: &[&str]| path(&[&["steps", number.as_str()][..], rest].concat());
        steps.extend(self::step(step, names, &at, flaws));
    }
    let commits: Vec<usize> = (0..spec.steps.len()).filter(|number| spec.steps[*number].commit).collect();
    if let [_, second, ..] = commits[..] {
        let message = "two steps are said to have the effect";
        flaws.push(Flaw::at(path(&["steps", &second.to_string(), "commit"]), message, "let one of them commit"));
    }
    let mut value = |key: &str, given: &Option<ExtractSpec>| {
        let extract = Extract::of(given.as_ref()?);
        let flaw = |(part, message): (&str, String)| Flaw::at(path(&[key, part]), message, EXTRACT_HELP);
        extract.map_err(|error| flaws.push(flaw(error))).ok()
    };
    let (tokens, count) = (value("tokens", &spec.tokens), value("count", &spec.count));
    let (version, owner) = (value("version", &spec.version), value("owner", &spec.owner));
    let (granted, degraded) = (value("granted", &spec.granted), value("degraded", &spec.degraded));
    for (key, given) in [("tokens", &spec.tokens), ("count", &spec.count), ("version", &spec.version)] {
        if given.is_some() && kind != OpKind::Read {
            flaws.push(Flaw::at(path(&[key]), "only a read shows what a session holds", "put it into [op.read]"));
        }
    }
    if spec.granted.is_some() != (kind == OpKind::Award) {
        let message = "the answer to an award, and to no other operation, says whether the claim was granted";
        let help = "[op.award] granted = { regex = '\"awarded\": *true' }";
        flaws.push(Flaw::at(path(&["granted"]), message, help));
    }
    if spec.tokens.is_some() && spec.count.is_some() {
        flaws.push(Flaw::at(path(&["count"]), "a session holds tokens or is a number", "give one of them"));
    }
    if spec.absent.is_some() && matches!(kind, OpKind::Create) {
        flaws.push(Flaw::at(path(&["absent"]), "a create finds no session: it makes one", "leave it out"));
    }
    let mut meaning = |key: &str, given: Option<AnswerSpec>| {
        let answer = answer(&given?);
        answer.map_err(|message| flaws.push(Flaw::at(path(&[key]), message, "{ status = [401] }"))).ok()
    };
    let absent = meaning("absent", spec.absent.clone());
    let refused = meaning(
        "refused",
        spec.refused.clone().map(|refused| match refused {
            RefusedSpec::Statuses(status) => AnswerSpec { status, ..AnswerSpec::default() },
            RefusedSpec::Answers(answers) => answers,
        }),
    );
    let commit = commits.first().copied().unwrap_or(spec.steps.len().saturating_sub(1));
    (flaws.len() == before).then_some(Op {
        steps,
        commit,
        tokens,
        count,
        version,
        owner,
        granted,
        absent,
        degraded,
        refused,
    })
}

const EXTRACT_HELP: &str =
    "{ json = \"$.items[*]\" }, { css = \"input[name=csrf]\", attribute = \"value\" }, { header = \"location\" }, …";

fn answer(spec: &AnswerSpec) -> Result<Answer, String> {
    if *spec == AnswerSpec::default() {
        return Err("it says nothing: give status, location or body".to_owned());
    }
    let body = spec.body.as_deref().map(Regex::new).transpose();
    let body = body.map_err(|_| "`body` is not a regular expression".to_owned())?;
    Ok(Answer { status: spec.status.clone(), location: spec.location.clone(), body })
}

fn step<'s>(
    spec: &'s StepSpec,
    names: &mut Names<'s>,
    at: &dyn Fn(&[&str]) -> Vec<String>,
    flaws: &mut Vec<Flaw>,
) -> Option<Step> {
    let before = flaws.len();
    let methods = [
        (Method::GET, &spec.get),
        (Method::POST, &spec.post),
        (Method::PUT, &spec.put),
        (Method::PATCH, &spec.patch),
        (Method::DELETE, &spec.delete),
    ];
    let mut given = methods.into_iter().filter_map(|(method, path)| Some((method, path.as_deref()?)));
    let (Some((method, path)), None) = (given.next(), given.next()) else {
        flaws.push(Flaw::at(at(&[]), "a step is one request", "give one of get, post, put, patch and delete"));
        return None;
    };
    let key = method.as_str().to_ascii_lowercase();
    let path_template = template(path, names, at(&[&key]), flaws);
    let mut headers = Vec::new();
    for (name, value) in &spec.headers {
        let value = template(value, names, at(&["headers", name]), flaws);
        match HeaderName::try_from(name.as_str()) {
            Ok(name) => headers.extend(value.map(|value| (name, value))),
            Err(_) => flaws.push(Flaw::at(at(&["headers", name]), "no name of a header", "as \"x-csrf-token\"")),
        }
    }
    if !path.starts_with('/') {
        flaws.push(Flaw::at(at(&[&key]), "a path begins with /", "the host is that of [app]"));
    }
    let bodies = [!spec.form.is_empty(), !spec.multipart.is_empty(), spec.json.is_some(), spec.body.is_some()];
    if bodies.iter().filter(|given| **given).count() > 1 {
        flaws.push(Flaw::at(at(&[]), "a request has one body", "give one of form, multipart, json and body"));
    }
    let body = body(spec, names, at, flaws);
    let mut captures = Vec::new();
    for (name, extract) in &spec.capture {
        if ALWAYS.contains(&name.as_str()) || WHERE_WRITTEN.contains(&name.as_str()) {
            flaws.push(Flaw::at(at(&["capture", name]), "this name has a value already", "choose another"));
        }
        match Extract::of(extract) {
            Ok(extract) => captures.push((name.clone(), extract)),
            Err((part, message)) => flaws.push(Flaw::at(at(&["capture", name, part]), message, EXTRACT_HELP)),
        }
        names.always.push(name);
    }
    let expect = spec.expect.clone();
    if flaws.len() > before {
        return None;
    }
    Some(Step { method, path: path_template?, headers, body, follow: spec.follow, expect, captures })
}

const NAMES_HELP: &str = "{{session}}, {{token}}, or what an earlier step captured";

fn template(text: &str, names: &Names<'_>, place: Vec<String>, flaws: &mut Vec<Flaw>) -> Option<Template> {
    let template = Template::parse(text).and_then(|template| names.check(template.names()).map(|()| template));
    template.map_err(|message| flaws.push(Flaw::at(place, message, NAMES_HELP))).ok()
}

fn body(spec: &StepSpec, names: &Names<'_>, at: &dyn Fn(&[&str]) -> Vec<String>, flaws: &mut Vec<Flaw>) -> Body {
    if let Some(text) = &spec.body {
        return template(text, names, at(&["body"]), flaws).map_or(Body::None, Body::Text);
    }
    if let Some(value) = &spec.json {
        let json = Json::of(value).and_then(|json| {
            let mut used = Vec::new();
            json.names(&mut used);
            names.check(used.into_iter()).map(|()| json)
        });
        return match json {
            Ok(json) => Body::Json(json),
            Err(message) => {
                flaws.push(Flaw::at(at(&["json"]), message, NAMES_HELP));
                Body::None
            }
        };
    }
    if !spec.multipart.is_empty() {
        let parts = spec.multipart.iter().filter_map(|(name, part)| self::part(name, part, names, at, flaws));
        return Body::Multipart(parts.collect());
    }
    if spec.form.is_empty() {
        return Body::None;
    }
    let mut field =
        |(name, value): (&String, &String)| Some((name.clone(), template(value, names, at(&["form", name]), flaws)?));
    Body::Form(spec.form.iter().filter_map(&mut field).collect())
}

fn part(
    name: &str,
    spec: &PartSpec,
    names: &Names<'_>,
    at: &dyn Fn(&[&str]) -> Vec<String>,
    flaws: &mut Vec<Flaw>,
) -> Option<Part> {
    let (head, content) = match spec {
        PartSpec::Text(text) => (vec![name], text),
        PartSpec::File { file, content, kind } => (vec![name, file, kind], content),
    };
    if head.iter().any(|text| text.contains(['"', '\r', '\n'])) {
        let message = "a name or type with quotes or line ends does not fit into a part's header";
        flaws.push(Flaw::at(at(&["multipart", name]), message, "leave them out"));
        return None;
    }
    let content = template(content, names, at(&["multipart", name]), flaws)?;
    let disposition = format!("content-disposition: form-data; name=\"{}\"", head[0]);
    let head = match head[1..] {
        [file, kind] => format!("{disposition}; filename=\"{file}\"\r\ncontent-type: {kind}"),
        _ => disposition,
    };
    Some(Part { head, content })
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use hyper::StatusCode;
    use hyper::header::{HeaderMap, HeaderValue, LOCATION};

    use super::super::connection::Reply;
    use super::super::program::Says;
    use super::*;

    const CART: &str = r#"
[app]
command = ["python3", "cart.py", "{{port}}", "{{redis.host}}:{{redis.port}}"]
[op.create]
steps = [{ post = "/login", form = { user = "u{{session}}" }, capture = { csrf = { json = "$.csrf" } } }]
[op.read]
steps  = [{ get = "/cart" }]
tokens = { json = "$.items[*]" }
absent = { status = [401], location = "/login" }
[op.append]
steps   = [{ post = "/cart", json = { item = "{{token}}", csrf = "{{csrf}}" }, expect = [201] }]
refused = [409]
"#;

    #[derive(serde::Deserialize)]
    struct Tables {
        app: crate::targets::AppSpec,
        op: crate::targets::OpsSpec,
    }

    fn compiled(text: &str) -> Result<Program, Vec<Flaw>> {
        let Tables { app, op } = toml::from_str(text).unwrap();
        program(&Description { app, op, deploys: Vec::new() })
    }

    fn flaw(text: &str) -> (String, String) {
        let flaws = compiled(text).err().expect("a flaw");
        (flaws[0].path.join("."), flaws[0].message.clone())
    }

    #[test]
    fn a_request_is_filled_with_the_values_of_its_session() {
        let program = compiled(CART).unwrap();
        let values = [("session", "7"), ("token", "42"), ("csrf", "a b&c")];
        let body = |kind| program.op(kind).unwrap().steps[0].body.render(&&values[..]).unwrap().unwrap();
        assert_eq!(body(OpKind::Create), ("application/x-www-form-urlencoded".to_owned(), "user=u7".to_owned()));
        assert_eq!(body(OpKind::Append), ("application/json".to_owned(), r#"{"item":"42","csrf":"a b&c"}"#.to_owned()));
    }

    #[test]
    fn an_answer_is_done_absent_refused_or_anything() {
        let program = compiled(CART).unwrap();
        let says = |kind, status: u16, location: &'static str| {
            let headers = HeaderMap::from_iter([(LOCATION, HeaderValue::from_static(location))]);
            let status = StatusCode::from_u16(status).unwrap();
            let op = program.op(kind).unwrap();
            op.says(&op.steps[0], &Reply { status, headers, body: Bytes::new() })
        };
        assert_eq!(says(OpKind::Append, 201, ""), Says::Done);
        assert_eq!(says(OpKind::Append, 200, ""), Says::Anything, "not what is expected");
        assert_eq!(says(OpKind::Append, 409, ""), Says::Refused);
        assert_eq!(says(OpKind::Append, 503, ""), Says::Anything, "nobody promises that it had no effect");
        assert_eq!(says(OpKind::Read, 204, ""), Says::Done);
        assert_eq!(says(OpKind::Read, 401, ""), Says::Absent);
        assert_eq!(says(OpKind::Read, 302, "http://shop.example/login?next=/cart"), Says::Absent);
        assert_eq!(says(OpKind::Read, 302, "/cart/"), Says::Anything);
    }

    #[test]
    fn a_login_page_with_status_200_is_absent_where_the_description_says_how_it_looks() {
        let program =
            compiled(&CART.replace("status = [401], location = \"/login\"", "body = \"Please log in\"")).unwrap();
        let op = program.op(OpKind::Read).unwrap();
        let says = |body: &'static str| {
            let reply =
                Reply { status: StatusCode::OK, headers: HeaderMap::new(), body: Bytes::from_static(body.as_bytes()) };
            op.says(&op.steps[0], &reply)
        };
        assert_eq!(says("<h1>Please log in</h1>"), Says::Absent);
        assert_eq!(says("<h1>Cart</h1>"), Says::Done);
    }

    #[test]
    fn a_renewal_needs_its_absence_and_a_logout_everywhere_its_user() {
        let login = "[op.logout-everywhere]\nsteps = [{ post = \"/everywhere\" }]\n";
        assert_eq!(flaw(&format!("{CART}{login}")).0, "op.logout-everywhere");
        let named = CART.replace("u{{session}}", "u{{ user }}");
        assert!(compiled(&format!("{named}{login}")).is_ok());
        let renew = "[op.renew]\nsteps = [{ post = \"/renew\" }]\n";
        let (path, message) = flaw(&format!("{CART}{renew}"));
        assert!(path == "op.renew" && message.contains("no session to renew"), "{path}: {message}");
        let revisit = "[op.revisit]\nsteps = [{ get = \"/cart\" }]\nabsent = { status = [401] }\n";
        assert_eq!(flaw(&format!("{CART}{revisit}")).1, "nothing gives a session another id");
        assert!(compiled(&format!("{CART}{renew}absent = {{ status = [401] }}\n{revisit}")).is_ok());
    }

    #[test]
    fn a_counter_is_incremented_and_read_and_holds_nothing_else() {
        let counter = CART.replace("tokens =", "count =").replace("[op.append]", "[op.increment]");
        assert!(compiled(&counter).is_ok());
        assert_eq!(flaw(&counter.replace("count =", "tokens =")).0, "op.read", "no count");
        assert_eq!(flaw(&counter.replace("[op.increment]", "[op.append]")).0, "op.read", "no increment");
        assert_eq!(flaw(&format!("{CART}[op.increment]\nsteps = [{{ post = \"/\" }}]\n")).0, "op");
    }

    #[test]
    fn what_is_wrong_is_named_with_its_place() {
        let changed = |from: &str, to: &str| flaw(&CART.replace(from, to));
        let (path, message) = changed("{{token}}", "{{tokn}}");
        assert_eq!(path, "op.append.steps.0.json");
        assert_eq!(
            message,
            "nothing is called `tokn` here; there is session, user, id, seed, token, payload, bytes, csrf"
        );
        assert_eq!(changed("get = \"/cart\"", "get = \"/cart\", post = \"/cart\"").0, "op.read.steps.0");
        assert_eq!(changed("get = \"/cart\"", "get = \"cart\"").0, "op.read.steps.0.get");
        assert_eq!(changed("$.items[*]", "items").0, "op.read.tokens.json");
        assert_eq!(changed("$.csrf", "csrf").0, "op.create.steps.0.capture.csrf.json");
        let (path, message) = changed("absent = { status = [401], location = \"/login\" }", "");
        assert_eq!(path, "op.read");
        assert!(message.contains("login page with status 200"), "{message}");
        assert_eq!(changed("tokens = { json = \"$.items[*]\" }", "").1, "what was written is never looked for");
        assert_eq!(changed("[op.append]", "[op.touch]").0, "op.touch.steps.0.json", "a touch has no token");
        assert!(flaw("[app]\nurl = \"http://127.0.0.1:1\"\n[op]\n").1.contains("there is no [op.create]"));
        assert_eq!(changed("\"{{port}}\"", "\"80\"").1, "nothing tells the application its port");
    }
}
