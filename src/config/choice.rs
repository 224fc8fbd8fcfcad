//! Sections that differ in kind: the inputs of a list, and the one output.
//!
//! Whoever knows the kinds hands in their names; this file finds what is there, what is enabled and
//! what is of no kind at all, so that each kind's owner only reads its own settings.

use super::beats;
use super::nearest::nearest;
use super::settings::Config;
use super::source::{Problem, enumerate, shown};
use super::tree::{Node, Value};

/// One of several sections that differ in kind: an input of a list, or the output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    kind: String,
    path: String,
    is_item: bool,
}

impl Section {
    /// The kind, such as `aws-s3` or `elasticsearch`.
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// The path, such as `trailship.inputs[0]` or `output.elasticsearch`.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Whether it is an item of a list, whose `type` names its kind.
    pub(super) fn is_item(&self) -> bool {
        self.is_item
    }
}

impl Config {
    /// The enabled items of a list, each with its `type`, which must be one of the kinds.
    ///
    /// Items with `enabled: false` are left alone, as in Beats. A single item serves as a list.
    pub fn list(&mut self, path: &str, kinds: &[&str]) -> Vec<Section> {
        self.claim(path);
        self.effective.insert(path.to_owned(), serde_json::Value::Array(Vec::new()));
        let length = match self.root.find_mut(path) {
            None => return Vec::new(),
            Some(node) if node.is_null() => return Vec::new(),
            Some(node) => {
                if matches!(node.value, Value::Map(_)) {
                    let single = Node { value: Value::List(Vec::new()), ..*node };
                    let item = std::mem::replace(node, single);
                    node.value = Value::List(vec![item]);
                }
                match &node.value {
                    Value::List(items) => items.len(),
                    _ => {
                        let message = format!("must be a list, not {}", node.kind());
                        let problem = Problem::new(node.place, path, message).hint("begin each item with `- type: ..`");
                        self.add_error(problem);
                        return Vec::new();
                    }
                }
            }
        };
        let mut sections = Vec::new();
        for index in 0..length {
            let path = format!("{path}[{index}]");
            sections.extend(self.item(&path, kinds));
            self.claimed.insert(path);
        }
        sections
    }

    /// The one of several sections below a path that is there and enabled.
    ///
    /// None or several of them is an error. Sections that are there with `enabled: false` are left
    /// alone.
    pub fn one_enabled(&mut self, path: &str, kinds: &[&str]) -> Option<Section> {
        let mut enabled: Vec<Section> = Vec::new();
        for kind in kinds {
            let path = format!("{path}.{kind}");
            self.claim(&path);
            if self.has(&path) && self.is_enabled(&path) {
                enabled.push(Section { kind: (*kind).to_owned(), path, is_item: false });
            }
        }
        if enabled.len() > 1 {
            let names: Vec<&str> = enabled.iter().map(Section::kind).collect();
            let message = format!("only one may be enabled, but {} are", enumerate(&names));
            let at = enabled.last().map_or(path, Section::path).to_owned();
            self.reject(&at, message, Some("set `enabled: false` in the others"));
        }
        if enabled.is_empty() && !self.has_other_choice(path, kinds) {
            let message = format!("none is enabled of {}", enumerate(kinds));
            self.reject(path, message, Some("write the settings of one of them"));
        }
        enabled.into_iter().next()
    }

    /// One item of a list, if it is enabled and of a kind that there is.
    fn item(&mut self, path: &str, kinds: &[&str]) -> Option<Section> {
        if !self.is_enabled(path) {
            return None;
        }
        let kind_path = format!("{path}.type");
        let is_map = matches!(self.root.find(path)?.value, Value::Map(_));
        if !is_map || !self.has(&kind_path) {
            let message = "`type` must be set".to_owned();
            let hint = format!("known types are {}", enumerate(kinds));
            self.reject(path, message, Some(&hint));
            return None;
        }
        let (kind, faults) = self.read_node::<String>(&kind_path, false);
        self.add_faults(faults, &kind_path, None);
        let kind = kind?;
        if kinds.contains(&kind.as_str()) {
            return Some(Section { kind, path: path.to_owned(), is_item: true });
        }
        let message = format!("`{}` is not a type of input here", shown(&kind));
        let near = nearest(&kind, kinds.iter().copied());
        let hint = match (beats::input_kind(&kind), near) {
            (Some(advice), _) => advice.to_owned(),
            (None, Some(near)) => format!("did you mean `{near}`?"),
            (None, None) => format!("known types are {}", enumerate(kinds)),
        };
        self.reject(&kind_path, message, Some(&hint));
        None
    }

    /// Whether a section is not switched off by its `enabled`.
    fn is_enabled(&mut self, path: &str) -> bool {
        let path = format!("{path}.enabled");
        if !self.has(&path) {
            return true;
        }
        let (enabled, faults) = self.read_node(&path, false);
        self.add_faults(faults, &path, None);
        enabled.unwrap_or(true)
    }

    /// Whether something else stands below a path, which is then reported for itself.
    fn has_other_choice(&self, path: &str, kinds: &[&str]) -> bool {
        let Some(node) = self.root.find(path) else {
            return false;
        };
        node.keys().iter().any(|key| !kinds.contains(&key.as_str()))
    }
}
