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
use super::template::{IGNORE_MISSING, Named, Templates};
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
    let mut setup = Setup { server, config, stream, rollover, report };
    if let Err(fault) = setup.run().await {
        setup.report.push("setup", Verdict::Failed, fault.to_string());
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
        let streams = match streams::find(&self.server, self.config, self.stream).await {
            Ok(streams) => streams,
            Err(fault) => {
                self.report.push("data streams", Verdict::Warning, fault.to_string());
                return Ok(());
            }
        };
        for stream in streams {
            let look = streams::look(&self.server, &templates, &stream, self.rollover);
            let (verdict, detail) = match look.await {
                Ok(found) => found,
                Err(fault) if self.rollover => (Verdict::Failed, fault.to_string()),
                Err(fault) => (Verdict::Warning, fault.to_string()),
            };
            self.report.push(format!("data stream `{}`", stream.name), verdict, detail);
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
            let answer = self.server.post("_index_template/_simulate", Some(&templates.trial())).await?;
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
                self.report.steps.push(Step { what: change.what(), verdict: Verdict::Replaced, detail, fields });
                true
            }
            None => false,
        }
    }

    /// Composes the user's own component template where it exists, or may be missing.
    async fn with_custom(&mut self, mut templates: Templates) -> Result<Templates, ServerError> {
        let name = templates.custom_name();
        let found = self.server.get(&format!("_component_template/{name}")).await?.found()?;
        match found {
            Some(_) => self.report.push(format!("component template `{name}`"), Verdict::Ok, "yours: applied last"),
            None => templates.custom = templates.keys.contains_key(IGNORE_MISSING),
        }
        Ok(templates)
    }

    /// Installs what differs. False when something newer or foreign is there, so that nothing was installed.
    async fn install(&mut self, templates: &Templates) -> Result<bool, ServerError> {
        let mut parts = Vec::new();
        for part in templates.components() {
            parts.push(self.plan("component", part).await?);
        }
        parts.push(self.plan("index", templates.index()).await?);
        if parts.iter().any(|part| matches!(part.plan, Plan::Keep | Plan::Refuse)) {
            parts.retain(|part| matches!(part.plan, Plan::Keep | Plan::Refuse));
            for part in parts {
                let (verdict, detail) = part.obstacle();
                self.report.push(part.what, verdict, detail);
            }
            return Ok(false);
        }
        for part in parts {
            if part.plan != Plan::Leave {
                self.server.put(&part.path, &part.wanted.body).await?;
            }
            let (verdict, detail) = part.result();
            self.report.push(part.what, verdict, detail);
        }
        Ok(true)
    }

    async fn plan(&self, kind: &str, wanted: Named) -> Result<Part, ServerError> {
        let path = format!("_{kind}_template/{}", wanted.name);
        let found = Found::read(self.server.get(&path).await?.found()?.as_ref());
        let plan = found.plan(&wanted, self.config.overwrite);
        let what = format!("{kind} template `{}`", wanted.name);
        Ok(Part { what, path, wanted, found, plan })
    }
}

/// One template, with what is to be done about it.
struct Part {
    what: String,
    path: String,
    wanted: Named,
    found: Found,
    plan: Plan,
}

impl Part {
    /// Why nothing is installed.
    fn obstacle(&self) -> (Verdict, String) {
        match self.plan {
            Plan::Keep => (Verdict::Kept, format!("{} is there and stays; nothing was installed", self.found)),
            _ => {
                let detail = "somebody else made it; nothing was installed: give another `setup.template.name`, or set \
                              `setup.template.overwrite` to `true`";
                (Verdict::Failed, detail.to_owned())
            }
        }
    }

    /// What was done.
    fn result(&self) -> (Verdict, String) {
        match self.plan {
            Plan::Leave => (Verdict::Unchanged, self.found.to_string()),
            Plan::Create => (Verdict::Created, format!("version {RELEASE}")),
            _ => (Verdict::Updated, format!("version {RELEASE}; before: {}", self.found)),
        }
    }
}

const RELEASE: &str = env!("CARGO_PKG_VERSION");
