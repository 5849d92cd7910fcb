//! Bad input for parsers, within the tests. [`fuzz`] mutates the files of a corpus for some seconds and holds a law
//! against every result: whatever comes in, the parser must not panic and must not allocate without bound, and a law may
//! ask for more, such as that what is accepted is written back the same. Every run draws its own seed and names it when
//! something is found; the smallest input found is kept in a file, to become part of the corpus.

mod allocated;
mod mutation;

use std::cell::RefCell;
use std::fs::{self, File};
use std::hash::{BuildHasher as _, RandomState};
use std::io::{Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{Config, RngAlgorithm, TestError, TestRng, TestRunner};

use mutation::{Mutation, mutated, mutation};

/// How long each corpus is mutated, in seconds.
const SECONDS: &str = "FIREDRILL_FUZZ_SECONDS";
/// Short enough for every run of the tests.
const FEW: Duration = Duration::from_secs(3);

/// Repeats a run.
const SEED: &str = "FIREDRILL_FUZZ_SEED";

/// The most that may be allocated at once for one input, whose length is at most [`mutation::LONGEST`].
const MOST_ALLOCATED: usize = 64 << 20;

/// Holds `law` against the files of `corpora/NAME`, as they are and mutated. `words` are what the format is made of. The
/// law panics where the input breaks it.
///
/// # Panics
/// If an input breaks the law, with the input's file and the seed.
pub fn fuzz(name: &str, words: &[&str], law: impl Fn(&[u8])) {
    let corpus = corpus(name);
    let law = |input: &[u8]| {
        let (_, allocated) = allocated::within(|| law(input));
        assert!(allocated <= MOST_ALLOCATED, "{allocated} bytes were allocated for {} bytes of input", input.len());
    };
    for (file, input) in &corpus {
        if std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| law(input))).is_err() {
            panic!("{} of the corpus breaks the law", file.display());
        }
    }
    let files: Vec<&[u8]> = corpus.iter().map(|(_, input)| input.as_slice()).collect();
    let seed = std::env::var(SEED).ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(fresh);
    let mut runner = runner(seed);
    let strategy = (any::<Index>(), vec(mutation(), 1..8));
    let input = |(file, mutations): &(Index, Vec<Mutation>)| mutated(file.index(files.len()), mutations, &files, words);
    let last = Last::of(name);
    let end = Instant::now() + length();
    while Instant::now() < end {
        let Ok(tree) = strategy.new_tree(&mut runner) else { continue };
        let held = runner.run_one(tree, |drawn| {
            let input = input(&drawn);
            last.note(&input);
            law(&input);
            Ok(())
        });
        if let Err(TestError::Fail(reason, drawn)) = held {
            let kept = keep(name, &input(&drawn));
            panic!(
                "{reason}\nThe smallest input that was found to break the law of `{name}` is in {}. {SEED}={seed} repeats \
                 the run. Once it is mended, keep the input in fuzz/corpora/{name}/.",
                kept.display()
            );
        }
    }
}

/// The last input, in a file that stays if the input ends the process: a stack that overflows is no panic.
struct Last {
    path: PathBuf,
    file: RefCell<Option<File>>,
}

impl Last {
    fn of(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("firedrill-fuzz-{name}-{}-last", std::process::id()));
        let file = RefCell::new(File::create(&path).ok());
        Self { path, file }
    }

    fn note(&self, input: &[u8]) {
        if let Some(file) = self.file.borrow_mut().as_mut() {
            // It only helps to find what was wrong.
            let _ = file.rewind().and_then(|()| file.set_len(0)).and_then(|()| file.write_all(input));
        }
    }
}

impl Drop for Last {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

/// The files of a corpus, in the order of their names.
fn corpus(name: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpora").join(name);
    let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<PathBuf> = entries.filter_map(|entry| entry.ok().map(|entry| entry.path())).collect();
    files.sort();
    assert!(!files.is_empty(), "{} is empty", folder.display());
    let read = |file: PathBuf| {
        let input = fs::read(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        (file, input)
    };
    files.into_iter().map(read).collect()
}

fn length() -> Duration {
    let given = std::env::var(SECONDS).ok().and_then(|seconds| seconds.parse().ok());
    given.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()).unwrap_or(FEW)
}

fn fresh() -> u64 {
    RandomState::new().hash_one(std::process::id())
}

fn runner(seed: u64) -> TestRunner {
    let config = Config { failure_persistence: None, max_shrink_iters: 2_000, ..Config::default() };
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes))
}

/// Writes an input to a file of its own, and returns its path.
fn keep(name: &str, input: &[u8]) -> PathBuf {
    let path = std::env::temp_dir().join(format!("firedrill-fuzz-{name}-{}", std::process::id()));
    match fs::write(&path, input) {
        Ok(()) => path,
        // It is shown at least.
        Err(_) => PathBuf::from(format!("\"{}\"", input.escape_ascii())),
    }
}
