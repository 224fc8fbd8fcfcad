//! Every declared field is reachable: some record, input or setting makes it. Those that are not made here say so.
#![allow(clippy::unwrap_used)]

use super::field::Rule;
use super::stage::tests::{NOW, document};
use super::table::FIELDS;
use super::{Agent, ENTITIES_TAG, Field, Kind, MappedBy, Mapper, Origin, Position, Retain, Settings, Timestamp};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::Arc;

fn bucket() -> Origin {
    let text = |text: &str| Some(text.to_string());
    Origin {
        input_type: "aws-s3",
        bucket_name: text("trail"),
        bucket_arn: text("arn:aws:s3:::trail"),
        object_key: text("AWSLogs/x.json.gz"),
        log_file_path: text("https://trail.s3.eu-west-1.amazonaws.com/AWSLogs/x.json.gz"),
        region: text("eu-west-1"),
        ..Origin::default()
    }
}

fn log_group() -> Origin {
    Origin { input_type: "aws-cloudwatch", log_group: Some("trail".to_string()), ..Origin::default() }
}

/// One record for each kind of event that has fields of its own.
fn records() -> Vec<Value> {
    let identity = |kind: &str, arn: &str| json!({"type": kind, "arn": arn, "principalId": "p", "userName": "ana"});
    vec![
        json!({
            "eventTime": "2026-11-02T01:06:28Z", "eventSource": "ec2.amazonaws.com", "eventName": "RunInstances", "eventID": "e",
            "awsRegion": "us-east-1", "sourceIPAddress": "192.0.2.1", "errorCode": "x", "sharedEventID": "s", "managementEvent": true,
            "recipientAccountId": "1",
            "userAgent": "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36",
            "tlsDetails": {"tlsVersion": "TLSv1.2", "cipherSuite": "c", "clientProvidedHostHeader": "files.example"},
            "requestParameters": {"userName": "eve", "newUserName": "eva", "groupName": "g"},
            "responseElements": {"user": {"userId": "u"}, "group": {"groupId": "g"}, "instanceId": "i-0123456789abcdef0"},
            "additionalEventData": {"a": 1}, "serviceEventDetails": {"b": 2},
            "resources": [{"ARN": "a", "accountId": "1", "type": "t"}, {"ARNPrefix": "p"}],
            "userIdentity": {"type": "AssumedRole", "principalId": "p", "arn": "arn:aws:sts::1:assumed-role/ops/ana@a.example",
                "sessionContext": {"attributes": {"creationDate": "2026-11-02T01:00:00Z"}, "sessionIssuer": {"userName": "ops"}}},
        }),
        json!({"eventName": "ConsoleLogin", "additionalEventData": {"LoginTo": "l", "MFAUsed": "Yes", "MobileVersion": "No"}}),
        json!({"digestEndTime": "2026-11-02T01:00:00Z", "digestS3Object": "o", "previousDigestHashValue": "h"}),
        json!({"insightDetails": {"state": "Start"}}),
        json!({"eventTime": "no time"}),
        json!({"eventName": "Decrypt", "userIdentity": {"type": "AWSService", "invokedBy": "ec2.amazonaws.com", "arn": "arn:aws:iam::1:role/aws-service-role/x"}}),
        json!({"eventName": "GetUser", "userIdentity": identity("IAMUser", "arn:aws:iam::1:user/ana")}),
        json!({"eventName": "GetUser", "userIdentity": identity("Unknown", "arn:aws:ec2:us-east-1:1:instance/i-0123456789")}),
        json!({"eventName": "GetUser", "userIdentity": {"type": "IdentityCenterUser", "onBehalfOf": {"userId": "u"}}}),
        json!({"eventSource": "sts.amazonaws.com", "eventName": "AssumeRole", "requestParameters": {"roleArn": "arn:aws:iam::1:role/ops"}}),
        json!({"eventSource": "ssm.amazonaws.com", "eventName": "StartSession", "requestParameters": {"target": "i-0123456789abcdef0"}}),
        json!({"eventSource": "s3.amazonaws.com", "eventName": "PutObject", "resources": [{"ARN": "arn:aws:s3:::bucket/key"}]}),
        json!({"eventSource": "sns.amazonaws.com", "eventName": "Publish", "requestParameters": {"topicArn": "arn:aws:sns:us-east-1:1:alerts"}}),
    ]
}

fn settings() -> Settings {
    let word = |word: &str| word.to_string();
    Settings {
        tags: vec![word(ENTITIES_TAG)],
        agent: Agent { id: word("i"), name: word("n"), kind: word("k"), version: word("v"), ephemeral_id: word("e") },
        ..Settings::default()
    }
}

fn pointer(field: &Field) -> String {
    format!("/{}", field.name.replace('.', "/"))
}

/// The names of the fields of a document; those of resources by the members of the list.
fn names(document: &Value) -> impl Iterator<Item = &'static str> {
    let has = |field: &&Field| {
        let inside = field.name.strip_prefix("aws.cloudtrail.resources.");
        let resources = document["aws"]["cloudtrail"]["resources"].as_array();
        document.pointer(&pointer(field)).is_some()
            || inside
                .zip(resources)
                .is_some_and(|(name, list)| list.iter().any(|resource| resource.get(name).is_some()))
    };
    FIELDS.iter().filter(has).map(|field| field.name).collect::<Vec<_>>().into_iter()
}

#[test]
fn a_moved_field_is_what_its_source_holds() {
    for field in FIELDS {
        let Rule::Moved(source) = field.rule else { continue };
        let value = if field.kind == Kind::Flattened { json!({"k": "x"}) } else { json!("x") };
        let record = source.path().rsplit('.').fold(value.clone(), |inner, name| json!({ name: inner }));
        assert_eq!(document(&record).pointer(&pointer(field)), Some(&value), "{}", field.name);
    }
}

#[test]
fn every_field_is_made_by_some_record_or_says_that_it_is_not() {
    let retain = Retain::parse("minimal").unwrap();
    let by_pipeline = Settings { mapped_by: MappedBy::Pipeline, retain, ..settings() };
    let now = Timestamp::from_unix_nanos(NOW);
    let mut made = BTreeSet::new();
    for mut mapper in [settings(), by_pipeline].map(|settings| Mapper::new(Arc::new(settings))) {
        for record in records() {
            for origin in [bucket(), log_group()] {
                let at =
                    Position { log_stream: Some("stream"), ingestion_time: Some(now), ..Position::new(&origin, 7) };
                let mut out = Vec::new();
                mapper.map(record.to_string().as_bytes(), at, now).unwrap().write(&mut out);
                made.extend(names(&serde_json::from_slice(&out).unwrap()));
            }
        }
    }
    let (mut missing, mut unexpected) = (Vec::new(), Vec::new());
    for field in FIELDS {
        match field.rule {
            // Has a test of its own.
            Rule::Moved(_) => {}
            Rule::Foreign(_) | Rule::Enriched(_) | Rule::Own(_) if made.contains(field.name) => {
                unexpected.push(field.name)
            }
            Rule::Foreign(_) | Rule::Enriched(_) | Rule::Own(_) => {}
            _ if !made.contains(field.name) => missing.push(field.name),
            _ => {}
        }
    }
    assert!(missing.is_empty(), "no case makes {missing:?}");
    assert!(unexpected.is_empty(), "made in spite of their rule: {unexpected:?}");
}
