//! What can be searched for across fields (ECS mapping 9.3): users, addresses, hosts and hashes. Entities have a
//! stage of their own.

use super::resources::distinct;
use super::source::is_ip;
use super::tls;
use super::users::Users;
use crate::ecs::doc::{Doc, List};
use crate::ecs::source::{self as s, Record, Source};
use crate::ecs::table as f;
use crate::record::json::Value;

/// `address` is the source's, if it is an IP literal.
pub fn apply(record: Record<'_>, doc: &mut Doc, users: &Users<'_>, address: Option<&str>) {
    doc.list(f::RELATED_USER, |list| related_users(record, users, list));
    let inner = record.text(s::SERVICE_DETAILS_SOURCE_IP).filter(|text| is_ip(text));
    doc.list(f::RELATED_IP, |list| address.into_iter().chain(inner).for_each(|ip| list.text(ip)));
    doc.list(f::RELATED_HOSTS, |list| hosts(record, address.is_some(), list));
    doc.list(f::RELATED_HASH, |list| list.maybe(record.value(s::DIGEST_PREVIOUS_HASH)));
}

fn related_users(record: Record<'_>, users: &Users<'_>, list: &mut List<'_>) {
    for text in users.session.into_iter().chain(users.prefix) {
        list.text(text);
    }
    for source in [s::REQUEST_USER_NAME, s::REQUEST_NEW_USER_NAME, s::RESPONSE_USER_ID] {
        list.maybe(record.value(source));
    }
    list.maybe(users.id);
    list.maybe(users.name);
    // `user.changes.name` comes here; it is the new name, which is in the list already.
    list.maybe(record.value(s::BEHALF_USER_ID));
}

fn hosts(record: Record<'_>, has_ip: bool, list: &mut List<'_>) {
    if let Some(name) = tls::server_name(record).and_then(|name| name.as_str())
        && !name.ends_with(".amazonaws.com")
    {
        list.text(name);
    }
    if let Some(address) = record.text(s::SOURCE_IP_ADDRESS)
        && !has_ip
        && address.contains('.')
        && !address.contains(' ')
        && !address.ends_with(".amazonaws.com")
    {
        list.text(address);
    }
    if let Some(name) = record.text(s::REQUEST_COMPUTER_NAME) {
        list.text(name);
    }
    if let Some(resources) = record.value(s::RESOURCES) {
        instances_of_resources(resources, list);
    }
    const REQUEST: [Source; 5] = [
        s::REQUEST_INSTANCE_ID,
        s::REQUEST_TARGET,
        s::REQUEST_RESOURCE_ID,
        s::REQUEST_INSTANCE_IDS,
        s::REQUEST_INSTANCES,
    ];
    const RESPONSE: [Source; 5] = [
        s::RESPONSE_INSTANCE_ID,
        s::RESPONSE_TARGET,
        s::RESPONSE_RESOURCE_ID,
        s::RESPONSE_INSTANCE_IDS,
        s::RESPONSE_INSTANCES,
    ];
    for [id, target, resource, ids, instances] in [REQUEST, RESPONSE] {
        for single in [id, target, resource] {
            instance(record.value(single), list);
        }
        for member in record.value(ids).into_iter().flat_map(|ids| ids.elements()) {
            instance(Some(member), list);
        }
        for item in record.value(instances).into_iter().flat_map(|items| items.elements()) {
            instance(item.get("instanceId"), list);
        }
    }
}

fn instances_of_resources(resources: Value<'_>, list: &mut List<'_>) {
    // Nearly no record names instances among its resources; only then the order of the map matters.
    if !resources.elements().any(|resource| instance_arn(resource).is_some()) {
        return;
    }
    for resource in distinct(resources) {
        if let Some(id) = instance_arn(resource).filter(|id| is_instance(id)) {
            list.text(id);
        }
    }
}

/// What follows the last `/` of the ARN of an instance.
fn instance_arn(resource: Value<'_>) -> Option<&str> {
    let arn = resource.get("ARN").or_else(|| resource.get("arn"))?.as_str()?;
    if arn.contains(":instance/") { arn.rsplit('/').next() } else { None }
}

fn instance(value: Option<Value<'_>>, list: &mut List<'_>) {
    if let Some(id) = value.and_then(|value| value.as_str()).filter(|id| is_instance(id)) {
        list.text(id);
    }
}

/// `i-` and at least ten characters in all.
fn is_instance(id: &str) -> bool {
    id.starts_with("i-") && id.encode_utf16().count() >= 10
}

#[cfg(test)]
mod tests {
    use crate::ecs::stage::tests::document;
    use serde_json::{Value, json};

    fn related(record: Value) -> Value {
        document(&record)["related"].take()
    }

    #[test]
    fn users_come_in_order_of_insertion_and_once() {
        let identity = json!({"type": "AssumedRole", "principalId": "AROA:i-0210123456789", "arn": "arn:aws:sts::1:assumed-role/ec2-role/i-0210123456789",
            "sessionContext": {"sessionIssuer": {"userName": "ec2-role"}}});
        assert_eq!(
            related(json!({"userIdentity": identity})),
            json!({"user": ["i-0210123456789", "AROA:i-0210123456789", "ec2-role"]})
        );
        let full = json!({
            "userIdentity": {"type": "IdentityCenterUser", "principalId": 17, "userName": "ana", "arn": "arn:aws:sts::1:assumed-role/r/ana@a.example", "onBehalfOf": {"userId": "u-1"}},
            "requestParameters": {"userName": "ana", "newUserName": "eva"}, "responseElements": {"user": {"userId": "AIDA"}},
        });
        assert_eq!(related(full)["user"], json!(["ana@a.example", "ana", "eva", "AIDA", "17", "u-1"]));
        assert!(related(json!({"userIdentity": {"type": "AWSService", "invokedBy": "x"}})).is_null());
    }

    #[test]
    fn addresses_are_literals_only() {
        let record = |outer: &str, inner: &str| json!({"sourceIPAddress": outer, "serviceEventDetails": {"sourceIpAddress": inner}});
        assert_eq!(related(record("10.0.0.1", "10.0.0.2"))["ip"], json!(["10.0.0.1", "10.0.0.2"]));
        assert_eq!(related(record("10.0.0.1", "10.0.0.1"))["ip"], json!(["10.0.0.1"]));
        assert_eq!(related(record("ec2.amazonaws.com", "::1")), json!({"ip": ["::1"]}));
        assert!(related(record("AWS Internal", "unknown"))["ip"].is_null());
    }

    #[test]
    fn host_names_are_foreign_ones() {
        for (record, hosts) in [
            (json!({"tlsDetails": {"clientProvidedHostHeader": "minio.example"}}), json!(["minio.example"])),
            (json!({"tlsDetails": {"clientProvidedHostHeader": "s3.amazonaws.com"}}), json!(null)),
            (
                json!({"tlsDetails": {"clientProvidedHostHeader": "s3.amazonaws.com.cn"}}),
                json!(["s3.amazonaws.com.cn"]),
            ),
            (json!({"sourceIPAddress": "gateway.example"}), json!(["gateway.example"])),
            (json!({"sourceIPAddress": "10.0.0.1"}), json!(null)),
            (json!({"sourceIPAddress": "ec2.amazonaws.com"}), json!(null)),
            (json!({"sourceIPAddress": "10.0.0.1, 10.0.0.2"}), json!(null)),
            (json!({"sourceIPAddress": "Internal"}), json!(null)),
            (json!({"requestParameters": {"computerName": "PC-1"}}), json!(["PC-1"])),
        ] {
            assert_eq!(related(record.clone())["hosts"], hosts, "{record}");
        }
    }

    #[test]
    fn instances_come_from_resources_request_and_answer_in_this_order() {
        let record = json!({
            "resources": [{"ARN": "arn:aws:ec2:eu-west-1:1:instance/i-00000001"}, {"ARN": "arn:aws:ec2:eu-west-1:1:volume/i-00000099"}],
            "responseElements": {"instanceId": "i-00000008", "instancesSet": {"items": [{"instanceId": "i-00000009"}, {"instanceId": "i-00000001"}]}},
            "requestParameters": {"instancesSet": {"items": [{"instanceId": "i-00000006"}, {}, 5]}, "instanceIds": ["i-00000005", 7],
                "resourceId": "i-00000004", "target": "i-00000003", "instanceId": "i-00000002", "targetId": "i-00000098"},
        });
        assert_eq!(
            related(record)["hosts"],
            json!([
                "i-00000001",
                "i-00000002",
                "i-00000003",
                "i-00000004",
                "i-00000005",
                "i-00000006",
                "i-00000008",
                "i-00000009"
            ])
        );
    }

    #[test]
    fn an_instance_id_has_ten_characters() {
        for (id, counts) in [("i-01234567", true), ("i-0123456", false), ("mi-01234567", false)] {
            assert_eq!(related(json!({"requestParameters": {"target": id}}))["hosts"].is_array(), counts, "{id}");
        }
    }

    #[test]
    fn many_distinct_elements_are_all_kept() {
        let ids: Vec<String> = (0..100).map(|i| format!("i-{i:08}")).collect();
        let twice: Vec<&String> = ids.iter().chain(&ids).collect();
        assert_eq!(related(json!({"requestParameters": {"instanceIds": twice}}))["hosts"], json!(ids));
    }
}
