//! The verbs of CloudWatch Logs that this input needs, and the service behind them.
//!
//! The seam is small so that tests can put groups of their own in its place. Every call waits for the quota first; no
//! verb retries: whoever calls has a loop that does.

use super::groups::Group;
use super::window::Window;
use crate::aws::fault::{Fault, FaultKind, Service};
use crate::aws::{Api, Bucket, Calls, Session};
use crate::record::log_event::LogEvent;
use aws_sdk_cloudwatchlogs::types::FilteredLogEvent;
use std::sync::Arc;

/// A page of a window.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Page {
    pub events: Vec<LogEvent>,
    /// What to ask the next page with; the window is read when there is none. A page may be empty and have one.
    pub token: Option<String>,
}

/// A group as the service describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Described {
    pub name: String,
    /// Without `:*` at its end.
    pub arn: String,
    /// `STANDARD` and such.
    pub class: String,
}

/// CloudWatch Logs in one region.
pub trait Logs: Send + Sync + 'static {
    /// A page of the events of `group` in `window`.
    fn page(
        &self,
        group: &Group,
        window: Window,
        token: Option<&str>,
    ) -> impl Future<Output = Result<Page, Fault>> + Send;

    /// Groups whose names begin with `prefix`, page by page; `linked`: those of linked accounts too.
    fn describe(
        &self,
        prefix: &str,
        linked: bool,
        token: Option<&str>,
    ) -> impl Future<Output = Result<(Vec<Described>, Option<String>), Fault>> + Send;

    fn region(&self) -> &str;

    /// Calls of FilterLogEvents so far, by everybody who shares the quota.
    fn calls(&self) -> Calls;

    /// Calls of FilterLogEvents a second, at most.
    fn rate(&self) -> f64;
}

/// The real service.
pub struct CloudWatchLogs {
    client: aws_sdk_cloudwatchlogs::Client,
    region: String,
    filter: Arc<Bucket>,
    describe: Arc<Bucket>,
    streams: Streams,
}

/// The streams of a group that are read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Streams {
    All,
    Named(Vec<String>),
    Prefix(String),
}

impl CloudWatchLogs {
    /// The service in the session's region. `rate`: calls of FilterLogEvents a second, instead of the default.
    pub fn new(session: &Session, streams: Streams, rate: Option<u32>) -> CloudWatchLogs {
        let (caller, region) = (session.caller(), session.region().to_owned());
        let rate = rate.map_or_else(|| Api::FilterLogEvents.default_rate(&region), f64::from);
        CloudWatchLogs {
            client: session.logs(),
            filter: Bucket::shared(Api::FilterLogEvents, &caller, &region, rate),
            describe: Bucket::shared(
                Api::DescribeLogGroups,
                &caller,
                &region,
                Api::DescribeLogGroups.default_rate(&region),
            ),
            region,
            streams,
        }
    }
}

impl Logs for CloudWatchLogs {
    async fn page(&self, group: &Group, window: Window, token: Option<&str>) -> Result<Page, Fault> {
        self.filter.ready().await;
        let mut request = self
            .client
            .filter_log_events()
            .start_time(window.start)
            .end_time(window.end)
            .set_next_token(token.map(str::to_owned));
        request = match &group.identifier {
            Some(identifier) => request.log_group_identifier(identifier),
            None => request.log_group_name(&group.name),
        };
        request = match &self.streams {
            Streams::All => request,
            Streams::Named(names) => request.set_log_stream_names(Some(names.clone())),
            Streams::Prefix(prefix) => request.log_stream_name_prefix(prefix),
        };
        let answer = request.send().await.map_err(|error| {
            let fault = Fault::of(Service::Logs, "FilterLogEvents", &group.name, &error);
            counted(fault, &self.filter)
        })?;
        let events = answer.events.unwrap_or_default().into_iter().map(event).collect();
        Ok(Page { events, token: answer.next_token })
    }

    async fn describe(
        &self,
        prefix: &str,
        linked: bool,
        token: Option<&str>,
    ) -> Result<(Vec<Described>, Option<String>), Fault> {
        self.describe.ready().await;
        let mut request =
            self.client.describe_log_groups().log_group_name_prefix(prefix).set_next_token(token.map(str::to_owned));
        if linked {
            request = request.include_linked_accounts(true);
        }
        let answer = request.send().await.map_err(|error| {
            let fault = Fault::of(Service::Logs, "DescribeLogGroups", prefix, &error);
            counted(fault, &self.describe)
        })?;
        let groups = answer.log_groups.unwrap_or_default().into_iter().filter_map(|group| {
            let arn = group.log_group_arn.or(group.arn).unwrap_or_default();
            Some(Described {
                name: group.log_group_name?,
                arn: arn.trim_end_matches(":*").to_owned(),
                // Groups that are older than classes.
                class: group.log_group_class.map_or_else(|| "STANDARD".to_owned(), |class| class.as_str().to_owned()),
            })
        });
        Ok((groups.collect(), answer.next_token))
    }

    fn region(&self) -> &str {
        &self.region
    }

    fn calls(&self) -> Calls {
        self.filter.calls()
    }

    fn rate(&self) -> f64 {
        self.filter.rate()
    }
}

/// Tells the bucket of an answer that we are too fast.
fn counted(fault: Fault, bucket: &Bucket) -> Fault {
    if fault.kind == FaultKind::Throttled {
        bucket.throttled();
    }
    fault
}

fn event(event: FilteredLogEvent) -> LogEvent {
    let timestamp = event.timestamp.unwrap_or_default();
    let stream = event.log_stream_name.unwrap_or_default();
    let message = event.message.unwrap_or_default();
    // Every event has an id; one without would still be told from others by what it is.
    let id = event.event_id.unwrap_or_else(|| format!("{timestamp}/{stream}/{message}"));
    LogEvent { id, stream, timestamp, ingested: event.ingestion_time, message }
}
