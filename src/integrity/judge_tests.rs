#![allow(clippy::unwrap_used, clippy::panic)]

use super::*;
use crate::integrity::ledger::tests::{at, file, listed};

fn failure() -> Failure {
    Failure { code: "SlowDown".to_owned(), action: "GetObject", message: String::new(), text: "slow down".to_owned() }
}

fn hashed(hash: &str, ending: Ending) -> LogRead {
    LogRead::Hashed { hash: hash.to_owned(), ending }
}

fn states(hash: Option<&str>) -> FileState {
    let mut file = listed("k");
    file.listed.as_mut().unwrap().sha256 = hash.map(str::to_owned);
    file
}

#[test]
fn shipped_bytes_against_their_digest() {
    for (stated, shipped_as, expected) in [
        (Some("aa"), Some("aa"), Some((Compared::Intact, None))),
        (Some("aa"), Some("ab"), Some((Compared::Altered, Some(Kind::LogAltered)))),
        (None, Some("aa"), Some((Compared::Altered, Some(Kind::LogMalformed)))),
        (Some("aa"), None, None),
    ] {
        let file = FileState { sha256: shipped_as.map(str::to_owned), ..states(stated) };
        let found = shipped(&file).map(|(compared, finding)| (compared, finding.map(|it| it.kind)));
        assert_eq!(found, expected, "{stated:?} {shipped_as:?}");
    }
    assert_eq!(shipped(&FileState { sha256: Some("aa".to_owned()), ..file("k") }), None, "no digest lists it yet");
}

#[test]
fn what_s3_answers_about_a_file_that_nobody_hashed() {
    let unread = states(Some("aa"));
    let notified = FileState { notified: true, ..unread.clone() };
    let read = FileState { read: true, ..notified.clone() };
    for (file, answer, elsewhere, expected) in [
        (&unread, LogRead::Missing, false, (Compared::Missing, Some(Kind::LogMissing))),
        (&unread, LogRead::Missing, true, (Compared::Missing, Some(Kind::LogMissing))),
        (&unread, hashed("ab", Ending::Whole), true, (Compared::Altered, Some(Kind::LogAltered))),
        (&read, hashed("aa", Ending::Trailing), false, (Compared::Altered, Some(Kind::LogTrailingData))),
        (&unread, hashed("aa", Ending::Whole), false, (Compared::Late, None)),
        (&unread, hashed("aa", Ending::Whole), true, (Compared::Elsewhere, None)),
        (&notified, hashed("aa", Ending::Whole), false, (Compared::Elsewhere, None)),
        (&read, hashed("aa", Ending::Whole), false, (Compared::Intact, None)),
    ] {
        let Asked::Decided(compared, finding) = asked(file, answer.clone(), elsewhere) else {
            panic!("{answer:?} decides")
        };
        assert_eq!((compared, finding.map(|it| it.kind)), expected, "{answer:?} {elsewhere}");
    }
    assert_eq!(asked(&unread, LogRead::Failed(failure()), false), Asked::Later(failure()));
}

/// The digest of the hour that ends at `hour`:00:31, sound and linked to the one before.
pub(in crate::integrity) fn digest(hour: u8) -> DigestRow {
    let name = |hour: u8| {
        Name::new(
            "b",
            format!(
                "AWSLogs/111122223333/CloudTrail-Digest/us-east-1/2026/03/01/111122223333_CloudTrail-Digest_us-east-1_t_us-east-1_20260301T{hour:02}0031Z.json.gz"
            ),
        )
    };
    let end = at(&format!("{hour:02}:00:31"));
    DigestRow {
        covers: Some((moment::plus(end, -3600), end)),
        authentic: true,
        valid: true,
        hash: format!("hash{hour}"),
        signature: Some(format!("ab{hour}")),
        previous: Some(name(hour - 1)),
        previous_hash: Some(format!("hash{}", hour - 1)),
        previous_signature: Some(format!("AB{}", hour - 1)),
        ..DigestRow::new(name(hour), end).unwrap()
    }
}

fn kinds(findings: &[Finding]) -> Vec<Kind> {
    findings.iter().map(|finding| finding.kind).collect()
}

#[test]
fn neighbours_that_do_not_fit() {
    let (older, newer) = (digest(3), digest(4));
    assert_eq!(kinds(&neighbours(&newer, &older, false)), [], "hex in either case");
    let found = |newer: DigestRow, older: DigestRow, backfill| kinds(&neighbours(&newer, &older, backfill));
    let hash = DigestRow { hash: "other".to_owned(), ..older.clone() };
    assert_eq!(found(newer.clone(), hash, false), [Kind::ChainHashMismatch]);
    let signature = DigestRow { signature: Some("cd".to_owned()), ..older.clone() };
    assert_eq!(found(newer.clone(), signature, false), [Kind::ChainSignatureMismatch]);
    let unsigned = DigestRow { signature: None, ..older.clone() };
    assert_eq!(found(newer.clone(), unsigned, false), [], "what is lost is told of by itself");
    let shorter = DigestRow { covers: Some((at("02:00:31"), at("02:50:00"))), ..older.clone() };
    assert_eq!(found(newer.clone(), shorter.clone(), false), [Kind::ChainDiscontinuity]);
    assert_eq!(found(newer.clone(), shorter, true), [], "backfill digests may overlap");
    let forged = DigestRow { authentic: false, previous_hash: None, ..newer };
    assert_eq!(found(forged, older, false), [], "what proves nothing accuses nobody");
    assert_eq!(found(digest(3), digest(3), false), [Kind::ChainLoop]);
}

#[test]
fn beginnings_and_holes() {
    let restart = DigestRow { previous: None, ..digest(5) };
    assert_eq!(beginning(&restart, &digest(4)).unwrap().kind, Kind::ChainRestarted);
    let gap = beginning(&restart, &digest(2)).unwrap();
    assert_eq!((gap.kind, gap.period), (Kind::Gap, Some((at("02:00:31"), at("04:00:31")))));
    let nothing = DigestRow { authentic: false, ..restart };
    assert_eq!(beginning(&nothing, &digest(4)), None);
    let gap = beginning(&nothing, &digest(1)).unwrap();
    assert_eq!((gap.kind, gap.count), (Kind::Gap, 3));
    let gone = missing(&digest(6), &digest(5).name, Some(&digest(2)));
    assert_eq!((gone.kind, gone.count, gone.object), (Kind::DigestMissing, 3, Some(digest(5).name)));
    assert_eq!(kinds(&orphans(&digest(6), &[digest(4), digest(5)])), [Kind::ChainOrphan; 2]);
}

#[test]
fn only_what_digests_cover_with_the_slack_must_be_listed() {
    let time = at("03:10:00");
    assert!(must_be_listed(time, &[digest(4), digest(5), digest(6)]));
    assert!(!must_be_listed(time, &[digest(4), digest(5)]), "the slack is not covered");
    assert!(!must_be_listed(time, &[digest(4), digest(6)]), "a hole");
    let forged = DigestRow { authentic: false, ..digest(5) };
    assert!(!must_be_listed(time, &[digest(4), forged, digest(6)]));
}
