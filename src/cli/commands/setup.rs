//! `trailship setup`.

use crate::cli::args::{Format, Global, SetupArgs};
use crate::cli::{Failure, load, render};
use crate::output::elasticsearch::Cluster;
use crate::setup;
use anyhow::Context as _;
use std::io::Write;

pub fn setup(global: &Global, args: &SetupArgs, out: &mut dyn Write) -> Result<(), Failure> {
    let settings = load::settings(global)?;
    let Some(cluster) = settings.output.cluster() else {
        return Err(Failure::usage("`setup` installs into Elasticsearch or OpenSearch, but another output is enabled"));
    };
    let cluster = Cluster::new(cluster).map_err(Failure::work)?;
    let report = load::runtime()?.block_on(setup::install(&cluster, &settings.setup.template, args.rollover));
    match args.format {
        Format::Json => render::json(out, &report),
        Format::Text => report
            .steps
            .iter()
            .try_for_each(|step| writeln!(out, "{:>9}  {}: {}", step.verdict.as_str(), step.what, step.detail)),
    }
    .context("cannot print the report")?;
    if report.failed() { Err(Failure::work("a step failed; nothing after it was tried")) } else { Ok(()) }
}
