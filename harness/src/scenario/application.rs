//! The application of a scenario that is written for any: `[app]` and `[op]` from a file of their own (`--app FILE`).

use std::path::{Path, PathBuf};

use miette::{NamedSource, SourceSpan};
use toml_edit::{DocumentMut, Item, Table, TableLike, value};

use super::error::{Invalid, ScenarioError};
use super::secrets;
use crate::history::OpKind;

/// The application that comes with Firedrill, which the shipped scenarios for any application drill where no other is given.
const SHIPPED: &str = "session-server";
const SESSION_SERVER: &str = include_str!("../../scenarios/apps/session-server.toml");

/// The description of an application: a scenario of its own, or only these two tables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Application {
    /// Its file, as given.
    name: String,
    /// What its paths are relative to.
    folder: PathBuf,
    text: String,
}

impl Application {
    /// Reads the file at `path`. `session-server` is the shipped one.
    ///
    /// # Errors
    /// [`ScenarioError::Unreadable`].
    pub(super) fn read(path: &Path) -> Result<Self, ScenarioError> {
        if path == Path::new(SHIPPED) {
            return Ok(Self::session_server());
        }
        let name = path.display().to_string();
        match std::fs::read_to_string(path) {
            Ok(text) => Ok(Self { name, folder: folder_of(path).to_owned(), text }),
            Err(error) => Err(ScenarioError::Unreadable { path: name, reason: error.to_string() }),
        }
    }

    /// The shipped one.
    pub(super) fn session_server() -> Self {
        Self { name: SHIPPED.to_owned(), folder: PathBuf::from("."), text: SESSION_SERVER.to_owned() }
    }

    /// Its file, as given.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Puts the application into `scenario`. What the scenario says of its application itself, such as the number of instances,
    /// stays; the operations that the application does not describe leave the mixes.
    ///
    /// # Errors
    /// What is wrong with the file, in its place.
    pub(super) fn apply(&self, scenario: &mut DocumentMut) -> Result<(), ScenarioError> {
        let described: DocumentMut = self.text.parse().map_err(|error: toml_edit::TomlError| {
            self.error(error.message().to_owned(), error.span().map(|span| (span.start, span.len())), None)
        })?;
        let table = |name: &str| described.get(name).and_then(Item::as_table_like);
        let (Some(app), Some(op)) = (table("app"), table("op")) else {
            let help = "add [app] with command and env, and [op.create], [op.read]: docs/drill-your-own-app.md";
            return Err(self.error("this describes no application".to_owned(), None, Some(help)));
        };
        let mut merged = owned(app);
        if !merged.contains_key("url") {
            let dir = self.folder.join(app.get("dir").and_then(Item::as_str).unwrap_or_default());
            merged.insert("dir", value(std::path::absolute(&dir).unwrap_or(dir).display().to_string()));
        }
        let own = scenario.get("app").and_then(Item::as_table_like).map(owned);
        merged.extend(own.into_iter().flatten());
        scenario.insert("app", Item::Table(merged));
        scenario.insert("op", Item::Table(owned(op)));
        if let Some(connections) = table("target").and_then(|target| target.get("connections")) {
            scenario["target"]["connections"] = connections.clone();
        }
        let loads = scenario.get_mut("load").and_then(Item::as_array_of_tables_mut);
        for load in loads.into_iter().flat_map(|loads| loads.iter_mut()) {
            let Some(mix) = load.get_mut("mix").and_then(Item::as_table_like_mut) else { continue };
            let offers = |kind: OpKind| {
                op.contains_key(kind.name()) || (kind == OpKind::Revisit && op.contains_key(OpKind::Renew.name()))
            };
            for kind in OpKind::ALL.into_iter().filter(|kind| !offers(*kind)) {
                mix.remove(kind.name());
            }
        }
        Ok(())
    }

    fn error(&self, message: String, place: Option<(usize, usize)>, help: Option<&str>) -> ScenarioError {
        ScenarioError::Invalid(Box::new(Invalid {
            message,
            source_code: NamedSource::new(&self.name, secrets::hidden(&self.text)),
            span: place.map(|(start, length)| SourceSpan::new(start.into(), length)),
            help: help.map(str::to_owned),
            others: Vec::new(),
        }))
    }
}

/// The folder of a file; that of a bare name is the current one.
pub(super) fn folder_of(file: &Path) -> &Path {
    file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn owned(table: &dyn TableLike) -> Table {
    table.iter().map(|(key, item)| (key.to_owned(), item.clone())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn applied(scenario: &str, application: &str) -> Result<String, ScenarioError> {
        let mut document: DocumentMut = scenario.parse().unwrap();
        let of = Application { name: "shop.toml".to_owned(), folder: "/shop".into(), text: application.to_owned() };
        of.apply(&mut document).map(|()| document.to_string())
    }

    const SHOP: &str = "[app]\ncommand = ['shop']\n[op.create]\nsteps = []\n[op.read]\nsteps = []\n";

    #[test]
    fn the_application_comes_from_its_file_and_the_scenarios_own_wishes_stay() {
        let text = "[app]\ninstances = 2\n[[load]]\nmix = { read = 5, append = 4, create = 1 }\n";
        let merged: toml::Table = applied(text, SHOP).unwrap().parse().unwrap();
        let app = merged["app"].as_table().unwrap();
        assert_eq!(app["command"][0].as_str(), Some("shop"));
        assert_eq!((app["instances"].as_integer(), app["dir"].as_str()), (Some(2), Some("/shop/")));
        let mix: Vec<&str> = merged["load"][0]["mix"].as_table().unwrap().keys().map(String::as_str).collect();
        assert_eq!(mix, ["read", "create"]);
        assert!(merged["op"].as_table().unwrap().contains_key("create"));
    }

    #[test]
    fn a_file_that_describes_no_application_is_refused_by_its_name() {
        for text in ["", "[app]\ncommand = ['shop']\n", "[app"] {
            let Err(ScenarioError::Invalid(error)) = applied("", text) else { panic!("{text}") };
            assert_eq!(error.source_code.name(), "shop.toml");
        }
    }
}
