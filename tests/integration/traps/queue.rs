//! SQS: visibility, receipt handles, deletes.

use super::*;
use crate::faults::{event_ids, filled};
use crate::have;
use crate::support::between::{Between, Call, Fate};
use crate::support::program::{Program, until};
use crate::support::search::Stream;
use crate::support::servers::{Server, engines};
use std::time::Duration;

#[tokio::test(flavor = "multi_thread")]
async fn visibility_far_shorter_than_ten_messages_take() {
    // Every bulk takes a second: all of them eight visibility time-outs.
    let aws = have!(Server::fast());
    let search = have!(Server::search(&engines()[0]));
    let (bucket, events) = filled(&aws, 16, 100).await;
    let slow = Between::new(&search.url, |call| match call.is("_bulk") {
        true => Fate::Late(Duration::from_secs(1)),
        false => Fate::Pass,
    })
    .await;
    let stream = Stream::new(&search.url, "livelock");
    let output = Program::elasticsearch(&slow.url, &stream.namespace, "workers: 1\nbulk_max_size: 100");
    let program = Program::new(&bucket.input("visibility_timeout: 2s"), &output, "");
    program.setup();
    let mut running = program.spawn(&["run", "--format", "json"]);
    left(&mut running, &bucket, 0).await;
    let summary = ended(running);
    assert!(slow.count("_bulk") >= 16, "too fast to show anything");
    assert_eq!(counts(&summary), [1600, 1600, 0, 0, 0], "{summary}");
    assert_eq!(summary["objects"], 16, "no object was read twice: {summary}");
    assert_eq!(stream.event_ids().await, events);
}

#[tokio::test(flavor = "multi_thread")]
async fn receipt_handles_that_expire_while_objects_are_under_way() {
    // The queue hands each message out again after a second, with a new handle; the output takes three.
    fn shortly(mut request: Value) -> Value {
        request["VisibilityTimeout"] = json!(1);
        request
    }
    let aws = have!(Server::fast());
    let search = have!(Server::search(&engines()[0]));
    let (bucket, events) = filled(&aws, 6, 50).await;
    let queue = Between::new(&aws.url, |call| match call.is("ReceiveMessage") {
        true => Fate::Change(shortly, |answer| answer),
        false => Fate::Pass,
    })
    .await;
    let slow = Between::new(&search.url, |call| match call.is("_bulk") {
        true => Fate::Late(Duration::from_secs(3)),
        false => Fate::Pass,
    })
    .await;
    let stream = Stream::new(&search.url, "handles");
    let output = Program::elasticsearch(&slow.url, &stream.namespace, "workers: 1\nbulk_max_size: 100");
    let program = Program::new(&bucket.input_by(&queue.url, ""), &output, "");
    program.setup();
    let mut running = program.spawn(&["run", "--format", "json"]);
    left(&mut running, &bucket, 0).await;
    let summary = ended(running);
    let received = summary["inputs"][0]["messages_received"].as_u64().unwrap();
    assert!(received > 6, "nothing was handed out again, so the test showed nothing: {summary}");
    assert_eq!(counts(&summary), [300, 300, 0, 0, 0], "{summary}");
    assert_eq!(summary["objects"], 6, "no object was read twice: {summary}");
    assert_eq!(stream.event_ids().await, events);
}

/// The answer to a batch whose entries are all refused.
fn refused(call: &Call, code: &str) -> Fate {
    let batch: Value = serde_json::from_slice(&call.body()).unwrap();
    let entries = batch["Entries"].as_array().unwrap().iter();
    let failed: Vec<Value> = entries
        .map(|entry| json!({"Id": entry["Id"], "SenderFault": code == "ReceiptHandleIsInvalid", "Code": code, "Message": "as asked"}))
        .collect();
    Fate::Refuse(200, "application/x-amz-json-1.0", json!({"Successful": [], "Failed": failed}).to_string())
}

#[tokio::test(flavor = "multi_thread")]
async fn deletes_after_the_handle_has_expired() {
    for code in ["ReceiptHandleIsInvalid", "InternalError"] {
        let aws = have!(Server::fast());
        let (bucket, events) = filled(&aws, 12, 10).await;
        let queue = Between::new(&aws.url, move |call| match call.is("DeleteMessageBatch") && call.before < 3 {
            true => refused(call, code),
            false => Fate::Pass,
        })
        .await;
        let program = Program::new(&bucket.input_by(&queue.url, "visibility_timeout: 2s"), FILES, "");
        let out = program.to_files();
        let mut running = program.spawn(&["run", "--format", "json"]);
        left(&mut running, &bucket, 0).await;
        let summary = ended(running);
        assert!(queue.count("DeleteMessageBatch") > 3, "{code}");
        assert_eq!(counts(&summary), [120, 120, 0, 0, 0], "{code}: what comes back is deleted unread: {summary}");
        assert_eq!(event_ids(&out), events, "{code}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_to_a_delete_or_a_receive_that_is_lost() {
    let aws = have!(Server::fast());
    let (bucket, events) = filled(&aws, 12, 10).await;
    let queue = Between::new(&aws.url, |call| {
        let chosen = call.is("DeleteMessageBatch") || call.is("ReceiveMessage");
        if chosen && call.before == 0 { Fate::Lose } else { Fate::Pass }
    })
    .await;
    let program = Program::new(&bucket.input_by(&queue.url, "visibility_timeout: 3s"), FILES, "");
    let out = program.to_files();
    let mut running = program.spawn(&["run", "--format", "json"]);
    left(&mut running, &bucket, 0).await;
    // An empty queue may still have an answer on its way.
    until("all is shipped", || (event_ids(&out).len() >= 120).then_some(()));
    let summary = ended(running);
    assert_eq!(counts(&summary), [120, 120, 0, 0, 0], "{summary}");
    assert_eq!(event_ids(&out), events);
}
