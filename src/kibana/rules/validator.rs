//! What a file of rules must be, checked on its text alone: stricter than Kibana's import, which takes rules that never
//! fire. It knows nothing of how the file is made; each check is tried on a file that breaks it (`mutations`).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod mutations;
mod queries;

use crate::ecs::Kind;
use crate::kibana::dashboards::Options;
use crate::kibana::dashboards::model::DataView;
use regex::Regex;
use serde_json::{Map, Value};
use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};

/// Keys of every rule; a rule of type `threshold` has that key too.
const KEYS: &str = "rule_id name description type enabled version author license severity severity_mapping risk_score \
    risk_score_mapping index language query filters timestamp_override interval from to max_signals tags threat \
    false_positives references setup note required_fields related_integrations exceptions_list actions";

const LISTS: [&str; 6] =
    ["severity_mapping", "risk_score_mapping", "filters", "related_integrations", "exceptions_list", "actions"];

#[test]
fn the_rules_are_valid() {
    let text = super::ndjson(&super::all(&Options::default()));
    let faults = faults(&text);
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert!(text.lines().count() >= 20);
}

/// Everything that is wrong with a file, each with the name of the rule.
fn faults(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut seen = BTreeSet::new();
    for (place, line) in text.lines().enumerate() {
        let Ok(Value::Object(rule)) = serde_json::from_str::<Value>(line) else {
            found.push(format!("line {}: no JSON object", place + 1));
            continue;
        };
        let name = text_of(&rule, "name").to_owned();
        let mut check = Check { rule: &rule, found: Vec::new() };
        check.all();
        for unique in ["rule_id", "name", "query"] {
            check.must(
                seen.insert((unique, rule.get(unique).map(Value::to_string))),
                &format!("{unique}: another rule has the same"),
            );
        }
        found.extend(check.found.into_iter().map(|fault| format!("`{name}`: {fault}")));
    }
    if !text.ends_with('\n') {
        found.push("the last line has no end".to_owned());
    }
    found
}

fn text_of<'a>(rule: &'a Map<String, Value>, key: &str) -> &'a str {
    rule.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// Patterns are few and asked often, and making one is slow in a build for tests.
fn fits(pattern: &str, text: &str) -> bool {
    thread_local! {
        static MADE: RefCell<HashMap<String, Regex>> = RefCell::default();
    }
    MADE.with_borrow_mut(|made| {
        made.entry(pattern.to_owned()).or_insert_with(|| Regex::new(pattern).unwrap()).is_match(text)
    })
}

struct Check<'a> {
    rule: &'a Map<String, Value>,
    found: Vec<String>,
}

impl Check<'_> {
    fn must(&mut self, holds: bool, fault: &str) {
        if !holds {
            self.found.push(fault.to_owned());
        }
    }

    fn text(&self, key: &str) -> String {
        text_of(self.rule, key).to_owned()
    }

    fn texts(&mut self, key: &str) -> Vec<String> {
        let items = self.rule.get(key).and_then(Value::as_array).cloned().unwrap_or_default();
        let texts: Vec<String> = items.iter().filter_map(Value::as_str).map(str::to_owned).collect();
        self.must(!texts.is_empty() && texts.len() == items.len(), &format!("{key}: no list of texts"));
        self.must(texts.iter().all(|text| is_written(text)), &format!("{key}: a text is empty or unfinished"));
        self.must(texts.iter().collect::<BTreeSet<_>>().len() == texts.len(), &format!("{key}: one is there twice"));
        texts
    }

    fn all(&mut self) {
        self.keys();
        self.words();
        self.severity();
        self.schedule();
        self.threat();
        self.links();
        if let Some(data) = self.index() {
            self.query(data);
        }
    }

    fn keys(&mut self) {
        let rule = self.rule;
        for key in KEYS.split_whitespace() {
            self.must(rule.contains_key(key), &format!("{key}: missing"));
        }
        for key in rule.keys() {
            let known = KEYS.split_whitespace().any(|known| known == key) || key == "threshold";
            self.must(known, &format!("{key}: not a key of rules"));
        }
        for key in LISTS {
            self.must(rule.get(key).is_some_and(Value::is_array), &format!("{key}: no list"));
        }
        let id = self.text("rule_id");
        let uuid = "^[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$";
        self.must(fits(uuid, &id), "rule_id: no lower-case UUID of version 5");
        self.must(rule.get("enabled") == Some(&Value::Bool(false)), "enabled: must be false");
        self.must(rule.get("version").and_then(Value::as_u64).is_some_and(|version| version > 0), "version: below 1");
        let kind = self.text("type");
        self.must(matches!(kind.as_str(), "query" | "threshold"), "type: neither query nor threshold");
        self.must((kind == "threshold") == rule.contains_key("threshold"), "threshold: only with that type");
        self.must(self.text("language") == "kuery", "language: not kuery");
        self.must(self.text("license") == "Apache-2.0", "license: not the project's");
        let signals = rule.get("max_signals").and_then(Value::as_u64);
        self.must(signals.is_some_and(|signals| (1..=1000).contains(&signals)), "max_signals: not 1 to 1000");
    }

    fn words(&mut self) {
        let name = self.text("name");
        self.must(is_title(&name), "name: not in title case");
        let description = self.text("description");
        self.must(description.len() >= 40 && is_written(&description), "description: too short or unfinished");
        self.must(description.ends_with('.'), "description: does not end with a full stop");
        self.must(is_written(&self.text("setup")), "setup: empty");
        let authors = self.texts("author");
        self.must(authors == ["trailship"], "author: not the project");
        self.texts("false_positives");
        let tags = self.texts("tags");
        self.must(tags.first().is_some_and(|tag| tag == "trailship"), "tags: the first is not trailship");
        let controls = tags.iter().filter(|tag| tag.starts_with("CIS")).collect::<Vec<_>>();
        let control = r"^CIS AWS (1\.2\.0 )?[1-5]\.[0-9]{1,2}$";
        self.must(controls.iter().all(|tag| fits(control, tag)), "tags: no control of the benchmark");
        let note = self.text("note");
        let parts: Vec<&str> = note.split("## ").skip(1).collect();
        let titles: Vec<&str> = parts.iter().filter_map(|part| part.lines().next()).collect();
        self.must(titles == ["Triage", "False positives", "Response"], "note: not the three parts");
        self.must(parts.iter().all(|part| part.contains("\n- ")), "note: a part has no points");
        self.must(is_written(&note), "note: unfinished");
    }

    fn severity(&mut self) {
        let band = match self.text("severity").as_str() {
            "low" => 0..=21,
            "medium" => 22..=47,
            "high" => 48..=73,
            "critical" => 74..=100,
            _ => return self.must(false, "severity: none of the four"),
        };
        let risk = self.rule.get("risk_score").and_then(Value::as_u64);
        self.must(risk.is_some_and(|risk| band.contains(&risk)), "risk_score: not in the band of the severity");
    }

    fn schedule(&mut self) {
        let minutes = |text: &str| text.strip_suffix('m').and_then(|number| number.parse::<u32>().ok());
        let interval = minutes(&self.text("interval"));
        let from = self.text("from").strip_prefix("now-").and_then(minutes);
        self.must(interval.is_some_and(|interval| interval > 0), "interval: not in minutes");
        self.must(from.is_some(), "from: not minutes before now");
        self.must(from > interval, "from: looks back less than an interval");
        self.must(self.text("to") == "now", "to: not now");
        self.must(self.text("timestamp_override") == "event.ingested", "timestamp_override: not event.ingested");
    }

    fn threat(&mut self) {
        let threats = self.rule.get("threat").and_then(Value::as_array).cloned().unwrap_or_default();
        self.must(!threats.is_empty(), "threat: empty");
        let mut tactics = BTreeSet::new();
        for threat in &threats {
            self.must(threat["framework"] == "MITRE ATT&CK", "threat: not of ATT&CK");
            self.numbered(&threat["tactic"], "^TA[0-9]{4}$", "tactics");
            self.must(tactics.insert(threat["tactic"]["id"].to_string()), "threat: a tactic is there twice");
            let techniques = threat["technique"].as_array().cloned().unwrap_or_default();
            self.must(!techniques.is_empty(), "threat: a tactic without a technique");
            for technique in &techniques {
                self.numbered(technique, "^T[0-9]{4}$", "techniques");
                let parent = technique["id"].as_str().unwrap_or_default();
                let pattern = format!("^{parent}\\.[0-9]{{3}}$");
                self.must(technique["subtechnique"].is_array(), "threat: subtechnique is no list");
                for sub in technique["subtechnique"].as_array().into_iter().flatten() {
                    self.numbered(sub, &pattern, "techniques");
                }
            }
        }
    }

    fn numbered(&mut self, of: &Value, pattern: &str, page: &str) {
        let id = of["id"].as_str().unwrap_or_default();
        self.must(fits(pattern, id), &format!("threat: `{id}` is no number of {page}"));
        self.must(of["name"].as_str().is_some_and(is_written), &format!("threat: `{id}` has no name"));
        let address = format!("https://attack.mitre.org/{page}/{}/", id.replace('.', "/"));
        self.must(of["reference"] == address, &format!("threat: `{id}` leads elsewhere"));
    }

    fn links(&mut self) {
        let page = r"^https://docs\.aws\.amazon\.com/[A-Za-z0-9/_-]+\.html$";
        let links = self.texts("references");
        self.must(links.iter().all(|link| fits(page, link)), "references: not a page of AWS's documentation");
    }

    /// What is searched, if it can be told.
    fn index(&mut self) -> Option<DataView> {
        self.must(!self.rule.contains_key("data_view_id"), "data_view_id: not beside index");
        let index = self.texts("index");
        let data = DataView::ALL.into_iter().find(|data| index == [data.pattern()]);
        self.must(data.is_some(), "index: not one of our streams");
        data
    }
}

/// A text that somebody has written to the end.
fn is_written(text: &str) -> bool {
    !text.trim().is_empty()
        && text.trim_end_matches('\n') == text.trim()
        && !fits(r"TODO|FIXME|XXX|\{[a-z_]+\}|  ", text)
}

/// Words with capitals, besides the small ones inside.
fn is_title(name: &str) -> bool {
    let small = ["a", "an", "and", "for", "in", "no", "of", "or", "the", "to", "without"];
    let mut words = name.split(' ').enumerate().peekable();
    let mut holds = (5..=80).contains(&name.len()) && !name.ends_with('.');
    while let Some((place, word)) = words.next() {
        let inside = place > 0 && words.peek().is_some();
        let capital = word.split('-').all(|part| part.starts_with(|first: char| first.is_ascii_uppercase()));
        holds &= capital || (inside && small.contains(&word));
    }
    holds
}

/// Whether values of a field can be counted each for itself.
fn is_countable(kind: Kind) -> bool {
    matches!(kind, Kind::Keyword | Kind::Ip | Kind::Long | Kind::Boolean)
}
