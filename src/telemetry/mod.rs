//! What the program says about itself: logs now, figures of a run.

pub mod log;
