//! Writes a synthetic history of a sound store, to measure `firedrill check`.

use std::path::PathBuf;

use clap::Parser;
use firedrill::history::{HistoryError, HistoryWriter};
use firedrill_benches::synthetic::{GROWING, OVERWRITING, batches, header};

/// Write the history of a sound store that never was.
#[derive(Parser)]
struct Args {
    /// How many operations, without the final reads.
    #[arg(long, default_value_t = 10_000_000)]
    operations: u64,
    /// Sessions that grow to some sixty answers, or few answers and much overwriting.
    #[arg(long, value_parser = ["growing", "overwriting"], default_value = "growing")]
    shape: String,
    /// The file, which must not exist yet.
    out: PathBuf,
}

fn main() -> Result<(), HistoryError> {
    let args = Args::parse();
    let shape = if args.shape == GROWING.name { GROWING } else { OVERWRITING };
    let mut writer = HistoryWriter::create(&args.out, &header())?;
    let mut failed = None;
    let notes = batches(shape, args.operations, 5_000, |batch| failed = failed.take().or(writer.append(batch).err()));
    if let Some(error) = failed {
        return Err(error);
    }
    notes.iter().try_for_each(|note| writer.note(note))?;
    writer.finish()
}
