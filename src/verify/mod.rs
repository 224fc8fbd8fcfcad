//! CloudTrail's integrity: digests, their chain, and the log files that they list (CloudTrail formats 5 and 6).
//!
//! Two readings of the same evidence. `walk` repeats what `aws cloudtrail validate-logs` prints, so that its users can
//! compare; `chain` makes every check that there is. Both are pure and ask for what they lack; `run` reads it, each
//! object once. Invariants: a call that failed is never a sign of tampering, and nothing that was not authenticated by a
//! signature counts as evidence that all is well.
//!
//! Leaves out verification while shipping, which builds on `digest`, `key`, `verdict` and `finding`.

pub mod chain;
pub mod digest;
pub mod discover;
pub mod evidence;
pub mod finding;
pub mod key;
pub mod keys;
pub mod logs;
pub mod moment;
pub mod read;
pub mod report;
pub mod run;
pub mod scope;
pub mod since;
pub mod store;
pub mod trust;
pub mod unpack;
pub mod verdict;
pub mod walk;

#[cfg(test)]
mod testing;
#[cfg(test)]
mod vector;
