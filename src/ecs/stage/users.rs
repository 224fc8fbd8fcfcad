//! Who acted, and on whom (ECS mapping 9.1 and 9.2).

use crate::ecs::doc::Doc;
use crate::ecs::settings::Compat;
use crate::ecs::source::{self as s, Record};
use crate::ecs::table as f;
use crate::record::json::Value;

/// What later stages need of it.
pub struct Users<'r> {
    /// Name of the caller's session.
    pub session: Option<&'r str>,
    /// The beginning of a session name that is an e-mail address.
    pub prefix: Option<&'r str>,
    pub id: Option<Value<'r>>,
    pub name: Option<Value<'r>>,
    /// `user.name` is the additional data's `UserName`, which shows there no more.
    pub name_is_additional: bool,
}

pub fn apply<'r>(record: Record<'r>, doc: &mut Doc, compat: Compat) -> Users<'r> {
    let kind = record.text(s::IDENTITY_TYPE).unwrap_or_default();
    let is_service = service_actor(record, doc, kind);
    let (mut id, mut name) = (None, None);
    if !is_service {
        id = record.value(s::IDENTITY_PRINCIPAL_ID);
        name = record.value(s::IDENTITY_USER_NAME);
        if matches!(kind, "AssumedRole" | "FederatedUser") {
            name = record.value(s::ISSUER_USER_NAME).or(name);
        }
    }
    let session = session_name(record, kind);
    let prefix = session.and_then(|session| session.split_once('@')).map(|(prefix, _)| prefix);
    if kind == "IdentityCenterUser" {
        id = id.or_else(|| record.value(s::BEHALF_USER_ID));
    }
    let additional = match record.text(s::EVENT_NAME) {
        Some("UserAuthentication") if name.is_none() => record.value(s::ADDITIONAL_USER_NAME),
        _ => None,
    };
    name = name.or(additional);

    doc.maybe(f::USER_ID, id);
    match session {
        Some(session) if compat.session_user_name && kind == "AssumedRole" && !is_service => {
            doc.text(f::USER_NAME, session)
        }
        _ => doc.maybe(f::USER_NAME, name),
    }
    let named = name.and_then(|name| name.as_str()).filter(|name| name.find('@') > Some(0));
    if let Some(email) = session.filter(|_| prefix.is_some()).or(named) {
        doc.text(f::USER_EMAIL, email);
    }
    for (field, source) in [
        (f::USER_TARGET_ID, s::RESPONSE_USER_ID),
        (f::USER_TARGET_NAME, s::REQUEST_USER_NAME),
        (f::USER_CHANGES_NAME, s::REQUEST_NEW_USER_NAME),
        (f::GROUP_ID, s::RESPONSE_GROUP_ID),
        (f::GROUP_NAME, s::REQUEST_GROUP_NAME),
    ] {
        doc.maybe(field, record.value(source));
    }
    Users { session, prefix, id, name, name_is_additional: additional.is_some() }
}

/// Sets `service.name` if an AWS service acted (ECS mapping 9.1); answers whether one did.
fn service_actor(record: Record<'_>, doc: &mut Doc, kind: &str) -> bool {
    let invoked_by = record.value(s::IDENTITY_INVOKED_BY);
    match kind {
        "AWSService" => doc.maybe(f::SERVICE_NAME, invoked_by),
        "AssumedRole" => {
            let role = record.text(s::ISSUER_ARN).and_then(|arn| arn.split_once(":role/aws-service-role/"));
            match (role, invoked_by) {
                (Some(_), Some(service)) => doc.value(f::SERVICE_NAME, service),
                (Some((_, path)), None) => doc.text(f::SERVICE_NAME, path.split('/').next().unwrap_or_default()),
                (None, _) => {}
            }
        }
        _ => {}
    }
    doc.has(f::SERVICE_NAME)
}

/// The text after the last `/` of the ARN of a temporary session, in any partition.
fn session_name<'r>(record: Record<'r>, kind: &str) -> Option<&'r str> {
    if !matches!(kind, "AssumedRole" | "FederatedUser" | "IdentityCenterUser") {
        return None;
    }
    let (before, name) = record.text(s::IDENTITY_ARN)?.rsplit_once('/')?;
    (before.contains(":sts:") || name.contains(":sts:")).then_some(name)
}

#[cfg(test)]
mod tests {
    use crate::ecs::settings::{Compat, Settings};
    use crate::ecs::stage::tests::{document, document_with};
    use serde_json::{Value, json};

    fn user(identity: Value) -> Value {
        document(&json!({"userIdentity": identity}))["user"].take()
    }

    fn role_session(session: &str) -> Value {
        json!({"type": "AssumedRole", "principalId": format!("AROA:{session}"), "arn": format!("arn:aws:sts::1:assumed-role/ops/{session}"),
            "sessionContext": {"sessionIssuer": {"userName": "ops", "arn": "arn:aws:iam::1:role/ops"}}})
    }

    #[test]
    fn an_iam_user_is_named_by_the_record() {
        assert_eq!(
            user(json!({"type": "IAMUser", "principalId": "AIDA", "userName": "ana"})),
            json!({"id": "AIDA", "name": "ana"})
        );
        assert_eq!(user(json!({"type": "Root", "principalId": "1"})), json!({"id": "1"}));
        assert_eq!(
            user(json!({"type": "SAMLUser", "principalId": "x:ana", "userName": "ana@a.example"})),
            json!({"id": "x:ana", "name": "ana@a.example", "email": "ana@a.example"})
        );
    }

    #[test]
    fn roles_and_federated_users_are_named_by_the_issuer_of_the_session() {
        assert_eq!(user(role_session("build")), json!({"id": "AROA:build", "name": "ops"}));
        let federated = json!({"type": "FederatedUser", "userName": "kept", "sessionContext": {"sessionIssuer": {"userName": "issuer"}}});
        assert_eq!(user(federated), json!({"name": "issuer"}));
        let without = json!({"type": "FederatedUser", "userName": "kept"});
        assert_eq!(user(without), json!({"name": "kept"}));
        let other =
            json!({"type": "IAMUser", "userName": "ana", "sessionContext": {"sessionIssuer": {"userName": "issuer"}}});
        assert_eq!(user(other), json!({"name": "ana"}));
    }

    #[test]
    fn a_session_that_is_an_address_gives_the_email() {
        assert_eq!(user(role_session("ana@a.example"))["email"], "ana@a.example");
        assert_eq!(user(role_session("@a"))["email"], "@a");
        let gov = json!({"type": "AssumedRole", "arn": "arn:aws-us-gov:sts::1:assumed-role/ops/path/eve@b.example"});
        assert_eq!(user(gov), json!({"email": "eve@b.example"}));
        for identity in [
            json!({"type": "AssumedRole", "arn": "arn:aws:iam::1:role/ana@a.example"}),
            json!({"type": "IAMUser", "arn": "arn:aws:sts::1:assumed-role/ops/ana@a.example"}),
            json!({"type": "AssumedRole", "arn": "arn:aws:sts::1:ana@a.example"}),
        ] {
            assert!(user(identity).is_null());
        }
    }

    #[test]
    fn a_name_is_an_address_only_if_something_stands_before_the_sign() {
        assert!(user(json!({"type": "IAMUser", "userName": "@ana"}))["email"].is_null());
        assert_eq!(user(json!({"type": "IAMUser", "userName": "a@"}))["email"], "a@");
    }

    #[test]
    fn services_have_a_name_of_their_own_and_no_user() {
        for (identity, service) in [
            (
                json!({"type": "AWSService", "invokedBy": "ec2.amazonaws.com", "principalId": "p", "userName": "u"}),
                "ec2.amazonaws.com",
            ),
            (
                json!({"type": "AssumedRole", "principalId": "p", "invokedBy": "rds.amazonaws.com", "sessionContext": {"sessionIssuer":
                    {"userName": "AWSServiceRoleForRDS", "arn": "arn:aws:iam::1:role/aws-service-role/rds2.amazonaws.com/AWSServiceRoleForRDS"}}}),
                "rds.amazonaws.com",
            ),
            (
                json!({"type": "AssumedRole", "sessionContext": {"sessionIssuer": {"arn": "arn:aws:iam::1:role/aws-service-role/rds2.amazonaws.com/AWSServiceRoleForRDS"}}}),
                "rds2.amazonaws.com",
            ),
        ] {
            let doc = document(&json!({"userIdentity": identity, "requestParameters": {"userName": "target"}}));
            assert_eq!(doc["service"], json!({"name": service}));
            assert_eq!(doc["user"], json!({"target": {"name": "target"}}));
        }
    }

    #[test]
    fn invoked_by_alone_makes_no_service() {
        let mut identity = role_session("ana");
        identity["invokedBy"] = json!("cloudformation.amazonaws.com");
        let doc = document(&json!({"userIdentity": identity}));
        assert!(doc["service"].is_null());
        assert_eq!(doc["user"]["name"], "ops");
        let doc = document(&json!({"userIdentity": {"type": "AWSService", "principalId": "p"}}));
        assert_eq!((&doc["service"], &doc["user"]), (&json!(null), &json!({"id": "p"})));
    }

    #[test]
    fn identity_center_users_are_known_by_the_directory() {
        let identity = |principal: &str| json!({"type": "IdentityCenterUser", "principalId": principal, "onBehalfOf": {"userId": "u-1"}});
        assert_eq!(user(identity("")), json!({"id": "u-1"}));
        assert_eq!(user(identity("p")), json!({"id": "p"}));
        assert!(user(json!({"type": "IAMUser", "onBehalfOf": {"userId": "u-1"}})).is_null());
    }

    #[test]
    fn a_user_authentication_names_its_user() {
        let record = |name: &str| json!({"eventName": name, "additionalEventData": {"UserName": "ana@a.example"}});
        assert_eq!(
            document(&record("UserAuthentication"))["user"],
            json!({"name": "ana@a.example", "email": "ana@a.example"})
        );
        assert!(document(&record("CredentialChallenge"))["user"].is_null());
    }

    #[test]
    fn targets_are_copied_for_any_service() {
        let doc = document(&json!({
            "eventSource": "ec2.amazonaws.com", "errorCode": "x",
            "requestParameters": {"userName": "ana", "newUserName": "eva", "groupName": ["g"]},
            "responseElements": {"user": {"userId": "AIDA"}, "group": {"groupId": 5}},
        }));
        assert_eq!(doc["user"], json!({"target": {"id": "AIDA", "name": "ana"}, "changes": {"name": "eva"}}));
        assert_eq!(doc["group"], json!({"id": 5, "name": ["g"]}));
    }

    #[test]
    fn a_switch_names_assumed_roles_by_their_session() {
        let settings =
            || Settings { compat: Compat { session_user_name: true, ..Compat::default() }, ..Settings::default() };
        let doc = document_with(settings(), &json!({"userIdentity": role_session("ana")}));
        assert_eq!(doc["user"], json!({"id": "AROA:ana", "name": "ana"}));
        assert_eq!(doc["related"]["user"], json!(["ana", "AROA:ana", "ops"]));
    }
}
