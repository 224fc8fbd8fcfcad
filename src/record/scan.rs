//! Finds the end of one JSON value without understanding what is inside.
//!
//! An object ends with the brace that closes its first one, an array likewise with brackets; quotes hide both. That is
//! enough for well-formed text, and keeps a record with a broken inside from swallowing its neighbours.

use memchr::{memchr2, memchr3};

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
        let mut at = 0;
        loop {
            if self.in_string {
                at = self.string_end(bytes, at)?;
                if matches!(self.shape, Shape::String) {
                    return Some(at);
                }
            }
            match &mut self.shape {
                Shape::Nested { open, close, depth } => {
                    at += memchr3(b'"', *open, *close, bytes.get(at..)?)? + 1;
                    let byte = bytes[at - 1];
                    if byte == b'"' {
                        self.in_string = true;
                    } else if byte == *open {
                        *depth += 1;
                    } else {
                        *depth -= 1;
                        if *depth == 0 {
                            return Some(at);
                        }
                    }
                }
                Shape::String => self.in_string = true,
                Shape::Scalar => {
                    return bytes.iter().position(|b| {
                        matches!(b, b',' | b']' | b'}' | b'{' | b'[' | b'"' | b' ' | b'\n' | b'\r' | b'\t')
                    });
                }
            }
        }
    }

    /// Position after the closing quote; leaves the string.
    fn string_end(&mut self, bytes: &[u8], mut at: usize) -> Option<usize> {
        if self.escaped {
            bytes.get(at)?;
            at += 1;
            self.escaped = false;
        }
        loop {
            at += memchr2(b'"', b'\\', bytes.get(at..)?)? + 1;
            if bytes[at - 1] == b'"' {
                self.in_string = false;
                return Some(at);
            }
            if at == bytes.len() {
                self.escaped = true;
                return None;
            }
            at += 1;
        }
    }
}
