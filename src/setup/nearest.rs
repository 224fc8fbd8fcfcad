//! What takes the place of what a server lacks: of types the nearest type, of mode `logsdb` the standard one, of settings
//! and template keys nothing.
//!
//! What a product is known to lack is in [`known`]; the rest is read from the server's own [`refusal`](super::refusal).

use super::engine::Product;
use super::mappings::KEYWORD_LIMIT;
use super::template::{IGNORE_MISSING, STREAM_OPTIONS, Templates, logsdb};
use serde_json::{Map, Value, json};

/// One thing done to the templates because the server lacks something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A type it does not have.
    Type(String),
    /// `constant_keyword` that takes its value from the first document: this server wants it in the mapping.
    OpenConstant,
    /// An index setting it does not know.
    Setting(String),
    /// A key of index templates it does not know.
    Key(String),
    /// The same for what a template says of the data stream.
    StreamKey(String),
    /// Mode `logsdb`, or that it keeps `_source` as it was sent.
    LogsMode,
}

/// Each type with the nearest one that more servers have. The last resort keeps an object without indexing it.
const NEAREST: &[(&str, &str)] = &[
    ("constant_keyword", "keyword"),
    ("wildcard", "keyword"),
    ("match_only_text", "text"),
    ("flattened", "flat_object"),
    ("flat_object", "object"),
];

/// Settings that older servers and other products lack, and that may be left out.
pub(super) const SETTINGS: &[&str] = &["index.mode", "index.mapping.total_fields.ignore_dynamic_beyond_limit"];

/// The same for keys of index templates.
pub(super) const KEYS: &[&str] = &["allow_auto_create", IGNORE_MISSING];

/// The same for what a template says of the data stream, with its name for people.
pub(super) const STREAM_KEYS: &[(&str, &str)] =
    &[("lifecycle", "data stream lifecycle"), (STREAM_OPTIONS, "failure store")];

/// What every version of a product lacks.
pub fn known(product: Product) -> Vec<Change> {
    match product {
        Product::Elasticsearch => Vec::new(),
        Product::OpenSearch => {
            let mut changes = vec![Change::Type("flattened".to_owned()), Change::OpenConstant, Change::LogsMode];
            changes.push(Change::StreamKey(STREAM_OPTIONS.to_owned()));
            changes.extend(SETTINGS.iter().map(|name| Change::Setting((*name).to_owned())));
            changes.extend(KEYS.iter().map(|name| Change::Key((*name).to_owned())));
            changes
        }
    }
}

impl Change {
    /// Does it, and gives the dotted names of the fields it concerns, if any. `None` when there is nothing to change.
    pub fn apply(&self, templates: &mut Templates) -> Option<Vec<String>> {
        match self {
            Change::Setting(name) => templates.settings.remove(name).map(|_| Vec::new()),
            Change::Key(name) => templates.keys.remove(name).map(|_| Vec::new()),
            Change::StreamKey(name) => templates.stream.remove(name).map(|_| Vec::new()),
            Change::LogsMode => leave_logsdb(&mut templates.settings).then(Vec::new),
            Change::Type(_) | Change::OpenConstant => {
                let mut fields = Vec::new();
                self.replace_in(&mut templates.mappings, "", &mut fields);
                self.replace_in_rules(&mut templates.mappings, &mut fields);
                (!fields.is_empty()).then_some(fields)
            }
        }
    }

    /// Replaces the type in the properties and sub-fields of an object or field.
    fn replace_in(&self, parent: &mut Value, path: &str, fields: &mut Vec<String>) {
        for children in ["properties", "fields"] {
            let Some(Value::Object(children)) = parent.get_mut(children) else {
                continue;
            };
            for (name, child) in children {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                self.replace(child, &path, fields);
                self.replace_in(child, &path, fields);
            }
        }
    }

    /// Replaces the type in the rules for undeclared fields.
    fn replace_in_rules(&self, mappings: &mut Value, fields: &mut Vec<String>) {
        let Some(Value::Array(rules)) = mappings.get_mut("dynamic_templates") else {
            return;
        };
        for (name, rule) in rules.iter_mut().filter_map(Value::as_object_mut).flatten() {
            if let Some(mapping) = rule.get_mut("mapping") {
                self.replace(mapping, &format!("dynamic_templates.{name}"), fields);
            }
        }
    }

    fn replace(&self, mapping: &mut Value, path: &str, fields: &mut Vec<String>) {
        let Value::Object(mapping) = mapping else {
            return;
        };
        let declared = mapping.get("type").and_then(Value::as_str);
        let concerned = match self {
            Change::Type(name) => declared == Some(name.as_str()),
            Change::OpenConstant => declared == Some(CONSTANT) && !mapping.contains_key("value"),
            Change::Setting(_) | Change::Key(_) | Change::StreamKey(_) | Change::LogsMode => false,
        };
        if let Some(to) = declared.filter(|_| concerned).and_then(nearest) {
            retype(mapping, to);
            fields.push(path.to_owned());
        }
    }

    /// What it is about, as a step of the report names it.
    pub fn what(&self) -> String {
        match self {
            Change::Type(name) => format!("type `{name}`"),
            Change::OpenConstant => format!("type `{CONSTANT}` without a value"),
            Change::Setting(name) => format!("setting `{name}`"),
            Change::Key(name) => format!("template key `{name}`"),
            Change::StreamKey(name) => {
                STREAM_KEYS.iter().find(|(key, _)| key == name).map_or(name.as_str(), |(_, words)| words).to_owned()
            }
            Change::LogsMode => "index mode `logsdb`".to_owned(),
        }
    }

    /// What was done about it, for the report.
    pub fn describe(&self, fields: &[String]) -> String {
        let (lacking, why) = match self {
            Change::Type(name) => (name.as_str(), "this server does not have it"),
            Change::OpenConstant => (CONSTANT, "this server wants the value in the mapping"),
            Change::Setting(_) | Change::Key(_) | Change::StreamKey(_) => {
                return "this server does not know it: left out".to_owned();
            }
            Change::LogsMode => {
                return "this server does not have it, or not with `_source` as it was sent: `standard` instead"
                    .to_owned();
            }
        };
        let to = nearest(lacking).unwrap_or_default();
        let mut named = fields.iter().take(NAMED).map(String::as_str).collect::<Vec<_>>().join(", ");
        if fields.len() > NAMED {
            named.push_str(&format!(" and {} more", fields.len() - NAMED));
        }
        format!("{why}: `{to}` instead, for {named}")
    }
}

/// Fields that a sentence names; a report has all.
const NAMED: usize = 3;

const CONSTANT: &str = "constant_keyword";

pub(super) fn nearest(lacking: &str) -> Option<&'static str> {
    NEAREST.iter().find(|(name, _)| *name == lacking).map(|(_, to)| *to)
}

/// Takes mode `logsdb` and what belongs to it out of the settings; what the user set otherwise stays.
fn leave_logsdb(settings: &mut Map<String, Value>) -> bool {
    let is_ours = |name: &str, ours: &Value| settings.get(name) == Some(ours);
    let [mode, .., source] = logsdb();
    if !is_ours(mode.0, &mode.1) && !is_ours(source.0, &source.1) {
        return false;
    }
    for (name, ours) in logsdb() {
        if settings.get(name) == Some(&ours) {
            settings.remove(name);
            if name == mode.0 {
                settings.insert(name.to_owned(), json!("standard"));
            }
        }
    }
    true
}

/// Gives a field another type, with the parameters that type has.
fn retype(mapping: &mut Map<String, Value>, to: &str) {
    for parameter in ["value", "ignore_above", "depth_limit", "doc_values"] {
        mapping.remove(parameter);
    }
    mapping.insert("type".to_owned(), json!(to));
    match to {
        "keyword" => mapping.insert("ignore_above".to_owned(), json!(KEYWORD_LIMIT)),
        "object" => mapping.insert("enabled".to_owned(), json!(false)),
        _ => None,
    };
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::setup::config::SetupConfig;
    use crate::setup::datasets;
    use crate::setup::lifecycle::Lifecycle;

    fn templates(config: Value) -> Templates {
        let config: SetupConfig = serde_json::from_value(config).unwrap();
        let [records, ..] = datasets::ALL;
        Templates::new(&config, records, &Lifecycle::Dsl(json!({})))
    }

    #[test]
    fn types_are_replaced_wherever_they_are_declared() {
        let mut templates = templates(json!({}));
        templates.mappings = json!({
            "dynamic_templates": [{"messages": {"match_mapping_type": "string", "mapping": {"type": "match_only_text"}}}],
            "properties": {
                "error": {"properties": {"message": {"type": "match_only_text"}}},
                "user": {"properties": {"name": {"type": "keyword", "fields": {"text": {"type": "match_only_text"}}}}},
                "event": {"properties": {"type": {"type": "keyword"}, "module": {"type": "constant_keyword", "value": "aws"}}},
                "payload": {"type": "flattened", "ignore_above": 8191, "depth_limit": 20},
                "data_stream": {"properties": {"namespace": {"type": "constant_keyword"}}},
            },
        });
        let mut apply = |change: Change| change.apply(&mut templates);
        let texts = apply(Change::Type("match_only_text".into())).unwrap();
        assert_eq!(texts, ["error.message", "user.name.text", "dynamic_templates.messages"]);
        assert_eq!(apply(Change::Type("match_only_text".into())), None);
        assert_eq!(apply(Change::OpenConstant).unwrap(), ["data_stream.namespace"]);
        assert_eq!(apply(Change::Type("constant_keyword".into())).unwrap(), ["event.module"]);
        assert_eq!(apply(Change::Type("flattened".into())).unwrap(), ["payload"]);
        assert_eq!(templates.mappings["properties"]["payload"], json!({"type": "flat_object"}));
        Change::Type("flat_object".into()).apply(&mut templates).unwrap();
        assert_eq!(
            templates.mappings,
            json!({
                "dynamic_templates": [{"messages": {"match_mapping_type": "string", "mapping": {"type": "text"}}}],
                "properties": {
                    "error": {"properties": {"message": {"type": "text"}}},
                    "user": {"properties": {"name": {"type": "keyword", "fields": {"text": {"type": "text"}}}}},
                    "event": {"properties": {"type": {"type": "keyword"}, "module": {"type": "keyword", "ignore_above": 1024}}},
                    "payload": {"type": "object", "enabled": false},
                    "data_stream": {"properties": {"namespace": {"type": "keyword", "ignore_above": 1024}}},
                },
            })
        );
    }

    #[test]
    fn settings_and_keys_are_left_out_once() {
        let mut templates = templates(json!({"template": {"index_mode": "logsdb"}}));
        for change in known(Product::OpenSearch) {
            assert!(change.apply(&mut templates).is_some(), "{change:?}");
            assert_eq!(change.apply(&mut templates), None);
        }
        assert!(!templates.settings.contains_key("index.mode"));
        assert!(!templates.settings.keys().any(|name| name.starts_with("index.sort") || name.contains("source")));
        assert!(!templates.keys.contains_key("allow_auto_create"));
        assert!(!templates.stream.contains_key("data_stream_options"));
        assert!(!templates.mappings.to_string().contains("flattened\",\"ignore_above"));
    }

    #[test]
    fn without_logsdb_the_index_is_a_standard_one() {
        let standard = templates(json!({})).settings;
        for first in [Change::LogsMode, Change::Setting("index.mode".to_owned())] {
            let mut templates = templates(json!({"template": {"index_mode": "logsdb"}}));
            assert!(first.apply(&mut templates).is_some());
            Change::LogsMode.apply(&mut templates);
            assert_eq!(Change::LogsMode.apply(&mut templates), None);
            let mut left = standard.clone();
            if first != Change::LogsMode {
                left.remove("index.mode");
            }
            assert_eq!(templates.settings, left);
        }
        let own = json!({"template": {"index_mode": "logsdb", "settings": {"index": {"sort": {"field": "event.id"}}}}});
        let mut templates = templates(own);
        assert!(Change::LogsMode.apply(&mut templates).is_some());
        assert_eq!(templates.settings["index.sort.field"], json!("event.id"));
    }

    #[test]
    fn a_field_that_is_only_searched_loses_that_with_its_type() {
        let mut templates = templates(json!({"template": {"storage": "lean"}}));
        Change::Type("flattened".to_owned()).apply(&mut templates).unwrap();
        let fields = &templates.mappings["properties"]["aws"]["properties"]["cloudtrail"]["properties"]["flattened"];
        assert_eq!(fields["properties"]["request_parameters"], json!({"type": "flat_object"}));
    }

    #[test]
    fn every_replacement_ends() {
        for (name, _) in NEAREST {
            let chain = std::iter::successors(Some(*name), |name| nearest(name)).take(NEAREST.len() + 1);
            assert!(chain.count() <= NEAREST.len(), "{name}");
        }
    }
}
