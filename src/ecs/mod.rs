//! Records as ECS documents: what Elastic's `aws` integration makes of them in the data set `aws.cloudtrail`.
//!
//! [`Mapper`] takes one record's text and gives one [`Mapped`] document. [`table`] declares every field; a stage
//! (`stage/`) makes those that need thought, one file for each section of the ECS mapping; `map.rs` has their order.
//! Pure: no I/O, no clock, no configuration files.

mod doc;
mod field;
mod fit;
mod id;
mod java;
mod map;
mod mapper;
mod origin;
mod places;
mod settings;
mod source;
mod stage;
pub mod table;
mod time;
mod write;

pub use field::{Field, FieldId, Kind, Rule};
pub use mapper::{Broken, Mapped, Mapper};
pub use origin::{Origin, Position};
pub use places::{Place, Places};
pub use settings::{
    Agent, Compat, ENTITIES_TAG, Flattened, InputTags, MappedBy, PRESERVE_TAG, REPAIRED_TAG, Retain, Settings,
};
pub use source::members as record_members;
pub use stage::user_agent::preload as preload_user_agents;
pub use time::Timestamp;

#[cfg(test)]
mod golden;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod reach;
