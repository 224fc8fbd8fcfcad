//! Logs: where they go, and how often a fault that lasts is said.

pub mod log;
pub mod repeats;
