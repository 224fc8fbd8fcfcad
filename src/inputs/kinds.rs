//! The kinds of input: one line each.

use super::Input;
use super::file::{FileInput, config::FileConfig};
use super::s3_sqs::{S3SqsInput, config::S3SqsConfig};
use crate::config::{Config, Section};
use crate::filter::Own;

/// A kind: its `type` in the configuration, and how its section becomes an input.
type Kind = (&'static str, fn(&mut Config, &Section) -> Option<Box<dyn Input>>);

/// An input as configured.
pub struct Configured {
    /// Its `type`.
    pub kind: &'static str,
    pub input: Box<dyn Input>,
    /// What its section says of its documents: the same keys for every kind.
    pub own: Own,
}

pub const KINDS: &[Kind] = &[("aws-s3", s3_sqs), ("file", file)];

/// Reads the list `trailship.inputs`; what is wrong is collected in `config`.
pub fn read(config: &mut Config) -> Vec<Configured> {
    let names: Vec<&str> = KINDS.iter().map(|(name, _)| *name).collect();
    let mut inputs: Vec<Configured> = Vec::new();
    let sections = config.list("trailship.inputs", &names);
    let none = sections.is_empty();
    for section in sections {
        let Some((kind, read)) = KINDS.iter().find(|(name, _)| *name == section.kind()) else { continue };
        let own = Own::read(config, section.path());
        let Some(input) = read(config, &section) else { continue };
        if inputs.iter().any(|other| other.input.id() == input.id()) {
            let message = format!("the id `{}` is taken by another input", input.id());
            config.reject(section.path(), message, Some("give each input its own `id`"));
        }
        inputs.push(Configured { kind, input, own });
    }
    if none {
        config.reject("trailship.inputs", "no input is enabled", Some("write at least one, such as `- type: aws-s3`"));
    }
    inputs
}

fn s3_sqs(config: &mut Config, section: &Section) -> Option<Box<dyn Input>> {
    let settings: S3SqsConfig = config.read(section);
    let problems = settings.problems();
    for problem in &problems {
        config.reject(
            &format!("{}.{}", section.path(), problem.key),
            problem.complaint.message(),
            Some(problem.complaint.hint()),
        );
    }
    if !problems.is_empty() {
        return None;
    }
    Some(Box::new(S3SqsInput::new(settings)))
}

fn file(config: &mut Config, section: &Section) -> Option<Box<dyn Input>> {
    let settings: FileConfig = config.read(section);
    if settings.paths.is_empty() {
        config.reject(
            &format!("{}.paths", section.path()),
            "`paths` is missing",
            Some("name files, folders or globs, such as `['/var/cloudtrail/AWSLogs']`"),
        );
    }
    Some(Box::new(FileInput::new(settings)))
}
