#![allow(clippy::unwrap_used, clippy::panic)]

use super::*;
use proptest::prelude::*;
use serde_json::json;

const KEY: &str = "AWSLogs/111122223333/CloudTrail/eu-west-1/2026/03/04/111122223333_CloudTrail_eu-west-1_20260304T0515Z_Ab12Cd34Ef56Gh78.json.gz";

fn s3_record(key: &str) -> Value {
    json!({
        "eventVersion": "2.6", "eventSource": "aws:s3", "awsRegion": "eu-west-1", "eventTime": "2026-03-04T05:15:30.123Z",
        "eventName": "ObjectCreated:Put", "userIdentity": {"principalId": "AWS:EXAMPLE"}, "requestParameters": {"sourceIPAddress": "192.0.2.1"},
        "responseElements": {"x-amz-request-id": "R", "x-amz-id-2": "I"},
        "s3": {"s3SchemaVersion": "1.0", "configurationId": "c",
            "bucket": {"name": "trail-bucket", "ownerIdentity": {"principalId": "P"}, "arn": "arn:aws:s3:::trail-bucket"},
            "object": {"key": key, "size": 1234, "eTag": "d41d8cd98f00b204e9800998ecf8427e", "versionId": "v7", "sequencer": "0055AED6DCD90281E5"}}
    })
}

fn s3(keys: &[&str]) -> Value {
    json!({ "Records": keys.iter().map(|key| s3_record(key)).collect::<Vec<_>>() })
}

fn cloudtrail(keys: &[&str]) -> Value {
    json!({"s3Bucket": "trail-bucket", "s3ObjectKey": keys})
}

fn eventbridge(key: &str) -> Value {
    json!({
        "version": "0", "id": "17793124-05d4-b198-2fde-7ededc63b103", "detail-type": "Object Created", "source": "aws.s3",
        "account": "111122223333", "time": "2026-03-04T05:15:30Z", "region": "eu-central-1", "resources": ["arn:aws:s3:::trail-bucket"],
        "detail": {"version": "0", "bucket": {"name": "trail-bucket"},
            "object": {"key": key, "size": 5, "etag": "b1946ac92492d2347c6235b4d2611184", "version-id": "IYV3p45BT0ac8hjHg1houSdS1a.Mro8e", "sequencer": "617f08299329d189"},
            "request-id": "N4N7GDK58NMKJ12R", "requester": "123456789012", "source-ip-address": "192.0.2.4", "reason": "PutObject"}
    })
}

fn by_sns(message: &str) -> Value {
    json!({
        "Type": "Notification", "MessageId": "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324", "TopicArn": "arn:aws:sns:eu-west-1:111122223333:trail",
        "Subject": "Amazon S3 Notification", "Message": message, "Timestamp": "2026-03-04T05:15:31.000Z", "SignatureVersion": "1", "Signature": "EXAMPLE"
    })
}

fn objects(body: &Value) -> (Shape, Vec<ObjectRef>, usize) {
    match read(&body.to_string()) {
        Ok(Notification::Objects { shape, objects, ignored, unread: None }) => (shape, objects, ignored),
        other => panic!("{other:?} for {body}"),
    }
}

#[test]
fn every_shape_that_names_objects() {
    let odd = "a prefix/k=v/\u{e9}+%/x.json.gz";
    let odd_encoded = "a+prefix/k%3Dv/%C3%A9%2B%25/x.json.gz";
    for (body, shape, keys) in [
        (s3(&[KEY]), Shape::S3, vec![KEY]),
        (s3(&[odd_encoded, "a%2Fb"]), Shape::S3, vec![odd, "a/b"]),
        (by_sns(&s3(&[odd_encoded]).to_string()), Shape::S3BySns, vec![odd]),
        (cloudtrail(&[KEY, odd]), Shape::CloudTrail, vec![KEY, odd]),
        (
            by_sns(&cloudtrail(&[KEY, odd, odd_encoded]).to_string()),
            Shape::CloudTrailBySns,
            vec![KEY, odd, odd_encoded],
        ),
        (json!({"s3Bucket": "trail-bucket", "s3ObjectKey": KEY}), Shape::CloudTrail, vec![KEY]),
        (eventbridge(odd), Shape::EventBridge, vec![odd]),
        (eventbridge(odd_encoded), Shape::EventBridge, vec![odd_encoded]),
        (by_sns(&eventbridge(KEY).to_string()), Shape::EventBridgeBySns, vec![KEY]),
        (by_sns(&by_sns(&s3(&[KEY]).to_string()).to_string()), Shape::S3BySns, vec![KEY]),
    ] {
        let (seen, objects, ignored) = objects(&body);
        assert_eq!((seen, ignored), (shape, 0), "{body}");
        assert_eq!(objects.iter().map(|object| object.key.as_str()).collect::<Vec<_>>(), keys, "{body}");
        assert!(objects.iter().all(|object| object.bucket == "trail-bucket"));
    }
}

#[test]
fn what_each_shape_tells_of_an_object() {
    let (_, objects_of_s3, _) = objects(&s3(&["k"]));
    let expected = ObjectRef {
        bucket: "trail-bucket".into(),
        key: ObjectKey("k".into()),
        region: Some("eu-west-1".into()),
        version: Some("v7".into()),
        etag: Some("d41d8cd98f00b204e9800998ecf8427e".into()),
        size: Some(1234),
        event_name: "ObjectCreated:Put".into(),
    };
    assert_eq!(objects_of_s3, [expected]);
    let (_, objects_of_eventbridge, _) = objects(&eventbridge("k"));
    let expected = ObjectRef {
        bucket: "trail-bucket".into(),
        key: ObjectKey("k".into()),
        region: Some("eu-central-1".into()),
        version: Some("IYV3p45BT0ac8hjHg1houSdS1a.Mro8e".into()),
        etag: Some("b1946ac92492d2347c6235b4d2611184".into()),
        size: Some(5),
        event_name: "PutObject".into(),
    };
    assert_eq!(objects_of_eventbridge, [expected]);
    let (_, objects_of_cloudtrail, _) = objects(&cloudtrail(&["k"]));
    assert_eq!((objects_of_cloudtrail[0].region.as_ref(), objects_of_cloudtrail[0].size), (None, None));
}

#[test]
fn events_of_other_kinds_are_counted_and_passed_over() {
    let mut body = s3(&["a", "b", "c"]);
    body["Records"][1]["eventName"] = "ObjectRemoved:Delete".into();
    let (_, objects_left, ignored) = objects(&body);
    assert_eq!((objects_left.len(), ignored), (2, 1));
    body["Records"][0]["eventName"] = "ObjectCreated:CompleteMultipartUpload".into();
    body["Records"][2]["eventName"] = "ObjectCreated:Copy".into();
    assert_eq!(objects(&body).1.len(), 2);
    let mut body = eventbridge("k");
    body["detail-type"] = "Object Deleted".into();
    assert_eq!(objects(&body), (Shape::EventBridge, Vec::new(), 1));
}

#[test]
fn what_is_not_understood_hides_nothing_beside_it() {
    let read_all = |body: Value| match read(&body.to_string()).unwrap() {
        Notification::Objects { objects, unread, .. } => (objects.len(), unread),
        other => panic!("{other:?}"),
    };
    for (pointer, value, expected) in [
        ("/Records/1/eventSource", "aws:ses".into(), Unknown::ForeignRecord),
        ("/Records/1", json!(17), Unknown::ForeignRecord),
        ("/Records/1/eventVersion", "3.0".into(), Unknown::Version("3.0".into())),
        ("/Records/1/s3/object/key", "%FF".into(), Unknown::Key),
        ("/Records/1/s3/bucket", Value::Null, Unknown::Incomplete("bucket")),
    ] {
        let mut body = s3(&["a", "b", "c"]);
        *body.pointer_mut(pointer).unwrap() = value;
        assert_eq!(read_all(body), (2, Some(expected)), "{pointer}");
    }
    assert_eq!(read_all(s3(&["a", "b"])), (2, None));
    let keys = json!({"s3Bucket": "b", "s3ObjectKey": ["a", 3, "", "c"]});
    assert_eq!(read_all(keys), (2, Some(Unknown::Incomplete("s3ObjectKey"))));
}

#[test]
fn messages_that_name_nothing() {
    let test = json!({"Service": "Amazon S3", "Event": "s3:TestEvent", "Time": "2026-03-04T05:15:30.000Z", "Bucket": "b", "RequestId": "R", "HostId": "H"});
    let confirmation = json!({
        "Type": "SubscriptionConfirmation", "MessageId": "m", "Token": "t", "TopicArn": "arn:aws:sns:eu-west-1:111122223333:trail",
        "Message": "You have chosen to subscribe to the topic.", "SubscribeURL": "https://sns.example/?Action=ConfirmSubscription"
    });
    let topic = Some("arn:aws:sns:eu-west-1:111122223333:trail".to_owned());
    for (body, expected) in [
        (test.to_string(), Notification::Test),
        (by_sns(&test.to_string()).to_string(), Notification::Test),
        (by_sns("CloudTrail validation message.").to_string(), Notification::Validation),
        ("CloudTrail validation message.".to_owned(), Notification::Validation),
        (confirmation.to_string(), Notification::SubscriptionConfirmation { topic }),
    ] {
        assert_eq!(read(&body), Ok(expected), "{body}");
    }
}

#[test]
fn what_is_not_understood_is_said_by_kind() {
    let changed = |pointer: &str, value: Value| {
        let mut body = s3(&["k"]);
        *body.pointer_mut(pointer).unwrap() = value;
        body.to_string()
    };
    let mut nested = s3(&["k"]);
    for _ in 0..MAX_NESTING {
        nested = by_sns(&nested.to_string());
    }
    let record = json!({"version": "0", "detail-type": "AWS API Call via CloudTrail", "source": "aws.iam", "detail": {"eventVersion": "1.11", "eventName": "CreateUser"}});
    let lake = json!({"source": "aws.s3", "detail": {"bucket": {"name": "aws-security-data-lake-eu-west-1-x"}, "object": {"key": "aws/x.parquet"}}});
    let logs = json!({"messageType": "DATA_MESSAGE", "owner": "111122223333", "logGroup": "g", "logStream": "s", "logEvents": []});
    for (body, expected) in [
        (" ".repeat(MAX_BODY + 1), Unknown::TooLarge(MAX_BODY + 1)),
        (String::new(), Unknown::NotJson),
        ("hello".to_owned(), Unknown::NotJson),
        ("[".repeat(100_000), Unknown::NotJson),
        ("[1]".to_owned(), Unknown::Foreign),
        (json!({"Message": "{}"}).to_string(), Unknown::Foreign),
        (json!({"Records": "none"}).to_string(), Unknown::Foreign),
        (json!({"Records": []}).to_string(), Unknown::Incomplete("Records[0]")),
        (by_sns("hello").to_string(), Unknown::NotJson),
        (nested.to_string(), Unknown::TooNested),
        (changed("/Records/0/eventSource", "iam.amazonaws.com".into()), Unknown::ForeignRecord),
        (changed("/Records/0", json!(1)), Unknown::ForeignRecord),
        (changed("/Records/0/eventVersion", "3.0".into()), Unknown::Version("3.0".into())),
        (changed("/Records/0/s3/object/key", "a%zz".into()), Unknown::Key),
        (changed("/Records/0/s3/object/key", "a%4".into()), Unknown::Key),
        (changed("/Records/0/s3/object/key", "a%+4".into()), Unknown::Key),
        (changed("/Records/0/s3/object/key", "%C3".into()), Unknown::Key),
        (changed("/Records/0/s3/object/key", "".into()), Unknown::Incomplete("key")),
        (changed("/Records/0/s3/bucket", json!({})), Unknown::Incomplete("name")),
        (changed("/Records/0/s3", Value::Null), Unknown::Incomplete("s3")),
        (cloudtrail(&[]).to_string(), Unknown::Incomplete("s3ObjectKey")),
        (json!({"s3Bucket": "b", "s3ObjectKey": [1]}).to_string(), Unknown::Incomplete("s3ObjectKey")),
        (cloudtrail(&vec!["k"; MAX_OBJECTS + 1]).to_string(), Unknown::TooManyObjects),
        (record.to_string(), Unknown::EventBridgeRecord),
        (by_sns(&record.to_string()).to_string(), Unknown::EventBridgeRecord),
        (lake.to_string(), Unknown::SecurityLake),
        (logs.to_string(), Unknown::LogBatch),
    ] {
        let seen = read(&body).unwrap_err();
        assert_eq!(seen, expected, "{:.200}", body);
        assert!(!seen.advice().is_empty() && seen.code().starts_with("notification-"));
    }
}

/// The inverse of form decoding, as S3 writes it.
fn form_encoded(key: &str) -> String {
    key.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'_' | b'.' | b'-' | b'*' => char::from(byte).to_string(),
            b' ' => "+".to_owned(),
            other => format!("%{other:02X}"),
        })
        .collect()
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(body in "\\PC*") {
        let _ = read(&body);
    }

    #[test]
    fn any_message_of_sns_is_read_or_refused(message in "\\PC*") {
        let _ = read(&by_sns(&message).to_string());
    }

    #[test]
    fn a_notification_with_parts_missing_or_wrong_is_read_or_refused(
        at in 0usize..400, cut in 0usize..40, put in "[\\[\\]{}\",:0-9a-z%+]{0,6}",
    ) {
        for body in [s3(&["k"]), cloudtrail(&["k"]), eventbridge("k"), by_sns(&s3(&["k"]).to_string())] {
            let mut body = body.to_string();
            let at = at.min(body.len());
            let end = (at + cut).min(body.len());
            body.replace_range(at..end, &put);
            let _ = read(&body);
        }
    }

    #[test]
    fn any_key_survives_form_encoding(key in "\\PC{1,60}") {
        let (_, seen, _) = objects(&s3(&[&form_encoded(&key)]));
        prop_assert_eq!(seen[0].key.as_str(), key);
    }

    #[test]
    fn a_key_of_cloudtrail_or_eventbridge_is_not_decoded(key in "\\PC{1,60}") {
        let (_, seen, _) = objects(&cloudtrail(&[&key]));
        prop_assert_eq!(seen[0].key.as_str(), &key);
        let (_, seen, _) = objects(&eventbridge(&key));
        prop_assert_eq!(seen[0].key.as_str(), &key);
    }
}
