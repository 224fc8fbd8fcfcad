//! Input `aws-cloudwatch`: log groups of CloudWatch Logs, read by windows of time. How it keeps its promises:
//! `design.md` beside this file.

pub mod config;
mod cursor;
mod groups;
mod lease;
mod memory;
mod piece;
mod run;
mod source;
#[cfg(test)]
mod testing;
mod window;
mod worker;
mod workload;

use super::{Check, Context, Input, InputError, Verdict};
use crate::aws::{FaultKind, Session};
use crate::inputs::access;
use crate::inputs::backlog::{Backlog, LogGroup, Looking};
use crate::pipeline::Faults;
use config::CloudWatchConfig;
use cursor::FileCursors;
use groups::Group;
use lease::SharedCursors;
use run::Run;
use source::{CloudWatchLogs, Logs, Streams};
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use window::Window;

/// The input, configured.
pub struct CloudWatchInput {
    config: CloudWatchConfig,
}

impl CloudWatchInput {
    /// An input of a configuration without [`problems`](CloudWatchConfig::problems).
    pub fn new(config: CloudWatchConfig) -> CloudWatchInput {
        CloudWatchInput { config }
    }

    async fn open(&self) -> Result<(Session, CloudWatchLogs), String> {
        let session = Session::open(self.config.aws()).await.map_err(|error| error.to_string())?;
        let streams = match (&self.config.log_streams[..], self.config.log_stream_prefix.as_str()) {
            ([], "") => Streams::All,
            ([], prefix) => Streams::Prefix(prefix.to_owned()),
            (names, _) => Streams::Named(names.to_vec()),
        };
        let logs = CloudWatchLogs::new(&session, streams, self.config.requests_per_second);
        Ok((session, logs))
    }

    async fn ship(&self, context: Context) -> Result<(), String> {
        let faults = Faults::new(self.config.on_fault.policies(), Arc::clone(&context.progress.faults));
        let context = Context { mill: context.mill.facing(faults), ..context };
        let (session, logs) = self.open().await?;
        tracing::info!(
            input = self.config.id,
            region = session.region(),
            calls_a_second = logs.rate(),
            "log groups are read"
        );
        if let Some(documents) = &context.shared {
            let cursors = SharedCursors::new(Arc::clone(documents), &self.config.id);
            return Run::new(self.config.clone(), context, logs, cursors).run().await;
        }
        let (data, id) = (context.data.clone(), self.config.id.clone());
        let opened = tokio::task::spawn_blocking(move || FileCursors::open(&data, &id)).await;
        let cursors = opened.map_err(|fault| format!("a fault inside trailship: {fault}"))?;
        let cursors = cursors.map_err(|error| error.to_string())?;
        Run::new(self.config.clone(), context, logs, cursors).run().await
    }

    async fn check(&self) -> Vec<Check> {
        let mut checks = Vec::new();
        let mut done =
            |step: &str, verdict, detail: String| checks.push(Check { step: step.to_owned(), verdict, detail });
        let (session, logs) = match self.open().await {
            Ok(opened) => opened,
            Err(reason) => {
                done("settings", Verdict::Failed, reason);
                return checks;
            }
        };
        if !access::identify(&session, &mut done).await {
            return checks;
        }
        let found = match groups::look(&logs, &self.config.wanted()).await {
            Ok(found) => found,
            Err(fault) => {
                done("logs:DescribeLogGroups", Verdict::Failed, format!("{fault}; {}", fault.advice()));
                return checks;
            }
        };
        let verdict = if found.groups.is_empty() { Verdict::Failed } else { Verdict::Ok };
        done("logs:DescribeLogGroups", verdict, format!("{} log groups to read", found.groups.len()));
        for (name, why) in found.unreadable {
            done("log group class", Verdict::Warning, format!("`{name}` is not read: {why}"));
        }
        if let Some(group) = found.groups.values().next() {
            // A millisecond long ago holds nothing, and is answered like any other.
            match logs.page(group, Window { start: 0, end: 0 }, None).await {
                Ok(_) => done("logs:FilterLogEvents", Verdict::Ok, format!("`{}` can be read", group.name)),
                Err(fault) => {
                    let verdict = if fault.kind == FaultKind::Throttled { Verdict::Warning } else { Verdict::Failed };
                    done("logs:FilterLogEvents", verdict, format!("{fault}; {}", fault.advice()));
                }
            }
        }
        checks
    }
}

impl Input for CloudWatchInput {
    fn id(&self) -> &str {
        &self.config.id
    }

    fn run(self: Box<Self>, context: Context) -> Pin<Box<dyn Future<Output = Result<(), InputError>> + Send>> {
        Box::pin(async move {
            self.ship(context).await.map_err(|reason| InputError { input: self.config.id.clone(), reason })
        })
    }

    fn backlog<'a>(&'a self, data: &'a Path) -> Looking<'a> {
        Box::pin(async move {
            let (_, logs) = self.open().await?;
            let found = groups::look(&logs, &self.config.wanted()).await;
            let found = found.map_err(|fault| format!("{fault}; {}", fault.advice()))?;
            let (data, id) = (data.to_owned(), self.config.id.clone());
            let cursors = tokio::task::spawn_blocking(move || FileCursors::open(&data, &id)).await;
            let cursors = cursors.map_err(|fault| format!("a fault inside trailship: {fault}"))?;
            let cursors = cursors.map_err(|error| error.to_string())?;
            let group = |(key, group): (&String, &Arc<Group>)| LogGroup {
                name: group.name.clone(),
                read_up_to: cursors.read_up_to(key, group),
            };
            Ok(Backlog::LogGroups { groups: found.groups.iter().map(group).collect(), unreadable: found.unreadable })
        })
    }

    fn test(&self) -> Pin<Box<dyn Future<Output = Vec<Check>> + Send + '_>> {
        Box::pin(self.check())
    }
}
