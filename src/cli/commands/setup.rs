//! `trailship setup`.

use crate::app::Settings;
use crate::cli::args::{Format, Global, SetupArgs};
use crate::cli::{Failure, load, render};
use crate::kibana::{self, Assets};
use crate::output::elasticsearch::Cluster;
use crate::setup::{self, Product, Report, Verdict};
use crate::visible;
use anyhow::Context as _;
use std::io::Write;

pub fn setup(global: &Global, args: &SetupArgs, out: &mut dyn Write) -> Result<(), Failure> {
    let settings = load::settings(global)?;
    let all = !(args.index_management || args.dashboards || args.rules);
    let runtime = load::runtime()?;
    let mut report = Report { dry_run: args.dry_run, ..Report::default() };
    if all || args.index_management {
        report = runtime.block_on(indices(&settings, args))?;
    }
    if !report.failed() {
        let assets = Assets::new(&settings.assets, all || args.dashboards, all || args.rules);
        match all.then(|| why_not(&settings, &report)).flatten() {
            Some(why) => report.push("Kibana", Verdict::Ok, why),
            None if assets == Assets::default() => {}
            None => {
                let installed = runtime.block_on(kibana::install(&settings.kibana, &assets, args.dry_run));
                report.steps.extend(installed.steps);
            }
        }
    }
    match args.format {
        Format::Json => render::json(out, &report),
        Format::Text => print(out, &report),
    }
    .context("cannot print the report")?;
    if report.failed() { Err(Failure::work("a step failed; nothing after it was tried")) } else { Ok(()) }
}

async fn indices(settings: &Settings, args: &SetupArgs) -> Result<Report, Failure> {
    let Some(cluster) = settings.output.cluster() else {
        return Err(Failure::usage("`setup` installs into Elasticsearch or OpenSearch, but another output is enabled"));
    };
    let cluster = Cluster::new(cluster).map_err(Failure::work)?;
    let options = setup::Options { rollover: args.rollover, dry_run: args.dry_run };
    Ok(setup::install(&cluster, &settings.setup, options).await)
}

/// Why Kibana is left alone when nobody has asked for it by name.
fn why_not(settings: &Settings, report: &Report) -> Option<&'static str> {
    if report.engine.as_ref().is_some_and(|engine| engine.product == Product::OpenSearch) {
        return Some("left alone: OpenSearch Dashboards cannot import these dashboards; see `docs/kibana.md`");
    }
    (!settings.kibana_named)
        .then_some("left alone: set `setup.kibana.host` to install dashboards and detection rules, too")
}

fn print(out: &mut dyn Write, report: &Report) -> std::io::Result<()> {
    for step in &report.steps {
        let verdict = if report.dry_run { step.verdict.planned() } else { step.verdict.as_str() };
        writeln!(out, "{verdict:>9}  {}: {}", visible::line(&step.what), visible::line(&step.detail))?;
    }
    if report.dry_run { writeln!(out, "Nothing was changed: this is what `trailship setup` would do.") } else { Ok(()) }
}
