//! What is to be done about an object, given what Kibana holds under its id.
//!
//! Dashboards are told by their mark, since Kibana rewrites them when it is upgraded; data views and rules by their
//! contents, of which Kibana may hold more than we gave. Leaves out asking and importing.

use super::mark::Mark;
use crate::kibana::client::{Key, RULE};
use crate::setup::Verdict;
use serde_json::{Value, json};

/// What people set on a rule; it stays when the rule is replaced.
const OWN: [&str; 5] = ["enabled", "actions", "exceptions_list", "throttle", "response_actions"];

/// What of a rule says nothing of its content: Kibana makes or completes it by itself.
const NOT_CONTENT: [&str; 6] = ["id", "meta", "version", "revision", "required_fields", "related_integrations"];

/// One line of a file.
#[derive(Debug)]
pub struct Item {
    pub key: Key,
    /// As it is imported, with its mark.
    pub body: Value,
    title: String,
    mark: Mark,
}

/// What to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Plan {
    Create,
    /// Something else is there, and is replaced: in what it differs.
    Update(String),
    /// The same is there.
    Leave,
    /// This newer release is there.
    Keep(String),
    /// Somebody changed these parts of it.
    Respect(Vec<String>),
}

/// Reads saved objects, a JSON document a line, and marks the dashboards.
///
/// # Errors
/// A line is no saved object.
pub fn objects(file: &str) -> Result<Vec<Item>, String> {
    items(file, |body, mark| {
        let text = |name: &str| body.get(name).and_then(Value::as_str);
        let key = Key::new(text("type")?, text("id")?);
        if key.kind == "dashboard" {
            let attributes = body.get_mut("attributes")?.as_object_mut()?;
            let description = attributes.get("description").and_then(Value::as_str).unwrap_or_default();
            let marked = format!("{description} {mark}").trim_start().to_owned();
            attributes.insert("description".to_owned(), marked.into());
        }
        let title = ["/attributes/name", "/attributes/title"].into_iter().find_map(|at| body.pointer(at)?.as_str());
        Some((key, title.unwrap_or_default().to_owned()))
    })
}

/// Reads detection rules, a JSON document a line, and marks them.
///
/// # Errors
/// A line is no rule.
pub fn rules(file: &str) -> Result<Vec<Item>, String> {
    items(file, |body, mark| {
        let rule = body.as_object_mut()?;
        let key = Key::new(RULE, rule.get("rule_id")?.as_str()?);
        let meta = rule.entry("meta").or_insert_with(|| json!({})).as_object_mut()?;
        meta.insert("trailship".to_owned(), json!({"release": mark.release, "content": mark.content}));
        let title = rule.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
        Some((key, title))
    })
}

/// The plan for a saved object.
pub fn of_object(item: &Item, found: Option<&Value>) -> Plan {
    let Some(found) = found else { return Plan::Create };
    if item.key.kind != "dashboard" {
        let (ours, theirs) = (item.body.get("attributes"), found.get("attributes"));
        let differing = differing(ours.unwrap_or(&Value::Null), theirs.unwrap_or(&Value::Null), &[]);
        return if differing.is_empty() { Plan::Leave } else { Plan::Update(in_words(&differing)) };
    }
    let description = found.pointer("/attributes/description").and_then(Value::as_str).unwrap_or_default();
    match Mark::read(description) {
        Some(mark) if mark.is_newer() => Plan::Keep(mark.release),
        Some(mark) if mark.content == item.mark.content => Plan::Leave,
        Some(mark) => Plan::Update(format!("that of trailship {} ({})", mark.release, mark.content)),
        None => Plan::Update("one without the mark of trailship, as when it is imported by hand".to_owned()),
    }
}

/// The plan for a rule.
pub fn of_rule(item: &Item, found: Option<&Value>) -> Plan {
    let Some(found) = found else { return Plan::Create };
    let mark = found.get("meta").and_then(Mark::read_meta);
    if let Some(mark) = &mark
        && mark.is_newer()
    {
        return Plan::Keep(mark.release.clone());
    }
    let besides: Vec<&str> = OWN.into_iter().chain(NOT_CONTENT).collect();
    let differing = differing(&item.body, found, &besides);
    match mark {
        _ if differing.is_empty() => Plan::Leave,
        // Kibana drops the mark when a person saves the rule, or leaves it while the content is another.
        Some(mark) if mark.content != item.mark.content => {
            Plan::Update(format!("that of trailship {}, with another {}", mark.release, in_words(&differing)))
        }
        _ => Plan::Respect(differing),
    }
}

/// Takes over what people set on a rule.
pub fn keep_own(item: &mut Item, found: &Value) {
    for name in OWN {
        if let (Some(value), Some(rule)) = (found.get(name).filter(|value| !value.is_null()), item.body.as_object_mut())
        {
            rule.insert(name.to_owned(), value.clone());
        }
    }
}

impl Item {
    /// For a step: kind, id and title.
    pub fn name(&self) -> String {
        if self.key.kind == RULE { format!("{RULE} `{}`", self.title) } else { self.key.to_string() }
    }
}

impl Plan {
    /// What is reported of an object that is not imported; `None` when it is to be imported.
    pub fn without_import(&self, dry_run: bool) -> Option<(Verdict, String)> {
        let told = match self {
            Plan::Create if dry_run => (Verdict::Created, "new".to_owned()),
            Plan::Update(before) if dry_run => (Verdict::Updated, format!("changed: before: {before}")),
            Plan::Create | Plan::Update(_) => return None,
            Plan::Leave => (Verdict::Unchanged, "the same is there".to_owned()),
            Plan::Keep(release) => (Verdict::Kept, format!("newer: that of trailship {release} is there and stays")),
            Plan::Respect(differing) => {
                let detail = format!(
                    "it was changed in Kibana ({}) and stays; to get the one of this release, delete it there and run \
                     it again",
                    in_words(differing)
                );
                (Verdict::Warning, detail)
            }
        };
        Some(told)
    }

    /// What is reported of an object that was imported.
    pub fn imported(&self) -> (Verdict, String) {
        let release = env!("CARGO_PKG_VERSION");
        match self {
            Plan::Update(before) => (Verdict::Updated, format!("version {release}; before: {before}")),
            _ => (Verdict::Created, format!("version {release}")),
        }
    }
}

/// Reads a file line by line; `read` puts the mark into a document and gives its key and title.
fn items(file: &str, read: impl Fn(&mut Value, &Mark) -> Option<(Key, String)>) -> Result<Vec<Item>, String> {
    let lines = file.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let item = |(number, line): (usize, &str)| {
        let mut body: Value =
            serde_json::from_str(line).map_err(|fault| format!("line {} is no JSON: {fault}", number + 1))?;
        let mark = Mark::new(line);
        let read = read(&mut body, &mark);
        let (key, title) = read.ok_or_else(|| format!("line {} lacks its type or id", number + 1))?;
        Ok(Item { key, body, title, mark })
    };
    lines.map(item).collect()
}

/// Members of `ours` that `theirs` does not hold.
fn differing(ours: &Value, theirs: &Value, besides: &[&str]) -> Vec<String> {
    let members = ours.as_object().into_iter().flatten().filter(|(name, _)| !besides.contains(&name.as_str()));
    members
        .filter(|(name, value)| !theirs.get(name).is_some_and(|held| holds(held, value)))
        .map(|(n, _)| n.clone())
        .collect()
}

/// Whether `theirs` says all that `ours` says. Kibana adds members with their defaults.
fn holds(theirs: &Value, ours: &Value) -> bool {
    match (theirs, ours) {
        (Value::Object(theirs), Value::Object(ours)) => {
            ours.iter().all(|(name, value)| theirs.get(name).is_some_and(|held| holds(held, value)))
        }
        (Value::Array(theirs), Value::Array(ours)) => {
            theirs.len() == ours.len() && theirs.iter().zip(ours).all(|(theirs, ours)| holds(theirs, ours))
        }
        // JSON within a text, as in data views: its members have no order.
        (Value::String(theirs), Value::String(ours)) if theirs != ours && ours.starts_with(['{', '[']) => {
            match (serde_json::from_str(theirs), serde_json::from_str(ours)) {
                (Ok::<Value, _>(theirs), Ok::<Value, _>(ours)) => !theirs.is_string() && holds(&theirs, &ours),
                _ => false,
            }
        }
        (theirs, ours) => theirs == ours,
    }
}

fn in_words(names: &[String]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    quoted.join(", ")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn object(line: Value) -> Item {
        objects(&line.to_string()).unwrap().remove(0)
    }

    fn rule(query: &str) -> Item {
        let line = json!({"rule_id": "r", "name": "Root use", "query": query, "enabled": false, "version": 1,
            "threat": [{"framework": "MITRE ATT&CK", "tactic": {"id": "TA0001"}}]});
        rules(&line.to_string()).unwrap().remove(0)
    }

    #[test]
    fn dashboards_are_told_by_their_mark() {
        let one = |title: &str| {
            object(json!({"type": "dashboard", "id": "a", "attributes": {"title": title, "description": "All."}}))
        };
        let ours = one("A");
        assert_eq!(of_object(&ours, None), Plan::Create);
        let description = ours.body.pointer("/attributes/description").unwrap().as_str().unwrap();
        assert!(description.starts_with("All. [trailship "), "{description}");
        // Kibana's own form of the rest is no difference.
        let kept =
            json!({"attributes": {"description": description, "panelsJSON": "[]"}, "typeMigrationVersion": "10.3.0"});
        assert_eq!(of_object(&ours, Some(&kept)), Plan::Leave);
        assert!(matches!(of_object(&ours, Some(&one("B").body)), Plan::Update(_)));
        let by_hand = json!({"attributes": {"description": "All."}});
        assert!(matches!(of_object(&ours, Some(&by_hand)), Plan::Update(before) if before.contains("by hand")));
        let newer = json!({"attributes": {"description": "All. [trailship 999.0.0 00000000]"}});
        assert_eq!(of_object(&ours, Some(&newer)), Plan::Keep("999.0.0".to_owned()));
    }

    #[test]
    fn data_views_are_the_same_when_all_of_ours_is_there() {
        let ours = object(json!({"type": "index-pattern", "id": "v", "attributes": {
            "title": "logs-*", "runtimeFieldMap": r#"{"lag":{"type":"long","script":{"source":"1"}}}"#}}));
        assert!(ours.body.pointer("/attributes/description").is_none());
        let more = json!({"attributes": {"title": "logs-*", "fieldAttrs": "{}",
            "runtimeFieldMap": r#"{ "own": {}, "lag": {"script": {"source": "1"}, "type": "long"} }"#}});
        assert_eq!(of_object(&ours, Some(&more)), Plan::Leave);
        let other = json!({"attributes": {"title": "logs-aws*", "runtimeFieldMap": "{"}});
        assert_eq!(of_object(&ours, Some(&other)), Plan::Update("`runtimeFieldMap`, `title`".to_owned()));
    }

    #[test]
    fn rules_are_told_by_contents_and_mark() {
        let ours = rule("a: b");
        assert_eq!(of_rule(&ours, None), Plan::Create);
        let mut there = ours.body.clone();
        for (name, value) in
            [("enabled", json!(true)), ("version", json!(7)), ("revision", json!(3)), ("to", json!("now"))]
        {
            there[name] = value;
        }
        there["threat"][0]["technique"] = json!([]);
        assert_eq!(of_rule(&ours, Some(&there)), Plan::Leave);
        // Another release of ours is replaced, a person's change is not, whether Kibana keeps the mark or drops it.
        assert!(matches!(of_rule(&ours, Some(&rule("a: c").body)), Plan::Update(before) if before.contains("`query`")));
        there["query"] = json!("a: b and not c: d");
        assert_eq!(of_rule(&ours, Some(&there)), Plan::Respect(vec!["query".to_owned()]));
        there["meta"] = json!({"from": "1m"});
        assert_eq!(of_rule(&ours, Some(&there)), Plan::Respect(vec!["query".to_owned()]));
        there["meta"] = json!({"trailship": {"release": "999.0.0", "content": "x"}});
        assert_eq!(of_rule(&ours, Some(&there)), Plan::Keep("999.0.0".to_owned()));
    }

    #[test]
    fn what_people_set_on_a_rule_stays() {
        let mut ours = rule("a: b");
        let there = json!({"enabled": true, "actions": [{"id": "mail"}], "exceptions_list": [{"list_id": "x"}], "throttle": null, "query": "old"});
        keep_own(&mut ours, &there);
        let kept = |name: &str| ours.body.get(name).cloned();
        assert_eq!(kept("enabled"), Some(json!(true)));
        assert_eq!(kept("actions"), Some(json!([{"id": "mail"}])));
        assert_eq!(kept("exceptions_list"), Some(json!([{"list_id": "x"}])));
        assert_eq!((kept("throttle"), kept("query")), (None, Some(json!("a: b"))));
    }

    #[test]
    fn lines_that_are_no_objects_are_named() {
        assert!(
            objects("{\"type\":\"dashboard\",\"id\":\"a\",\"attributes\":{}}\n\n[]").unwrap_err().contains("line 3")
        );
        assert!(objects("{").unwrap_err().contains("line 1 is no JSON"));
        assert!(rules("{\"name\":\"x\"}").unwrap_err().contains("lacks"));
    }
}
