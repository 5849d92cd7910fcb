//! An application as a scenario describes it: the keys of `[app]` and `[op.NAME]`. The comments here are the descriptions in the JSON Schema.

use std::num::NonZeroU32;
use std::path::PathBuf;

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize, Serializer};

use crate::history::OpKind;
use crate::load::{Instances, Routing};
use crate::secret;
use crate::units::Span;

/// An application over HTTP: a `command` or a service of a `compose` file that the drill starts, or the `url` of one that runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AppSpec {
    /// Program and arguments, never a shell: `["gunicorn", "-b", "127.0.0.1:{{port}}", "shop:app"]`.
    #[serde(default, skip_serializing_if = "Vec::is_empty", serialize_with = "secret::words")]
    #[schemars(extend("x-secret" = "by name"))]
    pub command: Vec<String>,
    /// A service of a Compose file, whose container the drill starts instead of a command.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compose: Option<ComposeSpec>,
    /// Where an application that already runs listens: `"http://127.0.0.1:3000"`. Point it at `lab.proxy`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// command, compose: its environment: `{ REDIS_URL = "{{redis.url}}" }`. Of the harness's it gets PATH, HOME and a few more;
    /// `"{{env.NAME}}"` is the harness's variable NAME. No record holds the values.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty", serialize_with = "secret::variables")]
    #[schemars(extend("writeOnly" = true))]
    pub env: IndexMap<String, String>,
    /// command, compose: files that each instance finds in the folder `{{files}}`, by relative path: `{ "app.yml" = "port: {{port}}" }`.
    /// No record holds the texts.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty", serialize_with = "secret::variables")]
    #[schemars(extend("writeOnly" = true))]
    pub files: IndexMap<String, String>,
    /// command, compose: the folder it runs in, or the file is in, by a path relative to the scenario (default: the scenario's).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dir: Option<PathBuf>,
    /// The path that answers with a status below 500 once the application serves.
    #[serde(default = "root")]
    pub ready: String,
    /// The path at which the application tells what its store goes through, as session-server does under `/events`: JSON
    /// lines, each with `at_us` and `event`, after the position `?after=` that the last answer gave as `x-next`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub events: Option<String>,
    /// Where the application says whether it is connected to Redis: `{ get = "/health/redis", body = '"connected"' }`. A drill
    /// has recovered only when every instance is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connected: Option<ConnectedSpec>,
    /// command, compose: how long a start may take, without the building of an image.
    #[serde(default = "start_deadline")]
    pub within: Span,
    /// command, compose: how many of it share the load, each on its own port (1 to 8).
    #[serde(default = "one")]
    pub instances: NonZeroU32,
    /// Which of several instances gets an operation (default: the next one, `round-robin`).
    #[serde(default = "in_turn")]
    pub routing: Routing,
    /// command, compose: how long an instance may take to end after SIGTERM before it is killed, in `app.restart` and a `[[deploy]]`.
    #[serde(default = "grace")]
    pub grace: Span,
}

fn root() -> String {
    "/".to_owned()
}

fn start_deadline() -> Span {
    Span::secs(30)
}

fn one() -> NonZeroU32 {
    NonZeroU32::MIN
}

/// As a load balancer does by default.
fn in_turn() -> Routing {
    Routing::RoundRobin
}

fn grace() -> Span {
    Span::secs(10)
}

/// A service of a Compose file. Its container joins the machine's network: it listens on `{{port}}`, and reaches Redis where
/// `{{redis.url}}` says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ComposeSpec {
    /// The file, by a path relative to `dir`.
    pub file: PathBuf,
    /// The service.
    pub service: String,
}

/// How an application says that it is connected to Redis: by a status of 200 to 299, and by its body if `body` is given.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ConnectedSpec {
    /// The path that is asked.
    pub get: String,
    /// A regular expression that matches in the body while the application is connected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
}

/// The operations of the mix, in the application's terms.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct OpsSpec {
    /// Makes a session: a login, or the first visit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub create: Option<OpSpec>,
    /// Reads what a session holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub read: Option<OpSpec>,
    /// Adds `{{token}}` to what a session holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub append: Option<OpSpec>,
    /// Replaces what a session holds by `{{token}}`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub put: Option<OpSpec>,
    /// Extends a session's life.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub touch: Option<OpSpec>,
    /// Ends a session: a logout.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub destroy: Option<OpSpec>,
    /// Gives a session a new id and keeps its content: a login of somebody who has a session.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub renew: Option<OpSpec>,
    /// Asks with the cookies from before the last renewal: there must be no such session. Default: the steps of `read`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revisit: Option<OpSpec>,
    /// Ends all sessions of the session's user, `{{user}}`.
    #[serde(rename = "logout-everywhere", skip_serializing_if = "Option::is_none")]
    pub logout_everywhere: Option<OpSpec>,
    /// Adds one to the number that a session is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub increment: Option<OpSpec>,
    /// Claims a reward of the session's user, which is granted once; `{{token}}` is the claim.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub award: Option<OpSpec>,
}

impl OpsSpec {
    /// The operations that can be described, and their descriptions.
    pub fn all(&self) -> [(OpKind, Option<&OpSpec>); 11] {
        [
            (OpKind::Create, self.create.as_ref()),
            (OpKind::Read, self.read.as_ref()),
            (OpKind::Append, self.append.as_ref()),
            (OpKind::Put, self.put.as_ref()),
            (OpKind::Touch, self.touch.as_ref()),
            (OpKind::Destroy, self.destroy.as_ref()),
            (OpKind::Renew, self.renew.as_ref()),
            (OpKind::Revisit, self.revisit.as_ref()),
            (OpKind::LogoutEverywhere, self.logout_everywhere.as_ref()),
            (OpKind::Increment, self.increment.as_ref()),
            (OpKind::Award, self.award.as_ref()),
        ]
    }

    /// Whether nothing is described.
    pub fn is_empty(&self) -> bool {
        self.all().iter().all(|(_, spec)| spec.is_none())
    }
}

/// An operation: requests, one after the other, and what the answers say.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OpSpec {
    /// The requests.
    pub steps: Vec<StepSpec>,
    /// read: where in the last answer the tokens stand, each as it was written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens: Option<ExtractSpec>,
    /// read, of a session that `increment` changes: where in the last answer its number stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<ExtractSpec>,
    /// read: where in the last answer the number of the session's version stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<ExtractSpec>,
    /// Where the last answer says whose session it is: the number that `{{session}}` had in `create`. If `create` has an owner
    /// as well, it is the application's own name of the session, as that answer gave it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<ExtractSpec>,
    /// award: what the last answer holds if the reward is the user's, or may become so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub granted: Option<ExtractSpec>,
    /// Which answers say that there is no such session, or that nobody is logged in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub absent: Option<AnswerSpec>,
    /// What the last answer holds if a fallback gave it and not Redis: `{ header = "x-served-by", regex = "fallback" }`. The
    /// operation is then `degraded`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub degraded: Option<ExtractSpec>,
    /// Which answers promise that the request had no effect: `[409, 422]`, or `{ status = [409], body = '"effect":"none"' }`.
    /// Every other unexpected answer may have had one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<RefusedSpec>,
}

/// A request, and what its answer must be.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct StepSpec {
    /// The path of a GET. A step has one of get, post, put, patch, delete.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub get: Option<String>,
    /// The path of a POST.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub post: Option<String>,
    /// The path of a PUT.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub put: Option<String>,
    /// The path of a PATCH.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub patch: Option<String>,
    /// The path of a DELETE.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delete: Option<String>,
    /// Headers.
    #[serde(skip_serializing_if = "IndexMap::is_empty", serialize_with = "secret::fields")]
    #[schemars(extend("x-secret" = "by name"))]
    pub headers: IndexMap<String, String>,
    /// The fields of a form, sent as `application/x-www-form-urlencoded`.
    #[serde(skip_serializing_if = "IndexMap::is_empty", serialize_with = "secret::fields")]
    #[schemars(extend("x-secret" = "by name"))]
    pub form: IndexMap<String, String>,
    /// A JSON body; its texts are templates.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "secret::json")]
    #[schemars(extend("x-secret" = "by name"))]
    pub json: Option<serde_json::Value>,
    /// The parts of a form with files, sent as `multipart/form-data`: a text, or a file.
    #[serde(skip_serializing_if = "IndexMap::is_empty", serialize_with = "parts")]
    #[schemars(extend("x-secret" = "by name"))]
    pub multipart: IndexMap<String, PartSpec>,
    /// Any other body, as it is sent.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "secret::body")]
    #[schemars(extend("writeOnly" = true))]
    pub body: Option<String>,
    /// Whether redirects are followed as a browser follows them, within the application: the last answer counts.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub follow: bool,
    /// The statuses of success. Default: 200 to 299. Without `follow`, a redirect is an answer like any other.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub expect: Vec<u16>,
    /// Values from the answer, by name: `{ csrf = { regex = 'name="csrf" value="([^"]+)"' } }`.
    #[serde(skip_serializing_if = "IndexMap::is_empty")]
    pub capture: IndexMap<String, ExtractSpec>,
    /// Whether this is the step that has the effect. Default: the last one. A failure before it has none.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub commit: bool,
}

/// A part of a form with files: `"text"`, or `{ file = "note.txt", content = "{{token}}", type = "text/plain" }`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged, deny_unknown_fields, expecting = "a part is a text, or a file with `file` and `content`")]
pub enum PartSpec {
    /// A field.
    Text(String),
    /// A file.
    File {
        /// Its name.
        file: String,
        /// What it holds.
        content: String,
        /// Its type.
        #[serde(rename = "type", default = "plain_text")]
        kind: String,
    },
}

/// Writes the parts, without the texts of those that sound secret.
fn parts<S: Serializer>(parts: &IndexMap<String, PartSpec>, to: S) -> Result<S::Ok, S::Error> {
    let shown = |(name, part): (&String, &PartSpec)| match part {
        PartSpec::Text(text) if secret::sounds_secret(name) => (name.clone(), PartSpec::Text(secret::blanked(text))),
        part => (name.clone(), part.clone()),
    };
    to.collect_map(parts.iter().map(shown))
}

fn plain_text() -> String {
    "text/plain".to_owned()
}

/// Where in an answer a value stands: one of `json`, `css`, `header`, `cookie`, `status`; `regex` alone looks at the body,
/// and together with another at its value.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ExtractSpec {
    /// JSONPath (RFC 9535): `"$.items[*].id"`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub json: Option<String>,
    /// CSS selector, in a page of HTML: `"input[name=csrf]"`. The value is the text of the element, or its `attribute`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub css: Option<String>,
    /// The attribute of the element that `css` finds. An element without it does not count.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attribute: Option<String>,
    /// Regular expression: its first group, or all of the match without one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub regex: Option<String>,
    /// A header.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub header: Option<String>,
    /// A cookie that the answer sets.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cookie: Option<String>,
    /// The status.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub status: bool,
}

/// Which answers promise that a request had no effect: statuses, or more.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "give statuses, or a table of `status`, `location` and `body`")]
pub enum RefusedSpec {
    /// These statuses.
    Statuses(Vec<u16>),
    /// These answers.
    Answers(AnswerSpec),
}

/// Answers with a meaning. Any of these properties is enough.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AnswerSpec {
    /// These statuses.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub status: Vec<u16>,
    /// A redirect to a location that begins so: `"/login"`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
    /// A body in which this regular expression matches.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
}

/// An application, and the operations it is asked for: `[app]` and `[op.NAME]` of a scenario.
#[derive(Debug, Clone, PartialEq)]
pub struct Description {
    /// How it is reached.
    pub app: AppSpec,
    /// The operations.
    pub op: OpsSpec,
    /// The changes of its environment by each `[[deploy]]`; empty for one that changes something else.
    pub deploys: Vec<IndexMap<String, String>>,
}

impl AppSpec {
    /// What carries the load.
    pub fn carriers(&self) -> Instances {
        Instances { count: self.instances, routing: self.routing }
    }
}

impl Description {
    /// Whether the drill starts the application, and can kill it.
    pub fn is_started(&self) -> bool {
        self.app.url.is_none()
    }

    /// Whether the application takes this value from the drill: `prefix`, `store.ttl`.
    pub fn names(&self, name: &str) -> bool {
        let texts = self.app.command.iter().chain(self.app.env.values()).chain(self.app.files.values());
        texts.flat_map(|text| names_in(text)).any(|one| one == name)
    }

    /// The variables that the application's environments and files take from the harness's own, as `{{env.NAME}}`, and that are not set
    /// there, or are not text.
    pub fn unset_variables(&self) -> Vec<&str> {
        let texts =
            self.app.env.values().chain(self.app.files.values()).chain(self.deploys.iter().flat_map(IndexMap::values));
        let names = texts.flat_map(|text| names_in(text)).filter_map(|name| name.strip_prefix("env."));
        names.filter(|name| std::env::var(name).is_err()).collect()
    }

    /// Whether it says how to do this.
    pub fn offers(&self, kind: OpKind) -> bool {
        let described = |wanted| self.op.all().iter().any(|(of, spec)| *of == wanted && spec.is_some());
        described(kind) || (kind == OpKind::Revisit && described(OpKind::Renew))
    }
}

impl OpSpec {
    /// Whether a request of it has this value.
    pub fn names(&self, name: &str) -> bool {
        // What cannot be written as JSON cannot be read from a scenario either.
        serde_json::to_string(&self.steps).is_ok_and(|text| names_in(&text).any(|one| one == name))
    }
}

/// The names of the places for values in `text`.
fn names_in(text: &str) -> impl Iterator<Item = &str> {
    text.split("{{").skip(1).filter_map(|rest| rest.split_once("}}")).map(|(name, _)| name.trim())
}
