//! `trailship setup`.

use crate::cli::args::{Format, Global, SetupArgs};
use crate::cli::{Failure, load, render};
use crate::output::elasticsearch::Cluster;
use crate::setup::{self, Report};
use anyhow::Context as _;
use std::io::Write;

pub fn setup(global: &Global, args: &SetupArgs, out: &mut dyn Write) -> Result<(), Failure> {
    let settings = load::settings(global)?;
    let Some(cluster) = settings.output.cluster() else {
        return Err(Failure::usage("`setup` installs into Elasticsearch or OpenSearch, but another output is enabled"));
    };
    let cluster = Cluster::new(cluster).map_err(Failure::work)?;
    let options = setup::Options { rollover: args.rollover, dry_run: args.dry_run };
    let report = load::runtime()?.block_on(setup::install(&cluster, &settings.setup, options));
    match args.format {
        Format::Json => render::json(out, &report),
        Format::Text => print(out, &report),
    }
    .context("cannot print the report")?;
    if report.failed() { Err(Failure::work("a step failed; nothing after it was tried")) } else { Ok(()) }
}

fn print(out: &mut dyn Write, report: &Report) -> std::io::Result<()> {
    for step in &report.steps {
        let verdict = if report.dry_run { step.verdict.planned() } else { step.verdict.as_str() };
        writeln!(out, "{verdict:>9}  {}: {}", step.what, step.detail)?;
    }
    if report.dry_run { writeln!(out, "Nothing was changed: this is what `trailship setup` would do.") } else { Ok(()) }
}
