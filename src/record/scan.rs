//! Finds the end of one JSON value without understanding what is inside.
//!
//! An object ends with the brace that closes its first one, an array likewise with brackets; quotes hide both. That is
//! enough for well-formed text, and keeps a record with a broken inside from swallowing its neighbours.
//!
//! The rule is [`Scan::byte`]. As all text goes through here, objects and arrays are looked at 64 bytes at a time: one bit
//! for each byte says what it is, and a block that cannot hold the end is counted and passed.

use wide::u8x16;

/// The state of a search for the end of a value, across chunks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scan {
    shape: Shape,
    in_string: bool,
    escaped: bool,
}

#[derive(Clone, Copy, Debug)]
enum Shape {
    Nested { open: u8, close: u8, depth: u64 },
    String,
    Scalar,
}

/// Bytes of a block: one bit of a mask for each.
const BLOCK: usize = 64;

/// What a block holds.
enum Block {
    /// The value ends with this many of its bytes.
    Ends(usize),
    /// All of it belongs to the value.
    Passed,
    /// A backslash outside of a string, as only broken text has: to be looked at byte by byte.
    Broken,
}

impl Scan {
    /// Starts with the value's first byte, which counts as consumed.
    pub(super) fn start(first: u8) -> Scan {
        let (shape, in_string) = match first {
            b'{' => (Shape::Nested { open: b'{', close: b'}', depth: 1 }, false),
            b'[' => (Shape::Nested { open: b'[', close: b']', depth: 1 }, false),
            b'"' => (Shape::String, true),
            _ => (Shape::Scalar, false),
        };
        Scan { shape, in_string, escaped: false }
    }

    /// Searches on in the next bytes; gives how many of them belong to the value once it has ended.
    pub(super) fn run(&mut self, bytes: &[u8]) -> Option<usize> {
        let (blocks, tail) = match self.shape {
            Shape::Nested { .. } => bytes.as_chunks::<BLOCK>(),
            Shape::String => (&[][..], bytes),
            // Ends before the byte that it does not own.
            Shape::Scalar => {
                return bytes
                    .iter()
                    .position(|b| matches!(b, b',' | b']' | b'}' | b'{' | b'[' | b'"' | b' ' | b'\n' | b'\r' | b'\t'));
            }
        };
        for (number, block) in blocks.iter().enumerate() {
            let end = match self.block(block) {
                Block::Passed => continue,
                Block::Ends(end) => Some(end),
                Block::Broken => self.bytes(block),
            };
            if let Some(end) = end {
                return Some(number * BLOCK + end);
            }
        }
        self.bytes(tail).map(|end| blocks.len() * BLOCK + end)
    }

    fn bytes(&mut self, bytes: &[u8]) -> Option<usize> {
        bytes.iter().position(|&byte| self.byte(byte)).map(|last| last + 1)
    }

    /// Takes one byte; true when the value ends with it.
    fn byte(&mut self, byte: u8) -> bool {
        if self.in_string {
            let escaped = std::mem::take(&mut self.escaped);
            match byte {
                b'\\' => self.escaped = !escaped,
                b'"' => self.in_string = escaped,
                _ => {}
            }
            return !self.in_string && matches!(self.shape, Shape::String);
        }
        let Shape::Nested { open, close, depth } = &mut self.shape else { return false };
        if byte == b'"' {
            self.in_string = true;
        } else if byte == *open {
            *depth += 1;
        } else if byte == *close {
            *depth -= 1;
            return *depth == 0;
        }
        false
    }

    /// Takes a block of an object or array at once, as [`byte`](Scan::byte) would take its bytes. A broken one is not taken.
    fn block(&mut self, block: &[u8; BLOCK]) -> Block {
        let Shape::Nested { open, close, depth } = &mut self.shape else { return Block::Broken };
        let [mut quotes, backslashes, opens, closes] = masks(block, [b'"', b'\\', *open, *close]);
        let (hidden, escaped) = hidden(backslashes, self.escaped);
        quotes &= !hidden;
        // From an opening quote up to the byte before the closing one.
        let strings = parity(quotes) ^ if self.in_string { u64::MAX } else { 0 };
        if backslashes & !strings != 0 {
            return Block::Broken;
        }
        let (opens, closes) = (opens & !strings, closes & !strings);
        if u64::from(closes.count_ones()) < *depth {
            *depth = *depth + u64::from(opens.count_ones()) - u64::from(closes.count_ones());
        } else {
            let mut left = opens | closes;
            while left != 0 {
                let at = left.trailing_zeros();
                if opens >> at & 1 == 1 {
                    *depth += 1;
                } else {
                    *depth -= 1;
                    if *depth == 0 {
                        return Block::Ends(at as usize + 1);
                    }
                }
                left &= left - 1;
            }
        }
        (self.in_string, self.escaped) = (strings >> (BLOCK - 1) == 1, escaped);
        Block::Passed
    }
}

/// Where each of the four bytes stands in the block: bit n for its byte n.
fn masks(block: &[u8; BLOCK], bytes: [u8; 4]) -> [u64; 4] {
    let bytes = bytes.map(u8x16::splat);
    let mut masks = [0; 4];
    for (part, text) in block.as_chunks().0.iter().enumerate() {
        let text = u8x16::new(*text);
        for (mask, byte) in masks.iter_mut().zip(bytes) {
            *mask |= u64::from(text.simd_eq(byte).to_bitmask()) << (part * 16);
        }
    }
    masks
}

/// The bytes of a block that a backslash hides, and whether its last one hides the first byte of the next block. `first`:
/// whether its own first byte is hidden.
fn hidden(backslashes: u64, first: bool) -> (u64, bool) {
    let mut hidden = u64::from(first);
    let mut left = backslashes & !hidden;
    while left != 0 {
        let at = left.trailing_zeros();
        if at == BLOCK as u32 - 1 {
            return (hidden, true);
        }
        hidden |= 2 << at;
        // A backslash that is hidden hides nothing.
        left &= !(3 << at);
    }
    (hidden, false)
}

/// Bit n: whether an odd number of bits up to n is set.
fn parity(mut bits: u64) -> u64 {
    for distance in [1, 2, 4, 8, 16, 32] {
        bits ^= bits << distance;
    }
    bits
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Text that means something to a scan, in every combination; a run of letters moves it across the blocks.
    fn text() -> impl Strategy<Value = Vec<u8>> {
        let piece = prop_oneof![
            4 => prop::sample::select(&br#""\{}[]"#[..]).prop_map(|byte| vec![byte]),
            2 => prop::sample::select(vec![&br#""a":"b""#[..], br#""\"{""#, br#"\\"#, br#"{"c":[1]}"#]).prop_map(<[u8]>::to_vec),
            1 => (0..90_usize).prop_map(|count| vec![b'x'; count]),
        ];
        prop::collection::vec(piece, 0..120).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn blocks_end_where_bytes_do(first in prop::sample::select(&b"{[\"1"[..]), text in text(), cut in 0..200_usize) {
            // A piece of one byte has no block.
            let mut scan = Scan::start(first);
            let bytes = text.iter().position(|&byte| scan.run(&[byte]).is_some());
            let mut scan = Scan::start(first);
            let (head, tail) = text.split_at(cut.min(text.len()));
            let blocks = scan.run(head).or_else(|| scan.run(tail).map(|end| head.len() + end));
            // A scalar ends before the byte that ends it, all others with it.
            let bytes = bytes.map(|last| if first == b'1' { last } else { last + 1 });
            prop_assert_eq!(blocks, bytes);
        }
    }

    #[test]
    fn a_value_ends_with_the_byte_that_closes_it() {
        let filler = "x".repeat(100);
        for (text, end) in [
            (r#"{}"#.to_owned(), 2),
            (r#"{"a":{"b":"}"},"c":"\\"}, {"#.to_owned(), 24),
            (format!(r#"{{"{filler}":"\"}}{filler}"}}}}"#), 10 + 2 * 100),
            (r#"[[1,"]"],2]]"#.to_owned(), 11),
            (r#""a\"b" "#.to_owned(), 6),
            ("12, 3".to_owned(), 2),
        ] {
            let (first, rest) = text.as_bytes().split_at(1);
            assert_eq!(Scan::start(first[0]).run(rest), Some(end - 1), "{text}");
        }
    }
}
