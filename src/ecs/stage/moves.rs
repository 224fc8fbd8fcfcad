//! The straight moves (ECS mapping 7): every row of the table with the rule `Moved`, and the few that need a word more.

use crate::ecs::doc::Doc;
use crate::ecs::field::{Field, FieldId, Rule};
use crate::ecs::source::{self as s, Record, Source};
use crate::ecs::table::{self as f, FIELDS};
use crate::record::json::{Kind, Value};
use std::sync::LazyLock;

static MOVES: LazyLock<Vec<(FieldId, Source)>> = LazyLock::new(|| {
    let moved = |(i, field): (usize, &Field)| match field.rule {
        Rule::Moved(source) => Some((FieldId(i as u8), source)),
        _ => None,
    };
    FIELDS.iter().enumerate().filter_map(moved).collect()
});

pub fn apply(record: Record<'_>, doc: &mut Doc) {
    for &(field, source) in MOVES.iter() {
        doc.maybe(field, record.value(source));
    }
    doc.maybe(f::EVENT_PROVIDER, record.value(s::EVENT_SOURCE));
    doc.maybe(f::EVENT_ID, record.value(s::EVENT_ID));
    doc.maybe(f::SHARED_EVENT_ID, record.value(s::SHARED_EVENT_ID).or_else(|| record.value(s::SHARED_EVENT_ID_OTHER)));
    if let Some(name) = record.value(s::EVENT_NAME) {
        doc.as_text(f::EVENT_ACTION, name);
    }
    if let Some(value) = record.value(s::MANAGEMENT_EVENT) {
        management_event(value, doc);
    }
}

/// `managementEvent` is converted to text; of a list each element.
fn management_event(value: Value<'_>, doc: &mut Doc) {
    match value.kind() {
        Kind::Bool(true) => doc.fixed(f::MANAGEMENT_EVENT, "\"true\""),
        Kind::Bool(false) => doc.fixed(f::MANAGEMENT_EVENT, "\"false\""),
        Kind::List(list) => {
            doc.list(f::MANAGEMENT_EVENT, |texts| list.elements().for_each(|element| texts.value(element)))
        }
        _ => doc.as_text(f::MANAGEMENT_EVENT, value),
    }
}

#[cfg(test)]
mod tests {
    use crate::ecs::stage::tests::{cloudtrail, document, is_fault};
    use serde_json::json;

    #[test]
    fn members_move_with_their_json_type() {
        let doc = cloudtrail(&json!({
            "eventVersion": "1.11", "eventCategory": "NetworkActivity", "eventType": "AwsVpceEvent", "apiVersion": 20140328,
            "readOnly": false, "requestID": "r", "requestId": "ignored", "recipientAccountId": "1", "sharedEventID": "s",
            "vpcEndpointId": "vpce-1", "vpcEndpointAccountId": "2", "errorCode": "200", "errorMessage": "m",
            "sessionCredentialFromConsole": "true", "addendum": {"reason": "UPDATED_DATA", "updatedFields": "a,b",
            "originalRequestID": "or", "originalEventID": "oe"},
        }));
        assert_eq!(
            doc,
            json!({
                "event_version": "1.11", "event_category": "NetworkActivity", "event_type": "AwsVpceEvent", "api_version": 20140328,
                "read_only": false, "request_id": "r", "recipient_account_id": "1", "shared_event_id": "s",
                "vpc_endpoint_id": "vpce-1", "vpc_endpoint_account_id": "2", "error_code": "200", "error_message": "m",
                "session_credential_from_console": "true", "addendum": {"reason": "UPDATED_DATA", "updated_fields": "a,b",
                "original_request_id": "or", "original_event_id": "oe"},
            })
        );
    }

    #[test]
    fn members_of_the_identity_move() {
        let doc = cloudtrail(&json!({"userIdentity": {
            "type": "AssumedRole", "arn": "arn:aws:iam::1:x", "accessKeyId": "AKIA", "invokedBy": "s", "invokedByDelegate": {"accountId": "3"},
            "credentialId": "c", "identityProvider": "p", "inScopeOf": {"issuerType": "i", "credentialsIssuedTo": "t", "sourceArn": "a",
            "sourceAccount": "b"}, "onBehalfOf": {"userId": "u", "identityStoreArn": "n"}, "sessionContext": {
            "attributes": {"mfaAuthenticated": "false", "other": "dropped"}, "sessionIssuer": {"type": "Role", "principalId": "AROA",
            "arn": "r", "accountId": "4", "userName": "dropped here"}, "ec2RoleDelivery": "2.0", "sourceIdentity": "si",
            "assumedRoot": true, "signInSessionArn": "ss", "webIdFederationData": {"federatedProvider": "f",
            "attributes": {"a": {"b": 1}}}},
        }}));
        assert_eq!(
            doc,
            json!({"user_identity": {
                "type": "AssumedRole", "arn": "arn:aws:iam::1:x", "access_key_id": "AKIA", "invoked_by": "s", "invoked_by_delegate": {"account_id": "3"},
                "credential_id": "c", "identity_provider": "p", "in_scope_of": {"issuer_type": "i", "credentials_issued_to": "t",
                "source_arn": "a", "source_account": "b"}, "on_behalf_of": {"user_id": "u", "identity_store_arn": "n"}, "session_context": {
                "mfa_authenticated": "false", "session_issuer": {"type": "Role", "principal_id": "AROA", "arn": "r", "account_id": "4"},
                "ec2_role_delivery": "2.0", "source_identity": "si", "assumed_root": true, "sign_in_session_arn": "ss",
                "web_id_federation_data": {"federated_provider": "f", "attributes": {"a": {"b": 1}}}},
            }})
        );
    }

    #[test]
    fn the_management_flag_becomes_text() {
        for (value, expected) in [
            (json!(true), json!("true")),
            (json!(false), json!("false")),
            (json!("true"), json!("true")),
            (json!(1), json!("1")),
            (json!([true, 2]), json!(["true", "2"])),
        ] {
            assert_eq!(cloudtrail(&json!({"managementEvent": value}))["management_event"], expected);
        }
    }

    #[test]
    fn the_shared_id_has_two_spellings() {
        assert_eq!(cloudtrail(&json!({"sharedEventId": "b"}))["shared_event_id"], "b");
        assert_eq!(cloudtrail(&json!({"sharedEventId": "b", "sharedEventID": "a"}))["shared_event_id"], "a");
    }

    #[test]
    fn the_action_is_text_whatever_its_type() {
        for (name, expected) in [
            (json!("GetUser"), "GetUser"),
            (json!(7), "7"),
            (json!(1.5), "1.5"),
            (json!({"b": [1], "a": true}), "{a=true, b=[1]}"),
        ] {
            assert_eq!(document(&json!({"eventName": name}))["event"]["action"], expected);
        }
    }

    #[test]
    fn what_no_rule_names_is_dropped_and_unexpected_types_are_kept() {
        let doc = document(
            &json!({"eventContext": {"a": 1}, "edgeDeviceDetails": "x", "unknown": [1], "errorCode": {"a": 1}, "eventID": 5, "eventSource": ["x"]}),
        );
        assert_eq!(doc["aws"], json!({"cloudtrail": {"error_code": {"a": 1}}}));
        assert_eq!((&doc["event"]["id"], &doc["event"]["provider"]), (&json!(5), &json!(["x"])));
        assert!(!is_fault(&doc));
    }
}
