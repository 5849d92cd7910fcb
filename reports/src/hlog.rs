//! `latency.hlog`: every interval's histograms, tagged, in HdrHistogram's interval log format, so that any HdrHistogram
//! tool can add up a run's latencies, select them by time and draw them. Values are nanoseconds, the unit those tools
//! expect.
//!
//! The format is that of Java's `HistogramLogWriter`, version 1.3: a head of `#[…]` lines and a legend, then one line
//! per interval, `Tag=name,start,length,max,histogram`: start and length in seconds, start relative to the head's
//! `BaseTime`, max in milliseconds, the histogram V2-compressed in base64
//! (<https://github.com/HdrHistogram/HdrHistogram/blob/master/src/main/java/org/HdrHistogram/HistogramLogWriter.java>).

use std::fs::{self, File};
use std::io::{self, Cursor, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry, LogIteratorError, Tag};
use hdrhistogram::serialization::{Deserializer, Serializer, V2DeflateSerializer};

use crate::text;

/// Maxima are written in milliseconds, as Java's tools do.
const NANOS_PER_MILLI: f64 = 1e6;

/// Why a latency log could not be written or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HlogError {
    /// The file system refuses.
    #[error("cannot {doing} the latency log {}: {source}", path.display())]
    Io {
        /// The attempted action.
        doing: &'static str,
        /// The log.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// A tag contains a comma, a space or a line break, which the format cannot express.
    #[error("{tag:?} cannot be a tag of a latency log: leave out commas, spaces and line breaks")]
    BadTag {
        /// The tag.
        tag: String,
    },
    /// A line does not follow the format.
    #[error("line {line} of the latency log {} is damaged: {reason}", path.display())]
    Damaged {
        /// The log.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        reason: String,
    },
}

/// Writes a latency log, one interval at a time. An interval has been handed to the system when
/// [`append`](Self::append) returns: a killed drill loses at most the line being written.
pub struct LatencyLog {
    path: PathBuf,
    file: File,
    serializer: V2DeflateSerializer,
    encoded: Vec<u8>,
}

impl LatencyLog {
    /// Creates the log with its head, replacing an existing one. `started` is the zero of the intervals' clock.
    ///
    /// # Errors
    /// [`HlogError::Io`] if the file cannot be written.
    pub fn create(path: &Path, started: SystemTime) -> Result<Self, HlogError> {
        let io = |source| HlogError::Io { doing: "create", path: path.to_path_buf(), source };
        let mut file = File::create(path).map_err(io)?;
        let seconds = started.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
        let head = format!(
            "#[Latencies of a Firedrill run, in nanoseconds]\n\
             #[Histogram log format version 1.3]\n\
             #[BaseTime: {seconds:.3} (seconds since epoch)]\n\
             #[StartTime: {seconds:.3} (seconds since epoch), {}]\n\
             \"StartTimestamp\",\"Interval_Length\",\"Interval_Max\",\"Interval_Compressed_Histogram\"\n",
            text::rfc3339(started)
        );
        file.write_all(head.as_bytes()).map_err(io)?;
        Ok(Self { path: path.to_path_buf(), file, serializer: V2DeflateSerializer::new(), encoded: Vec::new() })
    }

    /// Appends one interval: `histogram` holds the nanoseconds recorded under `tag` (such as `read.ok.response`) from
    /// `start` after the log's zero, for `length`.
    ///
    /// # Errors
    /// [`HlogError::BadTag`] or [`HlogError::Io`].
    pub fn append(
        &mut self,
        tag: &str,
        start: Duration,
        length: Duration,
        histogram: &Histogram<u64>,
    ) -> Result<(), HlogError> {
        let io = |source| HlogError::Io { doing: "write", path: self.path.clone(), source };
        if Tag::new(tag).is_none() {
            return Err(HlogError::BadTag { tag: tag.to_string() });
        }
        self.encoded.clear();
        self.serializer
            .serialize(histogram, &mut self.encoded)
            .map_err(|error| io(io::Error::other(error.to_string())))?;
        let line = format!(
            "Tag={tag},{:.3},{:.3},{:.3},{}\n",
            start.as_secs_f64(),
            length.as_secs_f64(),
            histogram.max() as f64 / NANOS_PER_MILLI,
            STANDARD.encode(&self.encoded)
        );
        self.file.write_all(line.as_bytes()).map_err(io)
    }
}

/// One interval of a latency log.
#[derive(Debug, Clone, PartialEq)]
pub struct Interval {
    /// What was recorded; empty if the line has no tag.
    pub tag: String,
    /// Its start, relative to the log's zero.
    pub start: Duration,
    /// Its length.
    pub length: Duration,
    /// The recorded nanoseconds.
    pub histogram: Histogram<u64>,
}

/// Reads all intervals of the log at `path`, in file order. An unterminated last line, which a killed drill may leave,
/// is skipped.
///
/// # Errors
/// [`HlogError::Io`] if the file cannot be read, [`HlogError::Damaged`] if a complete line cannot be parsed.
pub fn read(path: &Path) -> Result<Vec<Interval>, HlogError> {
    let bytes = fs::read(path).map_err(|source| HlogError::Io { doing: "read", path: path.to_path_buf(), source })?;
    let whole_lines = bytes.iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end + 1);
    let bytes = &bytes[..whole_lines];
    let damaged = |offset: usize, reason: String| {
        let line = 1 + bytes[..offset].iter().filter(|&&byte| byte == b'\n').count();
        HlogError::Damaged { path: path.to_path_buf(), line, reason }
    };

    let mut deserializer = Deserializer::new();
    let mut intervals = Vec::new();
    for entry in IntervalLogIterator::new(bytes) {
        let LogEntry::Interval(entry) = entry.map_err(|error| {
            let LogIteratorError::ParseError { offset } = error;
            damaged(offset, "it is neither a comment nor an interval".to_string())
        })?
        else {
            continue;
        };
        let encoded = entry.encoded_histogram();
        let offset = encoded.as_ptr() as usize - bytes.as_ptr() as usize;
        let compressed = STANDARD.decode(encoded).map_err(|error| damaged(offset, error.to_string()))?;
        let histogram = deserializer
            .deserialize(&mut Cursor::new(compressed))
            .map_err(|error| damaged(offset, error.to_string()))?;
        intervals.push(Interval {
            tag: entry.tag().map(|tag| tag.as_str().to_string()).unwrap_or_default(),
            start: entry.start_timestamp(),
            length: entry.duration(),
            histogram,
        });
    }
    Ok(intervals)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn histogram(nanos: &[u64]) -> Histogram<u64> {
        let mut histogram = Histogram::new(3).unwrap();
        for &value in nanos {
            histogram.record(value).unwrap();
        }
        histogram
    }

    fn write_two(path: &Path) {
        let mut log = LatencyLog::create(path, UNIX_EPOCH + Duration::from_millis(1_700_000_000_250)).unwrap();
        let (second, none) = (Duration::from_secs(1), Duration::ZERO);
        log.append("read.ok.response", none, second, &histogram(&[500_000, 500_000, 1_250_000])).unwrap();
        log.append("read.unknown.response", second, second, &histogram(&[2_000_000_000])).unwrap();
    }

    #[test]
    fn the_head_is_what_javas_reader_looks_for() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("latency.hlog");
        write_two(&path);
        let text = fs::read_to_string(&path).unwrap();
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines[1], "#[Histogram log format version 1.3]");
        assert_eq!(lines[2], "#[BaseTime: 1700000000.250 (seconds since epoch)]");
        assert_eq!(lines[3], "#[StartTime: 1700000000.250 (seconds since epoch), 2023-11-14T22:13:20.250Z]");
        assert_eq!(lines[4], r#""StartTimestamp","Interval_Length","Interval_Max","Interval_Compressed_Histogram""#);
        assert!(lines[5].starts_with("Tag=read.ok.response,0.000,1.000,1.250,HISTFAAA"), "{}", lines[5]);
        assert!(lines[6].starts_with("Tag=read.unknown.response,1.000,1.000,2000.683,HISTFAAA"), "{}", lines[6]);
    }

    #[test]
    fn hdrhistograms_own_reader_finds_the_same_counts() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("latency.hlog");
        write_two(&path);
        let bytes = fs::read(&path).unwrap();
        let entries: Vec<_> = IntervalLogIterator::new(&bytes).collect::<Result<_, _>>().unwrap();
        assert_eq!(entries[0], LogEntry::BaseTime(Duration::from_millis(1_700_000_000_250)));
        assert_eq!(entries[1], LogEntry::StartTime(Duration::from_millis(1_700_000_000_250)));
        let LogEntry::Interval(first) = &entries[2] else { panic!("{:?}", entries[2]) };
        let compressed = STANDARD.decode(first.encoded_histogram()).unwrap();
        let found: Histogram<u64> = Deserializer::new().deserialize(&mut Cursor::new(compressed)).unwrap();
        assert_eq!(found, histogram(&[500_000, 500_000, 1_250_000]));
        assert_eq!((found.len(), found.count_at(500_000)), (3, 2));
        assert_eq!(entries.len(), 4);
    }

    #[test]
    fn what_was_appended_is_read_back() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("latency.hlog");
        write_two(&path);
        let intervals = read(&path).unwrap();
        assert_eq!(intervals.len(), 2);
        assert_eq!(intervals[1].tag, "read.unknown.response");
        assert_eq!((intervals[1].start, intervals[1].length), (Duration::from_secs(1), Duration::from_secs(1)));
        assert_eq!(intervals[1].histogram, histogram(&[2_000_000_000]));
    }

    #[test]
    fn a_line_cut_by_a_crash_is_left_out_and_a_damaged_one_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("latency.hlog");
        write_two(&path);
        let whole = fs::read_to_string(&path).unwrap();

        fs::write(&path, &whole[..whole.len() - 20]).unwrap();
        assert_eq!(read(&path).unwrap().len(), 1);

        fs::write(&path, whole.replace("HISTFAAA", "MISTFAAA")).unwrap();
        assert!(matches!(read(&path).unwrap_err(), HlogError::Damaged { line: 6, .. }));

        fs::write(&path, whole.replace("Tag=read.unknown", "Tag:read.unknown")).unwrap();
        assert!(matches!(read(&path).unwrap_err(), HlogError::Damaged { line: 7, .. }));
    }

    #[test]
    fn a_tag_that_would_break_the_line_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let mut log = LatencyLog::create(&dir.path().join("latency.hlog"), UNIX_EPOCH).unwrap();
        let error = log.append("read, ok", Duration::ZERO, Duration::ZERO, &histogram(&[1])).unwrap_err();
        assert!(matches!(error, HlogError::BadTag { tag } if tag == "read, ok"));
    }
}
