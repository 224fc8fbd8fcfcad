//! Configuration: from YAML files and `-E` to typed settings, with a place for every complaint.
//!
//! [`load`] makes one tree of all files and overrides and expands the environment. [`Config`] then
//! hands the tree out: each part of the program defines a struct of its settings and asks for it by
//! path. What is wrong is collected, not thrown: [`Config::finish`] names all of it at once, also
//! what nobody asked for. This module knows no particular input or output.
//!
//! ```text
//! #[derive(Debug, Clone, Default, Deserialize, Serialize)]
//! #[serde(deny_unknown_fields, default)]
//! pub struct FileOutput { pub path: String, pub rotate_every: ByteSize, pub timeout: Period }
//!
//! let mut config = config::load(&files, &overrides, &|name| std::env::var(name).ok())?;
//! let output: FileOutput = config.section("output.file");
//! for input in config.list("trailship.inputs", &["aws-s3"]) { .. config.read(&input) .. }
//! config.finish()?;
//! ```
//!
//! | file | what it does |
//! |---|---|
//! | `yaml`, `tree`, `overrides` | text to a tree with places; dotted keys; layers |
//! | `expand` | `${NAME}` |
//! | `read` | the tree to structs, by serde |
//! | `settings`, `choice`, `unread` | sections by path and kind; what nobody has read |
//! | `written` | parts whose names the user chooses |
//! | `document` | YAML that is no configuration |
//! | `beats` | settings of Filebeat that no section has |
//! | `types` | durations, sizes, secrets, patterns, ARNs, URLs |
//! | `source`, `error`, `redact`, `nearest` | findings, without secrets, with advice |
//! | `canonical`, `permissions` | `export config`; `--strict.perms` |

mod beats;
mod canonical;
mod choice;
mod document;
mod error;
mod expand;
mod nearest;
mod overrides;
mod permissions;
mod read;
mod redact;
mod settings;
mod source;
mod tree;
pub mod types;
mod unread;
mod written;
mod yaml;

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

pub use choice::Section;
pub use document::document;
pub use error::{ConfigError, ConfigErrors, Warnings};
pub use expand::Environment;
pub use nearest::nearest;
pub use permissions::check_permissions;
pub use settings::Config;
pub use types::{Arn, ByteSize, HttpUrl, Malformed, Pattern, Period, Secret};
pub use written::Written;

use error::MAX_FINDINGS;
use source::{Place, Problem, Source};
use tree::{Map, Node, Value};

/// Largest file that is read, in bytes.
const MAX_FILE_BYTES: u64 = 1 << 20;

/// Reads the files, each over the one before, and the overrides (`key=value`) over them all.
///
/// `environment` gives the variables of `${NAME}`. A file's settings are only typed when somebody
/// asks for them, so most complaints come later, from [`Config::finish`].
///
/// # Errors
/// Files that cannot be read, that are no YAML or no map of settings, and overrides that are none:
/// all of them at once, each with its place.
pub fn load(files: &[PathBuf], overrides: &[String], environment: Environment<'_>) -> Result<Config, ConfigErrors> {
    let mut loading = Loading::default();
    for file in files {
        loading.read_file(file);
    }
    for text in overrides {
        loading.read_override(text);
    }
    if !loading.fatal.is_empty() {
        return Err(ConfigErrors(loading.fatal));
    }
    let Loading { sources, layers, mut problems, .. } = loading;
    let mut root = Node::map(Place { source: 0, line: 1, column: 1 }, Map::default());
    for layer in layers {
        root.overlay(layer, &mut problems);
    }
    let notes = expand::expand(&mut root, environment);
    problems.extend(notes.errors);
    Ok(Config::new(root, sources, problems, notes.warnings))
}

/// What loading has gathered so far.
#[derive(Default)]
struct Loading {
    sources: Vec<Source>,
    layers: Vec<Node>,
    /// What makes it impossible to go on.
    fatal: Vec<ConfigError>,
    /// What is wrong but leaves a tree.
    problems: Vec<Problem>,
}

impl Loading {
    fn read_file(&mut self, file: &Path) {
        let name = file.display().to_string();
        let text = match text_of(file) {
            Ok(text) => text,
            Err((message, hint)) => {
                let hint = hint.map(str::to_owned);
                self.fatal.push(ConfigError::of_file(name, message, hint));
                return;
            }
        };
        let index = self.sources.len();
        let document = yaml::parse(index, &text);
        let mut source = Source::file(name, text);
        for extent in document.secrets {
            source.hide(extent);
        }
        if document.whole {
            self.problems.extend(document.problems);
        } else {
            for mut problem in document.problems.into_iter().take(MAX_FINDINGS) {
                // What follows the fault was not parsed, so its secrets are not known.
                problem.quotable = !source.may_hold_secret(problem.place.line);
                self.fatal.push(source.report(problem));
            }
        }
        let root = document.root;
        if !root.is_null() && !matches!(root.value, Value::Map(_)) && document.whole {
            let mut problem =
                Problem::new(root.place, "", format!("a configuration is a map of settings, not {}", root.kind()));
            problem.hint = Some("write settings as `name: value`".to_owned());
            problem.quotable = false;
            self.fatal.push(source.report(problem));
        }
        self.sources.push(source);
        if matches!(root.value, Value::Map(_)) {
            self.layers.push(root);
        }
    }

    fn read_override(&mut self, text: &str) {
        let index = self.sources.len();
        let mut source = Source::command_line(text.to_owned());
        match overrides::parse(index, text) {
            Ok((layer, secrets)) => {
                for extent in secrets {
                    source.hide(extent);
                }
                self.layers.push(layer);
            }
            Err(problems) => {
                let found = problems.into_iter().map(|problem| source.report(problem));
                self.fatal.extend(found);
            }
        }
        self.sources.push(source);
    }
}

/// The text of a file, or why there is none, with a hint.
fn text_of(file: &Path) -> Result<String, (String, Option<&'static str>)> {
    let unreadable = |fault: std::io::Error| {
        let hint = (fault.kind() == ErrorKind::NotFound).then_some("name the configuration file with `-c FILE`");
        (why_unreadable(&fault), hint)
    };
    let mut bytes = Vec::new();
    let opened = File::open(file).map_err(unreadable)?;
    opened.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        let message = format!("the file is larger than {MAX_FILE_BYTES} bytes");
        return Err((message, Some("is this the configuration file?")));
    }
    String::from_utf8(bytes).map_err(|fault| {
        let valid = fault.utf8_error().valid_up_to();
        let before = fault.as_bytes().iter().take(valid);
        let line = before.filter(|byte| **byte == b'\n').count() + 1;
        let message = format!("the file is not UTF-8 text: see line {line}");
        (message, Some("save it with the encoding UTF-8"))
    })
}

/// Why a file could not be read, without the number of the operating system's error.
fn why_unreadable(fault: &std::io::Error) -> String {
    match fault.kind() {
        ErrorKind::NotFound => "there is no such file".to_owned(),
        ErrorKind::PermissionDenied => "this user may not read the file".to_owned(),
        ErrorKind::IsADirectory => "this is a folder, not a file".to_owned(),
        kind => format!("the file cannot be read: {kind}"),
    }
}

#[cfg(test)]
mod tests;
