//! What a cluster needs before records arrive: lifecycle policy and index templates, made from the tables of fields,
//! fitted to the server at hand, installed and checked.
//!
//! [`datasets`] says what there is, [`template`] makes the templates for a server that knows everything, [`lifecycle`] the
//! policy, [`nearest`] says what takes the place of what a server lacks, [`install`] asks the server, installs and
//! reports, [`export`] writes the same as files for those who install by hand. Left out: dashboards and rules.
//!
//! What holds: the templates are tried before any of them is stored; what others and newer versions made stays as it is;
//! a second run changes nothing; whatever was replaced or left out is named in the report; nothing is deleted unless the
//! configuration says so.

pub mod config;
pub mod datasets;
pub mod engine;
pub mod export;
#[cfg(test)]
mod fake;
pub mod fields;
mod fit;
pub mod install;
pub mod lifecycle;
mod mappings;
pub mod names;
pub mod nearest;
mod pattern;
mod refusal;
pub mod report;
mod server;
mod stored;
mod streams;
pub mod template;
#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]
mod tests;

pub use config::{SetupConfig, TemplateConfig};
pub use engine::{Engine, Product};
pub use install::{Options, install};
pub use report::{Report, Step, Verdict};
