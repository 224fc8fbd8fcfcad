#![allow(clippy::unwrap_used)]

use super::write::to_json;
use super::*;
use proptest::prelude::*;

fn parse(text: &str, blanks: Blanks) -> Result<String, Error> {
    Tape::default().parse(text.as_bytes(), blanks).map(to_json)
}

fn error(text: &str) -> ErrorKind {
    parse(text, Blanks::Kept).unwrap_err().kind
}

#[test]
fn values_come_back_in_text_order() {
    for text in [
        r#"{"b":1,"a":[true,false,null,"x"],"":{}}"#,
        r#"[1.50,-0,1e3,123456789012345678901234567890,"ä😀"]"#,
        r#""alone""#,
        "null",
        "-1.5E-7",
    ] {
        assert_eq!(parse(text, Blanks::Kept).unwrap(), text);
    }
}

#[test]
fn blanks_are_dropped_depth_first() {
    for (text, cleaned) in [
        (r#"{"a":null,"b":"","c":"-","d":"none","e":"None","f":" "}"#, r#"{"e":"None","f":" "}"#),
        (r#"{"a":{"b":{"c":[null,"",{"d":"-"}]}},"x":0}"#, r#"{"x":0}"#),
        (r#"{"a":["none",1,[],{},false,"-"]}"#, r#"{"a":[1,false]}"#),
        (r#"{"a":"\u002d","b":"non\u0065"}"#, "{}"),
        (r#"{"a":{}}"#, "{}"),
        (r#"["none"]"#, "[]"),
        (r#""none""#, r#""none""#),
    ] {
        assert_eq!(parse(text, Blanks::Dropped).unwrap(), cleaned, "{text}");
    }
}

#[test]
fn keys_are_counted_before_and_members_after_the_clean_up() {
    let mut tape = Tape::default();
    let value = tape.parse(br#"{"a":"","b":1,"c":null,"d":{"e":"-","f":"x"}}"#, Blanks::Dropped).unwrap();
    assert_eq!((value.keys_in_text(), value.len()), (4, 2));
    let inner = value.get("d").unwrap();
    assert_eq!((inner.keys_in_text(), inner.len(), inner.get("f").unwrap().as_str()), (2, 1, Some("x")));
    assert!(value.get("a").is_none());
}

#[test]
fn dropped_members_of_the_top_object_are_remembered() {
    let mut tape = Tape::default();
    tape.parse(br#"{"a":"-","b":null,"c":[""],"d":{"e":null},"f":1,"\u0067":""}"#, Blanks::Dropped).unwrap();
    let dropped = ["a", "b", "c", "d", "e", "f", "g"].map(|key| tape.dropped(key));
    let (text, container) = (Some(Blank::Text), Some(Blank::Container));
    assert_eq!(dropped, [text, Some(Blank::Null), container, container, None, None, text]);
}

#[test]
fn escapes_are_expanded_and_half_pairs_replaced() {
    let mut tape = Tape::default();
    for (text, expected) in [
        (r#""\"\\\/\b\f\n\r\t""#, "\"\\/\u{8}\u{c}\n\r\t"),
        (r#""a\u00e4\uD83D\uDE00z""#, "aä😀z"),
        (r#""\uD83Dx""#, "\u{FFFD}x"),
        (r#""\uDE00\uD83D""#, "\u{FFFD}\u{FFFD}"),
        (r#""\uD83D\u0041""#, "\u{FFFD}A"),
        (r#""\u0000""#, "\0"),
    ] {
        assert_eq!(tape.parse(text.as_bytes(), Blanks::Kept).unwrap().as_str(), Some(expected), "{text}");
    }
    let mixed = tape.parse(br#"{"a":"\uD83D","b":["\u0001\""]}"#, Blanks::Kept).unwrap();
    assert_eq!(to_json(mixed), "{\"a\":\"\u{FFFD}\",\"b\":[\"\\u0001\\\"\"]}");
}

#[test]
fn comments_and_white_space_are_passed_over() {
    for text in
        [" {\"a\" : 1 , \"b\":[ 2 ]}\r\n", "/* x */{\"a\":1,// y\n\"b\":[2/**/]}//z", "\u{FEFF}{\"a\":1,\"b\":[2]}"]
    {
        assert_eq!(parse(text, Blanks::Kept).unwrap(), r#"{"a":1,"b":[2]}"#, "{text}");
    }
    for text in ["", " ", "/**/", "// x", "\u{FEFF}"] {
        assert_eq!(error(text), ErrorKind::Empty, "{text}");
    }
    assert_eq!(error("/* x"), ErrorKind::End);
}

#[test]
fn what_is_written_is_on_one_line() {
    let text = "{\"a\":\n[1,\r\n2], \"b\":{\"c\" :1e400}}";
    assert_eq!(parse(text, Blanks::Kept).unwrap(), r#"{"a":[1,2],"b":{"c":"Infinity"}}"#);
    assert_eq!(parse("-1e400", Blanks::Kept).unwrap(), "\"-Infinity\"");
    let (longest, longer) = ("1".repeat(1000), "1".repeat(1001));
    assert_eq!(parse(&longest, Blanks::Kept).unwrap(), longest);
    assert_eq!(parse(&longer, Blanks::Kept).unwrap(), format!("\"{longer}\""));
}

#[test]
fn errors_say_what_and_where() {
    for (text, kind, at) in [
        ("{\"a\":1", ErrorKind::End, 6),
        ("{\"a\" 1}", ErrorKind::Syntax("expected `:` after a key"), 5),
        ("{\"a\":1 \"b\":2}", ErrorKind::Syntax("expected `,` or `}`"), 7),
        ("{\"a\":1,}", ErrorKind::Syntax("expected a key"), 7),
        ("[1,]", ErrorKind::Syntax("expected a value"), 3),
        ("[1 2]", ErrorKind::Syntax("expected `,` or `]`"), 3),
        ("{\"a\":1} {", ErrorKind::Trailing, 8),
        ("\"a\nb\"", ErrorKind::Syntax("control character in a string"), 2),
        ("\"a\\xb\"", ErrorKind::Syntax("unknown escape in a string"), 2),
        ("\"\\u00g0\"", ErrorKind::Syntax("expected four hexadecimal digits after `\\u`"), 1),
        ("\"abc", ErrorKind::End, 4),
        ("01", ErrorKind::Syntax("a number starts with 0"), 0),
        ("1.", ErrorKind::End, 2),
        ("1.x", ErrorKind::Syntax("expected a digit"), 2),
        ("+1", ErrorKind::Syntax("expected a value"), 0),
        ("nul", ErrorKind::Syntax("expected a value"), 0),
        ("truex", ErrorKind::Syntax("unexpected text after a value"), 4),
        ("{\"a\":1,\"b\":2,\"a\":3}", ErrorKind::DuplicateKey("a".to_string()), 13),
        ("{\"a\":{\"b\":null,\"\\u0062\":1}}", ErrorKind::DuplicateKey("b".to_string()), 15),
    ] {
        assert_eq!(parse(text, Blanks::Dropped), Err(Error { kind, at }), "{text}");
    }
    assert_eq!(
        Tape::default().parse(b"{\"a\":\"\xC3\"}", Blanks::Kept).unwrap_err(),
        Error { kind: ErrorKind::Utf8, at: 6 }
    );
    assert_eq!(error("[1").to_string(), "the text ends too early");
}

#[test]
fn duplicates_are_found_in_large_objects_too() {
    let object = |keys: &[usize]| {
        let members: Vec<String> = keys.iter().map(|key| format!("\"k{key}\":{{\"k{key}\":1}}")).collect();
        format!("{{{}}}", members.join(","))
    };
    let mut keys: Vec<usize> = (0..1000).collect();
    assert!(parse(&object(&keys), Blanks::Dropped).is_ok());
    keys.push(999);
    assert_eq!(error(&object(&keys)), ErrorKind::DuplicateKey("k999".to_string()));
    keys[1000] = 3;
    assert_eq!(error(&object(&keys)), ErrorKind::DuplicateKey("k3".to_string()));
}

#[test]
fn nesting_is_limited() {
    let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    assert!(parse(&nested(MAX_DEPTH), Blanks::Kept).is_ok());
    assert_eq!(error(&nested(MAX_DEPTH + 1)), ErrorKind::Depth);
    assert_eq!(error(&"{\"a\":".repeat(100_000)), ErrorKind::Depth);
}

#[test]
fn a_tape_serves_one_text_after_the_other() {
    let mut tape = Tape::default();
    let long = format!("{{\"a\":\"{}\\n\"}}", "x".repeat(2 * KEEP_BYTES));
    assert!(tape.parse(long.as_bytes(), Blanks::Dropped).is_ok());
    assert!(tape.parse(b"[", Blanks::Dropped).is_err());
    assert!(tape.root().is_none() && tape.text().is_empty());
    assert_eq!(to_json(tape.parse(br#"{"a":"\n"}"#, Blanks::Dropped).unwrap()), r#"{"a":"\n"}"#);
    assert!(tape.text.capacity() <= KEEP_BYTES);
    assert_eq!(tape.text(), r#"{"a":"\n"}"#);
}

#[test]
fn escaping_is_that_of_json() {
    let text: String = (0..0x80).map(|byte| char::from(byte as u8)).chain("äß😀\u{2028}".chars()).collect();
    for from in 0..40 {
        let text: String = text.chars().skip(from).collect();
        let mut out = Vec::new();
        write::string(&mut out, &text);
        assert_eq!(serde_json::from_slice::<String>(&out).unwrap(), text);
        assert!(!out.contains(&b'\n'));
    }
}

#[test]
fn invalid_utf_8_can_be_repaired() {
    assert_eq!(repair_utf8(b"a\xFFb\xC3"), "a\u{FFFD}b\u{FFFD}");
    assert!(matches!(repair_utf8(b"ok"), Cow::Borrowed("ok")));
}

fn json() -> impl Strategy<Value = serde_json::Value> {
    let text = prop_oneof![
        Just(String::new()),
        Just("-".to_string()),
        Just("none".to_string()),
        ".{0,12}",
        "[a-c\\\\\"\n]{0,4}"
    ];
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<f64>().prop_map(Into::into),
        text.clone().prop_map(Into::into),
    ];
    leaf.prop_recursive(5, 64, 8, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..8).prop_map(Into::into),
            prop::collection::btree_map(text.clone(), inner, 0..8)
                .prop_map(|map| map.into_iter().collect::<serde_json::Map<_, _>>().into()),
        ]
    })
}

/// The clean-up as ECS mapping 3 words it.
fn clean(value: serde_json::Value) -> Option<serde_json::Value> {
    use serde_json::Value as Json;
    match value {
        Json::Null => None,
        Json::String(text) if text.is_empty() || text == "-" || text == "none" => None,
        Json::Array(list) => {
            Some(list.into_iter().filter_map(clean).collect::<Vec<_>>()).filter(|list| !list.is_empty()).map(Into::into)
        }
        Json::Object(map) => {
            let map: serde_json::Map<_, _> =
                map.into_iter().filter_map(|(key, value)| Some((key, clean(value)?))).collect();
            (!map.is_empty()).then(|| map.into())
        }
        other => Some(other),
    }
}

proptest! {
    #[test]
    fn any_json_reads_as_serde_json_reads_it(value in json(), pretty: bool) {
        let text = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) }.unwrap();
        let kept: serde_json::Value = serde_json::from_str(&parse(&text, Blanks::Kept).unwrap()).unwrap();
        prop_assert_eq!(&kept, &value);
        let cleaned: serde_json::Value = serde_json::from_str(&parse(&format!("[{text}]"), Blanks::Dropped).unwrap()).unwrap();
        prop_assert_eq!(cleaned, serde_json::Value::Array(clean(value).into_iter().collect()));
    }

    #[test]
    fn what_is_json_is_agreed_with_serde_json(text in r#"[\[\]{}":,\-0-9.eE+truefalsn\\ "]{0,12}"#) {
        let ours = Tape::default().parse(text.as_bytes(), Blanks::Kept).map(|_| ()).map_err(|error| error.kind);
        let theirs = serde_json::from_str::<serde_json::Value>(&text);
        match ours {
            // serde_json takes the last of two keys and refuses numbers beyond a double.
            Err(ErrorKind::DuplicateKey(_)) => prop_assert!(theirs.is_ok()),
            Ok(()) if theirs.as_ref().is_err_and(|error| error.to_string().contains("number out of range")) => {}
            _ => prop_assert_eq!(ours.is_ok(), theirs.is_ok(), "{:?}", text),
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut tape = Tape::default();
        if let Ok(value) = tape.parse(&bytes, Blanks::Dropped) {
            prop_assert!(serde_json::from_str::<serde_json::Value>(&to_json(value)).is_ok());
        }
    }
}

#[test]
fn a_text_of_very_many_values_is_refused() {
    let list = |values: usize| format!("[{}1]", "1,".repeat(values - 1));
    assert!(parse(&list(MAX_VALUES - 1), Blanks::Kept).is_ok());
    assert_eq!(error(&list(MAX_VALUES)), ErrorKind::Values);
}

#[test]
fn extremes_are_told() {
    let mut tape = Tape::default();
    let mut extremes = |text: &str| {
        tape.parse(text.as_bytes(), Blanks::Dropped).unwrap();
        tape.extremes()
    };
    assert_eq!(extremes("7"), Extremes::default());
    assert_eq!(extremes(r#"{"a":[{"b":1}],"c":[]}"#), Extremes { depth: 3, ..Extremes::default() });
    assert!(extremes(r#"{"a\u0000":1}"#).zero && extremes(r#"["\u0000"]"#).zero && !extremes(r#"["\u0001"]"#).zero);
    assert!(extremes(&"1".repeat(1001)).number && !extremes(&"1".repeat(1000)).number);
}
