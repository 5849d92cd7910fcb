//! Which node leads which slots, as a node of the cluster reports it.

use std::time::Duration;

use redis::Value;
use tokio::task::JoinSet;

use super::slot::SLOTS;
use crate::redis_store::address::Address;
use crate::redis_store::dial::Wire;
use crate::redis_store::failure::connect_reason;

/// A range of slots and the node that leads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Range {
    pub(super) first: u16,
    pub(super) last: u16,
    pub(super) primary: Address,
    pub(super) replicas: Vec<Address>,
}

/// One node's view.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct View {
    /// Whether the node belongs to a working majority; a node that was cut off reports an old layout.
    pub(super) sound: bool,
    pub(super) ranges: Vec<Range>,
}

/// Asks a node, within `limit`. The error is the reason, fit for a log.
pub(super) async fn ask(wire: &Wire, node: &Address, limit: Duration) -> Result<View, String> {
    let both = async { tokio::join!(wire.ask(&["CLUSTER", "INFO"]), wire.ask(&["CLUSTER", "SLOTS"])) };
    let (info, slots) = tokio::time::timeout(limit, both).await.map_err(|_| format!("no answer within {limit:?}"))?;
    let slots = slots.map_err(|error| match error.code() {
        Some("ERR") => "the server is not part of a cluster".to_owned(),
        _ => connect_reason(&error),
    })?;
    // If an ACL forbids INFO, trust every node.
    let info = info.ok().and_then(|info| redis::from_redis_value::<String>(info).ok());
    let sound = info.is_none_or(|info| info.contains("cluster_state:ok"));
    let ranges = ranges(&slots, node).ok_or("its answer has an unexpected form")?;
    Ok(View { sound, ranges })
}

/// The first sound view; else any view; else the last reason.
pub(super) async fn first_sound(mut asked: JoinSet<Result<View, String>>) -> Result<View, String> {
    let mut second_best = Err("there is no node to ask".to_owned());
    while let Some(answer) = asked.join_next().await {
        match answer {
            Ok(Ok(view)) if view.sound && !view.ranges.is_empty() => return Ok(view),
            Ok(Ok(view)) if !view.ranges.is_empty() => second_best = Ok(view),
            Ok(Ok(_)) if second_best.is_err() => second_best = Err("no node of the cluster leads a slot".to_owned()),
            Ok(Err(reason)) if second_best.is_err() => second_best = Err(reason),
            _ => {}
        }
    }
    second_best
}

/// Parses CLUSTER SLOTS. `asked`: the address for a node that does not know its own host.
fn ranges(answer: &Value, asked: &Address) -> Option<Vec<Range>> {
    let Value::Array(runs) = answer else { return None };
    runs.iter().map(|run| range(run, asked)).collect()
}

fn range(run: &Value, asked: &Address) -> Option<Range> {
    let Value::Array(parts) = run else { return None };
    let [Value::Int(first), Value::Int(last), primary, replicas @ ..] = parts.as_slice() else { return None };
    let slot = |number: &i64| u16::try_from(*number).ok().filter(|slot| usize::from(*slot) < SLOTS);
    let (first, last) = (slot(first)?, slot(last)?);
    (first <= last).then_some(())?;
    Some(Range {
        first,
        last,
        primary: node(primary, asked)?,
        replicas: replicas.iter().filter_map(|replica| node(replica, asked)).collect(),
    })
}

fn node(node: &Value, asked: &Address) -> Option<Address> {
    let Value::Array(parts) = node else { return None };
    let [host, Value::Int(port), ..] = parts.as_slice() else { return None };
    let host: Option<String> = redis::from_redis_value_ref(host).ok()?;
    let host = host.filter(|host| !host.is_empty() && host != "?").unwrap_or_else(|| asked.host.clone());
    Some(Address::new(host, u16::try_from(*port).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Value {
        Value::BulkString(text.as_bytes().to_vec())
    }

    #[test]
    fn a_node_without_a_host_is_where_it_was_asked() {
        let asked = Address::new("seed", 1);
        let lead = Value::Array(vec![Value::Nil, Value::Int(7000), text("id"), Value::Array(vec![])]);
        let follow = Value::Array(vec![text("10.0.0.2"), Value::Int(7001), text("id")]);
        let answer = Value::Array(vec![Value::Array(vec![Value::Int(0), Value::Int(16_383), lead, follow])]);
        let expected = Range {
            first: 0,
            last: 16_383,
            primary: Address::new("seed", 7000),
            replicas: vec![Address::new("10.0.0.2", 7001)],
        };
        assert_eq!(ranges(&answer, &asked), Some(vec![expected]));
    }

    #[test]
    fn what_is_no_layout_is_not_taken_for_one() {
        let asked = Address::new("seed", 1);
        let beyond = Value::Array(vec![Value::Array(vec![Value::Int(0), Value::Int(16_384), Value::Nil])]);
        assert_eq!(ranges(&beyond, &asked), None);
        assert_eq!(ranges(&Value::Okay, &asked), None);
    }

    #[tokio::test]
    async fn a_sound_view_is_preferred_to_one_that_was_cut_off() {
        let range = Range { first: 0, last: 1, primary: Address::new("a", 1), replicas: vec![] };
        let view = |sound| View { sound, ranges: vec![range.clone()] };
        let mut asked = JoinSet::new();
        for answer in [Ok(view(false)), Err("x".to_owned()), Ok(view(true))] {
            asked.spawn(async { answer });
        }
        assert_eq!(first_sound(asked).await, Ok(view(true)));
        let mut asked = JoinSet::new();
        asked.spawn(async { Err("x".to_owned()) });
        assert_eq!(first_sound(asked).await, Err("x".to_owned()));
    }

    #[test]
    fn any_answer_is_refused_or_covers_slots_that_exist_and_reads_back_the_same() {
        let words = ["*1\r\n", "*3\r\n", "$-1\r\n", "$1\r\n?\r\n", ":16384\r\n", ":-1\r\n", "%1\r\n", "_\r\n"];
        let asked = Address::new("seed", 1);
        firedrill_fuzz::fuzz("cluster", &words, |input| {
            let Some(found) = redis::parse_redis_value(input).ok().and_then(|answer| ranges(&answer, &asked)) else {
                return;
            };
            let node = |node: &Address| Value::Array(vec![text(&node.host), Value::Int(node.port.into())]);
            let run = |range: &Range| {
                let slots = [range.first, range.last].map(|slot| Value::Int(slot.into()));
                let nodes = std::iter::once(&range.primary).chain(&range.replicas).map(node);
                Value::Array(slots.into_iter().chain(nodes).collect())
            };
            let again = Value::Array(found.iter().map(run).collect());
            assert_eq!(ranges(&again, &asked).as_ref(), Some(&found));
            let exists = |range: &Range| range.first <= range.last && usize::from(range.last) < SLOTS;
            assert!(found.iter().all(exists), "{found:?}");
        });
    }
}
