//! What waits at the source of an input, as `trailship status` shows it. Nothing is received or changed by looking.

use jiff::Timestamp;
use serde::Serialize;
use std::pin::Pin;

/// What waits, by the kind of the source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "source", rename_all = "snake_case")]
pub enum Backlog {
    /// Messages of a queue: approximate, as SQS names them.
    Queue {
        url: String,
        /// That can be received now.
        visible: u64,
        /// Whose delay has not passed.
        delayed: u64,
        /// That somebody has received and not deleted.
        hidden: u64,
    },
    LogGroups {
        groups: Vec<LogGroup>,
        /// Names and why they are not read.
        unreadable: Vec<(String, String)>,
    },
    Files {
        /// That are not yet acknowledged.
        unread: u64,
        read: u64,
        /// That no pattern selects.
        skipped: u64,
        /// What could not be looked into.
        faults: Vec<String>,
    },
}

/// A log group that is read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LogGroup {
    pub name: String,
    /// Every event up to here has an outcome; none where `path.data` does not tell.
    pub read_up_to: Option<Timestamp>,
}

impl Backlog {
    /// Whether something at the source cannot be read.
    pub fn has_faults(&self) -> bool {
        match self {
            Backlog::Queue { .. } => false,
            Backlog::LogGroups { groups, unreadable } => groups.is_empty() || !unreadable.is_empty(),
            Backlog::Files { faults, .. } => !faults.is_empty(),
        }
    }
}

/// A look at what waits; `path.data` tells what is done already.
pub type Looking<'a> = Pin<Box<dyn Future<Output = Result<Backlog, String>> + Send + 'a>>;
