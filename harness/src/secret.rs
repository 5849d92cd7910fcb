//! What nobody may read in what a drill writes: how it is blanked. Which keys of a scenario hold secrets, their own lines in
//! the model say, once for its text and once for its JSON Schema: `writeOnly` is secret whatever it holds, `x-secret` is
//! secret where the name of a field or an option sounds so.

use indexmap::IndexMap;
use serde::{Serialize as _, Serializer};
use serde_json::Value;

/// Stands for what nobody may read.
pub(crate) const BLANK: &str = "***";

/// The words in the names of fields and settings whose values are secret.
const WORDS: [&str; 8] = ["secret", "password", "passwd", "token", "key", "credential", "auth", "cookie"];

/// Whether a field or setting of this name holds a secret.
pub(crate) fn sounds_secret(name: &str) -> bool {
    let name = name.to_lowercase();
    WORDS.iter().any(|word| name.contains(word))
}

/// `text` with its places for values, `{{name}}`, and nothing else.
pub(crate) fn blanked(text: &str) -> String {
    let (mut out, mut rest) = (String::new(), text);
    let blank = |out: &mut String, part: &str| {
        if !part.is_empty() {
            out.push_str(BLANK);
        }
    };
    while let Some((before, (name, after))) =
        rest.split_once("{{").and_then(|(before, after)| Some((before, after.split_once("}}")?)))
    {
        blank(&mut out, before);
        out.push_str(&format!("{{{{{}}}}}", name.trim()));
        rest = after;
    }
    blank(&mut out, rest);
    out
}

/// An argument of a command line without the user and password of a URL, and without the value of a setting that sounds
/// secret.
pub(crate) fn argument(argument: &str) -> String {
    for (at, _) in argument.match_indices('=') {
        let name = argument[..at].rsplit(['.', '-', '=']).next().unwrap_or_default();
        if sounds_secret(name) {
            return format!("{}={}", &argument[..at], blanked(&argument[at + 1..]));
        }
    }
    url(argument)
}

/// A text without the user and password of a URL.
pub(crate) fn url(text: &str) -> String {
    let Some((before, rest)) = text.split_once("://") else { return text.to_owned() };
    // A password may contain anything, so what precedes the last @ of the whole is user and password.
    match rest.rsplit_once('@') {
        Some((_, host)) => format!("{before}://{BLANK}@{host}"),
        None => text.to_owned(),
    }
}

/// Writes variables of an environment, all of them blanked: nobody can tell which of them are secret.
pub(crate) fn variables<S: Serializer>(variables: &IndexMap<String, String>, to: S) -> Result<S::Ok, S::Error> {
    to.collect_map(variables.iter().map(|(name, value)| (name, blanked(value))))
}

/// The words of a command line, without the values of options that sound secret.
pub(crate) fn command(words: &[String]) -> Vec<String> {
    let mut names_secret = false;
    let show = |word: &String| {
        let shown = if names_secret { blanked(word) } else { argument(word) };
        names_secret = word.starts_with('-') && !word.contains('=') && sounds_secret(word);
        shown
    };
    words.iter().map(show).collect()
}

/// Writes the words of a command line.
pub(crate) fn words<S: Serializer>(words: &[String], to: S) -> Result<S::Ok, S::Error> {
    to.collect_seq(command(words))
}

/// Writes the fields of a request, those blanked that sound secret.
pub(crate) fn fields<S: Serializer>(fields: &IndexMap<String, String>, to: S) -> Result<S::Ok, S::Error> {
    let shown = |(name, value): (&String, &String)| match sounds_secret(name) {
        true => (name.clone(), blanked(value)),
        false => (name.clone(), value.clone()),
    };
    to.collect_map(fields.iter().map(shown))
}

/// Writes a body of any kind, blanked: nobody can tell what in it is secret.
pub(crate) fn body<S: Serializer>(body: &Option<String>, to: S) -> Result<S::Ok, S::Error> {
    body.as_deref().map(blanked).serialize(to)
}

/// Writes a JSON body, without the texts and numbers in fields that sound secret.
pub(crate) fn json<S: Serializer>(body: &Option<Value>, to: S) -> Result<S::Ok, S::Error> {
    body.clone().map(|body| shown(body, false)).serialize(to)
}

fn shown(value: Value, secret: bool) -> Value {
    match value {
        Value::String(text) if secret => Value::String(blanked(&text)),
        Value::Number(_) if secret => Value::String(BLANK.to_owned()),
        Value::Array(items) => items.into_iter().map(|item| shown(item, secret)).collect(),
        Value::Object(fields) => {
            let field = |(name, value): (String, Value)| {
                let secret = secret || sounds_secret(&name);
                (name, shown(value, secret))
            };
            Value::Object(fields.into_iter().map(field).collect())
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_places_for_values_stay() {
        for (given, shown) in [
            ("", ""),
            ("hunter2", "***"),
            ("{{redis.url}}", "{{redis.url}}"),
            ("{{ env.KEY }}", "{{env.KEY}}"),
            ("redis://:hunter2@{{redis.host}}:{{redis.port}}/0", "***{{redis.host}}***{{redis.port}}***"),
            ("hunter2{{", "***"),
        ] {
            assert_eq!(blanked(given), shown);
        }
    }

    #[test]
    fn passwords_and_secret_settings_of_a_command_line_are_blanked() {
        for (given, shown) in [
            ("redis://db.example:6379", "redis://db.example:6379"),
            ("redis://app:s3cr@t@db.example:6379/2", "redis://***@db.example:6379/2"),
            ("--redis=rediss://:s3cret/with?odd#signs@db", "--redis=rediss://***@db"),
            ("--api-token=abc=def", "--api-token=***"),
            ("--key={{env.KEY}}", "--key={{env.KEY}}"),
            ("store.policy=degrade", "store.policy=degrade"),
            ("during.errors=<= 1%", "during.errors=<= 1%"),
        ] {
            assert_eq!(argument(given), shown);
        }
        let words = ["shop", "--api-key", "hunter2", "-v", "{{port}}", "--token={{port}}"].map(str::to_owned);
        assert_eq!(command(&words).join(" "), "shop --api-key *** -v {{port}} --token={{port}}");
    }

    #[test]
    fn a_body_is_shown_without_what_sounds_secret() {
        let body = serde_json::json!({ "user": "ann", "login": { "password": "hunter2", "key": 1234, "pins": [1] }, "tokens": ["a", "b"] });
        let expected = serde_json::json!({ "user": "ann", "login": { "password": "***", "key": "***", "pins": [1] }, "tokens": ["***", "***"] });
        assert_eq!(json(&Some(body), serde_json::value::Serializer).unwrap(), expected);
    }
}
