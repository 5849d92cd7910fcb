//! The outer layer of a history file: the magic is followed by frames with a tag, a length and a checksum each, so that
//! a reader can tell a whole frame from a torn one and find the next frame after a damaged one.
//!
//! ```text
//! ┌───────────┬──────────────────┬─────────────────┬───────────┐
//! │ tag       │ length of body   │ CRC-32          │ body      │
//! │ 4 letters │ u32 little-endian│ u32 little-end. │ …         │
//! └───────────┴──────────────────┴─────────────────┴───────────┘
//! ```
//! The checksum (IEEE, as in zlib) covers tag, length and body.

/// The file name of a drill's history.
pub const FILE_NAME: &str = firedrill_reports::run::HISTORY_FILE;

/// The first bytes of every history. Like PNG's, they are not text, and any "repair" of line ends breaks them.
pub const MAGIC: [u8; 8] = *b"\x89FDH\r\n\x1a\n";

/// The newest format version written and read. Magic, frames and the header's frame are the same in all versions, so
/// that a reader can always name a version it does not know.
pub const FORMAT_VERSION: u32 = 5;

/// Bytes in a frame before its body.
pub(super) const FRAME_HEAD: usize = 12;

/// What a frame contains.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tag {
    /// The header, JSON.
    Head,
    /// Operations, see [`super::codec`].
    Ops,
    /// One note, JSON.
    Note,
    /// The end, JSON: the number of operations and notes.
    End,
}

impl Tag {
    const ALL: [Tag; 4] = [Tag::Head, Tag::Ops, Tag::Note, Tag::End];

    fn letters(self) -> [u8; 4] {
        match self {
            Tag::Head => *b"HEAD",
            Tag::Ops => *b"OPS ",
            Tag::Note => *b"NOTE",
            Tag::End => *b"END ",
        }
    }
}

/// Reserves room for a frame's head at the front of `frame`; [`seal`] fills it in once the body is complete.
pub(super) fn begin(frame: &mut Vec<u8>) {
    frame.clear();
    frame.resize(FRAME_HEAD, 0);
}

/// Fills in the head of the frame. `None` if the body is too long for a frame.
pub(super) fn seal(frame: &mut [u8], tag: Tag) -> Option<()> {
    let length = u32::try_from(frame.len() - FRAME_HEAD).ok()?;
    frame[..4].copy_from_slice(&tag.letters());
    frame[4..8].copy_from_slice(&length.to_le_bytes());
    let crc = checksum(frame);
    frame[8..12].copy_from_slice(&crc.to_le_bytes());
    Some(())
}

/// The checksum of a frame, excluding the checksum's own bytes.
pub(super) fn checksum(frame: &[u8]) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    crc.update(&frame[..8]);
    crc.update(&frame[FRAME_HEAD..]);
    crc.finalize()
}

/// A whole, undamaged frame.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Frame<'a> {
    /// The kind of content.
    pub tag: Tag,
    /// Its content.
    pub body: &'a [u8],
    /// Where the next frame starts.
    pub next: usize,
}

/// The length of the body that belongs to `head`; `None` if that is not a frame's head.
pub(super) fn body_length(head: &[u8]) -> Option<u64> {
    let head: &[u8; FRAME_HEAD] = head.try_into().ok()?;
    Tag::ALL.iter().any(|tag| tag.letters() == head[..4]).then(|| {
        let [.., a, b, c, d, _, _, _, _] = *head;
        u64::from(u32::from_le_bytes([a, b, c, d]))
    })
}

/// The frame that starts at `at`, or what is wrong there.
pub(super) fn read(bytes: &[u8], at: usize) -> Result<Frame<'_>, &'static str> {
    let head = bytes.get(at..at + FRAME_HEAD).ok_or("the file ends within a frame's head")?;
    let word = |i: usize| u32::from_le_bytes([head[i], head[i + 1], head[i + 2], head[i + 3]]);
    let tag = Tag::ALL.into_iter().find(|t| t.letters() == head[..4]).ok_or("no frame begins here")?;
    let next = (at + FRAME_HEAD)
        .checked_add(word(4) as usize)
        .filter(|&next| next <= bytes.len())
        .ok_or("the file ends within a frame")?;
    if checksum(&bytes[at..next]) != word(8) {
        return Err("the checksum does not match");
    }
    Ok(Frame { tag, body: &bytes[at + FRAME_HEAD..next], next })
}

/// Where the next whole frame starts, at or after `from`.
pub(super) fn find(bytes: &[u8], from: usize) -> Option<usize> {
    (from..bytes.len().saturating_sub(FRAME_HEAD - 1)).find(|&at| read(bytes, at).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(tag: Tag, body: &[u8]) -> Vec<u8> {
        let mut frame = Vec::new();
        begin(&mut frame);
        frame.extend_from_slice(body);
        seal(&mut frame, tag).unwrap();
        frame
    }

    #[test]
    fn a_frame_is_tag_length_checksum_and_body() {
        // The checksum is zlib.crc32(b"NOTE\x02\x00\x00\x00{}").
        assert_eq!(frame(Tag::Note, b"{}"), b"NOTE\x02\x00\x00\x00\xe6\x38\x3a\x0a{}");
    }

    #[test]
    fn a_frame_reads_back_and_says_where_the_next_begins() {
        let mut bytes = frame(Tag::Head, b"abc");
        bytes.extend(frame(Tag::Ops, b""));
        assert_eq!(read(&bytes, 0), Ok(Frame { tag: Tag::Head, body: b"abc", next: 15 }));
        assert_eq!(read(&bytes, 15), Ok(Frame { tag: Tag::Ops, body: b"", next: 27 }));
        assert_eq!(read(&bytes, 27), Err("the file ends within a frame's head"));
    }

    #[test]
    fn one_flipped_bit_anywhere_makes_a_frame_unreadable() {
        let whole = frame(Tag::Ops, b"body");
        for bit in 0..whole.len() * 8 {
            let mut bytes = whole.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(read(&bytes, 0).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn the_next_whole_frame_is_found_behind_a_damaged_one() {
        let mut bytes = frame(Tag::Ops, b"spoilt");
        bytes[13] ^= 1;
        let second = bytes.len();
        bytes.extend(frame(Tag::End, b"{}"));
        assert_eq!(find(&bytes, 1), Some(second));
        assert_eq!(find(&bytes[..second], 1), None);
    }
}
