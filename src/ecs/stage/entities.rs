//! Actor and target entities (ECS mapping 10); only asked for by setting or tag, and only for events with a name.

use super::entity_paths::{Entities, Set, Unfit, rows};
use crate::ecs::doc::Doc;
use crate::ecs::field::FieldId;
use crate::ecs::settings::Compat;
use crate::ecs::source::{self as s, Record};
use crate::ecs::table as f;
use crate::record::json::Value;
use std::borrow::Cow;

/// What kind of thing an entity is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    User,
    Host,
    Service,
    Generic,
}

pub fn apply(record: Record<'_>, doc: &mut Doc, compat: Compat) {
    let (Some(root), Some(event)) = (record.root(), record.value(s::EVENT_NAME)) else { return };
    let event = event.as_str().unwrap_or_default();
    match collect(record, root, event, compat) {
        Ok((related, targets)) => {
            set(f::RELATED_ENTITY, &related.texts, doc);
            set_targets(targets.texts, doc);
            set_actor(record, event, doc);
        }
        Err(Unfit(why)) => doc.fault(&format!("the entities of the event cannot be told: {why}")),
    }
}

/// The sets E, with T in it, and T; sorted.
fn collect<'r>(
    record: Record<'r>,
    root: Value<'r>,
    event: &str,
    compat: Compat,
) -> Result<(Entities<'r>, Entities<'r>), Unfit> {
    let mut related = Entities::new(compat.complete_entity_groups);
    let mut targets = Entities::default();
    for source in
        [s::IDENTITY_ACCESS_KEY_ID, s::IDENTITY_ARN, s::IDENTITY_USER_NAME, s::ISSUER_ARN, s::ISSUER_USER_NAME]
    {
        add(record.value(source), &mut related)?;
    }
    if record.text(s::IDENTITY_TYPE) == Some("IdentityCenterUser") {
        add(record.value(s::BEHALF_STORE_ARN), &mut related)?;
    }
    if let Some(resources) = record.value(s::RESOURCES) {
        if !resources.is_list() {
            return Err(Unfit("`resources` is not a list"));
        }
        for resource in resources.elements() {
            if !resource.is_object() {
                return Err(Unfit("a resource is not an object"));
            }
            add(resource.get("ARN"), &mut related)?;
        }
    }
    let source =
        record.text(s::EVENT_SOURCE).and_then(|source| source.strip_suffix(".amazonaws.com")).unwrap_or_default();
    for row in rows(source, event) {
        row.collect(root, if row.set == Set::Target { &mut targets } else { &mut related })?;
    }
    if (source, event) == ("ssm", "SendCommand") {
        command_targets(record, &mut targets)?;
    }
    for target in &targets.texts {
        related.add(target.clone());
    }
    sort(&mut related.texts);
    sort(&mut targets.texts);
    Ok((related, targets))
}

fn add<'r>(value: Option<Value<'r>>, entities: &mut Entities<'r>) -> Result<(), Unfit> {
    value.map_or(Ok(()), |value| entities.add_value(value).map(|_| ()))
}

/// The instances of a command: by id, else all values of its targets, where a single `*` means the whole account.
fn command_targets<'r>(record: Record<'r>, targets: &mut Entities<'r>) -> Result<(), Unfit> {
    if let Some(ids) = record.value(s::REQUEST_INSTANCE_IDS) {
        if !ids.is_list() {
            return Err(Unfit("`instanceIds` is not a list"));
        }
        return ids.elements().try_for_each(|id| add(Some(id), targets));
    }
    let Some(request) = record.value(s::REQUEST) else { return Ok(()) };
    if !request.is_object() {
        return Err(Unfit("`requestParameters` is not an object"));
    }
    let Some(list) = request.get("targets") else { return Ok(()) };
    if !list.is_list() || list.elements().any(|target| !target.is_object()) {
        return Err(Unfit("`targets` is not a list of objects"));
    }
    if list.elements().filter_map(|target| target.get("values")).any(|values| !values.is_list()) {
        return Err(Unfit("`values` is not a list"));
    }
    let values = || list.elements().filter_map(|target| target.get("values")).flat_map(|values| values.elements());
    let whole_account = values().count() == 1 && values().all(|value| value.as_str() == Some("*"));
    if whole_account {
        return add(record.value(s::RECIPIENT_ACCOUNT_ID), targets);
    }
    values().try_for_each(|value| add(Some(value), targets))
}

/// By UTF-16 code unit, as Java sorts.
fn sort(texts: &mut [Cow<'_, str>]) {
    texts.sort_unstable_by(|a, b| a.encode_utf16().cmp(b.encode_utf16()));
}

fn set(field: FieldId, texts: &[Cow<'_, str>], doc: &mut Doc) {
    doc.list(field, |list| texts.iter().for_each(|text| list.text(text)));
}

fn set_targets(targets: Vec<Cow<'_, str>>, doc: &mut Doc) {
    set(f::TARGET_ENTITY_ID, &targets, doc);
    for (class, field) in [
        (Class::User, f::USER_TARGET_ENTITY_ID),
        (Class::Host, f::HOST_TARGET_ENTITY_ID),
        (Class::Service, f::SERVICE_TARGET_ENTITY_ID),
        (Class::Generic, f::ENTITY_TARGET_ID),
    ] {
        doc.list(field, |list| {
            targets.iter().filter(|target| class_of(target) == class).for_each(|target| list.text(target))
        });
    }
    let hosts = targets.iter().filter(|target| class_of(target) == Class::Host);
    let mut ids: Vec<Cow<'_, str>> =
        hosts.map(|host| Cow::Borrowed(bare_instance(host))).filter(|id| id.starts_with("i-")).collect();
    sort(&mut ids);
    set(f::HOST_TARGET_ID, &ids, doc);
}

/// An EC2 instance's ARN cut to its id; anything else as it is.
fn bare_instance(target: &str) -> &str {
    part_six(target).and_then(|part| part.strip_prefix("instance/")).unwrap_or(target)
}

fn set_actor(record: Record<'_>, event: &str, doc: &mut Doc) {
    let kind = record.text(s::IDENTITY_TYPE).unwrap_or_default();
    let assumes = (record.text(s::EVENT_SOURCE), event) == (Some("sts.amazonaws.com"), "AssumeRole");
    let actor = match kind {
        "AWSService" if assumes => record.text(s::IDENTITY_INVOKED_BY),
        "AssumedRole" if assumes => record.text(s::ISSUER_ARN),
        _ if assumes => record.text(s::IDENTITY_ARN),
        _ => record.text(s::IDENTITY_ARN).or_else(|| record.text(s::BEHALF_USER_ID)),
    };
    let Some(actor) = actor else { return };
    doc.list(f::ACTOR_ENTITY_ID, |list| list.text(actor));
    let class = match kind {
        "AWSService" => Class::Service,
        _ if is_service_role(actor) => Class::Service,
        "IAMUser" | "Root" | "AssumedRole" => Class::User,
        _ => match resource_kind(actor) {
            Some("user" | "role" | "assumed-role" | "federated-user") => Class::User,
            Some("instance") => Class::Host,
            _ if actor.starts_with("i-") => Class::Host,
            _ => Class::Generic,
        },
    };
    let (field, entity) = match class {
        Class::Service => (f::SERVICE_ENTITY_ID, actor),
        // The role, not the session, so that all sessions of a role are one entity.
        Class::User if kind == "AssumedRole" => (f::USER_ENTITY_ID, record.text(s::ISSUER_ARN).unwrap_or(actor)),
        Class::User => (f::USER_ENTITY_ID, actor),
        Class::Host => (f::HOST_ENTITY_ID, actor),
        Class::Generic => (f::ENTITY_ID, actor),
    };
    doc.list(field, |list| list.text(entity));
}

fn class_of(target: &str) -> Class {
    const SERVICE_KINDS: &str = " stack stack-set trail configuration-recorder file-system mount-target rule detector key function \
        log-group log-stream alarm db cluster global-cluster trust-anchor resolver-query-log-config secret parameter document \
        session webacl rulegroup ipset topic model loadbalancer table group policy security-group network-interface vpc subnet \
        network-acl dhcp-options ";
    const SERVICE_PREFIXES: [&str; 12] =
        ["sg-", "sgr-", "eni-", "vpc-", "subnet-", "acl-", "rtb-", "igw-", "nat-", "vpce-", "tgw-", "pcx-"];
    let Some(kind) = resource_kind(target) else {
        return match target {
            _ if target.starts_with("AKIA") && target.encode_utf16().count() == 20 => Class::User,
            _ if target.starts_with("i-") => Class::Host,
            _ if SERVICE_PREFIXES.iter().any(|prefix| target.starts_with(prefix)) => Class::Service,
            _ => Class::Generic,
        };
    };
    match kind {
        _ if is_service_role(target) => Class::Service,
        "user" | "role" | "assumed-role" | "federated-user" | "instance-profile" | "mfa" | "serialNumber" => {
            Class::User
        }
        "instance" => Class::Host,
        _ if SERVICE_KINDS.contains(&format!(" {kind} ")) => Class::Service,
        _ if target.split(':').nth(2) == Some("s3") => Class::Service,
        _ => Class::Generic,
    }
}

fn is_service_role(entity: &str) -> bool {
    entity.contains("/AWSServiceRoleFor") || entity.contains("/aws-service-role/")
}

/// Part 6 of an ARN up to its first `/`; none for what is no ARN.
fn resource_kind(entity: &str) -> Option<&str> {
    part_six(entity)?.split('/').next()
}

fn part_six(entity: &str) -> Option<&str> {
    entity.starts_with("arn:").then(|| entity.split(':').nth(5)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ecs::settings::{ENTITIES_TAG, Settings};
    use crate::ecs::stage::tests::{document, document_with, is_fault};
    use serde_json::{Value as Json, json};

    fn with_entities(record: Json) -> Json {
        document_with(Settings { tags: vec![ENTITIES_TAG.to_string()], ..Settings::default() }, &record)
    }

    #[test]
    fn each_kind_of_entity_has_its_class() {
        for (entity, class) in [
            ("arn:aws:iam::1:user/ana", Class::User),
            ("arn:aws:sts::1:assumed-role/r/s", Class::User),
            ("arn:aws:iam::1:role/aws-service-role/x/AWSServiceRoleForX", Class::Service),
            ("arn:aws:iam::1:role/AWSServiceRoleForX", Class::Service),
            ("arn:aws:iam::1:mfa/x", Class::User),
            ("arn:aws:ec2:r:1:instance/i-1", Class::Host),
            ("arn:aws:ec2:r:1:vpc/vpc-1", Class::Service),
            ("arn:aws:lambda:r:1:function:name", Class::Service),
            ("arn:aws:s3:::bucket/key", Class::Service),
            ("arn:aws:s3:::user/key", Class::User),
            ("arn:aws:sns:r:1:alerts", Class::Generic),
            ("arn:aws:x:r:1", Class::Generic),
            ("AKIA0123456789ABCDEF", Class::User),
            ("AKIA0123456789ABCDE", Class::Generic),
            ("i-0", Class::Host),
            ("sgr-1", Class::Service),
            ("snap-1", Class::Generic),
            ("111122223333", Class::Generic),
            ("ana", Class::Generic),
        ] {
            assert_eq!(class_of(entity), class, "{entity}");
        }
    }

    #[test]
    fn without_the_tag_or_a_name_there_are_none() {
        let record = json!({"eventSource": "iam.amazonaws.com", "eventName": "CreateUser", "requestParameters": {"userName": "ana"}, "userIdentity": {"arn": "a"}});
        assert!(document(&record)["target"].is_null() && document(&record)["related"]["entity"].is_null());
        let mut nameless = record;
        nameless["eventName"] = json!(null);
        let doc = with_entities(nameless);
        assert!(doc["target"].is_null() && doc["actor"].is_null() && doc["related"]["entity"].is_null());
    }

    #[test]
    fn a_call_of_a_user_on_a_user() {
        let doc = with_entities(json!({
            "eventSource": "iam.amazonaws.com", "eventName": "AttachUserPolicy",
            "userIdentity": {"type": "IAMUser", "arn": "arn:aws:iam::1:user/eve", "userName": "eve", "accessKeyId": "AKIA0123456789ABCDEF"},
            "requestParameters": {"userName": "ana", "policyArn": "arn:aws:iam::aws:policy/Admin"},
        }));
        let entities =
            json!(["AKIA0123456789ABCDEF", "ana", "arn:aws:iam::1:user/eve", "arn:aws:iam::aws:policy/Admin", "eve"]);
        assert_eq!(doc["related"]["entity"], entities);
        assert_eq!(doc["target"]["entity"]["id"], json!(["ana", "arn:aws:iam::aws:policy/Admin"]));
        assert_eq!(doc["service"]["target"]["entity"]["id"], json!(["arn:aws:iam::aws:policy/Admin"]));
        assert_eq!(doc["entity"], json!({"target": {"id": ["ana"]}}));
        assert_eq!(doc["actor"]["entity"]["id"], json!(["arn:aws:iam::1:user/eve"]));
        assert_eq!(doc["user"]["entity"]["id"], json!(["arn:aws:iam::1:user/eve"]));
    }

    #[test]
    fn a_role_session_is_the_role_and_the_actor_keeps_the_session() {
        let identity = json!({"type": "AssumedRole", "arn": "arn:aws:sts::1:assumed-role/r/s", "sessionContext": {"sessionIssuer": {"arn": "arn:aws:iam::1:role/r"}}});
        let doc = with_entities(
            json!({"eventSource": "s3.amazonaws.com", "eventName": "ListBuckets", "userIdentity": identity, "recipientAccountId": "1"}),
        );
        assert_eq!(doc["actor"]["entity"]["id"], json!(["arn:aws:sts::1:assumed-role/r/s"]));
        assert_eq!(doc["user"]["entity"]["id"], json!(["arn:aws:iam::1:role/r"]));
        assert_eq!(doc["entity"]["target"]["id"], json!(["1"]));
        let assume = with_entities(
            json!({"eventSource": "sts.amazonaws.com", "eventName": "AssumeRole", "userIdentity": identity}),
        );
        assert_eq!(assume["actor"]["entity"]["id"], json!(["arn:aws:iam::1:role/r"]));
    }

    #[test]
    fn services_and_directory_users_act_too() {
        let service = json!({"type": "AWSService", "invokedBy": "ec2.amazonaws.com"});
        let doc = with_entities(
            json!({"eventSource": "sts.amazonaws.com", "eventName": "AssumeRole", "userIdentity": service, "requestParameters": {"roleArn": "arn:aws:iam::1:role/r"}}),
        );
        assert_eq!(
            (&doc["actor"]["entity"]["id"], &doc["service"]["entity"]["id"]),
            (&json!(["ec2.amazonaws.com"]), &json!(["ec2.amazonaws.com"]))
        );
        assert_eq!(doc["user"]["target"]["entity"]["id"], json!(["arn:aws:iam::1:role/r"]));
        let directory =
            json!({"type": "IdentityCenterUser", "onBehalfOf": {"userId": "u-1", "identityStoreArn": "arn:store"}});
        let doc = with_entities(json!({"eventName": "X", "userIdentity": directory}));
        assert_eq!((&doc["entity"]["id"], &doc["related"]["entity"]), (&json!(["u-1"]), &json!(["arn:store"])));
    }

    #[test]
    fn a_second_instance_in_the_subnet_is_left_out_unless_groups_are_complete() {
        let instance = |id: &str| json!({"subnetId": "subnet-1", "vpcId": "vpc-1", "instanceId": id, "networkInterfaceSet": {"items": [{"networkInterfaceId": format!("eni-{id}")}]}});
        let record = json!({"eventSource": "ec2.amazonaws.com", "eventName": "RunInstances", "responseElements": {"instancesSet": {"items": [instance("i-1"), instance("i-2")]}}});
        assert_eq!(
            with_entities(record.clone())["related"]["entity"],
            json!(["eni-i-1", "eni-i-2", "i-1", "subnet-1", "vpc-1"])
        );
        let compat = Compat { complete_entity_groups: true, ..Compat::default() };
        let doc = document_with(Settings { actor_target_mapping: true, compat, ..Settings::default() }, &record);
        assert_eq!(doc["related"]["entity"], json!(["eni-i-1", "eni-i-2", "i-1", "i-2", "subnet-1", "vpc-1"]));
    }

    #[test]
    fn commands_are_sent_to_instances_or_to_the_account() {
        let send = |request: Json| {
            with_entities(
                json!({"eventSource": "ssm.amazonaws.com", "eventName": "SendCommand", "recipientAccountId": "1", "requestParameters": request}),
            )
        };
        let doc = send(json!({"instanceIds": ["i-2", "i-1"], "targets": [{"key": "InstanceIds", "values": ["i-3"]}]}));
        assert_eq!(
            (&doc["host"]["target"]["entity"]["id"], &doc["host"]["target"]["id"]),
            (&json!(["i-1", "i-2"]), &json!(["i-1", "i-2"]))
        );
        assert_eq!(
            send(json!({"targets": [{"values": ["i-3", "web"]}]}))["target"]["entity"]["id"],
            json!(["i-3", "web"])
        );
        assert_eq!(
            send(json!({"targets": [{"key": "InstanceIds", "values": ["*"]}]}))["target"]["entity"]["id"],
            json!(["1"])
        );
    }

    #[test]
    fn an_instances_arn_is_cut_to_its_id() {
        let doc = with_entities(
            json!({"eventSource": "ssm.amazonaws.com", "eventName": "StartSession", "requestParameters": {"target": "arn:aws:ec2:r:1:instance/i-1"}}),
        );
        assert_eq!(doc["host"]["target"], json!({"entity": {"id": ["arn:aws:ec2:r:1:instance/i-1"]}, "id": ["i-1"]}));
    }

    #[test]
    fn texts_sort_by_utf_16_unit() {
        // U+1F600 is D83D DE00 in UTF-16 and sorts before U+FF5E, after it by code point.
        let doc = with_entities(
            json!({"eventSource": "monitoring.amazonaws.com", "eventName": "DeleteAlarms", "requestParameters": {"alarmNames": ["～", "😀", "b", "B"]}}),
        );
        assert_eq!(doc["target"]["entity"]["id"], json!(["B", "b", "😀", "～"]));
    }

    #[test]
    fn an_unexpected_type_leaves_all_entity_fields_out() {
        let doc = with_entities(
            json!({"eventSource": "wafv2.amazonaws.com", "eventName": "DeleteWebACL", "userIdentity": {"type": "Root", "arn": "arn:aws:iam::1:root"},
            "requestParameters": {"id": "w"}, "responseElements": {"summary": {"id": "x"}}}),
        );
        assert!(is_fault(&doc));
        assert!(
            doc["actor"].is_null()
                && doc["target"].is_null()
                && doc["related"]["entity"].is_null()
                && doc["user"]["entity"].is_null()
        );
    }
}
