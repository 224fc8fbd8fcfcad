//! The templates as one thing that can be changed, and as the bodies that a server stores.
//!
//! Two component templates (settings, mappings), a third that is the user's (`NAME@custom`, applied last where it
//! exists), and the index template that composes them. Nothing else is composed, so that no server's built-in templates
//! decide what our documents become. Each body says who made it, its version, and a fingerprint of its content; the
//! mappings carry a fingerprint too, so that an index says which templates it was made with.

use super::config::TemplateConfig;
use super::mappings;
use crate::ecs::table::FIELDS;
use serde_json::{Map, Value, json};

/// Who made a template, in `_meta.managed_by`.
pub const MANAGED_BY: &str = "trailship";

/// Key of an index template that lets it name component templates that do not exist.
pub const IGNORE_MISSING: &str = "ignore_missing_component_templates";

/// Index settings, unless the configuration says otherwise.
fn settings() -> Map<String, Value> {
    let settings = json!({
        "index.codec": "best_compression",
        // A malformed date or address in one field must not cost the record: the field is named in `_ignored`, the
        // rest of the document is found, and `_source` is whole.
        "index.mapping.ignore_malformed": true,
        // Likewise more fields than the limit, which only users' own fields can reach.
        "index.mapping.total_fields.ignore_dynamic_beyond_limit": true,
        "index.mapping.total_fields.limit": 1000,
        // Written out, because new clusters give `logs-*` streams another mode when nothing is said.
        "index.mode": "standard",
    });
    match settings {
        Value::Object(settings) => settings,
        _ => Map::new(),
    }
}

/// The templates, not yet divided into bodies.
#[derive(Debug, Clone, PartialEq)]
pub struct Templates {
    name: String,
    /// Whether `NAME@custom` is composed.
    pub custom: bool,
    /// Keys of the index template besides those that [`Templates::index`] writes.
    pub keys: Map<String, Value>,
    /// Index settings by dotted name.
    pub settings: Map<String, Value>,
    pub mappings: Value,
}

/// A template as a server stores it.
#[derive(Debug, Clone, PartialEq)]
pub struct Named {
    pub name: String,
    pub body: Value,
}

impl Templates {
    /// The templates for a server that knows everything.
    pub fn new(config: &TemplateConfig) -> Templates {
        let name = config.name.as_str().to_owned();
        let mut keys = Map::new();
        keys.insert("allow_auto_create".to_owned(), json!(true));
        keys.insert("data_stream".to_owned(), json!({}));
        keys.insert(IGNORE_MISSING.to_owned(), json!([custom_name(&name)]));
        keys.insert("index_patterns".to_owned(), json!([config.pattern.as_str()]));
        keys.insert("priority".to_owned(), json!(config.priority));
        let mut settings = settings();
        flatten("index", &config.settings.index, &mut settings);
        Templates { name, custom: true, keys, settings, mappings: mappings::mappings(FIELDS) }
    }

    /// Name of the component template that is the user's own.
    pub fn custom_name(&self) -> String {
        custom_name(&self.name)
    }

    /// Fingerprint of what an index is made with: settings and mappings.
    pub fn fingerprint(&self) -> String {
        fingerprint(&json!([self.settings, self.mappings]))
    }

    /// The component templates, in the order in which they are composed.
    pub fn components(&self) -> [Named; 2] {
        let mut mappings = self.mappings.clone();
        if let Value::Object(mappings) = &mut mappings {
            // Without a version, so that a release that changes nothing asks for no rollover.
            let meta = json!({"fingerprint": self.fingerprint(), "managed_by": MANAGED_BY});
            mappings.insert("_meta".to_owned(), meta);
        }
        [
            signed(self.part("settings"), json!({"template": {"settings": self.settings}})),
            signed(self.part("mappings"), json!({"template": {"mappings": mappings}})),
        ]
    }

    /// The index template.
    pub fn index(&self) -> Named {
        let mut composed = vec![self.part("settings"), self.part("mappings")];
        if self.custom {
            composed.push(self.custom_name());
        }
        let mut body = self.keys.clone();
        body.insert("composed_of".to_owned(), json!(composed));
        signed(self.name.clone(), Value::Object(body))
    }

    /// Everything in one index template that composes nothing and fits no index, to be tried without being stored.
    pub fn trial(&self) -> Value {
        let mut body = self.keys.clone();
        body.insert("index_patterns".to_owned(), json!([format!("trial-of-{}", self.name)]));
        body.insert("template".to_owned(), json!({"settings": self.settings, "mappings": self.mappings}));
        Value::Object(body)
    }

    fn part(&self, part: &str) -> String {
        format!("{}-{part}", self.name)
    }
}

/// Version of this program as templates carry it: 1,002,003 for 1.2.3.
pub fn version() -> u64 {
    let number =
        |text: &str| text.bytes().filter(u8::is_ascii_digit).fold(0, |sum, digit| sum * 10 + u64::from(digit - b'0'));
    number(env!("CARGO_PKG_VERSION_MAJOR")) * 1_000_000
        + number(env!("CARGO_PKG_VERSION_MINOR")) * 1_000
        + number(env!("CARGO_PKG_VERSION_PATCH"))
}

fn custom_name(name: &str) -> String {
    format!("{name}@custom")
}

/// Adds who made it, the version and the fingerprint.
fn signed(name: String, mut body: Value) -> Named {
    let meta = json!({
        "fingerprint": fingerprint(&body),
        "managed_by": MANAGED_BY,
        "version": env!("CARGO_PKG_VERSION"),
    });
    if let Value::Object(body) = &mut body {
        body.insert("_meta".to_owned(), meta);
        body.insert("version".to_owned(), json!(version()));
    }
    Named { name, body }
}

/// The first eight bytes of SHA-256 over the JSON text, in hexadecimal.
fn fingerprint(value: &Value) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, value.to_string().as_bytes());
    digest.as_ref().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

/// Nested settings under their dotted names.
fn flatten(prefix: &str, nested: &Map<String, Value>, flat: &mut Map<String, Value>) {
    for (name, value) in nested {
        let name = format!("{prefix}.{name}");
        match value {
            Value::Object(inner) => flatten(&name, inner, flat),
            value => {
                flat.insert(name, value.clone());
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::setup::config::SetupConfig;

    fn with(config: Value) -> Templates {
        let config: SetupConfig = serde_json::from_value(json!({"template": config})).unwrap();
        Templates::new(&config.template)
    }

    fn at<'a>(templates: &'a Templates, pointer: &str) -> &'a Value {
        templates.mappings.pointer(pointer).unwrap_or(&Value::Null)
    }

    #[test]
    fn the_index_template_composes_ours_and_then_the_users() {
        let index = with(json!({})).index();
        assert_eq!(index.name, "trailship-aws.cloudtrail");
        assert_eq!(index.body["index_patterns"], json!(["logs-aws.cloudtrail-*"]));
        assert_eq!(index.body["priority"], json!(250));
        assert_eq!(index.body["data_stream"], json!({}));
        assert_eq!(
            index.body["composed_of"],
            json!([
                "trailship-aws.cloudtrail-settings",
                "trailship-aws.cloudtrail-mappings",
                "trailship-aws.cloudtrail@custom"
            ])
        );
        assert_eq!(index.body["ignore_missing_component_templates"], json!(["trailship-aws.cloudtrail@custom"]));
        assert_eq!(index.body["_meta"]["managed_by"], json!("trailship"));
        assert_eq!(index.body["version"], json!(version()));
    }

    #[test]
    fn settings_of_the_configuration_win() {
        let templates = with(json!({"settings": {"index": {
            "number_of_shards": 3, "mapping": {"total_fields": {"limit": 5000}}, "mode": "logsdb",
        }}}));
        assert_eq!(templates.settings["index.number_of_shards"], json!(3));
        assert_eq!(templates.settings["index.mapping.total_fields.limit"], json!(5000));
        assert_eq!(templates.settings["index.mode"], json!("logsdb"));
        assert_eq!(templates.settings["index.codec"], json!("best_compression"));
        assert_ne!(templates.fingerprint(), with(json!({})).fingerprint());
    }

    #[test]
    fn an_index_does_not_depend_on_name_and_priority() {
        let other = with(json!({"name": "mine", "priority": 300}));
        assert_eq!(other.fingerprint(), with(json!({})).fingerprint());
        assert_ne!(other.index().body["_meta"], with(json!({})).index().body["_meta"]);
    }

    #[test]
    fn values_that_would_have_a_document_refused_are_left_unindexed() {
        let templates = with(json!({}));
        assert_eq!(templates.settings["index.mapping.ignore_malformed"], json!(true));
        assert_eq!(
            at(&templates, "/properties/aws/properties/cloudtrail/properties/flattened/properties/request_parameters"),
            &json!({"type": "flattened", "ignore_above": 8191, "depth_limit": 20})
        );
        assert_eq!(
            at(&templates, "/properties/aws/properties/cloudtrail/properties/response_elements"),
            &json!({"type": "keyword", "ignore_above": 8191, "fields": {"text": {"type": "text"}}})
        );
        assert_eq!(
            at(&templates, "/properties/event/properties/original"),
            &json!({"type": "keyword", "index": false, "doc_values": false})
        );
        assert_eq!(at(&templates, "/properties/aws/properties/cloudtrail/dynamic"), &json!(false));
        assert_eq!(at(&templates, "/date_detection"), &json!(false));
        assert_eq!(at(&templates, "/properties/@timestamp"), &json!({"type": "date", "ignore_malformed": false}));
    }

    #[test]
    fn every_keyword_has_a_limit_a_term_can_hold() {
        fn walk(value: &Value) {
            if value["type"] == json!("keyword") && value["index"] != json!(false) {
                let limit = value["ignore_above"].as_u64().unwrap();
                assert!(limit <= 8191, "{value}");
            }
            for inner in value.as_object().into_iter().flat_map(Map::values) {
                walk(inner);
            }
        }
        walk(&with(json!({})).mappings);
    }
}
