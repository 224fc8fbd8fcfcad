//! Runs inputs, mill and output until the sources are drained or somebody says stop.
//!
//! Start goes downstream to upstream, the end goes the other way by channels closing: inputs return, the mill flushes
//! and ends, the senders run out of bulks. After `shutdown_timeout` what is left is dropped, which gives it back.

use super::figures::Figures;
use super::identity::{Identity, IdentityError};
use super::letters::LetterStream;
use super::settings::Settings;
use super::verification::Verification;
use crate::ack::Counters;
use crate::ecs;
use crate::filter::Rules;
use crate::inputs::kinds::Configured;
use crate::inputs::{Context, InputError, Progress};
use crate::output::kinds::{self, OutputError};
use crate::output::parking::{self, Parking};
use crate::output::{Bulk, Output};
use crate::pipeline::Mill;
use crate::status::{self, Endpoint, Health, InputStatus, Subject, Summary};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::{Duration, Instant};
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Bulks that wait for a sender, beside those being sent.
pub(super) const WAITING_BULKS: usize = 1;
/// How often the watcher is told.
pub(super) const TICK: Duration = Duration::from_millis(250);

/// Why a run ended in failure.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    #[error(transparent)]
    Identity(#[from] IdentityError),
    #[error("cannot open the dead letter: {0}")]
    Parking(String),
    #[error("cannot send the dead letter to its data stream: {0}")]
    Letters(String),
    #[error("cannot send the findings of `integrity`: {0}")]
    Verification(String),
    #[error(transparent)]
    Output(#[from] OutputError),
    #[error(
        "cannot listen on `{address}`: {reason}; change `http.host` or `http.port`, or set `http.enabled` to `false`"
    )]
    Http { address: String, reason: std::io::Error },
    #[error("cannot start a thread: {0}")]
    Thread(std::io::Error),
    /// What the run did all the same comes with the reasons.
    #[error("{}", .reasons.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Inputs { reasons: Vec<InputError>, summary: Box<Summary> },
}

/// How a run is told to end. Clones are the same.
#[derive(Clone, Default)]
pub struct Stop {
    pub(super) stop: CancellationToken,
    pub(super) abort: CancellationToken,
    signals: Arc<AtomicU32>,
}

impl Stop {
    /// The first call drains and gives back, the second drops everything at once. True for the first.
    pub fn signal(&self) -> bool {
        let first = self.signals.fetch_add(1, Relaxed) == 0;
        self.stop.cancel();
        if !first {
            self.abort.cancel();
        }
        first
    }
}

/// Told four times a second how far the run is.
pub type Watch<'a> = &'a mut (dyn FnMut(&Summary) + Send);

/// Ships until the inputs return or `stop` is signalled.
///
/// # Errors
/// [`RunError`]. Records that have no outcome then were given back to their sources.
pub async fn run(settings: Settings, once: bool, stop: &Stop, watch: Watch<'_>) -> Result<Summary, RunError> {
    let started = Instant::now();
    // Reading the rules takes a moment that the first object need not wait for.
    std::thread::spawn(ecs::preload_user_agents);
    if let Some(geoip) = settings.geoip() {
        geoip.watch().map_err(RunError::Thread)?;
    }
    let identity = Identity::take(&settings.data)?;
    let parking = Arc::new(
        Parking::open(&settings.data.join(parking::FOLDER)).map_err(|error| RunError::Parking(error.to_string()))?,
    );
    let health = Health::default();
    let endpoint = listen(&settings).await?;
    let output = settings.output.open(kinds::Context {
        parking: Arc::clone(&parking),
        health: health.part("output"),
        stop: stop.stop.clone(),
    })?;
    let verification = Verification::open(&settings, &identity, &output).map_err(RunError::Verification)?;
    let letters = LetterStream::open(&settings, &identity, &parking).map_err(RunError::Letters)?;
    let (bulks, queue) = mpsc::channel(WAITING_BULKS);
    let mut senders = send(&output, queue, &stop.abort);
    let mapping = Arc::new(settings.mapping(&identity));
    let mill = settings.mill(&mapping, output.shape());
    let (mill, threads) = Mill::start(&mill, &parking, &bulks).map_err(RunError::Thread)?;
    drop(bulks);

    let mut watched = Vec::new();
    let mut inputs = JoinSet::new();
    let mut rules = settings.processors.clone();
    for Configured { input, own, .. } in settings.inputs {
        rules.extend(own.rules().iter().cloned());
        let own = Arc::new(Rules::new(&mapping, own, &settings.processors));
        let progress = Progress { health: health.part(input.id()), ..Progress::default() };
        let (counters, progress) = (Arc::new(Counters::default()), Arc::new(progress));
        progress.waiting.store(u64::MAX, Relaxed);
        watched.push((input.id().to_owned(), Arc::clone(&counters), Arc::clone(&progress)));
        let context = Context {
            mill: mill.with(own),
            parking: Arc::clone(&parking),
            counters,
            progress,
            once,
            stop: stop.stop.clone(),
            abort: stop.abort.clone(),
            data: settings.data.clone(),
            shared: settings.shared.clone(),
            integrity: verification.as_ref().map(|verification| verification.teller.clone()),
        };
        inputs.spawn(input.run(context));
    }
    drop(mill);

    let shipped = CancellationToken::new();
    let verified = verification.as_ref().map(Verification::figures);
    // Before inputs tell the first of it, which waits for an answer.
    let verification = verification.map(|it| tokio::spawn(it.run(shipped.clone(), stop.abort.clone())));
    let figures = Arc::new(Figures { inputs: watched, rules, parking, integrity: verified, started });
    let end = CancellationToken::new();
    let _end = end.clone().drop_guard();
    if let Some(endpoint) = endpoint {
        let (health, figures) = (health.clone(), Arc::clone(&figures));
        let (id, name) = (identity.id.clone(), mapping.agent.name.clone());
        let subject = Subject { id, name, health, figures: Box::new(move || figures.read()) };
        tokio::spawn(status::serve(endpoint, Arc::new(subject), end));
    }
    let letters = letters.map(|letters| tokio::spawn(letters.run(shipped.clone(), stop.abort.clone())));
    health.begin();
    let mut failures = Vec::new();
    let mut ticks = tokio::time::interval(TICK);
    let mut threads = Some(threads);
    let mut joining: JoinSet<()> = JoinSet::new();
    let mut deadline = None;
    loop {
        tokio::select! {
            Some(ended) = inputs.join_next() => match ended {
                Ok(Ok(())) => {}
                Ok(Err(error)) => {
                    tracing::error!("{error}");
                    failures.push(error);
                    // One input that cannot run must not leave the others half watched.
                    stop.stop.cancel();
                }
                Err(error) => {
                    failures.push(InputError { input: "?".to_owned(), reason: format!("ended by a fault inside trailship: {error}") });
                    stop.stop.cancel();
                }
            },
            Some(_) = joining.join_next() => {}
            Some(ended) = senders.join_next() => if let Err(error) = ended {
                failures.push(InputError { input: "all".to_owned(), reason: format!("a sender was ended by a fault inside trailship: {error}") });
                stop.stop.cancel();
            },
            _ = ticks.tick() => {
                figures.say_miscounts();
                watch(&figures.read());
            }
            () = stop.stop.cancelled(), if deadline.is_none() => deadline = Some(tokio::time::Instant::now() + settings.shutdown_timeout),
            () = async { match deadline { Some(at) => tokio::time::sleep_until(at).await, None => std::future::pending().await } }, if !stop.abort.is_cancelled() => {
                tracing::warn!("`shutdown_timeout` is over; what has no outcome is given back");
                stop.abort.cancel();
            }
        }
        if inputs.is_empty() {
            if let Some(threads) = threads.take() {
                joining.spawn_blocking(move || threads.join());
            }
            if joining.is_empty() && senders.is_empty() {
                break;
            }
        }
    }
    shipped.cancel();
    if let Some(letters) = letters {
        // What it could not send waits for the next start.
        let _ = letters.await;
    }
    if let Some(verification) = verification {
        let _ = verification.await;
    }
    figures.say_miscounts();
    let last = figures.read();
    watch(&last);
    drop(identity);
    let unbalanced = unbalanced(&last);
    unbalanced.iter().for_each(|fault| tracing::error!("{fault}"));
    if once {
        failures.extend(unbalanced);
    }
    if failures.is_empty() { Ok(last) } else { Err(RunError::Inputs { reasons: failures, summary: Box::new(last) }) }
}

/// Inputs whose records do not add up at the end of a run.
fn unbalanced(summary: &Summary) -> Vec<InputError> {
    let fault = |input: &InputStatus| Some(InputError { input: input.id.clone(), reason: input.imbalance()? });
    summary.inputs.iter().filter_map(fault).collect()
}

/// The HTTP endpoint, where it is enabled.
async fn listen(settings: &Settings) -> Result<Option<Endpoint>, RunError> {
    let http = &settings.http;
    let address = format!("{}:{}", http.host, http.port);
    let endpoint = Endpoint::open(http).await.map_err(|reason| RunError::Http { address, reason })?;
    if let Some(Ok(address)) = endpoint.as_ref().map(Endpoint::address) {
        tracing::info!("figures and health are served at http://{address}/");
    }
    Ok(endpoint)
}

/// Starts the senders: each takes the next bulk and stays with it until every record has an outcome.
pub(super) fn send(output: &Arc<dyn Output>, queue: mpsc::Receiver<Bulk>, abort: &CancellationToken) -> JoinSet<()> {
    let queue = Arc::new(Mutex::new(queue));
    let mut senders = JoinSet::new();
    for _ in 0..output.concurrency().max(1) {
        let (output, queue, abort) = (Arc::clone(output), Arc::clone(&queue), abort.clone());
        senders.spawn(async move {
            let deliver = async {
                loop {
                    let bulk = queue.lock().await.recv().await;
                    match bulk {
                        Some(bulk) => output.deliver(bulk).await,
                        None => return,
                    }
                }
            };
            tokio::select! {
                () = deliver => {}
                // Dropping the bulk gives its records back.
                () = abort.cancelled() => queue.lock().await.close(),
            }
        });
    }
    senders
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ack::Counts;

    #[test]
    fn an_input_that_does_not_add_up_is_named_at_the_end() {
        let input = |id: &str, unbalanced, miscounted| InputStatus {
            id: id.to_owned(),
            records: Counts { received: 7, miscounted, ..Counts::default() },
            unbalanced,
            ..InputStatus::default()
        };
        let inputs = vec![input("good", 0, 0), input("lost", 2, 0), input("object", 0, 1)];
        let told: Vec<String> =
            unbalanced(&Summary { inputs, ..Summary::default() }).iter().map(ToString::to_string).collect();
        assert_eq!(
            told,
            [
                "input `lost`: a fault inside trailship: of 7 records 2 are not accounted for, in 0 objects; please report it with the log",
                "input `object`: a fault inside trailship: of 7 records 0 are not accounted for, in 1 objects; please report it with the log",
            ]
        );
    }
}
