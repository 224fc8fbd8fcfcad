//! The main job: what lies in the bucket is in the index, each event once.

use crate::have;
use crate::support::aws::Trail;
use crate::support::program::Program;
use crate::support::search::Stream;
use crate::support::servers::{Server, engines};
use crate::support::trail;
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn the_ids_in_the_index_are_the_events_in_the_bucket() {
    let aws = have!(Server::aws());
    for engine in engines() {
        let search = have!(Server::search(&engine));
        let bucket = Trail::new(&aws, true).await;
        let stream = Stream::new(&search.url, "ids");
        let mut events = Vec::new();
        for n in 0..5 {
            let records = trail::records(&format!("event-{n}"), 300);
            bucket.put(&trail::key("CloudTrail", &format!("object{n}")), trail::object(&records)).await;
            events.extend(records);
        }
        // The same events in a second object: CloudTrail may deliver twice.
        bucket.put(&trail::key("CloudTrail", "again"), trail::object(&events[..300])).await;

        let program = Program::new(&bucket.input(""), &Program::elasticsearch(&search.url, &stream.namespace, ""), "");
        program.setup();
        let summary = program.once();
        assert_eq!(summary["objects"], 6, "{engine}: {summary}");
        assert_eq!(
            (summary["records"].as_u64(), summary["indexed"].as_u64(), summary["duplicate"].as_u64()),
            (Some(1800), Some(1500), Some(300))
        );
        assert_eq!(stream.event_ids().await, trail::ids(&events), "{engine}");
        assert_eq!(bucket.depth().await, (0, 0), "every message is deleted");

        // Everything is announced anew: nothing is added.
        for n in 0..5 {
            bucket
                .put(&trail::key("CloudTrail", &format!("object{n}")), trail::object(&events[n * 300..(n + 1) * 300]))
                .await;
        }
        let again = program.once();
        assert_eq!(
            (again["indexed"].as_u64(), again["duplicate"].as_u64()),
            (Some(0), Some(1500)),
            "{engine}: {again}"
        );
        assert_eq!(stream.event_ids().await, trail::ids(&events), "{engine}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_record_is_parked_alone() {
    let aws = have!(Server::aws());
    for engine in engines() {
        let search = have!(Server::search(&engine));
        let bucket = Trail::new(&aws, true).await;
        let stream = Stream::new(&search.url, "refused");
        let mut records = trail::records("fine", 50);
        // A text that is no boolean; refused by an index that forgives nothing.
        records[20]["readOnly"] = json!("maybe");
        records[20]["eventID"] = json!("refused-by-the-index");
        let mut text = serde_json::to_string(&json!({"Records": records})).unwrap();
        // A member of the list that is no object: a document that says so. And one that is no JSON.
        text = text.replacen(r#"{"Records":["#, r#"{"Records":[17,{"eventID":"broken","a":tru},"#, 1);
        bucket.put(&trail::key("CloudTrail", "mixed"), trail::gzip(text.as_bytes())).await;

        let strict = "setup.template:\n  name: strict-aws.cloudtrail\n  pattern: logs-aws.cloudtrail-refused_*\n  priority: 300\n  \
             settings.index.mapping.ignore_malformed: false\nsetup.failure_store: false";
        let output = Program::elasticsearch(&search.url, &stream.namespace, "");
        let program = Program::new(&bucket.input(""), &output, strict);
        program.setup();
        let summary = program.once();
        assert_eq!(
            (summary["indexed"].as_u64(), summary["parked"].as_u64()),
            (Some(50), Some(2)),
            "{engine}: {summary}"
        );
        let mut fine = trail::ids(&records);
        fine.retain(|id| id.starts_with("fine"));
        assert_eq!(stream.event_ids().await, fine, "{engine}");
        assert_eq!(bucket.depth().await, (0, 0));

        let dead = program.dead_letters();
        assert_eq!(dead.len(), 2, "{dead:?}");
        for letter in &dead {
            assert_eq!(letter["input"], "trail");
            assert_eq!(letter["bucket"], bucket.bucket.as_str());
            assert_eq!(letter["object"], trail::key("CloudTrail", "mixed"));
            assert!(letter["reason"].as_str().is_some_and(|reason| !reason.is_empty()));
        }
        let refused = dead.iter().find(|letter| letter["status"] == 400).unwrap();
        assert!(refused["record"].as_str().unwrap().contains("refused-by-the-index"), "{refused}");
        let place = text.find(r#"{"eventID":"broken""#).unwrap();
        assert!(
            dead.iter()
                .any(|letter| letter["offset"] == place && letter["record"] == r#"{"eventID":"broken","a":tru}"#),
            "{dead:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn digests_are_read_only_when_their_pattern_says_so() {
    let aws = have!(Server::aws());
    let search = have!(Server::search(&engines()[0]));
    for wanted in [false, true] {
        let bucket = Trail::new(&aws, true).await;
        let stream = Stream::new(&search.url, if wanted { "digests" } else { "nodigests" });
        bucket.put(&trail::key("CloudTrail", "log"), trail::object(&trail::records("event", 3))).await;
        bucket.put(&trail::key("CloudTrail-Insight", "insight"), trail::object(&trail::records("insight", 2))).await;
        bucket
            .put(&trail::key("CloudTrail-NetworkActivity", "network"), trail::object(&trail::records("network", 2)))
            .await;
        let digest = json!({
            "awsAccountId": trail::ACCOUNT, "digestStartTime": "2026-01-02T02:00:00Z", "digestEndTime": "2026-01-02T03:00:00Z",
            "digestS3Bucket": bucket.bucket, "digestS3Object": "d", "previousDigestHashValue": "abcd", "logFiles": [{"s3Object": "x"}],
        });
        let name = format!(
            "AWSLogs/{0}/CloudTrail-Digest/us-east-1/2026/01/02/{0}_CloudTrail-Digest_us-east-1_trail_us-east-1_20260102T030000Z.json.gz",
            trail::ACCOUNT
        );
        bucket.put(&name, trail::gzip(digest.to_string().as_bytes())).await;

        let pattern =
            if wanted { "cloudtrail_digest_regex: '/CloudTrail-Digest/'" } else { "cloudtrail_digest_regex: ''" };
        let program =
            Program::new(&bucket.input(pattern), &Program::elasticsearch(&search.url, &stream.namespace, ""), "");
        program.setup();
        let summary = program.once();
        assert_eq!(summary["indexed"], if wanted { 6 } else { 5 }, "{summary}");
        assert_eq!(bucket.depth().await, (0, 0), "what is skipped is acknowledged");
        let digests: Vec<_> =
            stream.documents().await.into_iter().filter(|(_, source)| source["event"]["id"].is_null()).collect();
        assert_eq!(digests.len(), usize::from(wanted));
        for (_, source) in digests {
            assert_eq!(source["@timestamp"], "2026-01-02T03:00:00.000Z");
            assert_eq!(source["related"]["hash"], json!(["abcd"]));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn reading_without_consuming_leaves_the_queue_as_it_is() {
    let aws = have!(Server::aws());
    let bucket = Trail::new(&aws, true).await;
    bucket.put(&trail::key("CloudTrail", "kept"), trail::object(&trail::records("kept", 4))).await;
    let program = Program::new(
        &bucket.input("delete_consumed_messages: false\nvisibility_timeout: 2s"),
        "output.file:\n  path: ${OUT}",
        "",
    );
    let out = program.folder.path().join("out");
    let output = program.command(&["run", "--once", "--format", "json"]).env("OUT", &out).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let (visible, hidden) = bucket.depth().await;
    assert_eq!(visible + hidden, 2, "the object's message is still there, and the bucket's test message");
    let shipped: usize = std::fs::read_dir(&out)
        .unwrap()
        .map(|entry| std::fs::read_to_string(entry.unwrap().path()).unwrap().lines().count())
        .sum();
    assert_eq!(shipped, 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pipeline_of_the_index_may_map() {
    let aws = have!(Server::aws());
    let mut ran = 0;
    for engine in engines() {
        let search = have!(Server::search(&engine));
        let stream = Stream::new(&search.url, "pipeline");
        let pipeline = json!({"processors": [
            {"rename": {"field": "message", "target_field": "event.original"}},
            {"json": {"field": "event.original", "target_field": "record"}},
            {"rename": {"field": "record.eventID", "target_field": "event.id"}},
            {"rename": {"field": "_conf.retain", "target_field": "labels.retain"}},
            {"remove": {"field": ["record", "_conf"]}},
        ]});
        let path = format!("_ingest/pipeline/{}", stream.namespace);
        // The Elasticsearch of these tests has no processors.
        if stream.call(reqwest::Method::PUT, &path, Some(pipeline)).await.0 != 200 {
            continue;
        }
        ran += 1;
        let bucket = Trail::new(&aws, true).await;
        let records = trail::records("piped", 40);
        bucket.put(&trail::key("CloudTrail", "piped"), trail::object(&records)).await;
        let output = Program::elasticsearch(&search.url, &stream.namespace, &format!("pipeline: {}", stream.namespace));
        let program = Program::new(&bucket.input(""), &output, "mapping: {where: pipeline, retain: keyword}");
        program.setup();
        let summary = program.once();
        assert_eq!(
            (summary["indexed"].as_u64(), summary["parked"].as_u64()),
            (Some(40), Some(0)),
            "{engine}: {summary}"
        );
        assert_eq!(stream.event_ids().await, trail::ids(&records), "{engine}");
        for (_, source) in stream.documents().await {
            let original: serde_json::Value =
                serde_json::from_str(source["event"]["original"].as_str().unwrap()).unwrap();
            assert_eq!(original["eventID"], source["event"]["id"]);
            assert_eq!(source["labels"]["retain"], "keyword");
            assert_eq!(source["input"]["type"], "aws-s3");
            assert!(source["message"].is_null() && source["event"]["action"].is_null());
        }
    }
    if ran == 0 {
        crate::support::servers::skipped("no engine of this run has ingest processors");
    }
}
