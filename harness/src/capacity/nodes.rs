//! Types of nodes to size by, from the user's own file.

use std::collections::BTreeSet;

use serde::Deserialize;
use toml::Spanned;

use crate::scenario::{ScenarioError, Source};
use crate::units::{Bytes, Share};

/// What to write.
const HELP: &str = "each type is a [[node]] with name, vcpu (2), memory (\"4GiB\") and price (per month, in your currency); utilisation \
                    (\"60%\") and spare (1) stand above them: docs/capacity.md";

/// The share of its limits that a node is to be used to, unless the file says otherwise.
const UTILISATION: Share = Share(0.6);

/// Nodes that may fail, unless the file says otherwise.
const SPARE: u32 = 1;

/// A file of node types.
#[derive(Debug, Clone, PartialEq)]
pub struct Nodes {
    /// The share of its limits that a node is to be used to.
    pub utilisation: Share,
    /// Nodes that may fail.
    pub spare: u32,
    /// The types.
    pub types: Vec<NodeType>,
}

/// A type of node.
#[derive(Debug, Clone, PartialEq)]
pub struct NodeType {
    /// Its name.
    pub name: String,
    /// Its processors.
    pub vcpu: u32,
    /// Its memory.
    pub memory: Bytes,
    /// Its price per month, in any currency.
    pub price: f64,
}

/// The file, with places for errors.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Placed {
    utilisation: Option<Spanned<Share>>,
    spare: Option<u32>,
    node: Vec<PlacedType>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PlacedType {
    name: Spanned<String>,
    vcpu: Spanned<u32>,
    memory: Spanned<Bytes>,
    price: Spanned<f64>,
}

impl Nodes {
    /// Reads the text of `source`.
    ///
    /// # Errors
    /// [`ScenarioError::Invalid`] with the place and what to write.
    pub fn parse(source: &Source) -> Result<Self, ScenarioError> {
        let wrong = |message: String, span| source.invalid(message, span, Some(HELP.to_owned()));
        let refused = |message: &str, span| Err(wrong(message.to_owned(), Some(span)));
        let placed: Placed = toml::from_str(&source.text).map_err(|error: toml::de::Error| {
            let span = error.span();
            wrong(error.message().to_owned(), span)
        })?;
        if placed.node.is_empty() {
            return Err(wrong("there is no type of node".to_owned(), None));
        }
        if let Some(share) = placed.utilisation.as_ref().filter(|share| share.get_ref().0 <= 0.0) {
            return refused("nothing can be used to 0 %", share.span());
        }
        let mut names = BTreeSet::new();
        for node in &placed.node {
            let price = *node.price.get_ref();
            if node.name.get_ref().trim().is_empty() {
                return refused("a type needs a name", node.name.span());
            } else if !names.insert(node.name.get_ref()) {
                return refused("another type has this name", node.name.span());
            } else if *node.vcpu.get_ref() == 0 {
                return refused("a node has at least one processor", node.vcpu.span());
            } else if node.memory.get_ref().0 == 0 {
                return refused("a node has some memory", node.memory.span());
            } else if !price.is_finite() || price < 0.0 {
                return refused("a price is a number from 0 on", node.price.span());
            }
        }
        let types = placed.node.into_iter().map(|node| NodeType {
            name: node.name.into_inner(),
            vcpu: node.vcpu.into_inner(),
            memory: node.memory.into_inner(),
            price: node.price.into_inner(),
        });
        Ok(Self {
            utilisation: placed.utilisation.map_or(UTILISATION, Spanned::into_inner),
            spare: placed.spare.unwrap_or(SPARE),
            types: types.collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<Nodes, ScenarioError> {
        Nodes::parse(&Source { name: "nodes.toml".to_owned(), text: text.to_owned() })
    }

    const SMALL: &str = "[[node]]\nname = \"small\"\nvcpu = 2\nmemory = \"4GiB\"\nprice = 55.5\n";

    #[test]
    fn types_of_nodes_are_read_with_their_defaults() {
        let nodes = parsed(SMALL).unwrap();
        assert_eq!((nodes.utilisation, nodes.spare, nodes.types[0].memory), (Share(0.6), 1, Bytes(4 << 30)));
        let nodes = parsed(&format!("utilisation = \"75%\"\nspare = 0\n{SMALL}")).unwrap();
        assert_eq!((nodes.utilisation, nodes.spare), (Share(0.75), 0));
    }

    #[test]
    fn an_error_names_its_place_and_what_to_write() {
        let cases = [
            ("", "missing field `node`", ""),
            ("node = []", "there is no type of node", ""),
            ("[[node]\n", "", "[node]"),
            (&SMALL.replace("\"4GiB\"", "\"4 gigs\""), "is not an amount of bytes", "\"4 gigs\""),
            (&SMALL.replace("vcpu = 2", "vcpu = 0"), "at least one processor", "0"),
            (&SMALL.replace("55.5", "-1.0"), "a price is a number", "-1.0"),
            (&SMALL.replace("price", "cost"), "unknown field `cost`", "cost"),
            (&format!("{SMALL}{SMALL}"), "another type has this name", "\"small\""),
            (&format!("utilisation = \"0%\"\n{SMALL}"), "nothing can be used to 0 %", "\"0%\""),
        ];
        for (text, message, place) in cases {
            let Err(ScenarioError::Invalid(error)) = parsed(text) else { panic!("{text}") };
            assert!(error.message.contains(message), "{text}: {}", error.message);
            assert!(error.help.as_ref().is_some_and(|help| help.contains("[[node]]")));
            if !place.is_empty() {
                let span = error.span.unwrap_or_else(|| panic!("{text}: no place"));
                let at = &text[span.offset()..span.offset() + span.len()];
                assert!(at.contains(place) || place.contains(at), "{text}: {at}");
            }
        }
    }
}
