//! `trailship export config|template|ilm-policy|fields`.

use crate::cli::args::{ExportArgs, ExportEngine, ExportWhat, Global};
use crate::cli::{Failure, load};
use crate::setup::{self, Product, SetupConfig};
use anyhow::Context as _;
use std::io::Write;
use std::path::Path;

pub fn export(global: &Global, args: &ExportArgs, out: &mut dyn Write) -> Result<(), Failure> {
    match (args.what, &args.dir) {
        (ExportWhat::Config, None) => {
            let (_, config) = load::read(global)?;
            print(out, &config.canonical())
        }
        (ExportWhat::Fields, None) => print(out, &setup::fields::markdown()),
        (ExportWhat::Template, None) => {
            let templates = setup::export::export_template(product(args), &section(global)?)
                .map_err(|fault| Failure::usage(fault.to_string()))?;
            print(out, &format!("{templates:#}\n"))
        }
        (ExportWhat::IlmPolicy, None) => {
            let policy = setup::export::export_policy(product(args), &section(global)?)
                .map_err(|fault| Failure::usage(fault.to_string()))?;
            if policy.is_null() {
                return Err(Failure::usage(
                    "there is no policy: by `setup.lifecycle.type` and `setup.ilm.enabled` none is used",
                ));
            }
            print(out, &format!("{policy:#}\n"))
        }
        (ExportWhat::Template, Some(folder)) => {
            let config = section(global)?;
            for product in Product::ALL {
                write(
                    folder,
                    &setup::export::files(product, &config).map_err(|fault| Failure::usage(fault.to_string()))?,
                )?;
            }
            Ok(())
        }
        (ExportWhat::Fields, Some(folder)) => write(folder, &setup::fields::files()),
        (ExportWhat::Config | ExportWhat::IlmPolicy, Some(_)) => Err(Failure::usage(
            "this export prints; `--dir` is for `template`, with the policy beside the templates, and for `fields`",
        )),
    }
}

fn product(args: &ExportArgs) -> Product {
    match args.engine {
        ExportEngine::Elasticsearch => Product::Elasticsearch,
        ExportEngine::Opensearch => Product::OpenSearch,
    }
}

/// The section `setup`; its assets can be exported without any configuration.
fn section(global: &Global) -> Result<SetupConfig, Failure> {
    if global.config.iter().all(|file| !file.exists()) && global.overrides.is_empty() {
        return Ok(SetupConfig::default());
    }
    let mut config = load::config(global)?;
    let setup = config.section("setup");
    let faults = config.take_errors();
    if faults.is_empty() { Ok(setup) } else { Err(Failure::usage(faults.to_string())) }
}

fn print(out: &mut dyn Write, text: &str) -> Result<(), Failure> {
    Ok(out.write_all(text.as_bytes()).context("cannot print")?)
}

fn write(folder: &Path, files: &[setup::export::File]) -> Result<(), Failure> {
    Ok(setup::export::write(folder, files).with_context(|| format!("cannot write below `{}`", folder.display()))?)
}
