#![allow(clippy::unwrap_used)]

use super::*;
use crate::verify::testing::{Bucket, hour};
use serde_json::json;

fn walk(bucket: &Bucket, from: i64, to: i64) -> Vec<String> {
    let mut evidence = Evidence::default();
    let mut walk = Walk::new(&bucket.chain, hour(from), hour(to), true);
    let mut lines = Vec::new();
    loop {
        match walk.next(&evidence) {
            Err(need) => bucket.satisfy(&mut evidence, need),
            Ok(None) => return lines,
            Ok(Some(event)) => lines.push(match event {
                Event::Valid { end, .. } => format!("valid {}", moment::stamp(end)),
                Event::Invalid { name, why, .. } => format!("{} {why}", loose_stamp(&name.key)),
                Event::Gap { from, to, .. } => format!("gap {} {}", moment::stamp(from), moment::stamp(to)),
                Event::Fatal(text) => text,
            }),
        }
    }
}

fn valid(hours: std::ops::RangeInclusive<i64>) -> Vec<String> {
    hours.rev().map(|n| format!("valid {}", moment::stamp(hour(n)))).collect()
}

#[test]
fn from_the_newest_to_the_one_that_ends_where_the_window_starts() {
    let bucket = Bucket::with_hours(-5, 10);
    // The digest that starts with the window leads to one more.
    assert_eq!(walk(&bucket, 0, 8), valid(0..=9));
}

#[test]
fn a_run_of_deleted_digests_is_one_line() {
    let mut bucket = Bucket::with_hours(0, 6);
    for name in [2, 3].map(|n| bucket.name(n)) {
        bucket.objects.remove(&name);
    }
    let mut expected = valid(5..=6);
    expected.push("20260301T040000Z not found".to_owned());
    expected.extend(valid(1..=2));
    assert_eq!(walk(&bucket, 0, 6), expected);
}

#[test]
fn gaps_have_the_time_of_the_older_key() {
    let mut bucket = Bucket::with_hours(0, 2);
    bucket.restart();
    bucket.write(hour(5), hour(6), |_| ());
    let mut expected = valid(6..=6);
    expected.push("gap 20260301T020000Z 20260301T050000Z".to_owned());
    expected.extend(valid(1..=2));
    assert_eq!(walk(&bucket, 0, 6), expected);
}

#[test]
fn a_planted_object_ends_the_listing() {
    let mut bucket = Bucket::with_hours(0, 6);
    let reading = bucket.objects.values().next().unwrap().clone();
    let first = bucket.name(0).key.replace("20260301T010000Z", "0000000zzzzzzzzzzzzzzzz");
    bucket.objects.insert(Name::new("ct-bucket", first), reading);
    assert_eq!(walk(&bucket, 0, 6), Vec::<String>::new());
}

#[test]
fn where_the_command_never_ends_this_does() {
    let mut bucket = Bucket::with_hours(0, 3);
    let key = bucket.chain.key_at(hour(4));
    bucket.write(hour(3), hour(4), |digest| {
        digest["previousDigestS3Object"] = json!(key);
    });
    assert_eq!(walk(&bucket, 0, 4), valid(4..=4));
}

#[test]
fn where_the_command_crashes_this_ends_too() {
    let mut bucket = Bucket::with_hours(0, 3);
    bucket.write(hour(3), hour(4), |digest| {
        digest.as_object_mut().unwrap().remove("logFiles");
    });
    assert_eq!(walk(&bucket, 0, 4), ["valid 20260301T040000Z", "'logFiles'"]);
    bucket.keys.clear();
    assert_eq!(walk(&bucket, 0, 4), ["No public keys found between 2026-03-01T00:00:00Z and 2026-03-01T06:00:00Z"]);
}
