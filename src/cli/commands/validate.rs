//! `trailship validate`.

mod live;
mod plan;
mod streams;

use crate::cli::args::{Format, Global, ValidateArgs};
use crate::cli::{Failure, load, render};
use crate::verify::finding::{Finding, Severity};
use crate::verify::report::{self, Verdict, json, text};
use crate::verify::run::{Outcome, Verifier};
use crate::verify::scope::{Chain, Scope};
use anyhow::Context as _;
use live::Live;
use plan::Plan;
use std::collections::VecDeque;
use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use streams::Recorder;
use tokio::task::JoinHandle;

/// Scopes under way at a time; what they read has a bound of its own.
const SCOPES: usize = 16;
/// Between two looks at the progress.
const LOOK: Duration = Duration::from_millis(250);

pub fn validate(
    global: &Global,
    args: &ValidateArgs,
    out: &mut dyn Write,
    notes: &mut dyn Write,
) -> Result<(), Failure> {
    verified(global, args, out, notes).map_err(|failure| match failure {
        // The general code of a failure is 1, which here says that something was altered.
        Failure::Work(error) => {
            Failure::Said(if args.compat { plan::GAVE_UP } else { Verdict::Operational.code() }, format!("{error:#}\n"))
        }
        failure => failure,
    })
}

fn verified(global: &Global, args: &ValidateArgs, out: &mut dyn Write, notes: &mut dyn Write) -> Result<(), Failure> {
    let data = global.path_data.clone().unwrap_or_else(|| PathBuf::from("data"));
    let runtime = load::runtime()?;
    let ended = runtime.block_on(async {
        let plan = plan::make(args, &data).await?;
        let window = plan.verifier.window;
        Ok::<_, Failure>((work(args, plan, out, notes).await?, window))
    });
    runtime.shutdown_background();
    let ((outcomes, other, mut last), window) = ended?;
    if args.format == Format::Json {
        render::json(out, &json::report(window, &outcomes, &other)).context("cannot print the report")?;
    }
    if let Some((last, data)) = &mut last {
        outcomes.iter().for_each(|outcome| last.advance(outcome));
        last.save(data).map_err(anyhow::Error::from)?;
    }
    let code = if args.compat { report::compat_code(&outcomes) } else { Verdict::of(&outcomes, &other).code() };
    if code == 0 { Ok(()) } else { Err(Failure::Result(code)) }
}

type Ended = (Vec<Outcome>, Vec<Finding>, Option<plan::Kept>);

async fn work(args: &ValidateArgs, plan: Plan, out: &mut dyn Write, notes: &mut dyn Write) -> Result<Ended, Failure> {
    let Plan { verifier, scopes, mut other, kept } = plan;
    let mut live = Live::new(std::io::stderr().is_terminal() && !args.compat, scopes.len());
    let (mut waiting, mut running) = (VecDeque::from(scopes), VecDeque::new());
    let mut outcomes: Vec<Outcome> = Vec::new();
    loop {
        while running.len() < SCOPES
            && let Some((scope, chain)) = waiting.pop_front()
        {
            running.push_back(start(&verifier, scope, chain));
        }
        let Some(first) = running.pop_front() else { break };
        let mut done = shown(first, &verifier, &mut live, outcomes.len()).await?;
        for outcome in &mut done {
            if args.format == Format::Text {
                live.clear();
                print(args, outcome, out, notes).context("cannot print the verdicts")?;
            }
            report::settle(outcome);
        }
        outcomes.append(&mut done);
    }
    live.clear();
    if args.format == Format::Text && !args.compat {
        other.iter().try_for_each(|finding| text::line(out, finding)).context("cannot print the verdicts")?;
        if outcomes.len() > 1 {
            total_table(out, &outcomes).context("cannot print the verdicts")?;
        }
    }
    other.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    Ok((outcomes, other, kept))
}

fn start(verifier: &Arc<Verifier>, scope: Scope, chain: Option<Chain>) -> JoinHandle<Vec<Outcome>> {
    let verifier = Arc::clone(verifier);
    tokio::spawn(async move { verifier.scope(&scope, chain).await })
}

async fn shown(
    mut task: JoinHandle<Vec<Outcome>>,
    verifier: &Verifier,
    live: &mut Live,
    done: usize,
) -> Result<Vec<Outcome>, Failure> {
    loop {
        match tokio::time::timeout(LOOK, &mut task).await {
            Ok(ended) => return Ok(ended.context("verification ended early")?),
            Err(_) => live.show(&verifier.progress, done),
        }
    }
}

/// Both streams in the order in which they are written.
fn print(args: &ValidateArgs, outcome: &Outcome, out: &mut dyn Write, notes: &mut dyn Write) -> std::io::Result<()> {
    let recorder = Recorder::default();
    if !outcome.chain.arn.is_empty() {
        text::compat(&mut recorder.out(), &mut recorder.notes(), outcome, args.every_file)?;
    }
    if !args.compat {
        text::beyond(&mut recorder.out(), outcome)?;
        writeln!(recorder.out())?;
    }
    recorder.play(out, notes)
}

fn total_table(out: &mut dyn Write, outcomes: &[Outcome]) -> std::io::Result<()> {
    let rows = outcomes.iter().map(|outcome| {
        let count =
            |severity| outcome.findings.iter().filter(|finding| finding.severity == severity).count().to_string();
        vec![
            outcome.chain.scope.account.clone(),
            outcome.chain.scope.region.clone(),
            outcome.chain.trail.clone(),
            format!("{}/{}", outcome.audit.valid, outcome.audit.digests),
            format!("{}/{}", outcome.valid, outcome.listed),
            count(Severity::Invalid),
            count(Severity::Incomplete),
            count(Severity::Operational),
        ]
    });
    let heading =
        ["account", "region", "trail", "digests valid", "log files valid", "invalid", "incomplete", "unreadable"];
    render::table(out, &heading, rows.collect(), &[3, 4, 5, 6, 7])
}
