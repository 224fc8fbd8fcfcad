//! One file a command.

pub mod dead_letter;
pub mod export;
pub mod gaps;
pub mod map;
pub mod run;
pub mod setup;
pub mod status;
pub mod test;
pub mod validate;
pub mod version;
