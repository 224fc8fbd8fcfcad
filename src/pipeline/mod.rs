//! From stored bytes to bulks, on a fixed set of threads: inflate, split, map, encode, compress.
//!
//! Inputs hand in a [`Reading`] with one chunk at a time ([`Mill::step`]); what comes out are [`Bulk`](crate::output::Bulk)s
//! for the output. All CPU work is here, all waiting is elsewhere: a step never waits for a source. When the output is
//! slow the mill blocks on its bulk, steps wait, inputs stop receiving.

mod asides;
mod bulker;
mod drops;
mod fault;
mod mill;
mod reading;
mod room;

pub use fault::{Cause, FaultCounts, Faults, Policies, Policy};
pub use mill::{Mill, MillSettings, Threads};
pub use reading::{ObjectFault, Reading, RecordLimits};

#[cfg(test)]
mod tests;
