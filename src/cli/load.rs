//! From the command line's flags to settings: reads the files, prints warnings, turns errors into exit code 2.

use super::Failure;
use super::args::Global;
use crate::app::{self, CommandLine, Settings};
use crate::config::{self, Config, ConfigErrors};
use crate::telemetry::log::{self, LogSettings};
use anyhow::Context as _;
use std::io::Write;
use std::path::PathBuf;

/// The configuration's files, not yet read by anybody.
pub fn config(global: &Global) -> Result<Config, Failure> {
    let files: Vec<PathBuf> = global
        .config
        .iter()
        .map(|file| global.path_config.as_ref().map_or_else(|| file.clone(), |folder| folder.join(file)))
        .collect();
    if global.strict_perms {
        for file in files.iter().filter(|file| file.exists()) {
            config::check_permissions(file).map_err(refused)?;
        }
    }
    config::load(&files, &global.overrides, &|name| std::env::var(name).ok()).map_err(refused)
}

/// The whole configuration, checked.
pub fn settings(global: &Global) -> Result<Settings, Failure> {
    read(global).map(|(settings, _)| settings)
}

/// The same with the tree that it came from.
pub fn read(global: &Global) -> Result<(Settings, Config), Failure> {
    let mut config = config(global)?;
    let command_line = CommandLine {
        data: global.path_data.clone(),
        logs: global.path_logs.clone(),
        stderr: global.stderr,
        verbose: global.verbose,
        selectors: global.debug.clone(),
    };
    let settings = app::read(&mut config, &command_line);
    let end = config.finish();
    let warnings = config.warnings();
    if !warnings.is_empty() {
        let _ = writeln!(std::io::stderr(), "{}", warnings.to_string().trim_end());
    }
    end.map_err(refused)?;
    let settings = settings.ok_or_else(|| Failure::usage("the configuration is incomplete"))?;
    Ok((settings, config))
}

pub fn start_logs(settings: &LogSettings) -> Result<(), Failure> {
    log::start(settings)
        .with_context(|| format!("cannot write logs to `{}` (`path.logs`)", settings.folder.display()))?;
    Ok(())
}

pub fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    // The provider for whoever asks for the process's default; a second install changes nothing.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    Ok(runtime.context("cannot start the async runtime")?)
}

fn refused(errors: ConfigErrors) -> Failure {
    Failure::Usage(errors.to_string())
}
