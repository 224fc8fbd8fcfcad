//! From the tree of settings to the structs of those who use them, by serde.
//!
//! A struct of settings derives `Deserialize` with `deny_unknown_fields` and `default`; this file
//! gives it the values under a path and collects *all* that is wrong, each with place and path:
//! a setting with a fault is set aside and the struct is read again without it, until the rest
//! is right. An absent or empty setting (`key:`) leaves its default. A single value serves where a
//! list is wanted, quoted numbers serve as numbers; text is always the text as it was written.
//! Messages speak of settings, never of Rust types. Leaves out what unknown names mean in Beats.

mod access;
mod fault;
mod scalar;

use std::collections::HashSet;

use serde::de::{DeserializeOwned, Deserializer, Visitor};

use super::error::MAX_FINDINGS;
use super::redact::is_secret_path;
use super::source::shown;
use super::tree::{Map, Node, Value, join};
use super::types::SECRET_NAME;

use access::{Choice, Items, Settings};
use fault::Fault;
pub(super) use fault::{Kind, Located};

/// A section that is to be read.
pub(super) struct Section<'a> {
    pub node: &'a Node,
    pub path: &'a str,
    /// Paths below that others have read.
    pub claimed: &'a HashSet<String>,
    /// Whether `type` and `enabled` may be there without being fields of the struct.
    pub framed: bool,
}

/// Reads a section; gives nothing where it cannot be read at all, and all faults.
pub(super) fn read<T: DeserializeOwned>(section: &Section<'_>) -> (Option<T>, Vec<Located>) {
    let mut reading = Reading { set_aside: section.claimed.clone(), framed: section.framed.then_some(section.path) };
    let mut faults: Vec<Located> = Vec::new();
    loop {
        let reader = Reader { node: section.node, path: section.path.to_owned(), reading: &reading };
        let fault = match T::deserialize(reader) {
            Ok(value) => return (Some(value), faults),
            Err(fault) => fault.locate(section.path, section.node.place, section.path),
        };
        let of_section = fault.culprit == section.path;
        let progress = reading.set_aside.insert(fault.culprit.clone());
        if !is_consequence(&fault, &reading.set_aside) {
            faults.push(fault);
        }
        if of_section || !progress || faults.len() >= MAX_FINDINGS {
            return (None, faults);
        }
    }
}

/// Whether a required setting is missing only because it was set aside for its own fault.
fn is_consequence(fault: &Located, set_aside: &HashSet<String>) -> bool {
    matches!(&fault.kind, Kind::Missing { name } if set_aside.contains(&join(&fault.path, name)))
}

struct Reading<'a> {
    set_aside: HashSet<String>,
    framed: Option<&'a str>,
}

/// One value with its path.
struct Reader<'a> {
    node: &'a Node,
    path: String,
    reading: &'a Reading<'a>,
}

impl<'a> Reader<'a> {
    fn fault(&self, message: impl Into<String>) -> Fault {
        Fault::message(message).at(&self.path, self.node.place, &self.path)
    }

    fn wrong_kind(&self, wanted: &str) -> Fault {
        self.fault(format!("must be {wanted}, not {}", self.node.kind()))
    }

    /// A text as a message may quote it.
    fn quote(&self, text: &str) -> String {
        if text.trim().is_empty() {
            "a blank value".to_owned()
        } else if is_secret_path(&self.path) {
            "the value".to_owned()
        } else {
            format!("`{}`", shown(text))
        }
    }

    fn scalar(&self, wanted: &str) -> Result<&'a str, Fault> {
        match &self.node.value {
            Value::Scalar(scalar) => Ok(&scalar.text),
            _ => Err(self.wrong_kind(wanted)),
        }
    }

    /// Text where text is wanted: `null` without quotes is none.
    fn text(&self) -> Result<&'a str, Fault> {
        let text = self.scalar("text")?;
        if self.node.is_null() && !text.is_empty() {
            return Err(self.fault(format!("must be text, not `{text}`")).hint("quote it if the word itself is meant"));
        }
        Ok(text)
    }

    fn whole_number(&self, least: i128, most: i128) -> Result<i128, Fault> {
        let text = self.scalar("a whole number")?;
        let Some(number) = scalar::whole_number(text) else {
            return Err(self.fault(format!("{} is not a whole number", self.quote(text))));
        };
        if number < least {
            let message = format!("{} is too small: the least is {least}", self.quote(text));
            return Err(self.fault(message));
        }
        if number > most {
            let message = format!("{} is too large: the most is {most}", self.quote(text));
            return Err(self.fault(message));
        }
        Ok(number)
    }

    fn number(&self) -> Result<f64, Fault> {
        let text = self.scalar("a number")?;
        scalar::number(text).ok_or_else(|| self.fault(format!("{} is not a number", self.quote(text))))
    }

    fn boolean(&self) -> Result<bool, Fault> {
        let text = self.scalar("`true` or `false`")?;
        scalar::boolean(text).ok_or_else(|| self.fault(format!("{} is neither `true` nor `false`", self.quote(text))))
    }

    /// The text of the environment or the command line that may stand for a list or a map.
    fn loose_text(&self) -> Option<&'a str> {
        match &self.node.value {
            Value::Scalar(scalar) if scalar.loose => Some(scalar.text.trim()),
            _ => None,
        }
    }

    fn read_items<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        let split;
        let (nodes, numbered): (&[Node], bool) = match &self.node.value {
            Value::List(items) => (items, true),
            Value::Scalar(scalar) if scalar.is_null() => (&[], true),
            _ => match self.loose_text() {
                Some(text) => {
                    split = scalar::items(text, self.node.place)
                        .map_err(|why| self.fault(format!("{} is not a list: {why}", self.quote(text))))?;
                    let numbered = split.len() != 1;
                    (&split, numbered)
                }
                None => (std::slice::from_ref(self.node), false),
            },
        };
        visitor.visit_seq(Items { nodes, next: 0, numbered, path: &self.path, reading: self.reading })
    }

    fn read_settings<'de, V: Visitor<'de>>(
        self,
        fields: Option<&'static [&'static str]>,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        let parsed;
        let none = Map::default();
        let map = match &self.node.value {
            Value::Map(map) => map,
            Value::Scalar(scalar) if scalar.is_null() => &none,
            _ => match self.loose_text().filter(|text| text.starts_with('{')) {
                Some(text) => {
                    parsed = scalar::settings(text, self.node.place)
                        .map_err(|why| self.fault(format!("{} is not a map: {why}", self.quote(text))))?;
                    &parsed
                }
                None => return Err(self.wrong_kind("a map of settings")),
            },
        };
        let framed = self.reading.framed == Some(self.path.as_str());
        let mut settings = Settings {
            entries: map.entries.iter(),
            current: None,
            fields,
            framed,
            path: &self.path,
            reading: self.reading,
        };
        visitor.visit_map(&mut settings).map_err(|fault| match &settings.current {
            // A name was read but not its value: it is the name that does not fit.
            Some((entry, path)) => fault.at(&self.path, entry.key_place, path),
            None => fault,
        })
    }
}

macro_rules! whole_numbers {
    ($($method:ident $visit:ident $kind:ty;)*) => {
        $(
            fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
                let least = i128::try_from(<$kind>::MIN).unwrap_or(i128::MIN);
                let most = i128::try_from(<$kind>::MAX).unwrap_or(i128::MAX);
                let number = self.whole_number(least, most)?;
                match <$kind>::try_from(number) {
                    Ok(number) => visitor.$visit(number),
                    Err(_) => Err(self.fault(format!("`{number}` is too large"))),
                }
            }
        )*
    };
}

impl<'de> Deserializer<'de> for Reader<'_> {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        let scalar = match &self.node.value {
            Value::List(_) => return self.read_items(visitor),
            Value::Map(_) => return self.read_settings(None, visitor),
            Value::Scalar(scalar) => scalar,
        };
        if scalar.is_null() {
            return visitor.visit_unit();
        }
        if !scalar.plain {
            return visitor.visit_str(&scalar.text);
        }
        if let "true" | "True" | "TRUE" | "false" | "False" | "FALSE" = scalar.text.as_str() {
            return visitor.visit_bool(scalar.text.eq_ignore_ascii_case("true"));
        }
        match scalar::whole_number(&scalar.text) {
            Some(number) => match (u64::try_from(number), i64::try_from(number)) {
                (Ok(number), _) => visitor.visit_u64(number),
                (_, Ok(number)) => visitor.visit_i64(number),
                _ => visitor.visit_str(&scalar.text),
            },
            None => match scalar::number(&scalar.text) {
                Some(number) => visitor.visit_f64(number),
                None => visitor.visit_str(&scalar.text),
            },
        }
    }

    whole_numbers! {
        deserialize_i8 visit_i8 i8;
        deserialize_i16 visit_i16 i16;
        deserialize_i32 visit_i32 i32;
        deserialize_i64 visit_i64 i64;
        deserialize_i128 visit_i128 i128;
        deserialize_u8 visit_u8 u8;
        deserialize_u16 visit_u16 u16;
        deserialize_u32 visit_u32 u32;
        deserialize_u64 visit_u64 u64;
        deserialize_u128 visit_u128 u128;
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_bool(self.boolean()?)
    }

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_f64(self.number()?)
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_f64(self.number()?)
    }

    fn deserialize_char<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        let text = self.text()?;
        let mut chars = text.chars();
        match (chars.next(), chars.next()) {
            (Some(c), None) => visitor.visit_char(c),
            _ => Err(self.fault(format!("{} is not a single character", self.quote(text)))),
        }
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_str(self.text()?)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_str(self.text()?)
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_bytes(self.text()?.as_bytes())
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_bytes(self.text()?.as_bytes())
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        if self.node.is_null() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        if self.node.is_null() { visitor.visit_unit() } else { Err(self.wrong_kind("empty")) }
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(self, _name: &'static str, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_unit(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, name: &'static str, visitor: V) -> Result<V::Value, Fault> {
        let secret = name == SECRET_NAME;
        visitor.visit_newtype_struct(self).map_err(|fault| if secret { fault.unquotable() } else { fault })
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.read_items(visitor)
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _length: usize, visitor: V) -> Result<V::Value, Fault> {
        self.read_items(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _length: usize,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        self.read_items(visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.read_settings(None, visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        self.read_settings(Some(fields), visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        let (word, place, content) = match &self.node.value {
            Value::Scalar(scalar) => (scalar.text.trim(), self.node.place, None),
            Value::Map(map) if map.entries.len() == 1 => {
                let Some(entry) = map.entries.first() else {
                    return Err(self.wrong_kind("one word"));
                };
                (entry.key.as_str(), entry.key_place, Some(entry))
            }
            _ => return Err(self.wrong_kind("one word")),
        };
        let same = |variant: &&&str| variant.eq_ignore_ascii_case(word);
        let Some(variant) = variants.iter().find(same) else {
            return Err(Fault::choice(&self.quote(word), word, variants).at(&self.path, place, &self.path));
        };
        let content = content.map(|entry| Reader {
            node: &entry.value,
            path: join(&self.path, &entry.key),
            reading: self.reading,
        });
        visitor.visit_enum(Choice { variant, content })
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_str(self.text()?)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_unit()
    }
}
