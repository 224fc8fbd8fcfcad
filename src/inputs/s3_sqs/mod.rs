//! Input `aws-s3`: objects in S3, announced by a queue. How it keeps its promises: `design.md` beside this file.

mod again;
mod allowed;
pub mod config;
mod drain;
mod handler;
mod keeper;
mod object;
mod poison;
mod queue;
mod receiver;
mod recent;
mod said;
#[cfg(test)]
mod testing;
mod turns;

use super::{Again, Check, Context, Input, InputError, Opening, Progress, Verdict};
use crate::aws::{Fault, FaultKind, Session};
use crate::inputs::access;
use crate::inputs::backlog::{Backlog, Looking};
use crate::pipeline::Faults;
use crate::telemetry::repeats::Repeats;
use again::ObjectsAgain;
use config::S3SqsConfig;
use handler::{Handler, HandlerSettings};
use keeper::{Keeper, KeeperSettings, Kept};
use object::S3Reads;
use poison::{Poison, Redrive};
use queue::{Queue, SqsQueue};
use receiver::{Receiver, ReceiverSettings, pause_after};
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// The input, configured.
pub struct S3SqsInput {
    config: S3SqsConfig,
}

/// Between two looks at the queue's depth.
const DEPTH_INTERVAL: Duration = Duration::from_secs(15);
/// Looks at the queue at the start of a run with `--once`, while it does not answer.
const FIRST_LOOKS: u32 = 3;
/// The call that looks report on.
const STATE: &str = "sqs:GetQueueAttributes";

impl S3SqsInput {
    /// An input of a configuration without [`problems`](S3SqsConfig::problems).
    pub fn new(config: S3SqsConfig) -> S3SqsInput {
        S3SqsInput { config }
    }

    async fn open(&self) -> Result<(Session, String), String> {
        let url = self.config.queue_url.as_ref().ok_or("`queue_url` is missing")?.as_str().to_owned();
        let settings = self.config.aws();
        let session = Session::open(settings).await.map_err(|error| error.to_string())?;
        Ok((session, url))
    }

    fn reads(&self, session: &Session, context: Context) -> S3Reads {
        S3Reads {
            input: self.config.id.clone(),
            buckets: Arc::new(session.buckets()),
            piece_timeout: self.config.api_timeout.get(),
            context,
        }
    }

    async fn ship(&self, mut context: Context) -> Result<(), String> {
        let (session, url) = self.open().await?;
        let queue = Arc::new(SqsQueue::new(session.sqs(), &url, self.config.api_timeout.get()));
        let redrive = Arc::new(Redrive::default());
        look(&*queue, &context.progress, &redrive, context.once, &context.stop).await?;
        tracing::info!(input = self.config.id, queue = url, region = session.region(), "messages are received");
        let faults = Faults::new(self.config.on_fault.policies(), Arc::clone(&context.progress.faults));
        context.mill = context.mill.facing(faults.clone());
        context.abort = aborted_after(&context, self.config.sqs.shutdown_grace_time.map(|grace| grace.get()));

        // What was started beside this future ends with it, however it ends.
        let _ends = context.abort.clone().drop_guard();

        let visibility = self.config.visibility_timeout.get();
        let settings = KeeperSettings { visibility, consume: self.config.delete_consumed_messages, once: context.once };
        let (progress, stop, abort) = (Arc::clone(&context.progress), context.stop.clone(), context.abort.clone());
        let (keeper, keeping) =
            Keeper::new(Arc::clone(&queue), settings, Arc::clone(&progress), stop.clone(), abort.clone());
        let keeping = tokio::spawn(keeping.run());
        let watch = watch_depth(Arc::clone(&queue), Arc::clone(&progress), Arc::clone(&redrive), abort.clone());
        tokio::spawn(watch);

        if let Some(teller) = &context.integrity {
            teller.access(&session);
        }
        let reads = self.reads(&session, context.clone());
        let (order, workers) = (self.config.order, self.config.number_of_workers);
        let counters = Arc::clone(&context.counters);
        let parking = Arc::clone(&context.parking);
        let poison = Poison::new(Arc::clone(&parking), redrive);
        let handling = HandlerSettings {
            input: self.config.id.clone(),
            queue: url,
            selection: self.config.selection(),
            allowed: self.config.allowed_buckets.clone(),
            faults,
            order,
            workers,
        };
        let handler =
            Handler::new(handling, reads, keeper.clone(), parking, poison, Arc::clone(&progress), stop.clone())
                .telling(context.integrity.clone());
        let settings = ReceiverSettings {
            visibility,
            wait: self.config.sqs.wait_time.get(),
            poll_interval: self.config.sqs.poll_interval.get(),
            workers,
            order,
            silence: self.config.api_timeout.get(),
            once: context.once,
        };
        let receiver = Receiver::new(settings, queue, keeper, Arc::new(handler), counters, progress, &stop);
        until_kept(receiver.run(&abort), keeping, &stop).await
    }
}

impl Input for S3SqsInput {
    fn id(&self) -> &str {
        &self.config.id
    }

    fn run(self: Box<Self>, context: Context) -> Pin<Box<dyn Future<Output = Result<(), InputError>> + Send>> {
        Box::pin(async move {
            self.ship(context).await.map_err(|reason| InputError { input: self.config.id.clone(), reason })
        })
    }

    fn again(&self, context: Context) -> Opening<'_> {
        Box::pin(async move {
            let failed = |reason| InputError { input: self.config.id.clone(), reason };
            let (session, _) = self.open().await.map_err(failed)?;
            let again = ObjectsAgain {
                reads: self.reads(&session, context),
                selection: self.config.selection(),
                allowed: self.config.allowed_buckets.clone(),
            };
            Ok(Arc::new(again) as Arc<dyn Again>)
        })
    }

    fn backlog<'a>(&'a self, _: &'a Path) -> Looking<'a> {
        Box::pin(async move {
            let (session, url) = self.open().await?;
            let state = SqsQueue::new(session.sqs(), &url, self.config.api_timeout.get()).state().await;
            let state = state.map_err(|fault| format!("{fault}; {}", fault.advice()))?;
            Ok(Backlog::Queue { url, visible: state.visible, delayed: state.delayed, hidden: state.hidden })
        })
    }

    fn test(&self) -> Pin<Box<dyn Future<Output = Vec<Check>> + Send + '_>> {
        Box::pin(self.check())
    }
}

impl S3SqsInput {
    async fn check(&self) -> Vec<Check> {
        let mut checks = Vec::new();
        let mut done =
            |step: &str, verdict, detail: String| checks.push(Check { step: step.to_owned(), verdict, detail });
        let (session, url) = match self.open().await {
            Ok(opened) => opened,
            Err(reason) => {
                done("settings", Verdict::Failed, reason);
                return checks;
            }
        };
        if !access::identify(&session, &mut done).await {
            return checks;
        }
        let step = STATE;
        match SqsQueue::new(session.sqs(), &url, self.config.api_timeout.get()).state().await {
            Ok(state) => {
                let detail = format!(
                    "{} messages wait, {} are delayed, {} are being read",
                    state.visible, state.delayed, state.hidden
                );
                done(step, Verdict::Ok, detail);
                match state.max_receives {
                    Some(most) => done("redrive policy", Verdict::Ok, format!("after {most} receives a message goes to the dead letter queue")),
                    None => done(
                        "redrive policy",
                        Verdict::Warning,
                        "the queue has none: messages that cannot be read return until their retention ends; set a dead letter queue".to_owned(),
                    ),
                }
            }
            Err(fault) if fault.kind == FaultKind::Denied => done(
                step,
                Verdict::Warning,
                format!("{fault}; {}; the depth of the queue stays unknown", fault.advice()),
            ),
            Err(fault) => done(step, Verdict::Failed, format!("{fault}; {}", fault.advice())),
        }
        done(
            "sqs:ReceiveMessage",
            Verdict::Warning,
            "not tried, since it would hide messages; `run --once` tries it".to_owned(),
        );
        done("s3:GetObject", Verdict::Warning, "not tried: only the messages name the buckets".to_owned());
        checks
    }
}

/// Looks at the queue before anything is received. A queue that is not there, or a request that cannot be right, ends the
/// run: somebody must mend the configuration. Credentials that are missing or have expired, and whatever else may pass by
/// itself, are waited for; with `once` for a few looks. A queue that only does not show its figures is received from.
///
/// # Errors
/// Why the run ends.
async fn look<Q: Queue>(
    queue: &Q,
    progress: &Progress,
    redrive: &Redrive,
    once: bool,
    stop: &CancellationToken,
) -> Result<(), String> {
    let faults = Repeats::default();
    let mut looks = 0;
    loop {
        let Some(state) = stop.run_until_cancelled(queue.state()).await else { return Ok(()) };
        let fault: Fault = match state {
            Ok(state) => {
                redrive.note(&state);
                progress.waiting.store(state.visible + state.delayed, Relaxed);
                progress.health.well(STATE);
                if let Some(lasted) = faults.only(|_| false) {
                    tracing::info!(?lasted, "the queue answers");
                }
                return Ok(());
            }
            Err(fault) => fault,
        };
        looks += 1;
        let reason = format!("{fault}; {}", fault.advice());
        match fault.kind {
            FaultKind::Denied => {
                progress.waiting.store(u64::MAX, Relaxed);
                progress.health.well(STATE);
                tracing::warn!(code = fault.code(), "{reason}; the depth of the queue stays unknown");
                return Ok(());
            }
            FaultKind::Throttled | FaultKind::Transient if once && looks < FIRST_LOOKS => {}
            _ if once || !fault.may_pass() => return Err(reason),
            _ => {
                progress.health.trouble(STATE, fault.told(), &reason);
                if let Some(due) = faults.occurred(fault.code()) {
                    tracing::warn!(code = fault.code(), times = due.times, lasting = ?due.lasted, "{reason}; nothing is received until the queue answers");
                }
            }
        }
        let pause = if once { Duration::from_secs(1) } else { pause_after(looks) };
        if stop.run_until_cancelled(tokio::time::sleep(pause)).await.is_none() {
            return Ok(());
        }
    }
}

/// Keeps the number of waiting messages fresh until `abort`; unknown while the queue does not tell. Tells health when
/// credentials are lost, even while a long poll or an output that stands still hides it. Holds nothing that a run waits
/// for at its end, the mill above all, since an answer may hang.
async fn watch_depth<Q: Queue>(
    queue: Arc<Q>,
    progress: Arc<Progress>,
    redrive: Arc<Redrive>,
    abort: CancellationToken,
) {
    let watch = async {
        loop {
            tokio::time::sleep(DEPTH_INTERVAL).await;
            let state = queue.state().await;
            match &state {
                Err(fault) if matches!(fault.kind, FaultKind::Credentials | FaultKind::Expired) => {
                    progress.health.trouble(STATE, fault.told(), &format!("{fault}; {}", fault.advice()));
                }
                // The queue knows us, and only does not show its figures.
                Err(fault) if fault.kind == FaultKind::Denied => progress.health.well(STATE),
                Err(_) => {}
                Ok(state) => {
                    redrive.note(state);
                    progress.health.well(STATE);
                }
            }
            progress.waiting.store(state.map_or(u64::MAX, |state| state.visible + state.delayed), Relaxed);
        }
    };
    let _: Option<()> = abort.run_until_cancelled(watch).await;
}

/// Receives until the end of the run, then waits until nothing is held. A keeper that breaks ends the receiving: without
/// it, what is received would stay hidden unread.
async fn until_kept(
    receiving: impl Future<Output = Result<(), String>>,
    mut keeping: JoinHandle<Kept>,
    stop: &CancellationToken,
) -> Result<(), String> {
    let broken = |_| "a fault inside trailship ended the keeper of the messages, which return by themselves".to_owned();
    let received = tokio::select! {
        received = receiving => received,
        // Without a fault only an abort ends it first.
        kept = &mut keeping => return kept.map(drop).map_err(broken),
    };
    // The last clone of the keeper went with the receiver: its task ends when nothing is held.
    let kept = keeping.await.map_err(broken)?;
    received?;
    kept.complaint(stop.is_cancelled()).map_or(Ok(()), Err)
}

/// The abort of the run, or that of `sqs.shutdown_grace_time` after the stop, whichever comes first.
fn aborted_after(context: &Context, grace: Option<Duration>) -> CancellationToken {
    let abort = context.abort.child_token();
    let Some(grace) = grace else { return abort };
    let (stop, grace_over) = (context.stop.clone(), abort.clone());
    tokio::spawn(async move {
        tokio::select! {
            () = grace_over.cancelled() => {}
            () = async { stop.cancelled().await; tokio::time::sleep(grace).await } => grace_over.cancel(),
        }
    });
    abort
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::testing::{FakeQueue, Verb, Wrong};
    use super::*;
    use crate::status::Health;
    use tokio::time::{Instant, sleep};

    const NEVER: Duration = Duration::from_secs(10_000_000);

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_hangs_does_not_outlast_the_abort() {
        let queue = FakeQueue::with([]);
        queue.fail(Verb::State, Wrong::Late(NEVER), 0, 1);
        let abort = CancellationToken::new();
        let watch = tokio::spawn(watch_depth(Arc::clone(&queue), Arc::default(), Arc::default(), abort.clone()));
        sleep(2 * DEPTH_INTERVAL).await;
        assert_eq!((queue.calls(Verb::State), watch.is_finished()), (1, false));
        let before = Instant::now();
        abort.cancel();
        watch.await.unwrap();
        assert_eq!((before.elapsed(), Arc::strong_count(&queue)), (Duration::ZERO, 1));
    }

    #[tokio::test(start_paused = true)]
    async fn the_depth_is_told_and_unknown_while_the_queue_does_not_tell() {
        let queue = FakeQueue::with(["a".to_owned(), "b".to_owned()]);
        queue.fail(Verb::State, Wrong::Refused("InternalError"), 1, 1);
        let (progress, abort) = (Arc::new(Progress::default()), CancellationToken::new());
        let watch = tokio::spawn(watch_depth(Arc::clone(&queue), Arc::clone(&progress), Arc::default(), abort.clone()));
        let mut told = Vec::new();
        for _ in 0..3 {
            sleep(DEPTH_INTERVAL + Duration::from_millis(10)).await;
            told.push(progress.waiting.load(Relaxed));
        }
        assert_eq!(told, [2, u64::MAX, 2]);
        abort.cancel();
        watch.await.unwrap();
    }

    /// What may pass is waited for, and said; with `--once` it ends the run, as what cannot pass does at once.
    #[tokio::test(start_paused = true)]
    async fn the_start_waits_for_what_may_pass() {
        for (code, times, once, ends) in [
            ("ExpiredToken", 20, false, None),
            ("InvalidClientTokenId", 20, false, None),
            ("ServiceUnavailable", 20, false, None),
            ("AWS.SimpleQueueService.NonExistentQueue", 1, false, Some(1)),
            ("AWS.SimpleQueueService.NonExistentQueue", 1, true, Some(1)),
            ("ExpiredToken", 1, true, Some(1)),
            ("ServiceUnavailable", 2, true, None),
            ("ServiceUnavailable", 3, true, Some(3)),
            ("AccessDenied", 1, false, None),
        ] {
            let queue = FakeQueue::with([]);
            queue.fail(Verb::State, Wrong::Refused(code), 0, times);
            let (health, progress) = watched();
            let (looking, stop) = (Arc::clone(&queue), CancellationToken::new());
            let before = Instant::now();
            let look = tokio::spawn(async move { look(&*looking, &progress, &Redrive::default(), once, &stop).await });
            sleep(Duration::from_millis(1)).await;
            let waits = times == 20;
            assert_eq!(health.is_ready(), !waits, "{code}");
            if waits {
                let told: Vec<_> = health.troubles().into_iter().map(|trouble| (trouble.api, trouble.code)).collect();
                assert_eq!(told, [("sqs:GetQueueAttributes".to_owned(), code.to_owned())]);
            }
            let ended = look.await.unwrap();
            assert_eq!((ended.is_err(), health.is_ready()), (ends.is_some(), true), "{code}: {ended:?}");
            let calls = ends.unwrap_or(if code == "AccessDenied" { times } else { times + 1 });
            assert_eq!(queue.calls(Verb::State), calls, "{code}");
            assert!(before.elapsed() < Duration::from_secs(30 * 20), "{code}: {:?}", before.elapsed());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn credentials_that_are_lost_are_told_though_nothing_is_received() {
        let queue = FakeQueue::with([]);
        queue.fail(Verb::State, Wrong::Refused("ExpiredToken"), 0, 2);
        let (health, progress) = watched();
        let abort = CancellationToken::new();
        let watch = tokio::spawn(watch_depth(queue, progress, Arc::default(), abort.clone()));
        let mut ready = Vec::new();
        for _ in 0..4 {
            sleep(Duration::from_millis(10)).await;
            ready.push(health.is_ready());
            sleep(DEPTH_INTERVAL).await;
        }
        assert_eq!(ready, [true, false, false, true]);
        abort.cancel();
        watch.await.unwrap();
    }

    fn watched() -> (Health, Arc<Progress>) {
        let health = Health::default();
        health.begin();
        let progress = Arc::new(Progress { health: health.part("trail"), ..Progress::default() });
        (health, progress)
    }

    #[tokio::test(start_paused = true)]
    async fn a_stop_does_not_wait_for_the_first_look() {
        let queue = FakeQueue::with([]);
        queue.fail(Verb::State, Wrong::Late(NEVER), 0, 1);
        let stop = CancellationToken::new();
        let stopping = stop.clone();
        tokio::spawn(async move {
            sleep(Duration::from_secs(3)).await;
            stopping.cancel();
        });
        let before = Instant::now();
        look(&*queue, &Progress::default(), &Redrive::default(), true, &stop).await.unwrap();
        assert_eq!(before.elapsed().as_secs(), 3);
    }
}
