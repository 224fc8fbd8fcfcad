//! The kinds of input: one line each.

use super::Input;
use super::access::Problem;
use super::cloudwatch::{CloudWatchInput, config::CloudWatchConfig};
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

pub const KINDS: &[Kind] = &[("aws-s3", s3_sqs), ("aws-cloudwatch", cloudwatch), ("file", file)];

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
    possible(config, section, &settings.problems()).then(|| Box::new(S3SqsInput::new(settings)) as Box<dyn Input>)
}

fn cloudwatch(config: &mut Config, section: &Section) -> Option<Box<dyn Input>> {
    let settings: CloudWatchConfig = config.read(section);
    possible(config, section, &settings.problems()).then(|| Box::new(CloudWatchInput::new(settings)) as Box<dyn Input>)
}

/// Reports what makes an input impossible; true when nothing does.
fn possible(config: &mut Config, section: &Section, problems: &[Problem]) -> bool {
    for Problem { key, complaint } in problems {
        config.reject(&format!("{}.{key}", section.path()), complaint.message(), Some(complaint.hint()));
    }
    problems.is_empty()
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
