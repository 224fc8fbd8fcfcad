//! S3: where a bucket lies, what its answers mean, and the way there.

use super::*;
use crate::faults::{event_ids, filled};
use crate::have;
use crate::support::between::{Between, Fate};
use crate::support::program::{Program, until};
use crate::support::search::Stream;
use crate::support::servers::{Server, engines};
use crate::support::trail;

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_in_another_region_than_its_queue() {
    for told in [true, false] {
        let aws = have!(Server::fast());
        let (bucket, events) = filled(&aws, 3, 20).await;
        // As S3 answers at the endpoint of another region than the bucket's: by name of the region, or without it.
        let s3 = Between::new(&aws.url, move |call| {
            let about_bucket = call.is("GetObject") || call.method == "HEAD";
            if !about_bucket || call.header("authorization").contains("/eu-central-1/s3/") {
                return Fate::Pass;
            }
            let mut headers = vec![("content-type", "application/xml".to_owned())];
            if told || call.method == "HEAD" {
                headers.push(("x-amz-bucket-region", "eu-central-1".to_owned()));
            }
            let text = "<Error><Code>PermanentRedirect</Code><Message>The bucket must be addressed elsewhere</Message></Error>";
            Fate::RefuseWith(301, headers, if call.method == "HEAD" { String::new() } else { text.to_owned() })
        })
        .await;
        let program = Program::new(&bucket.input_by(&s3.url, ""), FILES, "");
        let out = program.to_files();
        let summary = program.once();
        assert_eq!(counts(&summary), [60, 60, 0, 0, 0], "{summary}");
        assert_eq!(event_ids(&out), events);
        let calls = s3.calls("GetObject");
        let right = calls.iter().filter(|call| call.header("authorization").contains("/eu-central-1/s3/")).count();
        assert_eq!(right, 3, "each object is read once, where it lies");
        for receive in s3.calls("ReceiveMessage") {
            assert!(receive.header("authorization").contains("/us-east-1/sqs/"));
        }
        assert_eq!(bucket.depth().await, (0, 0));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn throttling_by_s3_and_by_kms() {
    let kms = "You have exceeded the rate at which you may call KMS. Reduce the frequency of your calls. (Service: AWSKMS; Status Code: 400; Error Code: ThrottlingException)";
    for (status, code, message) in [
        (503, "SlowDown", "Please reduce your request rate."),
        (400, "ThrottlingException", kms),
        (400, "KMS.ThrottlingException", kms),
        (503, "SlowDown", kms),
        (429, "TooManyRequests", ""),
        (500, "InternalError", "We encountered an internal error. Please try again."),
    ] {
        let aws = have!(Server::fast());
        let (bucket, events) = filled(&aws, 2, 20).await;
        aws.set_faults(&json!([{"op": "GetObject", "status": status, "code": code, "message": message, "times": 3}]))
            .await;
        let program = Program::new(&bucket.input(""), FILES, "");
        let out = program.to_files();
        let summary = program.once();
        assert_eq!(aws.hits().await, [3], "{code}");
        assert_eq!(counts(&summary), [40, 40, 0, 0, 0], "{status} {code}: {summary}");
        assert_eq!(event_ids(&out), events, "{status} {code}");
        assert_eq!(bucket.depth().await, (0, 0));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn s3_answers_503_for_longer_than_all_tries_of_a_reading() {
    let aws = have!(Server::fast());
    let (bucket, events) = filled(&aws, 1, 20).await;
    // Five tries of five calls, then the message is given back.
    aws.set_faults(&json!([{"op": "GetObject", "status": 503, "code": "SlowDown", "times": 27}])).await;
    let program = Program::new(&bucket.input(""), FILES, "");
    let out = program.to_files();
    let summary = program.once();
    assert_eq!(aws.hits().await, [27]);
    assert_eq!(counts(&summary), [20, 20, 0, 0, 0], "{summary}");
    assert_eq!(event_ids(&out), events);
    assert_eq!(bucket.depth().await, (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_that_expire_in_mid_download() {
    let aws = have!(Server::fast());
    let bucket = Trail::new(&aws, true).await;
    let records = trail::records("event", 2000);
    // Not compressed, so that the first records are shipped before the break.
    bucket.put(&trail::key("CloudTrail", "large"), serde_json::to_vec(&json!({"Records": records})).unwrap()).await;
    let faults = json!([
        {"op": "GetObject", "cut_after": 500_000, "reset": true, "times": 1},
        {"op": "GetObject", "status": 400, "code": "ExpiredToken", "message": "The provided token has expired.", "times": 6},
    ]);
    aws.set_faults(&faults).await;
    let program = Program::new(&bucket.input("visibility_timeout: 5s"), FILES, "");
    let out = program.to_files();
    let mut running = program.spawn(&["run", "--format", "json"]);
    left(&mut running, &bucket, 0).await;
    let hits = aws.hits().await;
    ended(running);
    assert_eq!(hits, [1, 6], "every try was refused once, so that the message was given back in between");
    // The records before the break were shipped by the first reading, and are repeats of the second: the same ids.
    let mut shipped = event_ids(&out);
    shipped.dedup();
    assert_eq!(shipped, trail::ids(&records));
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_that_expire_in_mid_download_double_nothing_in_an_index() {
    let aws = have!(Server::fast());
    let search = have!(Server::search(&engines()[0]));
    let bucket = Trail::new(&aws, true).await;
    let records = trail::records("event", 2000);
    bucket.put(&trail::key("CloudTrail", "large"), serde_json::to_vec(&json!({"Records": records})).unwrap()).await;
    let faults = json!([
        {"op": "GetObject", "cut_after": 500_000, "reset": true, "times": 1},
        {"op": "GetObject", "status": 400, "code": "ExpiredToken", "times": 6},
    ]);
    aws.set_faults(&faults).await;
    let stream = Stream::new(&search.url, "expired");
    let output = Program::elasticsearch(&search.url, &stream.namespace, "");
    let program = Program::new(&bucket.input("visibility_timeout: 5s"), &output, "");
    program.setup();
    let mut running = program.spawn(&["run", "--format", "json"]);
    left(&mut running, &bucket, 0).await;
    let summary = ended(running);
    let [_, indexed, _, _, parked] = counts(&summary);
    assert_eq!((indexed, parked), (2000, 0), "{summary}");
    assert_eq!(stream.event_ids().await, trail::ids(&records));
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_that_cannot_be_read_until_somebody_mends_it_stay_in_the_queue() {
    for (status, code, message, advice) in [
        (404, "NoSuchKey", "The specified key does not exist.", "removed before it was read"),
        // So does S3 answer for what is not there to who may not list.
        (403, "AccessDenied", "Access Denied", "s3:ListBucket"),
        (403, "InvalidObjectState", "The operation is not valid for the object's storage class", "restore"),
        (
            403,
            "AccessDenied",
            "User: arn:aws:iam::1:user/u is not authorized to perform: kms:Decrypt on this resource",
            "kms:Decrypt",
        ),
        (400, "KMS.DisabledException", "The key is disabled", "key is enabled"),
    ] {
        let aws = have!(Server::fast());
        let (bucket, events) = filled(&aws, 5, 10).await;
        let rule =
            json!([{"op": "GetObject", "contains": "object002", "status": status, "code": code, "message": message}]);
        aws.set_faults(&rule).await;
        let program = Program::new(&bucket.input("visibility_timeout: 30s"), FILES, "");
        let out = program.to_files();
        let mut running = program.spawn(&["run", "--format", "json"]);
        left(&mut running, &bucket, 1).await;
        until("the fault is named, with the object and what to do", || {
            let said = running.said();
            [code, "object002", advice].iter().all(|part| said.contains(part)).then_some(())
        });
        let summary = ended(running);
        assert_eq!(counts(&summary)[1..], [40, 0, 0, 0], "{code}: {summary}");
        let mut others = events.clone();
        others.retain(|id| !id.starts_with("event-002"));
        assert_eq!(event_ids(&out), others, "{code}: the others are shipped");
        let (visible, hidden) = bucket.depth().await;
        assert_eq!(visible + hidden, 1, "{code}: its message is there still");

        // Mended and announced again, it comes.
        aws.set_faults(&json!([])).await;
        bucket.forget().await;
        bucket.send(&notice(&bucket.bucket, &[&trail::key("CloudTrail", "object002")]).to_string()).await;
        let again = program.once();
        assert_eq!(counts(&again), [10, 10, 0, 0, 0], "{code}: {again}");
        assert_eq!(event_ids(&out), events, "{code}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_wrong_by_a_day() {
    let aws = have!(Server::fast());
    let (bucket, events) = filled(&aws, 3, 20).await;
    // Refused with a date a day behind; a client that learns from it is heard again.
    let skewed =
        |op: &str| json!({"op": op, "status": 403, "code": "RequestTimeTooSkewed", "skew_s": -86_400, "times": 2});
    aws.set_faults(&json!([skewed("ReceiveMessage"), skewed("GetObject"), skewed("DeleteMessageBatch")])).await;
    let program = Program::new(&bucket.input("visibility_timeout: 5s"), FILES, "");
    let out = program.to_files();
    let summary = program.once();
    assert_eq!(aws.hits().await, [2, 2, 2]);
    assert_eq!(counts(&summary), [60, 60, 0, 0, 0], "{summary}");
    assert_eq!(event_ids(&out), events);
    assert_eq!(bucket.depth().await, (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn proxies_to_aws_and_to_the_search_server() {
    let aws = have!(Server::fast());
    let (bucket, events) = filled(&aws, 3, 50).await;
    for engine in engines() {
        let search = have!(Server::search(&engine));
        let (to_aws, to_search) = (Between::proxy().await, Between::proxy().await);
        let stream = Stream::new(&search.url, "proxies");
        let output = Program::elasticsearch(&search.url, &stream.namespace, &format!("proxy_url: {}", to_search.url));
        let input = bucket.input(&format!("proxy_url: {}", to_aws.url));
        let program = Program::new(&input, &output, "");
        program.setup();
        let summary = program.once();
        assert_eq!(counts(&summary), [150, 150, 0, 0, 0], "{engine}: {summary}");
        assert_eq!(stream.event_ids().await, events, "{engine}");
        let asked = |proxy: &Between, operation: &str| proxy.count(operation) + proxy.count("CONNECT");
        assert!(asked(&to_aws, "GetObject") > 0 && asked(&to_aws, "ReceiveMessage") > 0, "{engine}");
        assert!(asked(&to_search, "_bulk") > 0, "{engine}");
        // For the next engine.
        for n in 0..3 {
            let key = trail::key("CloudTrail", &format!("object{n:03}"));
            bucket.send(&notice(&bucket.bucket, &[&key]).to_string()).await;
        }
    }
}
