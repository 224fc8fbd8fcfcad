//! One run: settings to inputs, mill and output; start order, end order, nothing else.

mod documents;
mod figures;
mod identity;
mod letters;
mod mapping;
mod replay;
mod run;
mod settings;
mod verification;

pub use identity::{Identity, IdentityError};
pub use replay::{ByCode, Held, Planned, ReplayError, Replayed, Stayed, Wanted, hold, plan, replay};
pub use run::{RunError, Stop, Watch, run};
pub use settings::{CommandLine, Settings, read};
