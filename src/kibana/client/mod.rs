//! Kibana's APIs: who is there, what it holds, and files into it.
//!
//! | file | what it does |
//! |---|---|
//! | `config` | `setup.kibana` |
//! | `http` | one request, tried again while Kibana starts |
//! | `server` | version and space |
//! | `present` | what Kibana holds under our ids |
//! | `import` | files into Kibana |
//! | `answer` | what became of each object of a file |
//! | `refusal` | why not, and what to do |
//!
//! Leaves out what is imported, and when (`install.rs`). What holds: nothing but imports changes anything, every fault
//! says what to do about it, and no text holds a secret.

mod answer;
mod config;
#[cfg(test)]
pub mod fake;
mod http;
mod import;
mod present;
mod refusal;
mod server;
#[cfg(test)]
mod tests;

pub use answer::{Imported, Key, RULE};
pub use config::{KibanaConfig, KibanaSettings, SpaceConfig};
pub use http::Kibana;
pub use refusal::KibanaError;
pub use server::Greeting;
