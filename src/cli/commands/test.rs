//! `trailship test config|output|input`.

use crate::check::{Check, Verdict};
use crate::cli::args::{Format, Global, TestArgs, TestWhat};
use crate::cli::{Failure, load, render};
use anyhow::Context as _;
use std::io::Write;

pub fn test(global: &Global, args: &TestArgs, out: &mut dyn Write) -> Result<(), Failure> {
    let settings = load::settings(global)?;
    let checks = match args.what {
        TestWhat::Config => {
            let detail = format!("{} inputs, every key understood", settings.inputs.len());
            vec![Check { step: "configuration".to_owned(), verdict: Verdict::Ok, detail }]
        }
        TestWhat::Input => load::runtime()?.block_on(async {
            let mut checks = Vec::new();
            for input in &settings.inputs {
                for check in input.input.test().await {
                    checks.push(Check { step: format!("{}: {}", input.input.id(), check.step), ..check });
                }
            }
            checks
        }),
        TestWhat::Output => load::runtime()?.block_on(settings.output.test()),
    };
    let fine = match args.format {
        Format::Json => render::json(out, &checks).map(|()| render::all_well(&checks)),
        Format::Text => render::checks(out, &checks),
    };
    if fine.context("cannot print the verdicts")? { Ok(()) } else { Err(Failure::work("a step failed")) }
}
