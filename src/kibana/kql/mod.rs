//! KQL, Kibana's query language: read, and turned into the search that Kibana would send.
//!
//! What panels, controls and detection rules ask is written in KQL, and here every query is read by the
//! published grammar before it is shipped, and run against a real server in tests and previews as Kibana runs
//! it. Left out: nested groups (`field: { ... }`), since none of our fields is of that type, and a field's type,
//! which Kibana takes from a data view; flattened sub-keys are passed as they are written, as Kibana does.
//! Invariants: reading is one pass and never panics; what is read is at most [`DEEPEST`] groups deep, so that
//! every walk over it is bounded.

mod parse;
mod search;

use serde_json::Value as Json;
use std::collections::BTreeSet;

/// How many groups, or `not` words, a query may hold within each other.
pub const DEEPEST: usize = 64;

/// A query that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    /// `None` asks nothing: every document is found.
    root: Option<Node>,
}

/// One clause of a query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Node {
    /// All of these, two or more.
    And(Vec<Node>),
    /// At least one of these, two or more.
    Or(Vec<Node>),
    /// Not this.
    Not(Box<Node>),
    /// `field: value`; without a field, any field has the value.
    Is(Option<String>, Value),
    /// `field >= value`.
    Range(String, Bound, String),
}

/// What a field is compared with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// `"in quotes"`: the words in this order.
    Phrase(String),
    /// A bare text.
    Text(String),
    /// `true` or `false`, bare.
    Flag(bool),
    /// A bare `*`: the field is there.
    Any,
    /// A bare text with wildcards: what stands between the asterisks, two pieces or more.
    Wildcard(Vec<String>),
}

/// The sign of a range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bound {
    Less,
    LessOrEqual,
    More,
    MoreOrEqual,
}

/// Why a text is not a query.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("KQL breaks at character {at}, before `{rest}`: {hint}")]
pub struct Fault {
    /// The character at which reading ended, counted from 1.
    pub at: usize,
    /// The text from there on, at most 24 characters.
    pub rest: String,
    /// What was expected there, or how to write it.
    pub hint: &'static str,
}

impl Query {
    /// Reads a query. A text of spaces alone finds every document.
    ///
    /// # Errors
    /// A [`Fault`] with the place for what Kibana's grammar refuses, for nested groups, for wildcards in names of
    /// fields and for more than [`DEEPEST`] groups.
    pub fn parse(text: &str) -> Result<Self, Fault> {
        parse::query(text).map(|root| Self { root })
    }

    /// The query's clauses; `None` when it finds every document.
    pub fn root(&self) -> Option<&Node> {
        self.root.as_ref()
    }

    /// The fields that are asked about, in order of their names, each once.
    pub fn fields(&self) -> BTreeSet<&str> {
        let mut found = BTreeSet::new();
        if let Some(root) = &self.root {
            root.collect(&mut found);
        }
        found
    }

    /// The query in Elasticsearch's query DSL, as Kibana writes it where it knows nothing of the fields' types
    /// (so do its detection rules).
    pub fn to_search(&self) -> Json {
        search::of(self.root.as_ref())
    }
}

/// Values for a list, `field: (...)`: each in quotes, joined by `or`. Of no values comes a list that nothing fits,
/// since the language has no empty one.
pub fn any_of<T: AsRef<str>>(values: &[T]) -> String {
    if values.is_empty() {
        return "\"\"".to_owned();
    }
    let quoted = values.iter().map(|value| value.as_ref().replace('\\', "\\\\").replace('"', "\\\""));
    quoted.map(|value| format!("\"{value}\"")).collect::<Vec<_>>().join(" or ")
}

impl Node {
    fn collect<'a>(&'a self, found: &mut BTreeSet<&'a str>) {
        match self {
            Self::And(nodes) | Self::Or(nodes) => nodes.iter().for_each(|node| node.collect(found)),
            Self::Not(node) => node.collect(found),
            Self::Is(Some(field), _) | Self::Range(field, ..) => {
                found.insert(field);
            }
            Self::Is(None, _) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn values_of_a_list_are_read_as_they_were() {
        let values = ["eu-west-1", "a\"b\\", "not x", "*"];
        let query = Query::parse(&format!("f: ({})", any_of(&values))).unwrap();
        let phrase = |value: &str| Node::Is(Some("f".to_owned()), Value::Phrase(value.to_owned()));
        assert_eq!(query.root(), Some(&Node::Or(values.map(phrase).to_vec())));
        assert_eq!(Query::parse(&format!("f: ({})", any_of::<&str>(&[]))).unwrap().root(), Some(&phrase("")));
    }

    #[test]
    fn fields_are_named_once_and_in_order() {
        let query = Query::parse(r#"b.c: (x or y) and not a: * and b.c >= 3 and (free or "text")"#).unwrap();
        assert_eq!(query.fields().into_iter().collect::<Vec<_>>(), ["a", "b.c"]);
        assert!(Query::parse(" ").unwrap().fields().is_empty());
    }
}
