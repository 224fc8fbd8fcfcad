//! Settings of free form: where not the program but its user chooses the names.
//!
//! [`Config::written`](super::Config::written) hands such a part out as it was written; its owner reads it and reports
//! what is wrong by [`Config::reject`](super::Config::reject) with the path. Scalars stay text, so that an account's
//! number keeps its leading zeros; [`Written::to_json`] types them where a type is wanted.

use super::tree::{Node, Value, join};
use serde::{Serialize, Serializer};
use serde_json::Value as Json;

/// A value as it was written.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum Written {
    /// Absent, blank, `~` or `null`.
    #[default]
    Nothing,
    /// `plain`: without quotes, so that `5` and `true` are no text where any type will do.
    Scalar {
        text: String,
        plain: bool,
    },
    List(Vec<Written>),
    /// Settings by name, in the order of writing.
    Map(Vec<(String, Written)>),
}

impl Written {
    pub(super) fn of(node: &Node) -> Written {
        match &node.value {
            _ if node.is_null() => Written::Nothing,
            Value::Scalar(scalar) => Written::Scalar { text: scalar.text.clone(), plain: scalar.plain },
            Value::List(items) => Written::List(items.iter().map(Written::of).collect()),
            Value::Map(map) => {
                Written::Map(map.entries.iter().map(|entry| (entry.key.clone(), Written::of(&entry.value))).collect())
            }
        }
    }

    /// The kind of value as a message names it.
    pub fn kind(&self) -> &'static str {
        match self {
            Written::Nothing => "nothing",
            Written::Scalar { .. } => "a single value",
            Written::List(_) => "a list",
            Written::Map(_) => "a map of settings",
        }
    }

    /// The text of a single value.
    pub fn text(&self) -> Option<&str> {
        match self {
            Written::Scalar { text, .. } => Some(text),
            _ => None,
        }
    }

    /// The items of a list with their paths, when this stands at `path`; a single value serves as a list of one.
    pub fn items<'w>(&'w self, path: &str) -> Vec<(String, &'w Written)> {
        match self {
            Written::Nothing => Vec::new(),
            Written::List(items) => items.iter().enumerate().map(|(i, item)| (format!("{path}[{i}]"), item)).collect(),
            single => vec![(path.to_owned(), single)],
        }
    }

    /// The settings of a map with their paths, when this stands at `path`; nothing has none. `None` for other values.
    pub fn settings<'w>(&'w self, path: &str) -> Option<Vec<(&'w str, String, &'w Written)>> {
        match self {
            Written::Nothing => Some(Vec::new()),
            Written::Map(entries) => {
                Some(entries.iter().map(|(key, value)| (key.as_str(), join(path, key), value)).collect())
            }
            _ => None,
        }
    }

    /// The value as JSON. Without quotes, `true`, `false` and what JSON would write as a number have that type.
    pub fn to_json(&self) -> Json {
        match self {
            Written::Nothing => Json::Null,
            Written::Scalar { text, plain } => match text.as_str() {
                "true" if *plain => Json::Bool(true),
                "false" if *plain => Json::Bool(false),
                text => number(text).filter(|_| *plain).unwrap_or_else(|| Json::String(text.to_owned())),
            },
            Written::List(items) => Json::Array(items.iter().map(Written::to_json).collect()),
            Written::Map(entries) => {
                Json::Object(entries.iter().map(|(key, value)| (key.clone(), value.to_json())).collect())
            }
        }
    }
}

/// The number that `text` is in JSON, unless digits would be lost.
fn number(text: &str) -> Option<Json> {
    let number: serde_json::Number = serde_json::from_str(text).ok()?;
    let whole = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
    (!whole || number.is_i64() || number.is_u64()).then_some(Json::Number(number))
}

impl Serialize for Written {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.to_json().serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn plain(text: &str) -> Json {
        Written::Scalar { text: text.to_owned(), plain: true }.to_json()
    }

    #[test]
    fn plain_words_have_the_type_that_json_gives_them() {
        for (text, value) in [
            ("true", json!(true)),
            ("false", json!(false)),
            ("5", json!(5)),
            ("-1.5", json!(-1.5)),
            ("1e3", json!(1000.0)),
            ("012345678901", json!("012345678901")),
            ("123456789012345678901", json!("123456789012345678901")),
            ("0x10", json!("0x10")),
            ("yes", json!("yes")),
            ("", json!("")),
        ] {
            assert_eq!(plain(text), value, "{text}");
        }
        assert_eq!(Written::Scalar { text: "5".to_owned(), plain: false }.to_json(), json!("5"));
    }

    #[test]
    fn paths_count_items_but_not_a_single_one() {
        let item = Written::Scalar { text: "x".to_owned(), plain: true };
        assert_eq!(item.items("a.b"), [("a.b".to_owned(), &item)]);
        let list = Written::List(vec![item.clone(), item.clone()]);
        assert_eq!(list.items("a.b"), [("a.b[0]".to_owned(), &item), ("a.b[1]".to_owned(), &item)]);
        assert_eq!(Written::Nothing.items("a.b"), []);
        let map = Written::Map(vec![("k".to_owned(), item.clone())]);
        assert_eq!(map.settings("a"), Some(vec![("k", "a.k".to_owned(), &item)]));
        assert_eq!(item.settings("a"), None);
    }
}
