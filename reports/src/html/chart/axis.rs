//! Axes: map a value to its position, and choose the values to label. Every position is finite and within the panel,
//! whatever the value, because any run must produce a report.

use crate::text;

/// An axis.
pub(in crate::html) struct Axis {
    scale: Scale,
    ticks: Vec<(f64, String)>,
}

#[derive(Clone, Copy)]
enum Scale {
    Linear {
        from: f64,
        to: f64,
    },
    /// Equal distances are equal factors.
    Log {
        from: f64,
        to: f64,
    },
    /// Percentiles: equal distances are equal factors of the distance to 100 %; `nines` of them in total.
    Nines {
        nines: f64,
    },
}

/// The steps that people count in.
const STEPS: [f64; 3] = [1.0, 2.0, 5.0];

/// The largest value on any axis; larger values are drawn at its end.
const LARGEST: f64 = 1e15;

/// The limits of a log axis, in milliseconds: a nanosecond and three years.
const LOG_LIMITS: (f64, f64) = (1e-6, 1e11);

impl Axis {
    /// From 0 to at least `max`, with about `ticks` labelled values.
    pub(in crate::html) fn from_zero(max: f64, ticks: f64, label: impl Fn(f64) -> String) -> Self {
        let max = if max > 0.0 { max.min(LARGEST) } else { 1.0 };
        let step = round_step(max / ticks);
        let to = (max / step).ceil() * step;
        Self::linear(0.0, to, step, label)
    }

    fn linear(from: f64, to: f64, step: f64, label: impl Fn(f64) -> String) -> Self {
        let scale = Scale::Linear { from, to };
        let (first, last) = ((from / step - 1e-6).ceil() as i64, (to / step + 1e-6).floor() as i64);
        let ticks = (first..=last).map(|number| number as f64 * step);
        Self { scale, ticks: ticks.map(|value| (scale.place(value), label(value))).collect() }
    }

    /// Durations in milliseconds from the smallest to the largest of `values`, rounded outwards; zeros and non-finite
    /// values are ignored.
    pub(in crate::html) fn log_millis(values: impl Iterator<Item = f64>) -> Self {
        let (min, max) = values
            .filter(|value| value.is_finite() && *value > 0.0)
            .map(|value| value.clamp(LOG_LIMITS.0, LOG_LIMITS.1))
            .fold((f64::INFINITY, 0.0_f64), |(min, max), value| (min.min(value), max.max(value)));
        let (min, max) = if max > 0.0 { (min, max) } else { (0.1, 10.0) };
        let decades = (min.log10().floor() as i32)..=(max.log10().ceil() as i32);
        let steps: Vec<f64> = decades.flat_map(|decade| STEPS.map(|step| step * 10_f64.powi(decade))).collect();
        let from = steps.iter().copied().rfind(|&step| step <= min * 1.0001).unwrap_or(min);
        let to = steps.iter().copied().find(|&step| step >= max * 0.9999 && step > from).unwrap_or(max * 2.0);
        let scale = Scale::Log { from, to };
        let only_decades = (to / from).log10() > 2.0;
        let ticks = steps
            .into_iter()
            .filter(|&step| step >= from && step <= to)
            .filter(|&step| !only_decades || (step.log10() - step.log10().round()).abs() < 1e-6)
            .map(|step| (scale.place(step), text::millis(step)))
            .collect();
        Self { scale, ticks }
    }

    /// Percentiles of at most `count` values, on HdrHistogram's axis: 0, 90, 99, 99.9 % and so on at equal distances.
    pub(in crate::html) fn nines(count: u64) -> Self {
        let nines = (count.max(1) as f64).log10().ceil().clamp(2.0, 9.0);
        let scale = Scale::Nines { nines };
        let mut ticks = vec![(0.0, "0 %".to_string()), (scale.place(50.0), "50 %".to_string())];
        for nine in 1..=nines as usize {
            let percentile = 100.0 - 100.0 / 10_f64.powi(nine as i32);
            let decimals = nine.saturating_sub(2);
            ticks.push((nine as f64 / nines, format!("{percentile:.decimals$} %")));
        }
        Self { scale, ticks }
    }

    /// The position of `value`: 0 at the start of the axis, 1 at its end.
    pub(in crate::html) fn place(&self, value: f64) -> f64 {
        self.scale.place(value)
    }

    /// The labelled values: position and label.
    pub(super) fn ticks(&self) -> impl Iterator<Item = (f64, &str)> {
        self.ticks.iter().map(|(place, label)| (*place, label.as_str()))
    }
}

/// The drill's clock from `from_ms` to `to_ms`, labelled in seconds.
pub(in crate::html) fn moment_axis(from_ms: f64, to_ms: f64) -> Axis {
    let (from, to) = if from_ms.is_finite() && to_ms.is_finite() && to_ms - from_ms > 1e-3 && to_ms - from_ms < LARGEST
    {
        (from_ms, to_ms)
    } else {
        (0.0, 1000.0)
    };
    let step = round_step((to - from) / 10.0);
    Axis::linear(from, to, step, |ms| format!("{} s", text::number(ms / 1000.0)))
}

impl Scale {
    fn place(self, value: f64) -> f64 {
        let place = match self {
            Scale::Linear { from, to } => (value - from) / (to - from),
            Scale::Log { from, to } => (value.max(f64::MIN_POSITIVE) / from).log10() / (to / from).log10(),
            Scale::Nines { nines } => -(1.0 - value / 100.0).max(1e-12).log10() / nines,
        };
        if place.is_nan() { 0.0 } else { place.clamp(0.0, 1.0) }
    }
}

/// The smallest step of 1, 2 or 5 times a power of ten that is at least `rough`.
fn round_step(rough: f64) -> f64 {
    let rough = rough.clamp(1e-9, LARGEST);
    let power = 10_f64.powf(rough.log10().floor());
    STEPS.into_iter().map(|step| step * power).find(|&step| step >= rough * 0.9999).unwrap_or(10.0 * power)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(axis: &Axis) -> Vec<&str> {
        axis.ticks().map(|(_, label)| label).collect()
    }

    #[test]
    fn a_linear_axis_ends_at_a_round_value() {
        let axis = Axis::from_zero(1043.0, 4.0, text::number);
        assert_eq!(labels(&axis), ["0", "500", "1000", "1500"]);
        assert!((axis.place(750.0) - 0.5).abs() < 1e-9);
    }

    #[test]
    fn a_log_axis_names_decades_or_steps_within_few_of_them() {
        let wide = Axis::log_millis([0.08, 260.0].into_iter());
        assert_eq!(labels(&wide), ["100 µs", "1 ms", "10 ms", "100 ms"]);
        assert_eq!((wide.place(0.05), wide.place(500.0)), (0.0, 1.0));
        let narrow = Axis::log_millis([1.2, 4.0].into_iter());
        assert_eq!(labels(&narrow), ["1 ms", "2 ms", "5 ms"]);
    }

    #[test]
    fn each_nine_is_as_wide_as_the_one_before() {
        let axis = Axis::nines(20_000);
        assert_eq!(labels(&axis), ["0 %", "50 %", "90 %", "99 %", "99.9 %", "99.99 %", "99.999 %"]);
        assert!((axis.place(90.0) - 0.2).abs() < 1e-9);
        assert!((axis.place(99.9) - 0.6).abs() < 1e-9);
        assert_eq!(axis.place(100.0), 1.0);
    }

    #[test]
    fn a_moment_axis_names_seconds_and_begins_before_zero_when_asked() {
        assert_eq!(
            labels(&moment_axis(-1000.0, 9000.0)),
            ["-1 s", "0 s", "1 s", "2 s", "3 s", "4 s", "5 s", "6 s", "7 s", "8 s", "9 s"]
        );
    }

    #[test]
    fn what_cannot_be_placed_is_placed_within_the_panel() {
        let axes = [
            Axis::from_zero(f64::NAN, 4.0, text::number),
            Axis::from_zero(1e300, 4.0, text::number),
            Axis::from_zero(5e-324, 4.0, text::number),
            Axis::log_millis([f64::INFINITY, -3.0, 0.0].into_iter()),
            Axis::log_millis([5e-324, 1e300].into_iter()),
            Axis::nines(0),
            Axis::nines(u64::MAX),
            moment_axis(f64::NEG_INFINITY, f64::NAN),
            moment_axis(-1e300, 1e300),
            moment_axis(5.0, 5.0),
        ];
        for axis in axes {
            for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -1.0, 0.0, 1e300] {
                assert!((0.0..=1.0).contains(&axis.place(value)));
            }
            let ticks = axis.ticks().count();
            assert!((1..40).contains(&ticks), "{ticks}");
        }
    }
}
