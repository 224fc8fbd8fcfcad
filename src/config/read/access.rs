//! How serde walks through lists, maps and choices of the tree.
//!
//! Every value that is handed on carries its path, and every fault that comes back without a place
//! gets the place of the value that it was about.

use serde::de::value::StrDeserializer;
use serde::de::{DeserializeSeed, EnumAccess, MapAccess, SeqAccess, VariantAccess, Visitor};

use super::fault::Fault;
use super::{Reader, Reading};
use crate::config::redact::is_secret_path;
use crate::config::tree::{Entry, Node, Value, join};
use crate::config::types::REDACTED;

/// Settings of every item of a list that are read by whoever reads the list.
const FRAME_KEYS: [&str; 2] = ["type", "enabled"];

/// The items of a list, one after the other.
pub(super) struct Items<'a> {
    pub nodes: &'a [Node],
    pub next: usize,
    /// Whether paths count the items: not for a single value that serves as a list.
    pub numbered: bool,
    pub path: &'a str,
    pub reading: &'a Reading<'a>,
}

impl<'de> SeqAccess<'de> for Items<'_> {
    type Error = Fault;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Fault> {
        while let Some(node) = self.nodes.get(self.next) {
            let path = if self.numbered { format!("{}[{}]", self.path, self.next) } else { self.path.to_owned() };
            self.next += 1;
            if !self.reading.set_aside.contains(&path) {
                return read_value(node, path, self.reading, seed).map(Some);
            }
        }
        Ok(None)
    }
}

/// The settings of a map, one after the other.
pub(super) struct Settings<'a> {
    pub entries: std::slice::Iter<'a, Entry>,
    pub current: Option<(&'a Entry, String)>,
    /// The names that a struct knows; a map of free names has none.
    pub fields: Option<&'static [&'static str]>,
    /// Whether this is an item of a list, whose `type` and `enabled` others have read.
    pub framed: bool,
    pub path: &'a str,
    pub reading: &'a Reading<'a>,
}

impl Settings<'_> {
    fn is_left_out(&self, entry: &Entry, path: &str) -> bool {
        if self.reading.set_aside.contains(path) {
            return true;
        }
        let Some(fields) = self.fields else {
            return false;
        };
        if fields.contains(&entry.key.as_str()) {
            // `key:` with nothing behind it leaves the default.
            return entry.value.is_null();
        }
        self.framed && FRAME_KEYS.contains(&entry.key.as_str())
    }
}

impl<'de> MapAccess<'de> for Settings<'_> {
    type Error = Fault;

    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Fault> {
        while let Some(entry) = self.entries.next() {
            let path = join(self.path, &entry.key);
            if self.is_left_out(entry, &path) {
                continue;
            }
            let key = StrDeserializer::<Fault>::new(&entry.key);
            let seen = seed.deserialize(key).map_err(|fault| fault.at(self.path, entry.key_place, &path))?;
            self.current = Some((entry, path));
            return Ok(Some(seen));
        }
        Ok(None)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Fault> {
        match self.current.take() {
            Some((entry, path)) => read_value(&entry.value, path, self.reading, seed),
            None => Err(Fault::message("a value was asked for before its name")),
        }
    }
}

/// Reads one value, and tells a fault without a place where it happened.
fn read_value<'de, S: DeserializeSeed<'de>>(
    node: &Node,
    path: String,
    reading: &Reading<'_>,
    seed: S,
) -> Result<S::Value, Fault> {
    let reader = Reader { node, path: path.clone(), reading };
    seed.deserialize(reader).map_err(|fault| {
        let fault = match &node.value {
            // A type's own message may quote the text.
            Value::Scalar(scalar) if is_secret_path(&path) => fault.without(&scalar.text, REDACTED),
            _ => fault,
        };
        fault.at(&path, node.place, &path)
    })
}

/// One word of a choice, with what belongs to it.
pub(super) struct Choice<'a> {
    pub variant: &'static str,
    pub content: Option<Reader<'a>>,
}

impl<'de, 'a> EnumAccess<'de> for Choice<'a> {
    type Error = Fault;
    type Variant = Content<'a>;

    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, Content<'a>), Fault> {
        let word = seed.deserialize(StrDeserializer::<Fault>::new(self.variant))?;
        Ok((word, Content { variant: self.variant, reader: self.content }))
    }
}

/// What belongs to a word of a choice.
pub(super) struct Content<'a> {
    variant: &'static str,
    reader: Option<Reader<'a>>,
}

impl<'a> Content<'a> {
    fn reader(self) -> Result<Reader<'a>, Fault> {
        let variant = self.variant;
        self.reader.ok_or_else(|| Fault::message(format!("`{variant}` needs settings of its own")))
    }
}

impl<'de> VariantAccess<'de> for Content<'_> {
    type Error = Fault;

    fn unit_variant(self) -> Result<(), Fault> {
        match self.reader {
            Some(reader) if !reader.node.is_null() => Err(reader.fault(format!("`{}` has no settings", self.variant))),
            _ => Ok(()),
        }
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, Fault> {
        let reader = self.reader()?;
        read_value(reader.node, reader.path.clone(), reader.reading, seed)
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Fault> {
        self.reader()?.read_items(visitor)
    }

    fn struct_variant<V: Visitor<'de>>(self, fields: &'static [&'static str], visitor: V) -> Result<V::Value, Fault> {
        let reader = self.reader()?;
        let (path, place) = (reader.path.clone(), reader.node.place);
        reader.read_settings(Some(fields), visitor).map_err(|fault| fault.at(&path, place, &path))
    }
}
