//! Redis's memory.

use firedrill_reports::text;

use super::view::View;

/// It refused writes, or made room by evicting keys.
pub fn full(view: &View<'_>) -> Option<String> {
    let refused = view.sum(|step| step.out_of_memory);
    (refused > 0).then(|| {
        format!(
            "Redis refused writes or evicted keys {} times in the steps at the knee: its maxmemory was full. See what sessions take: \
             --memory",
            text::count(refused)
        )
    })
}
