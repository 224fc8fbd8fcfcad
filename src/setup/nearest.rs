//! What a server lacks, and what takes its place: types by the nearest type, settings and template keys by nothing.
//!
//! What a product is known to lack is in [`known`]; the rest is read from the server's own refusal, which names the
//! type or setting. A refusal that names anything else is no lack and is not touched here.

use super::engine::Product;
use super::mappings::KEYWORD_LIMIT;
use super::template::{IGNORE_MISSING, Templates};
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
const SETTINGS: &[&str] = &["index.mode", "index.mapping.total_fields.ignore_dynamic_beyond_limit"];

/// The same for keys of index templates.
const KEYS: &[&str] = &["allow_auto_create", IGNORE_MISSING];

/// What every version of a product lacks.
pub fn known(product: Product) -> Vec<Change> {
    match product {
        Product::Elasticsearch => Vec::new(),
        Product::OpenSearch => {
            let mut changes = vec![Change::Type("flattened".to_owned()), Change::OpenConstant];
            changes.extend(SETTINGS.iter().map(|name| Change::Setting((*name).to_owned())));
            changes.extend(KEYS.iter().map(|name| Change::Key((*name).to_owned())));
            changes
        }
    }
}

/// What a server lacks by its answer to a refused template: all that the answer names, or nothing where it names what
/// cannot be done without.
pub fn read(refusal: &Value) -> Vec<Change> {
    let mut changes = Vec::new();
    let mut add = |change| {
        if !changes.contains(&change) {
            changes.push(change);
        }
    };
    for reason in reasons(refusal) {
        for before in ["o handler for type [", "The mapper type ["] {
            for name in bracketed(reason, before) {
                match nearest(name) {
                    Some(_) => add(Change::Type(name.to_owned())),
                    None => return Vec::new(),
                }
            }
        }
        if reason.contains("is missing required parameter [value]") {
            add(Change::OpenConstant);
        }
        for name in bracketed(reason, "unknown setting [") {
            match SETTINGS.contains(&name) {
                true => add(Change::Setting(name.to_owned())),
                false => return Vec::new(),
            }
        }
        for name in bracketed(reason, "[index_template] unknown field [") {
            match KEYS.contains(&name) {
                true => add(Change::Key(name.to_owned())),
                false => return Vec::new(),
            }
        }
    }
    changes
}

/// Every reason that an error answer gives, outermost first, each once.
pub fn reasons(answer: &Value) -> Vec<&str> {
    fn collect<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
        let reason = value.get("reason").or(value.get("error")).and_then(Value::as_str);
        if let Some(reason) = reason.filter(|reason| !found.contains(reason)) {
            found.push(reason);
        }
        let inner = ["error", "caused_by", "suppressed", "root_cause"];
        for value in inner.iter().filter_map(|name| value.get(name)) {
            match value {
                Value::Array(causes) => causes.iter().for_each(|cause| collect(cause, found)),
                cause => collect(cause, found),
            }
        }
    }
    let mut found = Vec::new();
    collect(answer, &mut found);
    found
}

impl Change {
    /// Does it, and gives the dotted names of the fields it concerns, if any. `None` when there is nothing to change.
    pub fn apply(&self, templates: &mut Templates) -> Option<Vec<String>> {
        match self {
            Change::Setting(name) => templates.settings.remove(name).map(|_| Vec::new()),
            Change::Key(name) => templates.keys.remove(name).map(|_| Vec::new()),
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
            Change::Setting(_) | Change::Key(_) => false,
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
        }
    }

    /// What was done about it, for the report.
    pub fn describe(&self, fields: &[String]) -> String {
        let (lacking, why) = match self {
            Change::Type(name) => (name.as_str(), "this server does not have it"),
            Change::OpenConstant => (CONSTANT, "this server wants the value in the mapping"),
            Change::Setting(_) | Change::Key(_) => {
                return "this server does not know it: left out".to_owned();
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

fn nearest(lacking: &str) -> Option<&'static str> {
    NEAREST.iter().find(|(name, _)| *name == lacking).map(|(_, to)| *to)
}

/// Gives a field another type, with the parameters that type has.
fn retype(mapping: &mut Map<String, Value>, to: &str) {
    for parameter in ["value", "ignore_above", "depth_limit"] {
        mapping.remove(parameter);
    }
    mapping.insert("type".to_owned(), json!(to));
    match to {
        "keyword" => mapping.insert("ignore_above".to_owned(), json!(KEYWORD_LIMIT)),
        "object" => mapping.insert("enabled".to_owned(), json!(false)),
        _ => None,
    };
}

/// Every text between `before` and the next `]`.
fn bracketed<'a>(text: &'a str, before: &str) -> Vec<&'a str> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some((_, after)) = rest.split_once(before) {
        let Some((name, after)) = after.split_once(']') else {
            break;
        };
        found.push(name);
        rest = after;
    }
    found
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::setup::config::TemplateConfig;

    fn lacks_type(name: &str) -> Vec<Change> {
        vec![Change::Type(name.to_owned())]
    }

    /// An answer as servers nest it.
    fn refusal(reason: &str) -> Value {
        json!({"status": 400, "error": {
            "root_cause": [{"type": "illegal_argument_exception", "reason": "composable template [x] template after composition is invalid"}],
            "type": "illegal_argument_exception",
            "reason": "composable template [x] template after composition is invalid",
            "caused_by": {"type": "illegal_argument_exception", "reason": "invalid composite mappings for [x]",
                "caused_by": {"type": "mapper_parsing_exception", "reason": reason}},
        }})
    }

    #[test]
    fn lacking_types_are_read_from_each_servers_words() {
        let opensearch =
            "Failed to parse mapping [_doc]: No handler for type [flattened] declared on field [request_parameters]";
        assert_eq!(read(&refusal(opensearch)), lacks_type("flattened"));
        let elasticsearch = "Failed to parse mapping: The mapper type [constant_keyword] declared on field [x] does not exist. It might have been created within a future version or requires a plugin to be installed. Check the documentation.";
        assert_eq!(read(&refusal(elasticsearch)), lacks_type("constant_keyword"));
        let valueless = "Failed to parse mapping [_doc]: Field [namespace] is missing required parameter [value]";
        assert_eq!(read(&refusal(valueless)), [Change::OpenConstant]);
    }

    #[test]
    fn lacking_settings_and_keys_are_read_from_each_servers_words() {
        let both = vec![
            Change::Setting("index.mapping.total_fields.ignore_dynamic_beyond_limit".to_owned()),
            Change::Setting("index.mode".to_owned()),
        ];
        let opensearch2 = refusal(
            "index_template [x] invalid, cause [Validation Failed: 1: unknown setting [index.mapping.total_fields.ignore_dynamic_beyond_limit] please check that any required plugins are installed, or check the breaking changes documentation for removed settings;2: expected [index.mode] to be private but it was not;3: unknown setting [index.mode] did you mean [index.codec]?;]",
        );
        assert_eq!(read(&opensearch2), both);
        let opensearch3 = json!({"status": 400, "error": {
            "type": "settings_exception",
            "reason": "unknown setting [index.mapping.total_fields.ignore_dynamic_beyond_limit] please check that any required plugins are installed",
            "suppressed": [{"type": "settings_exception", "reason": "unknown setting [index.mode] did you mean [index.codec]?"}],
        }});
        assert_eq!(read(&opensearch3), both);
        let key = refusal("[1:65] [index_template] unknown field [allow_auto_create]");
        assert_eq!(read(&key), [Change::Key("allow_auto_create".to_owned())]);
    }

    #[test]
    fn what_cannot_be_done_without_is_no_lack() {
        for reason in [
            "No handler for type [ip] declared on field [ip]",
            "unknown setting [index.number_of_shard] did you mean [index.number_of_shards]?",
            "unknown setting [index.mode]; unknown setting [index.nonsense]",
            "[1:65] [index_template] unknown field [data_stream]",
            "unknown value for [index.codec] must be one of [default, best_compression] but was: zzz",
            "",
        ] {
            assert_eq!(read(&refusal(reason)), [], "{reason}");
        }
        for answer in [json!(null), json!([]), json!({"error": "no handler found for uri [/x] and method [POST]"})] {
            assert_eq!(read(&answer), []);
        }
    }

    #[test]
    fn reasons_come_outermost_first_and_once() {
        assert_eq!(
            reasons(&refusal("because")),
            [
                "composable template [x] template after composition is invalid",
                "invalid composite mappings for [x]",
                "because"
            ]
        );
    }

    #[test]
    fn types_are_replaced_wherever_they_are_declared() {
        let mut templates = Templates::new(&TemplateConfig::default());
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
        let mut templates = Templates::new(&TemplateConfig::default());
        for change in known(Product::OpenSearch) {
            assert!(change.apply(&mut templates).is_some(), "{change:?}");
            assert_eq!(change.apply(&mut templates), None);
        }
        assert!(!templates.settings.contains_key("index.mode"));
        assert!(!templates.keys.contains_key("allow_auto_create"));
        assert!(!templates.mappings.to_string().contains("flattened\",\"ignore_above"));
    }

    #[test]
    fn every_replacement_ends() {
        for (name, _) in NEAREST {
            let chain = std::iter::successors(Some(*name), |name| nearest(name)).take(NEAREST.len() + 1);
            assert!(chain.count() <= NEAREST.len(), "{name}");
        }
    }
}
