//! Which keys of a scenario hold secrets, by its JSON Schema. The model says so at the key itself.

use std::sync::LazyLock;

use serde_json::Value;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::depth::too_deep;
use super::model::Scenario;
use crate::secret::{command, sounds_secret};

/// JSON Schema's keyword for what is given and never shown.
const SECRET: &str = "writeOnly";
/// Ours, for what may hold a secret beside other things.
const MAY_HOLD: &str = "x-secret";

static SCHEMA: LazyLock<Value> = LazyLock::new(|| schemars::schema_for!(Scenario).to_value());

/// Whether the key at `path` holds a secret, or lies in one that does, or has one in it.
pub(super) fn is_secret<K: AsRef<str>>(path: &[K]) -> bool {
    let mut here = &*SCHEMA;
    for key in path {
        if is_marked(here) || here.get(MAY_HOLD).is_some() {
            return true;
        }
        // A key that is unknown is refused in its own words.
        let Some(next) = below(here, key.as_ref()) else { return false };
        here = next;
    }
    has_marked(here)
}

/// `text` without its secrets, each byte of them a `*`, so that every place in the text stays where it is. As it is if it is
/// not TOML, or nested too deep to be read: then nothing says what is a secret.
pub(super) fn hidden(text: &str) -> String {
    let document = if too_deep(text).is_some() { None } else { DeTable::parse(text).ok() };
    let Some(document) = document else { return text.to_owned() };
    let mut out = text.as_bytes().to_vec();
    let top = Place { schema: Some(&SCHEMA), secret: false, by_name: false };
    document.get_ref().iter().for_each(|(key, value)| hide(value, top.below(key.get_ref()), &mut out));
    // What was several bytes of a character is as many stars.
    String::from_utf8(out).unwrap_or_else(|_| text.to_owned())
}

/// Where a value stands.
#[derive(Clone, Copy)]
struct Place<'s> {
    /// What the schema says of it, if that says anything.
    schema: Option<&'s Value>,
    /// Whether it is secret whatever it is called.
    secret: bool,
    /// Whether what is in it is secret if its name sounds so.
    by_name: bool,
}

impl<'s> Place<'s> {
    fn below(self, key: &str) -> Place<'s> {
        let schema = self.schema.and_then(|schema| below(schema, key));
        Place {
            schema,
            secret: self.secret || schema.is_some_and(is_marked) || (self.by_name && sounds_secret(key)),
            by_name: self.by_name || schema.is_some_and(|schema| schema.get(MAY_HOLD).is_some()),
        }
    }
}

fn hide(value: &Spanned<DeValue<'_>>, place: Place<'_>, out: &mut [u8]) {
    match value.get_ref() {
        DeValue::Table(table) => table.iter().for_each(|(key, value)| hide(value, place.below(key.get_ref()), out)),
        DeValue::Array(items) => {
            // The words of a command line, whose options have names.
            let words: Vec<String> =
                items.iter().map(|item| item.get_ref().as_str().unwrap_or_default().into()).collect();
            for ((item, word), shown) in items.iter().zip(&words).zip(command(&words)) {
                let secret = place.secret || (place.by_name && shown != *word);
                hide(item, Place { secret, ..place.below("0") }, out);
            }
        }
        _ if place.secret => star(&mut out[value.span()]),
        _ => {}
    }
}

/// Leaves the quotes, and places for values such as `{{port}}`.
fn star(text: &mut [u8]) {
    let mut at = 0;
    while at < text.len() {
        let end = text[at..].windows(2).position(|pair| pair == b"}}").map(|end| at + end + 2);
        match end {
            Some(end) if text[at..].starts_with(b"{{") => at = end,
            _ => {
                if !b"\"'\n".contains(&text[at]) {
                    text[at] = b'*';
                }
                at += 1;
            }
        }
    }
}

/// `schema` and what it stands for: what it refers to, and its alternatives.
fn alternatives(schema: &Value) -> Vec<&Value> {
    let name = schema["$ref"].as_str().and_then(|name| name.strip_prefix('#'));
    let target = name.and_then(|name| SCHEMA.pointer(name));
    let choices = ["anyOf", "oneOf"].into_iter().filter_map(|key| schema[key].as_array()).flatten();
    let meant: Vec<&Value> = target.into_iter().chain(choices).flat_map(alternatives).collect();
    std::iter::once(schema).chain(meant).collect()
}

fn is_marked(schema: &Value) -> bool {
    alternatives(schema).iter().any(|schema| schema[SECRET] == true)
}

/// What `schema` says of its key `key`. A list may be named without a position: then all its entries are meant.
fn below<'a>(schema: &'a Value, key: &str) -> Option<&'a Value> {
    alternatives(schema).into_iter().find_map(|schema| {
        if let Some(items) = schema.get("items") {
            return if key.parse::<usize>().is_ok() { Some(items) } else { below(items, key) };
        }
        let own = schema.get("properties").and_then(|all| all.get(key));
        own.or_else(|| schema.get("additionalProperties").filter(|schema| schema.is_object()))
    })
}

/// Whether something in `schema` holds a secret, or may.
fn has_marked(schema: &Value) -> bool {
    is_marked(schema)
        || alternatives(schema).into_iter().any(|schema| {
            if schema.get(MAY_HOLD).is_some() {
                return true;
            }
            let fields = schema["properties"].as_object().into_iter().flat_map(|fields| fields.values());
            fields.chain(schema.get("items")).any(has_marked)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_an_environment_are_secret_and_so_is_what_holds_them() {
        for (path, secret) in [
            ("app.env.SHOP_KEY", true),
            ("app.env", true),
            ("app", true),
            ("deploy.0.env.MODE", true),
            ("deploy.env.MODE", true),
            ("deploy", true),
            ("app.command.1", true),
            ("op.read.steps.0.headers", true),
            ("op", true),
            ("app.ready", false),
            ("deploy.0.policy", false),
            ("load.0.rate", false),
            ("store.encryption", false),
            ("store.polcy", false),
            ("gates.recovery", false),
        ] {
            assert_eq!(is_secret(&path.split('.').collect::<Vec<_>>()), secret, "{path}");
        }
    }

    #[test]
    fn an_error_shows_its_place_without_the_secrets_around_it() {
        let text = "[app]\nready = \"/up\"\nenv = { A = \"hünter2\", URL = 'redis://{{redis.host}}' }\n\
                    [[deploy]]\nat = \"1s\"\nenv.B = \"\"\"\nhunter2\nmore\"\"\"\n";
        let expected = "[app]\nready = \"/up\"\nenv = { A = \"********\", URL = '********{{redis.host}}' }\n\
                        [[deploy]]\nat = \"1s\"\nenv.B = \"\"\"\n*******\n****\"\"\"\n";
        assert_eq!(hidden(text), expected);
        let text = "[app]\ncommand = ['shop', '--pass-key', 'hunter2', '--token=hunter2', '-v']\n[op.read]\n\
                    steps = [{ get = '/', headers = { Cookie = 'hunter2', accept = 'a' }, json = { a = { pin-key = 7, b = 8 } } }]\n";
        let expected = "[app]\ncommand = ['shop', '--pass-key', '*******', '***************', '-v']\n[op.read]\n\
                    steps = [{ get = '/', headers = { Cookie = '*******', accept = 'a' }, json = { a = { pin-key = *, b = 8 } } }]\n";
        assert_eq!(hidden(text), expected);
        assert_eq!(hidden("[app"), "[app");
    }

    /// What the schema calls secret, the record blanks: the two stand side by side at each key.
    #[test]
    fn what_is_secret_is_blank_where_a_scenario_is_written_out() {
        let env = "env = { PORT = \"{{port}}\", REDIS = \"{{redis.url}}\", SHOP = \"hunter2\" }";
        let text = format!(
            "name = \"x\"\nabout = \"x\"\n[app]\ncommand = [\"shop\", \"--pass-key=hunter2\"]\n{env}\n\
             [op.create]\nsteps = [{{ post = \"/\", form = {{ password = \"hunter2\", user = \"ann\" }} }}]\n\
             [op.read]\nsteps = [{{ get = \"/\", headers = {{ authorization = \"hunter2\" }} }}]\ntokens = {{ json = \"$\" }}\n\
             absent = {{ status = [401] }}\n\
             [[load]]\nrate = \"9/s\"\nfor = \"5s\"\nmix = {{ read = 1 }}\n[[deploy]]\nat = \"1s\"\n{env}\n"
        );
        let source = super::super::Source { name: "x.toml".to_owned(), text };
        let scenario = super::super::parse(&source, &[]).unwrap();
        let written = toml::to_string(&scenario).unwrap();
        assert!(!written.contains("hunter2") && written.matches("***").count() == 5, "{written}");
        assert!(written.contains("{{redis.url}}") && written.contains("\"ann\""), "{written}");
    }
}
