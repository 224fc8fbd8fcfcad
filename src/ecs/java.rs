//! Values as Java prints them: `toString` of a parsed payload, with the key order of a `HashMap` (ECS mapping 5).
//!
//! Detection rules take these strings apart by position, so the order is part of the contract. Not emulated: buckets
//! with nine or more keys, which Java turns into trees.

use crate::record::json::{Kind, Number, Text, Value, write};

/// Appends the Java text of `value` as the inside of a JSON string; a member `left_out` of the outermost object does
/// not show, but still counts for the order.
pub fn escaped(out: &mut Vec<u8>, value: Value<'_>, left_out: Option<&str>) {
    print(&mut Escaped(out), value, left_out);
}

/// The Java text of `value`.
pub fn text(value: Value<'_>) -> String {
    let mut plain = String::new();
    print(&mut plain, value, None);
    plain
}

/// Length of the Java text of `value` in UTF-16 code units.
pub fn units(value: Value<'_>, left_out: Option<&str>) -> usize {
    let mut units = Units(0);
    print(&mut units, value, left_out);
    units.0
}

/// The place of a key in a `HashMap` whose table has `capacity` buckets.
pub fn bucket(key: &str, capacity: u32) -> u32 {
    let step = |hash: u32, unit: u32| hash.wrapping_mul(31).wrapping_add(unit);
    let hash = if key.is_ascii() {
        let (words, rest) = key.as_bytes().as_chunks::<4>();
        // Four steps at once: the multiplications need not wait for each other.
        let four = |hash: u32, w: &[u8; 4]| {
            hash.wrapping_mul(31 * 31 * 31 * 31).wrapping_add(
                u32::from(w[0]) * (31 * 31 * 31) + u32::from(w[1]) * (31 * 31) + u32::from(w[2]) * 31 + u32::from(w[3]),
            )
        };
        rest.iter().fold(words.iter().fold(0, four), |hash, &byte| step(hash, u32::from(byte)))
    } else {
        key.encode_utf16().fold(0, |hash, unit| step(hash, u32::from(unit)))
    };
    (hash ^ hash >> 16) & (capacity - 1)
}

/// Buckets of a `HashMap` that has been given `keys` keys one by one: 16, doubled each time three quarters are
/// exceeded.
pub fn capacity(keys: usize) -> u32 {
    let mut capacity = 16u32;
    while keys > capacity as usize / 4 * 3 && capacity < 1 << 30 {
        capacity *= 2;
    }
    capacity
}

/// Where Java text goes.
trait Sink {
    fn text(&mut self, text: Text<'_>);
    /// Text without anything that JSON escapes.
    fn plain(&mut self, text: &str);
}

struct Escaped<'o>(&'o mut Vec<u8>);
struct Units(usize);

impl Sink for Escaped<'_> {
    fn text(&mut self, text: Text<'_>) {
        if text.verbatim {
            self.0.extend_from_slice(text.text.as_bytes());
        } else {
            write::escaped(self.0, text.text);
        }
    }

    fn plain(&mut self, text: &str) {
        self.0.extend_from_slice(text.as_bytes());
    }
}

impl Sink for String {
    fn text(&mut self, text: Text<'_>) {
        self.push_str(text.text);
    }

    fn plain(&mut self, text: &str) {
        self.push_str(text);
    }
}

impl Sink for Units {
    fn text(&mut self, text: Text<'_>) {
        self.0 += text.text.encode_utf16().count();
    }

    fn plain(&mut self, text: &str) {
        self.0 += text.len();
    }
}

fn print(sink: &mut impl Sink, value: Value<'_>, left_out: Option<&str>) {
    match value.kind() {
        Kind::Null => sink.plain("null"),
        Kind::Bool(true) => sink.plain("true"),
        Kind::Bool(false) => sink.plain("false"),
        Kind::Number(number) => print_number(sink, number),
        Kind::String(text) => sink.text(text),
        Kind::List(list) => {
            sink.plain("[");
            for (i, element) in list.elements().enumerate() {
                if i > 0 {
                    sink.plain(", ");
                }
                print(sink, element, None);
            }
            sink.plain("]");
        }
        Kind::Object(object) => print_object(sink, object, left_out),
    }
}

fn print_object(sink: &mut impl Sink, object: Value<'_>, left_out: Option<&str>) {
    const FEW: usize = 16;
    let capacity = capacity(object.keys_in_text());
    let members = || object.members().filter(|(key, _)| left_out != Some(key.text));
    sink.plain("{");
    // An object of one or two members, the most frequent kind, needs no table either; it takes the same way.
    if object.len() <= FEW {
        let mut order = [(u32::MAX, 0u8); FEW];
        let mut table = [None; FEW];
        let mut count = 0;
        for ((place, slot), (key, member)) in order.iter_mut().zip(&mut table).zip(members()) {
            *place = (bucket(key.text, capacity), count);
            *slot = Some((key, member));
            count += 1;
        }
        let order = &mut order[..usize::from(count)];
        order.sort_unstable();
        let sorted = order.iter().filter_map(|&(_, at)| table.get(usize::from(at)).copied().flatten());
        print_members(sink, sorted);
    } else {
        let mut table: Vec<_> = members().map(|member| (bucket(member.0.text, capacity), member)).collect();
        table.sort_by_key(|&(bucket, _)| bucket);
        print_members(sink, table.into_iter().map(|(_, member)| member));
    }
    sink.plain("}");
}

fn print_members<'t>(sink: &mut impl Sink, members: impl Iterator<Item = (Text<'t>, Value<'t>)>) {
    for (i, (key, member)) in members.enumerate() {
        if i > 0 {
            sink.plain(", ");
        }
        sink.text(key);
        sink.plain("=");
        print(sink, member, None);
    }
}

fn print_number(sink: &mut impl Sink, number: Number<'_>) {
    if number.integer {
        sink.plain(if number.text == "-0" { "0" } else { number.text });
    } else {
        sink.plain(&double(number.as_f64()));
    }
}

/// A double as Java's `Double.toString` prints it: shortest digits that come back, at least one behind the point, and
/// an exponent from 10^7 on and below 10^-3.
fn double(number: f64) -> String {
    let size = number.abs();
    if number.is_nan() {
        return "NaN".to_string();
    }
    if number.is_infinite() {
        return if number < 0.0 { "-Infinity" } else { "Infinity" }.to_string();
    }
    if size == 0.0 || (1e-3..1e7).contains(&size) {
        return format!("{number:?}");
    }
    let shortest = format!("{number:E}");
    if shortest.contains('.') {
        return shortest;
    }
    // Java wants two digits and takes those nearest to the number: 4.9E-324, not 5.0E-324.
    let two = format!("{number:.1E}");
    if two.parse() == Ok(number) { two } else { shortest.replace('E', ".0E") }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::record::json::{Blanks, Tape};

    fn java(json: &str) -> String {
        text(Tape::default().parse(json.as_bytes(), Blanks::Dropped).unwrap())
    }

    /// `{"a":0,..}` for the keys, and the keys as Java orders them.
    fn ordered(keys: &[&str]) -> Vec<String> {
        let members: Vec<String> = keys.iter().map(|key| format!("\"{key}\":0")).collect();
        let text = java(&format!("{{{}}}", members.join(",")));
        text.trim_matches(['{', '}']).split(", ").map(|member| member.trim_end_matches("=0").to_string()).collect()
    }

    #[test]
    fn key_order_vectors() {
        const K: &str = "x-amz-server-side-encryption-aws-kms-key-id";
        const SSE: &str = "x-amz-server-side-encryption";
        for (input, output) in [
            (&["MobileVersion", "LoginTo", "MFAUsed"][..], &["LoginTo", "MobileVersion", "MFAUsed"][..]),
            (&["roleArn", "roleSessionName", "durationSeconds"], &["durationSeconds", "roleArn", "roleSessionName"]),
            (&["credentials", "assumedRoleUser"], &["assumedRoleUser", "credentials"]),
            (&["accessKeyId", "expiration", "sessionToken"], &["accessKeyId", "sessionToken", "expiration"]),
            (
                &["fingerprint", "status", "uploadDate", "userName", "sSHPublicKeyId", "sSHPublicKeyBody"],
                &["sSHPublicKeyBody", "sSHPublicKeyId", "uploadDate", "fingerprint", "userName", "status"],
            ),
            (&["bucketName", "Host", "key"], &["bucketName", "Host", "key"]),
            (&["key", "Host", "bucketName"], &["bucketName", "Host", "key"]),
            (&["Host", "bucketName", "key"], &["bucketName", "Host", "key"]),
            (&["quotaCode", "serviceCode"], &["serviceCode", "quotaCode"]),
            (&["targets", "documentName", "interactive"], &["interactive", "documentName", "targets"]),
            (
                &["bucketName", K, "Host", SSE, "x-amz-copy-source", "key"],
                &["bucketName", K, "Host", SSE, "x-amz-copy-source", "key"],
            ),
            (
                &["bucketName", "Host", K, SSE, "x-amz-copy-source", "key"],
                &["bucketName", "Host", K, SSE, "x-amz-copy-source", "key"],
            ),
        ] {
            assert_eq!(ordered(input), output, "{input:?}");
        }
    }

    #[test]
    fn capacity_doubles_above_three_quarters() {
        for (keys, expected) in [(0, 16), (12, 16), (13, 32), (24, 32), (25, 64), (48, 64), (49, 128)] {
            assert_eq!(capacity(keys), expected, "{keys} keys");
        }
    }

    #[test]
    fn keys_are_counted_as_they_stood_in_the_text() {
        // Bucket 23 of 32 is bucket 7 of 16: with 13 keys in the text `h` (104 = 8 mod 16, 8 mod 32) and `w` (119 = 7
        // mod 16, 23 mod 32) change places.
        assert_eq!(java(r#"{"h":1,"w":2}"#), "{w=2, h=1}");
        let blanks: String = (0..11).map(|i| format!("\"blank{i}\":\"\",")).collect();
        assert_eq!(java(&format!("{{{blanks}\"h\":1,\"w\":2}}")), "{h=1, w=2}");
    }

    #[test]
    fn keys_outside_ascii_are_hashed_by_utf_16_unit() {
        // "ä" is 228 = 4 mod 16; "😀" is 0xD83D, 0xDE00: 31 * 0xD83D + 0xDE00 = 0x1B0D63, spread 0x1B0D78, 8 mod 16.
        assert_eq!(bucket("ä", 16), 4);
        assert_eq!(bucket("😀", 16), 8);
        assert_eq!(java(r#"{"\uD83D\uDE00":1,"ä":2}"#), "{ä=2, 😀=1}");
    }

    #[test]
    fn values_print_as_in_java() {
        for (json, expected) in [
            (r#"[1,"a b",true,false,{"k":[{"x":1}]}]"#, "[1, a b, true, false, {k=[{x=1}]}]"),
            (r#"["a\"b\\c\nd"]"#, "[a\"b\\c\nd]"),
            ("[123456789012345678901234567890,-0,-7]", "[123456789012345678901234567890, 0, -7]"),
            (
                "[2.0,1e7,9999999.0,1E6,0.001,0.0001,-0.0,0.0]",
                "[2.0, 1.0E7, 9999999.0, 1000000.0, 0.001, 1.0E-4, -0.0, 0.0]",
            ),
            ("[1.5e300,123456789.125,2e23,1e-5,0.1]", "[1.5E300, 1.23456789125E8, 2.0E23, 1.0E-5, 0.1]"),
            ("[5e-324,1e400,-1e400,100.25]", "[4.9E-324, Infinity, -Infinity, 100.25]"),
            ("\"alone\"", "alone"),
            ("17", "17"),
        ] {
            assert_eq!(java(json), expected, "{json}");
        }
    }

    #[test]
    fn a_member_left_out_still_counts_for_the_order() {
        let mut tape = Tape::default();
        let value = tape.parse(br#"{"b":"\"","a":"x"}"#, Blanks::Dropped).unwrap();
        let mut out = Vec::new();
        escaped(&mut out, value, Some("a"));
        assert_eq!(out, br#"{b=\"}"#);
        assert_eq!(units(value, Some("a")), 5);
        assert_eq!(units(value, None), 10);
    }

    #[test]
    fn more_members_than_fit_on_the_stack() {
        let keys: Vec<String> = (0..40).map(|i| format!("{}", char::from(b'0' + i))).collect();
        let keys: Vec<&str> = keys.iter().map(String::as_str).rev().filter(|key| *key != "=").collect();
        // One-character keys hash to their code, and 39 keys make 64 buckets: the order is code mod 64.
        let mut expected = keys.clone();
        expected.sort_by_key(|key| key.as_bytes()[0] % 64);
        assert_eq!(ordered(&keys), expected);
    }
}
