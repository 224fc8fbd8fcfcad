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
    assert_eq!(digest.entries(), [entry("", "", None), entry("b", "k", None), entry("", "", Some("ff"))]);
    assert_eq!(parse(r#"{"logFiles":null}"#).unwrap().logs, Logs::None);
    assert_eq!(parse("{}").unwrap().logs, Logs::Absent);
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
    for text in ["", "{", "{} {}", "\u{feff}{}"] {
        assert!(matches!(parse(text), Err(NoDigest::NotJson(_))), "{text}");
    }
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    assert_eq!(parse(&deep), Err(NoDigest::NoObject(JsonKind::List)), "no recursion");
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
