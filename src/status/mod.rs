//! What a run says of itself while it runs: figures, what is wrong right now, and the HTTP endpoint that tells both.
//!
//! Parts of the program count elsewhere and report troubles to [`Health`]; nothing here decides anything. Left out: logs
//! (`telemetry`), and what the terminal shows (`cli`).

mod health;
mod http;
mod metrics;
mod page;
mod summary;

pub use health::{Health, Part, Trouble};
pub use http::{Endpoint, HttpConfig, Subject, serve};
pub use summary::{InputStatus, IntegrityStatus, Lasted, LogGroupStatus, Summary, grouped};
