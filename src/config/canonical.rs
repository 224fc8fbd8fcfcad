//! The settings in effect as YAML, for `trailship export config`.
//!
//! Holds what every section made of the configuration, defaults included, in one spelling: nested,
//! sorted, durations and sizes in their largest units. Secrets are masked by name and by text; all
//! else reads back to the same settings (`$` is escaped for that).

use serde_json::{Map, Value};

use super::redact::{is_secret_key, is_secret_text};
use super::types::{REDACTED, without_credentials};

/// Puts a value at a path, over what is there.
pub(super) fn put(root: &mut Value, path: &str, value: Value) {
    let mut place = root;
    for part in path.split('.') {
        let mut pieces = part.split('[');
        let key = pieces.next().unwrap_or_default();
        if !place.is_object() {
            *place = Value::Object(Map::new());
        }
        let Value::Object(map) = place else {
            return;
        };
        place = map.entry(key).or_insert(Value::Null);
        for index in pieces {
            let Some(index) = index.strip_suffix(']').and_then(|i| i.parse::<usize>().ok()) else {
                return;
            };
            if !place.is_array() {
                *place = Value::Array(Vec::new());
            }
            let Value::Array(items) = place else {
                return;
            };
            // Items before it that are not in effect leave no trace: nulls are not written.
            if index >= items.len() {
                items.resize(index + 1, Value::Null);
            }
            let Some(item) = items.get_mut(index) else {
                return;
            };
            place = item;
        }
    }
    *place = value;
}

/// Writes settings as YAML with every secret masked.
pub(super) fn write(root: &Value) -> String {
    let mut text = String::new();
    match masked(root, false) {
        Some(Value::Object(map)) if !map.is_empty() => write_map(&map, 0, &mut text),
        _ => text.push_str("{}\n"),
    }
    text
}

/// The value with secrets masked; nothing for what is not set.
fn masked(value: &Value, secret: bool) -> Option<Value> {
    Some(match value {
        Value::Null => return None,
        Value::String(text) if text.trim().is_empty() => value.clone(),
        Value::String(text) if secret || is_secret_text(text) => REDACTED.into(),
        Value::String(text) => without_credentials(text).into(),
        Value::Bool(_) | Value::Number(_) if secret => REDACTED.into(),
        Value::Bool(_) | Value::Number(_) => value.clone(),
        Value::Array(items) => {
            let items = items.iter().filter_map(|item| masked(item, secret));
            Value::Array(items.collect())
        }
        Value::Object(map) => {
            let entries = map.iter().filter_map(|(key, value)| {
                let value = masked(value, secret || is_secret_key(key))?;
                Some((key.clone(), value))
            });
            Value::Object(entries.collect())
        }
    })
}

fn write_map(map: &Map<String, Value>, indent: usize, text: &mut String) {
    for (index, (key, value)) in map.iter().enumerate() {
        // The first setting of an item stands behind its dash.
        if index > 0 || !text.ends_with("- ") {
            push_indent(indent, text);
        }
        text.push_str(&word(key));
        text.push(':');
        write_value(value, indent, text);
    }
}

fn write_value(value: &Value, indent: usize, text: &mut String) {
    match value {
        Value::Object(map) if !map.is_empty() => {
            text.push('\n');
            write_map(map, indent + 1, text);
        }
        Value::Array(items) if !items.is_empty() => {
            text.push('\n');
            write_items(items, indent + 1, text);
        }
        _ => {
            text.push(' ');
            text.push_str(&leaf(value));
            text.push('\n');
        }
    }
}

fn write_items(items: &[Value], indent: usize, text: &mut String) {
    for item in items {
        push_indent(indent, text);
        text.push_str("- ");
        match item {
            Value::Object(map) if !map.is_empty() => write_map(map, indent + 1, text),
            // A list in a list is rare enough to stand on one line.
            _ => {
                text.push_str(&leaf(item));
                text.push('\n');
            }
        }
    }
}

fn push_indent(indent: usize, text: &mut String) {
    for _ in 0..indent {
        text.push_str("  ");
    }
}

/// A value on one line; what is not plain is JSON, which is YAML.
fn leaf(value: &Value) -> String {
    match value {
        Value::String(text) => word(&escaped(text)),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(leaf).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Object(map) => {
            let entries: Vec<String> =
                map.iter().map(|(key, value)| format!("{}: {}", quoted(key), leaf(value))).collect();
            format!("{{{}}}", entries.join(", "))
        }
        _ => value.to_string(),
    }
}

/// Keeps the signs that expansion would take for its own.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    let mut signs = text.chars().peekable();
    while let Some(sign) = signs.next() {
        escaped.push(sign);
        if sign == '$' && signs.peek().is_some_and(|next| matches!(next, '{' | '$' | '}')) {
            escaped.push('$');
        }
    }
    escaped
}

/// A text without quotes where no reader can mistake it, else with them.
fn word(text: &str) -> String {
    let starts_well = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/');
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '/');
    let lower = text.to_ascii_lowercase();
    let has_meaning = matches!(lower.as_str(), "true" | "false" | "yes" | "no" | "on" | "off" | "y" | "n" | "null");
    if starts_well && text.chars().all(plain) && !has_meaning { text.to_owned() } else { quoted(text) }
}

/// A text in double quotes: as JSON, and with those signs escaped that YAML does not print.
fn quoted(text: &str) -> String {
    let json = Value::from(text).to_string();
    let mut quoted = String::with_capacity(json.len());
    for sign in json.chars() {
        match sign {
            '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}' | '\u{feff}' => {
                quoted.push_str(&format!("\\u{:04x}", u32::from(sign)));
            }
            _ => quoted.push(sign),
        }
    }
    quoted
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::expand::expand;
    use super::super::tree::{self, Node};
    use super::super::yaml;
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn puts_values_at_their_paths() {
        let mut root = Value::Null;
        put(&mut root, "output.file", json!({"path": "/x"}));
        put(&mut root, "trailship.inputs", json!([]));
        put(&mut root, "trailship.inputs[0]", json!({"type": "aws-s3"}));
        put(&mut root, "trailship.inputs[2]", json!({"type": "file"}));
        put(&mut root, "output.file.name", json!("y"));
        assert_eq!(
            root,
            json!({
                "output": {"file": {"path": "/x", "name": "y"}},
                "trailship": {"inputs": [{"type": "aws-s3"}, null, {"type": "file"}]},
            })
        );
    }

    #[test]
    fn writes_yaml_without_secrets() {
        let root = json!({
            "output": {"elasticsearch": {
                "hosts": ["https://u:p@es:9200"],
                "password": "hunter2",
                "api_key": "",
                "headers": {"Authorization": "Basic x", "X-Team": "blue"},
                "parameters": {},
                "timeout": "1m30s",
                "worker": 2,
                "username": null,
                "ssl": {"key": "-----BEGIN PRIVATE KEY-----\nAAA", "enabled": true},
            }},
            "trailship": {"inputs": [{"type": "aws-s3", "cloudtrail_regex": "^a${b}$", "tags": []}]},
        });
        assert_eq!(
            write(&root),
            r#"output:
  elasticsearch:
    api_key: ""
    headers:
      Authorization: "[redacted]"
      X-Team: blue
    hosts:
      - "https://[redacted]@es:9200"
    parameters: {}
    password: "[redacted]"
    ssl:
      enabled: true
      key: "[redacted]"
    timeout: "1m30s"
    worker: 2
trailship:
  inputs:
    - cloudtrail_regex: "^a$${b}$"
      tags: []
      type: aws-s3
"#
        );
        assert_eq!(write(&Value::Null), "{}\n");
    }

    fn json_of(node: &Node) -> Value {
        match &node.value {
            tree::Value::Scalar(scalar) if scalar.plain => match scalar.text.as_str() {
                "true" => true.into(),
                "false" => false.into(),
                text => text.parse::<i64>().map_or_else(|_| text.into(), Value::from),
            },
            tree::Value::Scalar(scalar) => scalar.text.as_str().into(),
            tree::Value::List(items) => items.iter().map(json_of).collect(),
            tree::Value::Map(map) => {
                let entries = map.entries.iter();
                let pairs = entries.map(|entry| (entry.key.clone(), json_of(&entry.value)));
                Value::Object(pairs.collect())
            }
        }
    }

    fn values() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            r#"[a-z0-9 ${}:'"\n\\#,/é\u{7f}\u{2028}-]{0,12}"#.prop_map(Value::from),
            prop::sample::select(vec!["yes", "null", "~", "1m", "", "- a", "*x", "true"]).prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map("[a-z ]{1,6}|yes|1", inner, 0..4)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(value in values()) {
            let root = json!({"k": value});
            let text = write(&root);
            let mut document = yaml::parse(0, &text);
            prop_assert_eq!(document.problems, []);
            let notes = expand(&mut document.root, &|_| None);
            prop_assert!(notes.errors.is_empty() && notes.warnings.is_empty());
            prop_assert_eq!(json_of(&document.root), root, "{}", text);
        }
    }
}
