//! Settings that no section knows: what they mean in Filebeat, or what was meant by them.
//!
//! Two roads lead here: a name that a section's struct does not have, and, at the end, everything
//! that nobody has asked for. Both are judged alike.

use std::collections::{BTreeSet, HashSet};

use super::beats::{self, Row, Verdict};
use super::nearest::nearest;
use super::source::{Place, Problem, enumerate, shown};
use super::tree::{Node, Value, join};

/// What there is to say about a setting.
#[derive(Debug)]
pub(super) enum Found {
    Error(Problem),
    Warning(Problem),
}

/// The view from which settings are judged.
pub(super) struct Unread<'a> {
    /// Paths that have been read, with all below them.
    pub claimed: &'a HashSet<String>,
    /// Paths that somebody has asked for.
    pub known: &'a BTreeSet<String>,
    /// The kind of the input that holds the settings, if one does.
    pub input: Option<&'a str>,
    /// The path of that input, from which its settings' names count.
    pub base: &'a str,
}

/// Most names that a hint lists.
const MAX_LISTED: usize = 40;

impl Unread<'_> {
    /// Judges everything below a map that nobody has read.
    pub(super) fn walk(&self, node: &Node, path: &str) -> Vec<Found> {
        let Value::Map(map) = &node.value else {
            return Vec::new();
        };
        let mut found = Vec::new();
        for entry in &map.entries {
            let entry_path = join(path, &entry.key);
            let value = &entry.value;
            if self.claimed.contains(&entry_path) {
                continue;
            }
            if !self.is_on_the_way(&entry_path) {
                let names = self.names_at(path);
                found.extend(self.judge(&entry.key, &entry_path, entry.key_place, Some(value), &names));
            } else if matches!(value.value, Value::Map(_)) {
                found.extend(self.walk(value, &entry_path));
            } else if !value.is_null() {
                let message = format!("must be a map of settings, not {}", value.kind());
                found.push(Found::Error(Problem::new(value.place, entry_path, message)));
            }
        }
        found
    }

    /// Judges one setting; `names` are those that are valid in its place.
    pub(super) fn judge(
        &self,
        key: &str,
        path: &str,
        key_place: Place,
        value: Option<&Node>,
        names: &[&str],
    ) -> Vec<Found> {
        let name = self.name_in_filebeat(path);
        if let Some(Value::Map(map)) = value.map(|value| &value.value)
            && beats::leads_to(self.input, &name)
        {
            let entries = map.entries.iter();
            let judged = entries.flat_map(|entry| {
                let path = join(path, &entry.key);
                self.judge(&entry.key, &path, entry.key_place, Some(&entry.value), &[])
            });
            return judged.collect();
        }
        if let Some(row) = beats::about(self.input, &name) {
            return verdict(row, path, key_place, value).into_iter().collect();
        }
        let above = path.strip_suffix(key).unwrap_or_default();
        let above = above.strip_suffix('.').unwrap_or(above);
        let mut problem = Problem::new(key_place, above, format!("unknown setting `{}`", shown(key)));
        problem.hint = match nearest(key, names.iter().copied()) {
            Some(near) => Some(format!("did you mean `{near}`?")),
            None if names.is_empty() || names.len() > MAX_LISTED => None,
            None => Some(format!("valid here are {}", enumerate(names))),
        };
        vec![Found::Error(problem)]
    }

    /// The setting's name as Filebeat's documentation has it: from its input, without indexes.
    fn name_in_filebeat(&self, path: &str) -> String {
        let from_base = path.strip_prefix(self.base).unwrap_or(path);
        let mut name = String::new();
        for part in from_base.split('.').filter(|part| !part.is_empty()) {
            name = join(&name, part.split('[').next().unwrap_or(part));
        }
        name
    }

    fn is_on_the_way(&self, path: &str) -> bool {
        self.known.iter().any(|known| known.strip_prefix(path).is_some_and(|rest| rest.starts_with('.')))
    }

    /// The names that somebody has asked for below a path.
    pub(super) fn names_at(&self, path: &str) -> Vec<&str> {
        let mut names: Vec<&str> = self
            .known
            .iter()
            .filter_map(|known| {
                let rest = known.strip_prefix(path)?;
                let rest = if path.is_empty() { rest } else { rest.strip_prefix('.')? };
                rest.split('.').next()
            })
            .collect();
        names.dedup();
        names
    }
}

/// What a row says about a setting with this value.
fn verdict(row: &Row, path: &str, place: Place, value: Option<&Node>) -> Option<Found> {
    let problem = |message: &str| Problem::new(place, path, message).hint(row.advice);
    let is_off = value.is_none_or(is_off);
    match row.verdict {
        Verdict::Ignored => Some(Found::Warning(problem("this setting of Filebeat has no effect here"))),
        Verdict::Renamed => Some(Found::Error(problem("this setting has another name here"))),
        Verdict::Refused if is_off => None,
        Verdict::Only(values) if is_off || value.is_some_and(|v| is_one_of(v, values)) => None,
        Verdict::Refused | Verdict::Only(_) => Some(Found::Error(problem("this setting of Filebeat is not supported"))),
    }
}

/// Whether a setting is switched off, so that not having it changes nothing.
fn is_off(node: &Node) -> bool {
    match &node.value {
        Value::Scalar(scalar) => node.is_null() || matches!(scalar.text.trim(), "" | "false" | "no" | "off"),
        Value::List(items) => items.is_empty(),
        Value::Map(map) => {
            let enabled = map.get("enabled").map(|entry| &entry.value);
            map.entries.is_empty() || enabled.is_some_and(is_off)
        }
    }
}

fn is_one_of(node: &Node, values: &[&str]) -> bool {
    match &node.value {
        Value::Scalar(scalar) => values.contains(&scalar.text.trim()),
        _ => false,
    }
}
