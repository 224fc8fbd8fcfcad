//! The resources of an event (ECS mapping 7.1): a list without duplicates, in the order of the Java map that removed
//! them.

use crate::ecs::doc::{Doc, Object};
use crate::ecs::fit;
use crate::ecs::java::{self, bucket, capacity};
use crate::ecs::source::{self as s, Record};
use crate::ecs::table as f;
use crate::record::json::Value;
use std::collections::HashMap;

pub fn apply(record: Record<'_>, doc: &mut Doc) {
    let Some(value) = record.value(s::RESOURCES) else { return };
    if !value.is_list() {
        doc.doubt(true);
        doc.value(f::RESOURCES, value);
        return;
    }
    let resources = distinct(value);
    if resources.is_empty() {
        return;
    }
    doc.doubt(resources.iter().any(|resource| fit::is_doubtful_resource(*resource)));
    doc.make(f::RESOURCES, |out| {
        out.push(b'[');
        for (i, resource) in resources.iter().enumerate() {
            if i > 0 {
                out.push(b',');
            }
            render(*resource, out);
        }
        out.push(b']');
    });
}

/// The objects of the list `resources`, the last of each `arn_account_type`, in the order of a Java map with these
/// keys.
pub fn distinct(resources: Value<'_>) -> Vec<Value<'_>> {
    let mut objects = resources.elements().filter(|element| element.is_object());
    // Most lists have one member, which needs no key.
    if resources.len() == 1 {
        return objects.collect();
    }
    let mut places: HashMap<String, usize> = HashMap::new();
    let mut table: Vec<(String, Value<'_>)> = Vec::new();
    for object in objects.by_ref() {
        let key = key(object);
        match places.get(&key) {
            Some(&at) => table[at].1 = object,
            None => {
                places.insert(key.clone(), table.len());
                table.push((key, object));
            }
        }
    }
    let capacity = capacity(table.len());
    table.sort_by_cached_key(|(key, _)| bucket(key, capacity));
    table.into_iter().map(|(_, object)| object).collect()
}

/// `arn_accountid_type`; missing parts are empty.
fn key(resource: Value<'_>) -> String {
    let arn = resource.get("ARN").or_else(|| resource.get("arn"));
    let account = resource.get("accountId").or_else(|| resource.get("account_id"));
    let text = |value: Option<Value<'_>>| value.map(java::text).unwrap_or_default();
    format!("{}_{}_{}", text(arn), text(account), text(resource.get("type")))
}

fn render(resource: Value<'_>, out: &mut Vec<u8>) {
    let mut object = Object::open(out);
    for (key, value) in resource.members() {
        let renamed = match key.text {
            "ARN" => "arn",
            "accountId" => "account_id",
            // A member that has the new name already gives way to the renamed one.
            "arn" if resource.get("ARN").is_some() => continue,
            "account_id" if resource.get("accountId").is_some() => continue,
            other => other,
        };
        object.value(renamed, value);
    }
    object.close();
}

#[cfg(test)]
mod tests {
    use crate::ecs::stage::tests::{cloudtrail, document};
    use serde_json::json;

    #[test]
    fn members_are_renamed_and_others_stay() {
        let doc =
            cloudtrail(&json!({"resources": [{"ARN": "a", "accountId": "1", "type": "t", "ARNPrefix": "p", "x": ""}]}));
        assert_eq!(doc["resources"], json!([{"arn": "a", "account_id": "1", "type": "t", "ARNPrefix": "p"}]));
    }

    #[test]
    fn what_is_no_object_is_dropped() {
        assert_eq!(
            cloudtrail(&json!({"resources": ["a", 1, {"ARN": "b"}, [], null, [{"ARN": "c"}]]}))["resources"],
            json!([{"arn": "b"}])
        );
        assert!(document(&json!({"resources": ["a"]}))["aws"].is_null());
        assert_eq!(cloudtrail(&json!({"resources": "a"}))["resources"], "a");
        assert_eq!(cloudtrail(&json!({"resources": {"ARN": "a"}}))["resources"], json!({"ARN": "a"}));
    }

    #[test]
    fn the_order_is_that_of_the_java_map() {
        // The keys are `a_1_t`, hash 92461832, spread 92462730, 10 mod 16, and `b_1_t`, hash 93385353, spread
        // 93386521, 9 mod 16: `b` comes first whatever the input order.
        let (a, b) =
            (json!({"ARN": "a", "accountId": "1", "type": "t"}), json!({"ARN": "b", "accountId": "1", "type": "t"}));
        for input in [json!([a, b]), json!([b, a])] {
            let doc = cloudtrail(&json!({"resources": input}));
            assert_eq!(
                doc["resources"],
                json!([{"arn": "b", "account_id": "1", "type": "t"}, {"arn": "a", "account_id": "1", "type": "t"}])
            );
        }
    }

    #[test]
    fn of_duplicates_the_last_wins() {
        let doc = cloudtrail(
            &json!({"resources": [{"ARN": "a", "n": 1}, {"ARN": "a", "n": 2}, {"type": "t"}, {"type": "t", "n": 3}]}),
        );
        let mut found = doc["resources"].as_array().cloned().unwrap_or_default();
        found.sort_by_key(|resource| resource["n"].as_u64());
        assert_eq!(found, [json!({"arn": "a", "n": 2}), json!({"type": "t", "n": 3})]);
    }
}
