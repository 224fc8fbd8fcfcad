//! `allowed_buckets`: the buckets that may be read, whatever the messages of the queue name.
//!
//! Whoever may write to the queue chooses what is read with this identity's permissions; this list takes the choice back.

use crate::config::types::Malformed;
use regex::Regex;
use serde::{Deserialize, Serialize};

/// The list. Without an entry every bucket is allowed.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize)]
#[serde(transparent)]
pub struct AllowedBuckets(Vec<BucketName>);

/// A bucket's name or ARN, with `*` for any characters.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct BucketName {
    written: String,
    expression: Regex,
}

impl AllowedBuckets {
    /// Whether objects of this bucket may be read.
    pub fn contain(&self, bucket: &str) -> bool {
        self.0.is_empty() || self.0.iter().any(|name| name.expression.is_match(bucket))
    }
}

impl TryFrom<String> for BucketName {
    type Error = Malformed;

    fn try_from(written: String) -> Result<BucketName, Malformed> {
        let malformed = || {
            let message = format!("`{written}` is not the name or ARN of a bucket");
            Malformed::new(message, "write such as `my-trail`, `arn:aws:s3:::my-trail` or `my-trail-*`")
        };
        // arn:<partition>:s3:::<name>, as S3 writes it: neither region nor account.
        let name = match written.strip_prefix("arn:") {
            Some(rest) => {
                rest.split_once(":s3:::").filter(|(partition, _)| !partition.contains(':')).map(|(_, name)| name)
            }
            None => Some(written.as_str()),
        };
        let name = name.ok_or_else(malformed)?;
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | '*');
        if name.is_empty() || !name.chars().all(fits) {
            return Err(malformed());
        }
        let expression = name.split('*').map(regex::escape).collect::<Vec<_>>().join(".*");
        let expression = Regex::new(&format!("^(?s:{expression})$")).map_err(|_| malformed())?;
        Ok(BucketName { written, expression })
    }
}

impl From<BucketName> for String {
    fn from(name: BucketName) -> String {
        name.written
    }
}

impl PartialEq for BucketName {
    fn eq(&self, other: &BucketName) -> bool {
        self.written == other.written
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn names_arns_and_stars() {
        for (list, bucket, expected) in [
            (json!([]), "any", true),
            (json!(["trail"]), "trail", true),
            (json!(["trail"]), "trail-of-mallory", false),
            (json!(["trail"]), "my-trail", false),
            (json!(["other", "arn:aws:s3:::trail"]), "trail", true),
            (json!(["arn:aws-us-gov:s3:::trail-*"]), "trail-eu", true),
            (json!(["trail-*"]), "trail-", true),
            (json!(["trail-*"]), "trail", false),
            (json!(["*-trail-*"]), "a-trail-b-c", true),
            (json!(["a.b"]), "aXb", false),
            (json!(["*"]), "x\ny", true),
            (json!(["trail"]), "trail\n", false),
            (json!(["trail"]), "", false),
        ] {
            let allowed: AllowedBuckets = serde_json::from_value(list.clone()).unwrap();
            assert_eq!(allowed.contain(bucket), expected, "{list} {bucket:?}");
            assert_eq!(serde_json::to_value(&allowed).unwrap(), list, "as it was written");
        }
    }

    #[test]
    fn what_names_no_bucket_is_refused() {
        for written in [
            "",
            "s3://trail",
            "trail/AWSLogs",
            "arn:aws:s3:::trail/*",
            "arn:aws:sqs:eu-west-1:1:q",
            "arn:aws:s3:::",
            "[a-z]",
            "a b",
        ] {
            let refused = BucketName::try_from(written.to_owned()).unwrap_err();
            assert!(refused.message().contains("is not the name or ARN of a bucket"), "{refused}");
        }
    }
}
