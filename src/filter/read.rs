//! From the configuration to rules. What is wrong is rejected at its place, all of it at once.

mod conditions;
mod processors;

use super::place::{Shape, settable};
use super::rules::{Own, Rule};
use super::tree::Added;
use crate::config::{Config, Malformed, Written, nearest};
use std::sync::Arc;

/// Reads a list of processors, such as that at the top of the configuration.
pub fn processors(config: &mut Config, path: &str) -> Vec<Arc<Rule>> {
    let written = config.written(path, Written::List(Vec::new()));
    let mut reads = Reads::default();
    let rules = reads.processors(&written, path);
    reads.report(config);
    rules
}

impl Own {
    /// Reads `tags`, `fields`, `fields_under_root` and `processors` of the input whose section is at `path`; to be called
    /// before the section itself is read.
    pub fn read(config: &mut Config, path: &str) -> Own {
        let tags = config.section::<Vec<String>>(&format!("{path}.tags"));
        let under_root = config.section::<bool>(&format!("{path}.fields_under_root"));
        let rules = processors(config, &format!("{path}.processors"));
        let at = format!("{path}.fields");
        let written = config.written(&at, Written::Map(Vec::new()));
        let mut reads = Reads::default();
        let above = if under_root { Vec::new() } else { vec!["fields".to_owned()] };
        let fields = reads.fields(&written, &at, &above);
        reads.report(config);
        Own { tags, fields, rules }
    }
}

/// Gathers what is wrong.
#[derive(Default)]
struct Reads {
    problems: Vec<Problem>,
}

/// What is wrong with a setting: its name, or its value.
struct Problem {
    path: String,
    complaint: Malformed,
    of_name: bool,
}

/// The settings of one map, by name, each with its path.
type Settings<'w> = Vec<(&'w str, String, &'w Written)>;

impl Reads {
    fn report(self, config: &mut Config) {
        for Problem { path, complaint, of_name } in self.problems {
            let (message, hint) = (complaint.message(), Some(complaint.hint()));
            if of_name { config.reject_name(&path, message, hint) } else { config.reject(&path, message, hint) }
        }
    }

    fn wrong(&mut self, path: &str, message: impl Into<String>, hint: impl Into<String>) {
        let complaint = Malformed::new(message, hint);
        self.problems.push(Problem { path: path.to_owned(), complaint, of_name: false });
    }

    fn wrong_name(&mut self, path: &str, message: impl Into<String>, hint: impl Into<String>) {
        let complaint = Malformed::new(message, hint);
        self.problems.push(Problem { path: path.to_owned(), complaint, of_name: true });
    }

    /// The value, or its complaint noted.
    fn take<T>(&mut self, path: &str, read: Result<T, Malformed>) -> Option<T> {
        let mut note = |complaint| self.problems.push(Problem { path: path.to_owned(), complaint, of_name: false });
        read.map_err(&mut note).ok()
    }

    /// The same, when it is the setting's name that was read.
    fn take_name<T>(&mut self, path: &str, read: Result<T, Malformed>) -> Option<T> {
        let mut note = |complaint| self.problems.push(Problem { path: path.to_owned(), complaint, of_name: true });
        read.map_err(&mut note).ok()
    }

    /// The settings of a map whose names must be known.
    fn settings<'w>(&mut self, written: &'w Written, path: &str, known: &[&str]) -> Option<Settings<'w>> {
        let Some(settings) = written.settings(path) else {
            self.wrong(path, format!("must be a map of settings, not {}", written.kind()), listed(known));
            return None;
        };
        let before = self.problems.len();
        for (name, path, _) in &settings {
            if !known.contains(name) {
                self.unknown("setting", name, path, known);
            }
        }
        (self.problems.len() == before).then_some(settings)
    }

    fn unknown(&mut self, what: &str, name: &str, path: &str, known: &[&str]) {
        let hint = match nearest(name, known.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => listed(known),
        };
        self.wrong_name(path, format!("unknown {what} `{name}`"), hint);
    }

    fn text<'w>(&mut self, written: &'w Written, path: &str) -> Option<&'w str> {
        let text = written.text();
        if text.is_none() {
            self.wrong(path, format!("must be text, not {}", written.kind()), "write one value");
        }
        text
    }

    fn texts(&mut self, written: &Written, path: &str) -> Vec<String> {
        let items = written.items(path);
        items.into_iter().filter_map(|(path, item)| self.text(item, &path).map(str::to_owned)).collect()
    }

    fn truth(&mut self, written: &Written, path: &str) -> Option<bool> {
        match self.text(written, path)?.to_ascii_lowercase().as_str() {
            "true" | "yes" | "on" => Some(true),
            "false" | "no" | "off" => Some(false),
            other => {
                self.wrong(path, format!("`{other}` is neither `true` nor `false`"), "write `true` or `false`");
                None
            }
        }
    }

    /// Fields that are added below `above`, from the top of the document.
    fn fields(&mut self, written: &Written, path: &str, above: &[String]) -> Vec<(String, Added)> {
        let before = self.problems.len();
        let members = self.members(written, path, &mut above.to_vec());
        if self.problems.len() > before || members.is_empty() {
            return Vec::new();
        }
        Added::below(above, members)
    }

    fn members(&mut self, written: &Written, path: &str, way: &mut Vec<String>) -> Vec<(String, Added)> {
        let Some(settings) = written.settings(path) else {
            self.wrong(path, format!("must be a map of fields, not {}", written.kind()), "write `name: value`");
            return Vec::new();
        };
        let mut members = Vec::new();
        for (name, path, value) in settings {
            way.push(name.to_owned());
            let added = match value {
                // As Filebeat without `keep_null`.
                Written::Nothing => None,
                Written::Map(_) => {
                    let fits = self.take_name(&path, settable(way, Shape::Object));
                    let members = fits.map(|()| self.members(value, &path, way));
                    members.map(Added::Object).filter(|added| !added.is_empty())
                }
                single => {
                    self.take_name(&path, settable(way, Shape::Single));
                    Some(Added::Json(single.to_json().to_string().into_bytes()))
                }
            };
            members.extend(added.map(|added| (name.to_owned(), added)));
            way.pop();
        }
        members
    }
}

impl Added {
    fn is_empty(&self) -> bool {
        matches!(self, Added::Object(members) if members.is_empty())
    }
}

fn listed(known: &[&str]) -> String {
    format!("valid here are {}", known.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", "))
}
