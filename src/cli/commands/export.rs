//! `trailship export config|template|fields`.

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
            let product = match args.engine {
                ExportEngine::Elasticsearch => Product::Elasticsearch,
                ExportEngine::Opensearch => Product::OpenSearch,
            };
            print(out, &format!("{:#}\n", setup::export::export_template(product, &templates(global)?.template)))
        }
        (ExportWhat::Template, Some(folder)) => {
            let config = templates(global)?.template;
            for product in [Product::Elasticsearch, Product::OpenSearch] {
                write(folder, &setup::export::files(product, &config))?;
            }
            Ok(())
        }
        (ExportWhat::Fields, Some(folder)) => {
            let text = setup::fields::markdown();
            write(folder, &[setup::export::File { path: "fields.md".into(), text }])
        }
        (ExportWhat::Config, Some(_)) => {
            Err(Failure::usage("`export config` prints; `--dir` is for `template` and `fields`"))
        }
    }
}

/// The section `setup`; templates can be exported without any configuration.
fn templates(global: &Global) -> Result<SetupConfig, Failure> {
    let absent = global.config.iter().all(|file| !file.exists()) && global.overrides.is_empty();
    Ok(if absent { SetupConfig::default() } else { load::config(global)?.section("setup") })
}

fn print(out: &mut dyn Write, text: &str) -> Result<(), Failure> {
    Ok(out.write_all(text.as_bytes()).context("cannot print")?)
}

fn write(folder: &Path, files: &[setup::export::File]) -> Result<(), Failure> {
    Ok(setup::export::write(folder, files).with_context(|| format!("cannot write below `{}`", folder.display()))?)
}
