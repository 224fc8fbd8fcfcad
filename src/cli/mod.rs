//! The command line: arguments in, exit code out. The only place that prints.

mod args;
mod commands;
mod live;
mod load;
mod render;

use crate::visible;
use args::{Cli, Command};
use clap::Parser;
use std::io::{self, Write};
use std::process::ExitCode;

/// Why a command did not succeed, and with it the exit code.
#[derive(Debug)]
pub enum Failure {
    /// Wrong usage or configuration: exit code 2.
    Usage(String),
    /// Failed while working: exit code 1.
    Work(anyhow::Error),
    /// Did its work, and the result has an exit code of its own.
    Result(u8),
    /// An exit code of its own, with a text that is printed as it is.
    Said(u8, String),
}

impl Failure {
    fn usage(text: impl Into<String>) -> Failure {
        Failure::Usage(text.into())
    }

    fn work(text: impl Into<String>) -> Failure {
        Failure::Work(anyhow::anyhow!(text.into()))
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Failure {
        Failure::Work(error)
    }
}

/// Runs the program.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are no errors; a closed pipe is nobody's concern.
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { 2 } else { 0 });
        }
    };
    match dispatch(&cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Work(error)) if is_closed_pipe(&error) => ExitCode::SUCCESS,
        Err(failure) => {
            let (code, text) = match failure {
                Failure::Usage(text) => (2, format!("{}\n", text.trim_end())),
                Failure::Work(error) => (1, format!("{}\n", format!("{error:#}").trim_end())),
                Failure::Result(code) => (code, String::new()),
                Failure::Said(code, text) => (code, text),
            };
            // Errors quote keys, paths and answers, which come from outside.
            let _ = write!(io::stderr(), "{}", visible::lines(&text));
            ExitCode::from(code)
        }
    }
}

fn dispatch(cli: &Cli) -> Result<(), Failure> {
    let (mut out, mut notes) = (io::stdout(), io::stderr());
    match &cli.command {
        Command::Run(arguments) => commands::run::run(&cli.global, arguments, &mut out),
        Command::Map(arguments) => commands::map::map(arguments, &mut out, &mut notes),
        Command::Setup(arguments) => commands::setup::setup(&cli.global, arguments, &mut out),
        Command::Status(arguments) => commands::status::status(&cli.global, arguments, &mut out),
        Command::Test(arguments) => commands::test::test(&cli.global, arguments, &mut out),
        Command::Validate(arguments) => commands::validate::validate(&cli.global, arguments, &mut out, &mut notes),
        Command::Gaps(arguments) => commands::gaps::gaps(&cli.global, arguments, &mut out),
        Command::Export(arguments) => commands::export::export(&cli.global, arguments, &mut out, &mut notes),
        Command::DeadLetter { command } => {
            commands::dead_letter::dead_letter(&cli.global, command, &mut out, &mut notes)
        }
        Command::Version => Ok(commands::version::version(&mut out).map_err(anyhow::Error::from)?),
    }
}

/// The reader of our output went away, as `head` does.
fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .any(|cause| cause.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe))
}
