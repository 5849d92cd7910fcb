//! What shows a running drill to others: metrics for Prometheus, the live page, annotations in Grafana. Each follows what
//! the drill tells its observers. The first two are views of one [`Board`]; nothing here is on the path of an operation.

mod board;
mod buckets;
mod grafana;
mod live;
mod metrics;
mod server;
mod shown;

pub use board::Board;
pub use grafana::{Endpoint, Grafana, GrafanaError};
pub use live::{Live, Setting};
pub use metrics::Metrics;
pub use server::{Server, Site, listen};
