//! The program against real servers: S3, SQS and CloudWatch Logs (moto, fast), Elasticsearch, OpenSearch.
//!
//! Servers are started on free ports and end with this process. What cannot be had on this machine is skipped, and said.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

mod chaos;
mod cli;
mod cloudwatch;
mod dashboards;
mod dead_letter;
mod delivery;
mod embedded;
mod faults;
mod integrity;
mod kibana;
mod monitoring;
mod notifications;
mod output_faults;
mod policies;
mod rules;
mod security;
mod setup;
mod shapes;
mod status;
mod system;
mod traps;
mod validate;
