//! Reads one window of one group, page by page.
//!
//! Each page is a delivery with a ticket of the window's frontier: the group's cursor follows while the window is still
//! read, so that a break costs little, and a page that is given back holds it.

use super::groups::Group;
use super::memory::Memory;
use super::piece::{Full, Piece, UnderWay};
use super::source::{Logs, Page};
use super::window::Window;
use crate::ack::{Charge, Delivery, Verdict};
use crate::aws::fault::{Fault, FaultKind};
use crate::ecs::Origin;
use crate::inputs::Context;
use crate::output::Source;
use crate::record::log_event::LogEvent;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::time::Instant;

/// A window to read.
pub struct Task {
    pub key: String,
    pub group: Arc<Group>,
    pub window: Window,
    pub cursor: i64,
    pub memory: Memory,
}

/// How a window ended. The cursor was told page by page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// Read to its end.
    Whole,
    /// Read in part, and what to do about the rest.
    Full(Full),
    /// The run ends.
    Stopped,
    /// What went wrong, with its code; `kind` when AWS said so.
    Failed { code: &'static str, reason: String, kind: Option<FaultKind> },
}

/// A window that was read.
pub struct Done {
    pub key: String,
    pub window: Window,
    pub memory: Memory,
    pub end: End,
    /// Time that the worker was busy, and its calls.
    pub busy: Duration,
    pub calls: u64,
}

/// What all windows of an input have in common.
pub struct Reader<L> {
    pub logs: Arc<L>,
    pub input: String,
    pub context: Context,
    /// Pause between two pages of a group.
    pub api_sleep: Duration,
    /// Told how far a group is acknowledged, by its key.
    pub reached: UnboundedSender<(String, i64)>,
}

/// Bytes that a page under way is charged with: the answer, and the events taken out of it.
const PAGE: usize = 4 << 20;
/// Tries of a page that fails for a passing reason, and the pauses between them.
const TRIES: u32 = 6;
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

impl<L: Logs> Reader<L> {
    /// Reads the window and waits until all of it is acknowledged or given back; `permit` returns when the reading is
    /// over. `None` when the run is aborted.
    pub async fn read(&self, task: Task, permit: OwnedSemaphorePermit) -> Option<Done> {
        let Task { key, group, window, cursor, memory } = task;
        let (verdicts, mut settled) = unbounded_channel();
        let under_way = UnderWay::new(cursor, memory);
        let (began, calls) = (Instant::now(), AtomicU64::new(0));
        let reading = async {
            let of = Of { group: &group, window, under_way: &under_way, verdicts: &verdicts, calls: &calls };
            let end = self.pages(of, Piece::new(window, cursor)).await;
            // The channel ends with the last delivery.
            drop((verdicts, permit));
            (end, began.elapsed())
        };
        let settling = async {
            while let Some(verdict) = settled.recv().await {
                if let Some(cursor) = under_way.settle(verdict) {
                    // Nobody listens only when the run is over.
                    let _ = self.reached.send((key.clone(), cursor));
                }
            }
        };
        let ((end, busy), ()) = tokio::select! {
            both = async { tokio::join!(reading, settling) } => both,
            () = self.context.abort.cancelled() => return None,
        };
        let (memory, lost) = under_way.finish();
        let end = match (lost, end) {
            (Some(reason), End::Whole | End::Full(_)) => End::Failed { code: "given-back", reason, kind: None },
            (_, end) => end,
        };
        Some(Done { key, window, memory, end, busy, calls: calls.into_inner() })
    }

    async fn pages(&self, of: Of<'_>, mut piece: Piece) -> End {
        let (origin, source) = (Arc::new(origin(of.group)), Arc::new(self.source(of.group)));
        let mut token: Option<String> = None;
        loop {
            // Nothing is lost by breaking off: what is not opened is not acknowledged.
            let page = match self.context.stop.run_until_cancelled(self.page(of, token.as_deref())).await {
                None => return End::Stopped,
                Some(Err(fault)) => return failed(&fault),
                Some(Ok((page, charge))) => (page, charge),
            };
            let (Page { events, token: next }, _charge) = page;
            let all = events.len();
            let (fresh, noted) = of.under_way.fresh(events);
            self.context.progress.repeated.fetch_add((all - fresh.len()) as u64, Relaxed);
            let key = of.under_way.open(piece.take(&fresh, next.is_none()), noted);
            let delivery = Delivery::open(key, Arc::clone(&self.context.counters), of.verdicts.clone());
            if !fresh.is_empty()
                && let Err(end) = self.ship(&delivery, fresh, &origin, &source).await
            {
                return end;
            }
            delivery.seal();
            if next.is_none() || of.under_way.has_lost() {
                return End::Whole;
            }
            if let Some(full) = piece.full() {
                return End::Full(full);
            }
            if next == token {
                let reason = format!("`logs:FilterLogEvents` of `{}` gave the same token twice", of.group.name);
                return End::Failed { code: "same-token", reason, kind: None };
            }
            token = next;
            let pause = tokio::time::sleep(self.api_sleep);
            let _: Option<()> = self.context.stop.run_until_cancelled(pause).await;
        }
    }

    /// Gives the fresh events of a page to the mill.
    async fn ship(
        &self,
        delivery: &Delivery,
        fresh: Vec<LogEvent>,
        origin: &Arc<Origin>,
        source: &Arc<Source>,
    ) -> Result<(), End> {
        let progress = &self.context.progress;
        progress.objects.fetch_add(1, Relaxed);
        progress.bytes.fetch_add(fresh.iter().map(|event| event.message.len() as u64).sum(), Relaxed);
        let mill = &self.context.mill;
        let reading = mill.begin(delivery.part(), Arc::clone(origin), Arc::clone(source), false);
        match mill.events(reading, fresh).await {
            Ok(reading) => {
                if reading.ignored() > 0 {
                    tracing::debug!(
                        log_group = source.object,
                        "{} events are left out, as `on_fault` says",
                        reading.ignored()
                    );
                }
                reading.into_part().complete();
                Ok(())
            }
            Err((reading, fault)) => {
                let reason = fault.to_string();
                if let Some(reading) = reading {
                    reading.into_part().fail(reason.clone());
                }
                Err(End::Failed { code: "page-given-back", reason, kind: None })
            }
        }
    }

    /// Asks for a page, again and again while it fails for a passing reason, with the room that it takes.
    async fn page(&self, of: Of<'_>, token: Option<&str>) -> Result<(Page, Option<Charge>), Fault> {
        let charge = self.context.mill.charge(PAGE).await;
        let (mut tries, mut pause) = (1, FIRST_PAUSE);
        loop {
            of.calls.fetch_add(1, Relaxed);
            let fault = match self.logs.page(of.group, of.window, token).await {
                Ok(page) => return Ok((page, charge)),
                Err(fault) => fault,
            };
            if tries == TRIES || !fault.may_pass() {
                return Err(fault);
            }
            tracing::debug!(code = fault.code(), log_group = of.group.name, "{fault}; it is tried again");
            tokio::time::sleep(pause).await;
            tries += 1;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    fn source(&self, group: &Group) -> Source {
        Source { input: self.input.clone(), object: group.name.clone(), ..Source::default() }
    }
}

/// What belongs to one window.
#[derive(Clone, Copy)]
struct Of<'a> {
    group: &'a Group,
    window: Window,
    under_way: &'a UnderWay,
    verdicts: &'a UnboundedSender<Verdict>,
    calls: &'a AtomicU64,
}

fn origin(group: &Group) -> Origin {
    Origin {
        input_type: "aws-cloudwatch",
        log_group: Some(group.name.clone()),
        region: Some(group.region.clone()),
        ..Origin::default()
    }
}

fn failed(fault: &Fault) -> End {
    End::Failed { code: fault.code(), reason: format!("{fault}; {}", fault.advice()), kind: Some(fault.kind) }
}
