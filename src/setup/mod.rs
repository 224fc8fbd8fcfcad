//! Index templates: made from the ECS table, fitted to the server at hand, installed and checked.
//!
//! [`template`] makes the templates for a server that knows everything, [`nearest`] says what a server lacks and what
//! takes its place, [`install`] asks the server, installs and reports, [`export`] writes the same templates as files
//! for those who install by hand. Left out: lifecycle policies and dashboards.
//!
//! What holds: the templates are tried before any of them is stored; templates of others and of newer versions stay as
//! they are; a second run changes nothing; whatever was replaced or left out is named in the report.

pub mod config;
pub mod engine;
pub mod export;
pub mod fields;
pub mod install;
mod mappings;
pub mod nearest;
mod pattern;
pub mod report;
mod server;
mod stored;
mod streams;
pub mod template;

pub use config::{SetupConfig, TemplateConfig};
pub use engine::{Engine, Product};
pub use install::install;
pub use report::{Report, Step, Verdict};
