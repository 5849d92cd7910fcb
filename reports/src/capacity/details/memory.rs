//! Memory, in words.

use crate::capacity::row::{Detail, Row};
use crate::capacity::{Memory, Stored};
use crate::text::{self, bytes, percent};

const GIBIBYTE: f64 = 1_073_741_824.0;

/// Its answers.
pub fn rows(memory: &Memory) -> Vec<Row> {
    memory.kinds.iter().flat_map(|stored| of(memory, stored)).collect()
}

fn of(memory: &Memory, stored: &Stored) -> Vec<Row> {
    let name = &stored.name;
    let [_, low, high] = stored.bytes;
    let exact = |value: f64| text::count(value.round() as u64);
    let mut rows = vec![
        Row {
            question: format!("bytes per session, {name}"),
            answer: exact(stored.whole()),
            interval: format!("{} to {}", exact(low + stored.tables), exact(high + stored.tables)),
        },
        Row {
            question: format!("sessions per GiB of maxmemory, {name}"),
            answer: exact(GIBIBYTE / stored.whole().max(1.0)),
            interval: format!(
                "{} to {}",
                exact(GIBIBYTE / (high + stored.tables).max(1.0)),
                exact(GIBIBYTE / (low + stored.tables).max(1.0))
            ),
        },
        Row::of(format!("sessions until {} are full, {name}", bytes(memory.limit as f64)), reached(stored)),
    ];
    if stored.maxmemory > 0.0 {
        rows.push(Row::of(
            format!("maxmemory for a machine of {}, {name}", bytes(memory.machine as f64)),
            format!("{}: {} sessions", bytes(stored.maxmemory), text::count(stored.sessions)),
        ));
    }
    rows
}

fn reached(stored: &Stored) -> String {
    let fill = &stored.fill;
    match fill.full {
        true => format!("{}, predicted {}", text::count(fill.reached), text::count(fill.predicted)),
        false => format!("not reached with {}, predicted {}", text::count(fill.reached), text::count(fill.predicted)),
    }
}

/// Its tables: where the bytes are, how the fill compares with the prediction, and what a save copies.
pub fn details(memory: &Memory) -> Vec<Detail> {
    vec![parts(memory), limits(memory)]
}

fn parts(memory: &Memory) -> Detail {
    let mut names: Vec<&str> = Vec::new();
    for part in memory.kinds.iter().flat_map(|stored| &stored.parts) {
        if !names.contains(&part.name.as_str()) {
            names.push(&part.name);
        }
    }
    let exact = |value: f64| text::count(value.round() as u64);
    let line = |name: &str, of: &dyn Fn(&Stored) -> String| -> Vec<String> {
        std::iter::once(name.to_owned()).chain(memory.kinds.iter().map(of)).collect()
    };
    let mut rows: Vec<Vec<String>> = names
        .iter()
        .map(|name| {
            line(name, &|stored| {
                let part = stored.parts.iter().find(|part| part.name == **name);
                part.map_or_else(String::new, |part| exact(part.bytes))
            })
        })
        .collect();
    let unknown = || "structures not known".to_owned();
    rows.push(line("formula: the sum", &|stored| stored.formula().map_or_else(unknown, exact)));
    rows.push(line("measured: the slope", &|stored| exact(stored.bytes[0])));
    rows.push(line("measured, compared with the formula", &|stored| {
        stored.formula().map_or_else(String::new, |formula| signed(stored.bytes[0] / formula.max(1.0) - 1.0))
    }));
    rows.push(line("tables of keys, at the limit", &|stored| exact(stored.tables)));
    rows.push(line("payload that the scenario asks for", &|stored| exact(stored.payload)));
    rows.push(line("all of it, compared with the payload", &|stored| {
        signed(stored.whole() / stored.payload.max(1.0) - 1.0)
    }));
    let heads = std::iter::once("Bytes per session".to_owned());
    Detail {
        id: "memory",
        title: "Where the memory of a session is".to_owned(),
        about: format!(
            "The slope was measured while sessions were added; the formula rounds each part up to what the allocator ({}) hands out.",
            memory.allocator
        ),
        heads: heads.chain(memory.kinds.iter().map(|stored| stored.name.clone())).collect(),
        figures_from: 1,
        rows,
    }
}

fn limits(memory: &Memory) -> Detail {
    let row = |stored: &Stored| {
        let copied = |of: Option<f64>| of.map_or_else(|| "–".to_owned(), bytes);
        let save = stored.save.as_ref();
        vec![
            stored.name.clone(),
            text::count(stored.fill.predicted),
            text::count(stored.fill.reached),
            if stored.fill.full { signed(stored.fill.error()) } else { "not full".to_owned() },
            text::number(stored.fragmentation),
            copied(save.map(|save| save.idle)),
            copied(save.and_then(|save| save.loaded)),
            save.filter(|save| save.loaded.is_some()).map_or_else(|| "–".to_owned(), |save| text::rate(save.rate)),
        ]
    };
    let heads =
        ["Stored", "Predicted", "Reached", "Difference", "Resident per byte used", "A save copies", "under load", "of"];
    Detail {
        id: "memory-limit",
        title: format!("A Redis with maxmemory {}, filled until it refused a session", bytes(memory.limit as f64)),
        about: "The recommended maxmemory leaves a tenth of the machine, the fragmentation, and 1.2 times what a save copies.".to_owned(),
        heads: heads.map(str::to_owned).to_vec(),
        figures_from: 1,
        rows: memory.kinds.iter().map(row).collect(),
    }
}

/// A share with its sign: `+15.2 %`.
fn signed(share: f64) -> String {
    let sign = if share < 0.0 { "−" } else { "+" };
    format!("{sign}{}", percent(share.abs()))
}

#[cfg(test)]
pub(crate) mod testing {
    use crate::capacity::{Fill, Memory, Part, Save, Stored};

    /// Sessions of 50 000 bytes, as the formula has them.
    pub fn memory() -> Memory {
        let part = |name: &str, bytes| Part { name: name.to_owned(), bytes };
        let stored = Stored {
            name: "plain".to_owned(),
            bytes: [57_472.0, 57_400.0, 57_544.0],
            between: [512, 1_024],
            payload: 50_000.0,
            parts: vec![
                part("value", 50_000.0),
                part("value: header, object and size class", 7_360.0),
                part("name", 80.0),
            ],
            tables: 29.0,
            fill: Fill { predicted: 1_149, reached: 1_151, full: true },
            save: Some(Save { used: 64e6, idle: 1e6, loaded: Some(9e6), rate: 400.0 }),
            fragmentation: 1.04,
            maxmemory: 700e6,
            sessions: 12_100,
        };
        Memory { limit: 64 << 20, machine: 1 << 30, allocator: "jemalloc-5.3.0".to_owned(), kinds: vec![stored] }
    }
}

#[cfg(test)]
mod tests {
    use super::testing::memory;
    use super::*;

    #[test]
    fn the_answer_includes_the_tables_and_its_interval_too() {
        let rows = rows(&memory());
        let exact = text::count;
        assert_eq!(rows[0].answer, exact(57_501));
        assert_eq!(rows[0].interval, format!("{} to {}", exact(57_429), exact(57_573)));
        assert_eq!(rows[2].answer, "1151, predicted 1149");
    }

    #[test]
    fn the_formula_stands_beside_what_was_measured() {
        let parts = &details(&memory())[0];
        let cell = |name: &str| parts.rows.iter().find(|row| row[0] == name).map(|row| row[1].clone());
        assert_eq!(cell("formula: the sum"), Some(text::count(57_440)));
        assert_eq!(cell("measured, compared with the formula").as_deref(), Some("+0.0557 %"));
        assert_eq!(cell("all of it, compared with the payload").as_deref(), Some("+15 %"));
        let limits = &details(&memory())[1];
        assert_eq!(limits.rows[0][3], "+0.174 %");
        assert!(details(&memory()).iter().all(|detail| detail.rows.iter().all(|row| row.len() == detail.heads.len())));
    }
}
