//! Rules as Kibana's detection engine imports them: one JSON object a line (Kibana: Import detection rules).
//!
//! What holds for all rules is here: they are imported disabled, so that nobody gets alerts without asking; they go by
//! the time at which documents were made, since CloudTrail delivers minutes after the event; they look back further
//! than they are apart, so that a late bulk is seen (the engine makes one alert of a document that is found twice).

use super::attack::threat;
use super::identity::rule_id;
use super::{Rule, Severity};
use crate::ecs::Kind;
use crate::kibana::dashboards::fields;
use crate::kibana::dashboards::model::DataView;
use crate::kibana::kql::Query;
use serde::Serialize;
use serde_json::Value;
use std::fmt::Write;

/// Every rule on a line of its own, for `POST /api/detection_engine/rules/_import`.
pub fn ndjson(rules: &[Rule]) -> String {
    let mut text = String::new();
    for rule in rules {
        // A line is texts, numbers and lists: that can always be written.
        text.push_str(&serde_json::to_string(&Line::of(rule)).unwrap_or_default());
        text.push('\n');
    }
    text
}

/// A rule in the words of the import, in the order in which Kibana's own exports have them.
#[derive(Serialize)]
struct Line<'a> {
    rule_id: String,
    name: &'a str,
    description: &'a str,
    #[serde(rename = "type")]
    kind: &'static str,
    enabled: bool,
    version: u32,
    author: [&'static str; 1],
    license: &'static str,
    severity: Severity,
    severity_mapping: [Value; 0],
    risk_score: u8,
    risk_score_mapping: [Value; 0],
    index: [String; 1],
    language: &'static str,
    query: String,
    filters: [Value; 0],
    #[serde(skip_serializing_if = "Option::is_none")]
    threshold: Option<Limit<'a>>,
    timestamp_override: &'static str,
    interval: &'static str,
    from: String,
    to: &'static str,
    max_signals: u32,
    tags: Vec<String>,
    threat: Vec<Value>,
    false_positives: &'a [String],
    references: &'a [String],
    setup: &'static str,
    note: String,
    required_fields: Vec<RequiredField>,
    /// Empty on purpose: the documents do not come from one of Fleet's integrations.
    related_integrations: [Value; 0],
    exceptions_list: [Value; 0],
    actions: [Value; 0],
}

#[derive(Serialize)]
struct Limit<'a> {
    field: &'a [String],
    value: u32,
    cardinality: [Value; 0],
}

#[derive(Serialize)]
struct RequiredField {
    name: String,
    #[serde(rename = "type")]
    kind: &'static str,
    /// Whether it is a field of ECS, and not one of CloudTrail's or ours.
    ecs: bool,
}

/// Minutes that a rule without a threshold looks back; it runs every 5.
const LOOK_BACK: u32 = 20;

impl<'a> Line<'a> {
    fn of(rule: &'a Rule) -> Self {
        let look_back = rule.threshold.as_ref().map_or(LOOK_BACK, |threshold| threshold.within_minutes);
        Self {
            rule_id: rule_id(&rule.id),
            name: &rule.name,
            description: &rule.description,
            kind: if rule.threshold.is_some() { "threshold" } else { "query" },
            enabled: false,
            version: 1,
            author: ["trailship"],
            license: "Apache-2.0",
            severity: rule.severity,
            severity_mapping: [],
            risk_score: rule.risk_score,
            risk_score_mapping: [],
            index: [rule.data.pattern()],
            language: "kuery",
            query: rule.whole_query(),
            filters: [],
            threshold: rule.threshold.as_ref().map(|threshold| Limit {
                field: &threshold.by,
                value: threshold.at_least,
                cardinality: [],
            }),
            timestamp_override: "event.ingested",
            interval: "5m",
            from: format!("now-{look_back}m"),
            to: "now",
            max_signals: 100,
            tags: tags(rule),
            threat: rule.attack.iter().map(threat).collect(),
            false_positives: &rule.false_positives,
            references: &rule.references,
            setup: setup(rule.data),
            note: note(rule),
            required_fields: required_fields(rule),
            related_integrations: [],
            exceptions_list: [],
            actions: [],
        }
    }
}

fn tags(rule: &Rule) -> Vec<String> {
    let mut tags: Vec<String> = ["trailship", "AWS", "CloudTrail"].map(str::to_owned).to_vec();
    tags.extend((rule.data == DataView::Integrity).then(|| "Integrity".to_owned()));
    tags.extend(rule.cis.iter().map(|control| format!("CIS AWS {control}")));
    tags.extend(rule.cis_1_2.iter().map(|control| format!("CIS AWS 1.2.0 {control}")));
    tags
}

fn setup(data: DataView) -> &'static str {
    match data {
        DataView::Integrity => {
            "Needs the findings that trailship writes to `logs-aws.cloudtrail_integrity-*` when it checks digest files."
        }
        DataView::Cloudtrail | DataView::DeadLetter => {
            "Needs CloudTrail records that trailship ships to `logs-aws.cloudtrail-*`."
        }
    }
}

/// The investigation guide, in Markdown.
fn note(rule: &Rule) -> String {
    let mut note = String::new();
    let parts = [("Triage", &rule.triage), ("False positives", &rule.false_positives), ("Response", &rule.response)];
    for (title, points) in parts {
        let gap = if note.is_empty() { "" } else { "\n" };
        let _ = writeln!(note, "{gap}## {title}\n");
        for point in points {
            let _ = writeln!(note, "- {point}");
        }
    }
    note
}

/// The fields that the rule asks about, with their types in the index; parts of a flattened field as that field.
fn required_fields(rule: &Rule) -> Vec<RequiredField> {
    let query = Query::parse(&rule.whole_query());
    let asked = query.iter().flat_map(Query::fields);
    let counted = rule.threshold.iter().flat_map(|threshold| &threshold.by).map(String::as_str);
    let mut required: Vec<RequiredField> =
        asked.chain(counted).filter_map(|name| required_field(rule.data, name)).collect();
    required.sort_by(|one, other| one.name.cmp(&other.name));
    required.dedup_by(|one, other| one.name == other.name);
    required
}

fn required_field(data: DataView, name: &str) -> Option<RequiredField> {
    let whole = fields::kind(data, name).map(|kind| (name, kind));
    let (name, kind) = whole.or_else(|| {
        let ends = name.rmatch_indices('.').map(|(end, _)| &name[..end]);
        let flattened = ends.filter(|parent| fields::kind(data, parent) == Some(Kind::Flattened));
        flattened.map(|parent| (parent, Kind::Flattened)).next()
    })?;
    let ecs = !name.starts_with("aws.") && !name.starts_with("trailship.");
    Some(RequiredField { name: name.to_owned(), kind: kind.name(), ecs })
}
