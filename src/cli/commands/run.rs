//! `trailship run`.

use crate::app::{self, RunError, Stop};
use crate::cli::args::{Format, Global, RunArgs};
use crate::cli::live::Live;
use crate::cli::{Failure, load, render};
use anyhow::Context as _;
use std::io::{IsTerminal, Write};
use tokio::signal::unix::{SignalKind, signal};

pub fn run(global: &Global, args: &RunArgs, out: &mut dyn Write) -> Result<(), Failure> {
    let settings = load::settings(global)?;
    load::start_logs(&settings.logs)?;
    let runtime = load::runtime()?;
    let mut live = Live::new(!settings.logs.to_stderr && std::io::stderr().is_terminal());
    // Documents on standard output must stay documents.
    let printed = settings.output.prints();
    let ended = runtime.block_on(async {
        let stop = Stop::default();
        let signals = listen(stop.clone())?;
        let ended = app::run(settings, args.once, &stop, &mut |summary| live.show(summary)).await;
        signals.abort();
        Ok::<_, Failure>(ended)
    });
    live.clear();
    // A blocking read that hangs, such as a log file on a dead mount, must not hold up the end.
    runtime.shutdown_background();
    let (summary, failure) = match ended? {
        Ok(summary) => (summary, None),
        Err(RunError::Inputs { reasons, summary }) => {
            let text: Vec<String> = reasons.iter().map(ToString::to_string).collect();
            (*summary, Some(Failure::work(text.join("\n"))))
        }
        Err(error) => return Err(Failure::Work(error.into())),
    };
    let mut notes = std::io::stderr();
    let out = if printed { &mut notes as &mut dyn Write } else { out };
    match args.format {
        Format::Json => render::json(out, &summary),
        Format::Text => render::summary(out, &summary),
    }
    .context("cannot print the summary")?;
    failure.map_or(Ok(()), Err)
}

/// SIGTERM and SIGINT stop the run: the first drains, the second drops.
pub fn listen(stop: Stop) -> Result<tokio::task::JoinHandle<()>, Failure> {
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for SIGINT")?;
    Ok(tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            if stop.signal() {
                tracing::info!(
                    "asked to stop: draining, then giving back what is left; a second signal gives back at once"
                );
            } else {
                tracing::warn!("asked to stop again: what is left is given back at once");
            }
        }
    }))
}
