//! A compiled description: requests as templates, captures as compiled paths, and what an answer says.

use hyper::Method;
use hyper::header::{CONTENT_TYPE, HeaderName};
use regex::Regex;
use serde_json::Value;

use super::connection::Reply;
use super::extract::Extract;
use super::template::{Template, Values};
use crate::history::OpKind;

/// The operations of an application.
pub(super) struct Program {
    operations: Vec<(OpKind, Op)>,
}

/// An operation.
pub(super) struct Op {
    pub(super) steps: Vec<Step>,
    /// The step that has the effect.
    pub(super) commit: usize,
    pub(super) tokens: Option<Extract>,
    pub(super) count: Option<Extract>,
    pub(super) version: Option<Extract>,
    pub(super) owner: Option<Extract>,
    pub(super) granted: Option<Extract>,
    pub(super) absent: Option<Answer>,
    pub(super) degraded: Option<Extract>,
    pub(super) refused: Option<Answer>,
}

/// A request, and what is wanted of its answer.
pub(super) struct Step {
    pub(super) method: Method,
    pub(super) path: Template,
    pub(super) headers: Vec<(HeaderName, Template)>,
    pub(super) body: Body,
    pub(super) follow: bool,
    pub(super) expect: Vec<u16>,
    pub(super) captures: Vec<(String, Extract)>,
}

/// What is sent.
pub(super) enum Body {
    None,
    Form(Vec<(String, Template)>),
    Multipart(Vec<Part>),
    Json(Json),
    Text(Template),
}

/// A part of a form with files.
pub(super) struct Part {
    /// Its header lines.
    pub(super) head: String,
    pub(super) content: Template,
}

/// A JSON value whose texts are templates.
pub(super) enum Json {
    Text(Template),
    List(Vec<Json>),
    Object(Vec<(String, Json)>),
    Other(Value),
}

/// Answers with a meaning.
pub(super) struct Answer {
    pub(super) status: Vec<u16>,
    pub(super) location: Option<String>,
    pub(super) body: Option<Regex>,
}

/// What an answer says of its request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Says {
    /// It was done.
    Done,
    /// There is no such session.
    Absent,
    /// It was refused, and had no effect.
    Refused,
    /// Nothing that the description knows: it may have had an effect.
    Anything,
}

impl Program {
    pub(super) fn new(operations: Vec<(OpKind, Op)>) -> Self {
        Self { operations }
    }

    /// Whether the application has names of its own for sessions, which its answers to a create give.
    pub(super) fn names_sessions(&self) -> bool {
        self.op(OpKind::Create).is_some_and(|create| create.owner.is_some())
    }

    /// How to do `kind`: an old id is looked at by a read, unless there is another way.
    pub(super) fn op(&self, kind: OpKind) -> Option<&Op> {
        let described = |kind| self.operations.iter().find(|(of, _)| *of == kind).map(|(_, op)| op);
        match kind {
            OpKind::Revisit => described(kind).or_else(|| described(OpKind::Read)),
            _ => described(kind),
        }
    }
}

impl Op {
    /// What `reply` to `step` says.
    pub(super) fn says(&self, step: &Step, reply: &Reply) -> Says {
        let status = reply.status.as_u16();
        // A login page may come with the status of success, and a redirect to it with the one of a form that was taken.
        if self.denies(reply) {
            return Says::Absent;
        }
        let expected = if step.expect.is_empty() { reply.status.is_success() } else { step.expect.contains(&status) };
        match (expected, self.refused.as_ref().is_some_and(|refused| refused.matches(reply))) {
            (true, _) => Says::Done,
            (false, true) => Says::Refused,
            (false, false) => Says::Anything,
        }
    }

    /// Whether `reply` says that there is no such session.
    pub(super) fn denies(&self, reply: &Reply) -> bool {
        self.absent.as_ref().is_some_and(|absent| absent.matches(reply))
    }

    /// Whether a fallback gave `reply`.
    pub(super) fn is_degraded(&self, reply: &Reply) -> bool {
        holds(self.degraded.as_ref(), reply)
    }

    /// Whether `reply` grants what was claimed.
    pub(super) fn is_granted(&self, reply: &Reply) -> bool {
        holds(self.granted.as_ref(), reply)
    }
}

/// Whether there is anything of `value` in `reply`.
fn holds(value: Option<&Extract>, reply: &Reply) -> bool {
    value.is_some_and(|value| value.all(reply).is_ok_and(|found| !found.is_empty()))
}

impl Step {
    /// The statuses of success, in words.
    pub(super) fn expected(&self) -> String {
        match self.expect.as_slice() {
            [] => "200 to 299".to_owned(),
            statuses => statuses.iter().map(ToString::to_string).collect::<Vec<_>>().join(" or "),
        }
    }
}

impl Answer {
    fn matches(&self, reply: &Reply) -> bool {
        let location = || reply.headers.get(hyper::header::LOCATION).and_then(|value| value.to_str().ok());
        self.status.contains(&reply.status.as_u16())
            || self.location.as_ref().is_some_and(|start| {
                reply.status.is_redirection() && location().is_some_and(|to| path_of(to).starts_with(start.as_str()))
            })
            || self.body.as_ref().is_some_and(|regex| regex.is_match(&String::from_utf8_lossy(&reply.body)))
    }
}

/// A location without its scheme and host.
fn path_of(location: &str) -> &str {
    match location.split_once("://") {
        Some((_, rest)) => rest.find('/').map_or("/", |at| &rest[at..]),
        None => location,
    }
}

impl Json {
    /// Reads a value.
    ///
    /// # Errors
    /// As [`Template::parse`].
    pub(super) fn of(value: &Value) -> Result<Self, String> {
        Ok(match value {
            Value::String(text) => Json::Text(Template::parse(text)?),
            Value::Array(items) => Json::List(items.iter().map(Json::of).collect::<Result<_, _>>()?),
            Value::Object(fields) => {
                let field = |(name, value): (&String, &Value)| Ok((name.clone(), Json::of(value)?));
                Json::Object(fields.iter().map(field).collect::<Result<_, String>>()?)
            }
            // TOML has none, but a `nan` would become one.
            Value::Null => return Err("JSON has no such number".to_owned()),
            other => Json::Other(other.clone()),
        })
    }

    /// The value with its texts filled in.
    ///
    /// # Errors
    /// The name that has no value.
    pub(super) fn render(&self, values: &dyn Values) -> Result<Value, String> {
        Ok(match self {
            Json::Text(template) => Value::String(template.render(values)?),
            Json::List(items) => Value::Array(items.iter().map(|item| item.render(values)).collect::<Result<_, _>>()?),
            Json::Object(fields) => {
                let field = |(name, value): &(String, Json)| Ok((name.clone(), value.render(values)?));
                Value::Object(fields.iter().map(field).collect::<Result<_, String>>()?)
            }
            Json::Other(value) => value.clone(),
        })
    }

    /// Adds the names in it to `found`.
    pub(super) fn names<'j>(&'j self, found: &mut Vec<&'j str>) {
        match self {
            Json::Text(template) => found.extend(template.names()),
            Json::List(items) => items.iter().for_each(|item| item.names(found)),
            Json::Object(fields) => fields.iter().for_each(|(_, value)| value.names(found)),
            Json::Other(_) => {}
        }
    }
}

impl Body {
    /// Its bytes and their type.
    ///
    /// # Errors
    /// The name that has no value.
    pub(super) fn render(&self, values: &dyn Values) -> Result<Option<(String, String)>, String> {
        let typed = |kind: &str, text: String| Some((kind.to_owned(), text));
        Ok(match self {
            Body::None => None,
            Body::Text(template) => typed("text/plain; charset=utf-8", template.render(values)?),
            Body::Json(json) => typed("application/json", json.render(values)?.to_string()),
            Body::Multipart(parts) => {
                let contents = parts.iter().map(|part| part.content.render(values)).collect::<Result<Vec<_>, _>>()?;
                // A boundary that is in none of the parts (RFC 2046, 5.1.1).
                let mut boundary = "firedrill".to_owned();
                while contents.iter().any(|content| content.contains(&boundary)) {
                    boundary.push('-');
                }
                let mut body = String::new();
                for (Part { head, .. }, content) in parts.iter().zip(&contents) {
                    body.push_str(&format!("--{boundary}\r\n{head}\r\n\r\n{content}\r\n"));
                }
                body.push_str(&format!("--{boundary}--\r\n"));
                typed(&format!("multipart/form-data; boundary={boundary}"), body)
            }
            Body::Form(fields) => {
                let mut form = form_urlencoded::Serializer::new(String::new());
                for (name, value) in fields {
                    form.append_pair(name, &value.render(values)?);
                }
                typed("application/x-www-form-urlencoded", form.finish())
            }
        })
    }
}

/// The header that names a body's type, which a step may give itself.
pub(super) const BODY_TYPE: HeaderName = CONTENT_TYPE;
