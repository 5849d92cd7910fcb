//! `--set path=value` and `--app FILE` change the scenario's text before it is parsed, so that every check of the file also
//! covers the command line.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use toml_edit::{DocumentMut, Item, Key, Table, Value};

use super::application::Application;
use super::depth::{DEEPEST, too_deep};
use super::error::ScenarioError;
use super::secrets::is_secret;
use crate::secret::{BLANK, blanked, url};

/// One `--set path=value`, or `--app FILE`.
/// Its `Debug` shows no secret.
#[derive(Clone, PartialEq, Eq)]
pub struct Override(Change);

#[derive(Clone, PartialEq, Eq)]
enum Change {
    /// `shown` is the text without its secrets.
    Set {
        shown: String,
        path: Vec<String>,
        value: String,
    },
    Application(Application),
}

impl FromStr for Override {
    type Err = ScenarioError;

    fn from_str(text: &str) -> Result<Self, ScenarioError> {
        let error =
            |text: &str, message: &str| ScenarioError::Override { text: text.to_owned(), message: message.to_owned() };
        // The path may contain quoted keys (gates."during.errors"), and the value may contain "=" (a limit): the first
        // "=" outside quotes separates them.
        let mut quoted = false;
        let split = text.char_indices().find(|(_, c)| {
            quoted ^= *c == '"';
            *c == '=' && !quoted
        });
        let (at, _) = split.ok_or_else(|| error(text, "there is no `=`"))?;
        let keys = Key::parse(text[..at].trim())
            .map_err(|_| error(&text[..at], "the part before `=` is not a path of keys"))?;
        let path: Vec<String> = keys.iter().map(|key| key.get().to_owned()).collect();
        let value = text[at + 1..].trim().to_owned();
        if path.len() > DEEPEST || too_deep(&format!("value = {value}")).is_some() {
            return Err(error(&text[..at], "this is nested deeper than any key of a scenario"));
        }
        let secret = is_secret(&path);
        if secret && value.contains(BLANK) {
            let message = "`***` stands for a value that no record holds: give it again, best as {{env.NAME}} with the value in \
                           that variable";
            return Err(error(text, message));
        }
        let shown = match secret {
            true => format!("{}={}", &text[..at], blanked(unquoted(&value))),
            false => url(text),
        };
        Ok(Self(Change::Set { shown, path, value }))
    }
}

impl Override {
    /// The application described in the file at `path`, in place of the scenario's own.
    ///
    /// # Errors
    /// [`ScenarioError::Unreadable`].
    pub fn application(path: &Path) -> Result<Self, ScenarioError> {
        Ok(Self(Change::Application(Application::read(path)?)))
    }

    /// The application that is drilled where a shipped scenario needs one and none is given.
    pub(super) fn session_server() -> Self {
        Self(Change::Application(Application::session_server()))
    }

    /// The flag, and its value as given, but for secrets.
    pub fn flag(&self) -> (&'static str, &str) {
        match &self.0 {
            Change::Set { shown, .. } => ("--set", shown),
            Change::Application(application) => ("--app", application.name()),
        }
    }

    /// Whether it says which application is drilled.
    pub fn is_application(&self) -> bool {
        matches!(self.0, Change::Application(_))
    }

    /// Changes `document`. A path that names a list without a position changes all its entries.
    pub(super) fn apply(&self, document: &mut DocumentMut) -> Result<(), ScenarioError> {
        match &self.0 {
            Change::Application(application) => application.apply(document),
            Change::Set { shown, path, value } => {
                // Anything that is not TOML becomes a string, so that `degrade` needs no quotes.
                let value = value.parse().unwrap_or_else(|_| Value::from(value.as_str()));
                set(document.as_item_mut(), path, &value)
                    .map_err(|message| ScenarioError::Override { text: shown.clone(), message })
            }
        }
    }
}

impl fmt::Debug for Override {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (flag, value) = self.flag();
        write!(f, "Override({flag} {value})")
    }
}

/// `value` without the quotes around the whole of it.
fn unquoted(value: &str) -> &str {
    let inside = |quote: char| value.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote));
    inside('"').or_else(|| inside('\'')).unwrap_or(value)
}

fn set(item: &mut Item, path: &[String], value: &Value) -> Result<(), String> {
    let Some((key, rest)) = path.split_first() else {
        *item = Item::Value(value.clone());
        return Ok(());
    };
    if let Item::ArrayOfTables(tables) = item {
        let count = tables.len();
        if let Ok(position) = key.parse::<usize>() {
            let table =
                tables.get_mut(position).ok_or(format!("there is no entry {position}: the list has {count}"))?;
            return set_in_table(table, rest, value);
        }
        return tables.iter_mut().try_for_each(|table| set_in_table(table, path, value));
    }
    if item.is_none() {
        *item = Item::Table(Table::new());
    }
    match item.as_table_like_mut() {
        Some(table) => set(table.entry(key).or_insert(Item::None), rest, value),
        None => Err(format!("`{key}` lies inside something that is not a table")),
    }
}

fn set_in_table(table: &mut Table, path: &[String], value: &Value) -> Result<(), String> {
    match path.split_first() {
        Some((key, rest)) => set(table.entry(key).or_insert(Item::None), rest, value),
        None => Err("name a key of the entry".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(text: &str, set: &str) -> String {
        let mut document: DocumentMut = text.parse().unwrap();
        set.parse::<Override>().unwrap().apply(&mut document).unwrap();
        document.to_string()
    }

    #[test]
    fn a_bare_word_is_taken_as_text() {
        assert_eq!(after("[store]\npolicy = \"drain\"\n", "store.policy=degrade"), "[store]\npolicy = \"degrade\"\n");
    }

    #[test]
    fn tables_on_the_way_are_made() {
        assert_eq!(after("name = \"x\"\n", "store.ttl=2s"), "name = \"x\"\n\n[store]\nttl = \"2s\"\n");
    }

    #[test]
    fn a_number_stays_a_number() {
        assert_eq!(after("seed = 1\n", "seed=42"), "seed = 42\n");
    }

    #[test]
    fn a_list_is_changed_in_one_entry_or_in_all() {
        let text = "[[load]]\nrate = \"1/s\"\n[[load]]\nrate = \"2/s\"\n";
        assert_eq!(after(text, "load.1.rate=9/s"), "[[load]]\nrate = \"1/s\"\n[[load]]\nrate = \"9/s\"\n");
        assert_eq!(after(text, "load.rate=9/s"), "[[load]]\nrate = \"9/s\"\n[[load]]\nrate = \"9/s\"\n");
    }

    #[test]
    fn a_quoted_key_may_hold_dots_and_the_value_an_equals_sign() {
        assert_eq!(
            after("[gates]\n\"during.errors\" = \"<= 1%\"\n", "gates.\"during.errors\"=<= 5%"),
            "[gates]\n\"during.errors\" = \"<= 5%\"\n"
        );
    }

    #[test]
    fn a_secret_is_set_and_never_shown() {
        let of = |text: &str| {
            text.parse::<Override>().map(|change| format!("{change:?}")).map_err(|error| error.to_string())
        };
        for (given, shown) in [
            ("app.env.PLAIN=hunter2", "app.env.PLAIN=***"),
            ("app.env.KEY=\"{{env.SHOP_KEY}}\"", "app.env.KEY={{env.SHOP_KEY}}"),
            ("app.env={ A = 'hunter2' }", "app.env=***"),
            ("deploy.0.env.MODE=hunter2", "deploy.0.env.MODE=***"),
            ("app.url=http://me:hunter2@localhost", "app.url=http://***@localhost"),
            ("app.command=['shop', '--token=hunter2']", "app.command=***"),
            ("op.create={ steps = [] }", "op.create=***"),
            ("store.ttl=2s", "store.ttl=2s"),
            ("load.keys=uniform", "load.keys=uniform"),
        ] {
            assert_eq!(of(given).unwrap(), format!("Override(--set {shown})"));
        }
        let again = of("app.env.PLAIN=***").unwrap_err();
        assert!(again.contains("give it again"), "{again}");
        assert_eq!(after("[app]\n", "app.env.PLAIN=hunter2"), "[app]\n\n[app.env]\nPLAIN = \"hunter2\"\n");
    }

    #[test]
    fn what_cannot_be_applied_says_why() {
        let error = "store.policy".parse::<Override>().unwrap_err().to_string();
        assert_eq!(error, "--set store.policy: there is no `=`");
        let mut document: DocumentMut = "[[load]]\nrate = \"1/s\"\n".parse().unwrap();
        let error = "load.3.rate=1/s".parse::<Override>().unwrap().apply(&mut document).unwrap_err().to_string();
        assert_eq!(error, "--set load.3.rate=1/s: there is no entry 3: the list has 1");
    }
}
