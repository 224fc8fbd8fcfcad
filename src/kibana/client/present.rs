//! What Kibana holds under our ids, by its export APIs: the only public ones that give whole objects on every version.
//!
//! Leaves out what that means for an import. Objects come back as Kibana keeps them now, which may be a newer form than
//! the one that was imported.

use super::answer::{Key, RULE};
use super::http::{Call, Kibana};
use super::refusal::{About, KibanaError};
use crate::output::elasticsearch::Content;
use bytes::Bytes;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

impl Kibana {
    /// The saved objects with these keys, as far as they are there.
    ///
    /// # Errors
    /// No answer, or a refusal.
    pub async fn find_objects(&self, keys: &[Key]) -> Result<BTreeMap<Key, Value>, KibanaError> {
        let path = self.in_space("api/saved_objects/_export");
        let mut wanted: BTreeSet<&Key> = keys.iter().collect();
        // Kibana refuses to export anything while one object is missing, and names all that are: each round asks for
        // fewer, so that it ends.
        while !wanted.is_empty() {
            let objects: Value = wanted.iter().map(|key| json!({"type": key.kind, "id": key.id})).collect();
            let body = json!({"objects": objects, "excludeExportDetails": true, "includeReferencesDeep": false});
            let answer = self.ask(Call::post(About::Dashboards, &path, content(&body))).await?;
            if answer.status() != 400 {
                let found = answer.lines()?.into_iter().filter_map(|object| {
                    let text = |name: &str| object.get(name)?.as_str().map(str::to_owned);
                    let key = Key { kind: text("type")?, id: text("id")? };
                    wanted.contains(&key).then_some((key, object))
                });
                return Ok(found.collect());
            }
            let refusal = answer.json();
            let before = wanted.len();
            for missing in refusal.pointer("/attributes/objects").and_then(Value::as_array).into_iter().flatten() {
                let text = |name: &str| missing.get(name).and_then(Value::as_str).unwrap_or_default();
                if missing.pointer("/error/statusCode").and_then(Value::as_u64) == Some(404) {
                    wanted.remove(&Key::new(text("type"), text("id")));
                }
            }
            if wanted.len() == before {
                return Err(answer.refusal());
            }
        }
        Ok(BTreeMap::new())
    }

    /// The detection rules with these keys, as far as they are there.
    ///
    /// # Errors
    /// No answer, or a refusal.
    pub async fn find_rules(&self, keys: &[Key]) -> Result<BTreeMap<Key, Value>, KibanaError> {
        let path = self.in_space("api/detection_engine/rules/_export");
        let objects: Value = keys.iter().map(|key| json!({"rule_id": key.id})).collect();
        let body = content(&json!({"objects": objects}));
        let answer = self.ask(Call::post(About::Rules, &path, body)).await?;
        // Exceptions, connectors and a summary come along.
        let found = answer.lines()?.into_iter().filter_map(|rule| {
            let key = Key::new(RULE, rule.get("rule_id")?.as_str()?);
            (rule.get("query").is_some() && keys.contains(&key)).then_some((key, rule))
        });
        Ok(found.collect())
    }
}

fn content(json: &Value) -> Content {
    Content::Json(Bytes::from(json.to_string()))
}
