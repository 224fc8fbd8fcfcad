//! When the last event came, by account and region and by where it was read: one search over the data stream.

use crate::output::elasticsearch::{Cluster, Method, Settings};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

/// What is indexed.
#[derive(Debug, Default, PartialEq, Serialize)]
pub struct Events {
    pub data_stream: String,
    /// How far back was looked, seconds.
    pub since_seconds: u64,
    /// By account and region, the one that has been silent for the longest first.
    pub places: Vec<Series<Place>>,
    /// By where records were read from: type of the input, and bucket or log group where there is one.
    pub sources: Vec<Series<(String, Option<String>)>>,
    /// Accounts, regions or sources are left out, as there are too many.
    pub is_cut: bool,
}

/// Where events were recorded.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Place {
    pub account: String,
    pub region: String,
}

/// Events that belong together, and the last of them.
#[derive(Debug, PartialEq, Serialize)]
pub struct Series<T> {
    pub of: T,
    pub events: u64,
    /// `@timestamp` of the last event.
    pub last: Timestamp,
    /// Seconds from it until now.
    pub behind_seconds: i64,
    /// When the document that was made last was made.
    pub made: Option<Timestamp>,
}

/// Accounts, regions of each, and buckets or log groups of each type of input that are told.
const ACCOUNTS: u64 = 1_000;
const REGIONS: u64 = 100;
const SOURCES: u64 = 1_000;

/// Looks over the documents of the last `since`.
///
/// # Errors
/// No answer, or a refusal, with what to do about it.
pub(super) async fn read(settings: Arc<Settings>, since: Duration) -> Result<Events, String> {
    let stream = settings.stream.clone();
    let cluster = Cluster::new(settings)?;
    let path = format!("{stream}/_search?ignore_unavailable=true&allow_no_indices=true");
    let now = Timestamp::now();
    let reply = cluster.ask(Method::Post, &path, Some(&search(since))).await;
    let reply = reply.map_err(|fault| format!("searching `{stream}`: {fault}"))?;
    if !reply.is_success() {
        return Err(reply.refused_search(&stream));
    }
    Ok(Events { data_stream: stream, since_seconds: since.as_secs(), ..answer(&reply.json(), now) })
}

fn search(since: Duration) -> Value {
    let last = json!({"last": {"max": {"field": "@timestamp"}}, "made": {"max": {"field": "event.ingested"}}});
    let by = |field: &str, size: u64, inside: &Value| json!({"terms": {"field": field, "size": size}, "aggs": inside});
    let with = |more: &[(&str, Value)]| {
        let mut inside = last.clone();
        if let Some(inside) = inside.as_object_mut() {
            inside.extend(more.iter().map(|(name, aggregation)| ((*name).to_owned(), aggregation.clone())));
        }
        inside
    };
    // As a time, since servers count only so many seconds back from `now`.
    let from = Timestamp::now().saturating_sub(since).map_or(0, |from| from.as_millisecond().max(0));
    json!({
        "size": 0,
        "track_total_hits": false,
        "query": {"range": {"@timestamp": {"gte": from, "format": "epoch_millis"}}},
        "aggs": {
            "accounts": by("cloud.account.id", ACCOUNTS, &json!({"regions": by("cloud.region", REGIONS, &last)})),
            "inputs": by("input.type", REGIONS, &with(&[
                ("buckets", by("aws.s3.bucket.name", SOURCES, &last)),
                ("groups", by("aws.cloudwatch.log_group", SOURCES, &last)),
            ])),
        }
    })
}

fn answer(body: &Value, now: Timestamp) -> Events {
    let mut events = Events::default();
    let mut is_cut = false;
    let mut buckets = |of: &Value| -> Vec<Value> {
        is_cut |= of["sum_other_doc_count"].as_u64().unwrap_or(0) > 0;
        of["buckets"].as_array().cloned().unwrap_or_default()
    };
    for account in buckets(&body["aggregations"]["accounts"]) {
        for region in buckets(&account["regions"]) {
            let place = Place { account: name(&account), region: name(&region) };
            events.places.extend(series(place, &region, now));
        }
    }
    for input in buckets(&body["aggregations"]["inputs"]) {
        let inside: Vec<Value> = [buckets(&input["buckets"]), buckets(&input["groups"])].concat();
        if inside.is_empty() {
            events.sources.extend(series((name(&input), None), &input, now));
        }
        for source in inside {
            events.sources.extend(series((name(&input), Some(name(&source))), &source, now));
        }
    }
    events.places.sort_by(|a, b| a.last.cmp(&b.last).then_with(|| a.of.cmp(&b.of)));
    events.sources.sort_by(|a, b| a.last.cmp(&b.last).then_with(|| a.of.cmp(&b.of)));
    events.is_cut = is_cut;
    events
}

fn name(bucket: &Value) -> String {
    bucket["key"].as_str().map_or_else(|| bucket["key"].to_string(), str::to_owned)
}

fn series<T>(of: T, bucket: &Value, now: Timestamp) -> Option<Series<T>> {
    let last = time(&bucket["last"])?;
    Some(Series {
        of,
        events: bucket["doc_count"].as_u64().unwrap_or(0),
        last,
        behind_seconds: now.as_second() - last.as_second(),
        made: time(&bucket["made"]),
    })
}

/// The value of a `max` over a date: milliseconds since 1970, as a double.
fn time(of: &Value) -> Option<Timestamp> {
    Timestamp::from_millisecond(of["value"].as_f64()? as i64).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-03-04T05:06:07Z.
    const LAST: i64 = 1_772_600_767_000;

    fn bucket(key: &str, last: i64, inside: &Value) -> Value {
        let mut bucket = json!({
            "key": key, "doc_count": 7, "last": {"value": last as f64}, "made": {"value": (last + 60_000) as f64},
        });
        if let (Some(bucket), Some(inside)) = (bucket.as_object_mut(), inside.as_object()) {
            bucket.extend(inside.clone());
        }
        bucket
    }

    #[test]
    fn the_longest_silence_comes_first() {
        let none = json!({});
        let regions = json!({"regions": {"sum_other_doc_count": 0, "buckets": [
            bucket("eu-west-1", LAST, &none), bucket("us-east-1", LAST - 5_000, &none)]}});
        let inputs = [
            bucket("file", LAST, &json!({"buckets": {"buckets": []}, "groups": {"buckets": []}})),
            bucket("aws-s3", LAST, &json!({"buckets": {"buckets": [bucket("trail", LAST - 9_000, &none)]}})),
        ];
        let body = json!({"aggregations": {
            "accounts": {"sum_other_doc_count": 0, "buckets": [bucket("111122223333", LAST, &regions)]},
            "inputs": {"sum_other_doc_count": 3, "buckets": inputs},
        }});
        let now = Timestamp::from_millisecond(LAST + 10_000).unwrap_or_default();
        let events = answer(&body, now);
        let places: Vec<(&str, &str, i64, u64)> = events
            .places
            .iter()
            .map(|series| (series.of.account.as_str(), series.of.region.as_str(), series.behind_seconds, series.events))
            .collect();
        assert_eq!(places, [("111122223333", "us-east-1", 15, 7), ("111122223333", "eu-west-1", 10, 7)]);
        let sources: Vec<(&str, Option<&str>, i64)> = events
            .sources
            .iter()
            .map(|series| (series.of.0.as_str(), series.of.1.as_deref(), series.behind_seconds))
            .collect();
        assert_eq!(sources, [("aws-s3", Some("trail"), 19), ("file", None, 10)]);
        assert_eq!(
            events.places.first().and_then(|series| series.made).map(Timestamp::as_second),
            Some(LAST / 1_000 + 55)
        );
        assert!(events.is_cut, "a type of input is left out");
    }

    #[test]
    fn however_far_back_it_is_a_time() {
        let from =
            |days: u64| search(Duration::from_secs(days * 86_400))["query"]["range"]["@timestamp"]["gte"].as_i64();
        assert_eq!(from(36_500), Some(0));
        let (week, now) = (from(7).unwrap_or(0), Timestamp::now().as_millisecond());
        assert!((now - 7 * 86_400_000 - 60_000..=now - 7 * 86_400_000).contains(&week), "{week}");
    }

    #[test]
    fn a_stream_that_is_not_there_has_no_events() {
        let empty = json!({"hits": {"hits": []}});
        assert_eq!(answer(&empty, Timestamp::now()), Events::default());
    }
}
