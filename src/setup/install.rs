//! Installs the policy and the templates and looks whether they take effect. Running it again changes nothing.
//!
//! The order: which server, what it has and lacks (asked without storing anything), what is there already, then the
//! policy, the component templates, the index templates, and last the data streams: which template wins for them, and
//! whether they are older.

use super::config::SetupConfig;
use super::fit;
use super::lifecycle::{self, Lifecycle, Policy};
use super::report::{Report, Verdict};
use super::server::{Server, ServerError};
use super::stored::{Found, Plan};
use super::streams;
use super::template::{Named, Templates};
use crate::output::elasticsearch::Cluster;

/// What `setup` is asked to do besides installing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Options {
    /// Data streams that were made with other templates get what is new, and a new index.
    pub rollover: bool,
    /// Nothing is changed; the report says what would be.
    pub dry_run: bool,
}

/// Installs what the data streams need that the cluster is shipped into, and reports every step; after a failed one
/// nothing more is installed.
pub async fn install(cluster: &Cluster, config: &SetupConfig, options: Options) -> Report {
    let mut report = Report { dry_run: options.dry_run, ..Report::default() };
    if !config.template.enabled {
        let detail = "not installed, because `setup.template.enabled` is `false`";
        report.push("templates", Verdict::Ok, detail);
        return report;
    }
    let server = match Server::find(cluster, options.dry_run).await {
        Ok(server) => server,
        Err(fault) => {
            report.push("server", Verdict::Failed, fault.to_string());
            return report;
        }
    };
    report.push("server", Verdict::Ok, server.engine.to_string());
    report.engine = Some(server.engine.clone());
    let stream = cluster.settings().stream.as_str();
    let mut setup = Setup { server, config, stream, options, report };
    if let Err(fault) = setup.run().await {
        setup.report.push("setup", Verdict::Failed, fault.to_string());
    }
    setup.report
}

struct Setup<'a> {
    server: Server<'a>,
    config: &'a SetupConfig,
    stream: &'a str,
    options: Options,
    report: Report,
}

impl Setup<'_> {
    async fn run(&mut self) -> Result<(), ServerError> {
        let lifecycle = lifecycle::choose(&self.server, self.config, &mut self.report).await?;
        let fitted = fit::fit(&self.server, self.config, &lifecycle, &mut self.report).await?;
        if !self.install(&lifecycle, &fitted).await? {
            return Ok(());
        }
        for templates in &fitted {
            self.look(templates).await;
        }
        Ok(())
    }

    /// Installs what differs. False when a template is there that is newer or foreign, so that nothing was installed.
    async fn install(&mut self, lifecycle: &Lifecycle, fitted: &[Templates]) -> Result<bool, ServerError> {
        let mut parts = Vec::new();
        for templates in fitted {
            for part in templates.components() {
                parts.push(self.plan("component", part).await?);
            }
            parts.push(self.plan("index", templates.index()).await?);
        }
        if parts.iter().any(|part| matches!(part.plan, Plan::Keep | Plan::Refuse)) {
            parts.retain(|part| matches!(part.plan, Plan::Keep | Plan::Refuse));
            for part in parts {
                let (verdict, detail) = part.obstacle();
                self.report.push(part.what, verdict, detail);
            }
            return Ok(false);
        }
        if let Some(policy) = lifecycle.policy() {
            self.put_policy(policy).await?;
        }
        for part in parts {
            if part.plan != Plan::Leave {
                self.server.put(&part.path, &part.wanted.body).await?.accepted()?;
            }
            let (verdict, detail) = part.result();
            self.report.push(part.what, verdict, detail);
        }
        Ok(true)
    }

    async fn plan(&self, kind: &str, wanted: Named) -> Result<Part, ServerError> {
        let path = format!("_{kind}_template/{}", wanted.name);
        let found = Found::read(self.server.get(&path).await?.found()?.as_ref());
        let plan = found.plan(wanted.fingerprint(), self.config.template.overwrite);
        let what = format!("{kind} template `{}`", wanted.name);
        Ok(Part { what, path, wanted, found, plan })
    }

    /// A policy of somebody else is no obstacle: the templates name it, whoever made it.
    async fn put_policy(&mut self, policy: &Policy) -> Result<(), ServerError> {
        let ilm = &self.config.ilm;
        if !ilm.check_exists && !ilm.overwrite {
            let detail = "not looked at, because `setup.ilm.check_exists` is `false`";
            self.report.push(policy.what(), Verdict::Ok, detail);
            return Ok(());
        }
        let there = match ilm.check_exists {
            true => self.server.get(&policy.path()).await?.found()?,
            false => None,
        };
        let found = policy.found(there.as_ref());
        let plan = found.plan(&policy.fingerprint(), ilm.overwrite);
        if matches!(plan, Plan::Create | Plan::Update) {
            let body = policy.body(policy.next_revision(there.as_ref()));
            self.server.put(&policy.path_over(there.as_ref()), &body).await?.accepted()?;
        }
        let (verdict, detail) = match plan {
            Plan::Keep => (Verdict::Kept, format!("{found} is there, stays and is used")),
            Plan::Refuse => {
                let detail = "somebody else made or changed it: it stays and is used; set `setup.ilm.overwrite` to \
                              `true` to replace it, or give another `setup.ilm.policy_name`";
                (Verdict::Kept, detail.to_owned())
            }
            Plan::Leave | Plan::Create | Plan::Update => result(plan, &found),
        };
        self.report.push(policy.what(), verdict, detail);
        Ok(())
    }

    /// The templates are in place by now; a look that is not allowed must not call that into question.
    async fn look(&mut self, templates: &Templates) {
        let streams = match streams::find(&self.server, templates, &templates.data_set.beside(self.stream)).await {
            Ok(streams) => streams,
            Err(fault) => {
                self.report.push(
                    format!("data streams of {}", templates.data_set.about),
                    Verdict::Warning,
                    fault.to_string(),
                );
                return;
            }
        };
        for stream in streams {
            let look = streams::look(&self.server, templates, &stream, self.options);
            let (verdict, detail) = match look.await {
                Ok(found) => found,
                Err(fault) if self.options.rollover => (Verdict::Failed, fault.to_string()),
                Err(fault) => (Verdict::Warning, fault.to_string()),
            };
            self.report.push(format!("data stream `{}`", stream.name), verdict, detail);
        }
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

    fn result(&self) -> (Verdict, String) {
        result(self.plan, &self.found)
    }
}

/// What was done.
fn result(plan: Plan, found: &Found) -> (Verdict, String) {
    match plan {
        Plan::Leave => (Verdict::Unchanged, found.to_string()),
        Plan::Create => (Verdict::Created, format!("version {RELEASE}")),
        _ => (Verdict::Updated, format!("version {RELEASE}; before: {found}")),
    }
}

const RELEASE: &str = env!("CARGO_PKG_VERSION");
