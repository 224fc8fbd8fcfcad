//! Stored bytes to text: gzip by its magic bytes (any number of members), anything else as it is.
//!
//! The text comes in windows of bounded size, whatever the object's size. Names and headers are not trusted: CloudTrail
//! objects arrive as gzip named `.json`, and as plain JSON named `.json.gz`.

use flate2::write::MultiGzDecoder;
use std::io::Write;

/// Limits on what one object may inflate to.
#[derive(Debug, Clone, Copy)]
pub struct InflateLimits {
    /// Inflated bytes.
    pub bytes: u64,
    /// Inflated bytes for each stored byte, looked at from [`RATIO_FROM`] bytes on.
    pub ratio: u64,
}

/// Below this many inflated bytes a high ratio is harmless, and common in small objects.
pub const RATIO_FROM: u64 = 64 << 20;

/// Stored bytes that are inflated at a time. gzip expands at most 1032 times, so a window has at most 4 MiB.
const STEP: usize = 4 * 1024;

/// Bytes of a window that are kept for the next one.
const WINDOW: usize = 128 * 1024;

const MAGIC: [u8; 2] = [0x1F, 0x8B];

/// Why an object cannot be inflated.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InflateFault {
    #[error("the gzip data is corrupt after {read} stored bytes: {what}")]
    Corrupt { read: u64, what: String },
    /// The decoder does not tell a missing end from a checksum that does not match.
    #[error("the gzip data ends early, or does not match its checksum, after {read} stored bytes")]
    Incomplete { read: u64 },
    #[error("more than {limit} bytes inflated (`limits.object_bytes`)")]
    TooLarge { limit: u64 },
    #[error("{inflated} bytes inflated from {read}: more than {limit} times (`limits.inflate_ratio`)")]
    Ratio { read: u64, inflated: u64, limit: u64 },
}

/// The state between two chunks of one object.
pub struct Inflate {
    state: State,
    limits: InflateLimits,
    read: u64,
    inflated: u64,
    /// The last stored bytes.
    tail: [u8; 4],
}

enum State {
    /// Fewer than two bytes seen.
    Sniffing(Vec<u8>),
    Gzip(Box<MultiGzDecoder<Vec<u8>>>),
    Plain,
}

impl Inflate {
    pub fn new(limits: InflateLimits) -> Inflate {
        Inflate { state: State::Sniffing(Vec::new()), limits, read: 0, inflated: 0, tail: [0; 4] }
    }

    /// Whether all text came from the last gzip member, whose end states its length modulo 2^32. At the end of the object.
    pub fn is_one_member(&self) -> bool {
        matches!(self.state, State::Gzip(_)) && u64::from(u32::from_le_bytes(self.tail)) == self.inflated & 0xffff_ffff
    }

    /// Stored bytes taken.
    pub fn read(&self) -> u64 {
        self.read
    }

    /// Text bytes given out.
    pub fn inflated(&self) -> u64 {
        self.inflated
    }

    /// Takes stored bytes and gives their text to `sink` in windows, until it refuses one.
    ///
    /// # Errors
    /// [`InflateFault`], or what `sink` returned.
    pub fn push<E: From<InflateFault>>(
        &mut self,
        stored: &[u8],
        sink: &mut impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let last = stored.get(stored.len().saturating_sub(self.tail.len())..).unwrap_or_default();
        self.tail.rotate_left(last.len());
        let at = self.tail.len() - last.len();
        self.tail.iter_mut().skip(at).zip(last).for_each(|(kept, byte)| *kept = *byte);
        if let State::Sniffing(head) = &mut self.state {
            head.extend_from_slice(stored);
            if head.len() < MAGIC.len() {
                return Ok(());
            }
            let head = std::mem::take(head);
            self.state = if head.starts_with(&MAGIC) {
                State::Gzip(Box::new(MultiGzDecoder::new(Vec::with_capacity(256 * 1024))))
            } else {
                State::Plain
            };
            return self.take(&head, sink);
        }
        self.take(stored, sink)
    }

    /// The end of the object.
    ///
    /// # Errors
    /// [`InflateFault::Incomplete`] inside a gzip member, or what `sink` returned.
    pub fn finish<E: From<InflateFault>>(&mut self, sink: &mut impl FnMut(&[u8]) -> Result<(), E>) -> Result<(), E> {
        match &mut self.state {
            State::Sniffing(head) => {
                let head = std::mem::take(head);
                self.state = State::Plain;
                self.take(&head, sink)
            }
            State::Plain => Ok(()),
            State::Gzip(gzip) => {
                let end = gzip.try_finish();
                self.window(sink)?;
                end.map_err(|_| InflateFault::Incomplete { read: self.read }.into())
            }
        }
    }

    fn take<E: From<InflateFault>>(
        &mut self,
        stored: &[u8],
        sink: &mut impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        if matches!(self.state, State::Plain) {
            self.read += stored.len() as u64;
            self.count(stored.len())?;
            return sink(stored);
        }
        for step in stored.chunks(STEP) {
            self.read += step.len() as u64;
            let State::Gzip(gzip) = &mut self.state else { break };
            let written = gzip.write_all(step);
            if written.is_err() {
                // What came before a fault is sound, and the decoder still holds the last of it. It fails again, too.
                let _ = gzip.try_finish();
            }
            self.window(sink)?;
            if let Err(error) = written {
                return Err(InflateFault::Corrupt { read: self.read, what: error.to_string() }.into());
            }
        }
        Ok(())
    }

    /// Hands out what the decoder has written.
    fn window<E: From<InflateFault>>(&mut self, sink: &mut impl FnMut(&[u8]) -> Result<(), E>) -> Result<(), E> {
        let State::Gzip(gzip) = &mut self.state else { return Ok(()) };
        let mut window = std::mem::take(gzip.get_mut());
        let given = match self.count(window.len()) {
            Ok(()) => sink(&window),
            Err(fault) => Err(fault.into()),
        };
        window.clear();
        // A window of highly compressed text must not pin its size for as long as the object is read.
        window.shrink_to(WINDOW);
        if let State::Gzip(gzip) = &mut self.state {
            *gzip.get_mut() = window;
        }
        given
    }

    fn count(&mut self, bytes: usize) -> Result<(), InflateFault> {
        self.inflated += bytes as u64;
        if self.inflated > self.limits.bytes {
            return Err(InflateFault::TooLarge { limit: self.limits.bytes });
        }
        if self.inflated > RATIO_FROM && self.inflated / self.read.max(1) > self.limits.ratio {
            let (read, inflated, limit) = (self.read, self.inflated, self.limits.ratio);
            return Err(InflateFault::Ratio { read, inflated, limit });
        }
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use proptest::prelude::*;

    const LIMITS: InflateLimits = InflateLimits { bytes: 1 << 30, ratio: 500 };

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    fn inflate(chunks: &[&[u8]], limits: InflateLimits) -> (Vec<u8>, Result<(), InflateFault>) {
        let mut text = Vec::new();
        let mut inflate = Inflate::new(limits);
        let mut sink = |window: &[u8]| {
            text.extend_from_slice(window);
            Ok(())
        };
        for chunk in chunks {
            if let Err(fault) = inflate.push(chunk, &mut sink) {
                return (text, Err(fault));
            }
        }
        let end = inflate.finish(&mut sink);
        (text, end)
    }

    #[test]
    fn several_members_and_no_gzip_at_all() {
        let two = [gzip(b"{\"Records\":["), gzip(b"]}")].concat();
        assert_eq!(inflate(&[&two], LIMITS), (b"{\"Records\":[]}".to_vec(), Ok(())));
        assert_eq!(inflate(&[b"{}"], LIMITS), (b"{}".to_vec(), Ok(())));
        assert_eq!(inflate(&[b"", b"{", b"}"], LIMITS), (b"{}".to_vec(), Ok(())));
        assert_eq!(inflate(&[b"7"], LIMITS), (b"7".to_vec(), Ok(())));
        assert_eq!(inflate(&[], LIMITS), (Vec::new(), Ok(())));
    }

    #[test]
    fn what_came_before_the_damage_is_given_out() {
        let text =
            (0..200_000u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_string().into_bytes()).collect::<Vec<_>>();
        let whole = gzip(&text);
        let (head, end) = inflate(&[&whole[..whole.len() / 2]], LIMITS);
        assert_eq!(end, Err(InflateFault::Incomplete { read: whole.len() as u64 / 2 }));
        assert!(head.len() > text.len() / 3 && text.starts_with(&head));
        let mut broken = whole.clone();
        *broken.last_mut().unwrap() ^= 1;
        assert!(inflate(&[&broken], LIMITS).1.is_err(), "the length in the trailer is wrong");
        let mut broken = whole.clone();
        broken[3] = 0xFF;
        assert!(matches!(inflate(&[&broken], LIMITS).1, Err(InflateFault::Corrupt { .. })), "reserved header flags");
    }

    #[test]
    fn a_bomb_stops_at_its_limit() {
        let bomb = gzip(&vec![b' '; 100 << 20]);
        let (text, end) = inflate(&[&bomb], LIMITS);
        assert!(matches!(end, Err(InflateFault::Ratio { limit: 500, .. })), "{end:?}");
        assert!(text.len() < (RATIO_FROM + (8 << 20)).try_into().unwrap());
        let (_, end) = inflate(&[&bomb], InflateLimits { bytes: 1000, ratio: 5000 });
        assert_eq!(end, Err(InflateFault::TooLarge { limit: 1000 }));
    }

    proptest! {
        #[test]
        fn chunks_make_no_difference(text in prop::collection::vec(any::<u8>(), 0..2000), size in 1usize..300, zipped: bool) {
            let stored = if zipped { gzip(&text) } else { text.clone() };
            prop_assume!(zipped || !stored.starts_with(&MAGIC));
            let chunks: Vec<&[u8]> = stored.chunks(size).collect();
            prop_assert_eq!(inflate(&chunks, LIMITS), (text, Ok(())));
        }

        #[test]
        fn any_bytes_are_survived(mut bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = inflate(&[&bytes], LIMITS);
            bytes.splice(0..0, [0x1F, 0x8B, 8, 0]);
            let _ = inflate(&[&bytes], LIMITS);
        }
    }
}
