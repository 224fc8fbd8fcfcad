//! Faults (ECS mapping 12 and 16): members of a type that the original stops at, and what a fault makes of the
//! document.
//!
//! Where the original stops, this goes on, so that the document keeps every field that can be made.

use crate::ecs::doc::Doc;
use crate::ecs::source::{self as s, Record};
use crate::ecs::table as f;

/// Notes the members that the original cannot go on with.
pub fn shapes(record: Record<'_>, doc: &mut Doc) {
    for source in [s::IDENTITY, s::SESSION, s::REQUEST, s::RESPONSE, s::TLS] {
        if record.is_no_object(source) {
            doc.fault(&format!("`{}` is not an object", source.path()));
        }
    }
    if record.text(s::EVENT_NAME) == Some("UserAuthentication") && record.is_no_object(s::ADDITIONAL) {
        doc.fault("`additionalEventData` is not an object");
    }
    for source in [s::EVENT_SOURCE, s::SOURCE_IP_ADDRESS] {
        if record.is_number_or_bool(source) {
            doc.fault(&format!("`{}` is not a string", source.path()));
        }
    }
}

/// Turns a document with faults into a `pipeline_error`; others are events.
pub fn finish(doc: &mut Doc, fault_tags: &str) {
    if doc.faults().is_empty() {
        return;
    }
    doc.fixed(f::EVENT_KIND, "\"pipeline_error\"");
    doc.faults_as_list(f::FAULTS);
    doc.make(f::TAGS, |out| out.extend_from_slice(fault_tags.as_bytes()));
}

#[cfg(test)]
mod tests {
    use crate::ecs::stage::tests::{document, is_fault, line};
    use serde_json::json;

    #[test]
    fn members_that_are_no_objects_are_faults_and_the_rest_is_mapped() {
        for path in ["userIdentity", "requestParameters", "responseElements", "tlsDetails"] {
            for value in [json!("HIDDEN_DUE_TO_SECURITY_REASONS"), json!(1), json!(true), json!(["x"])] {
                let doc = document(&json!({path: value, "eventName": "GetUser"}));
                assert!(is_fault(&doc), "{path}: {value}");
                assert_eq!(doc["event"]["action"], "GetUser");
                assert!(doc["event"]["original"].as_str().is_some_and(|text| text.contains(path)));
            }
            for value in [json!("-"), json!([]), json!(null)] {
                assert!(!is_fault(&document(&json!({path: value}))), "{path}: {value}");
            }
        }
        assert!(is_fault(&document(&json!({"userIdentity": {"sessionContext": "x"}}))));
        assert!(is_fault(&document(&json!({"eventName": "UserAuthentication", "additionalEventData": "x"}))));
        assert!(!is_fault(&document(&json!({"eventName": "GetUser", "additionalEventData": "x"}))));
    }

    #[test]
    fn numbers_and_booleans_are_no_sources_and_no_addresses() {
        for path in ["eventSource", "sourceIPAddress"] {
            for (value, fault) in [(json!(1), true), (json!(false), true), (json!(["x"]), false), (json!("x"), false)] {
                assert_eq!(is_fault(&document(&json!({path: value}))), fault, "{path}: {value}");
            }
        }
    }

    #[test]
    fn a_faulted_document_says_so_keeps_the_text_and_gets_the_tag() {
        let doc = line(br#"{"eventTime":"x","userIdentity":7}"#);
        assert_eq!(doc["event"]["kind"], "pipeline_error");
        assert_eq!(doc["event"]["original"], r#"{"eventTime":"x","userIdentity":7}"#);
        assert_eq!(doc["tags"], json!(["forwarded", "aws-cloudtrail", "preserve_original_event"]));
        assert_eq!(doc["error"]["message"].as_array().map(Vec::len), Some(2));
    }
}
