//! What a server lacks, read from its own refusal of a template: it names the type, setting or key.
//!
//! A refusal that names anything else is no lack.

use super::nearest::{Change, KEYS, SETTINGS, STREAM_KEYS, nearest};
use serde_json::Value;

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
            match name {
                "index.mapping.source.mode" => add(Change::LogsMode),
                name if SETTINGS.contains(&name) => add(Change::Setting(name.to_owned())),
                _ => return Vec::new(),
            }
        }
        if reason.contains("No enum constant org.elasticsearch.index.IndexMode.LOGSDB") {
            add(Change::LogsMode);
        }
        for name in bracketed(reason, "[template] unknown field [") {
            match STREAM_KEYS.iter().any(|(key, _)| *key == name) {
                true => add(Change::StreamKey(name.to_owned())),
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
mod tests {
    use super::*;
    use serde_json::json;

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
        let mode = refusal("No enum constant org.elasticsearch.index.IndexMode.LOGSDB");
        assert_eq!(read(&mode), [Change::LogsMode]);
        let source = refusal(
            "index_template [x] invalid, cause [Validation Failed: 1: unknown setting [index.mapping.source.mode] did you mean [index.mapping.coerce]?;]",
        );
        assert_eq!(read(&source), [Change::LogsMode]);
        let options = refusal("[1:65] [template] unknown field [data_stream_options]");
        assert_eq!(read(&options), [Change::StreamKey("data_stream_options".to_owned())]);
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
            "[1:65] [template] unknown field [mappings]",
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
}
