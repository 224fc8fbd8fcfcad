//! Foreign text for people: what could move the cursor, hide or reverse text is shown as an escape.
//!
//! Keys, file names, user agents and answers of servers come from outside. Every way out to a terminal, a log or a page
//! goes through here; what leaves as data (documents, letters) is JSON, which says the same in escapes.

/// `text` in which every control and direction character is shown, as `\n` or `\u{1b}`.
pub fn line(text: &str) -> String {
    text.chars().flat_map(|c| Shown::of(c, false)).collect()
}

/// The same, but tabs between columns stay.
pub fn row(text: &str) -> String {
    text.chars().flat_map(|c| Shown::of(c, c == '\t')).collect()
}

/// The same, but lines stay lines, and tabs stay.
pub fn rows(text: &str) -> String {
    text.chars().flat_map(|c| Shown::of(c, matches!(c, '\n' | '\t'))).collect()
}

/// The same, but lines stay lines.
pub fn lines(text: &str) -> String {
    text.chars().flat_map(|c| Shown::of(c, c == '\n')).collect()
}

/// JSON text in which such characters are JSON's own escapes, so that it says the same.
pub fn json(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if is_hidden(c) && c != '\n' {
            for unit in c.encode_utf16(&mut [0; 2]) {
                shown.push_str(&format!("\\u{unit:04x}"));
            }
        } else {
            shown.push(c);
        }
    }
    shown
}

/// JSON, whole or broken, with a line a member. Only spaces outside of texts change.
pub fn indented(text: &str) -> String {
    /// Levels that are indented; hostile text may have millions.
    const LEVELS: usize = 40;
    let (mut out, mut level, mut in_text, mut escaped) = (String::with_capacity(text.len() * 2), 0usize, false, false);
    let mut chars = text.chars().peekable();
    let line = |out: &mut String, level: usize| {
        out.push('\n');
        out.extend(std::iter::repeat_n("  ", level.min(LEVELS)));
    };
    while let Some(c) = chars.next() {
        if in_text {
            out.push(c);
            in_text = escaped || c != '"';
            escaped = c == '\\' && !escaped;
            continue;
        }
        match c {
            '"' => {
                in_text = true;
                out.push(c);
            }
            '{' | '[' => {
                while chars.next_if(|next| next.is_ascii_whitespace()).is_some() {}
                out.push(c);
                match chars.next_if(|next| matches!(next, '}' | ']')) {
                    Some(end) => out.push(end),
                    None => {
                        level += 1;
                        line(&mut out, level);
                    }
                }
            }
            '}' | ']' => {
                level = level.saturating_sub(1);
                line(&mut out, level);
                out.push(c);
            }
            ',' => {
                out.push(c);
                line(&mut out, level);
            }
            ':' => out.push_str(": "),
            c if c.is_ascii_whitespace() => {}
            c => out.push(c),
        }
    }
    out
}

/// A character, or its escape.
enum Shown {
    Plain(Option<char>),
    Escape(std::char::EscapeDefault),
    Code(std::char::EscapeUnicode),
}

impl Shown {
    fn of(c: char, keep: bool) -> Shown {
        match c {
            _ if keep || !is_hidden(c) => Shown::Plain(Some(c)),
            '\n' | '\r' | '\t' => Shown::Escape(c.escape_default()),
            c => Shown::Code(c.escape_unicode()),
        }
    }
}

impl Iterator for Shown {
    type Item = char;

    fn next(&mut self) -> Option<char> {
        match self {
            Shown::Plain(c) => c.take(),
            Shown::Escape(escape) => escape.next(),
            Shown::Code(escape) => escape.next(),
        }
    }
}

/// Controls (C0, DEL, C1), line and paragraph separators, and what changes the direction of text (Unicode UAX 9) or has
/// no width.
fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_a_terminal_would_obey_is_shown() {
        assert_eq!(line("a\u{1b}[2Jb\r\n\u{9b}c\u{202e}d"), "a\\u{1b}[2Jb\\r\\n\\u{9b}c\\u{202e}d");
        assert_eq!(lines("ü\tx\n\u{7f}y"), "ü\\tx\n\\u{7f}y");
        assert_eq!(row("x\ty\nz"), "x\ty\\nz");
        assert_eq!(rows("x\ty\nz\u{7f}"), "x\ty\nz\\u{7f}");
        assert_eq!(json("{\"a\":\"\u{9b}\u{202e}ü\"}"), "{\"a\":\"\\u009b\\u202eü\"}");
    }

    #[test]
    fn members_stand_on_lines_of_their_own() {
        let text = r#"{"a":[1,{"b":"x,{\"y\"}:"}],"c":{},"d":[ ]}"#;
        let expected =
            "{\n  \"a\": [\n    1,\n    {\n      \"b\": \"x,{\\\"y\\\"}:\"\n    }\n  ],\n  \"c\": {},\n  \"d\": []\n}";
        assert_eq!(indented(text), expected);
        assert_eq!(indented(r#"{"a":tru"#), "{\n  \"a\": tru", "broken JSON is shown as far as it goes");
        assert_eq!(indented("]]}"), "\n]\n]\n}");
    }

    #[test]
    fn hostile_depth_costs_little() {
        let text = "[".repeat(100_000);
        assert!(indented(&text).len() < 100_000 * 90);
    }

    proptest! {
        #[test]
        fn nothing_hidden_passes(text in "\\PC*|[\u{0}-\u{a0}\u{200b}-\u{206f}]*") {
            prop_assert!(!line(&text).chars().any(is_hidden));
            prop_assert!(!lines(&text).chars().any(|c| is_hidden(c) && c != '\n'));
        }

        #[test]
        fn json_says_the_same(text in "\\PC*|[\u{0}-\u{a0}\u{200b}-\u{206f}]*") {
            let quoted = serde_json::to_string(&[&text]).unwrap();
            for shown in [json(&quoted), indented(&quoted), json(&indented(&quoted))] {
                prop_assert_eq!(serde_json::from_str::<Vec<String>>(&shown).unwrap(), vec![text.clone()]);
            }
        }
    }
}
