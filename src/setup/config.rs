//! Settings of section `setup`, with Beats' names and meanings. Leaves out what `setup` installs elsewhere: policies,
//! dashboards.

use crate::config::Malformed;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Section `setup`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct SetupConfig {
    pub template: TemplateConfig,
}

/// Section `setup.template`.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct TemplateConfig {
    /// Whether `trailship setup` installs templates.
    pub enabled: bool,
    /// Name of the index template; the component templates' names begin with it.
    pub name: TemplateName,
    /// Data streams that get it.
    pub pattern: IndexPattern,
    /// Of several templates that fit, the highest priority counts; Fleet's have 200.
    pub priority: u32,
    /// Whether a template of the same name that somebody else made, or changed, is replaced. A template of a newer
    /// trailship never is.
    pub overwrite: bool,
    pub settings: TemplateSettings,
}

/// Section `setup.template.settings`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct TemplateSettings {
    /// Index settings, nested or dotted; they win over the built-in ones.
    pub index: Map<String, Value>,
}

impl Default for TemplateConfig {
    fn default() -> Self {
        Self {
            enabled: true,
            name: TemplateName("trailship-aws.cloudtrail".to_owned()),
            pattern: IndexPattern("logs-aws.cloudtrail-*".to_owned()),
            priority: 250,
            overwrite: false,
            settings: TemplateSettings::default(),
        }
    }
}

/// Name of an index template, in characters that need no escaping in a URL.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct TemplateName(String);

impl TemplateName {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for TemplateName {
    type Error = Malformed;

    fn try_from(text: String) -> Result<Self, Malformed> {
        let starts_well = text.starts_with(|first: char| first.is_ascii_alphanumeric());
        if starts_well && text.chars().all(is_plain) {
            return Ok(Self(text));
        }
        Err(Malformed::new(
            format!("`{text}` is not a name for a template"),
            "use lower-case letters, digits, `.`, `_` and `-`, beginning with a letter or digit",
        ))
    }
}

impl From<TemplateName> for String {
    fn from(name: TemplateName) -> String {
        name.0
    }
}

/// Names of data streams, with `*` for any characters.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct IndexPattern(String);

impl IndexPattern {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for IndexPattern {
    type Error = Malformed;

    fn try_from(text: String) -> Result<Self, Malformed> {
        let starts_well = text.starts_with(|first: char| first.is_ascii_alphanumeric());
        if starts_well && text.chars().all(|c| c == '*' || is_plain(c)) {
            return Ok(Self(text));
        }
        Err(Malformed::new(
            format!("`{text}` is not a pattern of data streams"),
            "write it like `logs-aws.cloudtrail-*`: lower-case letters, digits, `.`, `_`, `-` and `*`, beginning with a letter or digit",
        ))
    }
}

impl From<IndexPattern> for String {
    fn from(pattern: IndexPattern) -> String {
        pattern.0
    }
}

fn is_plain(c: char) -> bool {
    matches!(c, 'a'..='z' | '0'..='9' | '.' | '_' | '-')
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
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

    #[test]
    fn names_and_patterns_that_no_server_takes_are_refused() {
        for name in ["", "Upper", "_hidden", "a b", "a/b", "a*", "a,b", "a@custom", "../x"] {
            assert!(TemplateName::try_from(name.to_owned()).is_err(), "{name}");
        }
        for pattern in ["", "*", "_x", "Logs-*", "logs aws", "logs,aws", "logs/../x"] {
            assert!(IndexPattern::try_from(pattern.to_owned()).is_err(), "{pattern}");
        }
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
