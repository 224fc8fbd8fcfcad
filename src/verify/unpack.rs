//! One gzip member, from chunks to its text, with what stands behind it noticed.
//!
//! Integrity is a matter of the stored object, so this is stricter than `record::inflate`, which reads whatever a consumer
//! would: a second member, bytes behind the end and a missing end are each told apart (CloudTrail formats 5.4, rows 1 and 16).

use flate2::{Decompress, FlushDecompress, Status};

/// How the object ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// One whole member, nothing behind it.
    Whole,
    /// One whole member, and bytes behind it.
    Trailing,
    /// The member has no end.
    Cut,
}

/// Why the text stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UnpackFault {
    #[error("it is no gzip data, or its data or checksum are damaged")]
    Damaged,
    #[error("it inflates to more than {limit} bytes")]
    TooLarge { limit: u64 },
}

/// Inflated bytes given out at a time.
const WINDOW: usize = 64 * 1024;
/// Window bits of zlib: the largest.
const BITS: u8 = 15;

/// The state between two chunks of one object.
pub struct Unpack {
    gzip: Decompress,
    window: Vec<u8>,
    limit: u64,
    ended: bool,
    trailing: bool,
}

impl Unpack {
    /// `limit`: inflated bytes.
    pub fn new(limit: u64) -> Unpack {
        Unpack {
            gzip: Decompress::new_gzip(BITS),
            window: Vec::with_capacity(WINDOW),
            limit,
            ended: false,
            trailing: false,
        }
    }

    /// Takes stored bytes and gives their text to `sink`, in windows of at most 64 KiB.
    ///
    /// # Errors
    /// [`UnpackFault`]; nothing more may be pushed then.
    pub fn push(&mut self, mut stored: &[u8], sink: &mut impl FnMut(&[u8])) -> Result<(), UnpackFault> {
        loop {
            if self.ended {
                self.trailing |= !stored.is_empty();
                return Ok(());
            }
            let before = self.gzip.total_in();
            self.window.clear();
            let status = self
                .gzip
                .decompress_vec(stored, &mut self.window, FlushDecompress::None)
                .map_err(|_| UnpackFault::Damaged)?;
            let taken = usize::try_from(self.gzip.total_in() - before).unwrap_or(usize::MAX);
            stored = stored.get(taken..).unwrap_or_default();
            if self.gzip.total_out() > self.limit {
                return Err(UnpackFault::TooLarge { limit: self.limit });
            }
            sink(&self.window);
            self.ended = status == Status::StreamEnd;
            let full = self.window.len() == self.window.capacity();
            if !self.ended && !full && (stored.is_empty() || taken == 0) {
                return Ok(());
            }
        }
    }

    /// The end of the object.
    pub fn finish(&self) -> Ending {
        match (self.ended, self.trailing) {
            (false, _) => Ending::Cut,
            (true, false) => Ending::Whole,
            (true, true) => Ending::Trailing,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use proptest::prelude::*;
    use std::io::Write;

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    fn unpack(stored: &[u8], chunk: usize) -> (Vec<u8>, Result<Ending, UnpackFault>) {
        let (mut text, mut unpack) = (Vec::new(), Unpack::new(10 << 20));
        for chunk in stored.chunks(chunk.max(1)) {
            if let Err(fault) = unpack.push(chunk, &mut |window| text.extend_from_slice(window)) {
                return (text, Err(fault));
            }
        }
        (text, Ok(unpack.finish()))
    }

    #[test]
    fn endings_are_told_apart() {
        let whole = gzip(b"text");
        assert_eq!(unpack(&whole, 9), (b"text".to_vec(), Ok(Ending::Whole)));
        assert_eq!(unpack(&[whole.clone(), gzip(b"more")].concat(), 7), (b"text".to_vec(), Ok(Ending::Trailing)));
        assert_eq!(unpack(&[&whole[..], b"x"].concat(), 1), (b"text".to_vec(), Ok(Ending::Trailing)));
        assert_eq!(unpack(&whole[..whole.len() - 3], 100), (b"text".to_vec(), Ok(Ending::Cut)));
        assert_eq!(unpack(b"", 1), (Vec::new(), Ok(Ending::Cut)));
        assert_eq!(unpack(b"{\"Records\":[]}", 3).1, Err(UnpackFault::Damaged));
        let mut damaged = whole.clone();
        damaged[whole.len() - 6] ^= 1;
        assert_eq!(unpack(&damaged, 100).1, Err(UnpackFault::Damaged), "the checksum is wrong");
    }

    #[test]
    fn a_bomb_stops_at_its_limit() {
        let (text, end) = unpack(&gzip(&vec![0; 30 << 20]), 4096);
        assert_eq!(end, Err(UnpackFault::TooLarge { limit: 10 << 20 }));
        assert!(text.len() <= 10 << 20);
    }

    proptest! {
        #[test]
        fn chunks_make_no_difference(text in prop::collection::vec(any::<u8>(), 0..3000), zeros in 0usize..200_000, chunk in 1usize..5000) {
            let text = [text, vec![0; zeros]].concat();
            prop_assert_eq!(unpack(&gzip(&text), chunk), (text, Ok(Ending::Whole)));
        }

        #[test]
        fn any_bytes_are_survived(mut bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = unpack(&bytes, 50);
            bytes.splice(0..0, [0x1F, 0x8B, 8, 0]);
            let _ = unpack(&bytes, 50);
        }
    }
}
