//! The templates as one thing that can be changed, and as the bodies that a server stores.
//!
//! For each data set two component templates (settings, mappings), a third that is the user's (`NAME@custom`, applied
//! last where it exists), and the index template that composes them. Nothing else is composed, so that no server's built-in templates
//! decide what our documents become. Each body says who made it, its version, and a fingerprint of its content; the
//! mappings carry a fingerprint too, so that an index says which templates it was made with.

use super::config::{IndexMode, SetupConfig, Switch};
use super::datasets::DataSet;
use super::lifecycle::{self, Lifecycle};
use super::mappings;
use serde_json::{Map, Value, json};

/// Who made a template, in `_meta.managed_by`.
pub const MANAGED_BY: &str = "trailship";

/// Key of an index template that lets it name component templates that do not exist.
pub const IGNORE_MISSING: &str = "ignore_missing_component_templates";

/// What a template says of a data stream besides its lifecycle.
pub const STREAM_OPTIONS: &str = "data_stream_options";

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

/// Index settings of mode `logsdb`. A custom `_id` is kept, and so is `_source` as it was sent: made anew from fields it
/// would have lists sorted and members lost.
pub fn logsdb() -> [(&'static str, Value); 4] {
    [
        ("index.mode", json!("logsdb")),
        ("index.sort.field", json!(["cloud.account.id", "@timestamp"])),
        ("index.sort.order", json!(["asc", "desc"])),
        ("index.mapping.source.mode", json!("stored")),
    ]
}

/// The templates of a data set, not yet divided into bodies.
#[derive(Debug, Clone)]
pub struct Templates {
    /// Name of the index template.
    pub name: String,
    /// Data streams that get it.
    pub pattern: String,
    pub priority: u32,
    pub data_set: DataSet,
    /// Whether `NAME@custom` is composed.
    pub custom: bool,
    /// Keys of the index template besides those that [`Templates::index`] writes.
    pub keys: Map<String, Value>,
    /// Index settings by dotted name.
    pub settings: Map<String, Value>,
    pub mappings: Value,
    /// What concerns the data stream and not its indices: `lifecycle`, `data_stream_options`.
    pub stream: Map<String, Value>,
}

/// A template as a server stores it.
#[derive(Debug, Clone, PartialEq)]
pub struct Named {
    pub name: String,
    pub body: Value,
}

impl Named {
    /// Fingerprint of the body, as it is written into it.
    pub fn fingerprint(&self) -> &str {
        self.body.pointer("/_meta/fingerprint").and_then(Value::as_str).unwrap_or_default()
    }
}

impl Templates {
    /// The templates for a server that knows everything.
    pub fn new(config: &SetupConfig, data_set: DataSet, looked_after: &Lifecycle) -> Templates {
        let template = &config.template;
        let name = format!("{}{}", template.name.as_str(), data_set.suffix);
        let pattern = data_set.beside(template.pattern.as_str());
        let priority = data_set.priority(template.priority);
        let mut keys = Map::new();
        keys.insert("allow_auto_create".to_owned(), json!(true));
        keys.insert("data_stream".to_owned(), json!({}));
        keys.insert(IGNORE_MISSING.to_owned(), json!([custom_name(&name)]));
        keys.insert("index_patterns".to_owned(), json!([pattern]));
        keys.insert("priority".to_owned(), json!(priority));
        let mut settings = settings();
        if template.index_mode == IndexMode::Logsdb {
            settings.extend(logsdb().map(|(name, value)| (name.to_owned(), value)));
        }
        let mut stream = Map::new();
        match looked_after {
            Lifecycle::Ilm(policy) => {
                settings.insert("index.lifecycle.name".to_owned(), json!(policy.name));
            }
            Lifecycle::Dsl(lifecycle) => {
                stream.insert("lifecycle".to_owned(), lifecycle.clone());
            }
            Lifecycle::Ism(_) | Lifecycle::None => {}
        }
        let failure_store = match config.failure_store {
            Switch::False => json!({"enabled": false}),
            Switch::Auto | Switch::True => {
                json!({"enabled": true, "lifecycle": lifecycle::of_failures(&config.lifecycle)})
            }
        };
        stream.insert(STREAM_OPTIONS.to_owned(), json!({"failure_store": failure_store}));
        flatten("index", &template.settings.index, &mut settings);
        let mappings = mappings::mappings(&data_set, template.storage);
        Templates { name, pattern, priority, data_set, custom: true, keys, settings, mappings, stream }
    }

    /// Name of the component template that is the user's own.
    pub fn custom_name(&self) -> String {
        custom_name(&self.name)
    }

    /// Fingerprint of what an index and its data stream are made with.
    pub fn fingerprint(&self) -> String {
        match self.stream.is_empty() {
            true => fingerprint(&json!([self.settings, self.mappings])),
            false => fingerprint(&json!([self.settings, self.mappings, self.stream])),
        }
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
        if !self.stream.is_empty() {
            body.insert("template".to_owned(), json!(self.stream));
        }
        signed(self.name.clone(), Value::Object(body))
    }

    /// Everything in one index template that composes nothing and fits no index, to be tried without being stored.
    pub fn trial(&self) -> Value {
        let mut body = self.keys.clone();
        body.insert("index_patterns".to_owned(), json!([format!("trial-of-{}", self.name)]));
        let mut template = self.stream.clone();
        template.insert("settings".to_owned(), json!(self.settings));
        template.insert("mappings".to_owned(), self.mappings.clone());
        body.insert("template".to_owned(), Value::Object(template));
        Value::Object(body)
    }

    fn part(&self, part: &str) -> String {
        format!("{}-{part}", self.name)
    }
}

/// Version of this program as templates carry it: 1,002,003 for 1.2.3.
pub fn version() -> u64 {
    number_of(env!("CARGO_PKG_VERSION"))
}

/// The same for the text of a version; what is no number counts 0.
pub fn number_of(version: &str) -> u64 {
    let mut parts = version.split(['.', '-', '+']).map(|part| part.parse::<u64>().unwrap_or(0).min(999));
    let mut next = || parts.next().unwrap_or(0);
    next() * 1_000_000 + next() * 1_000 + next()
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
pub fn fingerprint(value: &Value) -> String {
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
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use super::*;
    use crate::setup::datasets;

    fn of(config: Value) -> [Templates; 3] {
        let config: SetupConfig = serde_json::from_value(config).unwrap();
        datasets::ALL.map(|data_set| Templates::new(&config, data_set, &Lifecycle::None))
    }

    fn with(config: Value) -> Templates {
        let [records, ..] = of(json!({"template": config}));
        records
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
    fn each_data_set_has_templates_of_its_own() {
        let [_, dead_letter, integrity] = of(json!({"template": {"priority": 150}}));
        for (templates, suffix) in [(dead_letter, "_dead_letter"), (integrity, "_integrity")] {
            let index = templates.index();
            assert_eq!(index.name, format!("trailship-aws.cloudtrail{suffix}"));
            assert_eq!(index.body["index_patterns"], json!([format!("logs-aws.cloudtrail{suffix}-*")]));
            assert_eq!(index.body["priority"], json!(151));
            let [settings, mappings] = templates.components();
            assert_eq!(
                index.body["composed_of"],
                json!([settings.name, mappings.name, format!("{}@custom", index.name)])
            );
            assert_eq!(
                at(&templates, "/properties/data_stream/properties/dataset/value"),
                &json!(format!("aws.cloudtrail{suffix}"))
            );
        }
    }

    #[test]
    fn the_lifecycle_and_the_failure_store_are_the_data_streams() {
        let config: SetupConfig = serde_json::from_value(json!({"failure_store": "false"})).unwrap();
        let [records, ..] = datasets::ALL;
        let lifecycle = Lifecycle::Dsl(json!({"enabled": true}));
        let body = Templates::new(&config, records, &lifecycle).index().body;
        let expected =
            json!({"lifecycle": {"enabled": true}, "data_stream_options": {"failure_store": {"enabled": false}}});
        assert_eq!(body["template"], expected);
        let Ok(lifecycle) = Lifecycle::usual(crate::setup::Product::Elasticsearch, &config) else { panic!() };
        let templates = Templates::new(&config, records, &lifecycle);
        assert_eq!(templates.settings["index.lifecycle.name"], json!("trailship"));
        assert_eq!(
            with(json!({})).index().body["template"]["data_stream_options"]["failure_store"]["enabled"],
            json!(true)
        );
        assert_ne!(templates.fingerprint(), with(json!({})).fingerprint());
    }

    #[test]
    fn logsdb_sorts_by_what_is_mapped_and_keeps_the_source() {
        for templates in of(json!({"template": {"index_mode": "logsdb"}})) {
            for (name, value) in logsdb() {
                assert_eq!(templates.settings[name], value);
            }
            assert_eq!(at(&templates, "/properties/cloud/properties/account/properties/id/type"), &json!("keyword"));
        }
        let own = with(json!({"index_mode": "logsdb", "settings": {"index": {"sort": {"field": "event.id"}}}}));
        assert_eq!(own.settings["index.sort.field"], json!("event.id"));
    }

    #[test]
    fn lean_leaves_out_copies_and_nothing_that_detection_rules_ask_for() {
        let lean = with(json!({"storage": "lean"}));
        let payload =
            |name: &str| at(&lean, &format!("/properties/aws/properties/cloudtrail/properties/{name}")).clone();
        let text = json!({"type": "keyword", "ignore_above": 8191, "index": false});
        assert_eq!(payload("request_parameters"), text);
        assert_eq!(payload("response_elements"), text);
        let object = payload("flattened/properties/request_parameters");
        assert_eq!(object, json!({"type": "flattened", "ignore_above": 8191, "depth_limit": 20, "doc_values": false}));
        assert_eq!(payload("flattened/properties/additional_eventdata"), json!({"type": "object", "enabled": false}));
        assert_eq!(
            payload("flattened/properties/insight_details"),
            json!({"type": "flattened", "ignore_above": 8191, "depth_limit": 20})
        );
        assert_ne!(lean.fingerprint(), with(json!({})).fingerprint());
        // All others are as ever.
        let (mut lean, full) = (lean.mappings, with(json!({})).mappings);
        let (lean, full) = (&mut lean["properties"], &full["properties"]);
        lean["aws"] = full["aws"].clone();
        assert_eq!(lean, full);
    }

    #[test]
    fn versions_are_numbers() {
        for (text, number) in [
            ("1.2.3", 1_002_003),
            ("0.1.0", 1_000),
            ("10.0.0-rc.1", 10_000_000),
            ("999.0.0", 999_000_000),
            ("x", 0),
            ("", 0),
        ] {
            assert_eq!(number_of(text), number, "{text}");
        }
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
