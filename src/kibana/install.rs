//! Dashboards and detection rules into Kibana, with a step for each object. Running it again changes nothing.
//!
//! The order: which Kibana, the space, then for dashboards and for rules: what is there (`install/plan.rs`), what is to
//! be done, the import, and what became of it. Leaves out how to talk to Kibana (`client`) and how the files are made.
//! What holds: what a newer trailship installed stays, rules that people changed stay, rules keep what people set on
//! them, and after a failed step nothing more is imported.

mod mark;
mod plan;

use super::client::{Greeting, Imported, Key, Kibana, KibanaError, KibanaSettings};
use super::{Options, dashboards, rules};
use crate::setup::{Report, Verdict};
use plan::{Item, Plan};
use std::collections::{BTreeMap, BTreeSet};

/// Files to be installed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Assets {
    /// Saved objects, a JSON document a line: a dashboard with the data views it needs.
    pub dashboards: Vec<String>,
    /// Detection rules, a JSON document a line.
    pub rules: Option<String>,
}

impl Assets {
    /// Those of this release, for an installation's options.
    pub fn new(options: &Options, with_dashboards: bool, with_rules: bool) -> Assets {
        let dashboards = if with_dashboards { dashboards::all(options) } else { Vec::new() };
        Assets {
            dashboards: dashboards.iter().map(dashboards::ndjson).collect(),
            rules: with_rules.then(|| rules::ndjson(&rules::all(options))),
        }
    }
}

/// Installs what differs from what Kibana holds, and reports every object; with `dry_run` it only says what it would do.
pub async fn install(settings: &KibanaSettings, assets: &Assets, dry_run: bool) -> Report {
    let mut report = Report { dry_run, ..Report::default() };
    for warning in settings.warnings() {
        report.push("setup.kibana", Verdict::Warning, warning.clone());
    }
    match Kibana::new(settings) {
        Err(fault) => report.push("Kibana", Verdict::Failed, fault),
        Ok(kibana) => {
            let mut setup = Setup { kibana, dry_run, report, told: BTreeSet::new() };
            if let Err(fault) = setup.run(assets).await {
                setup.report.push("Kibana", Verdict::Failed, fault.to_string());
            }
            report = setup.report;
        }
    }
    report
}

struct Setup {
    kibana: Kibana,
    dry_run: bool,
    report: Report,
    /// Objects that are in the report: data views are in the files of several dashboards.
    told: BTreeSet<Key>,
}

impl Setup {
    async fn run(&mut self, assets: &Assets) -> Result<(), KibanaError> {
        let (verdict, who) = match self.kibana.greet().await? {
            Greeting::Kibana(version) => (Verdict::Ok, format!("version {version}")),
            Greeting::Unknown => {
                let who =
                    "it does not tell its version, as to those it does not know: check the login of `setup.kibana`";
                (Verdict::Warning, who.to_owned())
            }
        };
        self.report.push(format!("Kibana at `{}`", self.kibana.address()), verdict, who);
        self.kibana.find_space().await?;
        if !assets.dashboards.is_empty() {
            self.dashboards(&assets.dashboards).await?;
        }
        match &assets.rules {
            Some(rules) if !self.report.failed() => self.rules(rules).await,
            _ => Ok(()),
        }
    }

    async fn dashboards(&mut self, files: &[String]) -> Result<(), KibanaError> {
        let mut parsed = Vec::new();
        for file in files {
            let Some(items) = self.parse(file, plan::objects) else { return Ok(()) };
            parsed.push(items);
        }
        let keys: BTreeSet<Key> = parsed.iter().flatten().map(|item| item.key.clone()).collect();
        let keys: Vec<Key> = keys.into_iter().collect();
        let found = match self.kibana.find_objects(&keys).await {
            Ok(found) => found,
            // Replacing what is there is harmless, so that not knowing it stops nothing.
            Err(fault) if fault.is_refusal() && !self.dry_run => {
                let detail = format!("what is there cannot be compared, so all of them are imported: {fault}");
                self.report.push("dashboards", Verdict::Warning, detail);
                BTreeMap::new()
            }
            Err(fault) => return Err(fault),
        };
        for items in parsed {
            let mut planned: Vec<(Item, Plan)> = items
                .into_iter()
                .map(|item| {
                    let plan = plan::of_object(&item, found.get(&item.key));
                    (item, plan)
                })
                .collect();
            // A newer dashboard stays with the data views that it came with.
            if planned.iter().any(|(_, plan)| matches!(plan, Plan::Keep(_))) {
                planned.retain(|(_, plan)| matches!(plan, Plan::Keep(_)));
            }
            let sent = self.tell_and_choose(planned);
            if sent.is_empty() {
                continue;
            }
            // Each file has the data views that it needs: where an id belongs to another space, Kibana gives another one,
            // and mends the references within a file alone.
            let (file, keys) = file_of(&sent);
            let imported = self.kibana.import_objects(&file, &keys).await?;
            self.tell_results(sent, imported);
            if self.report.failed() {
                return Ok(());
            }
        }
        Ok(())
    }

    async fn rules(&mut self, file: &str) -> Result<(), KibanaError> {
        let Some(items) = self.parse(file, plan::rules) else { return Ok(()) };
        let keys: Vec<Key> = items.iter().map(|item| item.key.clone()).collect();
        let found = self.kibana.find_rules(&keys).await?;
        let mut planned = Vec::new();
        for mut item in items {
            let found = found.get(&item.key);
            let plan = plan::of_rule(&item, found);
            if let Some(found) = found {
                plan::keep_own(&mut item, found);
            }
            planned.push((item, plan));
        }
        let sent = self.tell_and_choose(planned);
        if sent.is_empty() {
            return Ok(());
        }
        let (file, keys) = file_of(&sent);
        let imported = self.kibana.import_rules(&file, &keys).await?;
        self.tell_results(sent, imported);
        Ok(())
    }

    fn parse(&mut self, file: &str, read: fn(&str) -> Result<Vec<Item>, String>) -> Option<Vec<Item>> {
        read(file).map_err(|fault| self.report.push("files", Verdict::Failed, fault)).ok()
    }

    /// Reports what is not sent, and gives the rest; in a dry run nothing is sent.
    fn tell_and_choose(&mut self, planned: Vec<(Item, Plan)>) -> Vec<(Item, Plan)> {
        let mut sent = Vec::new();
        for (item, plan) in planned {
            match plan.without_import(self.dry_run) {
                Some((verdict, detail)) if self.told.insert(item.key.clone()) => {
                    self.report.push(item.name(), verdict, detail);
                }
                Some(_) => {}
                None => sent.push((item, plan)),
            }
        }
        sent
    }

    fn tell_results(&mut self, sent: Vec<(Item, Plan)>, imported: Imported) {
        let mut failed: BTreeMap<Key, String> = imported.failed.into_iter().collect();
        let moved: BTreeMap<Key, String> = imported.moved.into_iter().collect();
        for (item, plan) in sent {
            let (verdict, detail) = match (failed.remove(&item.key), moved.get(&item.key)) {
                (Some(why), _) => (Verdict::Failed, why),
                (None, Some(id)) => {
                    let links = if item.key.kind == "dashboard" { "; links from other dashboards miss it" } else { "" };
                    (Verdict::Warning, format!("imported as `{id}`, since its own id is taken in another space{links}"))
                }
                (None, None) => plan.imported(),
            };
            if self.told.insert(item.key.clone()) || verdict == Verdict::Failed {
                self.report.push(item.name(), verdict, detail);
            }
        }
        // What was not in the file, but Kibana names all the same.
        for (key, why) in failed {
            self.report.push(key.to_string(), Verdict::Failed, why);
        }
        for warning in imported.warnings {
            self.report.push("Kibana", Verdict::Warning, warning);
        }
    }
}

fn file_of(items: &[(Item, Plan)]) -> (String, Vec<Key>) {
    let lines: Vec<String> = items.iter().map(|(item, _)| item.body.to_string()).collect();
    (lines.join("\n") + "\n", items.iter().map(|(item, _)| item.key.clone()).collect())
}

#[cfg(test)]
mod tests;
