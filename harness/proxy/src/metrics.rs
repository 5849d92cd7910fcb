//! A server's counters as Prometheus text (exposition format 0.0.4). The two byte counters and the metrics of the process
//! have Toxiproxy's names and labels, so that dashboards built for it keep working; the others are ours.

mod process;

pub(super) use process::render as render_process;

use super::exposition::Exposition;
use super::proxy::Proxy;
use super::stats::{LinkStats, ProxyStats};
use super::toxic::Direction;

/// A metric with one value per proxy.
struct PerProxy {
    name: &'static str,
    kind: &'static str,
    help: &'static str,
    value: fn(&ProxyStats) -> u64,
}

/// A metric with one value per proxy and direction.
struct PerLink {
    name: &'static str,
    help: &'static str,
    value: fn(&LinkStats) -> f64,
}

const PER_PROXY: [PerProxy; 4] = [
    PerProxy {
        name: "firedrill_proxy_connections_accepted_total",
        kind: "counter",
        help: "Connections accepted from clients.",
        value: |stats| stats.accepted,
    },
    PerProxy {
        name: "firedrill_proxy_connections_cut_total",
        kind: "counter",
        help: "Connections ended by the proxy: taken down, or closed or reset by a toxic.",
        value: |stats| stats.cut,
    },
    PerProxy {
        name: "firedrill_proxy_connections_refused_total",
        kind: "counter",
        help: "Connections reset because the upstream was not to be reached.",
        value: |stats| stats.refused,
    },
    PerProxy {
        name: "firedrill_proxy_connections_open",
        kind: "gauge",
        help: "Connections open now.",
        value: |stats| stats.open,
    },
];

const PER_LINK: [PerLink; 5] = [
    PerLink {
        name: "toxiproxy_proxy_received_bytes_total",
        help: "Bytes read from the sender.",
        value: |link| link.received_bytes as f64,
    },
    PerLink {
        name: "toxiproxy_proxy_sent_bytes_total",
        help: "Bytes written to the receiver.",
        value: |link| link.sent_bytes as f64,
    },
    PerLink {
        name: "firedrill_proxy_dropped_bytes_total",
        help: "Bytes swallowed by a toxic, or held when their connection ended.",
        value: |link| link.dropped_bytes as f64,
    },
    PerLink {
        name: "firedrill_proxy_delayed_transfers_total",
        help: "Transfers held back by a toxic.",
        value: |link| link.delayed_transfers as f64,
    },
    PerLink {
        name: "firedrill_proxy_delay_seconds_total",
        help: "How long the delayed transfers were held, added up.",
        value: |link| link.delay.as_secs_f64(),
    },
];

/// Renders the counters of `proxies`.
pub(super) fn render<'a>(proxies: impl IntoIterator<Item = &'a Proxy>) -> Exposition {
    let proxies: Vec<(&Proxy, ProxyStats)> = proxies.into_iter().map(|proxy| (proxy, proxy.stats())).collect();
    let mut text = Exposition::default();
    for metric in &PER_PROXY {
        text.metric(metric.name, metric.kind, metric.help);
        for (proxy, stats) in &proxies {
            text.sample(metric.name, &[("proxy", proxy.name())], (metric.value)(stats));
        }
    }
    for metric in &PER_LINK {
        text.metric(metric.name, "counter", metric.help);
        for (proxy, stats) in &proxies {
            let (listener, upstream) = (proxy.place().to_string(), proxy.upstream());
            for (direction, link) in
                [(Direction::Upstream, &stats.upstream), (Direction::Downstream, &stats.downstream)]
            {
                let labels = [
                    ("direction", direction.name()),
                    ("listener", listener.as_str()),
                    ("proxy", proxy.name()),
                    ("upstream", &*upstream),
                ];
                text.sample(metric.name, &labels, (metric.value)(link));
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_metric_says_what_it_is_once() {
        let text = render([]).into_text();
        assert_eq!(text.matches("# TYPE toxiproxy_proxy_sent_bytes_total counter\n").count(), 1);
        assert_eq!(text.lines().count(), 2 * (PER_PROXY.len() + PER_LINK.len()));
    }
}
