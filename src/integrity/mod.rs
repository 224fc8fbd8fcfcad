//! Integrity in line: CloudTrail's digests verified, and log files compared with them, while they are shipped.
//!
//! Inputs tell what they see (`note`); one task keeps it durably (`store`, `book`), asks S3 and CloudTrail for what nobody told
//! (`ask`), judges (`judge`, `ledger`), and sends what it finds (`document`, `stream`). Shipping never waits for a check: a
//! delivery waits until it is written down, a tenth of a second, and not even that while the store cannot be written.
//!
//! Invariants: the same findings come of the same objects in whatever order they arrive, each once; a call that failed is
//! never a finding. Leaves out the checks of single digests and signatures, which are those of `verify`.

mod ask;
mod book;
mod closing;
pub mod config;
mod document;
mod figures;
pub mod gaps;
mod judge;
pub mod ledger;
pub mod model;
pub mod note;
pub mod outbox;
pub mod peers;
pub mod store;
mod stream;
pub mod view;
mod work;

pub use config::{IntegrityConfig, IntegritySettings};
pub use figures::Figures;
pub use work::{Installation, Integrity, Sink};
