//! The policy as OpenSearch's index state management takes it.
//!
//! It names the data streams itself, so nothing of it is in the templates; indices that are there already are not given
//! to it.

use super::policy::{Kind, Policy};
use super::{RolloverTerms, age};
use crate::setup::config::SetupConfig;
use crate::setup::datasets;
use serde_json::{Map, Value, json};

pub fn policy(config: &SetupConfig) -> Policy {
    let RolloverTerms { age: max_age, size } = RolloverTerms::of(&config.lifecycle);
    let rollover = json!({"rollover": {"min_index_age": max_age, "min_primary_shard_size": size}});
    let merge = json!({"force_merge": {"max_num_segments": 1}});
    let mut states = vec![("hot", None, rollover)];
    states.extend(config.lifecycle.warm_after.map(|after| ("warm", Some(after), merge)));
    states.extend(config.lifecycle.delete_after.map(|after| ("delete", Some(after), json!({"delete": {}}))));
    let mut written = Vec::new();
    let mut following = states.iter().skip(1);
    for (name, _, action) in &states {
        let transitions: Vec<Value> = following
            .next()
            .and_then(|(next, after, _)| {
                // Counted from rollover, as ILM counts.
                let condition = json!({"min_rollover_age": age((*after)?)});
                Some(json!({"state_name": next, "conditions": condition}))
            })
            .into_iter()
            .collect();
        written.push(json!({"name": name, "actions": [action], "transitions": transitions}));
    }
    let patterns = datasets::ALL.map(|data_set| data_set.beside(config.template.pattern.as_str()));
    let content = Map::from_iter([
        ("default_state".to_owned(), json!("hot")),
        ("states".to_owned(), Value::Array(written)),
        ("ism_template".to_owned(), json!([{"index_patterns": patterns, "priority": config.template.priority}])),
    ]);
    Policy::new(Kind::Ism, config.ilm.policy_name.as_str(), content)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn body(config: Value) -> Value {
        policy(&serde_json::from_value(config).unwrap()).body(1)["policy"].take()
    }

    #[test]
    fn by_default_indices_of_all_data_streams_roll_over_and_stay() {
        let policy = body(json!({}));
        let rollover = json!({"rollover": {"min_index_age": "30d", "min_primary_shard_size": "50gb"}});
        assert_eq!(policy["states"], json!([{"name": "hot", "actions": [rollover], "transitions": []}]));
        let patterns =
            ["logs-aws.cloudtrail-*", "logs-aws.cloudtrail_dead_letter-*", "logs-aws.cloudtrail_integrity-*"];
        assert_eq!(policy["ism_template"], json!([{"index_patterns": patterns, "priority": 250}]));
    }

    #[test]
    fn each_state_leads_to_the_next() {
        for (lifecycle, expected) in [
            (
                json!({"delete_after": "365d"}),
                json!([[{"state_name": "delete", "conditions": {"min_rollover_age": "365d"}}], []]),
            ),
            (
                json!({"warm_after": "7d", "delete_after": "365d"}),
                json!([
                    [{"state_name": "warm", "conditions": {"min_rollover_age": "7d"}}],
                    [{"state_name": "delete", "conditions": {"min_rollover_age": "365d"}}],
                    [],
                ]),
            ),
        ] {
            let policy = body(json!({"lifecycle": lifecycle}));
            let transitions: Vec<&Value> =
                policy["states"].as_array().unwrap().iter().map(|state| &state["transitions"]).collect();
            assert_eq!(json!(transitions), expected);
        }
    }
}
