//! Standard output and standard error, kept in the order of writing until it is a chain's turn to be printed.

use std::cell::RefCell;
use std::io::{self, Write};

#[derive(Default)]
pub struct Recorder(RefCell<Vec<(Stream, Vec<u8>)>>);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stream {
    Out,
    Notes,
}

/// One of the two.
pub struct Pen<'r>(&'r Recorder, Stream);

impl Recorder {
    pub fn out(&self) -> Pen<'_> {
        Pen(self, Stream::Out)
    }

    pub fn notes(&self) -> Pen<'_> {
        Pen(self, Stream::Notes)
    }

    /// Writes everything to the real streams.
    ///
    /// # Errors
    /// A stream that cannot be written to.
    pub fn play(self, out: &mut dyn Write, notes: &mut dyn Write) -> io::Result<()> {
        for (stream, bytes) in self.0.into_inner() {
            let to: &mut dyn Write = if stream == Stream::Out { out } else { notes };
            to.write_all(&bytes)?;
            to.flush()?;
        }
        Ok(())
    }
}

impl Write for Pen<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut pieces = self.0.0.borrow_mut();
        match pieces.last_mut() {
            Some((stream, piece)) if *stream == self.1 => piece.extend_from_slice(bytes),
            _ => pieces.push((self.1, bytes.to_vec())),
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_order_of_writing_stays() {
        struct Both<'a>(&'a RefCell<Vec<u8>>);
        impl Write for Both<'_> {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                self.0.borrow_mut().extend_from_slice(bytes);
                Ok(bytes.len())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let recorder = Recorder::default();
        write!(recorder.out(), "1").unwrap();
        write!(recorder.out(), "2").unwrap();
        write!(recorder.notes(), "3").unwrap();
        write!(recorder.out(), "4").unwrap();
        let terminal = RefCell::default();
        recorder.play(&mut Both(&terminal), &mut Both(&terminal)).unwrap();
        assert_eq!(terminal.into_inner(), b"1234");
    }
}
