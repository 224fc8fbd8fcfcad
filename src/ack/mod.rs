//! Acknowledgement: who has promised what to a source, and how it ended.
//!
//! A [`Delivery`] is one promise (a queue message, a file). It consists of [`Part`]s (objects), a part issues
//! [`Receipt`]s (records under way). Only an explicit [`Outcome`] counts: whatever is dropped, cancelled or lost in a
//! panic is given back. When the last piece of a delivery is gone, exactly one [`Verdict`] reaches the source.
//!
//! Nothing here knows queues, JSON or the network.

mod budget;
mod delivery;
mod frontier;
mod miscount;

pub use budget::{Budget, Charge};
pub use delivery::{Counters, Counts, Delivery, Hold, Outcome, Part, PartEnd, Receipt, Tally, Verdict, Witness};
pub use frontier::{Frontier, Ticket};
pub use miscount::Miscount;
