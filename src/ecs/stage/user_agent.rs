//! User agents (ECS mapping 7.4): the uap-core rules as Elasticsearch's `user_agent` processor applies them.
//!
//! Its peculiarities, for which replacements are rewritten when the rules are loaded: in the name of a system or device only the first
//! `$1` is replaced, every other `$n`, and any in a version, stays as it is written.

use crate::ecs::doc::Doc;
use crate::ecs::settings::json_string;
use crate::ecs::source::{self as s, Record};
use crate::ecs::table as f;
use saphyr_parser::{Event, Parser};
use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{Arc, LazyLock};
use ua_parser::{Extractor, device, os, user_agent};

/// Agents that a mapper remembers; a trail has a few hundred.
const REMEMBERED: usize = 2048;
/// Longest agent that is remembered, in bytes; CloudTrail cuts them at 1 KB.
const LONGEST_REMEMBERED: usize = 1024;
/// Longest agent that is looked at whole, in bytes.
const LONGEST: usize = 8192;

/// The rules; loading takes a tenth of a second.
static RULES: LazyLock<Option<Extractor<'static>>> = LazyLock::new(|| load(include_str!("../data/regexes.yaml")));

/// Loads the rules now instead of with the first user agent.
pub fn preload() {
    LazyLock::force(&RULES);
}

/// What a mapper remembers of the agents that it has seen.
#[derive(Default)]
pub struct Agents(HashMap<Box<str>, Arc<Agent>>);

/// JSON texts of the fields; empty ones are left out.
#[derive(Debug, Default, PartialEq, Eq)]
struct Agent {
    name: String,
    version: String,
    device: String,
    os_name: String,
    os_version: String,
    os_full: String,
}

pub fn apply(record: Record<'_>, doc: &mut Doc, agents: &mut Agents) {
    let Some(value) = record.value(s::USER_AGENT) else { return };
    let Some(text) = value.as_str() else {
        doc.fault("`userAgent` is not a string");
        return;
    };
    doc.value(f::USER_AGENT_ORIGINAL, value);
    let agent = agents.look_up(text);
    for (field, json) in [
        (f::USER_AGENT_NAME, &agent.name),
        (f::USER_AGENT_VERSION, &agent.version),
        (f::USER_AGENT_DEVICE_NAME, &agent.device),
        (f::USER_AGENT_OS_NAME, &agent.os_name),
        (f::USER_AGENT_OS_VERSION, &agent.os_version),
        (f::USER_AGENT_OS_FULL, &agent.os_full),
    ] {
        if !json.is_empty() {
            doc.make(field, |out| out.extend_from_slice(json.as_bytes()));
        }
    }
}

impl Agents {
    fn look_up(&mut self, text: &str) -> Arc<Agent> {
        if let Some(agent) = self.0.get(text) {
            return Arc::clone(agent);
        }
        let agent = Arc::new(Agent::of(text));
        if text.len() <= LONGEST_REMEMBERED {
            if self.0.len() == REMEMBERED {
                self.0.clear();
            }
            self.0.insert(text.into(), Arc::clone(&agent));
        }
        agent
    }
}

impl Agent {
    fn of(text: &str) -> Agent {
        let text = text.get(..text.floor_char_boundary(LONGEST)).unwrap_or_default();
        let (agent, system, device) = RULES.as_ref().map_or((None, None, None), |rules| rules.extract(text));
        let quoted = |text: &str| if text.is_empty() { String::new() } else { json_string(text) };
        let mut fields = Agent { name: quoted("Other"), device: quoted("Other"), ..Agent::default() };
        if let Some(agent) = agent {
            fields.name = quoted(&agent.family);
            fields.version = quoted(&version([agent.major, agent.minor, agent.patch, agent.patch_minor]));
        }
        if let Some(device) = device {
            fields.device = quoted(&device.device);
        }
        if let Some(system) = system.filter(|system| !system.os.is_empty()) {
            let version = version([
                system.major.as_deref(),
                system.minor.as_deref(),
                system.patch.as_deref(),
                system.patch_minor.as_deref(),
            ]);
            fields.os_name = quoted(&system.os);
            if !version.is_empty() {
                fields.os_full = quoted(&format!("{} {version}", system.os));
                fields.os_version = quoted(&version);
            }
        }
        fields
    }
}

/// The parts up to the first that is missing, with dots between.
fn version(parts: [Option<&str>; 4]) -> String {
    let known: Vec<&str> = parts.into_iter().map_while(|part| part.filter(|part| !part.is_empty())).collect();
    known.join(".")
}

/// Reads the rules; none if they are not what they should be, which a test excludes.
fn load(yaml: &'static str) -> Option<Extractor<'static>> {
    let (mut agents, mut systems, mut devices) =
        (user_agent::Builder::new(), os::Builder::new(), device::Builder::new());
    for (list, mut rule) in rules(yaml)? {
        let regex = Cow::Owned(keep_distance(rule.remove("regex")?.into_owned()));
        let mut text = |key: &str| rule.remove(key);
        match list.as_ref() {
            "user_agent_parsers" => {
                agents = agents
                    .push(user_agent::Parser {
                        regex,
                        family_replacement: text("family_replacement"),
                        v1_replacement: text("v1_replacement"),
                        v2_replacement: text("v2_replacement"),
                        v3_replacement: text("v3_replacement"),
                        v4_replacement: text("v4_replacement"),
                    })
                    .ok()?;
            }
            "os_parsers" => {
                systems = systems
                    .push(os::Parser {
                        regex,
                        os_replacement: text("os_replacement").map(first_group_only),
                        os_v1_replacement: text("os_v1_replacement").map(literal),
                        os_v2_replacement: text("os_v2_replacement").map(literal),
                        os_v3_replacement: text("os_v3_replacement").map(literal),
                        os_v4_replacement: text("os_v4_replacement").map(literal),
                    })
                    .ok()?;
            }
            "device_parsers" => {
                devices = devices
                    .push(device::Parser {
                        regex,
                        regex_flag: text("regex_flag").map(|_| device::Flag::IgnoreCase),
                        device_replacement: text("device_replacement").map(first_group_only),
                        brand_replacement: None,
                        model_replacement: None,
                    })
                    .ok()?;
            }
            _ => return None,
        }
    }
    Some(Extractor { ua: agents.build().ok()?, os: systems.build().ok()?, dev: devices.build().ok()? })
}

type Rule<'y> = HashMap<Cow<'y, str>, Cow<'y, str>>;

/// The file's three lists of rules, each rule with the name of its list.
fn rules(yaml: &str) -> Option<Vec<(Cow<'_, str>, Rule<'_>)>> {
    let (mut rules, mut depth) = (Vec::new(), 0);
    let (mut list, mut rule, mut key) = (Cow::Borrowed(""), Rule::new(), None);
    for event in Parser::new_from_str(yaml) {
        match event.ok()?.0 {
            Event::MappingStart(..) => depth += 1,
            Event::MappingEnd => {
                if depth == 2 {
                    rules.push((list.clone(), std::mem::take(&mut rule)));
                }
                depth -= 1;
            }
            Event::Scalar(text, ..) if depth == 1 => list = text,
            Event::Scalar(text, ..) => match key.take() {
                None => key = Some(text),
                Some(key) => {
                    rule.insert(key, text);
                }
            },
            _ => {}
        }
    }
    Some(rules)
}

/// `ua-parser` takes long bounded repetitions for unbounded ones. Where one says how far into the text a word is
/// looked for this would find more than Elasticsearch does; a leading zero keeps the bound.
fn keep_distance(regex: String) -> String {
    if regex.starts_with("^.{0,") { regex.replacen("{0,", "{00,", 1) } else { regex }
}

/// A replacement of which only the first `$1` is a group.
fn first_group_only(text: Cow<'_, str>) -> Cow<'_, str> {
    match text.split_once("$1") {
        Some((before, after)) => Cow::Owned(format!("{}$1{}", before.replace('$', "$$"), after.replace('$', "$$"))),
        None => literal(text),
    }
}

/// A replacement without groups.
fn literal(text: Cow<'_, str>) -> Cow<'_, str> {
    if text.contains('$') { Cow::Owned(text.replace('$', "$$")) } else { text }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::ecs::stage::tests::{document, is_fault};
    use serde_json::{Value, json};

    fn agent(text: &str) -> Value {
        document(&json!({"userAgent": text}))["user_agent"].take()
    }

    #[test]
    fn every_rule_of_the_file_is_read() {
        let yaml = include_str!("../data/regexes.yaml");
        assert_eq!(
            rules(yaml).unwrap().len(),
            yaml.lines().filter(|line| line.trim_start().starts_with("- regex:")).count()
        );
        assert!(RULES.is_some());
    }

    #[test]
    fn the_examples_of_the_specification() {
        for (text, name, version, os) in [
            ("signin.amazonaws.com", "Other", json!(null), json!(null)),
            (
                "aws-cli/2.18.17 md/awscrt#0.22.0 ua/2.0 os/linux#6.8.0 md/arch#x86_64",
                "aws-cli",
                json!("2.18.17"),
                json!("Linux"),
            ),
            ("[aws-cli/2.17.60 md/x]", "aws-cli", json!("2.17.60"), json!(null)),
            ("Go-http-client/1.1", "Go-http-client", json!("1.1"), json!(null)),
        ] {
            let agent = agent(text);
            assert_eq!(agent["original"], text);
            assert_eq!(
                (&agent["name"], &agent["version"], &agent["os"]["name"]),
                (&json!(name), &version, &os),
                "{text}"
            );
            assert_eq!(agent["device"]["name"], "Other");
        }
        assert_eq!(agent("Boto3/1.9.1 Python/2.7.14 Linux/4.9 Botocore/1.12.1")["device"]["name"], "Spider");
    }

    #[test]
    fn a_browser_has_system_and_version() {
        let agent = agent(
            "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/124.0.0.0 Safari/537.36",
        );
        assert_eq!(
            (&agent["name"], &agent["version"], &agent["device"]["name"]),
            (&json!("Chrome"), &json!("124.0.0.0"), &json!("Mac"))
        );
        assert_eq!(agent["os"], json!({"name": "Mac OS X", "version": "10.15.7", "full": "Mac OS X 10.15.7"}));
    }

    #[test]
    fn a_system_without_version_has_no_full_name() {
        assert_eq!(agent("aws-cli/2.18.17 os/linux#x")["os"], json!({"name": "Linux"}));
    }

    #[test]
    fn a_crawler_is_looked_for_in_the_first_hundred_characters() {
        let far = format!("x{}", " x".repeat(60));
        assert_eq!(agent(&format!("{far} spider"))["device"]["name"], "Other");
        assert_eq!(agent(&format!("spider {far}"))["device"]["name"], "Spider");
    }

    #[test]
    fn only_the_first_group_of_a_name_is_replaced() {
        for (text, expected) in
            [("$1", "$1"), ("HTC $1 $2", "HTC $1 $$2"), ("$2", "$$2"), ("plain", "plain"), ("$1 $1", "$1 $$1")]
        {
            assert_eq!(first_group_only(Cow::Borrowed(text)), expected);
        }
        assert_eq!(literal(Cow::Borrowed("$1")), "$$1");
    }

    #[test]
    fn no_agent_no_fields_and_another_type_is_a_fault() {
        assert!(document(&json!({}))["user_agent"].is_null());
        let doc = document(&json!({"userAgent": 5}));
        assert!(is_fault(&doc) && doc["user_agent"].is_null());
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut agents = Agents::default();
        for i in 0..REMEMBERED + 10 {
            agents.0.insert(format!("{i}").into(), Arc::default());
        }
        agents.0.retain(|key, _| key.parse::<usize>().unwrap() < REMEMBERED);
        agents.look_up("one more");
        assert_eq!(agents.0.len(), 1);
        agents.look_up(&"x".repeat(LONGEST_REMEMBERED + 1));
        assert_eq!(agents.0.len(), 1);
    }
}
