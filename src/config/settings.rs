//! The settings of one run, handed out by path.
//!
//! Whoever needs settings asks for a section and gets a struct, always: faults are collected beside
//! and stop the start in [`Config::finish`]. So one look at the configuration finds everything that
//! is wrong with it, and nobody has to handle half-read settings.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::canonical;
use super::choice::Section;
use super::error::{ConfigError, ConfigErrors, MAX_FINDINGS, Warnings};
use super::read::{self, Kind, Located};
use super::source::{Problem, Source};
use super::tree::{Node, Value};
use super::unread::{Found, Unread};
use super::written::Written;

/// A configuration whose sections are being read.
#[derive(Debug)]
pub struct Config {
    pub(super) root: Node,
    sources: Vec<Source>,
    errors: Vec<ConfigError>,
    warnings: Vec<ConfigError>,
    /// Paths that somebody has asked for, whether they are there or not.
    known: BTreeSet<String>,
    /// Paths that nobody else needs to look at.
    pub(super) claimed: HashSet<String>,
    /// What was made of each section, by path.
    pub(super) effective: BTreeMap<String, serde_json::Value>,
}

impl Config {
    pub(super) fn new(root: Node, sources: Vec<Source>, problems: Vec<Problem>, warnings: Vec<Problem>) -> Self {
        let mut config = Self {
            root,
            sources,
            errors: Vec::new(),
            warnings: Vec::new(),
            known: BTreeSet::new(),
            claimed: HashSet::new(),
            effective: BTreeMap::new(),
        };
        for problem in problems {
            config.add_error(problem);
        }
        for problem in warnings {
            config.add_warning(problem);
        }
        config
    }

    /// Whether a setting is there, with any value but an empty one.
    pub fn has(&self, path: &str) -> bool {
        self.root.find(path).is_some_and(|node| !node.is_null())
    }

    /// Reads the settings at a path; what is absent or wrong has its default.
    ///
    /// Sections below this one that were read before are left out. Faults are collected.
    pub fn section<T>(&mut self, path: &str) -> T
    where
        T: DeserializeOwned + Serialize + Default,
    {
        let settings = self.read_at(path, None, false).unwrap_or_default();
        self.keep(path, &settings);
        settings
    }

    /// Reads one value at a path, such as a single duration; nothing if absent, empty or wrong.
    pub fn value<T>(&mut self, path: &str) -> Option<T>
    where
        T: DeserializeOwned + Serialize,
    {
        let value = self.read_at(path, None, false)?;
        self.keep(path, &value);
        Some(value)
    }

    /// What stands at a path, as it was written, or `default`: for parts whose names the user chooses. Nothing below it
    /// is judged here.
    pub fn written(&mut self, path: &str, default: Written) -> Written {
        let there = self.root.find(path).map(Written::of).filter(|written| *written != Written::Nothing);
        let written = there.unwrap_or(default);
        self.claim(path);
        self.keep(path, &written);
        written
    }

    /// Reads an item of [`Config::list`] or the choice of [`Config::one_enabled`].
    ///
    /// `type` and `enabled` are left out unless the struct has them as fields.
    pub fn read<T>(&mut self, section: &Section) -> T
    where
        T: DeserializeOwned + Serialize + Default,
    {
        let input = section.is_item().then_some(section.kind());
        let settings = self.read_at(section.path(), input, true).unwrap_or_default();
        self.keep(section.path(), &settings);
        if section.is_item()
            && let Some(serde_json::Value::Object(map)) = self.effective.get_mut(section.path())
        {
            map.entry("type").or_insert_with(|| section.kind().into());
        }
        settings
    }

    /// Adds an error about a setting: what only its owner can judge, such as two settings that
    /// exclude each other. Both texts are lower-case, without a full stop, without secrets.
    pub fn reject(&mut self, path: &str, message: impl Into<String>, hint: Option<&str>) {
        let finding = self.finding(path, message.into(), hint);
        self.errors.push(finding);
    }

    /// Adds an error about the name of a setting rather than its value; texts as for [`Config::reject`].
    pub fn reject_name(&mut self, path: &str, message: impl Into<String>, hint: Option<&str>) {
        let entry = path.rsplit_once('.').and_then(|(above, name)| match &self.root.find(above)?.value {
            Value::Map(map) => map.get(name),
            _ => None,
        });
        let Some(place) = entry.map(|entry| entry.key_place) else { return self.reject(path, message, hint) };
        let mut problem = Problem::new(place, path, message.into());
        problem.hint = hint.map(str::to_owned);
        let finding = self.report(problem);
        self.errors.push(finding);
    }

    /// Adds a warning about a setting.
    pub fn warn(&mut self, path: &str, message: impl Into<String>, hint: Option<&str>) {
        let finding = self.finding(path, message.into(), hint);
        self.warnings.push(finding);
    }

    /// What is wrong so far, the first hundred, in the order of the files; it is not told again.
    pub fn take_errors(&mut self) -> ConfigErrors {
        let mut errors = std::mem::take(&mut self.errors);
        self.sort(&mut errors);
        ConfigErrors(errors)
    }

    /// What is worth saying so far, the first hundred, in the order of the files.
    pub fn warnings(&self) -> Warnings {
        let mut warnings = self.warnings.clone();
        self.sort(&mut warnings);
        Warnings(warnings)
    }

    /// Ends the reading: what nobody has asked for is judged, and everything wrong is reported.
    ///
    /// # Errors
    /// All errors of the configuration that were not taken before.
    pub fn finish(&mut self) -> Result<(), ConfigErrors> {
        let unread = Unread { claimed: &self.claimed, known: &self.known, input: None, base: "" };
        let found = unread.walk(&self.root, "");
        let top: Vec<String> = self.root.keys();
        self.claimed.extend(top);
        self.add_found(found);
        let errors = self.take_errors();
        if errors.is_empty() { Ok(()) } else { Err(errors) }
    }

    /// The settings in effect of all sections that were read, as YAML, defaults included and every
    /// secret masked.
    pub fn canonical(&self) -> String {
        let mut root = serde_json::Value::Null;
        for (path, value) in &self.effective {
            canonical::put(&mut root, path, value.clone());
        }
        canonical::write(&root)
    }

    /// Gives the files other names: those of a test's folder differ from run to run.
    #[cfg(test)]
    pub(super) fn rename_sources(&mut self, rename: &dyn Fn(String) -> String) {
        self.sources.iter_mut().for_each(|source| source.rename(rename));
        for finding in self.errors.iter_mut().chain(&mut self.warnings) {
            finding.file = rename(std::mem::take(&mut finding.file));
        }
    }

    pub(super) fn claim(&mut self, path: &str) {
        self.known.insert(path.to_owned());
        self.claimed.insert(path.to_owned());
    }

    fn read_at<T: DeserializeOwned>(&mut self, path: &str, input: Option<&str>, framed: bool) -> Option<T> {
        let (value, faults) = self.read_node(path, framed);
        self.claim(path);
        self.add_faults(faults, path, input);
        value
    }

    /// Keeps what was made of a section for [`Config::canonical`].
    fn keep<T: Serialize>(&mut self, path: &str, settings: &T) {
        if let Ok(json) = serde_json::to_value(settings) {
            self.effective.insert(path.to_owned(), json);
        }
    }

    pub(super) fn read_node<T: DeserializeOwned>(&self, path: &str, framed: bool) -> (Option<T>, Vec<Located>) {
        match self.root.find(path).filter(|node| !node.is_null()) {
            None => (None, Vec::new()),
            Some(node) => read::read(&read::Section { node, path, claimed: &self.claimed, framed }),
        }
    }

    pub(super) fn add_faults(&mut self, faults: Vec<Located>, base: &str, input: Option<&str>) {
        for fault in faults {
            let Located { kind, hint, quotable, path, place, culprit } = fault;
            match kind {
                Kind::Unknown { key, known } => {
                    let unread = Unread {
                        claimed: &self.claimed,
                        known: &self.known,
                        input,
                        base: if input.is_some() { base } else { "" },
                    };
                    let value = self.root.find(&culprit);
                    // Beside the section's own names, those that others have asked for in the same place.
                    let mut names = known.to_vec();
                    names.extend(unread.names_at(&path));
                    let found = unread.judge(&key, &culprit, place, value, &names);
                    self.add_found(found);
                }
                kind => {
                    let mut problem = Problem::new(place, path, kind.to_string());
                    problem.hint = hint;
                    problem.quotable = quotable;
                    self.add_error(problem);
                }
            }
        }
    }

    fn add_found(&mut self, found: Vec<Found>) {
        for found in found {
            match found {
                Found::Error(problem) => self.add_error(problem),
                Found::Warning(problem) => self.add_warning(problem),
            }
        }
    }

    pub(super) fn add_error(&mut self, problem: Problem) {
        if self.errors.len() < MAX_FINDINGS {
            let finding = self.report(problem);
            self.errors.push(finding);
        }
    }

    fn add_warning(&mut self, problem: Problem) {
        if self.warnings.len() < MAX_FINDINGS {
            let finding = self.report(problem);
            self.warnings.push(finding);
        }
    }

    fn report(&self, problem: Problem) -> ConfigError {
        match self.sources.get(problem.place.source) {
            Some(source) => source.report(problem),
            None => ConfigError {
                path: problem.path,
                hint: problem.hint,
                ..ConfigError::of_file("", problem.message, None)
            },
        }
    }

    /// A finding at a setting, or at the nearest one above it that is there.
    fn finding(&self, path: &str, message: String, hint: Option<&str>) -> ConfigError {
        let mut above = path;
        let place = loop {
            if let Some(node) = self.root.find(above) {
                break Some(node.place);
            }
            match above.rfind(['.', '[']) {
                Some(end) => above = above.get(..end).unwrap_or_default(),
                None => break None,
            }
        };
        match place {
            Some(place) => {
                let mut problem = Problem::new(place, path, message);
                problem.hint = hint.map(str::to_owned);
                self.report(problem)
            }
            None => ConfigError {
                path: path.to_owned(),
                hint: hint.map(str::to_owned),
                ..ConfigError::of_file(self.main_file(), message, None)
            },
        }
    }

    fn sort(&self, findings: &mut [ConfigError]) {
        let file = |finding: &ConfigError| {
            let mut names = self.sources.iter().map(Source::name);
            names.position(|name| name == finding.file)
        };
        findings.sort_by_cached_key(|finding| (file(finding), finding.line, finding.column));
    }

    /// The file that a setting which is nowhere would stand in.
    fn main_file(&self) -> &str {
        self.sources.first().map_or("", Source::name)
    }
}
