//! What the text of a single value means, once a type is wanted.
//!
//! The same for plain, quoted and expanded text. Numbers are those of YAML 1.2; the words of YAML
//! 1.1 for true and false are known, since Beats knows them.

use crate::config::source::Place;
use crate::config::tree::{Map, Node, Value};
use crate::config::yaml;

/// A whole number: decimal, or `0x` and `0o`.
pub(super) fn whole_number(text: &str) -> Option<i128> {
    let text = text.trim();
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (radix, digits) = match (digits.strip_prefix("0x"), digits.strip_prefix("0o")) {
        (Some(digits), _) => (16, digits),
        (_, Some(digits)) => (8, digits),
        _ => (10, digits),
    };
    if !digits.chars().next()?.is_digit(radix) {
        return None;
    }
    let number = i128::from_str_radix(digits, radix).ok()?;
    Some(if negative { -number } else { number })
}

/// A finite number with or without a fraction.
pub(super) fn number(text: &str) -> Option<f64> {
    let text = text.trim();
    if let Some(number) = whole_number(text) {
        // Rounding is what somebody who wants a fraction expects of a long number.
        return number.to_string().parse().ok();
    }
    let allowed = |c: char| c.is_ascii_digit() || matches!(c, '.' | 'e' | 'E' | '+' | '-');
    if !text.chars().all(allowed) {
        return None;
    }
    text.parse().ok().filter(|number: &f64| number.is_finite())
}

/// True or false.
pub(super) fn boolean(text: &str) -> Option<bool> {
    let text = text.trim().to_ascii_lowercase();
    match text.as_str() {
        "true" | "yes" | "on" => Some(true),
        "false" | "no" | "off" => Some(false),
        _ => None,
    }
}

/// The items of a list that stands in one text: `a, b`, or a flow list of YAML.
pub(super) fn items(text: &str, place: Place) -> Result<Vec<Node>, String> {
    if text.starts_with('[') {
        return match flow(text, place)?.value {
            Value::List(items) => Ok(items),
            _ => Err("it does not end with `]`".to_owned()),
        };
    }
    let mut pieces = vec![String::new()];
    let mut quote = None;
    for c in text.chars() {
        match quote {
            Some(open) if c == open => quote = None,
            None if c == ',' => {
                pieces.push(String::new());
                continue;
            }
            None if matches!(c, '"' | '\'') => quote = Some(c),
            _ => {}
        }
        if let Some(piece) = pieces.last_mut() {
            piece.push(c);
        }
    }
    let items = pieces.iter().map(|piece| unquoted(piece.trim()));
    Ok(items.filter(|item| !item.is_empty()).map(|item| Node::scalar(place, item, false)).collect())
}

/// The settings that stand in one text as a flow map of YAML.
pub(super) fn settings(text: &str, place: Place) -> Result<Map, String> {
    match flow(text, place)?.value {
        Value::Map(map) => Ok(map),
        _ => Err("it does not end with `}`".to_owned()),
    }
}

fn flow(text: &str, place: Place) -> Result<Node, String> {
    let mut document = yaml::parse(place.source, text);
    if let Some(problem) = document.problems.pop() {
        return Err(problem.message);
    }
    document.root.move_to(place);
    Ok(document.root)
}

fn unquoted(piece: &str) -> &str {
    ['"', '\''].into_iter().find_map(|quote| piece.strip_prefix(quote)?.strip_suffix(quote)).unwrap_or(piece)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PLACE: Place = Place { source: 0, line: 7, column: 3 };

    fn texts(text: &str) -> Vec<String> {
        let nodes = items(text, PLACE).unwrap();
        nodes
            .into_iter()
            .map(|node| {
                assert_eq!(node.place, PLACE);
                match node.value {
                    Value::Scalar(scalar) => scalar.text,
                    _ => unreachable!("another kind of value"),
                }
            })
            .collect()
    }

    #[test]
    fn reads_whole_numbers() {
        assert_eq!(whole_number("12"), Some(12));
        assert_eq!(whole_number("-12"), Some(-12));
        assert_eq!(whole_number("+12"), Some(12));
        assert_eq!(whole_number("0x1F"), Some(31));
        assert_eq!(whole_number("0o17"), Some(15));
        assert_eq!(whole_number("007"), Some(7));
        for text in ["", "-", "+", "--1", "+-1", "0x", "0x-1", "1.0", "1e3", "1_000", "two"] {
            assert_eq!(whole_number(text), None, "{text}");
        }
    }

    #[test]
    fn reads_numbers() {
        assert_eq!(number("1.5"), Some(1.5));
        assert_eq!(number("-1e3"), Some(-1000.0));
        assert_eq!(number("0x10"), Some(16.0));
        for text in ["", "nan", "inf", "1e999", "1.2.3", "e"] {
            assert_eq!(number(text), None, "{text}");
        }
    }

    #[test]
    fn reads_true_and_false() {
        for text in ["true", "True", "yes", "on", "ON"] {
            assert_eq!(boolean(text), Some(true));
        }
        for text in ["false", "no", "Off"] {
            assert_eq!(boolean(text), Some(false));
        }
        for text in ["", "1", "y", "maybe"] {
            assert_eq!(boolean(text), None);
        }
    }

    #[test]
    fn splits_lists() {
        assert_eq!(texts("a, b"), ["a", "b"]);
        assert_eq!(texts("https://a:9200,https://b:9200"), ["https://a:9200", "https://b:9200"]);
        assert_eq!(texts("a"), ["a"]);
        assert_eq!(texts("a,,b,"), ["a", "b"]);
        assert_eq!(texts(r#""a,b", 'c'"#), ["a,b", "c"]);
        assert_eq!(texts("[a, 'b,c']"), ["a", "b,c"]);
        assert_eq!(texts(""), [""; 0]);
        assert!(items("[a", PLACE).unwrap_err().starts_with("not valid YAML: "));
    }

    #[test]
    fn reads_flow_maps() {
        let map = settings("{a: 1, b.c: 2}", PLACE).unwrap();
        assert_eq!(map.get("a").unwrap().key_place, PLACE);
        assert!(map.get("b").unwrap().value.find("c").is_some());
        assert!(settings("{a", PLACE).is_err());
    }

    proptest! {
        #[test]
        fn no_text_panics(text in r#"[\[\]{}"',:a-c0-9.+x-]{0,20}"#) {
            let _ = (whole_number(&text), number(&text), boolean(&text));
            let _ = items(&text, PLACE);
            let _ = settings(&text, PLACE);
        }
    }
}
