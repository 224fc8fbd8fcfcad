//! The program against real servers: S3 and SQS (moto), Elasticsearch, OpenSearch.
//!
//! Servers are started on free ports and end with this process. What cannot be had on this machine is skipped, and said.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

mod cli;
mod delivery;
mod embedded;
mod faults;
mod notifications;
mod security;
mod setup;
mod shapes;
mod validate;
