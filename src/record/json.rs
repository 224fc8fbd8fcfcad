//! The JSON tree of one record: parsed in one pass, cleaned on the way, kept in buffers that serve the next record too.
//!
//! [`Tape::parse`] reads the text; [`Value`] is a view of one value in it, cheap to copy. The tape holds its own copy
//! of the text, so a view borrows the tape alone. Kept from the text: the order of members, the text of numbers, and
//! how many keys an object had before the clean-up (the size of a Java map depends on it, ECS mapping 5). Accepted is
//! what Elasticsearch's `json` processor accepts: JSON with comments, no duplicate keys, one value. Not here: what
//! the members of a record mean, and cutting an object into records.

mod parse;
pub mod write;

use std::borrow::Cow;
use std::fmt;

pub use parse::repair_utf8;

/// Deepest nesting that is read, in objects and lists. A document adds seven levels at most, and readers of documents
/// commonly stop at 128.
pub const MAX_DEPTH: usize = 100;
/// Most values in one text: each takes some forty bytes, twenty times what it may take in the text. A record of the
/// greatest length that CloudTrail sends (256 KB) has some ten thousand.
pub const MAX_VALUES: usize = 500_000;
/// Longest text that is read, in bytes: positions are 32 bits wide, and unescaped strings come on top.
pub const MAX_BYTES: usize = 1 << 30;
/// Digits and signs of a number that readers of JSON commonly take. A longer one is written as a string.
pub const MAX_NUMBER: usize = 1000;
/// Buffers larger than this, in bytes, are given back before the next record.
const KEEP_BYTES: usize = 1 << 20;

/// Whether values that say nothing are dropped (ECS mapping 3): null, `""`, `"-"`, `"none"`, and what is empty then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blanks {
    Dropped,
    Kept,
}

/// Why a text is not JSON, with the byte where that showed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{kind} at byte {at}")]
pub struct Error {
    pub kind: ErrorKind,
    /// Byte position in the text that was given.
    pub at: usize,
}

/// The kinds of [`Error`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ErrorKind {
    #[error("no value")]
    Empty,
    #[error("the text ends too early")]
    End,
    #[error("{0}")]
    Syntax(&'static str),
    #[error("invalid UTF-8")]
    Utf8,
    #[error("more than {MAX_DEPTH} levels of nesting")]
    Depth,
    #[error("the key `{0}` occurs twice in one object")]
    DuplicateKey(String),
    #[error("further text after the value")]
    Trailing,
    #[error("more than {MAX_BYTES} bytes")]
    Size,
    #[error("more than {MAX_VALUES} values")]
    Values,
}

/// The parsed form of one text, and the buffers that it is made in.
#[derive(Default)]
pub struct Tape {
    /// The text, and behind it the strings that had escapes, without them.
    text: String,
    /// Length of the text itself, in bytes.
    length: usize,
    /// Preorder: a container is followed by its content.
    nodes: Vec<Node>,
    /// Members of the top object that were dropped, with what they were.
    dropped: Vec<(Span, Blank)>,
    /// Keys of the objects that are open while parsing.
    keys: Vec<Span>,
    extremes: Extremes,
}

/// What of a text goes beyond what most readers of JSON take, found while parsing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Extremes {
    /// Levels of nesting, in objects and lists.
    pub depth: usize,
    /// A string or key holds the character zero.
    pub zero: bool,
    /// A number has more than [`MAX_NUMBER`] characters.
    pub number: bool,
}

/// What a dropped member of the top object was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blank {
    Null,
    /// One of `""`, `"-"` and `"none"`.
    Text,
    /// An object or list with nothing in it.
    Container,
}

/// A range of bytes in `Tape::text`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Span {
    start: u32,
    end: u32,
}

#[derive(Debug, Clone, Copy)]
struct Node {
    tag: Tag,
    /// The value's own text can be copied as it stands: a string has no escapes, a number is within a double's range and
    /// not too long, a container has nothing inside that was dropped or replaced, and no white space or comment.
    verbatim: bool,
    /// The same of the key.
    key_verbatim: bool,
    /// The value: a string without its quotes, anything else whole.
    span: Span,
    key: Span,
    /// Index behind this value and its content.
    next: u32,
    /// Members or elements that are left.
    count: u32,
    /// Members as they stood in the text.
    keys: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tag {
    Null,
    True,
    False,
    Integer,
    Double,
    String,
    List,
    Object,
}

/// One value of a [`Tape`].
#[derive(Clone, Copy)]
pub struct Value<'t> {
    tape: &'t Tape,
    node: &'t Node,
    at: u32,
}

/// A value by its type.
#[derive(Debug, Clone, Copy)]
pub enum Kind<'t> {
    Null,
    Bool(bool),
    Number(Number<'t>),
    String(Text<'t>),
    List(Value<'t>),
    Object(Value<'t>),
}

/// A string; `verbatim` when it needs no escaping inside JSON quotes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Text<'t> {
    pub text: &'t str,
    pub verbatim: bool,
}

/// A number by its own text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Number<'t> {
    pub text: &'t str,
    /// Written without fraction and exponent.
    pub integer: bool,
}

/// The index of a [`Value`] in its tape, for keeping without a borrow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NodeId(u32);

impl Tape {
    /// Reads `text`, which must hold one value; what was in the tape before is gone.
    /// Errors: everything of [`ErrorKind`]; the tape is then empty.
    pub fn parse(&mut self, text: &[u8], blanks: Blanks) -> Result<Value<'_>, Error> {
        self.reset();
        let parsed = parse::parse(self, text, blanks);
        if let Err(error) = parsed {
            self.reset();
            return Err(error);
        }
        self.root().ok_or(Error { kind: ErrorKind::Empty, at: text.len() })
    }

    /// Forgets what was parsed.
    pub fn reset(&mut self) {
        if self.text.capacity() > KEEP_BYTES || self.nodes.capacity() * size_of::<Node>() > KEEP_BYTES {
            *self = Tape::default();
        }
        self.text.clear();
        self.length = 0;
        self.nodes.clear();
        self.dropped.clear();
        self.keys.clear();
        self.extremes = Extremes::default();
    }

    /// The value that was parsed last; none after an error.
    pub fn root(&self) -> Option<Value<'_>> {
        self.value(NodeId(0))
    }

    /// The value with this index; none if the tape has been filled anew and is shorter now.
    pub fn value(&self, id: NodeId) -> Option<Value<'_>> {
        self.nodes.get(id.0 as usize).map(|node| Value { tape: self, node, at: id.0 })
    }

    /// The text that was parsed last, without its escapes' expansions.
    pub fn text(&self) -> &str {
        self.text.get(..self.length).unwrap_or_default()
    }

    /// What was extreme in the text that was parsed last.
    pub fn extremes(&self) -> Extremes {
        self.extremes
    }

    /// What the top object had under `key` if the clean-up dropped it.
    pub fn dropped(&self, key: &str) -> Option<Blank> {
        self.dropped.iter().find(|(span, _)| self.str(*span) == key).map(|(_, blank)| *blank)
    }

    fn str(&self, span: Span) -> &str {
        self.text.get(span.start as usize..span.end as usize).unwrap_or_default()
    }
}

impl<'t> Value<'t> {
    /// The value by its type.
    pub fn kind(self) -> Kind<'t> {
        match self.node.tag {
            Tag::Null => Kind::Null,
            Tag::True => Kind::Bool(true),
            Tag::False => Kind::Bool(false),
            Tag::Integer | Tag::Double => {
                Kind::Number(Number { text: self.tape.str(self.node.span), integer: self.node.tag == Tag::Integer })
            }
            Tag::String => Kind::String(Text { text: self.tape.str(self.node.span), verbatim: self.node.verbatim }),
            Tag::List => Kind::List(self),
            Tag::Object => Kind::Object(self),
        }
    }

    /// The string, if it is one.
    pub fn as_str(self) -> Option<&'t str> {
        (self.node.tag == Tag::String).then(|| self.tape.str(self.node.span))
    }

    pub fn is_object(self) -> bool {
        self.node.tag == Tag::Object
    }

    pub fn is_list(self) -> bool {
        self.node.tag == Tag::List
    }

    /// The member `key` of an object; none for other values.
    pub fn get(self, key: &str) -> Option<Value<'t>> {
        self.members().find(|(name, _)| name.text == key).map(|(_, value)| value)
    }

    /// The members of an object in text order; none for other values.
    pub fn members(self) -> impl Iterator<Item = (Text<'t>, Value<'t>)> + use<'t> {
        let tape = self.tape;
        self.children(Tag::Object)
            .map(move |value| (Text { text: tape.str(value.node.key), verbatim: value.node.key_verbatim }, value))
    }

    /// The elements of a list in order; none for other values.
    pub fn elements(self) -> impl Iterator<Item = Value<'t>> + use<'t> {
        self.children(Tag::List)
    }

    /// Members or elements that are left after the clean-up; 0 for other values.
    pub fn len(self) -> usize {
        self.node.count as usize
    }

    /// Whether an object or list is empty; true for other values.
    pub fn is_empty(self) -> bool {
        self.node.count == 0
    }

    /// Members that an object had in the text, before the clean-up.
    pub fn keys_in_text(self) -> usize {
        self.node.keys as usize
    }

    /// Length of the value in the text, in bytes.
    pub fn text_len(self) -> usize {
        (self.node.span.end - self.node.span.start) as usize
    }

    /// The value's own text as JSON, if it may be copied as it stands into another JSON text on one line.
    pub fn verbatim(self) -> Option<&'t str> {
        if !self.node.verbatim {
            return None;
        }
        let Span { start, end } = self.node.span;
        let quote = u32::from(self.node.tag == Tag::String);
        Some(self.tape.str(Span { start: start.saturating_sub(quote), end: end + quote }))
    }

    /// The value's index in its tape.
    pub fn id(self) -> NodeId {
        NodeId(self.at)
    }

    fn children(self, tag: Tag) -> Children<'t> {
        let end = if self.node.tag == tag { self.node.next } else { self.at + 1 };
        Children { tape: self.tape, at: self.at + 1, end }
    }
}

impl NodeId {
    /// The index as a number, for dense tables.
    pub fn index(self) -> u32 {
        self.0
    }

    /// The index that [`NodeId::index`] gave.
    pub fn from_index(index: u32) -> NodeId {
        NodeId(index)
    }
}

impl fmt::Debug for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&write::to_json(*self))
    }
}

impl<'t> Number<'t> {
    /// The number as a double; infinite when it is out of a double's range.
    pub fn as_f64(self) -> f64 {
        self.text.parse().unwrap_or(f64::NAN)
    }
}

impl<'t> From<Text<'t>> for Cow<'t, str> {
    fn from(text: Text<'t>) -> Self {
        Cow::Borrowed(text.text)
    }
}

struct Children<'t> {
    tape: &'t Tape,
    at: u32,
    end: u32,
}

impl<'t> Iterator for Children<'t> {
    type Item = Value<'t>;

    fn next(&mut self) -> Option<Value<'t>> {
        if self.at >= self.end {
            return None;
        }
        let at = self.at;
        let node = self.tape.nodes.get(at as usize)?;
        self.at = node.next;
        Some(Value { tape: self.tape, node, at })
    }
}

#[cfg(test)]
mod tests;
