//! The stages of the mapping, one file for each part of the ECS mapping that needs thought.
//!
//! A stage reads the cleaned record and sets fields of the document. What it cannot make sense of it notes as a fault
//! and goes on (ECS mapping 12): a document never fails as a whole, and keeps every field that could be made.

pub(super) mod classify;
pub(super) mod cloud;
pub(super) mod entities;
mod entity_paths;
pub(super) mod faults;
pub(super) mod login;
pub(super) mod moves;
pub(super) mod payloads;
pub(super) mod related;
pub(super) mod resources;
pub(super) mod source;
pub(super) mod special;
pub(super) mod times;
pub(super) mod tls;
pub(super) mod user_agent;
pub(super) mod users;

#[cfg(test)]
pub(super) mod tests;
