//! The user's own changes: rules that drop documents or change them, in the words of Beats' processors.
//!
//! [`processors`] and [`Own::read`] make rules of the configuration and say what is wrong with them, with the place.
//! [`Rules`] are those of one input, in the order in which Beats applies them; a [`Filter`], one a thread, applies them.
//!
//! Conditions look at members of the record (`eventName`) or at fields of the document (`event.action`). A `drop_event`
//! whose condition needs the record alone is asked before the record is mapped. Documents that no rule changes are
//! written as the mapping made them; others become a [`tree`] of pieces of JSON, which are copied as they are.
//! Not here: what the mapping makes, and outcomes.

mod change;
mod condition;
mod network;
mod place;
mod read;
mod rules;
mod tree;

pub use read::processors;
pub use rules::{Document, Fate, Filter, Own, Rule, Rules};

#[cfg(test)]
mod tests;
