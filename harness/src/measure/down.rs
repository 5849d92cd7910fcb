//! How long the target had no connection to Redis, according to the target.

use firedrill_reports::run::ResourceSample;

/// The longest time, in seconds, from a sample in which the target reported no connection to the next sample with one
/// (or to the last sample). `None` if it never reported either.
pub fn longest_down(samples: &[ResourceSample]) -> Option<f64> {
    let said: Vec<(f64, bool)> = samples.iter().filter_map(|sample| Some((sample.at_ms, sample.connected?))).collect();
    let last = said.last()?.0;
    let (mut longest, mut since) = (0.0_f64, None);
    for (at, connected) in said {
        match (connected, since) {
            (false, None) => since = Some(at),
            (true, Some(from)) => {
                longest = longest.max(at - from);
                since = None;
            }
            _ => {}
        }
    }
    let open = since.map_or(0.0, |from| last - from);
    Some(longest.max(open) / 1e3)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples(said: &[Option<bool>]) -> Vec<ResourceSample> {
        let sample = |(half, connected): (usize, &Option<bool>)| ResourceSample {
            at_ms: half as f64 * 500.0,
            connected: *connected,
            ..ResourceSample::default()
        };
        said.iter().enumerate().map(sample).collect()
    }

    #[test]
    fn the_longest_stretch_counts_until_it_is_connected_again_or_to_the_end() {
        let (up, down) = (Some(true), Some(false));
        assert_eq!(longest_down(&samples(&[None, None])), None);
        assert_eq!(longest_down(&samples(&[up, up])), Some(0.0));
        assert_eq!(longest_down(&samples(&[up, down, up, down, None, down, up])), Some(1.5));
        assert_eq!(longest_down(&samples(&[down, up, down, down, down])), Some(1.0));
    }
}
