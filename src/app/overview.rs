//! How things stand, for `trailship status`: what is indexed, what waits, what is parked, and what the running process
//! says of itself. Only asks; works beside a running process and without one.
//!
//! Each section is had by itself, so that one that cannot be had costs none of the others; it says why.

mod events;
mod integrity;
mod letters;
mod process;

pub use events::{Events, Place, Series};
pub use letters::LettersOfCode;
pub use process::Process;

use super::settings::Settings;
use crate::inputs::backlog::Backlog;
use crate::inputs::kinds::Configured;
use crate::integrity::outbox::Undelivered;
use jiff::Timestamp;
use serde::Serialize;
use std::collections::BTreeMap;
use std::time::Duration;

/// How things stand.
#[derive(Debug, Serialize)]
pub struct Overview {
    /// When it was asked for.
    pub time: Timestamp,
    pub events: Section<Events>,
    pub inputs: Vec<InputOverview>,
    /// Letters that were not replayed, by code.
    pub dead_letter: Section<BTreeMap<String, LettersOfCode>>,
    /// What verification found, and what of it has not arrived in the data stream.
    pub integrity: Section<Undelivered>,
    pub process: Section<Process>,
}

/// What waits at one input.
#[derive(Debug, Serialize)]
pub struct InputOverview {
    pub id: String,
    pub r#type: &'static str,
    pub backlog: Section<Backlog>,
}

/// A part of the overview, or why it is missing.
#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Section<T> {
    Told(T),
    /// The configuration gives nobody to ask.
    NotAsked(String),
    Failed(String),
}

/// Longest wait for one section.
const PATIENCE: Duration = Duration::from_secs(30);

impl<T> Section<T> {
    fn of(told: Result<T, String>) -> Section<T> {
        told.map_or_else(Section::Failed, Section::Told)
    }

    pub fn told(&self) -> Option<&T> {
        if let Section::Told(told) = self { Some(told) } else { None }
    }

    fn is_failed(&self) -> bool {
        matches!(self, Section::Failed(_))
    }
}

impl Overview {
    /// Asks for everything at once. `since` is how far back events are looked for.
    pub async fn take(settings: &Settings, since: Duration) -> Overview {
        let inputs = settings.inputs.iter().map(|input| of_input(input, settings));
        let (events, inputs, dead_letter, integrity, process) = tokio::join!(
            events(settings, since),
            all(inputs),
            in_time(letters::read(&settings.data)),
            integrity(settings),
            process(settings)
        );
        let dead_letter = Section::of(dead_letter);
        Overview { time: Timestamp::now(), events, inputs, dead_letter, integrity, process }
    }

    /// Whether all could be read, and nothing is in the way.
    pub fn is_fine(&self) -> bool {
        let is_told = !self.events.is_failed()
            && !self.dead_letter.is_failed()
            && !self.integrity.is_failed()
            && !self.process.is_failed();
        let is_taken = self.integrity.told().is_none_or(|undelivered| undelivered.refused.is_empty());
        let waits_well = |input: &InputOverview| {
            !input.backlog.is_failed() && !input.backlog.told().is_some_and(Backlog::has_faults)
        };
        is_told && is_taken && self.inputs.iter().all(waits_well) && self.process.told().is_none_or(Process::is_fine)
    }
}

async fn events(settings: &Settings, since: Duration) -> Section<Events> {
    match settings.output.cluster() {
        Some(cluster) => Section::of(in_time(events::read(cluster, since)).await),
        None => Section::NotAsked("the output is no search server".to_owned()),
    }
}

async fn of_input(input: &Configured, settings: &Settings) -> InputOverview {
    let backlog = Section::of(in_time(input.input.backlog(&settings.data)).await);
    InputOverview { id: input.input.id().to_owned(), r#type: input.kind, backlog }
}

async fn integrity(settings: &Settings) -> Section<Undelivered> {
    match &settings.integrity {
        Some(_) => Section::of(in_time(integrity::read(&settings.data)).await),
        None => Section::NotAsked("`integrity.enabled` is false".to_owned()),
    }
}

async fn process(settings: &Settings) -> Section<Process> {
    match process::address(&settings.http) {
        Ok(url) => Section::of(in_time(process::read(&url)).await),
        Err(why) => Section::NotAsked(why),
    }
}

async fn in_time<T>(asked: impl Future<Output = Result<T, String>>) -> Result<T, String> {
    let late = |_| Err(format!("no answer within {} s", PATIENCE.as_secs()));
    tokio::time::timeout(PATIENCE, asked).await.unwrap_or_else(late)
}

/// Waits for all, side by side; in their order.
async fn all<F: Future>(futures: impl Iterator<Item = F>) -> Vec<F::Output> {
    let mut waiting: Vec<_> = futures.map(|future| (Box::pin(future), None)).collect();
    std::future::poll_fn(|context| {
        let mut is_ready = true;
        for (future, output) in &mut waiting {
            if output.is_none() {
                match future.as_mut().poll(context) {
                    std::task::Poll::Ready(done) => *output = Some(done),
                    std::task::Poll::Pending => is_ready = false,
                }
            }
        }
        if is_ready { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
    waiting.into_iter().filter_map(|(_, output)| output).collect()
}
