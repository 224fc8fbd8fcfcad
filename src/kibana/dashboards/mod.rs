//! The dashboards: read from `dashboards/src/`, written for Kibana, run as searches.
//!
//! | file | what it does |
//! |---|---|
//! | `model`, `grouping` | a dashboard as its author says it; a panel without its drawing |
//! | `source` | the source files to the model |
//! | `fields`, `colours` | what fields there are; what colours mean |
//! | `lens`, `columns`, `state` | a panel as Kibana's Lens keeps it |
//! | `ndjson` | a dashboard as the file that Kibana imports |
//! | `search`, `interval`, `rest` | a panel as the searches that Lens sends |
//! | `ask`, `answer` | what to ask for a panel, and what was answered |
//!
//! Output is the same on every run: ids are those of the sources, nothing has a time.

pub mod answer;
pub mod ask;
pub mod colours;
mod columns;
pub mod fields;
pub mod grouping;
mod interval;
mod lens;
pub mod model;
mod ndjson;
mod rest;
pub mod search;
pub mod source;
mod state;

pub use model::Dashboard;
pub use ndjson::ndjson;

/// What an installation decides about its dashboards.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Regions in which activity is expected: setting `setup.approved_regions`.
    pub approved_regions: Vec<String>,
}

/// Regions that every AWS account has enabled from the start (AWS: Regions and Availability Zones).
pub const DEFAULT_REGIONS: [&str; 17] = [
    "ap-northeast-1",
    "ap-northeast-2",
    "ap-northeast-3",
    "ap-south-1",
    "ap-southeast-1",
    "ap-southeast-2",
    "ca-central-1",
    "eu-central-1",
    "eu-north-1",
    "eu-west-1",
    "eu-west-2",
    "eu-west-3",
    "sa-east-1",
    "us-east-1",
    "us-east-2",
    "us-west-1",
    "us-west-2",
];

impl Default for Options {
    fn default() -> Self {
        Self { approved_regions: DEFAULT_REGIONS.map(str::to_owned).to_vec() }
    }
}

/// All dashboards, in the order of their links.
#[expect(clippy::expect_used, reason = "the sources are part of the program and a test reads each")]
pub fn all(options: &Options) -> Vec<Dashboard> {
    let mut dashboards: Vec<Dashboard> =
        SOURCES.iter().map(|(name, text)| source::read(name, text).expect("a source that can be read")).collect();
    source::complete(&mut dashboards, options);
    dashboards
}

/// The files that Kibana imports, by name.
pub fn files(options: &Options) -> Vec<(String, String)> {
    let names = SOURCES.iter().map(|(source, _)| source.replace(".yml", ".ndjson"));
    names.zip(all(options).iter().map(ndjson)).collect()
}

/// File names and texts of the sources.
pub const SOURCES: [(&str, &str); 6] = [
    ("overview.yml", include_str!("../../../dashboards/src/overview.yml")),
    ("identity.yml", include_str!("../../../dashboards/src/identity.yml")),
    ("changes.yml", include_str!("../../../dashboards/src/changes.yml")),
    ("regions.yml", include_str!("../../../dashboards/src/regions.yml")),
    ("data-events.yml", include_str!("../../../dashboards/src/data-events.yml")),
    ("health.yml", include_str!("../../../dashboards/src/health.yml")),
];

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#[path = "../../../tests/dashboards/validator.rs"]
mod validator;

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn every_source_can_be_read() {
        for (name, text) in SOURCES {
            if let Err(errors) = source::read(name, text) {
                panic!("{errors}");
            }
        }
    }

    #[test]
    fn the_files_kept_with_the_sources_are_those_that_are_made() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("dashboards");
        for (name, made) in files(&Options::default()) {
            let kept = std::fs::read_to_string(folder.join(&name)).unwrap_or_default();
            assert!(kept == made, "dashboards/{name} is out of date: write it anew with `trailship export dashboard`");
        }
    }

    #[test]
    fn the_same_sources_give_the_same_bytes() {
        assert_eq!(files(&Options::default()), files(&Options::default()));
    }
}
