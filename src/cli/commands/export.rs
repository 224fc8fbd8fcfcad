//! `trailship export`: what would be used, printed or written as files.

mod preview;

use crate::cli::args::{ExportArgs, ExportEngine, ExportWhat, Global};
use crate::cli::{Failure, load};
use crate::kibana::{ApprovedRegions, Options, dashboards, rules};
use crate::setup::{self, Product, SetupConfig};
use anyhow::Context as _;
use std::io::Write;
use std::path::Path;

pub fn export(global: &Global, args: &ExportArgs, out: &mut dyn Write, notes: &mut dyn Write) -> Result<(), Failure> {
    if let Some(folder) = &args.preview {
        return preview::preview(global, args, folder, out, notes);
    }
    match (args.what, &args.dir) {
        (ExportWhat::Config, None) => {
            let (_, config) = load::read(global)?;
            print(out, &config.canonical())
        }
        (ExportWhat::Fields, None) => print(out, &setup::fields::markdown()),
        (ExportWhat::Template, None) => {
            let templates = setup::export::export_template(product(args), &index_settings(global)?)
                .map_err(|fault| Failure::usage(fault.to_string()))?;
            print(out, &format!("{templates:#}\n"))
        }
        (ExportWhat::IlmPolicy, None) => {
            let policy = setup::export::export_policy(product(args), &index_settings(global)?)
                .map_err(|fault| Failure::usage(fault.to_string()))?;
            if policy.is_null() {
                return Err(Failure::usage(
                    "there is no policy: by `setup.lifecycle.type` and `setup.ilm.enabled` none is used",
                ));
            }
            print(out, &format!("{policy:#}\n"))
        }
        (ExportWhat::Rules, None) => print(out, &rules::ndjson(&rules::all(&asset_options(global)?))),
        (ExportWhat::Dashboard, None) => {
            let files = dashboards::files(&asset_options(global)?);
            files.iter().try_for_each(|(_, text)| print(out, text))
        }
        (ExportWhat::Template, Some(folder)) => {
            let config = index_settings(global)?;
            for product in Product::ALL {
                let files =
                    setup::export::files(product, &config).map_err(|fault| Failure::usage(fault.to_string()))?;
                write(folder, &files)?;
            }
            Ok(())
        }
        (ExportWhat::Fields, Some(folder)) => write(folder, &setup::fields::files()),
        (ExportWhat::Dashboard, Some(folder)) => {
            let files = dashboards::files(&asset_options(global)?).into_iter();
            let files: Vec<_> = files.map(|(path, text)| setup::export::File { path: path.into(), text }).collect();
            write(folder, &files)
        }
        (ExportWhat::Config | ExportWhat::IlmPolicy | ExportWhat::Rules, Some(_)) => Err(Failure::usage(
            "this export prints; `--dir` is for `template`, with the policy beside the templates, for `dashboard` and for \
             `fields`",
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
fn index_settings(global: &Global) -> Result<SetupConfig, Failure> {
    section(global, |config| {
        // Its parts that others read.
        config.written("setup.kibana", crate::config::Written::Nothing);
        config.section::<ApprovedRegions>("setup.approved_regions");
        config.section("setup")
    })
}

/// What dashboards and rules are made with.
fn asset_options(global: &Global) -> Result<Options, Failure> {
    section(global, |config| config.section::<ApprovedRegions>("setup.approved_regions")).map(Options::from)
}

/// Settings that are read without the rest of the configuration; the defaults without any.
fn section<T: Default>(global: &Global, read: impl FnOnce(&mut crate::config::Config) -> T) -> Result<T, Failure> {
    if global.config.iter().all(|file| !file.exists()) && global.overrides.is_empty() {
        return Ok(T::default());
    }
    let mut config = load::config(global)?;
    let read = read(&mut config);
    let faults = config.take_errors();
    if faults.is_empty() { Ok(read) } else { Err(Failure::usage(faults.to_string())) }
}

fn print(out: &mut dyn Write, text: &str) -> Result<(), Failure> {
    Ok(out.write_all(text.as_bytes()).context("cannot print")?)
}

fn write(folder: &Path, files: &[setup::export::File]) -> Result<(), Failure> {
    Ok(setup::export::write(folder, files).with_context(|| format!("cannot write below `{}`", folder.display()))?)
}
