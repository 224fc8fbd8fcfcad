//! An Amazon Resource Name, taken apart.
//!
//! `arn:partition:service:region:account:resource`, as "Amazon Resource Names (ARNs)" in the AWS
//! IAM guide has it. Region and account may be empty (S3 buckets, IAM roles); the resource may hold
//! further colons. Checks the shape only, not whether such a thing exists.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Malformed, deserialize_text};

/// A parsed Amazon Resource Name.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Arn {
    text: String,
    /// Byte positions of the five colons.
    colons: [usize; 5],
}

const HINT: &str =
    "an ARN has six parts: `arn:partition:service:region:account:resource`, such as `arn:aws:s3:::my-trail`";

impl Arn {
    /// The whole text.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The partition, such as `aws`, `aws-cn` or `aws-us-gov`.
    pub fn partition(&self) -> &str {
        self.part(0)
    }

    /// The service, such as `s3` or `iam`.
    pub fn service(&self) -> &str {
        self.part(1)
    }

    /// The region, or nothing for services without one.
    pub fn region(&self) -> &str {
        self.part(2)
    }

    /// The account of twelve digits, `aws` for things that AWS itself owns, or nothing.
    pub fn account(&self) -> &str {
        self.part(3)
    }

    /// All that follows the account, further colons included.
    pub fn resource(&self) -> &str {
        self.text.get(self.colons[4] + 1..).unwrap_or_default()
    }

    fn part(&self, index: usize) -> &str {
        self.text.get(self.colons[index] + 1..self.colons[index + 1]).unwrap_or_default()
    }
}

impl FromStr for Arn {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let malformed = |why: &str| Malformed::new(format!("`{text}` is not an ARN: {why}"), HINT);
        let trimmed = text.trim();
        if !trimmed.starts_with("arn:") {
            return Err(malformed("it does not begin with `arn:`"));
        }
        let mut colons = [0; 5];
        let mut found = trimmed.match_indices(':');
        for colon in &mut colons {
            *colon = found.next().map(|(at, _)| at).ok_or_else(|| malformed("it has fewer than six parts"))?;
        }
        let arn = Self { text: trimmed.to_owned(), colons };
        if trimmed.contains(|c: char| c.is_whitespace() || c.is_control()) {
            return Err(malformed("it holds a space"));
        }
        if arn.partition().is_empty() {
            return Err(malformed("its partition is empty"));
        }
        if arn.service().is_empty() {
            return Err(malformed("its service is empty"));
        }
        if arn.resource().is_empty() {
            return Err(malformed("its resource is empty"));
        }
        let account = arn.account();
        let digits = account.len() == 12 && account.bytes().all(|b| b.is_ascii_digit());
        if !account.is_empty() && account != "aws" && !digits {
            return Err(malformed("its account is not twelve digits"));
        }
        Ok(arn)
    }
}

impl fmt::Display for Arn {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

impl fmt::Debug for Arn {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

impl Serialize for Arn {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for Arn {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserialize_text(deserializer, "an ARN")
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn takes_an_arn_apart() {
        let arn: Arn = "arn:aws-cn:logs:cn-north-1:111122223333:log-group:/aws/cloudtrail:*".parse().unwrap();
        assert_eq!(arn.partition(), "aws-cn");
        assert_eq!(arn.service(), "logs");
        assert_eq!(arn.region(), "cn-north-1");
        assert_eq!(arn.account(), "111122223333");
        assert_eq!(arn.resource(), "log-group:/aws/cloudtrail:*");
    }

    #[test]
    fn region_and_account_may_be_empty() {
        let arn: Arn = "arn:aws:s3:::my-trail".parse().unwrap();
        assert_eq!((arn.region(), arn.account()), ("", ""));
        assert_eq!(arn.resource(), "my-trail");
        let policy: Arn = "arn:aws:iam::aws:policy/ReadOnlyAccess".parse().unwrap();
        assert_eq!(policy.account(), "aws");
    }

    #[test]
    fn says_what_is_wrong() {
        let why = |text: &str| text.parse::<Arn>().unwrap_err().message().to_owned();
        assert_eq!(why("my-trail"), "`my-trail` is not an ARN: it does not begin with `arn:`");
        assert_eq!(why("arn:aws:s3"), "`arn:aws:s3` is not an ARN: it has fewer than six parts");
        assert_eq!(why("arn:aws:s3:::"), "`arn:aws:s3:::` is not an ARN: its resource is empty");
        assert_eq!(why("arn:aws::::x"), "`arn:aws::::x` is not an ARN: its service is empty");
        assert_eq!(why("arn::s3:::x"), "`arn::s3:::x` is not an ARN: its partition is empty");
        assert_eq!(
            why("arn:aws:iam::1234:role/x"),
            "`arn:aws:iam::1234:role/x` is not an ARN: its account is not twelve digits"
        );
        assert_eq!(why("arn:aws:s3:::a b"), "`arn:aws:s3:::a b` is not an ARN: it holds a space");
    }
}
