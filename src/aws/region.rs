//! Regions: read from a queue's URL, checked before they become part of a host name, and their partitions.

use crate::config::types::HttpUrl;

/// Where the host of a queue URL lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum QueueHost {
    /// A public endpoint of AWS: the SDK knows the same one by its region.
    Aws { region: String },
    /// A VPC endpoint, which only the URL names.
    VpcEndpoint { region: String },
    /// Not AWS's, or a form of AWS's that names no region.
    Other,
}

impl QueueHost {
    /// Reads the host of a queue's URL: `sqs.REGION.DOMAIN` (also `sqs-fips` and the older `REGION.queue.DOMAIN`) and
    /// `VPCE.sqs.REGION.vpce.DOMAIN`, where the domain is one of AWS's.
    pub fn of(url: &HttpUrl) -> QueueHost {
        let host = url.host().to_ascii_lowercase();
        let Some(name) = DOMAINS.iter().find_map(|domain| host.strip_suffix(domain)?.strip_suffix('.')) else {
            return QueueHost::Other;
        };
        let labels: Vec<&str> = name.split('.').collect();
        let (region, vpc) = match labels.as_slice() {
            ["sqs" | "sqs-fips", region] | [region, "queue"] => (*region, false),
            [_, "sqs", region, "vpce"] => (*region, true),
            _ => return QueueHost::Other,
        };
        match (is_region(region), vpc) {
            (false, _) => QueueHost::Other,
            (true, true) => QueueHost::VpcEndpoint { region: region.to_owned() },
            (true, false) => QueueHost::Aws { region: region.to_owned() },
        }
    }

    /// The region that the host names.
    pub fn region(&self) -> Option<&str> {
        match self {
            QueueHost::Aws { region } | QueueHost::VpcEndpoint { region } => Some(region),
            QueueHost::Other => None,
        }
    }
}

/// Domains of AWS's partitions, the longer before the shorter that ends like it.
const DOMAINS: [&str; 7] = [
    "amazonaws.com.cn",
    "amazonaws.com",
    "api.amazonwebservices.com.cn",
    "api.aws",
    "amazonaws.eu",
    "c2s.ic.gov",
    "sc2s.sgov.gov",
];

/// Whether a text has the form of a region (`eu-west-1`, `us-gov-east-1`), so that it may become part of a host name.
pub fn is_region(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let parts = text.split('-').count();
    (5..=32).contains(&text.len())
        && text.bytes().all(plain)
        && (3..=6).contains(&parts)
        && text.split('-').all(|part| !part.is_empty())
        && text.ends_with(|last: char| last.is_ascii_digit())
}

/// The partition in ARNs of a region.
pub fn partition(region: &str) -> &'static str {
    PARTITIONS.iter().find(|(prefix, ..)| region.starts_with(prefix)).map_or("aws", |(_, partition, _)| partition)
}

/// The domain of S3 in a region.
pub fn domain(region: &str) -> &'static str {
    PARTITIONS.iter().find(|(prefix, ..)| region.starts_with(prefix)).map_or("amazonaws.com", |(_, _, domain)| domain)
}

const PARTITIONS: [(&str, &str, &str); 5] = [
    ("cn-", "aws-cn", "amazonaws.com.cn"),
    ("us-gov-", "aws-us-gov", "amazonaws.com"),
    ("us-isob-", "aws-iso-b", "sc2s.sgov.gov"),
    ("us-iso-", "aws-iso", "c2s.ic.gov"),
    ("eusc-", "aws-eusc", "amazonaws.eu"),
];

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_host_of_a_queue_names_its_region() {
        let aws = |region: &str| QueueHost::Aws { region: region.to_owned() };
        for (url, expected) in [
            ("https://sqs.eu-west-1.amazonaws.com/111122223333/q", aws("eu-west-1")),
            ("https://SQS.EU-WEST-1.amazonaws.com/111122223333/q", aws("eu-west-1")),
            ("https://sqs.cn-north-1.amazonaws.com.cn/111122223333/q", aws("cn-north-1")),
            ("https://sqs-fips.us-gov-east-1.amazonaws.com/111122223333/q", aws("us-gov-east-1")),
            ("https://sqs.eu-west-1.api.aws/111122223333/q", aws("eu-west-1")),
            ("https://eu-west-1.queue.amazonaws.com/111122223333/q", aws("eu-west-1")),
            (
                "https://vpce-0a1b2c-x9.sqs.us-east-2.vpce.amazonaws.com/1/q",
                QueueHost::VpcEndpoint { region: "us-east-2".to_owned() },
            ),
            ("https://queue.amazonaws.com/111122223333/q", QueueHost::Other),
            ("http://127.0.0.1:5000/123456789012/q", QueueHost::Other),
            ("https://sqs.eu-west-1.amazonaws.com.example.org/1/q", QueueHost::Other),
            ("https://sqs.eu-west-1.evil-amazonaws.com/1/q", QueueHost::Other),
            ("https://sqs..amazonaws.com/1/q", QueueHost::Other),
        ] {
            assert_eq!(QueueHost::of(&url.parse().unwrap()), expected, "{url}");
        }
    }

    #[test]
    fn a_region_may_become_part_of_a_host_name() {
        for region in
            ["eu-west-1", "us-gov-east-1", "ap-southeast-4", "us-isob-east-1", "eusc-de-east-1", "cn-northwest-1"]
        {
            assert!(is_region(region), "{region}");
        }
        for text in
            ["", "eu", "eu-west", "eu-west-1.evil.example", "EU-WEST-1", "eu-west-1/", "a--1", "-eu-west-1", "eu-west-"]
        {
            assert!(!is_region(text), "{text}");
        }
    }

    #[test]
    fn partitions() {
        assert_eq!((partition("eu-west-1"), domain("eu-west-1")), ("aws", "amazonaws.com"));
        assert_eq!((partition("cn-north-1"), domain("cn-north-1")), ("aws-cn", "amazonaws.com.cn"));
        assert_eq!(partition("us-gov-west-1"), "aws-us-gov");
        assert_eq!(partition("us-isob-east-1"), "aws-iso-b");
    }
}
