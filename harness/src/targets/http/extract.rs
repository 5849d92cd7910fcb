//! Values out of an answer: by JSONPath (RFC 9535), CSS selector, regular expression, header, cookie or status.

use cookie::Cookie;
use hyper::header::{HeaderName, SET_COOKIE};
use regex::Regex;
use scraper::{Html, Selector};
use serde_json::Value;
use serde_json_path::JsonPath;

use super::super::description::ExtractSpec;
use super::connection::Reply;

/// Where in an answer a value stands.
#[derive(Debug, Clone)]
pub(super) struct Extract {
    source: Source,
    /// Its first group, or the whole match without groups.
    regex: Option<Regex>,
}

#[derive(Debug, Clone)]
enum Source {
    Body,
    Json(JsonPath),
    /// Elements of a page, and the attribute to take instead of their text.
    Css(Selector, Option<String>),
    Header(HeaderName),
    Cookie(String),
    Status,
}

impl Extract {
    /// Compiles a description.
    ///
    /// # Errors
    /// The key that is wrong, and why.
    pub(super) fn of(spec: &ExtractSpec) -> Result<Self, (&'static str, String)> {
        let regex = spec.regex.as_deref().map(Regex::new).transpose();
        let regex = regex.map_err(|error| ("regex", format!("no regular expression: {}", last_line(&error))))?;
        let mut sources = Vec::new();
        if let Some(path) = &spec.json {
            let path = JsonPath::parse(path).map_err(|error| ("json", format!("no JSONPath (RFC 9535): {error}")))?;
            sources.push(Source::Json(path));
        }
        if let Some(selector) = &spec.css {
            let selector = Selector::parse(selector).map_err(|_| ("css", "not a CSS selector".to_owned()))?;
            sources.push(Source::Css(selector, spec.attribute.clone()));
        } else if spec.attribute.is_some() {
            return Err(("attribute", "which element's attribute? Name the element with `css`".to_owned()));
        }
        if let Some(name) = &spec.header {
            let name = HeaderName::try_from(name.as_str()).map_err(|_| ("header", "no name of a header".to_owned()))?;
            sources.push(Source::Header(name));
        }
        sources.extend(spec.cookie.clone().map(Source::Cookie));
        sources.extend(spec.status.then_some(Source::Status));
        let source = match (sources.pop(), sources.is_empty(), &regex) {
            (Some(source), true, _) => source,
            (None, _, Some(_)) => Source::Body,
            _ => {
                return Err((
                    "",
                    "give one of json, css, header, cookie and status, or regex alone for the body".to_owned(),
                ));
            }
        };
        Ok(Self { source, regex })
    }

    /// Every value it finds in `reply`.
    ///
    /// # Errors
    /// Why there can be none: the body is no JSON, or a value is a list or an object.
    pub(super) fn all(&self, reply: &Reply) -> Result<Vec<String>, String> {
        let texts = match &self.source {
            Source::Body => vec![String::from_utf8_lossy(&reply.body).into_owned()],
            Source::Status => vec![reply.status.as_u16().to_string()],
            Source::Css(selector, attribute) => elements(&reply.body, selector, attribute.as_deref()),
            Source::Header(name) => reply
                .headers
                .get_all(name)
                .iter()
                .map(|value| String::from_utf8_lossy(value.as_bytes()).into())
                .collect(),
            Source::Cookie(name) => {
                let set = reply.headers.get_all(SET_COOKIE).iter().filter_map(|value| value.to_str().ok());
                let cookies = set.filter_map(|text| Cookie::parse(text).ok());
                cookies.filter(|cookie| cookie.name() == name).map(|cookie| cookie.value().to_owned()).collect()
            }
            Source::Json(path) => {
                let body: Value =
                    serde_json::from_slice(&reply.body).map_err(|error| format!("the body is no JSON: {error}"))?;
                path.query(&body).all().into_iter().map(scalar).collect::<Result<_, _>>()?
            }
        };
        Ok(match &self.regex {
            None => texts,
            Some(regex) => texts.iter().flat_map(|text| groups(regex, text)).collect(),
        })
    }

    /// The one value it finds in `reply`.
    ///
    /// # Errors
    /// As [`Extract::all`]; there is none, or more than one.
    pub(super) fn one(&self, reply: &Reply) -> Result<String, String> {
        let mut found = self.all(reply)?;
        // Two forms of a page hold the same token.
        found.dedup();
        match (found.pop(), found.len()) {
            (Some(value), 0) => Ok(value),
            (Some(_), others) => Err(format!("it is there with {} values: say which one", others + 1)),
            (None, _) => Err("it is not there".to_owned()),
        }
    }
}

/// The text, or that attribute, of every element of a page that `selector` finds.
fn elements(page: &[u8], selector: &Selector, attribute: Option<&str>) -> Vec<String> {
    let page = Html::parse_document(&String::from_utf8_lossy(page));
    let found = page.select(selector);
    match attribute {
        Some(name) => found.filter_map(|element| element.attr(name).map(str::to_owned)).collect(),
        None => found.map(|element| element.text().collect::<String>().trim().to_owned()).collect(),
    }
}

fn groups(regex: &Regex, text: &str) -> Vec<String> {
    let found = regex.captures_iter(text).filter_map(|captures| captures.get(1).or(captures.get(0)));
    found.map(|group| group.as_str().to_owned()).collect()
}

fn scalar(value: &Value) -> Result<String, String> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Number(number) => Ok(number.to_string()),
        Value::Bool(truth) => Ok(truth.to_string()),
        Value::Null => Ok("null".to_owned()),
        Value::Array(_) | Value::Object(_) => {
            Err("the JSONPath ends at a list or an object: lead it to its values, as `$.items[*].id`".to_owned())
        }
    }
}

/// regex's messages repeat the pattern over several lines; the reason stands in the last.
fn last_line(error: &regex::Error) -> String {
    error.to_string().lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned()
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use hyper::StatusCode;
    use hyper::header::{HeaderMap, HeaderValue};

    use super::*;

    fn reply(body: &str) -> Reply {
        let mut headers = HeaderMap::new();
        headers.insert("location", HeaderValue::from_static("/game/17"));
        headers.append(SET_COOKIE, HeaderValue::from_static("sid=abc; Path=/"));
        Reply { status: StatusCode::CREATED, headers, body: Bytes::copy_from_slice(body.as_bytes()) }
    }

    fn extract(toml: &str) -> Extract {
        Extract::of(&toml::from_str(toml).unwrap()).unwrap()
    }

    #[test]
    fn a_value_is_found_where_the_description_says() {
        let answer = reply(r#"{"items": [{"item": 5}, {"item": "42"}], "user": {"name": "u7"}}"#);
        assert_eq!(extract("json = '$.items[*].item'").all(&answer).unwrap(), ["5", "42"]);
        assert_eq!(extract("json = '$.user.name'\nregex = 'u(\\d+)'").one(&answer).unwrap(), "7");
        assert_eq!(extract("header = 'Location'\nregex = '/game/(\\d+)'").one(&answer).unwrap(), "17");
        assert_eq!(extract("cookie = 'sid'").one(&answer).unwrap(), "abc");
        assert_eq!(extract("status = true").one(&answer).unwrap(), "201");
        let page = reply(r#"<li>item 5</li> <li>item 42</li>"#);
        assert_eq!(extract("regex = 'item (\\d+)'").all(&page).unwrap(), ["5", "42"]);
    }

    #[test]
    fn a_page_is_searched_by_selector_however_its_tags_are_written() {
        let page = reply(
            "<!doctype html><form><input value=a&amp;b type=hidden name='csrf'><input name=\"q\"></form>\n\
             <ul class=items><li>item <b>5</b><li class=old> item 42 </ul><li>item 7",
        );
        assert_eq!(extract("css = 'input[name=csrf]'\nattribute = 'value'").one(&page).unwrap(), "a&b");
        assert_eq!(extract("css = 'ul.items > li'").all(&page).unwrap(), ["item 5", "item 42"]);
        assert_eq!(extract("css = 'ul.items > li'\nregex = '\\d+$'").all(&page).unwrap(), ["5", "42"]);
        assert_eq!(extract("css = 'input'\nattribute = 'value'").one(&page).unwrap(), "a&b", "one has no value");
        assert_eq!(extract("css = '#none'").one(&page).unwrap_err(), "it is not there");
        assert_eq!(extract("css = 'li'").all(&reply("no page")).unwrap(), [""; 0]);
    }

    #[test]
    fn none_and_two_are_errors_where_one_is_wanted() {
        let answer = reply(r#"{"items": [1, 2]}"#);
        assert_eq!(extract("json = '$[*]'").one(&reply("[7, 7]")).unwrap(), "7", "one value, twice");
        assert_eq!(extract("json = '$.csrf'").one(&answer).unwrap_err(), "it is not there");
        assert!(extract("json = '$.items[*]'").one(&answer).unwrap_err().contains("with 2 values"));
        assert!(extract("json = '$.items'").one(&answer).unwrap_err().contains("list or an object"));
        assert!(extract("json = '$.items'").one(&reply("<html>")).unwrap_err().contains("no JSON"));
        assert_eq!(extract("json = '$.items[*]'").all(&reply(r#"{"items": []}"#)).unwrap(), [""; 0]);
    }

    #[test]
    fn a_description_that_makes_no_sense_names_its_key() {
        let error = |toml: &str| Extract::of(&toml::from_str(toml).unwrap()).unwrap_err();
        assert_eq!(error("json = 'items'").0, "json");
        assert_eq!(error("regex = '('").0, "regex");
        assert_eq!(error("css = 'li['").0, "css");
        assert_eq!(error("attribute = 'value'").0, "attribute");
        assert_eq!(error("").0, "");
        assert!(error("header = 'x'\ncookie = 'y'").1.contains("one of"));
    }
}
