//! Checks of queries: that they can be read, and that what they ask for can be there.

use super::{Check, fits, is_countable};
use crate::ecs::Kind;
use crate::kibana::dashboards::fields;
use crate::kibana::dashboards::model::DataView;
use crate::kibana::kql::{Node, Query, Value as Asked};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Actions of integrity findings.
const FINDINGS: &[&str] = &[
    "log_file_missing",
    "log_file_altered",
    "log_file_unlisted",
    "log_file_late",
    "digest_missing",
    "digest_altered",
    "digest_signature_invalid",
    "chain_broken",
    "chain_restarted",
    "account_silent",
];

/// Kinds of callers (AWS CloudTrail User Guide: userIdentity element).
const CALLERS: &[&str] = &[
    "Root",
    "IAMUser",
    "AssumedRole",
    "Role",
    "FederatedUser",
    "Directory",
    "AWSAccount",
    "AWSService",
    "IdentityCenterUser",
    "SAMLUser",
    "WebIdentityUser",
    "Unknown",
];

impl Check<'_> {
    pub(super) fn query(&mut self, data: DataView) {
        let text = self.text("query");
        self.must(!fits(r"\{[a-z_]+\}", &text), "query: a placeholder is left");
        let query = match Query::parse(&text) {
            Ok(query) => query,
            Err(fault) => return self.must(false, &format!("query: {fault}")),
        };
        let dataset = Node::Is(Some("data_stream.dataset".to_owned()), Asked::Phrase(data.dataset().to_owned()));
        let narrow = matches!(query.root(), Some(Node::And(nodes)) if nodes.contains(&dataset) && nodes.len() > 1);
        self.must(narrow, "query: does not ask for the dataset of its index and for something else");
        if let Some(root) = query.root() {
            self.node(root, data);
        }
        let mut needed: BTreeMap<String, Kind> = BTreeMap::new();
        for field in query.fields() {
            match declared(data, field) {
                Some((name, kind)) => {
                    needed.insert(name.to_owned(), kind);
                }
                None => self.must(false, &format!("query: there is no field `{field}`")),
            }
        }
        self.threshold(data, &mut needed);
        let expected: Vec<Value> = needed
            .iter()
            .map(|(name, kind)| {
                let own = ["aws.", "trailship."].iter().any(|own| name.starts_with(own));
                json!({"name": name, "type": kind.name(), "ecs": !own})
            })
            .collect();
        let listed = self.rule.get("required_fields").and_then(Value::as_array);
        self.must(listed == Some(&expected), "required_fields: not the fields that it asks about");
    }

    fn threshold(&mut self, data: DataView, needed: &mut BTreeMap<String, Kind>) {
        let Some(threshold) = self.rule.get("threshold") else { return };
        let by = threshold["field"].as_array().cloned().unwrap_or_default();
        // Kibana takes up to five.
        self.must((1..=5).contains(&by.len()), "threshold: not 1 to 5 fields");
        for field in &by {
            let field = field.as_str().unwrap_or_default();
            let kind = declared(data, field).filter(|(name, kind)| *name == field && is_countable(*kind));
            match kind {
                Some((name, kind)) => {
                    needed.insert(name.to_owned(), kind);
                }
                None => self.must(false, &format!("threshold: `{field}` cannot be counted by")),
            }
        }
        self.must(threshold["value"].as_u64().is_some_and(|value| value > 1), "threshold: value below 2");
        self.must(threshold["cardinality"].is_array(), "threshold: cardinality is no list");
    }

    fn node(&mut self, node: &Node, data: DataView) {
        match node {
            Node::And(nodes) | Node::Or(nodes) => nodes.iter().for_each(|node| self.node(node, data)),
            Node::Not(node) => self.node(node, data),
            Node::Is(Some(field), value) => self.value(field, value, data),
            Node::Is(None, _) => self.must(false, "query: a value without a field"),
            Node::Range(field, ..) => {
                let kind = declared(data, field).map(|(_, kind)| kind);
                self.must(matches!(kind, Some(Kind::Long | Kind::Date)), &format!("query: `{field}` has no range"));
            }
        }
    }

    /// A value that the field can have.
    fn value(&mut self, field: &str, value: &Asked, data: DataView) {
        let kind = declared(data, field).map(|(_, kind)| kind);
        let fault = match value {
            Asked::Any => None,
            Asked::Flag(_) if kind != Some(Kind::Boolean) => Some("is not true or false: put the word in quotes"),
            Asked::Flag(_) => None,
            Asked::Text(_) => Some("is asked for a text without quotes"),
            Asked::Wildcard(_) if kind != Some(Kind::Keyword) => Some("takes no wildcards"),
            Asked::Wildcard(_) => None,
            Asked::Phrase(_) if kind == Some(Kind::Boolean) => Some("is true or false, without quotes"),
            Asked::Phrase(text) => (!can_be(field, text, data)).then_some("never has this value"),
        };
        if let Some(fault) = fault {
            self.must(false, &format!("query: `{field}` {fault}"));
        }
    }
}

fn can_be(field: &str, text: &str, data: DataView) -> bool {
    match (field, data) {
        ("event.outcome", _) => matches!(text, "success" | "failure" | "unknown"),
        ("event.kind", DataView::Integrity) => matches!(text, "alert" | "metric"),
        ("event.action", DataView::Integrity) => FINDINGS.contains(&text),
        ("event.action", _) => fits("^[A-Z][A-Za-z0-9]+$", text),
        ("event.provider", _) => fits(r"^[a-z0-9-]+\.amazonaws\.com$", text),
        ("aws.cloudtrail.user_identity.type", _) => CALLERS.contains(&text),
        ("cloud.region", _) => fits("^[a-z]{2}(-[a-z]+)+-[0-9]$", text),
        _ => !text.is_empty(),
    }
}

/// The declared field that a name means, with its type: itself, or the flattened one that it is a part of.
fn declared(data: DataView, name: &str) -> Option<(&str, Kind)> {
    if let Some(kind) = fields::kind(data, name) {
        return Some((name, kind));
    }
    let mut parent = name;
    while let Some((shorter, _)) = parent.rsplit_once('.') {
        parent = shorter;
        if fields::kind(data, parent) == Some(Kind::Flattened) {
            return Some((parent, Kind::Flattened));
        }
    }
    None
}
