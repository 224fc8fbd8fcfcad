//! `mapping.*`: what the operator decides about documents.

use crate::config::Malformed;
use crate::ecs;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct MappingConfig {
    #[serde(rename = "where")]
    place: Place,
    tags: Vec<String>,
    preserve_original_event: bool,
    actor_target_mapping: bool,
    retain: RetainMode,
    compat: CompatMode,
    complete_entity_groups: bool,
    session_user_name: bool,
}

impl Default for MappingConfig {
    fn default() -> MappingConfig {
        let tags = vec!["forwarded".to_owned(), "aws-cloudtrail".to_owned()];
        MappingConfig {
            place: Place::default(),
            tags,
            preserve_original_event: false,
            actor_target_mapping: false,
            retain: RetainMode::default(),
            compat: CompatMode::default(),
            complete_entity_groups: false,
            session_user_name: false,
        }
    }
}

impl MappingConfig {
    /// What the mapper needs. Documents are on their way to an index, so that they are repaired.
    pub(super) fn settings(&self, namespace: &str, agent: ecs::Agent) -> ecs::Settings {
        let CompatMode::Elastic89 = self.compat;
        ecs::Settings {
            tags: self.tags.clone(),
            preserve_original_event: self.preserve_original_event,
            actor_target_mapping: self.actor_target_mapping,
            retain: self.retain.get(),
            namespace: namespace.to_owned(),
            agent,
            compat: ecs::Compat {
                complete_entity_groups: self.complete_entity_groups,
                session_user_name: self.session_user_name,
            },
            repair: true,
            places: None,
            mapped_by: match self.place {
                Place::Client => ecs::MappedBy::Client,
                Place::Pipeline => ecs::MappedBy::Pipeline,
            },
            read_at: None,
        }
    }
}

/// `mapping.where`: where records become documents.
#[derive(Debug, Clone, Copy, Default, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
enum Place {
    #[default]
    Client,
    Pipeline,
}

/// `mapping.compat`: whose documents ours are like.
#[derive(Debug, Clone, Copy, Default, Deserialize, Serialize)]
enum CompatMode {
    /// Version 8.9 of Elastic's `aws` integration.
    #[default]
    #[serde(rename = "elastic-8.9")]
    Elastic89,
}

/// `mapping.retain`, as written.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(try_from = "String")]
struct RetainMode(String);

impl RetainMode {
    fn get(&self) -> ecs::Retain {
        ecs::Retain::parse(&self.0).unwrap_or_default()
    }
}

impl Default for RetainMode {
    fn default() -> RetainMode {
        RetainMode("all".to_owned())
    }
}

impl TryFrom<String> for RetainMode {
    type Error = Malformed;

    fn try_from(text: String) -> Result<RetainMode, Malformed> {
        if ecs::Retain::parse(&text).is_none() {
            return Err(Malformed::new(
                format!("`{text}` is not a mode of retaining payloads"),
                "write all, flattened, keyword, minimal or none",
            ));
        }
        Ok(RetainMode(text))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::{Value, json};

    fn settings(config: Value) -> ecs::Settings {
        let config: MappingConfig = serde_json::from_value(config).unwrap();
        config.settings("prod", ecs::Agent::default())
    }

    #[test]
    fn deviations_are_off_unless_named() {
        let plain = settings(json!({"compat": "elastic-8.9"}));
        assert_eq!(plain.compat, ecs::Compat::default());
        assert!(!plain.compat.complete_entity_groups && !plain.compat.session_user_name);
        assert_eq!((plain.namespace.as_str(), plain.repair), ("prod", true));
        assert_eq!(plain.mapped_by, ecs::MappedBy::Client);
        assert_eq!(settings(json!({"where": "pipeline"})).mapped_by, ecs::MappedBy::Pipeline);
        let one = settings(json!({"complete_entity_groups": true}));
        assert!(one.compat.complete_entity_groups && !one.compat.session_user_name);
        let other = settings(json!({"session_user_name": true}));
        assert!(!other.compat.complete_entity_groups && other.compat.session_user_name);
    }

    #[test]
    fn what_does_not_exist_is_refused() {
        for config in [
            json!({"compat": "elastic-7"}),
            json!({"where": "server"}),
            json!({"retain": "some"}),
            json!({"other": true}),
        ] {
            assert!(serde_json::from_value::<MappingConfig>(config).is_err());
        }
    }
}
