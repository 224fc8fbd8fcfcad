//! Input `aws-s3`: objects in S3, announced by a queue. How it keeps its promises: `design.md` beside this file.

mod again;
pub mod config;
mod drain;
mod handler;
mod keeper;
mod object;
mod queue;
mod receiver;
mod recent;
#[cfg(test)]
mod testing;

use super::{Again, Check, Context, Input, InputError, Opening, Progress, Verdict};
use crate::aws::{Fault, FaultKind, Session};
use crate::inputs::access;
use again::ObjectsAgain;
use config::S3SqsConfig;
use handler::Handler;
use keeper::{Keeper, KeeperSettings, Kept};
use object::S3Reads;
use queue::{Queue, SqsQueue};
use receiver::{Receiver, ReceiverSettings};
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
/// Looks at the queue at the start of a run, while it does not answer.
const FIRST_LOOKS: u32 = 3;

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
        look(&*queue, &context.progress, context.once, &context.stop).await?;
        tracing::info!(input = self.config.id, queue = url, region = session.region(), "messages are received");
        context.abort = aborted_after(&context, self.config.sqs.shutdown_grace_time.map(|grace| grace.get()));

        // What was started beside this future ends with it, however it ends.
        let _ends = context.abort.clone().drop_guard();

        let visibility = self.config.visibility_timeout.get();
        let settings = KeeperSettings { visibility, consume: self.config.delete_consumed_messages, once: context.once };
        let (progress, stop, abort) = (Arc::clone(&context.progress), context.stop.clone(), context.abort.clone());
        let (keeper, keeping) =
            Keeper::new(Arc::clone(&queue), settings, Arc::clone(&progress), stop.clone(), abort.clone());
        let keeping = tokio::spawn(keeping.run());
        tokio::spawn(watch_depth(Arc::clone(&queue), Arc::clone(&progress), abort.clone()));

        if let Some(teller) = &context.integrity {
            teller.access(&session);
        }
        let reads = self.reads(&session, context.clone());
        let workers = self.config.number_of_workers;
        let counters = Arc::clone(&context.counters);
        let handler =
            Handler::new(reads, self.config.selection(), keeper.clone(), Arc::clone(&progress), workers, stop.clone())
                .telling(context.integrity.clone());
        let settings = ReceiverSettings {
            visibility,
            wait: self.config.sqs.wait_time.get(),
            poll_interval: self.config.sqs.poll_interval.get(),
            workers,
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
            let again = ObjectsAgain { reads: self.reads(&session, context), selection: self.config.selection() };
            Ok(Arc::new(again) as Arc<dyn Again>)
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
        let step = "sqs:GetQueueAttributes";
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

/// Looks at the queue before anything is received. A queue that is not there, or that does not know us, ends the run;
/// one that only does not show its figures does not.
async fn look<Q: Queue>(queue: &Q, progress: &Progress, once: bool, stop: &CancellationToken) -> Result<(), String> {
    let mut looks = 0;
    loop {
        let Some(state) = stop.run_until_cancelled(queue.state()).await else { return Ok(()) };
        let fault: Fault = match state {
            Ok(state) => {
                progress.waiting.store(state.visible + state.delayed, Relaxed);
                return Ok(());
            }
            Err(fault) => fault,
        };
        looks += 1;
        match fault.kind {
            FaultKind::Denied => {
                progress.waiting.store(u64::MAX, Relaxed);
                tracing::warn!(
                    code = fault.code(),
                    "{fault}; {}; the depth of the queue stays unknown",
                    fault.advice()
                );
                return Ok(());
            }
            FaultKind::Throttled | FaultKind::Transient if !once => return Ok(()),
            FaultKind::Throttled | FaultKind::Transient if looks < FIRST_LOOKS => {
                tokio::select! {
                    () = stop.cancelled() => return Ok(()),
                    () = tokio::time::sleep(Duration::from_secs(1)) => {}
                }
            }
            _ => return Err(format!("{fault}; {}", fault.advice())),
        }
    }
}

/// Keeps the number of waiting messages fresh until `abort`; unknown while the queue does not tell. Holds nothing that a
/// run waits for at its end, the mill above all, since an answer may hang.
async fn watch_depth<Q: Queue>(queue: Arc<Q>, progress: Arc<Progress>, abort: CancellationToken) {
    let watch = async {
        loop {
            tokio::time::sleep(DEPTH_INTERVAL).await;
            let waiting = queue.state().await.map_or(u64::MAX, |state| state.visible + state.delayed);
            progress.waiting.store(waiting, Relaxed);
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
    use tokio::time::{Instant, sleep};

    const NEVER: Duration = Duration::from_secs(10_000_000);

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_hangs_does_not_outlast_the_abort() {
        let queue = FakeQueue::with([]);
        queue.fail(Verb::State, Wrong::Late(NEVER), 0, 1);
        let abort = CancellationToken::new();
        let watch = tokio::spawn(watch_depth(Arc::clone(&queue), Arc::default(), abort.clone()));
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
        let watch = tokio::spawn(watch_depth(Arc::clone(&queue), Arc::clone(&progress), abort.clone()));
        let mut told = Vec::new();
        for _ in 0..3 {
            sleep(DEPTH_INTERVAL + Duration::from_millis(10)).await;
            told.push(progress.waiting.load(Relaxed));
        }
        assert_eq!(told, [2, u64::MAX, 2]);
        abort.cancel();
        watch.await.unwrap();
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
        look(&*queue, &Progress::default(), true, &stop).await.unwrap();
        assert_eq!(before.elapsed().as_secs(), 3);
    }
}
