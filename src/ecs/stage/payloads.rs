//! The four payloads as Java text and as objects (ECS mapping 5), as far as `retain` keeps them (ECS mapping 6).

use crate::ecs::doc::Doc;
use crate::ecs::field::FieldId;
use crate::ecs::java;
use crate::ecs::settings::{Flattened, Retain};
use crate::ecs::source::{self as s, Record, Source};
use crate::ecs::table as f;
use crate::record::json::{Value, write};

struct Payload {
    source: Source,
    text: FieldId,
    flattened: FieldId,
    /// Members that `retain: minimal` keeps.
    minimal: &'static [&'static str],
}

const PAYLOADS: [Payload; 4] = [
    Payload {
        source: s::REQUEST,
        text: f::REQUEST_PARAMETERS,
        flattened: f::FLATTENED_REQUEST_PARAMETERS,
        minimal: &[
            "cidrIp",
            "dryRun",
            "fromPort",
            "includeDeprecated",
            "policyArn",
            "serialNumber",
            "withDecryption",
            "x-amz-server-side-encryption-customer-algorithm",
        ],
    },
    Payload {
        source: s::RESPONSE,
        text: f::RESPONSE_ELEMENTS,
        flattened: f::FLATTENED_RESPONSE_ELEMENTS,
        minimal: &[],
    },
    Payload {
        source: s::ADDITIONAL,
        text: f::ADDITIONAL_EVENTDATA,
        flattened: f::FLATTENED_ADDITIONAL_EVENTDATA,
        minimal: &["SSEApplied"],
    },
    Payload {
        source: s::SERVICE_DETAILS,
        text: f::SERVICE_EVENT_DETAILS,
        flattened: f::FLATTENED_SERVICE_EVENT_DETAILS,
        minimal: &[],
    },
];

/// A payload is flattened only if its text is shorter than this, in UTF-16 code units.
const TEXT_LIMIT: usize = 32766;

/// `user_name_taken`: the additional data's `UserName` has become `user.name` and shows nowhere else.
pub fn apply(record: Record<'_>, doc: &mut Doc, retain: Retain, user_name_taken: bool) {
    for payload in &PAYLOADS {
        let Some(value) = record.value(payload.source) else { continue };
        let left_out = (user_name_taken && payload.source == s::ADDITIONAL).then_some("UserName");
        if retain.texts {
            doc.make(payload.text, |out| {
                out.push(b'"');
                java::escaped(out, value, left_out);
                out.push(b'"');
            });
        }
        // A text has at most three characters for one of JSON (`1e6` is `1000000.0`), so that few need to be counted.
        let short = value.text_len() < TEXT_LIMIT / 3 || java::units(value, left_out) < TEXT_LIMIT;
        if !short || !(value.is_object() || value.is_list()) {
            continue;
        }
        match (retain.flattened, left_out) {
            (Flattened::None, _) => {}
            (Flattened::Minimal, _) => pick(payload, value, doc),
            (Flattened::All, None) => doc.value(payload.flattened, value),
            (Flattened::All, Some(_)) if value.len() < 2 => {}
            (Flattened::All, Some(_)) => doc.make(payload.flattened, |out| write::members(out, value, left_out)),
        }
    }
}

fn pick(payload: &Payload, value: Value<'_>, doc: &mut Doc) {
    doc.object(payload.flattened, |object| {
        for key in payload.minimal {
            object.maybe(key, value.get(key));
        }
    });
}

#[cfg(test)]
mod tests {
    use crate::ecs::settings::{Retain, Settings};
    use crate::ecs::stage::tests::{cloudtrail, document_with, is_fault, line};
    use serde_json::{Value, json};

    fn retained(retain: &str, record: &Value) -> Value {
        let retain = Retain::parse(retain).unwrap_or_default();
        document_with(Settings { retain, ..Settings::default() }, record)["aws"]["cloudtrail"].take()
    }

    #[test]
    fn each_payload_has_a_text_and_an_object() {
        let doc = cloudtrail(&json!({
            "requestParameters": {"roleArn": "a", "roleSessionName": "b", "durationSeconds": 3600},
            "responseElements": {"credentials": {"accessKeyId": "k", "expiration": "e", "sessionToken": "s"}, "assumedRoleUser": {}},
            "additionalEventData": {"SSEApplied": "None", "groups": {}, "bytes": 2.0},
            "serviceEventDetails": {"list": [1, {"b": true}], "alarms": []},
        }));
        assert_eq!(
            doc,
            json!({
                "request_parameters": "{durationSeconds=3600, roleArn=a, roleSessionName=b}",
                "response_elements": "{credentials={accessKeyId=k, sessionToken=s, expiration=e}}",
                "additional_eventdata": "{bytes=2.0, SSEApplied=None}",
                "service_event_details": "{list=[1, {b=true}]}",
                "flattened": {
                    "request_parameters": {"roleArn": "a", "roleSessionName": "b", "durationSeconds": 3600},
                    "response_elements": {"credentials": {"accessKeyId": "k", "expiration": "e", "sessionToken": "s"}},
                    "additional_eventdata": {"SSEApplied": "None", "bytes": 2.0},
                    "service_event_details": {"list": [1, {"b": true}]},
                },
            })
        );
    }

    #[test]
    fn blanks_vanish_from_both_forms() {
        let doc = cloudtrail(
            &json!({"requestParameters": {"a": "", "b": "-", "c": "none", "d": null, "e": {"f": []}, "g": ["", 1, "none", [{}]], "h": "None"}}),
        );
        assert_eq!(
            doc,
            json!({"request_parameters": "{g=[1], h=None}", "flattened": {"request_parameters": {"g": [1], "h": "None"}}})
        );
        assert_eq!(cloudtrail(&json!({"requestParameters": {"a": ""}, "responseElements": null})), json!(null));
    }

    #[test]
    fn texts_escape_nothing_of_their_own() {
        let doc = cloudtrail(&json!({"requestParameters": {"policy": "{\"a\": \"b\\n\"}", "t": "x=y, z\n\t\u{1}ä"}}));
        assert_eq!(doc["request_parameters"], "{t=x=y, z\n\t\u{1}ä, policy={\"a\": \"b\\n\"}}");
        assert_eq!(
            doc["flattened"]["request_parameters"],
            json!({"policy": "{\"a\": \"b\\n\"}", "t": "x=y, z\n\t\u{1}ä"})
        );
    }

    #[test]
    fn retain_chooses_the_forms() {
        let record = json!({
            "requestParameters": {"cidrIp": "10.0.0.0/8", "policyArn": "p", "other": {"dryRun": true}, "dryRun": false},
            "responseElements": {"a": 1}, "additionalEventData": {"SSEApplied": "SSE_S3", "x": 1}, "insightDetails": {"state": "Start"},
        });
        let texts = json!({"request_parameters": "{policyArn=p, other={dryRun=true}, dryRun=false, cidrIp=10.0.0.0/8}",
            "response_elements": "{a=1}", "additional_eventdata": "{x=1, SSEApplied=SSE_S3}"});
        let flattened = json!({"request_parameters": record["requestParameters"], "response_elements": {"a": 1},
            "additional_eventdata": record["additionalEventData"], "insight_details": {"state": "Start"}});
        let minimal = json!({"request_parameters": {"cidrIp": "10.0.0.0/8", "policyArn": "p", "dryRun": false},
            "additional_eventdata": {"SSEApplied": "SSE_S3"}, "insight_details": {"state": "Start"}});
        let insight = json!({"insight_details": {"state": "Start"}});
        for (retain, with_texts, expected) in [
            ("all", true, &flattened),
            ("flattened", false, &flattened),
            ("keyword", true, &insight),
            ("", true, &insight),
            ("minimal", true, &minimal),
            ("none", false, &insight),
        ] {
            let mut doc = retained(retain, &record);
            assert_eq!(&doc["flattened"].take(), expected, "{retain}");
            for (name, text) in texts.as_object().into_iter().flatten() {
                assert_eq!(doc[name], if with_texts { text.clone() } else { Value::Null }, "{retain}");
            }
        }
    }

    #[test]
    fn a_payload_with_a_long_text_is_not_flattened() {
        // The text is `{a=` + filler + `}`: four characters more than the filler. An emoji counts two, an `ä` one.
        for (filler, flattened) in [
            ("x".repeat(32_761), true),
            ("x".repeat(32_762), false),
            ("ä".repeat(32_761), true),
            ("ä".repeat(32_762), false),
            ("😀".repeat(16_380), true),
            ("😀".repeat(16_381), false),
        ] {
            let record = json!({"requestParameters": {"a": filler}});
            for retain in ["all", "flattened"] {
                let doc = retained(retain, &record);
                assert_eq!(
                    doc["flattened"]["request_parameters"]["a"].is_string(),
                    flattened,
                    "{} bytes, {retain}",
                    filler.len()
                );
                assert_eq!(doc["request_parameters"].is_string(), retain == "all");
            }
        }
    }

    #[test]
    fn a_scalar_is_its_own_text() {
        let doc = line(br#"{"requestParameters":"HIDDEN_DUE_TO_SECURITY_REASONS","serviceEventDetails":1e7,"additionalEventData":[1,2]}"#);
        assert_eq!(
            doc["aws"]["cloudtrail"],
            json!({"request_parameters": "HIDDEN_DUE_TO_SECURITY_REASONS", "service_event_details": "1.0E7",
            "additional_eventdata": "[1, 2]", "flattened": {"additional_eventdata": [1, 2]}})
        );
        assert!(is_fault(&doc));
    }

    #[test]
    fn the_user_name_of_a_sign_in_shows_in_neither_form() {
        let record = json!({"eventName": "UserAuthentication", "additionalEventData": {"UserName": "ana", "CredentialType": "PASSWORD"}});
        let doc = cloudtrail(&record);
        assert_eq!(
            doc,
            json!({"additional_eventdata": "{CredentialType=PASSWORD}", "flattened": {"additional_eventdata": {"CredentialType": "PASSWORD"}}})
        );
        let alone = cloudtrail(&json!({"eventName": "UserAuthentication", "additionalEventData": {"UserName": "ana"}}));
        assert_eq!(alone, json!({"additional_eventdata": "{}"}));
        let known = cloudtrail(
            &json!({"eventName": "UserAuthentication", "userIdentity": {"userName": "eve"}, "additionalEventData": {"UserName": "ana"}}),
        );
        assert_eq!(known["additional_eventdata"], "{UserName=ana}");
    }
}
