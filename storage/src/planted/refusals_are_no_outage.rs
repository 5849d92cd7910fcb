//! Its seam is in `fallback/cause.rs`.

use super::{Noticed, Planted, Shown};

pub(crate) static DEFECT: Planted = Planted {
    name: "refusals-are-no-outage",
    about: "READONLY, OOM and the like are returned to callers instead of starting the fallback.",
    source: "n8n-io/n8n#25038, sourcegraph/sourcegraph#296",
    scenarios: &[
        Noticed { scenario: "out-of-memory", by: "gates during.errors and fallback.activations" },
        Noticed { scenario: "disk-full", by: "gates during.errors and fallback.activations" },
    ],
    shown_by: Shown::Probe,
    keeps_contract: true,
    lua: None,
};
