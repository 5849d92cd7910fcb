//! Head-room and nodes, in words.

use crate::capacity::row::{Detail, Row};
use crate::capacity::{HeadRoom, NodeAnswer, Sizing, Until};
use crate::text::{self, bytes, percent, rate};

/// The answers about head-room.
pub fn head_room(of: &HeadRoom) -> Vec<Row> {
    let row = |until: &Until| {
        let question = format!("head-room of {} until the {}", rate(of.now), until.what);
        let at_least = if until.at_least { "at least " } else { "" };
        let times = format!("{at_least}×{}", text::number(until.rate / of.now.max(1e-9)));
        match until.months {
            None => Row::of(question, format!("{times}, and it does not grow")),
            Some([months, ..]) if months <= 0.0 => Row::of(question, format!("none: {times}")),
            Some([months, low, high]) => Row {
                question,
                answer: format!("{times}: {at_least}{} months at {} a month", text::number(months), percent(of.growth)),
                interval: match low < high {
                    true => format!("{} to {} months", text::number(low), text::number(high)),
                    false => String::new(),
                },
            },
        }
    };
    of.until.iter().map(row).collect()
}

/// The cheapest type.
pub fn rows(sizing: &Sizing) -> Vec<Row> {
    let cheapest = sizing.types.iter().find(|node| node.nodes.is_some());
    let answer =
        cheapest.and_then(|node| Some(format!("{} × {}, {} a month", node.nodes?, node.name, price(node.price?))));
    vec![Row::of(format!("nodes for {}", demand(sizing)), answer.unwrap_or_else(|| "none of these types".to_owned()))]
}

fn demand(sizing: &Sizing) -> String {
    match sizing.sessions {
        Some(sessions) => format!("{} and {} sessions", rate(sizing.rate), text::count(sessions as u64)),
        None => rate(sizing.rate),
    }
}

fn price(value: f64) -> String {
    format!("{value:.2}")
}

/// The nodes of each type.
pub fn details(sizing: &Sizing) -> Vec<Detail> {
    let none = || "–".to_owned();
    let row = |node: &NodeAnswer| {
        vec![
            node.name.clone(),
            node.vcpu.to_string(),
            bytes(node.memory as f64),
            node.maxmemory.map_or_else(none, bytes),
            node.by_memory.map_or_else(none, |nodes| nodes.to_string()),
            node.by_cpu.map_or_else(none, |nodes| nodes.to_string()),
            node.nodes.map_or_else(none, |nodes| nodes.to_string()),
            node.memory_used.map_or_else(none, percent),
            node.cpu_used.map_or_else(none, percent),
            node.price.map_or_else(none, price),
        ]
    };
    let measured = sizing
        .measured_rate
        .map_or_else(|| "no rate was measured".to_owned(), |of| format!("one Redis carried {} here", rate(of)));
    vec![Detail {
        id: "nodes",
        title: format!("Nodes for {}", demand(sizing)),
        about: format!(
            "Used to {} of their limits, {} of them spare. By memory: sound, sessions take as much elsewhere. By CPU: an assumption, \
             {measured}, and a processor elsewhere may be faster or slower; more of them do not make its main thread faster.",
            percent(sizing.utilisation),
            sizing.spare
        ),
        heads: [
            "Type",
            "vCPU",
            "Memory",
            "maxmemory",
            "By memory",
            "By CPU",
            "Nodes",
            "Memory used",
            "CPU used",
            "Price",
        ]
        .map(str::to_owned)
        .to_vec(),
        figures_from: 1,
        rows: sizing.types.iter().map(row).collect(),
    }]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn head_room_is_a_factor_and_a_time_with_the_interval_of_its_rate() {
        let until = |rate, at_least, months| Until { what: "highest rate".to_owned(), rate, at_least, months };
        let of = HeadRoom {
            now: 3_000.0,
            growth: 0.05,
            until: vec![
                until(21_000.0, false, Some([39.88, 38.8, 40.9])),
                until(9_000.0, true, Some([22.5, 22.5, 22.5])),
                until(1_500.0, false, Some([0.0; 3])),
                until(6_000.0, false, None),
            ],
        };
        let rows = head_room(&of);
        assert_eq!(rows[0].answer, "×7: 39.9 months at 5 % a month");
        assert_eq!(rows[0].interval, "38.8 to 40.9 months");
        assert_eq!(rows[1].answer, "at least ×3: at least 22.5 months at 5 % a month");
        assert_eq!((rows[2].answer.as_str(), rows[3].answer.as_str()), ("none: ×0.5", "×2, and it does not grow"));
    }

    #[test]
    fn the_cheapest_type_is_the_answer_and_the_assumption_is_named() {
        let node = NodeAnswer {
            name: "small".to_owned(),
            vcpu: 2,
            memory: 4 << 30,
            maxmemory: Some(3e9),
            by_memory: Some(4),
            by_cpu: Some(2),
            nodes: Some(5),
            memory_used: Some(0.48),
            cpu_used: Some(0.2),
            price: Some(277.5),
        };
        let sizing = Sizing {
            rate: 9_000.0,
            sessions: Some(100_000.0),
            measured_rate: Some(9_000.0),
            session_bytes: Some(57_501.0),
            utilisation: 0.6,
            spare: 1,
            types: vec![node],
        };
        assert_eq!(rows(&sizing)[0].answer, "5 × small, 277.50 a month");
        let detail = &details(&sizing)[0];
        assert!(detail.about.contains("By CPU: an assumption"), "{}", detail.about);
        assert_eq!(detail.rows[0].len(), detail.heads.len());
    }
}
