//! Writing JSON: values of a [`Tape`](super::Tape) as they are, and strings with their escapes.
//!
//! What is written is always valid JSON on one line.

use super::parse::plain_run;
use super::{Kind, MAX_NUMBER, Text, Value};

/// Appends `value` as JSON. A number beyond a double's range becomes the text `Infinity` or `-Infinity`, as
/// Elasticsearch writes it; one of more than [`MAX_NUMBER`] characters becomes a string.
pub fn value(out: &mut Vec<u8>, value: Value<'_>) {
    if let Some(text) = value.verbatim() {
        out.extend_from_slice(text.as_bytes());
        return;
    }
    match value.kind() {
        Kind::Null => out.extend_from_slice(b"null"),
        Kind::Bool(true) => out.extend_from_slice(b"true"),
        Kind::Bool(false) => out.extend_from_slice(b"false"),
        Kind::Number(number) if number.text.len() > MAX_NUMBER => string(out, number.text),
        Kind::Number(number) => {
            let sign: &[u8] = if number.text.starts_with('-') { b"\"-Infinity\"" } else { b"\"Infinity\"" };
            out.extend_from_slice(sign);
        }
        Kind::String(text) => string(out, text.text),
        Kind::List(list) => {
            out.push(b'[');
            for (i, element) in list.elements().enumerate() {
                if i > 0 {
                    out.push(b',');
                }
                self::value(out, element);
            }
            out.push(b']');
        }
        Kind::Object(object) => members(out, object, None),
    }
}

/// Appends the object `object` as JSON without its member `left_out`.
pub fn members(out: &mut Vec<u8>, object: Value<'_>, left_out: Option<&str>) {
    out.push(b'{');
    let mut first = true;
    for (key, member) in object.members() {
        if left_out == Some(key.text) {
            continue;
        }
        if !first {
            out.push(b',');
        }
        first = false;
        quoted(out, key);
        out.push(b':');
        value(out, member);
    }
    out.push(b'}');
}

/// Appends a string with its quotes; one that needs no escaping is copied.
pub fn quoted(out: &mut Vec<u8>, text: Text<'_>) {
    out.push(b'"');
    if text.verbatim {
        out.extend_from_slice(text.text.as_bytes());
    } else {
        escaped(out, text.text);
    }
    out.push(b'"');
}

/// Appends a string with quotes and escapes.
pub fn string(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    escaped(out, text);
    out.push(b'"');
}

/// Appends the inside of a JSON string.
pub fn escaped(out: &mut Vec<u8>, text: &str) {
    let mut rest = text.as_bytes();
    loop {
        let (plain, tail) = rest.split_at(plain_run(rest));
        out.extend_from_slice(plain);
        let Some((&byte, tail)) = tail.split_first() else { return };
        let letter = match byte {
            b'"' | b'\\' => byte,
            b'\n' => b'n',
            b'\r' => b'r',
            b'\t' => b't',
            8 => b'b',
            12 => b'f',
            _ => {
                out.extend_from_slice(b"\\u00");
                out.push(b'0' + (byte >> 4));
                out.push(b"0123456789abcdef".get(usize::from(byte & 15)).copied().unwrap_or(b'0'));
                rest = tail;
                continue;
            }
        };
        out.extend_from_slice(&[b'\\', letter]);
        rest = tail;
    }
}

/// The value as JSON text, for messages and tests.
pub fn to_json(value: Value<'_>) -> String {
    let mut out = Vec::new();
    self::value(&mut out, value);
    String::from_utf8(out).unwrap_or_default()
}
