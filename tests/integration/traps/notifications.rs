//! Notifications: how keys are written, and what stands beside them.

use super::*;
use crate::faults::{event_ids, filled};
use crate::have;
use crate::support::program::{Program, documents, until};
use crate::support::search::Stream;
use crate::support::servers::{Server, engines};
use crate::support::trail;

/// Form encoding as S3 writes keys in notifications: unreserved bytes and `/` as they are, a space as `+`.
fn form(key: &str) -> String {
    let mut text = String::new();
    for byte in key.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'*' | b'/' => text.push(char::from(byte)),
            b' ' => text.push('+'),
            _ => text.push_str(&format!("%{byte:02X}")),
        }
    }
    text
}

fn sns(message: &Value) -> Value {
    json!({
        "Type": "Notification", "MessageId": "1", "TopicArn": "arn:aws:sns:us-east-1:111122223333:trail", "Subject": "Amazon S3 Notification",
        "Message": message.to_string(), "Timestamp": "2026-01-02T03:04:05.678Z",
    })
}

fn eventbridge(bucket: &str, key: &str) -> Value {
    json!({
        "version": "0", "id": "1", "detail-type": "Object Created", "source": "aws.s3", "account": trail::ACCOUNT, "region": "us-east-1",
        "detail": {"version": "0", "bucket": {"name": bucket}, "object": {"key": key, "size": 10, "etag": "e"}, "reason": "PutObject"},
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn odd_keys_by_every_shape_of_notification() {
    type Make = fn(&str, &str) -> Value;
    let shapes: [(&str, Make); 9] = [
        ("direct", |bucket, key| notice(bucket, &[&form(key)])),
        ("direct-2.6", |bucket, key| {
            let mut message = notice(bucket, &[&form(key)]);
            message["Records"][0]["eventVersion"] = json!("2.6");
            message
        }),
        ("direct-all-encoded", |bucket, key| notice(bucket, &[&form(key).replace('/', "%2F")])),
        ("sns", |bucket, key| sns(&notice(bucket, &[&form(key)]))),
        ("cloudtrail-raw", |bucket, key| json!({"s3Bucket": bucket, "s3ObjectKey": [key]})),
        ("cloudtrail-one", |bucket, key| json!({"s3Bucket": bucket, "s3ObjectKey": key})),
        ("cloudtrail-sns", |bucket, key| sns(&json!({"s3Bucket": bucket, "s3ObjectKey": [key]}))),
        ("eventbridge", |bucket, key| eventbridge(bucket, key)),
        ("eventbridge-sns", |bucket, key| sns(&eventbridge(bucket, key))),
    ];
    let odd = [
        "a+b",
        "a b",
        "ü 日本語",
        "%2B",
        "100%",
        "k=v&w",
        "a?b#c",
        "it's (1), \"2\"",
        "+ +",
        "%e4%2f",
        "a\\b",
        "~!@$;:,",
    ];
    let aws = have!(Server::fast());
    let bucket = Trail::new(&aws, false).await;
    let (mut keys, mut events) = (Vec::new(), Vec::new());
    for (name, make) in shapes {
        for (n, odd) in odd.iter().enumerate() {
            let key = format!("{odd}/{}", trail::key("CloudTrail", &format!("{name}-{n}")));
            let records = trail::records(&format!("{name}-{n}"), 2);
            bucket.put(&key, trail::object(&records)).await;
            bucket.send(&make(&bucket.bucket, &key).to_string()).await;
            keys.extend([key.clone(), key]);
            events.extend(records);
        }
    }
    let program = Program::new(&bucket.input(""), FILES, "");
    let out = program.to_files();
    let summary = program.once();
    let n = events.len() as u64;
    assert_eq!(counts(&summary), [n, n, 0, 0, 0], "{summary}");
    assert_eq!(event_ids(&out), trail::ids(&events));
    let mut named: Vec<String> = documents(&out)
        .iter()
        .map(|document| document["aws"]["s3"]["object"]["key"].as_str().unwrap().to_owned())
        .collect();
    named.sort();
    keys.sort();
    assert_eq!(named, keys);
    assert_eq!(bucket.depth().await, (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_notification_twice() {
    let aws = have!(Server::fast());
    for engine in engines() {
        let search = have!(Server::search(&engine));
        let (bucket, events) = filled(&aws, 4, 300).await;
        for n in 0..4 {
            let key = trail::key("CloudTrail", &format!("object{n:03}"));
            // Another time, and another way.
            let mut again = notice(&bucket.bucket, &[&key]);
            again["Records"][0]["eventTime"] = json!("2026-01-02T04:00:00.000Z");
            let again = if n % 2 == 0 { again } else { sns(&json!({"s3Bucket": bucket.bucket, "s3ObjectKey": [key]})) };
            bucket.send(&again.to_string()).await;
        }
        let stream = Stream::new(&search.url, "twice");
        let program = Program::new(&bucket.input(""), &Program::elasticsearch(&search.url, &stream.namespace, ""), "");
        program.setup();
        let summary = program.once();
        assert_eq!(counts(&summary), [2400, 1200, 1200, 0, 0], "{engine}: {summary}");
        assert_eq!(stream.event_ids().await, events, "{engine}");
        assert!(program.dead_letters().is_empty());
        assert_eq!(bucket.depth().await, (0, 0));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_bad_record_of_a_notification_holds_up_no_other() {
    let good = [trail::key("CloudTrail", "object000"), trail::key("CloudTrail", "object001")];
    let gone = trail::key("CloudTrail", "gone");
    // What the second of three records is, and whether its message stays.
    for (what, path, value, stays) in [
        ("a missing object", "/s3/object/key", json!(gone), true),
        ("a removal", "/eventName", json!("ObjectRemoved:Delete"), false),
        ("another service", "/eventSource", json!("aws:ses"), true),
        ("another version", "/eventVersion", json!("3.0"), true),
        ("a key that is none", "/s3/object/key", json!("%FF%FE"), true),
        ("no key", "/s3/object", json!({}), true),
        ("no bucket", "/s3/bucket", json!(null), true),
    ] {
        let aws = have!(Server::fast());
        let (bucket, events) = filled(&aws, 2, 10).await;
        bucket.forget().await;
        let mut message = notice(&bucket.bucket, &[&good[0], &gone, &good[1]]);
        *message["Records"][1].pointer_mut(path).unwrap() = value;
        bucket.send(&message.to_string()).await;
        let program = Program::new(&bucket.input("visibility_timeout: 60s"), FILES, "");
        let out = program.to_files();
        let mut running = program.spawn(&["run", "--format", "json"]);
        until("the good ones are shipped", || (out.exists() && documents_so_far(&out) >= 20).then_some(()));
        left(&mut running, &bucket, u64::from(stays)).await;
        ended(running);
        assert_eq!(event_ids(&out), events, "{what}");
        let (visible, hidden) = bucket.depth().await;
        assert_eq!(visible + hidden, u64::from(stays), "{what}");
    }
}

fn documents_so_far(out: &std::path::Path) -> usize {
    let files = std::fs::read_dir(out).unwrap();
    files.map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap_or_default().lines().count()).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn several_keys_in_one_notice_of_cloudtrail_with_one_missing() {
    let aws = have!(Server::fast());
    let (bucket, events) = filled(&aws, 3, 10).await;
    bucket.forget().await;
    let key = |name: &str| trail::key("CloudTrail", name);
    let keys = [key("object000"), key("gone"), key("object001"), key("object001"), key("object002")];
    bucket.send(&sns(&json!({"s3Bucket": bucket.bucket, "s3ObjectKey": keys})).to_string()).await;
    let program = Program::new(&bucket.input("visibility_timeout: 60s"), FILES, "");
    let out = program.to_files();
    let mut running = program.spawn(&["run", "--format", "json"]);
    until("the missing one is named", || {
        let said = running.said();
        (said.contains("NoSuchKey") && said.contains("_gone.json.gz")).then_some(())
    });
    left(&mut running, &bucket, 1).await;
    until("the others are shipped", || (documents_so_far(&out) >= 30).then_some(()));
    ended(running);
    let mut shipped = event_ids(&out);
    shipped.dedup();
    assert_eq!(shipped, events);
}
