//! `trailship dead-letter`: what was parked, why, and what to do about it.
//!
//! `list` and `show` only read and work beside a running shipper; `replay` and `purge` need `path.data` for themselves.
//! Foreign text is never printed raw ([`visible`](crate::cli::visible)).

mod list;
mod purge;
mod replay;
mod show;

use crate::app::ReplayError;
use crate::cli::Failure;
use crate::cli::args::{DeadLetterCommand, Global};
use crate::output::Source;
use jiff::Timestamp;
use std::io::Write;

pub fn dead_letter(
    global: &Global,
    command: &DeadLetterCommand,
    out: &mut dyn Write,
    notes: &mut dyn Write,
) -> Result<(), Failure> {
    match command {
        DeadLetterCommand::List(args) => list::list(global, args, out),
        DeadLetterCommand::Show(args) => show::show(global, args, out),
        DeadLetterCommand::Replay(args) => replay::replay(global, args, out, notes),
        DeadLetterCommand::Purge(args) => purge::purge(global, args, out),
    }
}

impl From<ReplayError> for Failure {
    fn from(error: ReplayError) -> Failure {
        Failure::Work(error.into())
    }
}

/// When, in UTC to the second.
fn when(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d %H:%M:%SZ").to_string()
}

/// An object as people know it.
fn place(source: &Source) -> String {
    match &source.bucket {
        Some(bucket) => format!("s3://{bucket}/{}", source.object),
        None => source.object.clone(),
    }
}
