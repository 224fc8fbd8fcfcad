//! Records and objects of a small trail, made for one test.

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use std::io::Write;

pub const ACCOUNT: &str = "111122223333";

/// A record with an id of its own.
pub fn record(id: &str) -> Value {
    json!({
        "eventVersion": "1.11",
        "userIdentity": {"type": "IAMUser", "principalId": "AIDAEXAMPLE", "arn": format!("arn:aws:iam::{ACCOUNT}:user/alice"), "accountId": ACCOUNT, "userName": "alice"},
        "eventTime": "2026-01-02T03:04:05Z",
        "eventSource": "ec2.amazonaws.com",
        "eventName": "DescribeInstances",
        "awsRegion": "us-east-1",
        "sourceIPAddress": "192.0.2.17",
        "userAgent": "aws-cli/2.18.17",
        "requestParameters": {"instancesSet": {}, "filterSet": {"items": [{"name": "vpc-id"}]}},
        "responseElements": null,
        "requestID": format!("request-{id}"),
        "eventID": id,
        "readOnly": true,
        "eventType": "AwsApiCall",
        "managementEvent": true,
        "recipientAccountId": ACCOUNT,
        "eventCategory": "Management",
    })
}

/// `n` records whose ids start with `prefix`.
pub fn records(prefix: &str, n: usize) -> Vec<Value> {
    (0..n).map(|i| record(&format!("{prefix}-{i:06}"))).collect()
}

/// The ids of records, sorted.
pub fn ids(records: &[Value]) -> Vec<String> {
    let mut ids: Vec<String> = records.iter().map(|record| record["eventID"].as_str().unwrap().to_owned()).collect();
    ids.sort();
    ids
}

/// A log file as CloudTrail writes it.
pub fn object(records: &[Value]) -> Vec<u8> {
    gzip(&serde_json::to_vec(&json!({"Records": records})).unwrap())
}

pub fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

/// A key in the layout of a trail; `folder` is such as `CloudTrail`.
pub fn key(folder: &str, name: &str) -> String {
    format!(
        "AWSLogs/{ACCOUNT}/{folder}/us-east-1/2026/01/02/{ACCOUNT}_{folder}_us-east-1_20260102T0310Z_{name}.json.gz"
    )
}
