//! Detection rules: read from `rules/src/`, written for the import of Kibana's detection engine.
//!
//! | file | what it does |
//! |---|---|
//! | `attack` | names of the tactics and techniques that the sources give by number |
//! | `identity` | the identifier of a rule, made from its name in the sources |
//! | `ndjson` | rules as the file that Kibana imports |
//!
//! A source says what a rule asks of records (or of integrity findings) and what a person does when it fires; what is
//! the same for all rules is in `ndjson`. Left out: how rules are installed. Output is the same on every run.

mod attack;
mod identity;
mod ndjson;
#[cfg(test)]
mod validator;

use super::dashboards::Options;
use super::dashboards::model::DataView;
use super::kql;
use crate::config::{ConfigErrors, document};
use serde::{Deserialize, Serialize};

pub use attack::Tactic;
pub use identity::rule_id;
pub use ndjson::ndjson;

/// One rule, as its author says it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Name of the source without `.yml`; never changes, since the rule's identifier is made from it.
    pub id: String,
    /// Title in title case.
    pub name: String,
    /// What it means that the rule fires.
    pub description: String,
    /// What is searched; `integrity` for findings.
    #[serde(default)]
    pub data: DataView,
    /// KQL, without the clause about the dataset; `{approved_regions}` is put in by [`all`].
    pub query: String,
    /// Fires for many of the same, instead of for each.
    #[serde(default)]
    pub threshold: Option<Threshold>,
    pub severity: Severity,
    /// 0 to 100, in the band of the severity.
    pub risk_score: u8,
    /// Why somebody would do it, by MITRE ATT&CK.
    pub attack: Vec<Tactic>,
    /// Controls of the CIS AWS Foundations Benchmark 1.4 and later.
    #[serde(default)]
    pub cis: Vec<String>,
    /// Controls of the CIS AWS Foundations Benchmark 1.2.
    #[serde(default)]
    pub cis_1_2: Vec<String>,
    /// What to look at first.
    pub triage: Vec<String>,
    /// What else it may have been.
    pub false_positives: Vec<String>,
    /// What to do if it was none of these.
    pub response: Vec<String>,
    /// Pages of AWS about it.
    pub references: Vec<String>,
}

/// How many of the same make a rule fire.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Threshold {
    /// Fields whose values are the same; a document without one of them is not counted.
    pub by: Vec<String>,
    /// Documents.
    pub at_least: u32,
    /// Minutes that are looked back.
    pub within_minutes: u32,
}

/// How bad it is, in Kibana's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    Low,
    Medium,
    High,
    Critical,
}

impl Rule {
    /// The whole query: the clause about the dataset, and the rule's own.
    pub fn whole_query(&self) -> String {
        // In parentheses, since a query of the sources may be a choice.
        format!("data_stream.dataset: \"{}\" and (\n{}\n)", self.data.dataset(), self.query)
    }
}

/// All rules, in the order of their names in the sources.
#[expect(clippy::expect_used, reason = "the sources are part of the program and a test reads each")]
pub fn all(options: &Options) -> Vec<Rule> {
    let mut rules: Vec<Rule> =
        SOURCES.iter().map(|(id, text)| read(id, text).expect("a source that can be read")).collect();
    let regions = kql::any_of(&options.approved_regions);
    for rule in &mut rules {
        rule.query = rule.query.replace("{approved_regions}", &regions);
    }
    rules
}

/// Reads a source.
fn read(id: &str, text: &str) -> Result<Rule, ConfigErrors> {
    document(&format!("{id}.yml"), text)
}

macro_rules! sources {
    ($($id:literal)*) => {
        /// Names and texts of the sources.
        const SOURCES: &[(&str, &str)] = &[$(($id, include_str!(concat!("../../../rules/src/", $id, ".yml")))),*];
    };
}

sources! {
    "account-silent"
    "activity-in-non-approved-region"
    "aws-config-changes"
    "cloudtrail-configuration-changes"
    "cloudtrail-tampering"
    "console-sign-in-failure"
    "console-sign-in-without-mfa"
    "digest-chain-restarted"
    "digest-invalid"
    "digest-missing"
    "excessive-failed-console-sign-ins"
    "iam-policy-changes"
    "kms-key-disabled-or-deleted"
    "log-file-altered"
    "log-file-missing"
    "log-file-unlisted"
    "mass-deletion"
    "network-acl-changes"
    "network-gateway-changes"
    "organizations-changes"
    "root-activity"
    "route-table-changes"
    "s3-bucket-policy-changes"
    "security-group-changes"
    "unauthorized-api-calls"
    "vpc-changes"
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::*;
    use std::collections::BTreeSet;
    use std::path::Path;

    fn folder(name: &str) -> std::path::PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
    }

    #[test]
    fn every_source_can_be_read_and_has_its_own_name() {
        let mut kept: Vec<String> = std::fs::read_dir(folder("rules/src"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        kept.sort();
        let known: Vec<String> = SOURCES.iter().map(|(id, _)| format!("{id}.yml")).collect();
        assert_eq!(kept, known);
        for (id, text) in SOURCES {
            match read(id, text) {
                Ok(rule) => assert_eq!(rule.id, *id),
                Err(errors) => panic!("{errors}"),
            }
        }
    }

    #[test]
    fn the_file_kept_with_the_sources_is_what_is_made_of_them() {
        let kept = std::fs::read_to_string(folder("rules/trailship.ndjson")).unwrap_or_default();
        let made = ndjson(&all(&Options::default()));
        assert!(kept == made, "rules/trailship.ndjson is out of date: write it anew with `trailship export rules`");
    }

    #[test]
    fn every_control_of_the_benchmark_has_a_rule() {
        let rules = all(&Options::default());
        let covered: BTreeSet<&str> = rules.iter().flat_map(|rule| &rule.cis).map(String::as_str).collect();
        let before: BTreeSet<&str> = rules.iter().flat_map(|rule| &rule.cis_1_2).map(String::as_str).collect();
        for control in 1..=15 {
            assert!(covered.contains(format!("4.{control}").as_str()), "4.{control}");
        }
        for control in 1..=14 {
            assert!(before.contains(format!("3.{control}").as_str()), "3.{control}");
        }
    }

    #[test]
    fn regions_are_those_of_the_options() {
        let rule = |regions: &[&str]| {
            let options = Options { approved_regions: regions.iter().map(|region| (*region).to_owned()).collect() };
            all(&options).into_iter().find(|rule| rule.id == "activity-in-non-approved-region").unwrap()
        };
        let two = rule(&["eu-west-1", "us-east-2"]).query;
        assert!(two.contains(r#"not cloud.region: ("eu-west-1" or "us-east-2")"#), "{two}");
        assert!(rule(&[]).query.contains(r#"not cloud.region: ("")"#));
    }

    #[test]
    fn the_guide_of_the_documentation_has_every_rule() {
        let guide = std::fs::read_to_string(folder("docs/rules.md")).unwrap();
        for rule in all(&Options::default()) {
            let severity = serde_json::to_value(rule.severity).unwrap();
            let controls = if rule.cis.is_empty() { "-".to_owned() } else { rule.cis.join(", ") };
            let row = format!("| {} | {} | {controls} |", rule.name, severity.as_str().unwrap());
            assert!(guide.contains(&row), "docs/rules.md lacks the row `{row} ...`");
        }
    }
}
