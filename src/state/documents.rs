//! State that processes share: small JSON documents, each with a version that whoever replaces it must name.
//!
//! Two who write at the same time cannot both succeed. Leaves out where documents lie and what they hold.

use serde_json::Value;
use std::pin::Pin;

/// The answer to come, or why none could be had.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, String>> + Send + 'a>>;

/// Which change of a document this is (`_seq_no`, `_primary_term`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Version {
    pub number: u64,
    pub term: u64,
}

/// A store of documents.
pub trait Documents: Send + Sync {
    /// The document as it was written last; `None` where there is none.
    ///
    /// # Errors
    /// The store cannot be asked.
    fn read<'a>(&'a self, id: &'a str) -> Answer<'a, Option<(Value, Version)>>;

    /// Writes a document in place of the version that is `known`, or anew. `None` when it has changed meanwhile.
    ///
    /// # Errors
    /// The store cannot be asked; the document may have been written all the same.
    fn write<'a>(&'a self, id: &'a str, document: &'a Value, known: Option<Version>) -> Answer<'a, Option<Version>>;
}
