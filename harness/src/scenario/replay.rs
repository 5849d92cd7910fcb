//! Reads the recordings that a scenario's loads send again, and takes their rate, length, sessions and mix from them.

use std::path::Path;
use std::sync::Arc;

use super::error::Problem;
use super::load_model::{LoadSpec, Mix};
use crate::history::OpKind;
use crate::load::Recording;
use crate::units::{Rate, Span};

/// Reads the recording of each load of a scenario in `folder`.
///
/// # Errors
/// What is wrong with the first that cannot be sent.
pub(super) fn include_recordings(loads: &mut [LoadSpec], folder: &Path) -> Result<(), Problem> {
    for (number, load) in loads.iter_mut().enumerate() {
        let at = |key: &str| format!("load.{number}.{key}");
        let Some(replay) = &mut load.replay else { continue };
        if !(replay.speed.is_finite() && replay.speed > 0.0) {
            let help = "1.0 is as fast as it was recorded, 2.0 twice as fast";
            return Err(Problem::at(&at("replay.speed"), "a recording is sent at a speed above 0", help));
        }
        let path = folder.join(&replay.file);
        let path = std::path::absolute(&path).unwrap_or(path);
        let wrong = |reason: String| {
            let message = format!("{}: {reason}", path.display());
            Problem::at(&at("replay.file"), message, "record one: redis-cli monitor > monitor.txt")
        };
        let text = std::fs::read_to_string(&path).map_err(|error| wrong(error.to_string()))?;
        let recording = Recording::read(&text).map_err(|error| wrong(error.to_string()))?;
        let length = recording.length().div_f64(replay.speed);
        let rate = recording.operations() as f64 / length.as_secs_f64();
        let own = Shape { rate: Rate(rate), length: Span(length), sessions: recording.sessions() };
        (replay.file, replay.recording) = (path, Arc::new(recording));
        own.take_over(load).map_err(|key| {
            let help = "leave it out: a recording has its own";
            Problem::at(&at(key), format!("{key} is not that of the recording"), help)
        })?;
    }
    Ok(())
}

/// What a recording decides.
struct Shape {
    rate: Rate,
    length: Span,
    sessions: u32,
}

impl Shape {
    /// Puts it into `load`, which a scenario that was written out has already.
    fn take_over(&self, load: &mut LoadSpec) -> Result<(), &'static str> {
        let Some(replay) = &load.replay else { return Ok(()) };
        let near = |rate: Rate| (rate.0 / self.rate.0 - 1.0).abs() < 0.01;
        if load.rate.is_some_and(|rate| !near(rate)) {
            return Err("rate");
        }
        if load.length.is_some_and(|length| length.0.abs_diff(self.length.0).as_millis() > 1) {
            return Err("for");
        }
        let weight = |kind: OpKind| replay.recording.count(kind) as f64;
        load.mix = Mix {
            create: 0.0,
            read: weight(OpKind::Read),
            append: 0.0,
            put: weight(OpKind::Put),
            touch: weight(OpKind::Touch),
            destroy: weight(OpKind::Destroy),
            command: weight(OpKind::Command),
            ..Mix::default()
        };
        (load.rate, load.length, load.sessions) = (Some(self.rate), Some(self.length), self.sessions);
        Ok(())
    }
}
