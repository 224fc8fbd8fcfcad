//! Identifiers of rules: the same on every run and in every version, so that an import replaces what it once made.

use ring::digest;

/// Space of our names: version 5 of `trailship.detection-rules` in the space of DNS names (RFC 9562, 6.6).
const SPACE: [u8; 16] =
    [0x97, 0xbc, 0x4a, 0x76, 0xf0, 0x59, 0x59, 0x49, 0xa2, 0x11, 0x7b, 0x60, 0x32, 0x6f, 0x44, 0xbe];

/// The identifier of a rule: UUID version 5 of its name (RFC 9562, 5.5).
pub fn rule_id(id: &str) -> String {
    let mut hash = digest::Context::new(&digest::SHA1_FOR_LEGACY_USE_ONLY);
    hash.update(&SPACE);
    hash.update(id.as_bytes());
    let hash = hash.finish();
    let mut text = String::with_capacity(36);
    for (place, byte) in hash.as_ref().iter().take(16).enumerate() {
        let byte = match place {
            6 => byte & 0x0f | 0x50,
            8 => byte & 0x3f | 0x80,
            _ => *byte,
        };
        if matches!(place, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        text.extend([byte >> 4, byte & 0x0f].map(|digit| char::from_digit(u32::from(digit), 16).unwrap_or('0')));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::rule_id;

    /// Expected values are those of Python's `uuid.uuid5`.
    #[test]
    fn identifiers_are_version_5() {
        assert_eq!(rule_id("root-activity"), "859b7ab3-2976-5666-84a0-89942265b60d");
        assert_eq!(rule_id(""), "196623f5-9b49-59fc-8f57-c1eb11d369b0");
    }
}
