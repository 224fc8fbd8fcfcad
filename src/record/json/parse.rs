//! The parser behind [`Tape::parse`]: one pass, no lookahead table, recursion bounded by [`MAX_DEPTH`].
//!
//! Invariant: every span lies on character boundaries of `Tape::text`.

mod strings;

use super::{Blank, Blanks, Error, ErrorKind, MAX_BYTES, MAX_DEPTH, MAX_NUMBER, MAX_VALUES, Node, Span, Tag, Tape};
use std::borrow::Cow;

pub(super) use strings::plain_run;

/// Objects up to this many keys are searched for duplicates as they grow, larger ones are sorted at their end.
const FEW_KEYS: usize = 64;

/// The text with every invalid UTF-8 sequence replaced by U+FFFD; borrowed when nothing had to be replaced.
/// For a caller that wants to read a record in spite of [`ErrorKind::Utf8`] and says so in what it makes of it.
pub fn repair_utf8(text: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(text)
}

pub(super) fn parse(tape: &mut Tape, text: &[u8], blanks: Blanks) -> Result<(), Error> {
    if text.len() > MAX_BYTES {
        return Err(Error { kind: ErrorKind::Size, at: MAX_BYTES });
    }
    let valid = std::str::from_utf8(text).map_err(|error| Error { kind: ErrorKind::Utf8, at: error.valid_up_to() })?;
    tape.text.push_str(valid);
    tape.length = text.len();
    let at = if text.starts_with(b"\xEF\xBB\xBF") { 3 } else { 0 };
    let mut parser = Parser { text: valid, bytes: text, at, tape, odd: 0, clean: blanks == Blanks::Dropped };
    parser.document()
}

struct Parser<'a, 't> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    tape: &'t mut Tape,
    /// Counts what makes the text around it unfit for copying; see `Node::verbatim`.
    odd: u32,
    clean: bool,
}

/// A string in the tape: where, and whether it is the text's own.
#[derive(Clone, Copy, Default)]
struct Key {
    span: Span,
    verbatim: bool,
}

/// What became of a value: kept on the tape, or dropped.
type Outcome = Option<Blank>;
const KEPT: Outcome = None;

impl Parser<'_, '_> {
    fn document(&mut self) -> Result<(), Error> {
        self.skip()?;
        if self.at == self.bytes.len() {
            return Err(self.error(ErrorKind::Empty));
        }
        self.value(0, Key::default())?;
        self.skip()?;
        if self.at < self.bytes.len() {
            return Err(self.error(ErrorKind::Trailing));
        }
        Ok(())
    }

    fn value(&mut self, depth: usize, key: Key) -> Result<Outcome, Error> {
        let start = self.at;
        if self.tape.nodes.len() >= MAX_VALUES {
            return Err(self.error(ErrorKind::Values));
        }
        match self.peek() {
            Some(b'"') => self.string_value(depth, key),
            Some(b'{') => self.object(depth, key),
            Some(b'[') => self.list(depth, key),
            Some(b't') => self.word(b"true", Tag::True, key),
            Some(b'f') => self.word(b"false", Tag::False, key),
            Some(b'n') => {
                self.word(b"null", Tag::Null, key)?;
                if self.clean && depth > 0 {
                    self.tape.nodes.pop();
                    self.odd += 1;
                    return Ok(Some(Blank::Null));
                }
                Ok(KEPT)
            }
            Some(b'-' | b'0'..=b'9') => self.number(start, key),
            Some(_) => Err(self.syntax("expected a value")),
            None => Err(self.error(ErrorKind::End)),
        }
    }

    fn string_value(&mut self, depth: usize, key: Key) -> Result<Outcome, Error> {
        let Key { span, verbatim } = self.string()?;
        if self.clean && depth > 0 && span.end - span.start <= 4 && is_blank(self.tape.str(span)) {
            self.odd += 1;
            return Ok(Some(Blank::Text));
        }
        self.push(Tag::String, span, key, verbatim);
        Ok(KEPT)
    }

    fn object(&mut self, depth: usize, key: Key) -> Result<Outcome, Error> {
        let (own, odd) = self.open(Tag::Object, depth, key)?;
        let base = self.tape.keys.len();
        let (mut count, mut seen) = (0u32, 0u64);
        self.at += 1;
        self.skip()?;
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(self.close(own, 0, 0, odd, depth));
        }
        loop {
            if self.peek() != Some(b'"') {
                return Err(self.expected("expected a key"));
            }
            let at = self.at;
            let name = self.string()?;
            self.note_key(base, name.span, at, &mut seen)?;
            self.skip()?;
            if self.peek() != Some(b':') {
                return Err(self.expected("expected `:` after a key"));
            }
            self.at += 1;
            self.skip()?;
            match self.value(depth + 1, name)? {
                KEPT => count += 1,
                Some(blank) if depth == 0 => self.tape.dropped.push((name.span, blank)),
                Some(_) => {}
            }
            self.skip()?;
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => break,
                _ => return Err(self.expected("expected `,` or `}`")),
            }
            self.skip()?;
        }
        let keys = self.tape.keys.len() - base;
        if keys > FEW_KEYS {
            self.check_many_keys(base)?;
        }
        self.tape.keys.truncate(base);
        self.at += 1;
        Ok(self.close(own, count, keys as u32, odd, depth))
    }

    fn list(&mut self, depth: usize, key: Key) -> Result<Outcome, Error> {
        let (own, odd) = self.open(Tag::List, depth, key)?;
        let mut count = 0;
        self.at += 1;
        self.skip()?;
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(self.close(own, 0, 0, odd, depth));
        }
        loop {
            if self.value(depth + 1, Key::default())? == KEPT {
                count += 1;
            }
            self.skip()?;
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b']') => break,
                _ => return Err(self.expected("expected `,` or `]`")),
            }
            self.skip()?;
        }
        self.at += 1;
        Ok(self.close(own, count, 0, odd, depth))
    }

    fn open(&mut self, tag: Tag, depth: usize, key: Key) -> Result<(usize, u32), Error> {
        if depth >= MAX_DEPTH {
            return Err(self.error(ErrorKind::Depth));
        }
        let own = self.tape.nodes.len();
        let start = self.at as u32;
        self.tape.extremes.depth = self.tape.extremes.depth.max(depth + 1);
        self.push(tag, Span { start, end: start }, key, false);
        Ok((own, self.odd))
    }

    fn close(&mut self, own: usize, count: u32, keys: u32, odd: u32, depth: usize) -> Outcome {
        if count == 0 && self.clean && depth > 0 {
            self.tape.nodes.truncate(own);
            self.odd += 1;
            return Some(Blank::Container);
        }
        let next = self.tape.nodes.len() as u32;
        if let Some(node) = self.tape.nodes.get_mut(own) {
            node.span.end = self.at as u32;
            node.next = next;
            node.count = count;
            node.keys = keys;
            node.verbatim = self.odd == odd;
        }
        KEPT
    }

    fn push(&mut self, tag: Tag, span: Span, key: Key, verbatim: bool) {
        let next = self.tape.nodes.len() as u32 + 1;
        self.tape.nodes.push(Node {
            tag,
            verbatim,
            key_verbatim: key.verbatim,
            span,
            key: key.span,
            next,
            count: 0,
            keys: 0,
        });
    }

    /// Remembers a key of the innermost object and refuses one that is there already.
    fn note_key(&mut self, base: usize, span: Span, at: usize, seen: &mut u64) -> Result<(), Error> {
        let keys = self.tape.keys.get(base..).unwrap_or_default();
        if keys.len() < FEW_KEYS {
            let key = self.tape.str(span);
            // Keys that differ in this bit differ; most objects never need the comparison.
            let bit = 1u64 << (mark(key.as_bytes()) & 63);
            if *seen & bit != 0 && keys.iter().any(|&other| self.tape.str(other) == key) {
                return Err(Error { kind: ErrorKind::DuplicateKey(key.to_string()), at });
            }
            *seen |= bit;
        }
        self.tape.keys.push(span);
        Ok(())
    }

    fn check_many_keys(&mut self, base: usize) -> Result<(), Error> {
        let Tape { keys, text, .. } = &mut *self.tape;
        let str = |span: Span| text.get(span.start as usize..span.end as usize).unwrap_or_default();
        let keys = keys.get_mut(base..).unwrap_or_default();
        keys.sort_unstable_by(|&a, &b| str(a).cmp(str(b)));
        let twice = keys.windows(2).find(|pair| str(pair[0]) == str(pair[1])).map(|pair| str(pair[0]).to_string());
        match twice {
            Some(key) => Err(self.error(ErrorKind::DuplicateKey(key))),
            None => Ok(()),
        }
    }

    fn word(&mut self, word: &'static [u8], tag: Tag, key: Key) -> Result<Outcome, Error> {
        let start = self.at;
        if !self.rest().starts_with(word) {
            return Err(self.syntax("expected a value"));
        }
        self.at += word.len();
        self.end_of_word()?;
        self.push(tag, Span { start: start as u32, end: self.at as u32 }, key, true);
        Ok(KEPT)
    }

    fn number(&mut self, start: usize, key: Key) -> Result<Outcome, Error> {
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        let zero = self.peek() == Some(b'0');
        let digits = self.digits()?;
        if zero && digits > 1 {
            self.at = start;
            return Err(self.syntax("a number starts with 0"));
        }
        let mut tag = Tag::Integer;
        if self.peek() == Some(b'.') {
            tag = Tag::Double;
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.peek() {
            tag = Tag::Double;
            self.at += 1;
            if let Some(b'+' | b'-') = self.peek() {
                self.at += 1;
            }
            self.digits()?;
        }
        self.end_of_word()?;
        let text = self.text.get(start..self.at).unwrap_or_default();
        let long = text.len() > MAX_NUMBER;
        self.tape.extremes.number |= long;
        let fine = !long && (tag == Tag::Integer || text.parse::<f64>().is_ok_and(f64::is_finite));
        self.odd += u32::from(!fine);
        self.push(tag, Span { start: start as u32, end: self.at as u32 }, key, fine);
        Ok(KEPT)
    }

    fn digits(&mut self) -> Result<usize, Error> {
        let start = self.at;
        while let Some(b'0'..=b'9') = self.peek() {
            self.at += 1;
        }
        if self.at == start {
            return Err(self.expected("expected a digit"));
        }
        Ok(self.at - start)
    }

    /// `truefoo` and `12abc` are not a value and something else.
    fn end_of_word(&mut self) -> Result<(), Error> {
        match self.peek() {
            None | Some(b' ' | b'\t' | b'\r' | b'\n' | b',' | b']' | b'}' | b'/' | b':') => Ok(()),
            Some(_) => Err(self.syntax("unexpected text after a value")),
        }
    }

    /// Passes white space and comments.
    fn skip(&mut self) -> Result<(), Error> {
        while let Some(byte) = self.peek() {
            match byte {
                b' ' | b'\t' | b'\r' | b'\n' => self.at += 1,
                b'/' => self.comment()?,
                _ => return Ok(()),
            }
            self.odd += 1;
        }
        Ok(())
    }

    fn comment(&mut self) -> Result<(), Error> {
        let rest = self.rest();
        let length = match rest.get(1) {
            Some(b'/') => rest.iter().position(|&b| b == b'\n').unwrap_or(rest.len()),
            Some(b'*') => match rest.get(2..).unwrap_or_default().windows(2).position(|pair| pair == b"*/") {
                Some(inside) => inside + 4,
                None => return Err(self.error(ErrorKind::End)),
            },
            _ => return Err(self.syntax("expected a value, a comment or the end")),
        };
        self.at += length;
        Ok(())
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn rest(&self) -> &[u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    fn expected(&self, what: &'static str) -> Error {
        if self.at < self.bytes.len() { self.syntax(what) } else { self.error(ErrorKind::End) }
    }

    fn syntax(&self, what: &'static str) -> Error {
        self.error(ErrorKind::Syntax(what))
    }

    fn error(&self, kind: ErrorKind) -> Error {
        Error { kind, at: self.at }
    }
}

/// The texts that the clean-up drops (ECS mapping 3).
fn is_blank(text: &str) -> bool {
    matches!(text, "" | "-" | "none")
}

/// A number that mostly differs between the keys of one object.
fn mark(key: &[u8]) -> usize {
    let byte = |at: usize| key.get(at).map_or(0, |&b| usize::from(b));
    key.len()
        ^ byte(0).wrapping_mul(7)
        ^ byte(key.len() / 2).wrapping_mul(13)
        ^ byte(key.len().wrapping_sub(1)).wrapping_mul(29)
}
