//! The policy as Elasticsearch's index lifecycle management takes it, or the user's own from a file.

use super::policy::{Kind, Policy, PolicyError};
use super::{RolloverTerms, age};
use crate::setup::config::SetupConfig;
use serde_json::{Map, Value, json};
use std::path::Path;

/// # Errors
/// The file of `setup.ilm.policy_file` is no policy.
pub fn policy(config: &SetupConfig) -> Result<Policy, PolicyError> {
    let content = match &config.ilm.policy_file {
        Some(path) => read(path)?,
        None => phases(config),
    };
    Ok(Policy::new(Kind::Ilm, config.ilm.policy_name.as_str(), content))
}

/// Phases after the first count from rollover.
fn phases(config: &SetupConfig) -> Map<String, Value> {
    let RolloverTerms { age: max_age, size } = RolloverTerms::of(&config.lifecycle);
    let mut phases = Map::new();
    let rollover = json!({"rollover": {"max_age": max_age, "max_primary_shard_size": size}});
    phases.insert("hot".to_owned(), json!({"min_age": "0ms", "actions": rollover}));
    if let Some(after) = config.lifecycle.warm_after {
        let actions = json!({"forcemerge": {"max_num_segments": 1}});
        phases.insert("warm".to_owned(), json!({"min_age": age(after), "actions": actions}));
    }
    if let Some(after) = config.lifecycle.delete_after {
        phases.insert("delete".to_owned(), json!({"min_age": age(after), "actions": {"delete": {}}}));
    }
    Map::from_iter([("phases".to_owned(), Value::Object(phases))])
}

/// A policy as the API takes it, with or without the object `policy` around it.
fn read(path: &Path) -> Result<Map<String, Value>, PolicyError> {
    let text = std::fs::read_to_string(path)
        .map_err(|fault| PolicyError::Unreadable { path: path.to_owned(), reason: fault.to_string() })?;
    let mut json: Value = serde_json::from_str(&text)
        .map_err(|fault| PolicyError::Unreadable { path: path.to_owned(), reason: fault.to_string() })?;
    if let Some(inner) = json.get_mut("policy") {
        json = inner.take();
    }
    match json {
        Value::Object(policy) if policy.get("phases").is_some_and(Value::is_object) => Ok(policy),
        _ => Err(PolicyError::NoPhases(path.to_owned())),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn body(config: Value) -> Value {
        let config: SetupConfig = serde_json::from_value(config).unwrap();
        policy(&config).unwrap().body(1)
    }

    #[test]
    fn by_default_indices_roll_over_and_stay() {
        let policy = &body(json!({}))["policy"];
        let expected = json!({"hot": {"min_age": "0ms", "actions": {
            "rollover": {"max_age": "30d", "max_primary_shard_size": "50gb"}}}});
        assert_eq!(policy["phases"], expected);
        assert_eq!(policy["_meta"]["managed_by"], "trailship");
    }

    #[test]
    fn warm_and_delete_come_when_told() {
        let lifecycle = json!({"warm_after": "7d", "delete_after": "365d", "rollover": {"max_age": "1d", "max_primary_shard_size": "10GiB"}});
        let phases = &body(json!({"lifecycle": lifecycle}))["policy"]["phases"];
        let expected = json!({
            "hot": {"min_age": "0ms", "actions": {"rollover": {"max_age": "1d", "max_primary_shard_size": "10gb"}}},
            "warm": {"min_age": "7d", "actions": {"forcemerge": {"max_num_segments": 1}}},
            "delete": {"min_age": "365d", "actions": {"delete": {}}},
        });
        assert_eq!(*phases, expected);
    }

    #[test]
    fn a_file_takes_the_place_of_the_settings() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("policy.json");
        let phases = json!({"hot": {"actions": {"rollover": {"max_age": "2d"}}}});
        for written in [json!({"phases": phases}), json!({"policy": {"phases": phases, "_meta": {"owner": "me"}}})] {
            std::fs::write(&path, written.to_string()).unwrap();
            let policy = &body(json!({"ilm": {"policy_file": path, "policy_name": "mine"}}))["policy"];
            assert_eq!(policy["phases"], phases);
            assert_eq!(policy["_meta"]["managed_by"], "trailship");
            assert_eq!(policy["_meta"].get("owner").is_some(), written.get("policy").is_some());
        }
        for (written, complaint) in [("{", "EOF"), ("[]", "has no `phases`"), (r#"{"policy":1}"#, "has no `phases`")] {
            std::fs::write(&path, written).unwrap();
            let config = serde_json::from_value(json!({"ilm": {"policy_file": path}})).unwrap();
            let fault = policy(&config).unwrap_err().to_string();
            assert!(fault.contains(complaint) && fault.contains("policy.json"), "{fault}");
        }
    }
}
