#![allow(clippy::unwrap_used)]
use crate::ecs::stage::tests::map;
use crate::ecs::{Mapper, Origin, Position, Settings, Timestamp};
use serde_json::{Value as Json, json};
use std::sync::Arc;

const RESOURCES: &str = "/aws/cloudtrail/resources";
const REQUEST: &str = "/aws/cloudtrail/flattened/request_parameters";
const INSIGHT: &str = "/aws/cloudtrail/flattened/insight_details";

fn repairing() -> Settings {
    Settings { repair: true, ..Settings::default() }
}

/// The document, and whether the mapper counts it as repaired.
fn shipped(record: &str) -> (Json, bool) {
    let origin = Origin::default();
    let mut mapper = Mapper::new(Arc::new(repairing()));
    let mapped = mapper.map(record.as_bytes(), Position::new(&origin, 0), Timestamp::from_unix_nanos(0)).unwrap();
    let mut out = Vec::new();
    mapped.write(&mut out);
    (serde_json::from_slice(&out).unwrap(), mapped.repaired())
}

/// The value at `pointer` of a document that must have been repaired, with all that says so.
fn repaired(record: &str, pointer: &str) -> Json {
    let (document, counted) = shipped(record);
    assert!(counted, "{record:.200}");
    let tags = json!(["forwarded", "aws-cloudtrail", "preserve_original_event", "shape_repaired"]);
    assert_eq!(document["tags"], tags, "{record:.200}");
    assert_eq!(document["event"]["original"], record);
    document.pointer(pointer).cloned().unwrap_or_default()
}

fn nested(levels: usize) -> Json {
    (0..levels).fold(json!("x"), |inner, _| json!({ "a": inner }))
}

#[test]
fn what_fits_is_not_touched() {
    for record in [
        json!({"eventVersion": 1.1, "readOnly": "yes", "errorCode": ["a", 1, [true]], "errorMessage": "x".repeat(40_000)}),
        json!({"resources": [{"ARN": "a", "accountId": "1", "type": "AWS::S3::Object"}, {"ARNPrefix": "b", "x-y": {"c": [1]}}]}),
        json!({"requestParameters": nested(20), "responseElements": {"a": [[{"b": 1}], nested(19)], "": 1, "c.d": {".": "x".repeat(20_000)}}}),
        json!({"insightDetails": [nested(20), [{"b": 1}]], "resources": {"ARN": "a"}}),
        json!({"requestParameters": {"a": "zero: \0"}, "serviceEventDetails": {"n": 1e300, "m": 123456789012345678901234567890_f64}}),
        json!({"insightDetails": {"k".repeat(7_000): "x".repeat(25_000)}}),
    ] {
        let (document, counted) = shipped(&record.to_string());
        let specified = map(Settings::default(), record.to_string().as_bytes());
        assert!(!counted, "{record:.200}");
        assert_eq!(document["aws"], specified["aws"]);
        assert_eq!(document["tags"], json!(["forwarded", "aws-cloudtrail"]));
    }
}

#[test]
fn an_object_in_place_of_a_single_value_is_its_text() {
    for (record, pointer, expected) in [
        (r#"{"errorCode":{"a":[1,{"b":"c"}]}}"#, "/aws/cloudtrail/error_code", json!(r#"{"a":[1,{"b":"c"}]}"#)),
        (r#"{"errorCode":["x",[{"a":1}],2]}"#, "/aws/cloudtrail/error_code", json!(["x", [r#"{"a":1}"#], 2])),
        (r#"{"requestParameters":{"groupName":{"a":1}}}"#, "/group/name", json!(r#"{"a":1}"#)),
        (r#"{"readOnly":{"a":true}}"#, "/aws/cloudtrail/read_only", json!(null)),
        (r#"{"readOnly":[true,{"a":true}]}"#, "/aws/cloudtrail/read_only", json!(null)),
    ] {
        assert_eq!(repaired(record, pointer), expected, "{record}");
    }
}

#[test]
fn a_single_value_in_place_of_an_object_becomes_its_member() {
    const ATTRIBUTES: &str = "/aws/cloudtrail/user_identity/session_context/web_id_federation_data/attributes";
    for (record, pointer, expected) in [
        (r#"{"resources":"x"}"#, RESOURCES, json!({"value": "x"})),
        (r#"{"resources":{".":1}}"#, RESOURCES, json!({"value": r#"{".":1}"#})),
        (r#"{"insightDetails":true}"#, INSIGHT, json!({"value": true})),
        (r#"{"requestParameters":[1,{"a":2},["b"]]}"#, REQUEST, json!([{"value": 1}, {"a": 2}, [{"value": "b"}]])),
        (
            r#"{"userIdentity":{"sessionContext":{"webIdFederationData":{"attributes":"x"}}}}"#,
            ATTRIBUTES,
            json!({"value": "x"}),
        ),
    ] {
        assert_eq!(repaired(record, pointer), expected, "{record}");
    }
}

#[test]
fn what_is_nested_too_deep_is_its_text() {
    let record = json!({"requestParameters": nested(22)}).to_string();
    let twenty = "/a".repeat(20);
    assert_eq!(repaired(&record, &format!("{REQUEST}{twenty}")), r#"{"a":{"a":"x"}}"#);
    let in_list = json!({"insightDetails": {"l": [[nested(20)], 1]}}).to_string();
    assert_eq!(repaired(&in_list, &format!("{INSIGHT}/l/0/0{}", "/a".repeat(19))), r#"{"a":"x"}"#);
}

#[test]
fn keys_that_an_index_refuses_make_their_object_a_text() {
    assert_eq!(
        repaired(r#"{"insightDetails":{"x":{"a\u0000b":1},"y":2}}"#, INSIGHT),
        json!({"x": r#"{"a\u0000b":1}"#, "y": 2})
    );
    assert_eq!(repaired(r#"{"insightDetails":{"\u0000":1}}"#, INSIGHT), json!({"value": r#"{"\u0000":1}"#}));
    for key in ["", " ", ".", "..", ".a", "a..b", "a. .b", "\u{2003}", "\u{1c}", "arn.x", "type.", "ARN.x"] {
        let resource = json!({"accountId": "1", key: 5});
        let record = json!({"resources": [{"ARN": "a"}, resource]}).to_string();
        if key == "ARN.x" {
            assert!(!shipped(&record).1);
            continue;
        }
        let resources = repaired(&record, RESOURCES);
        let renamed = resource.to_string().replace("accountId", "account_id");
        let wrapped = resources.as_array().unwrap().iter().find_map(|resource| resource["value"].as_str()).unwrap();
        assert_eq!(serde_json::from_str::<Json>(wrapped).unwrap(), serde_json::from_str::<Json>(&renamed).unwrap());
        assert!(resources.as_array().unwrap().contains(&json!({"arn": "a"})));
    }
    assert_eq!(
        repaired(r#"{"resources":[{"ARN":{"a":1},"other":{"b":1}}]}"#, RESOURCES),
        json!([{"arn": r#"{"a":1}"#, "other": {"b": 1}}])
    );
}

#[test]
fn a_term_is_as_long_as_an_index_takes_it() {
    // What OpenSearch 2.19 takes under the path `.a` of this field.
    const LONGEST: usize = 32_676;
    let record = |length| json!({"insightDetails": {"a": 1}, "requestParameters": {"a": "x".repeat(length), "b": 1}});
    assert!(!shipped(&record(LONGEST).to_string()).1);
    let kept = repaired(&record(LONGEST + 1).to_string(), REQUEST);
    assert_eq!((kept["a"].as_str().unwrap().len(), &kept["b"]), (LONGEST, &json!(1)));
    let wide = json!({"requestParameters": {"a": "語".repeat(12_000)}}).to_string();
    assert_eq!(repaired(&wide, REQUEST)["a"], "語".repeat(LONGEST / 3));
    let long_key = json!({"insightDetails": {"x": {"k".repeat(8_000): "v"}}}).to_string();
    let kept = repaired(&long_key, INSIGHT);
    assert!(kept["x"].as_str().unwrap().starts_with(r#"{"kkkk"#));
    let long_path = json!({"insightDetails": {"j".repeat(5_000): {"k".repeat(5_000): "v"}}}).to_string();
    assert!(repaired(&long_path, INSIGHT)["j".repeat(5_000)].is_string());
}

#[test]
fn a_number_that_readers_refuse_is_a_text() {
    let number = format!("0.{}", "1".repeat(1_000));
    let record = format!(
        r#"{{"errorCode":{number},"requestParameters":{{"a":[{number}]}},"resources":[{{"ARN":"a","x":{{"y":{number}}}}}]}}"#
    );
    assert_eq!(repaired(&record, "/aws/cloudtrail/error_code"), number);
    assert_eq!(repaired(&record, &format!("{REQUEST}/a")), json!([number]));
    assert_eq!(repaired(&record, RESOURCES), json!([{"arn": "a", "x": {"y": number}}]));
}

#[test]
fn a_digest_and_a_reduced_payload_are_repaired_as_well() {
    let digest = json!({"digestS3Bucket": "b", "logFiles": [nested(21)]}).to_string();
    let kept = repaired(&digest, "/aws/cloudtrail/flattened/digest");
    assert_eq!(kept["s3_bucket"], "b");
    assert_eq!(kept.pointer(&format!("/log_files/0{}", "/a".repeat(19))).unwrap(), r#"{"a":{"a":"x"}}"#);
}

#[test]
fn a_fault_and_a_repair_are_both_told() {
    let (document, counted) = shipped(r#"{"eventTime":"x","errorCode":{"a":1}}"#);
    assert!(counted);
    assert_eq!(document["event"]["kind"], "pipeline_error");
    assert_eq!(document["tags"], json!(["forwarded", "aws-cloudtrail", "preserve_original_event", "shape_repaired"]));
}

#[test]
fn documents_stay_as_specified_unless_asked() {
    let document = map(Settings::default(), br#"{"errorCode":{"a":1},"resources":"x"}"#);
    assert_eq!(document["aws"]["cloudtrail"], json!({"error_code": {"a": 1}, "resources": "x"}));
    assert_eq!(document["tags"], json!(["forwarded", "aws-cloudtrail"]));
}
