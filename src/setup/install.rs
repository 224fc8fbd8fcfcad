//! Installs the templates and looks whether they take effect. Running it again changes nothing.
//!
//! The order: which server, what it lacks (asked without storing anything), what is there already, then the component
//! templates, the index template, and last the data streams: which template wins for them, and whether they are older.

use super::config::TemplateConfig;
use super::nearest::{self, Change};
use super::report::{Report, Step, Verdict};
use super::server::{Server, ServerError};
use super::stored::{Found, Plan};
use super::streams;
use super::template::{IGNORE_MISSING, Templates};
use crate::output::elasticsearch::Cluster;

/// Most questions to a server about what it lacks. Each answer names something, of which there are fewer.
const MOST_TRIALS: usize = 16;

/// Installs the templates for the data stream that the cluster is shipped into, and reports every step; after a failed
/// one nothing more is installed. With `rollover`, data streams that were made with other templates are rolled over.
pub async fn install(cluster: &Cluster, config: &TemplateConfig, rollover: bool) -> Report {
    let mut report = Report::default();
    if !config.enabled {
        let detail = "not installed, because `setup.template.enabled` is `false`";
        report.push("templates", Verdict::Ok, detail);
        return report;
    }
    let server = match Server::find(cluster).await {
        Ok(server) => server,
        Err(fault) => {
            report.push("server", Verdict::Failed, fault.to_string());
            return report;
        }
    };
    report.push("server", Verdict::Ok, server.engine.to_string());
    report.engine = Some(server.engine.clone());
    let stream = cluster.settings().stream.as_str();
    let mut setup = Setup {
        server,
        config,
        stream,
        rollover,
        report,
    };
    if let Err(fault) = setup.run().await {
        setup
            .report
            .push("setup", Verdict::Failed, fault.to_string());
    }
    setup.report
}

struct Setup<'a> {
    server: Server<'a>,
    config: &'a TemplateConfig,
    stream: &'a str,
    rollover: bool,
    report: Report,
}

impl Setup<'_> {
    async fn run(&mut self) -> Result<(), ServerError> {
        let templates = self.fit().await?;
        if !self.install(&templates).await? {
            return Ok(());
        }
        // The templates are in place by now; a look that is not allowed must not call that into question.
        let (pattern, stream) = (self.config.pattern.as_str(), self.stream);
        let streams = match streams::find(&self.server, pattern, stream).await {
            Ok(streams) => streams,
            Err(fault) => {
                self.report
                    .push("data streams", Verdict::Warning, fault.to_string());
                return Ok(());
            }
        };
        for stream in streams {
            let look = streams::look(
                &self.server,
                self.config,
                &templates,
                &stream,
                self.rollover,
            );
            let (verdict, detail) = match look.await {
                Ok(found) => found,
                Err(fault) if self.rollover => (Verdict::Failed, fault.to_string()),
                Err(fault) => (Verdict::Warning, fault.to_string()),
            };
            self.report
                .push(format!("data stream `{}`", stream.name), verdict, detail);
        }
        Ok(())
    }

    /// The templates as this server takes them; what had to be changed is reported.
    async fn fit(&mut self) -> Result<Templates, ServerError> {
        let mut templates = Templates::new(self.config);
        for change in nearest::known(self.server.engine.product) {
            self.change(&change, &mut templates);
        }
        for _ in 0..MOST_TRIALS {
            let answer = self
                .server
                .post("_index_template/_simulate", Some(&templates.trial()))
                .await?;
            if answer.is_accepted() {
                return self.with_custom(templates).await;
            }
            let mut changed = false;
            for change in nearest::read(&answer.body) {
                changed |= self.change(&change, &mut templates);
            }
            if !changed {
                return Err(answer.refusal());
            }
        }
        Err(ServerError::Unfit(MOST_TRIALS))
    }

    fn change(&mut self, change: &Change, templates: &mut Templates) -> bool {
        match change.apply(templates) {
            Some(fields) => {
                let detail = change.describe(&fields);
                self.report.steps.push(Step {
                    what: change.what(),
                    verdict: Verdict::Replaced,
                    detail,
                    fields,
                });
                true
            }
            None => false,
        }
    }

    /// Composes the user's own component template where it exists, or may be missing.
    async fn with_custom(&mut self, mut templates: Templates) -> Result<Templates, ServerError> {
        let name = templates.custom_name();
        let found = self
            .server
            .get(&format!("_component_template/{name}"))
            .await?
            .found()?;
        match found {
            Some(_) => self
                .report
                .push(component(&name), Verdict::Ok, "yours: applied last"),
            None => templates.custom = templates.keys.contains_key(IGNORE_MISSING),
        }
        Ok(templates)
    }

    /// Installs what differs. False when something newer or foreign is there, so that nothing was installed.
    async fn install(&mut self, templates: &Templates) -> Result<bool, ServerError> {
        let mut wanted = Vec::new();
        for part in templates.components() {
            wanted.push((
                component(&part.name),
                format!("_component_template/{}", part.name),
                part,
            ));
        }
        let index = templates.index();
        wanted.push((
            format!("index template `{}`", index.name),
            format!("_index_template/{}", index.name),
            index,
        ));

        let mut plans = Vec::new();
        for (what, path, part) in wanted {
            let found = Found::read(self.server.get(&path).await?.found()?.as_ref());
            let plan = found.plan(&part, self.config.overwrite);
            plans.push((what, path, part, found, plan));
        }
        let blocked = plans
            .iter()
            .any(|(.., plan)| matches!(plan, Plan::Keep | Plan::Refuse));
        for (what, path, part, found, plan) in plans {
            let (verdict, detail) = match plan {
                Plan::Keep => (Verdict::Kept, format!("{found} is there and stays; nothing was installed")),
                Plan::Refuse => (
                    Verdict::Failed,
                    "somebody else made it: nothing was installed; give another `setup.template.name`, or set \
                     `setup.template.overwrite` to `true`"
                        .to_owned(),
                ),
                _ if blocked => continue,
                Plan::Leave => (Verdict::Unchanged, found.to_string()),
                Plan::Create | Plan::Update => {
                    self.server.put(&path, &part.body).await?;
                    match plan {
                        Plan::Create => (Verdict::Created, format!("version {}", env!("CARGO_PKG_VERSION"))),
                        _ => (Verdict::Updated, format!("version {} in place of {found}", env!("CARGO_PKG_VERSION"))),
                    }
                }
            };
            self.report.push(what, verdict, detail);
        }
        Ok(!blocked)
    }
}

fn component(name: &str) -> String {
    format!("component template `{name}`")
}
