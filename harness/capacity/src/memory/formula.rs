//! Why a session costs what it costs: the structures of Redis 6.2 to 7.4.

use super::allocator::Allocator;

/// `sizeof(robj)` (server.h).
const OBJECT: u64 = 16;

/// `sizeof(dictEntry)` (dict.h).
const ENTRY: u64 = 24;

/// Longer values are an allocation of their own (`OBJ_ENCODING_EMBSTR_SIZE_LIMIT`, object.c).
const EMBEDDED: u64 = 44;

/// A key whose value is a text, by its lengths in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TextKey {
    /// The length of its name.
    pub name: u64,
    /// The length of its value.
    pub value: u64,
    /// Whether it expires.
    pub expires: bool,
}

/// Where the bytes of a key, or of a session, are.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Parts {
    /// The value itself.
    pub value: f64,
    /// The value's header, its object, and what rounding up to a size class adds.
    pub value_overhead: f64,
    /// The name, with header and rounding.
    pub name: f64,
    /// The entry in the table of keys.
    pub entry: f64,
    /// The entry in the table of expiry times.
    pub expiry: f64,
}

impl Parts {
    /// All of it.
    pub fn sum(&self) -> f64 {
        self.value + self.value_overhead + self.name + self.entry + self.expiry
    }

    /// The sum of both, part by part.
    pub fn plus(self, other: Parts) -> Parts {
        Parts {
            value: self.value + other.value,
            value_overhead: self.value_overhead + other.value_overhead,
            name: self.name + other.name,
            entry: self.entry + other.entry,
            expiry: self.expiry + other.expiry,
        }
    }

    /// Each part times `factor`.
    pub fn times(self, factor: f64) -> Parts {
        Parts {
            value: self.value * factor,
            value_overhead: self.value_overhead * factor,
            name: self.name * factor,
            entry: self.entry * factor,
            expiry: self.expiry * factor,
        }
    }
}

/// The bytes that `key` takes, without its share of the tables themselves ([`tables`](super::tables)).
pub fn explain(key: TextKey, allocator: Allocator) -> Parts {
    let value = if key.value <= EMBEDDED {
        allocator.takes(OBJECT + text_of(key.value, 3))
    } else {
        allocator.takes(OBJECT) + allocator.takes(text_of(key.value, header(key.value)))
    };
    let entry = allocator.takes(ENTRY) as f64;
    Parts {
        value: key.value as f64,
        value_overhead: (value - key.value) as f64,
        name: allocator.takes(text_of(key.name, header(key.name))) as f64,
        entry,
        expiry: if key.expires { entry } else { 0.0 },
    }
}

/// A text with its header and the closing zero.
fn text_of(length: u64, header: u64) -> u64 {
    length + header + 1
}

/// The header of a text of this length (`sdsReqType` and `sdsHdrSize`, sds.c).
fn header(length: u64) -> u64 {
    match length {
        0..32 => 1,
        32..256 => 3,
        256..65_536 => 5,
        65_536..4_294_967_296 => 9,
        _ => 17,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUANTUM_8: Allocator = Allocator::Jemalloc { quantum: 8 };

    /// A session under a name of 44 bytes, with its share of two full tables: 16 bytes.
    fn session(value: u64) -> f64 {
        explain(TextKey { name: 44, value, expires: true }, QUANTUM_8).sum() + 16.0
    }

    #[test]
    fn a_session_of_50_000_bytes_costs_15_percent_more_because_of_its_size_class() {
        assert_eq!(session(50_000), 57_472.0);
        assert_eq!(session(49_146), 49_280.0);
        assert_eq!(session(49_147), 57_472.0, "one byte more");
        assert_eq!(session(1_024), 1_408.0);
    }

    #[test]
    fn the_parts_say_where_the_bytes_are() {
        let parts = explain(TextKey { name: 70, value: 1_000, expires: true }, Allocator::Jemalloc { quantum: 16 });
        let expected = Parts { value: 1_000.0, value_overhead: 40.0, name: 80.0, entry: 32.0, expiry: 32.0 };
        assert_eq!(parts, expected);
        assert_eq!(explain(TextKey { name: 70, value: 1_000, expires: false }, QUANTUM_8).expiry, 0.0);
        assert_eq!(explain(TextKey { name: 10, value: 20, expires: false }, QUANTUM_8).sum(), 40.0 + 16.0 + 24.0);
    }
}
