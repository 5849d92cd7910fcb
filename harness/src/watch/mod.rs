//! What shows a running drill to others: metrics for Prometheus and over OTLP, the live page, annotations in Grafana. Each
//! follows what the drill tells its observers. All but the annotations are views of one [`Board`]; nothing here is on the path of
//! an operation.

mod board;
mod buckets;
mod figures;
mod grafana;
mod live;
mod metrics;
#[cfg(feature = "otlp")]
mod otlp;
mod remote;
mod server;
mod shown;

pub use board::Board;
pub use grafana::{Endpoint, Grafana, GrafanaError};
pub use live::{Live, Setting};
pub use metrics::Metrics;
#[cfg(feature = "otlp")]
pub use otlp::{Collector, CollectorError, Otlp};
pub use server::{Server, Site, listen};
