#![allow(clippy::unwrap_used)]

use super::*;
use proptest::prelude::*;

fn parse(text: &str) -> Result<Digest, NoDigest> {
    Digest::parse(text.as_bytes(), String::new())
}

#[test]
fn members_of_any_type_are_taken() {
    let digest = parse(
        r#"{"digestEndTime":5,"digestS3Bucket":"b","digestS3Bucket":"c","more":[{}],"logFiles":[1,{"s3Bucket":"b","s3Object":"k","hashValue":null},{"hashValue":"ff"}]}"#,
    )
    .unwrap();
    assert_eq!(digest.end, Member::Other);
    assert_eq!(digest.bucket.text(), Some("c"), "the last of two");
    let entry = |bucket: &str, key: &str, hash: Option<&str>| LogEntry {
        bucket: bucket.to_owned(),
        key: key.to_owned(),
        hash: hash.map(str::to_owned),
        algorithm: None,
    };
    assert_eq!(digest.entries(), [entry("", "", None), entry("b", "k", Some("")), entry("", "", Some("ff"))]);
    assert_eq!(parse(r#"{"logFiles":null}"#).unwrap().logs, Logs::None);
    assert_eq!(parse("{}").unwrap().logs, Logs::Absent);
    for other in ["{}", "\"\"", "0", "false", "1.5"] {
        assert_eq!(parse(&format!("{{\"logFiles\":{other}}}")).unwrap().logs, Logs::Other, "{other}");
    }
}

#[test]
fn what_is_missing_is_named() {
    let mut text = "{".to_owned();
    for (n, name) in REQUIRED.iter().enumerate() {
        assert_eq!(parse(&format!("{text}}}")).unwrap().missing(), Some(*name));
        text.push_str(&format!("{}\"{name}\":null", if n > 0 { "," } else { "" }));
    }
    assert_eq!(parse(&format!("{text}}}")).unwrap().missing(), None, "`null` is there");
}

#[test]
fn what_is_no_object() {
    assert_eq!(parse("[{}]"), Err(NoDigest::NoObject(JsonKind::List)));
    assert_eq!(parse("null"), Err(NoDigest::NoObject(JsonKind::Null)));
    assert_eq!(parse("\"x\""), Err(NoDigest::NoObject(JsonKind::Text)));
    assert_eq!(parse("1"), Err(NoDigest::NoObject(JsonKind::Number)));
    assert_eq!(parse("1.5"), Err(NoDigest::NoObject(JsonKind::Fraction)));
    for text in ["", "{", "{} {}", "\u{feff}{}"] {
        assert!(matches!(parse(text), Err(NoDigest::NotJson(_))), "{text}");
    }
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    assert_eq!(parse(&deep), Err(NoDigest::NoObject(JsonKind::List)), "no recursion");
}

#[test]
fn what_is_held_is_bounded() {
    let digest = |entries: usize| parse(&format!("{{\"logFiles\":[{}{{}}]}}", "{},".repeat(entries - 1)));
    assert_eq!(digest(LOG_FILES).unwrap().entries().len(), LOG_FILES);
    assert!(matches!(digest(LOG_FILES + 1), Err(NoDigest::NotJson(_))));
    let member = |length: usize| parse(&format!("{{\"digestS3Object\":\"{}\"}}", "x".repeat(length))).unwrap().key;
    assert_eq!(member(TEXT).text().map(str::len), Some(TEXT));
    assert_eq!(member(TEXT + 1), Member::Other);
}

#[test]
fn what_is_not_utf_8_is_no_digest() {
    for text in [&b"{\"more\":\"\xC3\x28\"}"[..], b"{\"m\xFFore\":1}"] {
        assert!(matches!(Digest::parse(text, String::new()), Err(NoDigest::NotJson(_))));
    }
}

#[test]
fn the_text_that_is_signed() {
    let digest = Digest {
        end: Member::Text("a".to_owned()),
        bucket: Member::Text("b".to_owned()),
        key: Member::Text("c".to_owned()),
        previous_signature: Member::Null,
        hash: "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad".to_owned(),
        ..Digest::default()
    };
    let expected = "a\nb/c\nba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\nnull";
    assert_eq!(digest.string_to_sign(), expected);
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in "\\PC{0,60}") {
        let _ = parse(&text);
        let _ = parse(&format!("{{\"logFiles\":{text}}}"));
    }
}
