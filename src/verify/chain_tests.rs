#![allow(clippy::unwrap_used)]

use super::*;
use crate::verify::key::Key;
use crate::verify::testing::{Bucket, hour, window};
use crate::verify::unpack::Ending;
use crate::verify::{
    evidence::{Content, Reading},
    vector,
};
use serde_json::json;

fn audit(bucket: &Bucket, window: Window) -> Audit {
    let mut evidence = Evidence::default();
    let mut auditor = Auditor::new(&bucket.chain, window);
    loop {
        match auditor.audit(&evidence) {
            Ok(audit) => return audit,
            Err(needs) => needs.into_iter().for_each(|need| bucket.satisfy(&mut evidence, need)),
        }
    }
}

/// Kinds of the findings, with what each stands for, sorted.
fn kinds(bucket: &Bucket, from: i64, to: i64) -> Vec<(Kind, u64)> {
    let mut found: Vec<(Kind, u64)> =
        audit(bucket, window(from, to)).findings.iter().map(|finding| (finding.kind, finding.count)).collect();
    found.sort_unstable();
    found
}

#[test]
fn a_whole_chain_has_no_findings() {
    let bucket = Bucket::with_hours(-2, 26);
    let audit = audit(&bucket, window(0, 24));
    assert_eq!(audit.findings, []);
    // The hours of the window, the one that begins at its end, and the one that ends at its start.
    assert_eq!((audit.digests, audit.valid, audit.authentic.len()), (26, 26, 26));
    assert_eq!(audit.covered, [(hour(0), hour(24))]);
    assert_eq!(audit.newest.unwrap().1, hour(25));
}

#[test]
fn digests_that_were_taken_away_are_counted() {
    for (gone, expected) in [
        (5..6, vec![(Kind::DigestMissing, 1)]),
        (5..12, vec![(Kind::DigestMissing, 7)]),
        // The newest: nothing names them.
        (22..25, vec![(Kind::TailUncovered, 3)]),
        (0..3, vec![(Kind::DigestMissing, 3)]),
    ] {
        let mut bucket = Bucket::with_hours(0, 25);
        for name in gone.clone().map(|n| bucket.name(n)).collect::<Vec<_>>() {
            bucket.objects.remove(&name);
        }
        let to = if gone.end == 25 { 25 } else { 24 };
        assert_eq!(kinds(&bucket, 0, to), expected, "{gone:?}");
    }
}

#[test]
fn what_was_done_to_one_digest() {
    type Spoil = fn(&mut Bucket, &Name);
    let cases: [(&str, Spoil, Vec<Kind>); 15] = [
        (
            "content",
            |b, n| b.digest(n).hash = "00".repeat(32),
            vec![Kind::DigestSignatureWrong, Kind::ChainHashMismatch],
        ),
        ("end", |b, n| b.objects.get_mut(n).unwrap().content = Content::Cut, vec![Kind::DigestMalformed]),
        ("trailing", |b, n| trail(b, n), vec![Kind::DigestTrailingData]),
        (
            "signature",
            |b, n| set(b, n, Some("00".repeat(256))),
            vec![Kind::DigestSignatureWrong, Kind::ChainSignatureMismatch],
        ),
        (
            "no hex",
            |b, n| set(b, n, Some("xyz".to_owned())),
            vec![Kind::DigestSignatureWrong, Kind::ChainSignatureMismatch],
        ),
        (
            "upper case",
            |b, n| {
                let s = b.objects[n].signature.clone().unwrap().to_uppercase();
                set(b, n, Some(s))
            },
            vec![],
        ),
        ("metadata of a middle one lost", |b, n| set(b, n, None), vec![Kind::DigestUnsigned]),
        (
            "a copy of a middle one without metadata",
            |b, n| {
                set(b, n, None);
                b.objects.get_mut(n).unwrap().bare = true;
            },
            vec![],
        ),
        (
            "algorithm",
            |b, n| b.objects.get_mut(n).unwrap().algorithm = Some("SHA1withRSA".to_owned()),
            vec![Kind::DigestAlgorithm],
        ),
        ("no algorithm", |b, n| b.objects.get_mut(n).unwrap().algorithm = None, vec![Kind::DigestUnsigned]),
        ("account", |b, n| again(b, n, "awsAccountId", json!("999999999999")), vec![Kind::DigestInconsistent]),
        ("moved", |b, n| again(b, n, "digestS3Bucket", json!("other")), vec![Kind::DigestMoved]),
        (
            "hash algorithm",
            |b, n| again(b, n, "previousDigestHashAlgorithm", json!("MD5")),
            vec![Kind::DigestAlgorithm],
        ),
        ("unknown key", |b, n| again(b, n, "digestPublicKeyFingerprint", json!("ff")), vec![Kind::DigestKeyUnknown]),
        ("no list", |b, n| again(b, n, "logFiles", json!(null)), vec![]),
    ];
    for (what, spoil, mut expected) in cases {
        let mut bucket = Bucket::with_hours(0, 10);
        let name = bucket.name(5);
        spoil(&mut bucket, &name);
        // What is signed anew has another hash and signature than its successor states.
        if bucket.objects[&name]
            .digest()
            .is_some_and(|digest| digest.hash != Bucket::with_hours(0, 10).digest(&name).hash)
            && what != "content"
        {
            expected.extend([Kind::ChainHashMismatch, Kind::ChainSignatureMismatch]);
        }
        expected.sort_unstable();
        let found: Vec<Kind> = kinds(&bucket, 0, 9).into_iter().map(|(kind, _)| kind).collect();
        assert_eq!(found, expected, "{what}");
    }
}

fn set(bucket: &mut Bucket, name: &Name, signature: Option<String>) {
    bucket.objects.get_mut(name).unwrap().signature = signature;
}

fn trail(bucket: &mut Bucket, name: &Name) {
    if let Content::Digest(_, ending) = &mut bucket.objects.get_mut(name).unwrap().content {
        *ending = Ending::Trailing;
    }
}

/// Changes a member of a digest and signs it anew: whoever has the key can write what he likes.
fn again(bucket: &mut Bucket, name: &Name, member: &str, value: serde_json::Value) {
    let mut fresh = Bucket::new();
    let mut target = serde_json::Value::Null;
    for n in 0..10 {
        let written = fresh.write(hour(n), hour(n + 1), |digest| {
            if n == 5 {
                digest[member] = value.clone();
            }
            target = digest.clone();
        });
        if written == *name {
            break;
        }
    }
    let reading = bucket.sign(&target);
    bucket.objects.insert(name.clone(), reading);
}

#[test]
fn the_newest_digest_needs_its_own_signature() {
    let mut bucket = Bucket::with_hours(0, 5);
    let name = bucket.name(4);
    set(&mut bucket, &name, None);
    assert_eq!(kinds(&bucket, 0, 5), [(Kind::DigestUnsigned, 1)]);
}

#[test]
fn keys_are_checked_too() {
    let substituted = |bucket: &mut Bucket| bucket.keys[0].fingerprint = "ff".to_owned();
    let mut bucket = Bucket::new();
    substituted(&mut bucket);
    bucket.write(hour(0), hour(1), |_| ());
    assert_eq!(kinds(&bucket, 0, 1), [(Kind::DigestKeyFingerprint, 1)]);
    // The window is longer than the key is valid; signed two hours later at most.
    let mut bucket = Bucket::with_hours(0, 10);
    bucket.keys[0].valid_to = Some(hour(4));
    assert_eq!(kinds(&bucket, 0, 9), [(Kind::DigestKeyExpired, 1); 6]);
    bucket.keys[0] = Key { valid_from: Some(hour(4)), valid_to: None, ..bucket.keys[0].clone() };
    assert_eq!(kinds(&bucket, 0, 9), [(Kind::DigestKeyExpired, 1)], "only the first was signed by 03:00 at the latest");
}

#[test]
fn restarts_and_gaps() {
    for (pause, expected) in [(0, vec![(Kind::ChainRestarted, 1)]), (5, vec![(Kind::Gap, 1)])] {
        let mut bucket = Bucket::with_hours(0, 5);
        bucket.restart();
        for n in 5 + pause..20 {
            bucket.write(hour(n), hour(n + 1), |_| ());
        }
        assert_eq!(kinds(&bucket, 0, 19), expected);
    }
    let late = Bucket::with_hours(5, 20);
    assert_eq!(kinds(&late, 0, 19), [(Kind::HeadUncovered, 1)]);
    assert_eq!(kinds(&late, 4, 19), []);
}

#[test]
fn links_are_compared_with_what_is_there() {
    let mut bucket = Bucket::with_hours(0, 5);
    bucket.write(hour(5), hour(6), |digest| digest["previousDigestHashValue"] = json!("00"));
    assert_eq!(kinds(&bucket, 0, 5), [(Kind::ChainHashMismatch, 1)]);
    let mut bucket = Bucket::with_hours(0, 5);
    bucket.write(hour(5), hour(6), |digest| digest["previousDigestSignature"] = json!("00"));
    assert_eq!(kinds(&bucket, 0, 5), [(Kind::ChainSignatureMismatch, 1)]);
    let mut bucket = Bucket::with_hours(0, 5);
    bucket.write(hour(6), hour(7), |_| ());
    assert_eq!(kinds(&bucket, 0, 6), [(Kind::ChainDiscontinuity, 1)]);
    let mut bucket = Bucket::with_hours(0, 5);
    let (key, older) = (bucket.chain.key_at(hour(6)), bucket.name(2).key);
    bucket.write(hour(5), hour(6), |digest| digest["previousDigestS3Object"] = json!(key));
    let found = kinds(&bucket, 0, 5);
    assert_eq!(found, [(Kind::ChainLoop, 1)], "it names itself");
    let mut bucket = Bucket::with_hours(0, 5);
    bucket.write(hour(5), hour(6), |digest| digest["previousDigestS3Object"] = json!(older));
    let found = kinds(&bucket, 0, 5);
    assert!(found.contains(&(Kind::ChainOrphan, 1)) && found.contains(&(Kind::ChainHashMismatch, 1)), "{found:?}");
}

#[test]
fn a_chain_that_changes_its_bucket_is_followed() {
    let mut bucket = Bucket::new();
    for n in 0..5 {
        let name = Name::new("old-bucket", bucket.chain.key_at(hour(n + 1)));
        bucket.write_at(name, hour(n), hour(n + 1), |_| ());
    }
    for n in 5..10 {
        bucket.write(hour(n), hour(n + 1), |_| ());
    }
    assert_eq!(kinds(&bucket, 0, 9), []);
    // The first one after the change is spoilt: its link is still a hint.
    let first = Name::new("ct-bucket", bucket.chain.key_at(hour(6)));
    bucket.digest(&first).hash = "00".to_owned();
    let deleted = Name::new("old-bucket", bucket.chain.key_at(hour(3)));
    bucket.objects.remove(&deleted);
    let found = kinds(&bucket, 0, 9);
    assert_eq!(found, [(Kind::DigestMissing, 1), (Kind::DigestSignatureWrong, 1), (Kind::ChainHashMismatch, 1)]);
}

#[test]
fn strangers_hide_nothing() {
    let mut bucket = Bucket::with_hours(0, 10);
    let folder = bucket.name(0).key.rsplit_once('/').unwrap().0.to_owned();
    let reading = bucket.objects.values().next().unwrap().clone();
    for file in ["mytrail_us-east-1_x_us-east-1_20260301T230000Z", "mytrail_us-east-1_zzzzzzzzzzzzzzzz"] {
        let key = format!("{folder}/111122223333_CloudTrail-Digest_us-east-1_{file}.json.gz");
        bucket.objects.insert(Name::new("ct-bucket", key), reading.clone());
    }
    let name = bucket.name(3);
    bucket.digest(&name).hash = "00".to_owned();
    let found = kinds(&bucket, 0, 9);
    let expected = [Kind::DigestSignatureWrong, Kind::ChainHashMismatch, Kind::ForeignTrail, Kind::ForeignObject];
    assert_eq!(found.iter().map(|(kind, _)| *kind).collect::<Vec<_>>(), expected);
}

#[test]
fn backfill_digests_are_a_chain_of_their_own() {
    let mut bucket = Bucket::with_hours(0, 10);
    bucket.restart();
    for n in [3, 7] {
        let name = Name::new("ct-bucket", bucket.chain.key_at(hour(n)).replace("Z.json", "Z_backfill.json"));
        bucket.write_at(name.clone(), hour(n - 1), hour(n), |_| ());
        bucket.objects.get_mut(&name).unwrap().generated = Some("2026-03-02T00:00:00Z".to_owned());
    }
    let found = audit(&bucket, window(0, 9));
    assert_eq!((found.findings.as_slice(), found.digests), ([].as_slice(), 12));
    let first = Name::new("ct-bucket", bucket.chain.key_at(hour(3)).replace("Z.json", "Z_backfill.json"));
    let mut without = bucket.objects.remove(&first).unwrap();
    let missing = audit(&bucket, window(0, 9)).findings;
    assert_eq!(missing.iter().map(|f| (f.kind, f.backfill)).collect::<Vec<_>>(), [(Kind::DigestMissing, true)]);
    without.generated = None;
    bucket.objects.insert(first, without);
    assert_eq!(kinds(&bucket, 0, 9), [(Kind::DigestMalformed, 1)]);
}

#[test]
fn a_failed_call_is_no_tampering() {
    use crate::verify::evidence::{Failure, KeyAnswer};
    let bucket = Bucket::with_hours(0, 5);
    let failure = Failure {
        code: "SlowDown".to_owned(),
        action: "GetObject",
        message: String::new(),
        text: "slow down".to_owned(),
    };
    let run = |spoil: &dyn Fn(&mut Evidence)| {
        let mut evidence = Evidence::default();
        let mut auditor = Auditor::new(&bucket.chain, window(0, 4));
        loop {
            match auditor.audit(&evidence) {
                Ok(audit) => break audit.findings.iter().map(|finding| finding.kind).collect::<Vec<_>>(),
                Err(needs) => {
                    needs.into_iter().for_each(|need| bucket.satisfy(&mut evidence, need));
                    spoil(&mut evidence);
                }
            }
        }
    };
    let name = bucket.name(2);
    let found = run(&|evidence| {
        if let Some(fetched) = evidence.digests.get_mut(&name) {
            *fetched = Fetched::Failed(failure.clone());
        }
    });
    assert!(found.iter().all(|kind| matches!(kind, Kind::Unreadable | Kind::Gap)), "{found:?}");
    let found = run(&|evidence| {
        for answer in evidence.keys.values_mut() {
            *answer = KeyAnswer::Failed(failure.clone());
        }
    });
    assert_eq!(found, [Kind::Unreadable]);
    let found = run(&|evidence| {
        for listing in evidence.listings.values_mut() {
            *listing = Listing::Failed(failure.clone());
        }
    });
    assert_eq!(found, [Kind::Unreadable]);
}

#[test]
fn the_signed_vector() {
    let mut bucket = Bucket::new();
    bucket.keys = vec![vector::key()];
    for (text, signature) in
        [(vector::FIRST.to_owned(), vector::FIRST_SIGNATURE), (vector::second_text(), vector::SECOND_SIGNATURE)]
    {
        let digest = vector::digest(&text);
        let name = Name::new(digest.bucket.text().unwrap(), digest.key.text().unwrap());
        let reading = Reading {
            content: Content::Digest(Box::new(digest), Ending::Whole),
            signature: Some(signature.to_owned()),
            algorithm: Some("SHA256withRSA".to_owned()),
            generated: None,
            bare: false,
        };
        bucket.objects.insert(name, reading);
    }
    let at = |text| moment::parse(text, moment::Offsets::Drop).unwrap();
    let end = at("2026-03-01T11:00:31Z");
    let window = Window { from: at("2026-03-01T09:00:00Z"), to: end, now: at("2026-03-02T00:00:00Z") };
    let found = audit(&bucket, window);
    assert_eq!((found.findings, found.valid, found.covered), (vec![], 2, vec![(at("2026-03-01T09:00:31Z"), end)]));
    let later = audit(&bucket, Window { to: at("2026-03-01T12:30:00Z"), ..window });
    assert_eq!(later.findings.iter().map(|finding| finding.kind).collect::<Vec<_>>(), [Kind::TailUncovered]);
}
