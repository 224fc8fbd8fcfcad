//! A service in memory, for tests.
#![allow(clippy::unwrap_used)]

use super::groups::Group;
use super::source::{Described, Logs, Page};
use super::window::Window;
use crate::aws::Calls;
use crate::aws::fault::{Fault, FaultKind, Service};
use crate::inputs::reader::testing::record;
use crate::record::log_event::LogEvent;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

/// Log groups with events, and what was asked of them. Clones are the same.
#[derive(Clone, Default)]
pub struct FakeLogs(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    groups: BTreeMap<String, (String, Vec<LogEvent>)>,
    page_events: usize,
    windows: Vec<(String, Window)>,
    /// Groups whose calls fail, how, and how often.
    failing: BTreeMap<String, (FaultKind, usize)>,
    describe_denied: bool,
}

impl FakeLogs {
    /// Pages of at most so many events.
    pub fn new(page_events: usize) -> FakeLogs {
        let logs = FakeLogs::default();
        logs.0.lock().unwrap().page_events = page_events;
        logs
    }

    pub fn create(&self, name: &str, class: &str) {
        self.0.lock().unwrap().groups.insert(name.to_owned(), (class.to_owned(), Vec::new()));
    }

    /// An event at each time; its record's id is `NAME-NUMBER`.
    pub fn put(&self, name: &str, times: impl IntoIterator<Item = i64>) {
        let mut inner = self.0.lock().unwrap();
        let events = &mut inner.groups.get_mut(name).unwrap().1;
        for timestamp in times {
            let id = format!("{name}-{}", events.len());
            let (stream, message) = ("stream".to_owned(), record(&id));
            events.push(LogEvent { id, stream, timestamp, ingested: Some(timestamp), message });
        }
        events.sort_by_key(|event| event.timestamp);
    }

    pub fn fail(&self, name: &str, kind: FaultKind, times: usize) {
        self.0.lock().unwrap().failing.insert(name.to_owned(), (kind, times));
    }

    pub fn deny_descriptions(&self) {
        self.0.lock().unwrap().describe_denied = true;
    }

    /// Windows whose first page was asked for, with their groups, in order.
    pub fn windows(&self) -> Vec<(String, Window)> {
        self.0.lock().unwrap().windows.clone()
    }
}

fn fault(kind: FaultKind, subject: &str) -> Fault {
    let mut fault = Fault::transient(Service::Logs, "FilterLogEvents", subject, "Code", "text");
    fault.kind = kind;
    fault
}

impl Logs for FakeLogs {
    async fn page(&self, group: &Group, window: Window, token: Option<&str>) -> Result<Page, Fault> {
        let mut inner = self.0.lock().unwrap();
        if let Some((kind, times)) = inner.failing.get_mut(&group.name)
            && *times > 0
        {
            *times -= 1;
            return Err(fault(*kind, &group.name));
        }
        if token.is_none() {
            inner.windows.push((group.name.clone(), window));
        }
        let (_, events) = inner.groups.get(&group.name).ok_or_else(|| fault(FaultKind::Missing, &group.name))?;
        let from: usize = token.map_or(0, |token| token.parse().unwrap());
        let all: Vec<&LogEvent> =
            events.iter().filter(|event| (window.start..=window.end).contains(&event.timestamp)).collect();
        let until = all.len().min(from + inner.page_events);
        let events = all[from..until].iter().map(|event| (*event).clone()).collect();
        Ok(Page { events, token: (until < all.len()).then(|| until.to_string()) })
    }

    async fn describe(
        &self,
        prefix: &str,
        _: bool,
        token: Option<&str>,
    ) -> Result<(Vec<Described>, Option<String>), Fault> {
        let inner = self.0.lock().unwrap();
        if inner.describe_denied {
            return Err(fault(FaultKind::Denied, prefix));
        }
        let after = token.unwrap_or_default();
        let mut found = inner.groups.iter().filter(|(name, _)| name.starts_with(prefix) && name.as_str() > after);
        // Pages of two.
        let page: Vec<Described> = found
            .by_ref()
            .take(2)
            .map(|(name, (class, _))| Described {
                name: name.clone(),
                arn: format!("arn:aws:logs:eu-west-1:111122223333:log-group:{name}"),
                class: class.clone(),
            })
            .collect();
        let next = found.next().and(page.last()).map(|last| last.name.clone());
        Ok((page, next))
    }

    fn region(&self) -> &str {
        "eu-west-1"
    }

    fn calls(&self) -> Calls {
        Calls::default()
    }

    fn rate(&self) -> f64 {
        10.0
    }
}
