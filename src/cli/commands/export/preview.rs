//! `trailship export dashboard --preview DIR`: pages drawn from what is indexed.

use crate::cli::args::{ExportArgs, ExportWhat, Global};
use crate::cli::{Failure, load};
use crate::kibana::dashboards;
use crate::kibana::preview::{self, When};
use crate::output::elasticsearch::Cluster;
use anyhow::Context as _;
use jiff::Timestamp;
use std::io::Write;
use std::path::Path;

pub fn preview(
    global: &Global,
    args: &ExportArgs,
    folder: &Path,
    out: &mut dyn Write,
    notes: &mut dyn Write,
) -> Result<(), Failure> {
    if args.what != ExportWhat::Dashboard {
        return Err(Failure::usage("`--preview` is for `export dashboard`"));
    }
    let from = args.from.as_deref().map(|text| time("--from", text)).transpose()?;
    let to = args.to.as_deref().map_or_else(|| Ok(Timestamp::now()), |text| time("--to", text))?;
    let settings = load::settings(global)?;
    let Some(cluster) = settings.output.cluster() else {
        return Err(Failure::usage("a preview asks Elasticsearch or OpenSearch, but another output is enabled"));
    };
    let cluster = Cluster::new(cluster).map_err(Failure::work)?;
    let dashboards = dashboards::all(&settings.assets);
    let drawn = load::runtime()?.block_on(preview::run(&cluster, &dashboards, When { from, to }, folder));
    let report = drawn.map_err(|fault| Failure::work(fault.to_string()))?;
    for fault in &report.faults {
        writeln!(notes, "{fault}").context("cannot write to standard error")?;
    }
    for file in &report.files {
        writeln!(out, "{}", file.display()).context("cannot print")?;
    }
    Ok(())
}

fn time(flag: &str, text: &str) -> Result<Timestamp, Failure> {
    text.parse().map_err(|_| Failure::usage(format!("`{flag} {text}` is not a time such as 2026-01-02T03:04:05Z")))
}
