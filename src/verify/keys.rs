//! The keys that may be trusted: answers of ListPublicKeys, or a key ring in a file for work without a network.
//!
//! A key ring is checked when it is read: a key whose fingerprint is not that of its bytes is refused, so that whoever
//! writes down the fingerprints elsewhere notices a file that was changed.

use super::key::{Form, Key};
use super::moment::{self, Offsets};
use aws_smithy_types::base64;
use jiff::Timestamp;
use serde_json::Value;
use std::collections::BTreeMap;

/// The keys of a key ring that is not bound to regions.
const ANY: &str = "*";

/// Keys by region, from a file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct KeyRing {
    regions: BTreeMap<String, Vec<Key>>,
}

/// Why a key ring cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadKeyRing {
    #[error("the key ring is not JSON: {0}; write the answer of `aws cloudtrail list-public-keys`")]
    NotJson(String),
    #[error(
        "the key ring holds no keys; write the answer of `aws cloudtrail list-public-keys`, or an object of such answers by region"
    )]
    Empty,
    #[error("key {number} of the key ring (`{fingerprint}`) cannot be used: {reason}")]
    Key { number: usize, fingerprint: String, reason: String },
}

impl KeyRing {
    /// Reads `{"PublicKeyList": [...]}` as ListPublicKeys answers, a bare list, or an object of either by region. A key has
    /// `Value` (base64 DER), `Fingerprint` and, if its time is to be checked, `ValidityStartTime` and `ValidityEndTime`
    /// (seconds since 1970, or ISO 8601).
    ///
    /// # Errors
    /// [`BadKeyRing`], also for a fingerprint that is not the key's.
    pub fn parse(text: &[u8]) -> Result<KeyRing, BadKeyRing> {
        // Some shells write one.
        let text = text.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(text);
        let value: Value = serde_json::from_slice(text).map_err(|error| BadKeyRing::NotJson(error.to_string()))?;
        let mut regions = BTreeMap::new();
        match list(&value) {
            Some(keys) => {
                regions.insert(ANY.to_owned(), read(keys)?);
            }
            None => {
                for (region, keys) in value.as_object().into_iter().flatten() {
                    if let Some(keys) = list(keys) {
                        regions.insert(region.clone(), read(keys)?);
                    }
                }
            }
        }
        if regions.values().all(Vec::is_empty) {
            return Err(BadKeyRing::Empty);
        }
        Ok(KeyRing { regions })
    }

    /// The keys of a region that are valid at any moment from `from` to `to`, as ListPublicKeys answers.
    pub fn between(&self, region: &str, from: Timestamp, to: Timestamp) -> Vec<Key> {
        let keys = [ANY, region].into_iter().filter_map(|region| self.regions.get(region));
        keys.flatten().filter(|key| key.is_valid_within(from, to)).cloned().collect()
    }
}

fn list(value: &Value) -> Option<&Vec<Value>> {
    value.as_array().or_else(|| value.get("PublicKeyList")?.as_array())
}

fn read(keys: &[Value]) -> Result<Vec<Key>, BadKeyRing> {
    keys.iter().enumerate().map(|(n, key)| read_key(n + 1, key)).collect()
}

fn read_key(number: usize, key: &Value) -> Result<Key, BadKeyRing> {
    let fingerprint = key["Fingerprint"].as_str().unwrap_or_default().to_owned();
    let refused = |reason: String| BadKeyRing::Key { number, fingerprint: fingerprint.clone(), reason };
    let Some(value) = key["Value"].as_str() else {
        return Err(refused("it has no `Value`".to_owned()));
    };
    let value: String = value.split_ascii_whitespace().collect();
    let der = base64::decode(value).map_err(|_| refused("its `Value` is not base64".to_owned()))?;
    let time = |name: &str| match &key[name] {
        Value::Null => Ok(None),
        value => time(value).map(Some).ok_or_else(|| refused(format!("its `{name}` is not a time"))),
    };
    let (valid_from, valid_to) = (time("ValidityStartTime")?, time("ValidityEndTime")?);
    let key = Key { der, fingerprint: fingerprint.clone(), valid_from, valid_to };
    if key.form() == Form::Unknown {
        return Err(refused("its `Value` is neither a PKCS#1 nor a SubjectPublicKeyInfo RSA key".to_owned()));
    }
    if !key.is_its_fingerprint() {
        return Err(refused(format!("the fingerprint of its `Value` is `{}`", key.computed_fingerprint())));
    }
    Ok(key)
}

fn time(value: &Value) -> Option<Timestamp> {
    match value {
        Value::Number(number) => {
            let seconds = number.as_i64().or_else(|| number.as_f64().map(|seconds| seconds.floor() as i64))?;
            Timestamp::from_second(seconds).ok()
        }
        Value::String(text) => moment::parse(text, Offsets::Convert).ok(),
        _ => None,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::verify::vector;
    use serde_json::json;

    const FINGERPRINT: &str = "8330b783b8f111b268492d4e4dc86c43";

    fn key() -> Value {
        json!({"Value": vector::KEY, "Fingerprint": FINGERPRINT, "ValidityStartTime": 1_772_300_000.5, "ValidityEndTime": "2026-03-30T00:00:00+00:00"})
    }

    fn parse(value: &Value) -> Result<KeyRing, BadKeyRing> {
        KeyRing::parse(value.to_string().as_bytes())
    }

    #[test]
    fn a_key_ring_by_region_or_for_all() {
        let at = |second| Timestamp::from_second(second).unwrap();
        for (value, regions) in [
            (json!({"PublicKeyList": [key()]}), vec!["us-east-1", "eu-west-1"]),
            (json!([key()]), vec!["us-east-1", "eu-west-1"]),
            (json!({"eu-west-1": {"PublicKeyList": [key()]}, "us-east-1": []}), vec!["eu-west-1"]),
        ] {
            let ring = parse(&value).unwrap();
            for region in ["us-east-1", "eu-west-1"] {
                let found = ring.between(region, at(1_772_300_000), at(1_772_300_001));
                assert_eq!(found.len(), usize::from(regions.contains(&region)), "{value} {region}");
                assert_eq!(ring.between(region, at(0), at(1_772_299_999)), []);
            }
        }
    }

    #[test]
    fn a_key_ring_as_people_keep_it() {
        let mut folded = key();
        folded["Fingerprint"] = json!(FINGERPRINT.to_uppercase());
        folded["Value"] = json!(vector::KEY.replace("Iv", "I\nv"));
        let text = format!("\u{feff}{}", json!([folded, key()]));
        let ring = KeyRing::parse(text.as_bytes()).unwrap();
        let at = Timestamp::from_second(1_772_300_000).unwrap();
        let found = ring.between("us-east-1", at, at);
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].der, found[1].der);
    }

    #[test]
    fn a_key_ring_that_was_changed_is_refused() {
        let with = |name: &str, value: Value| {
            let mut key = key();
            key[name] = value;
            json!([key])
        };
        for (value, said) in [
            (
                with("Fingerprint", json!("8330b783b8f111b268492d4e4dc86c44")),
                "the fingerprint of its `Value` is `8330b783b8f111b268492d4e4dc86c43`",
            ),
            (with("Value", json!("!")), "not base64"),
            (with("Value", json!("AAAA")), "neither"),
            (with("Value", Value::Null), "no `Value`"),
            (with("ValidityEndTime", json!("soon")), "`ValidityEndTime` is not a time"),
            (json!([]), "holds no keys"),
            (json!("x"), "holds no keys"),
        ] {
            let error = parse(&value).unwrap_err().to_string();
            assert!(error.contains(said), "{error}");
        }
        assert!(matches!(KeyRing::parse(b"{"), Err(BadKeyRing::NotJson(_))));
    }
}
