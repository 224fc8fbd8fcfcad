//! Sends letters of the dead letter again, after what was wrong is mended.
//!
//! Documents go with the `_id` they had, records are mapped anew from their text, and what a letter holds only a piece of
//! is read again from its source, by the input that it names. Letters are taken in lots; those of a lot that went well are
//! marked, durably, when all of the lot have an outcome. Invariants: a letter is marked only after an outcome that is not
//! `parked`; a record that fails again keeps its letter and gets no second one; one that has no letter yet, as it lies in
//! an object that is read again, gets one before its outcome counts. So whatever is killed when, nothing is lost, and
//! what goes twice is a duplicate by `_id`.

mod lots;
mod outcome;
mod work;

pub use lots::{Planned, Wanted, plan};
pub use outcome::{ByCode, Replayed, Stayed};

use super::identity::{Identity, IdentityError};
use super::run::{Stop, TICK, WAITING_BULKS, send};
use super::settings::Settings;
use crate::ack::Counters;
use crate::ecs;
use crate::filter::Rules;
use crate::inputs::kinds::Configured;
use crate::inputs::{Context, Progress};
use crate::output::kinds::{self, OutputError};
use crate::output::parking::{FOLDER, LetterId, Marks, Parking};
use crate::pipeline::Mill;
use crate::state::StateError;
use crate::status;
use lots::{Lot, Survey};
use outcome::Tally;
use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::time::Instant;
use tokio::sync::mpsc;
use work::{Reader, SoFar, Work};

/// Why letters cannot be sent again or deleted.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    #[error(
        "`path.data` `{}` is in use by a running trailship, and the dead letter is changed by one process at a time: stop it, do this, and start it again",
        path.display()
    )]
    InUse { path: PathBuf },
    #[error(transparent)]
    Identity(IdentityError),
    #[error("cannot read the dead letter: {0}")]
    Read(std::io::Error),
    #[error(transparent)]
    State(#[from] StateError),
    #[error("cannot open the dead letter: {0}")]
    Parking(String),
    #[error("there is no letter {}: see `trailship dead-letter list --all`", .0.iter().map(|id| format!("`{id}`")).collect::<Vec<_>>().join(", "))]
    Missing(Vec<LetterId>),
    #[error(transparent)]
    Output(#[from] OutputError),
    #[error("cannot start a thread: {0}")]
    Thread(std::io::Error),
    #[error("a fault inside trailship ended the replay: {0}")]
    Bug(String),
}

/// `path.data` held, so that no other process writes there.
pub struct Held(Identity);

/// Takes hold of `data` for a command that changes the dead letter.
///
/// # Errors
/// A running trailship has it, or it cannot be written.
pub fn hold(data: &Path) -> Result<Held, ReplayError> {
    match Identity::take(data) {
        Ok(identity) => Ok(Held(identity)),
        Err(IdentityError::Locked { path }) => Err(ReplayError::InUse { path }),
        Err(other) => Err(ReplayError::Identity(other)),
    }
}

/// How far a replay is, in letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReplayProgress {
    /// That were chosen.
    pub letters: u64,
    /// That have an outcome.
    pub tried: u64,
    /// That failed again.
    pub stayed: u64,
}

/// Told four times a second how far the replay is.
pub type WatchReplay<'a> = &'a mut (dyn FnMut(&ReplayProgress) + Send);

/// Sends the wanted letters again, until all of them were tried or `stop` is signalled.
///
/// # Errors
/// [`ReplayError`]; what was marked before it stays marked.
pub async fn replay(
    settings: Settings,
    wanted: Wanted,
    stop: &Stop,
    watch: WatchReplay<'_>,
) -> Result<Replayed, ReplayError> {
    let started = Instant::now();
    std::thread::spawn(ecs::preload_user_agents);
    let Held(identity) = hold(&settings.data)?;
    let folder = settings.data.join(FOLDER);
    // Cuts off what a crash has torn, before anything is read.
    let parking = Arc::new(Parking::open(&folder).map_err(|error| ReplayError::Parking(error.to_string()))?);
    let marks = Marks::load(&folder)?;
    let survey = Survey::take(&folder, &wanted, &marks)?;
    if !survey.missing.is_empty() {
        return Err(ReplayError::Missing(survey.missing));
    }
    parking.know(survey.keys);

    let output = settings.output.open(kinds::Context {
        parking: Arc::clone(&parking),
        health: status::Part::default(),
        stop: stop.stop.clone(),
    })?;
    let (bulks, queue) = mpsc::channel(WAITING_BULKS);
    let mut senders = send(&output, queue, &stop.abort);
    let mapping = Arc::new(settings.mapping(&identity));
    let mill = settings.mill(&mapping, output.shape());
    let (mill, threads) = Mill::start(&mill, &parking, &bulks).map_err(ReplayError::Thread)?;
    let counters = Arc::new(Counters::default());
    let mut readers = HashMap::new();
    for Configured { input, own, .. } in settings.inputs {
        if !survey.inputs.contains(input.id()) {
            continue;
        }
        let own = Arc::new(Rules::new(&mapping, own, &settings.processors));
        let context = Context {
            mill: mill.with(own),
            parking: Arc::clone(&parking),
            counters: Arc::clone(&counters),
            progress: Arc::new(Progress::default()),
            once: true,
            stop: stop.stop.clone(),
            abort: stop.abort.clone(),
            data: settings.data.clone(),
            // What is read again was told of when it was first read.
            integrity: None,
            shared: settings.shared.clone(),
        };
        let reader = match input.again(context.clone()).await {
            Ok(again) => Ok(Reader { again, mill: context.mill }),
            Err(error) => Err(error.reason),
        };
        readers.insert(input.id().to_owned(), reader);
    }
    drop(mill);

    let marks_now = Arc::new(Mutex::new(marks));
    let lots = lots::feed(folder, wanted, &marks_now);
    let work = Work {
        readers,
        bulks,
        shape: output.shape(),
        parking: Arc::clone(&parking),
        counters: Arc::clone(&counters),
        marks: marks_now,
        so_far: SoFar::default(),
    };
    let _deadline = deadline(stop, settings.shutdown_timeout);
    let done = watched(&work, lots, stop, survey.letters, watch).await;
    // Everything has its outcome, or was dropped by the abort; now the threads and the senders end by themselves.
    drop(work);
    let _ = tokio::task::spawn_blocking(move || threads.join()).await;
    while senders.join_next().await.is_some() {}
    let tally = done?;
    drop(identity);
    Ok(Replayed::new(tally, survey.letters, counters.read(), parking.written(), started.elapsed()))
}

/// Works, and tells four times a second how far it is.
async fn watched(
    work: &Work,
    lots: mpsc::Receiver<io::Result<Lot>>,
    stop: &Stop,
    letters: u64,
    watch: WatchReplay<'_>,
) -> Result<Tally, ReplayError> {
    let mut working = pin!(work.run(lots, &stop.stop));
    let mut ticks = tokio::time::interval(TICK);
    loop {
        tokio::select! {
            done = &mut working => return done,
            _ = ticks.tick() => watch(&work.so_far.read(letters)),
        }
    }
}

/// Gives up what is under way when a stop has lasted for `patience`.
fn deadline(stop: &Stop, patience: std::time::Duration) -> tokio_util::task::AbortOnDropHandle<()> {
    let (stopped, abort) = (stop.stop.clone(), stop.abort.clone());
    tokio_util::task::AbortOnDropHandle::new(tokio::spawn(async move {
        stopped.cancelled().await;
        tokio::time::sleep(patience).await;
        abort.cancel();
    }))
}
