//! The sizes that an allocator really hands out.

/// The allocator of a Redis server on a 64-bit machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Allocator {
    /// jemalloc, with the distance in bytes of its smallest size classes: 8 in Redis's own copy, 16 in most distributions.
    Jemalloc {
        /// `Quantum size` in `MEMORY MALLOC-STATS`.
        quantum: u64,
    },
    /// The GNU C library's.
    Glibc,
}

impl Allocator {
    /// What a request for `bytes` takes. jemalloc has four size classes to each doubling (jemalloc(3), "Size classes"); glibc
    /// rounds a chunk and its 8-byte header up to 16 (malloc.c, `request2size`). Redis counts what is usable.
    pub fn takes(self, bytes: u64) -> u64 {
        let bytes = bytes.max(1);
        match self {
            Allocator::Jemalloc { .. } if bytes <= 8 => 8,
            Allocator::Jemalloc { quantum } if bytes <= 4 * quantum => bytes.next_multiple_of(quantum),
            Allocator::Jemalloc { .. } => bytes.next_multiple_of(1 << ((bytes - 1).ilog2() - 2)),
            Allocator::Glibc => ((bytes + 8).next_multiple_of(16) - 8).max(24),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_rounded_up_to_the_classes_that_jemalloc_documents() {
        let classes = |quantum, sizes: &[u64]| -> Vec<u64> {
            sizes.iter().map(|size| Allocator::Jemalloc { quantum }.takes(*size)).collect()
        };
        assert_eq!(classes(16, &[1, 8, 9, 24, 48, 49, 64, 65, 129]), [8, 8, 16, 32, 48, 64, 64, 80, 160]);
        assert_eq!(classes(8, &[9, 24, 25, 33, 64, 65]), [16, 24, 32, 40, 64, 80]);
        assert_eq!(classes(16, &[4_096, 4_097, 49_152, 49_153, 57_344]), [4_096, 5_120, 49_152, 57_344, 57_344]);
    }

    #[test]
    fn glibc_rounds_a_chunk_with_its_header_up_to_16() {
        let takes = |bytes| Allocator::Glibc.takes(bytes);
        assert_eq!([takes(1), takes(24), takes(25), takes(40), takes(41)], [24, 24, 40, 40, 56]);
    }
}
