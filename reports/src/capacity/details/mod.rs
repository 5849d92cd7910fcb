//! The answers beside the highest rate, each as rows of the table of answers and as tables of its own.

pub mod memory;
pub mod sizing;
pub mod soak;
pub mod survivable;

use super::Capacity;
use super::row::{Detail, Row};

/// The rows of all answers but the rate's own, in the order in which they are shown.
pub fn rows(capacity: &Capacity) -> Vec<Row> {
    let mut rows: Vec<Row> = capacity.survivable.iter().flat_map(survivable::rows).collect();
    rows.extend(capacity.memory.iter().flat_map(memory::rows));
    rows.extend(capacity.soak.iter().flat_map(soak::rows));
    rows.extend(capacity.head_room.iter().flat_map(sizing::head_room));
    rows.extend(capacity.sizing.iter().flat_map(sizing::rows));
    rows
}

/// The tables of all answers, in the same order.
pub fn details(capacity: &Capacity) -> Vec<Detail> {
    let mut details: Vec<Detail> = capacity.survivable.iter().flat_map(survivable::details).collect();
    details.extend(capacity.memory.iter().flat_map(memory::details));
    details.extend(capacity.soak.iter().flat_map(soak::details));
    details.extend(capacity.sizing.iter().flat_map(sizing::details));
    details
}
