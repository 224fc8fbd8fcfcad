//! Every shape of notification, through a real queue.

use crate::have;
use crate::support::aws::Trail;
use crate::support::program::Program;
use crate::support::servers::Server;
use crate::support::trail;
use serde_json::{Value, json};

/// A direct notification (CloudTrail formats 2, shape 1); keys are encoded as S3 does.
fn s3(bucket: &str, keys: &[&str]) -> Value {
    let records: Vec<Value> = keys
        .iter()
        .map(|key| {
            json!({
                "eventVersion": "2.1", "eventSource": "aws:s3", "awsRegion": "us-east-1", "eventName": "ObjectCreated:Put",
                "s3": {"bucket": {"name": bucket}, "object": {"key": key, "size": 10, "eTag": "e", "sequencer": "0"}},
            })
        })
        .collect();
    json!({"Records": records})
}

fn sns(message: &str) -> String {
    json!({
        "Type": "Notification", "MessageId": "1", "TopicArn": "arn:aws:sns:us-east-1:111122223333:trail", "Subject": "Amazon S3 Notification",
        "Message": message, "Timestamp": "2026-01-02T03:04:05.678Z",
    })
    .to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_shape_names_its_objects() {
    let aws = have!(Server::aws());
    let bucket = Trail::new(&aws, false).await;
    let name = bucket.bucket.clone();
    let mut expected = Vec::new();
    let mut put = async |label: &str| {
        let records = trail::records(label, 2);
        let key = format!("with space+plus/ä=%/{}", trail::key("CloudTrail", label));
        bucket.put(&key, trail::object(&records)).await;
        expected.extend(trail::ids(&records));
        key
    };
    // Form encoding: a space is `+`, everything else outside the unreserved characters is percent-encoded.
    let encode = |key: &str| {
        key.replace('%', "%25").replace('+', "%2B").replace(' ', "+").replace('ä', "%C3%A4").replace('=', "%3D")
    };

    let (one, two) = (put("direct-one").await, put("direct-two").await);
    bucket.send(&s3(&name, &[&encode(&one), &encode(&two)]).to_string()).await;
    let key = put("slash-encoded").await;
    bucket.send(&s3(&name, &[&encode(&key).replace('/', "%2F")]).to_string()).await;
    let key = put("by-sns").await;
    bucket.send(&sns(&s3(&name, &[&encode(&key)]).to_string())).await;
    let (one, two) = (put("cloudtrail-one").await, put("cloudtrail-two").await);
    bucket.send(&sns(&json!({"s3Bucket": name, "s3ObjectKey": [one, two]}).to_string())).await;
    let key = put("cloudtrail-raw").await;
    bucket.send(&json!({"s3Bucket": name, "s3ObjectKey": [key]}).to_string()).await;
    let key = put("eventbridge").await;
    let event = json!({
        "version": "0", "id": "1", "detail-type": "Object Created", "source": "aws.s3", "account": "111122223333", "region": "us-east-1",
        "detail": {"version": "0", "bucket": {"name": name}, "object": {"key": key, "size": 10, "etag": "e"}, "reason": "PutObject"},
    });
    bucket.send(&event.to_string()).await;
    // Acknowledged without an object.
    bucket.send(&json!({"Service": "Amazon S3", "Event": "s3:TestEvent", "Time": "2026-01-02T03:04:05Z", "Bucket": name, "RequestId": "1", "HostId": "1"}).to_string()).await;
    bucket.send(&sns("CloudTrail validation message.")).await;
    // Left to the queue's redrive.
    bucket.send(&json!({"Type": "SubscriptionConfirmation", "Token": "t", "TopicArn": "arn:aws:sns:us-east-1:111122223333:trail", "Message": "m", "SubscribeURL": "https://example.com/"}).to_string()).await;
    bucket.send("{\"what\": \"is this\"}").await;
    bucket.send("no JSON at all").await;

    let program = Program::new(&bucket.input("visibility_timeout: 20s"), "output.file.path: ${OUT}", "");
    let out = program.folder.path().join("out");
    let output = program.command(&["run", "--once", "--format", "json"]).env("OUT", &out).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    let summary: Value = serde_json::from_slice(&output.stdout).unwrap();
    let mut shipped: Vec<String> = Vec::new();
    for entry in std::fs::read_dir(&out).unwrap() {
        for line in std::fs::read_to_string(entry.unwrap().path()).unwrap().lines() {
            let document: Value = serde_json::from_str(line).unwrap();
            assert_eq!(document["aws"]["s3"]["bucket"]["name"], name.as_str());
            assert!(document["aws"]["s3"]["object"]["key"].as_str().unwrap().starts_with("with space+plus/ä=%/"));
            shipped.push(document["event"]["id"].as_str().unwrap().to_owned());
        }
    }
    shipped.sort();
    expected.sort();
    assert_eq!(shipped, expected, "{said}");
    assert_eq!(summary["inputs"][0]["messages_unknown"], 3, "{summary}\n{said}");
    let (visible, hidden) = bucket.depth().await;
    assert_eq!(visible + hidden, 3, "unknown messages stay in the queue, all others are deleted");
}
