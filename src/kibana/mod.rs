//! What Kibana is given: dashboards and detection rules, made from their sources, installed, and shown without a Kibana.
//!
//! | module | what it does |
//! |---|---|
//! | `kql` | Kibana's query language, as searches |
//! | `dashboards` | sources to saved objects and to searches |
//! | `rules` | sources to detection rules |
//! | `preview` | dashboards as pages, drawn from searches |
//! | `client` | Kibana's APIs |
//! | `install` | files into Kibana, with a report |
//!
//! Leaves out index templates and policies (`setup`), whose report is used here. What holds: no file depends on the
//! Kibana it goes to, so that what is installed equals what is in the repository.

pub mod client;
pub mod dashboards;
pub mod install;
pub mod kql;
pub mod preview;
mod regions;
pub mod rules;

pub use client::{KibanaConfig, KibanaSettings};
pub use dashboards::Options;
pub use install::{Assets, install};
pub use regions::ApprovedRegions;
