//! Ships AWS CloudTrail logs into Elasticsearch or OpenSearch as ECS documents. `ARCHITECTURE.md` shows the way that a
//! record goes through these modules.

pub mod ack;
pub mod app;
pub mod aws;
pub mod check;
pub mod cli;
pub mod config;
pub mod ecs;
pub mod filter;
pub mod geoip;
pub mod inputs;
pub mod integrity;
pub mod kibana;
pub mod output;
pub mod pipeline;
pub mod record;
pub mod setup;
pub mod state;
pub mod status;
pub mod telemetry;
pub mod verify;
pub mod visible;
