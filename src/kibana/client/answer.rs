//! Answers to imports: what became of each object. Kibana answers 200 also when it imported nothing.
//!
//! Leaves out refusals of a whole request (`refusal.rs`). What holds: an object counts as imported only where the answer
//! says so, and every object of the file is either imported or has a reason why not.

use super::refusal::shortened;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fmt;

/// Errors that Kibana lets people resolve; while there is one, it creates nothing of the file, and yet lists the other
/// objects among its `successResults` (Kibana: import saved objects).
const RESOLVABLE: [&str; 3] = ["conflict", "ambiguous_conflict", "missing_references"];

/// The type under which rules are reported; they are no saved objects.
pub const RULE: &str = "rule";

/// What names an object of a file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    /// Type of a saved object, or [`RULE`].
    pub kind: String,
    pub id: String,
}

/// What became of a file.
#[derive(Debug, Default, PartialEq)]
pub struct Imported {
    /// Objects that were not imported, each with the cause and what to do.
    pub failed: Vec<(Key, String)>,
    /// Objects that were imported under another id.
    pub moved: Vec<(Key, String)>,
    /// What Kibana adds.
    pub warnings: Vec<String>,
}

impl Key {
    pub fn new(kind: impl Into<String>, id: impl Into<String>) -> Key {
        Key { kind: kind.into(), id: id.into() }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if self.kind == "index-pattern" { "data view" } else { &self.kind };
        write!(formatter, "{kind} `{}`", self.id)
    }
}

impl Imported {
    /// Reads the answer to an import of saved objects; `None` when it is none.
    pub fn of_objects(answer: &Value, keys: &[Key]) -> Option<Imported> {
        let success = answer.get("success")?.as_bool()?;
        let errors = list(answer, "errors");
        let mut imported = Imported { warnings: texts(answer, "warnings"), ..Imported::default() };
        imported.failed.extend(errors.iter().map(|error| (key(error), explain(error))));
        let is_resolvable = |error: &&Value| RESOLVABLE.contains(&text(error, "/error/type"));
        let results = list(answer, "successResults");
        let done: BTreeSet<Key> = match errors.iter().find(is_resolvable) {
            Some(_) => BTreeSet::new(),
            None if answer.get("successResults").is_some() => results.iter().map(key).collect(),
            None if success && count(answer, "successCount") == Some(keys.len()) => keys.iter().cloned().collect(),
            None => BTreeSet::new(),
        };
        let why = match errors.is_empty() {
            true if success => "Kibana answers with success, but does not count it among what it imported",
            true => "Kibana says that the import failed, but not why: see its log",
            false => "not imported, since nothing of a file is while one of its objects is refused",
        };
        imported.complete(keys, &done, why);
        for result in results.iter().filter(|result| done.contains(&key(result))) {
            if let Some(id) = result.get("destinationId").and_then(Value::as_str) {
                imported.moved.push((key(result), shortened(id)));
            }
        }
        Some(imported)
    }

    /// Reads the answer to an import of detection rules, each of which is imported or refused by itself; `None` when it
    /// is none.
    pub fn of_rules(answer: &Value, keys: &[Key]) -> Option<Imported> {
        let success = answer.get("success")?.as_bool()?;
        let mut imported = Imported::default();
        for error in list(answer, "errors") {
            let key = Key::new(RULE, shortened(text(error, "/rule_id")));
            imported.failed.push((key, explain_rule(error)));
        }
        for beside in ["exceptions_errors", "action_connectors_errors", "action_connectors_warnings"] {
            imported.warnings.extend(texts(answer, beside));
        }
        let refused: BTreeSet<&Key> = imported.failed.iter().map(|(key, _)| key).collect();
        let others = keys.iter().filter(|key| !refused.contains(key));
        let counted = count(answer, "success_count").is_none_or(|counted| counted == others.clone().count());
        let (done, why) = match (success || !refused.is_empty(), counted) {
            (true, true) => (others.cloned().collect(), ""),
            (true, false) => (BTreeSet::new(), "Kibana counts fewer rules as imported than it was given: look there"),
            (false, _) => (BTreeSet::new(), "Kibana says that the import failed, but not why: see its log"),
        };
        imported.complete(keys, &done, why);
        Some(imported)
    }

    /// Objects that are neither done nor refused did not make it either.
    fn complete(&mut self, keys: &[Key], done: &BTreeSet<Key>, why: &str) {
        let refused: BTreeSet<Key> = self.failed.iter().map(|(key, _)| key.clone()).collect();
        let left = keys.iter().filter(|key| !done.contains(key) && !refused.contains(key));
        self.failed.extend(left.map(|key| (key.clone(), why.to_owned())));
    }
}

/// Why a saved object was refused, and what to do.
fn explain(error: &Value) -> String {
    let told = |pointer| shortened(text(error, pointer));
    match text(error, "/error/type") {
        "conflict" => match error.pointer("/error/destinationId").and_then(Value::as_str) {
            Some(id) => format!(
                "conflict: it is there under the id `{}`, which may not be replaced; delete that one in Kibana under \
                 Stack Management, Saved Objects, then run it again",
                shortened(id)
            ),
            None => "conflict: an object with this id is there and may not be replaced; delete it in Kibana under \
                     Stack Management, Saved Objects, then run it again"
                .to_owned(),
        },
        "ambiguous_conflict" => {
            let ids = named(error.pointer("/error/destinations"), |each| format!("`{}`", text(each, "/id")));
            format!("conflict: several objects could be meant: {ids}; delete all but one of them, then run it again")
        }
        "missing_references" => {
            let missing = named(error.pointer("/error/references"), |each| {
                Key::new(text(each, "/type"), text(each, "/id")).to_string()
            });
            format!("it needs what neither the file nor Kibana has: {missing}; import that first, or the whole file")
        }
        "unsupported_type" => format!(
            "this Kibana does not know objects of type `{}`: its plugin is switched off, or Kibana is too old",
            told("/type")
        ),
        "unknown" => {
            let status = error.pointer("/error/statusCode").and_then(Value::as_u64);
            let cure = match status {
                Some(403) => "; the role lacks the privilege to write it in this space",
                Some(400) => "; this Kibana does not take its form: is Kibana newer than this trailship knows?",
                _ => "; Kibana's own log says more",
            };
            let status = status.map(|status| format!(" ({status})")).unwrap_or_default();
            format!("{}{status}{cure}", told("/error/message"))
        }
        _ => format!("refused: {}", shortened(&error.get("error").unwrap_or(error).to_string())),
    }
}

/// Why a rule was refused, and what to do.
fn explain_rule(error: &Value) -> String {
    let status = error.pointer("/error/status_code").and_then(Value::as_u64);
    let cure = match status {
        Some(409) => "; a rule with this id is there and was not replaced: delete it in Kibana, then run it again",
        Some(403) => "; the role or the licence does not allow it",
        Some(400) => "; this Kibana does not take its form: is it older than 8.9, or newer than this trailship knows?",
        _ => "",
    };
    let status = status.map(|status| format!(" ({status})")).unwrap_or_default();
    format!("{}{status}{cure}", shortened(text(error, "/error/message")))
}

fn key(object: &Value) -> Key {
    Key::new(shortened(text(object, "/type")), shortened(text(object, "/id")))
}

fn list<'a>(answer: &'a Value, name: &str) -> &'a [Value] {
    answer.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

fn count(answer: &Value, name: &str) -> Option<usize> {
    answer.get(name)?.as_u64().and_then(|count| usize::try_from(count).ok())
}

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or("not said")
}

/// The messages of a list; what has none is shown as it is.
fn texts(answer: &Value, name: &str) -> Vec<String> {
    let message = |each: &Value| {
        let told = ["/message", "/error/message"].into_iter().find_map(|pointer| each.pointer(pointer)?.as_str());
        shortened(&told.map_or_else(|| each.to_string(), str::to_owned))
    };
    list(answer, name).iter().map(message).collect()
}

fn named(list: Option<&Value>, name: impl Fn(&Value) -> String) -> String {
    let all: Vec<String> = list.and_then(Value::as_array).into_iter().flatten().map(name).collect();
    if all.is_empty() { "not said which".to_owned() } else { shortened(&all.join(", ")) }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use serde_json::json;

    fn keys() -> Vec<Key> {
        vec![Key::new("index-pattern", "view"), Key::new("dashboard", "a"), Key::new("dashboard", "b")]
    }

    fn results(ids: &[(&str, &str)]) -> Value {
        ids.iter().map(|(kind, id)| json!({"type": kind, "id": id, "meta": {}, "managed": false})).collect()
    }

    fn all() -> Value {
        results(&[("index-pattern", "view"), ("dashboard", "a"), ("dashboard", "b")])
    }

    fn failed(answer: &Value) -> Vec<(String, String)> {
        let imported = Imported::of_objects(answer, &keys()).unwrap();
        imported.failed.into_iter().map(|(key, why)| (key.id, why)).collect()
    }

    #[test]
    fn success_is_what_names_every_object() {
        let good = json!({"success": true, "successCount": 3, "successResults": all(), "warnings": []});
        assert_eq!(Imported::of_objects(&good, &keys()).unwrap(), Imported::default());
        // Kibana before 7.9 and proxies that strip: the count alone.
        let counted = json!({"success": true, "successCount": 3});
        assert!(failed(&counted).is_empty());
        for short in [
            json!({"success": true, "successCount": 2}),
            json!({"success": true}),
            json!({"success": true, "successCount": 3, "successResults": []}),
            json!({"success": false, "successCount": 0}),
        ] {
            assert_eq!(failed(&short).len(), 3, "{short}");
        }
        let two = json!({"success": true, "successCount": 2, "successResults": results(&[("index-pattern", "view"), ("dashboard", "a")])});
        assert_eq!(failed(&two)[0].0, "b");
    }

    #[test]
    fn what_is_no_answer_to_an_import_is_none() {
        for other in [json!({}), json!([]), json!({"success": "yes"}), json!(null)] {
            assert!(Imported::of_objects(&other, &keys()).is_none());
            assert!(Imported::of_rules(&other, &keys()).is_none());
        }
    }

    #[test]
    fn a_resolvable_error_leaves_nothing_imported_whatever_the_results_say() {
        for (error, told) in [
            (json!({"type": "conflict"}), "is there and may not be replaced"),
            (json!({"type": "conflict", "destinationId": "other"}), "under the id `other`"),
            (json!({"type": "ambiguous_conflict", "destinations": [{"id": "x"}, {"id": "y"}]}), "`x`, `y`"),
            (
                json!({"type": "missing_references", "references": [{"type": "index-pattern", "id": "gone"}]}),
                "data view `gone`",
            ),
        ] {
            let answer = json!({
                "success": false, "successCount": 2,
                "successResults": results(&[("index-pattern", "view"), ("dashboard", "b")]),
                "errors": [{"type": "dashboard", "id": "a", "meta": {"title": "A"}, "error": error}],
            });
            let failed = failed(&answer);
            assert_eq!(failed.iter().map(|(id, _)| id.as_str()).collect::<Vec<_>>(), ["a", "view", "b"]);
            assert!(failed[0].1.contains(told), "{}", failed[0].1);
            assert!(failed[1].1.contains("nothing of a file"), "{}", failed[1].1);
        }
    }

    #[test]
    fn other_errors_concern_their_object_alone() {
        for (error, told) in [
            (json!({"type": "unsupported_type"}), "objects of type `dashboard`"),
            (
                json!({"type": "unknown", "statusCode": 500, "message": "shards\nfailed"}),
                "shards failed (500); Kibana's own log",
            ),
            (json!({"type": "unknown", "statusCode": 403, "message": "no"}), "no (403); the role lacks"),
            (json!({"type": "new_kind", "more": 1}), r#"refused: {"more":1,"type":"new_kind"}"#),
            (json!(null), "refused: null"),
        ] {
            let answer = json!({
                "success": false, "successCount": 2,
                "successResults": results(&[("index-pattern", "view"), ("dashboard", "b")]),
                "errors": [{"type": "dashboard", "id": "a", "error": error}],
            });
            let failed = failed(&answer);
            assert_eq!(failed.len(), 1);
            assert_eq!(failed[0].0, "a");
            assert!(failed[0].1.contains(told), "{}", failed[0].1);
        }
    }

    #[test]
    fn objects_that_got_another_id_and_warnings_are_named() {
        let mut results = all();
        results[1]["destinationId"] = json!("a-2");
        let warnings = json!([{"type": "simple", "message": "one"}, {"type": "action_required", "message": "two", "actionPath": "/x"}]);
        let answer = json!({"success": true, "successCount": 3, "successResults": results, "warnings": warnings});
        let imported = Imported::of_objects(&answer, &keys()).unwrap();
        assert_eq!(imported.moved, [(Key::new("dashboard", "a"), "a-2".to_owned())]);
        assert_eq!(imported.warnings, ["one", "two"]);
        assert!(imported.failed.is_empty());
    }

    #[test]
    fn rules_are_refused_one_by_one() {
        let keys = [Key::new(RULE, "r1"), Key::new(RULE, "r2")];
        let read = |answer: Value| Imported::of_rules(&answer, &keys).unwrap();
        let good =
            json!({"success": true, "success_count": 2, "rules_count": 2, "errors": [], "exceptions_success": true});
        assert_eq!(read(good), Imported::default());
        let partial = json!({
            "success": false, "success_count": 1, "rules_count": 2,
            "errors": [{"rule_id": "r2", "error": {"status_code": 400, "message": "name: Required"}}],
            "action_connectors_warnings": [{"type": "action_required", "message": "1 connector has sensitive information"}],
        });
        let imported = read(partial);
        assert_eq!(imported.failed.len(), 1);
        assert_eq!(imported.failed[0].0.id, "r2");
        assert!(imported.failed[0].1.starts_with("name: Required (400); "), "{:?}", imported.failed);
        assert_eq!(imported.warnings, ["1 connector has sensitive information"]);
        assert_eq!(read(json!({"success": true, "success_count": 1, "errors": []})).failed.len(), 2);
        assert_eq!(read(json!({"success": false, "errors": []})).failed.len(), 2);
    }
}
