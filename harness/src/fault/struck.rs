//! What each fault hit, in words: the servers that it aimed at while it was on, or what its kind always hits.

use std::sync::Arc;

use super::aimed::Aimed;
use super::context::FaultContext;
use super::kind::Hits;
use super::report::FaultReport;
use crate::clock::{Clock, Nanos};
use crate::lab::Lab;

/// Knows which servers the faults of a drill have aimed at.
pub struct Struck {
    lab: Arc<Lab>,
    aimed: Arc<Aimed>,
}

impl FaultContext {
    /// What knows the aims of the faults built from this context.
    pub fn struck(&self) -> Struck {
        Struck { lab: self.lab.clone(), aimed: self.aimed.clone() }
    }
}

impl Struck {
    /// Completes `report`, of a fault whose kind hits `hits`, with what it hit.
    pub fn complete(&self, report: &mut FaultReport, hits: Hits, clock: &Clock) {
        if let Some(began) = report.began {
            report.hit = self.between(report.index, hits, (began, report.healing.unwrap_or(Nanos::MAX)), clock);
        }
    }

    fn between(&self, fault: u32, hits: Hits, (from, until): (Nanos, Nanos), clock: &Clock) -> Vec<String> {
        let in_time = |at| (from..=until).contains(&clock.at(at));
        let mut aims: Vec<String> = Vec::new();
        for address in self.aimed.aims(fault, in_time) {
            let words = self.server(&address);
            if !aims.contains(&words) {
                aims.push(words);
            }
        }
        match aims.is_empty() {
            true => vec![self.always(hits)],
            false => aims,
        }
    }

    /// What a fault hits that aims at no server.
    fn always(&self, hits: Hits) -> String {
        match hits {
            Hits::Network | Hits::Process | Hits::Server | Hits::Certificate => {
                self.server(&self.lab.server().url().address())
            }
            Hits::Keys => "keys of the drill".to_owned(),
            Hits::Clock => "the clock of the store".to_owned(),
            Hits::App => "the application".to_owned(),
            Hits::Cluster => "the nodes of the cluster".to_owned(),
            Hits::Sentinels => "the sentinels".to_owned(),
            Hits::Names | Hits::Address => "the name of Redis".to_owned(),
        }
    }

    fn server(&self, address: &str) -> String {
        let servers = self.lab.servers();
        match servers.iter().position(|server| server.url().address() == address) {
            Some(at) if servers.len() > 1 => format!("server {} of {} ({address})", at + 1, servers.len()),
            _ => format!("Redis at {address}"),
        }
    }
}
