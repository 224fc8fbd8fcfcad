//! Objects through a running mill, with rules.
#![allow(clippy::unwrap_used)]

use super::{Mill, MillSettings, RecordLimits};
use crate::ack::{Counters, Delivery, Outcome};
use crate::config;
use crate::ecs::{Origin, Settings};
use crate::filter::{Own, Rule, Rules, processors};
use crate::output::parking::Parking;
use crate::output::{BulkShape, Framing, Source};
use crate::record::inflate::InflateLimits;
use crate::record::log_event::LogEvent;
use bytes::Bytes;
use proptest::prelude::*;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;

/// Drops by the record, drops by the document, changes.
const RULES: &str = "processors:
- drop_event: {id: raw, when: {equals: {eventName: A}}}
- drop_event: {id: mapped, when: {equals: {event.action: B}}}
- add_tags: {tags: [c], when: {equals: {event.action: C}}}
";

fn rules(folder: &std::path::Path) -> Vec<Arc<Rule>> {
    let file = folder.join("t.yml");
    std::fs::write(&file, RULES).unwrap();
    let mut config = config::load(&[file], &[], &|_| None).unwrap();
    let rules = processors(&mut config, "processors");
    config.finish().unwrap();
    rules
}

/// What shipping came to: its counters, its documents, and the records that each rule dropped.
type Shipped = (crate::ack::Counts, Vec<serde_json::Value>, Vec<u64>);

/// Ships one object.
async fn ship(object: String, chunk: usize, max_records: usize) -> Shipped {
    ship_all(object, chunk, max_records, None).await
}

/// Ships an object, then log events.
async fn ship_all(object: String, chunk: usize, max_records: usize, events: Option<Vec<LogEvent>>) -> Shipped {
    let folder = tempfile::tempdir().unwrap();
    let all = rules(folder.path());
    let parking = Arc::new(Parking::open(&folder.path().join("dead-letter")).unwrap());
    let settings = MillSettings {
        threads: 1,
        mapping: Arc::new(Settings { repair: true, ..Settings::default() }),
        shape: BulkShape { framing: Framing::Lines, compression_level: 0, max_bytes: 1 << 20, max_records },
        limits: RecordLimits { inflate: InflateLimits { bytes: 1 << 30, ratio: 1000 }, record: 1 << 20 },
        budget: 64 << 20,
        flush_timeout: Duration::from_secs(60),
    };
    let (bulks, mut queue) = mpsc::channel(2);
    let (mill, threads) = Mill::start(&settings, &parking, &bulks).unwrap();
    drop(bulks);
    let documents = tokio::spawn(async move {
        let mut documents = Vec::new();
        while let Some(bulk) = queue.recv().await {
            for line in bulk.body.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
                documents.push(serde_json::from_slice(line).unwrap());
            }
            for mut segment in bulk.segments {
                let open = segment.receipt.open();
                segment.receipt.settle(Outcome::Indexed, open);
            }
        }
        documents
    });
    let (counters, (verdicts, mut settled)) = (Arc::new(Counters::default()), mpsc::unbounded_channel());
    let delivery = Delivery::open(1, Arc::clone(&counters), verdicts);
    let part = delivery.part();
    delivery.seal();
    let own = mill.with(Arc::new(Rules::new(&Settings::default(), Own::default(), &all)));
    drop(mill);
    let origin = Origin { log_group: events.is_some().then(|| "group".to_owned()), ..Origin::default() };
    let mut reading = own.begin(part, Arc::new(origin), Arc::new(Source::default()), false);
    for piece in object.as_bytes().chunks(chunk) {
        reading = own.step(reading, Bytes::copy_from_slice(piece)).await.map_err(|(_, fault)| fault).unwrap();
    }
    if let Some(events) = events {
        reading = own.events(reading, events).await.map_err(|(_, fault)| fault).unwrap();
    }
    let reading = own.finish(reading).await.map_err(|(_, fault)| fault).unwrap();
    reading.into_part().complete();
    drop(own);
    let documents = documents.await.unwrap();
    assert!(settled.recv().await.unwrap().settled);
    tokio::task::spawn_blocking(|| threads.join()).await.unwrap();
    (counters.read(), documents, all.iter().map(|rule| rule.dropped()).collect())
}

#[tokio::test]
async fn a_changed_document_is_made_of_the_repaired_values() {
    // An object, where `aws.cloudtrail.error_code` is a keyword.
    let records = ["A", "B", "C", "D"].map(|name| format!(r#"{{"eventName":"{name}","errorCode":{{"a":1}}}}"#));
    let (counts, documents, _) = ship(format!(r#"{{"Records":[{}]}}"#, records.join(",")), 1000, 10).await;
    assert_eq!((counts.indexed, counts.filtered, counts.unbalanced()), (2, 2, 0));
    // Of the two that are dropped, one is never mapped.
    assert_eq!(counts.repaired, 3);
    for (doc, (record, tags)) in documents.iter().zip([(&records[2], &["c"][..]), (&records[3], &[])]) {
        assert_eq!(doc["aws"]["cloudtrail"]["error_code"], r#"{"a":1}"#);
        assert_eq!(doc["event"]["original"], record.as_str());
        let all = ["forwarded", "aws-cloudtrail", "preserve_original_event", "shape_repaired"];
        assert_eq!(doc["tags"], serde_json::json!([&all, tags].concat()));
    }
}

#[tokio::test]
async fn log_events_are_records_with_a_place_of_their_own() {
    let event = |id: &str, message: &str| LogEvent {
        id: id.to_owned(),
        stream: "stream".to_owned(),
        timestamp: 1_795_168_800_000,
        ingested: Some(1_795_168_800_001),
        message: message.to_owned(),
    };
    let large = format!(r#"{{"eventName":"{}"}}"#, "x".repeat(1 << 20));
    let events = vec![
        event("1", r#"{"eventName":"A"}"#),
        event("2", r#"{"eventName":"C","eventID":"c"}"#),
        event("3", "no record"),
        event("4", &large),
    ];
    let (counts, documents, dropped) = ship_all(String::new(), 1, 10, Some(events)).await;
    assert_eq!((counts.filtered, counts.indexed, counts.parked, counts.unbalanced()), (1, 2, 1, 0));
    assert_eq!(dropped, [1, 0, 0]);
    for doc in &documents {
        let cloudwatch = serde_json::json!({"log_group": "group", "log_stream": "stream", "ingestion_time": "2026-11-20T10:00:00.001Z"});
        assert_eq!(doc["aws"]["cloudwatch"], cloudwatch);
        assert_eq!(
            (&doc["log"]["file"]["path"], &doc["log"]["offset"]),
            (&"group/stream".into(), &serde_json::Value::Null)
        );
    }
    assert_eq!((&documents[0]["event"]["id"], &documents[0]["tags"][2]), (&"c".into(), &"c".into()));
    // ECS mapping 12.
    assert_eq!(
        (&documents[1]["event"]["kind"], &documents[1]["event"]["original"]),
        (&"pipeline_error".into(), &"no record".into())
    );
}

#[tokio::test]
async fn a_payload_of_log_events_among_records_is_its_events() {
    let payload = |kind: &str, names: &[&str]| {
        let events: Vec<_> = names
            .iter()
            .map(|name| serde_json::json!({"id": name, "timestamp": 1, "message": format!(r#"{{"eventName":"{name}"}}"#)}))
            .collect();
        serde_json::json!({"messageType": kind, "owner": "1", "logGroup": "g", "logStream": "s", "logEvents": events})
            .to_string()
    };
    let object = [
        payload("DATA_MESSAGE", &["A", "C", "D"]),
        payload("CONTROL_MESSAGE", &["D"]),
        r#"{"Records":[{"eventName":"C"}]}"#.to_owned(),
        payload("DATA_MESSAGE", &["B"]),
        // A record with a strange member.
        r#"{"eventName":"D","logEvents":[]}"#.to_owned(),
    ];
    for chunk in [7, 1000] {
        let (counts, documents, dropped) = ship(object.concat(), chunk, 10).await;
        assert_eq!((counts.received, counts.indexed, counts.filtered, counts.unbalanced()), (6, 4, 2, 0));
        assert_eq!(dropped, [1, 1, 0]);
        let shown: Vec<_> = documents
            .iter()
            .map(|doc| (doc["event"]["action"].as_str().unwrap(), doc["aws"]["cloudwatch"]["log_group"].as_str()))
            .collect();
        assert_eq!(shown, [("C", Some("g")), ("D", Some("g")), ("C", None), ("D", None)]);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn every_record_is_filtered_parked_or_indexed(
        names in proptest::collection::vec("[ABCDX]", 1..60), chunk in 20..2000usize, max_records in 1..20usize,
    ) {
        // X stands for a record that is no JSON.
        let records: Vec<String> = names
            .iter()
            .map(|name| if name == "X" { r#"{"eventName":}"#.to_owned() } else { format!(r#"{{"eventName":"{name}"}}"#) })
            .collect();
        let object = format!(r#"{{"Records":[{}]}}"#, records.join(","));
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let (counts, documents, dropped) = runtime.block_on(ship(object, chunk, max_records));
        let count = |name: &str| names.iter().filter(|own| *own == name).count() as u64;
        prop_assert_eq!(counts.received, names.len() as u64);
        prop_assert_eq!(counts.filtered, count("A") + count("B"));
        prop_assert_eq!(counts.parked, count("X"));
        prop_assert_eq!(counts.indexed, count("C") + count("D"));
        prop_assert_eq!((counts.returned, counts.in_flight, counts.unbalanced()), (0, 0, 0));
        prop_assert_eq!(dropped, [count("A"), count("B"), 0]);
        let actions: Vec<&str> = documents.iter().filter_map(|doc| doc["event"]["action"].as_str()).collect();
        let shipped: Vec<&str> = names.iter().map(String::as_str).filter(|name| matches!(*name, "C" | "D")).collect();
        prop_assert_eq!(actions, shipped);
        for doc in &documents {
            let tagged = doc["tags"].as_array().unwrap().iter().any(|tag| tag == "c");
            prop_assert_eq!(tagged, doc["event"]["action"] == "C");
        }
    }
}
