//! Kind, category, type and outcome of an event (ECS mapping 8).

use crate::ecs::doc::Doc;
use crate::ecs::source::{self as s, Record};
use crate::ecs::table as f;
use std::collections::HashMap;
use std::sync::LazyLock;

/// JSON texts of the two lists.
struct Class {
    category: String,
    types: String,
}

/// By event name; the service does not matter (ECS mapping 8.1).
static CLASSES: LazyLock<HashMap<&str, Class>> = LazyLock::new(|| {
    rows().map(|(name, category, types)| (name, Class { category: list(category), types: list(types) })).collect()
});

pub fn apply(record: Record<'_>, doc: &mut Doc) {
    let action = record.text(s::EVENT_NAME);
    doc.fixed(f::EVENT_KIND, "\"event\"");
    match action.and_then(|action| CLASSES.get(action)) {
        Some(class) => {
            doc.fixed(f::EVENT_CATEGORY, &class.category);
            doc.fixed(f::EVENT_TYPE, &class.types);
        }
        None => doc.fixed(f::EVENT_TYPE, "[\"info\"]"),
    }
    let failed = record.has(s::ERROR_CODE) || record.has(s::ERROR_MESSAGE);
    doc.fixed(f::EVENT_OUTCOME, if failed { "\"failure\"" } else { "\"success\"" });
    if action == Some("ConsoleLogin")
        && let Some(answer) = record.value(s::RESPONSE_CONSOLE_LOGIN)
    {
        match answer.as_str() {
            Some(text) => doc.text(f::EVENT_OUTCOME, &text.to_lowercase()),
            None => doc.fault("`responseElements.ConsoleLogin` is not a string"),
        }
    }
}

/// Name, category and types of each line of the table.
fn rows() -> impl Iterator<Item = (&'static str, &'static str, &'static str)> {
    let table = include_str!("../data/actions.tsv");
    table.lines().skip(1).filter_map(|line| {
        let mut cells = line.split('\t');
        Some((cells.next()?, cells.next()?, cells.next()?))
    })
}

/// `a, b` as a JSON list.
fn list(words: &str) -> String {
    let words: Vec<String> = words.split(", ").map(|word| format!("\"{word}\"")).collect();
    format!("[{}]", words.join(","))
}

#[cfg(test)]
mod tests {
    use super::rows;
    use crate::ecs::stage::tests::{document, is_fault};
    use serde_json::json;
    use std::collections::HashSet;

    #[test]
    fn the_table_has_91_names_and_words_of_ecs() {
        assert_eq!(rows().map(|(name, ..)| name).collect::<HashSet<_>>().len(), 91);
        assert_eq!(rows().count(), 91);
        let categories = [
            "iam",
            "authentication",
            "file",
            "network",
            "host",
            "api",
            "configuration",
            "database",
            "package",
            "process",
            "session",
        ];
        let types = ["access", "admin", "change", "creation", "deletion", "end", "group", "info", "start", "user"];
        for (name, category, list) in rows() {
            assert!(categories.contains(&category), "{name}: {category}");
            assert!(list.split(", ").all(|word| types.contains(&word)), "{name}: {list}");
        }
    }

    #[test]
    fn one_name_of_each_row_of_the_specification() {
        for (name, category, types) in [
            ("UpdateGroup", "iam", json!(["group", "change"])),
            ("UpdateSSHPublicKey", "iam", json!(["user", "change"])),
            ("CreateGroup", "iam", json!(["group", "creation"])),
            ("DeleteGroup", "iam", json!(["group", "deletion"])),
            ("CreateUser", "iam", json!(["user", "creation"])),
            ("DeleteUser", "iam", json!(["user", "deletion"])),
            ("CreateKeyPair", "iam", json!(["admin", "creation"])),
            ("UpdateRole", "iam", json!(["admin", "change"])),
            ("ListGroups", "iam", json!(["group", "info"])),
            ("ListUserTags", "iam", json!(["user", "info"])),
            ("ListRoles", "iam", json!(["info"])),
            ("CreatePolicy", "iam", json!(["creation"])),
            ("AttachRolePolicy", "iam", json!(["change"])),
            ("AssumeRole", "authentication", json!(["info"])),
            ("CreateDocument", "file", json!(["creation"])),
            ("PutObject", "file", json!(["change"])),
            ("DeleteObject", "file", json!(["deletion"])),
            ("HeadObject", "file", json!(["info"])),
            ("DescribeVpcs", "network", json!(["info"])),
            ("AuthorizeSecurityGroupIngress", "network", json!(["access"])),
            ("DescribeVolumes", "host", json!(["info"])),
            ("Publish", "api", json!(["info"])),
            ("DescribeTrails", "configuration", json!(["info"])),
            ("CreateTopic", "configuration", json!(["creation"])),
            ("Subscribe", "configuration", json!(["change"])),
            ("DeleteTrail", "configuration", json!(["deletion"])),
            ("ListTables", "database", json!(["info"])),
            ("ListFunctions", "package", json!(["info"])),
            ("SendCommand", "process", json!(["start"])),
            ("OpenDataChannel", "session", json!(["start"])),
            ("TerminateSession", "session", json!(["end"])),
        ] {
            let event = document(&json!({"eventName": name, "eventSource": "any"}))["event"].take();
            assert_eq!(
                (&event["kind"], &event["category"], &event["type"]),
                (&json!("event"), &json!([category]), &types),
                "{name}"
            );
        }
    }

    #[test]
    fn names_are_exact_and_others_are_info_without_category() {
        for name in [
            "ListFunctions20150331",
            "CreateFunction20150331",
            "createuser",
            "UploadSSHPublicKey",
            "CreateRole",
            "AssumeRoleWithSAML",
            "AuthorizeSecurityGroupEgress",
            "x",
        ] {
            let event = document(&json!({"eventName": name}))["event"].take();
            assert_eq!((&event["category"], &event["type"]), (&json!(null), &json!(["info"])), "{name}");
        }
    }

    #[test]
    fn any_error_makes_a_failure_whatever_it_says() {
        for (record, outcome) in [
            (json!({"errorCode": "200"}), "failure"),
            (json!({"errorMessage": "x"}), "failure"),
            (json!({"errorCode": 0}), "failure"),
            (json!({"errorCode": "", "errorMessage": null}), "success"),
            (json!({}), "success"),
        ] {
            assert_eq!(document(&record)["event"]["outcome"], outcome, "{record}");
        }
    }

    #[test]
    fn the_answer_to_a_console_sign_in_decides() {
        for (name, answer, outcome) in [
            ("ConsoleLogin", json!("Success"), "success"),
            ("ConsoleLogin", json!("Failure"), "failure"),
            ("ConsoleLogin", json!("Odd"), "odd"),
            ("ConsoleLogin", json!(null), "failure"),
            ("SwitchRole", json!("Success"), "failure"),
        ] {
            let doc =
                document(&json!({"eventName": name, "errorCode": "x", "responseElements": {"ConsoleLogin": answer}}));
            assert_eq!(doc["event"]["outcome"], outcome);
        }
        assert!(is_fault(&document(&json!({"eventName": "ConsoleLogin", "responseElements": {"ConsoleLogin": 1}}))));
    }
}
