//! The templates as the server at hand takes them: it is asked, without storing anything, until it refuses nothing.
//!
//! What one data set's templates had to give up the others give up too, so that all are alike; it is said once.

use super::config::{SetupConfig, Switch};
use super::datasets;
use super::lifecycle::Lifecycle;
use super::lifecycle::config::Method;
use super::nearest::{self, Change};
use super::refusal;
use super::report::{Report, Step, Verdict};
use super::server::{Server, ServerError};
use super::template::{IGNORE_MISSING, STREAM_OPTIONS, Templates};

/// Most questions to a server about what it lacks, for each data set. Each answer names something, of which there are
/// fewer.
const MOST_TRIALS: usize = 16;

/// The templates of every data set; what had to be changed is reported.
///
/// # Errors
/// The server does not answer, refuses for another reason, or lacks what the configuration wants without fail.
pub async fn fit(
    server: &Server<'_>,
    config: &SetupConfig,
    lifecycle: &Lifecycle,
    report: &mut Report,
) -> Result<Vec<Templates>, ServerError> {
    let mut changes = Changes::default();
    let fitted = fit_all(server, config, lifecycle, &mut changes).await;
    changes.report(report);
    let fitted = fitted?;
    changes.check(config)?;
    let mut all = Vec::new();
    for templates in fitted {
        all.push(with_custom(server, templates, report).await?);
    }
    Ok(all)
}

async fn fit_all(
    server: &Server<'_>,
    config: &SetupConfig,
    lifecycle: &Lifecycle,
    changes: &mut Changes,
) -> Result<Vec<Templates>, ServerError> {
    let mut fitted = Vec::new();
    for data_set in datasets::ALL {
        let mut templates = Templates::new(config, data_set, lifecycle);
        for change in nearest::known(server.engine.product).into_iter().chain(changes.known()) {
            changes.apply(&change, &mut templates);
        }
        fitted.push(try_out(server, templates, changes).await?);
    }
    Ok(fitted)
}

async fn try_out(
    server: &Server<'_>,
    mut templates: Templates,
    changes: &mut Changes,
) -> Result<Templates, ServerError> {
    for _ in 0..MOST_TRIALS {
        let answer = server.simulate("_index_template/_simulate", Some(&templates.trial())).await?;
        if answer.is_accepted() {
            return Ok(templates);
        }
        let mut changed = false;
        for change in refusal::read(&answer.body) {
            changed |= changes.apply(&change, &mut templates);
        }
        if !changed {
            return Err(answer.refusal());
        }
    }
    Err(ServerError::Unfit(MOST_TRIALS))
}

/// Composes the user's own component template where it exists, or may be missing.
async fn with_custom(
    server: &Server<'_>,
    mut templates: Templates,
    report: &mut Report,
) -> Result<Templates, ServerError> {
    let name = templates.custom_name();
    match server.get(&format!("_component_template/{name}")).await?.found()? {
        Some(_) => report.push(format!("component template `{name}`"), Verdict::Ok, "yours: applied last"),
        None => templates.custom = templates.keys.contains_key(IGNORE_MISSING),
    }
    Ok(templates)
}

/// What was changed, with the fields it concerned.
#[derive(Default)]
struct Changes(Vec<(Change, Vec<String>)>);

impl Changes {
    fn known(&self) -> Vec<Change> {
        self.0.iter().map(|(change, _)| change.clone()).collect()
    }

    /// True when there was something to change.
    fn apply(&mut self, change: &Change, templates: &mut Templates) -> bool {
        let Some(fields) = change.apply(templates) else {
            return false;
        };
        let at = self.0.iter().position(|(known, _)| known == change).unwrap_or_else(|| {
            self.0.push((change.clone(), Vec::new()));
            self.0.len() - 1
        });
        if let Some((_, known)) = self.0.get_mut(at) {
            for field in fields {
                if !known.contains(&field) {
                    known.push(field);
                }
            }
        }
        true
    }

    fn report(&self, report: &mut Report) {
        for (change, fields) in &self.0 {
            let (what, detail) = (change.what(), change.describe(fields));
            report.steps.push(Step { what, verdict: Verdict::Replaced, detail, fields: fields.clone() });
        }
    }

    /// What the configuration wants by name must not be left out.
    fn check(&self, config: &SetupConfig) -> Result<(), ServerError> {
        let is_gone = |name: &str| self.0.iter().any(|(change, _)| *change == Change::StreamKey(name.to_owned()));
        if config.failure_store == Switch::True && is_gone(STREAM_OPTIONS) {
            return Err(ServerError::Lacking { lacking: "failure store", setting: "setup.failure_store" });
        }
        if config.lifecycle.method == Method::Dsl && is_gone("lifecycle") {
            return Err(ServerError::Lacking { lacking: "data stream lifecycle", setting: "setup.lifecycle.type" });
        }
        Ok(())
    }
}
