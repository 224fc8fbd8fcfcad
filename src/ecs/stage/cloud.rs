//! The fields `cloud.*` (ECS mapping 7.2).

use crate::ecs::doc::Doc;
use crate::ecs::source::{self as s, Record};
use crate::ecs::table as f;

pub fn apply(record: Record<'_>, doc: &mut Doc) {
    doc.fixed(f::CLOUD_PROVIDER, "\"aws\"");
    doc.maybe(f::CLOUD_REGION, record.value(s::AWS_REGION));
    let accounts = [s::IDENTITY_ACCOUNT_ID, s::RECIPIENT_ACCOUNT_ID, s::DIGEST_ACCOUNT_ID];
    doc.maybe(f::CLOUD_ACCOUNT_ID, accounts.into_iter().find_map(|account| record.value(account)));
    if let Some(service) = record.text(s::EVENT_SOURCE).and_then(|source| source.strip_suffix(".amazonaws.com")) {
        doc.text(f::CLOUD_SERVICE_NAME, service);
    }
}

#[cfg(test)]
mod tests {
    use crate::ecs::stage::tests::document;
    use serde_json::json;

    #[test]
    fn the_account_is_the_callers_else_the_recipients_else_the_digests() {
        for (record, expected) in [
            (json!({"userIdentity": {"accountId": "1"}, "recipientAccountId": "2", "awsAccountId": "3"}), json!("1")),
            (json!({"userIdentity": {"accountId": ""}, "recipientAccountId": "2", "awsAccountId": "3"}), json!("2")),
            (json!({"awsAccountId": "3"}), json!("3")),
            (json!({"userIdentity": {"accountId": 1}}), json!(1)),
            (json!({}), json!(null)),
        ] {
            assert_eq!(document(&record)["cloud"]["account"]["id"], expected);
        }
    }

    #[test]
    fn the_service_is_the_source_without_the_suffix_of_the_partition_aws() {
        for (source, expected) in [
            (json!("sts.amazonaws.com"), json!({"provider": "aws", "service": {"name": "sts"}})),
            (json!("sts.amazonaws.com.cn"), json!({"provider": "aws"})),
            (json!("custom"), json!({"provider": "aws"})),
            (json!(".amazonaws.com"), json!({"provider": "aws"})),
        ] {
            assert_eq!(document(&json!({"eventSource": source}))["cloud"], expected);
        }
    }

    #[test]
    fn the_region_is_the_records() {
        assert_eq!(
            document(&json!({"awsRegion": "eu-west-1"}))["cloud"],
            json!({"provider": "aws", "region": "eu-west-1"})
        );
    }
}
