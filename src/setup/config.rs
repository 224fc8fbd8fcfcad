//! Settings of section `setup`, with Beats' names and meanings where Beats has them.

use super::lifecycle::config::{IlmConfig, LifecycleConfig};
use super::names::{AssetName, IndexPattern};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Section `setup`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct SetupConfig {
    pub template: TemplateConfig,
    pub lifecycle: LifecycleConfig,
    pub ilm: IlmConfig,
    /// Whether a document that the index refuses goes into the data stream's failure store.
    pub failure_store: Switch,
}

/// Section `setup.template`.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct TemplateConfig {
    /// Whether `trailship setup` installs templates, and the policy that they name.
    pub enabled: bool,
    /// Name of the records' index template; the names of the others begin with it.
    pub name: AssetName,
    /// Data streams of records that get it; those of the other data sets follow from it.
    pub pattern: IndexPattern,
    /// Of several templates that fit, the highest priority counts; Fleet's have 200.
    pub priority: u32,
    /// Whether a template of the same name that somebody else made, or changed, is replaced. A template of a newer
    /// trailship never is.
    pub overwrite: bool,
    pub index_mode: IndexMode,
    pub storage: Storage,
    pub settings: TemplateSettings,
}

/// Section `setup.template.settings`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct TemplateSettings {
    /// Index settings, nested or dotted; they win over the built-in ones.
    pub index: Map<String, Value>,
}

/// How an index keeps its documents.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum IndexMode {
    #[default]
    Standard,
    /// Sorted by account and time, and packed more densely; `_source` stays as it was sent.
    Logsdb,
}

/// How much of the payloads is indexed. `_source` has all of it in any case.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Storage {
    /// As Elastic's `aws` integration does.
    #[default]
    Full,
    /// What detection rules need.
    Lean,
}

/// Yes, no, or where the server has it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Switch {
    #[default]
    Auto,
    True,
    False,
}

impl Default for TemplateConfig {
    fn default() -> Self {
        Self {
            enabled: true,
            name: AssetName::fixed("trailship-aws.cloudtrail"),
            pattern: IndexPattern::fixed("logs-aws.cloudtrail-*"),
            priority: 250,
            overwrite: false,
            index_mode: IndexMode::default(),
            storage: Storage::default(),
            settings: TemplateSettings::default(),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::lifecycle::config::Method;
    use super::*;
    use serde_json::json;

    #[test]
    fn defaults_and_beats_keys() {
        let read: SetupConfig = serde_json::from_value(json!({})).unwrap();
        assert_eq!(read, SetupConfig::default());
        let read: SetupConfig = serde_json::from_value(json!({"template": {
            "enabled": false, "name": "mine", "pattern": "logs-*", "priority": 120, "overwrite": true,
            "settings": {"index": {"number_of_shards": "2"}},
        }}))
        .unwrap();
        assert!(!read.template.enabled && read.template.overwrite);
        assert_eq!(read.template.name.as_str(), "mine");
        assert_eq!(read.template.pattern.as_str(), "logs-*");
        assert_eq!(read.template.priority, 120);
        assert_eq!(read.template.settings.index["number_of_shards"], "2");
    }

    fn from_overrides(overrides: &[&str]) -> Result<SetupConfig, String> {
        let overrides: Vec<String> = overrides.iter().map(|text| (*text).to_owned()).collect();
        let mut config = crate::config::load(&[], &overrides, &|_| None).map_err(|fault| fault.to_string())?;
        let setup = config.section("setup");
        config.finish().map_err(|fault| fault.to_string())?;
        Ok(setup)
    }

    #[test]
    fn dotted_index_settings_arrive_nested() {
        let read = from_overrides(&[
            "setup.template.settings.index.number_of_shards=3",
            "setup.template.settings.index.mapping.total_fields.limit=2000",
            "setup.template.priority=300",
        ])
        .unwrap();
        let expected = json!({"number_of_shards": 3, "mapping": {"total_fields": {"limit": 2000}}});
        assert_eq!(Value::Object(read.template.settings.index), expected);
        assert_eq!(read.template.priority, 300);
    }

    #[test]
    fn choices_are_read_as_people_write_them() {
        let read = from_overrides(&[
            "setup.template.index_mode=logsdb",
            "setup.template.storage=lean",
            "setup.failure_store=false",
            "setup.lifecycle.type=dsl",
            "setup.lifecycle.delete_after=400d",
            "setup.lifecycle.rollover.max_primary_shard_size=30GiB",
            "setup.ilm.enabled=auto",
            "setup.ilm.check_exists=false",
            "setup.ilm.policy_name=audit",
        ])
        .unwrap();
        assert_eq!((read.template.index_mode, read.template.storage), (IndexMode::Logsdb, Storage::Lean));
        assert_eq!((read.failure_store, read.lifecycle.method), (Switch::False, Method::Dsl));
        assert_eq!(read.lifecycle.delete_after.unwrap().as_secs(), 400 * 86_400);
        assert_eq!(read.lifecycle.rollover.max_primary_shard_size.bytes(), 30 << 30);
        assert_eq!((read.ilm.enabled, read.ilm.check_exists), (Switch::Auto, false));
        assert_eq!(read.ilm.policy_name.as_str(), "audit");
        for wrong in ["setup.lifecycle.type=ilms", "setup.lifecycle=ilm", "setup.template.storage=thin"] {
            assert!(from_overrides(&[wrong]).is_err(), "{wrong}");
        }
    }

    #[test]
    fn complaints_name_the_setting_and_what_to_write() {
        let fault = from_overrides(&["setup.template.name=My Template"]).unwrap_err();
        assert!(fault.contains("setup.template.name: `My Template` is not a name for a template"), "{fault}");
        assert!(fault.contains("hint: use lower-case letters"), "{fault}");
    }

    #[test]
    fn settings_that_are_no_index_settings_are_refused() {
        let source = json!({"template": {"settings": {"_source": {"enabled": false}}}});
        assert!(serde_json::from_value::<SetupConfig>(source).is_err());
    }
}
