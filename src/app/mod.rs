//! One run: settings to inputs, mill and output; start order, end order, nothing else.

mod documents;
mod figures;
mod identity;
mod mapping;
mod run;
mod settings;

pub use identity::{Identity, IdentityError};
pub use run::{RunError, Stop, Watch, run};
pub use settings::{CommandLine, Settings, read};
