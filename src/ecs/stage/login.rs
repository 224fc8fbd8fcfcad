//! Console sign-ins (ECS mapping 8.2).

use crate::ecs::doc::Doc;
use crate::ecs::field::FieldId;
use crate::ecs::source::{self as s, Record};
use crate::ecs::table as f;
use crate::record::json::Value;

pub fn apply(record: Record<'_>, doc: &mut Doc) {
    if record.text(s::EVENT_NAME) != Some("ConsoleLogin") {
        return;
    }
    if record.is_no_object(s::ADDITIONAL) {
        doc.fault("`additionalEventData` of a console sign-in is not an object");
    }
    flag(f::MOBILE_VERSION, record.value(s::ADDITIONAL_MOBILE_VERSION), doc);
    flag(f::MFA_USED, record.value(s::ADDITIONAL_MFA_USED), doc);
    doc.maybe(f::LOGIN_TO, record.value(s::ADDITIONAL_LOGIN_TO));
}

/// False for exactly `No`, true for anything else.
fn flag(field: FieldId, value: Option<Value<'_>>, doc: &mut Doc) {
    if let Some(value) = value {
        doc.fixed(field, if value.as_str() == Some("No") { "false" } else { "true" });
    }
}

#[cfg(test)]
mod tests {
    use crate::ecs::stage::tests::{cloudtrail, document, is_fault};
    use serde_json::json;

    #[test]
    fn the_answers_become_booleans() {
        for (answer, expected) in [
            (json!("No"), false),
            (json!("Yes"), true),
            (json!("YES"), true),
            (json!("no"), true),
            (json!(false), true),
        ] {
            let doc = cloudtrail(
                &json!({"eventName": "ConsoleLogin", "additionalEventData": {"MFAUsed": answer, "MobileVersion": answer, "LoginTo": "https://c.example/"}}),
            );
            assert_eq!(
                doc["console_login"],
                json!({"additional_eventdata": {"mfa_used": expected, "mobile_version": expected, "login_to": "https://c.example/"}})
            );
        }
    }

    #[test]
    fn only_what_is_there_and_only_for_console_sign_ins() {
        let doc =
            cloudtrail(&json!({"eventName": "ConsoleLogin", "additionalEventData": {"MFAUsed": "No", "LoginTo": "-"}}));
        assert_eq!(doc["console_login"], json!({"additional_eventdata": {"mfa_used": false}}));
        let doc = cloudtrail(&json!({"eventName": "SwitchRole", "additionalEventData": {"MFAUsed": "No"}}));
        assert!(doc["console_login"].is_null());
        assert!(is_fault(&document(&json!({"eventName": "ConsoleLogin", "additionalEventData": "x"}))));
    }
}
