//! The steps as comma-separated values (RFC 4180).

use std::fmt::Write as _;

use super::Capacity;

/// One line per step, after a line of column names. Rates per second, times in milliseconds, shares from 0 to 1; empty where
/// a figure is missing. The columns `over.N`, `over.N.low` and `over.N.high` are the share over the objective at position N.
pub fn steps_csv(capacity: &Capacity) -> String {
    let mut csv = "step,of_target,phase,rate,seconds,verdict,why,throughput,in_flight,p50_ms,p99_ms,errors,little,\
                   redis_cores,redis_throttled,process_cores,idle_cores,stolen,out_of_memory"
        .to_owned();
    for objective in 0..capacity.objectives.len() {
        let _ = write!(csv, ",over.{objective},over.{objective}.low,over.{objective}.high");
    }
    csv.push_str("\r\n");
    for (number, step) in capacity.steps.iter().enumerate() {
        let optional = |value: Option<f64>| value.map_or(String::new(), |value| format!("{value:.4}"));
        let mut fields = vec![
            number.to_string(),
            step.of_target.to_string(),
            quoted(&step.phase),
            format!("{:.1}", step.rate),
            step.seconds.to_string(),
            step.verdict.name().to_owned(),
            quoted(&step.why),
            format!("{:.1}", step.throughput),
            format!("{:.3}", step.in_flight),
            format!("{:.4}", step.p50_ms),
            format!("{:.4}", step.p99_ms),
            format!("{:.6}", step.errors),
        ];
        let cores =
            [step.little, step.redis_cores, step.redis_throttled, step.process_cores, step.idle_cores, step.stolen];
        fields.extend(cores.map(optional));
        fields.push(step.out_of_memory.map_or(String::new(), |count| count.to_string()));
        for share in &step.shares {
            fields.extend([share.share, share.low, share.high].map(|share| format!("{share:.6}")));
        }
        csv.push_str(&fields.join(","));
        csv.push_str("\r\n");
    }
    csv
}

fn quoted(text: &str) -> String {
    match text.contains([',', '"', '\r', '\n']) {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{at, capacity};
    use super::*;

    #[test]
    fn every_line_has_as_many_fields_as_there_are_columns() {
        let mut record = capacity(at(1.0, 2.0, 3.0));
        record.steps[1].why = "said \"no\", twice".to_owned();
        let csv = steps_csv(&record);
        let lines: Vec<&str> = csv.lines().collect();
        assert_eq!(lines.len(), 1 + record.steps.len());
        let columns = lines[0].split(',').count();
        assert_eq!(lines[1].split(',').count(), columns);
        assert!(lines[2].contains("\"said \"\"no\"\", twice\""), "{}", lines[2]);
    }
}
