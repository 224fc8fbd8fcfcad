//! Records that are odd in themselves.

use super::*;
use crate::have;
use crate::support::program::Program;
use crate::support::search::Stream;
use crate::support::servers::{Server, engines};
use crate::support::trail;

#[tokio::test(flavor = "multi_thread")]
async fn event_times_in_the_future_and_times_that_are_none() {
    let times = [
        ("f-next", json!("2099-12-31T23:59:59Z"), Some("2099-12-31T23:59:59.000Z")),
        ("f-last", json!("9999-12-31T23:59:59Z"), Some("9999-12-31T23:59:59.000Z")),
        ("past", json!("1969-07-20T20:17:40Z"), Some("1969-07-20T20:17:40.000Z")),
        ("word", json!("yesterday"), None),
        ("number", json!(17), None),
        ("null", Value::Null, None),
        ("far", json!("+12345-01-01T00:00:00Z"), None),
    ];
    let mut records = Vec::new();
    for (id, time, _) in &times {
        let mut record = trail::record(id);
        record["eventTime"] = time.clone();
        records.push(record);
    }
    let mut without = trail::record("absent");
    without.as_object_mut().unwrap().remove("eventTime");
    records.push(without);

    let aws = have!(Server::aws());
    for engine in engines() {
        let search = have!(Server::search(&engine));
        let bucket = Trail::new(&aws, true).await;
        bucket.put(&trail::key("CloudTrail", "times"), trail::object(&records)).await;
        // Announced again: the same ids, whatever the time.
        bucket.put(&trail::key("CloudTrail", "times"), trail::object(&records)).await;
        let stream = Stream::new(&search.url, "times");
        let output = Program::elasticsearch(&search.url, &stream.namespace, "");
        let program = Program::new(&bucket.input(""), &output, "setup.failure_store: false");
        program.setup();
        let summary = program.once();
        let n = records.len() as u64;
        assert_eq!(counts(&summary), [2 * n, n, n, 0, 0], "{engine}: {summary}");
        assert_eq!(stream.event_ids().await, trail::ids(&records), "{engine}");
        let documents = stream.documents().await;
        for (id, _, expected) in &times {
            let (_, source) = documents.iter().find(|(_, source)| source["event"]["id"] == *id).unwrap();
            match expected {
                Some(time) => assert_eq!(source["@timestamp"], *time, "{engine}: {id}"),
                None => assert!(source["@timestamp"].is_string(), "{engine}: {source}"),
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn events_over_256_kb() {
    let aws = have!(Server::aws());
    for engine in engines() {
        let search = have!(Server::search(&engine));
        let bucket = Trail::new(&aws, true).await;
        let mut records = trail::records("event", 20);
        records[3]["requestParameters"] = json!({"policyDocument": "x".repeat(300 << 10)});
        records[7]["responseElements"] =
            json!({"list": vec![json!({"name": "n".repeat(100), "value": "語".repeat(100)}); 1000]});
        records[11]["additionalEventData"] = json!({"a": {"b": "y".repeat(2 << 20)}});
        records[13]["errorMessage"] = json!("z".repeat(600 << 10));
        records[17]["requestParameters"] = json!({"giant": "g".repeat(5 << 20)});
        bucket.put(&trail::key("CloudTrail", "large"), trail::object(&records)).await;
        let stream = Stream::new(&search.url, "large_events");
        let output = Program::elasticsearch(&search.url, &stream.namespace, "");
        let program = Program::new(&bucket.input(""), &output, "limits.record_bytes: 4MiB\nsetup.failure_store: false");
        program.setup();
        let summary = program.once();
        assert_eq!(counts(&summary), [20, 19, 0, 0, 1], "{engine}: {summary}");
        let fitting: Vec<Value> =
            records.iter().filter(|record| record["eventID"] != "event-000017").cloned().collect();
        assert_eq!(stream.event_ids().await, trail::ids(&fitting), "{engine}");
        let dead = program.dead_letters();
        assert_eq!((dead.len(), &dead[0]["code"]), (1, &json!("too-large")), "{engine}");
        assert_eq!(bucket.depth().await, (0, 0));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_id_from_two_trails_is_one_document_and_from_two_accounts_two() {
    let aws = have!(Server::aws());
    for engine in engines() {
        let search = have!(Server::search(&engine));
        let (one, two) = (Trail::new(&aws, true).await, Trail::new(&aws, true).await);
        let records = trail::records("shared", 100);
        let copies: Vec<Value> = records
            .iter()
            .map(|record| {
                let mut copy = record.clone();
                copy["recipientAccountId"] = json!("444455556666");
                copy
            })
            .collect();
        one.put(&trail::key("CloudTrail", "first"), trail::object(&records)).await;
        // The other trail has its own bucket, file names, order and files.
        let mut turned = records.clone();
        turned.reverse();
        two.put(&format!("other/{}", trail::key("CloudTrail", "second")), trail::object(&turned)).await;
        two.put(&trail::key("CloudTrail", "third"), trail::object(&copies)).await;
        let inputs = format!("{}{}", one.input(""), two.input("").replace("id: trail", "id: other"));
        let stream = Stream::new(&search.url, "two_trails");
        let program = Program::new(&inputs, &Program::elasticsearch(&search.url, &stream.namespace, ""), "");
        program.setup();
        let summary = program.once();
        assert_eq!(counts(&summary), [300, 200, 100, 0, 0], "{engine}: {summary}");
        assert_eq!(stream.event_ids().await, trail::ids(&[records, copies].concat()), "{engine}");
    }
}
