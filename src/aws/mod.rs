//! The way to AWS: one identity, one HTTP client, clients of SQS, S3, CloudWatch Logs and CloudTrail made from them, and
//! quotas.
//!
//! Shared by every input that talks to AWS. Leaves out what is asked of the services. Every error of a call becomes a
//! [`Fault`] in `fault.rs`, which alone judges what may pass by itself; nobody else matches on the SDK's errors.

pub mod client;
pub mod cloudtrail;
pub mod credentials;
pub mod fault;
pub mod http;
pub mod listing;
pub mod quota;
pub mod region;

pub use client::{Session, Settings};
pub use fault::{Fault, FaultKind};
pub use quota::{Api, Bucket, Calls};

/// Why no client can be made of the settings.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct SetupError(pub String);
