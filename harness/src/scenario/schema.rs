//! The JSON Schema of a scenario, for editors and for other tools that write scenarios: the model's types, and those rules of
//! validation that a schema can state.

use serde_json::{Value, json};

use super::model::Scenario;
use super::{sense, validate};
use crate::check;
use crate::fault::MOST_REPEATS;
use crate::history::OpKind;

/// The schema's name for tools that keep several. No server answers to it: scenarios name the file beside them.
const ID: &str = "urn:firedrill:scenario";

/// At least one digit that is not 0.
const MORE_THAN_ZERO: &str = "[1-9]";
/// See the message of validation.
const NAME: &str = "^[a-z0-9-]+$";

/// The JSON Schema of a scenario.
pub fn schema() -> Value {
    let mut schema = schemars::schema_for!(Scenario).to_value();
    for (place, rules) in rules() {
        add(&mut schema, place, rules);
    }
    let kinds = schema.pointer_mut("/$defs/Fault/oneOf").and_then(Value::as_array_mut);
    kinds.into_iter().flatten().for_each(refine_fault);
    schema
}

/// What is added where, as JSON pointers (RFC 6901).
fn rules() -> Vec<(&'static str, Value)> {
    let checkers: Vec<&str> = check::all().iter().map(|checker| checker.facts().name).collect();
    let some =
        |kind: OpKind| json!({ "required": [kind.name()], "properties": { kind.name(): { "exclusiveMinimum": 0 } } });
    let has_stages = json!({ "required": ["stages"], "properties": { "stages": { "minItems": 1 } } });
    let mut rules = vec![
        ("", json!({ "$id": ID })),
        ("/properties/name", json!({ "pattern": NAME })),
        ("/properties/load", json!({ "minItems": 1, "maxItems": validate::MOST_BLOCKS })),
        ("/properties/fault", json!({ "maxItems": validate::MOST_BLOCKS })),
        ("/properties/checks", json!({ "propertyNames": { "enum": checkers } })),
        (
            "/$defs/LoadSpec",
            json!({
                "oneOf": [{ "required": ["rate"] }, has_stages, { "required": ["users"] }],
                "dependentRequired": { "think": ["users"], "rate_cap": ["users"] },
                "if": has_stages, "then": { "not": { "required": ["for"] } }, "else": { "required": ["for"] },
            }),
        ),
        ("/$defs/LoadSpec/properties/name", json!({ "pattern": NAME })),
        ("/$defs/LoadSpec/properties/users", json!({ "minimum": 1, "maximum": sense::MOST_USERS })),
        ("/$defs/LoadSpec/properties/sessions", json!({ "maximum": sense::MOST_SESSIONS })),
        ("/$defs/TargetSpec/properties/connections", json!({ "minimum": 1, "maximum": sense::MOST_CONNECTIONS })),
        ("/$defs/StoreSpec/properties/instances", json!({ "maximum": validate::MOST_INSTANCES })),
        ("/$defs/AppSpec/properties/instances", json!({ "maximum": validate::MOST_INSTANCES })),
        (
            "/$defs/DeploySpec",
            json!({ "oneOf": [{ "required": ["policy"] }, { "required": ["env"], "properties": { "env": { "minProperties": 1 } } }] }),
        ),
        ("/$defs/BreakerSpec/properties/probes", json!({ "minimum": 1 })),
        ("/$defs/KeySpec/oneOf/1/properties/zipf", json!({ "minimum": 0 })),
        ("/$defs/Mix", json!({ "anyOf": OpKind::ALL.map(some) })),
    ];
    let positive = [
        "/$defs/LoadSpec/properties/for",
        "/$defs/LoadSpec/properties/rate",
        "/$defs/LoadSpec/properties/rate_cap",
        "/$defs/LoadSpec/properties/deadline",
        "/$defs/StageSpec/properties/for",
        "/$defs/SteadySpec/properties/for",
        "/$defs/StoreSpec/properties/ttl",
        "/$defs/StoreSpec/properties/timeout",
        "/$defs/BreakerSpec/properties/open-for",
    ];
    rules.extend(positive.map(|place| (place, json!({ "pattern": MORE_THAN_ZERO }))));
    rules
}

/// Adds `rules` to the object at `place`.
fn add(schema: &mut Value, place: &str, rules: Value) {
    let object = schema.pointer_mut(place).and_then(Value::as_object_mut);
    debug_assert!(object.is_some(), "{place}");
    if let (Some(object), Value::Object(rules)) = (object, rules) {
        object.extend(rules);
    }
}

/// Adds what holds for the common keys of every kind of fault.
fn refine_fault(kind: &mut Value) {
    add(kind, "/properties/for", json!({ "pattern": MORE_THAN_ZERO }));
    add(kind, "/properties/name", json!({ "pattern": NAME }));
    add(kind, "/properties/repeat", json!({ "minimum": 1, "maximum": MOST_REPEATS }));
    let repeats = json!({ "required": ["repeat"], "properties": { "repeat": { "minimum": 2 } } });
    let every = json!({ "required": ["every"] });
    add(kind, "", json!({ "allOf": [{ "if": repeats, "then": every }, { "if": every, "then": repeats }] }));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_has_its_place() {
        let plain = schemars::schema_for!(Scenario).to_value();
        for (place, _) in rules() {
            assert!(plain.pointer(place).is_some_and(Value::is_object), "{place}");
        }
        assert_eq!(schema()["$id"], ID);
        for kind in schema()["$defs"]["Fault"]["oneOf"].as_array().unwrap() {
            assert_eq!(kind["properties"]["repeat"]["minimum"], 1, "{}", kind["title"]);
        }
    }
}
