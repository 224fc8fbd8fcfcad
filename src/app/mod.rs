//! One run: settings to inputs, mill and output; start order, end order, nothing else.

mod documents;
mod figures;
mod identity;
mod letters;
mod mapping;
mod overview;
mod replay;
mod run;
mod settings;
mod verification;

pub use identity::{Identity, IdentityError};
pub use overview::{Events, InputOverview, LettersOfCode, Overview, Place, Process, Section, Series};
pub use replay::{ByCode, Held, Planned, ReplayError, ReplayProgress, Replayed, Stayed, Wanted, hold, plan, replay};
pub use run::{RunError, Stop, Watch, run};
pub use settings::{CommandLine, Settings, read};
pub use verification::others;
