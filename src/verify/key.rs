//! A public key that signs digests, and its verdict on a signature (CloudTrail formats 5.2, 5.4).
//!
//! RSASSA-PKCS1-v1_5 by ring. Keys come as PKCS#1 `RSAPublicKey`, as the API promises, or as SubjectPublicKeyInfo, as some
//! published ones are. Which keys are to be trusted is decided where they come from: CloudTrail's API, or a file whose
//! fingerprints were checked.

use jiff::Timestamp;
use md5::{Digest as _, Md5};
use ring::signature::{self, RsaParameters, UnparsedPublicKey};

/// A key and the time in which it signs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// PKCS#1 or SubjectPublicKeyInfo.
    pub der: Vec<u8>,
    /// As the source of the key states it.
    pub fingerprint: String,
    pub valid_from: Option<Timestamp>,
    pub valid_to: Option<Timestamp>,
}

/// What a key says about a signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signed {
    /// SHA256withRSA, as CloudTrail signs.
    Well,
    /// A signature by this key, but over another hash than SHA-256.
    OtherHash,
    Badly,
    /// The key cannot be used.
    NoKey,
}

/// How a key is wrapped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    Pkcs1,
    Spki,
    Unknown,
}

/// Algorithms that a signature block may name besides SHA-256: one of the AWS CLI's two generations takes them.
static OTHERS: [&RsaParameters; 3] = [
    &signature::RSA_PKCS1_1024_8192_SHA1_FOR_LEGACY_USE_ONLY,
    &signature::RSA_PKCS1_1024_8192_SHA512_FOR_LEGACY_USE_ONLY,
    &signature::RSA_PKCS1_2048_8192_SHA384,
];

impl Key {
    /// Lower-case hex MD5 of the DER: what a fingerprint is (measured on AWS's published keys).
    pub fn computed_fingerprint(&self) -> String {
        hex(&Md5::digest(&self.der))
    }

    /// Whether the stated fingerprint is the key's, in either case.
    pub fn is_its_fingerprint(&self) -> bool {
        self.fingerprint.eq_ignore_ascii_case(&self.computed_fingerprint())
    }

    pub fn form(&self) -> Form {
        match (rsa_modulus(&self.der), spki_key(&self.der)) {
            (Some(_), _) => Form::Pkcs1,
            (None, Some(_)) => Form::Spki,
            (None, None) => Form::Unknown,
        }
    }

    /// Whether the key was valid at any moment from `from` to `to`.
    pub fn is_valid_within(&self, from: Timestamp, to: Timestamp) -> bool {
        self.valid_from.is_none_or(|start| start <= to) && self.valid_to.is_none_or(|end| end >= from)
    }

    /// Checks `signature` over `text`. The length of a key is AWS's choice; its keys have 2048 bits.
    pub fn judge(&self, text: &[u8], signature: &[u8]) -> Signed {
        let key = match self.form() {
            Form::Pkcs1 => self.der.as_slice(),
            Form::Spki => spki_key(&self.der).unwrap_or_default(),
            Form::Unknown => return Signed::NoKey,
        };
        let fits =
            |algorithm: &'static RsaParameters| UnparsedPublicKey::new(algorithm, key).verify(text, signature).is_ok();
        if fits(&signature::RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY) {
            Signed::Well
        } else if OTHERS.into_iter().any(fits) {
            Signed::OtherHash
        } else {
            Signed::Badly
        }
    }
}

/// Lower-case hex.
pub fn hex(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from(b"0123456789abcdef"[usize::from(nibble & 15)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(*byte)]).collect()
}

/// Why a text is not hex.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotHex {
    #[error("it has an odd number of digits")]
    OddLength,
    #[error("it holds characters that are no hex digits")]
    NoDigit,
}

/// Bytes of a hex text, in either case.
///
/// # Errors
/// [`NotHex`].
pub fn unhex(text: &str) -> Result<Vec<u8>, NotHex> {
    if !text.len().is_multiple_of(2) {
        return Err(NotHex::OddLength);
    }
    let nibble = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let pair = |pair: &[u8]| match pair {
        [high, low] => Some(nibble(*high)? << 4 | nibble(*low)?),
        _ => None,
    };
    text.as_bytes().chunks(2).map(pair).collect::<Option<Vec<u8>>>().ok_or(NotHex::NoDigit)
}

const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
/// `AlgorithmIdentifier` of rsaEncryption (RFC 8017, appendix A.1): OID 1.2.840.113549.1.1.1 and NULL.
const RSA_ENCRYPTION: [u8; 13] = [0x06, 0x09, 0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x01, 0x05, 0x00];

/// The modulus of a PKCS#1 `RSAPublicKey`.
fn rsa_modulus(der: &[u8]) -> Option<&[u8]> {
    let (content, _) = element(der, SEQUENCE)?;
    let (modulus, rest) = element(content, INTEGER)?;
    element(rest, INTEGER)?;
    Some(modulus)
}

/// The PKCS#1 key inside a SubjectPublicKeyInfo.
fn spki_key(der: &[u8]) -> Option<&[u8]> {
    let (content, _) = element(der, SEQUENCE)?;
    let (algorithm, rest) = element(content, SEQUENCE)?;
    let (bits, _) = element(rest, BIT_STRING)?;
    let key = bits.strip_prefix(&[0])?;
    (algorithm == RSA_ENCRYPTION && rsa_modulus(key).is_some()).then_some(key)
}

/// The content of a DER element of this type, and what follows it.
fn element(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (first, rest) = der.split_first()?;
    let (length, rest) = rest.split_first()?;
    if *first != tag {
        return None;
    }
    let (length, rest) = match length {
        0x00..=0x7F => (usize::from(*length), rest),
        0x81 | 0x82 => {
            let (bytes, rest) = rest.split_at_checked(usize::from(length & 0x7F))?;
            (bytes.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)), rest)
        }
        _ => return None,
    };
    rest.split_at_checked(length)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::verify::vector;
    use proptest::prelude::*;

    #[test]
    fn the_signed_vector() {
        let key = vector::key();
        assert_eq!(key.computed_fingerprint(), "8330b783b8f111b268492d4e4dc86c43");
        assert_eq!(key.form(), Form::Pkcs1);
        for (text, signature) in [vector::first(), vector::second()] {
            let signature = unhex(&signature).unwrap();
            assert_eq!(key.judge(text.as_bytes(), &signature), Signed::Well);
            assert_eq!(key.judge(format!("{text}\n").as_bytes(), &signature), Signed::Badly);
            assert_eq!(key.judge(text.as_bytes(), &signature[1..]), Signed::Badly);
        }
    }

    #[test]
    fn the_same_key_as_subject_public_key_info() {
        let pkcs1 = vector::key().der;
        let mut bits = vec![BIT_STRING, 0x82, 1, 0x0F, 0];
        bits.extend_from_slice(&pkcs1);
        let mut der = vec![SEQUENCE, 0x82, 1, 0x22, SEQUENCE, 13];
        der.extend_from_slice(&RSA_ENCRYPTION);
        der.extend_from_slice(&bits);
        assert_eq!(der.len(), 294, "as the published one");
        let key = Key { der, ..vector::key() };
        assert_eq!(key.form(), Form::Spki);
        let (text, signature) = vector::first();
        assert_eq!(key.judge(text.as_bytes(), &unhex(&signature).unwrap()), Signed::Well);
    }

    #[test]
    fn validity_is_closed_at_both_ends() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let key = Key { valid_from: Some(at(100)), valid_to: Some(at(200)), ..vector::key() };
        assert!(key.is_valid_within(at(200), at(300)) && key.is_valid_within(at(0), at(100)));
        assert!(!key.is_valid_within(at(201), at(300)) && !key.is_valid_within(at(0), at(99)));
    }

    #[test]
    fn hex_is_read_in_either_case() {
        assert_eq!(unhex("00fFA1"), Ok(vec![0, 255, 161]));
        assert_eq!(unhex("abc"), Err(NotHex::OddLength));
        assert_eq!(unhex("zz"), Err(NotHex::NoDigit));
        assert_eq!(hex(&[0, 255, 161]), "00ffa1");
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(mut bytes in prop::collection::vec(any::<u8>(), 0..400), at in 0usize..270, new: u8) {
            let _ = Key { der: bytes.clone(), ..vector::key() }.judge(b"text", &bytes);
            bytes = vector::key().der;
            bytes[at] = new;
            let _ = Key { der: bytes, ..vector::key() }.judge(b"text", &[0; 256]);
        }
    }
}
