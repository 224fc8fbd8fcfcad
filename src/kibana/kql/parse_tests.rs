//! What the published grammar says of texts, and that no text is too much.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
use super::*;

fn read(text: &str) -> Node {
    query(text).unwrap_or_else(|fault| panic!("{text}: {fault}")).expect("a clause")
}

fn text(field: &str, value: &str) -> Node {
    Node::Is(Some(field.to_owned()), Value::Text(value.to_owned()))
}

fn phrase(field: &str, value: &str) -> Node {
    Node::Is(Some(field.to_owned()), Value::Phrase(value.to_owned()))
}

#[test]
fn and_binds_before_or_and_not_before_both() {
    let expected = Node::Or(vec![
        text("a", "1"),
        Node::And(vec![text("b", "2"), Node::Not(Box::new(text("c", "3")))]),
        text("d", "4"),
    ]);
    assert_eq!(read("a:1 or b:2 and not c:3 or d:4"), expected);
    assert_eq!(read(" a : 1  OR\tb:2\nAnd NOT c:3 oR d:4 "), expected);
    let grouped = Node::And(vec![Node::Or(vec![text("a", "1"), text("b", "2")]), Node::Not(Box::new(text("c", "3")))]);
    assert_eq!(read("( a:1 or b:2 ) and not (c:3)"), grouped);
    assert_eq!(read("not a:1 and b:2"), Node::And(vec![Node::Not(Box::new(text("a", "1"))), text("b", "2")]));
}

#[test]
fn a_value_list_is_clauses_of_its_field() {
    assert_eq!(
        read(r#"f: (a or "b c" or not d and e)"#),
        Node::Or(vec![
            text("f", "a"),
            phrase("f", "b c"),
            Node::And(vec![Node::Not(Box::new(text("f", "d"))), text("f", "e")]),
        ])
    );
    assert_eq!(read("f: ((a))"), text("f", "a"));
}

#[test]
fn bare_texts_run_over_spaces_and_are_trimmed() {
    assert_eq!(read("f: Failed authentication  "), text("f", "Failed authentication"));
    assert_eq!(read("f: order"), text("f", "order"));
    assert_eq!(read("f: android or f: nothing"), Node::Or(vec![text("f", "android"), text("f", "nothing")]));
    assert_eq!(read("Failed x"), Node::Is(None, Value::Text("Failed x".to_owned())));
    assert_eq!(read("f: true and g: \"true\""), {
        Node::And(vec![Node::Is(Some("f".to_owned()), Value::Flag(true)), phrase("g", "true")])
    });
    assert_eq!(read("f: -5"), text("f", "-5"));
    assert_eq!(read("f: \u{e9}t\u{e9}"), text("f", "\u{e9}t\u{e9}"));
}

#[test]
fn wildcards_are_bare_asterisks_only() {
    let wildcard = |pieces: &[&str]| {
        Node::Is(Some("f".to_owned()), Value::Wildcard(pieces.iter().map(|p| (*p).to_owned()).collect()))
    };
    assert_eq!(read("f: *Unauthorized*Op"), wildcard(&["", "Unauthorized", "Op"]));
    assert_eq!(read("f: Access*"), wildcard(&["Access", ""]));
    assert_eq!(read("f: *"), Node::Is(Some("f".to_owned()), Value::Any));
    assert_eq!(read("f:*"), Node::Is(Some("f".to_owned()), Value::Any));
    assert_eq!(read(r"f: a\*b"), text("f", "a*b"));
    assert_eq!(read(r#"f: "a*""#), phrase("f", "a*"));
}

#[test]
fn escapes_are_undone() {
    assert_eq!(read(r"f: \(a\:b\)\\"), text("f", "(a:b)\\"));
    assert_eq!(read(r"f: a \and b"), text("f", "a and b"));
    assert_eq!(read(r"f: a\tb"), text("f", "a\tb"));
    assert_eq!(read(r"f: caf\u00e9"), text("f", "caf\u{e9}"));
    assert_eq!(read(r#"f: "a \"b\" \\ c\nd \x""#), phrase("f", "a \"b\" \\ c\nd \\x"));
    assert_eq!(read(r"a\:b: c"), text("a:b", "c"));
    assert_eq!(read(r#""a.b": c"#), text("a.b", "c"));
}

#[test]
fn ranges_have_four_signs() {
    for (sign, bound) in
        [("<", Bound::Less), ("<=", Bound::LessOrEqual), (">", Bound::More), (">=", Bound::MoreOrEqual)]
    {
        assert_eq!(read(&format!("n {sign} 5")), Node::Range("n".to_owned(), bound, "5".to_owned()));
        assert_eq!(read(&format!("n{sign}\"now-1d\"")), Node::Range("n".to_owned(), bound, "now-1d".to_owned()));
    }
}

#[test]
fn nothing_asks_for_everything() {
    for text in ["", " ", "\t\n", "*: *", " *:* "] {
        assert_eq!(query(text), Ok(None), "{text:?}");
    }
}

#[test]
fn faults_say_where_and_what() {
    for (text, at, hint) in [
        ("a: ", 4, "expected a value"),
        ("a: (b", 6, "expected `)`"),
        ("a: b)", 5, "no group is open"),
        ("(a: b", 6, "expected `)`"),
        ("a: \"b", 4, "never closed"),
        ("a: { b: c }", 4, "nested"),
        ("a: b }", 6, "nested"),
        ("a: b : c", 6, "expected `and` or `or`"),
        ("a: b and ", 10, "expected a value"),
        ("a: \"b\" c", 8, "expected `and` or `or`"),
        ("a.*: b", 1, "without wildcards"),
        ("*: b", 1, "without wildcards"),
        ("a > b*", 5, "no wildcards"),
        ("a: null", 4, "`null`"),
        ("a: b\\d", 5, "stands before"),
        ("a: b \\not c", 6, "stands before"),
        ("\u{e9}: (b", 6, "expected `)`"),
        ("()", 2, "expected a value"),
    ] {
        let fault = query(text).expect_err(text);
        assert!(fault.at == at && fault.hint.contains(hint), "{text}: {fault}");
    }
}

#[test]
fn depth_is_bounded_and_length_is_not() {
    let deep = |n: usize| format!("{}a: 1{}", "(".repeat(n), ")".repeat(n));
    assert_eq!(read(&deep(DEEPEST)), text("a", "1"));
    assert!(query(&deep(DEEPEST + 1)).expect_err("too deep").hint.contains("64 groups"));
    assert!(query(&"(".repeat(1_000_000)).is_err());
    let long = vec!["a: 1"; 10_000].join(" or ");
    assert!(matches!(read(&long), Node::Or(nodes) if nodes.len() == 10_000));
}

#[test]
fn no_text_makes_it_panic() {
    let pieces =
        ["a", ":", "(", ")", "\"", "\\", "*", " and ", " or ", "not ", "<", "{", "\u{e9}", " ", "u00e9", "\\u12"];
    for n in 0..pieces.len().pow(4) {
        let text: String = (0..4).map(|place| pieces[n / pieces.len().pow(place) % pieces.len()]).collect();
        if let Err(fault) = query(&text) {
            assert!(fault.at <= text.chars().count() + 1, "{text:?}");
        }
    }
}
