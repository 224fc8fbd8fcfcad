//! Drives one bulk to its end: every record of it indexed, known or parked.
//!
//! Only what failed is sent again, cut out of the body; what is too large is halved; what nobody can index is parked;
//! what somebody must mend is held and tried until it is. Invariants: a record is settled exactly once; the pieces of a
//! bulk hold together all records without outcome; cancelling drops the receipts, so that the source gets them back.

use super::answer::{Answer, Item};
use super::config::Settings;
use super::judge::{self, ItemFate, RequestFate};
use super::limit::{Ceiling, Limit, Permit};
use super::nodes::{Nodes, Turn};
use super::send::{Content, Node, Reply, Request, SendFault};
use super::answer;
use super::report::{self, Letter, Report};
use crate::ack::Outcome;
use crate::output::Bulk;
use crate::output::backoff::Backoff;
use crate::output::body::{Body, Unsound};
use crate::output::parking::Parking;
use crate::output::segments::Segments;
use bytes::Bytes;
use elasticsearch::http::Method;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;
use tokio::time::Instant;

/// Sends bulks to one data stream of one cluster.
pub struct Sender {
    nodes: Nodes,
    limit: Limit,
    ceiling: Ceiling,
    parking: Arc<Parking>,
    report: Report,
    backoff: Backoff,
    path: String,
    query: Vec<(String, String)>,
    timeout: Duration,
    level: u8,
    /// Requests that were answered item by item, since the start.
    accepted: AtomicU64,
}

/// A bulk or a piece of one, on its way.
struct Parcel {
    body: Body,
    segments: Segments,
    /// Answers without any progress.
    failures: u32,
    /// Connections that broke under it.
    breaks: u32,
    /// Not to be sent before.
    due: Instant,
    suspicion: Option<Suspicion>,
}

impl Parcel {
    /// Due at once.
    fn new(body: Body, segments: Segments) -> Parcel {
        Parcel { body, segments, failures: 0, breaks: 0, due: Instant::now(), suspicion: None }
    }
}

/// A request was refused as a whole, which one of its records may have caused, or the settings.
#[derive(Clone, Copy)]
struct Suspicion {
    /// [`Sender::accepted`] when it began: more since then acquit the settings.
    accepted: u64,
    halvings: u8,
}

/// Broken connections after which a body is halved: some servers and proxies break off what is too large for them
/// before they say so.
const BREAKS: u32 = 3;

/// Halvings that a refusal is worth while nothing at all is accepted.
const BLIND_HALVINGS: u8 = 2;

impl Sender {
    pub fn new(nodes: Vec<Node>, settings: &Settings, parking: Arc<Parking>) -> Sender {
        let mut query = vec![("filter_path".to_owned(), answer::FILTER_PATH.to_owned())];
        query.extend(settings.pipeline.iter().map(|name| ("pipeline".to_owned(), name.clone())));
        query.extend(settings.parameters.iter().cloned());
        let path = format!("{}/_bulk", settings.stream);
        Sender {
            nodes: Nodes::new(nodes, settings.spread, settings.backoff),
            limit: Limit::new(settings.concurrency),
            ceiling: Ceiling::default(),
            parking,
            report: Report::new(&path),
            backoff: settings.backoff,
            path,
            query,
            timeout: settings.timeout,
            level: settings.compression_level,
            accepted: AtomicU64::new(0),
        }
    }

    /// Requests allowed at a time now.
    pub fn allowed(&self) -> usize {
        self.limit.allowed()
    }

    /// Returns when every record of the bulk has an outcome.
    pub async fn deliver(&self, bulk: Bulk) {
        let _charge = bulk.charge;
        let body = Body { wire: bulk.body.into(), gzip: bulk.gzip, items: bulk.items };
        let segments = Segments::new(bulk.segments);
        if segments.open() != body.records() as u64 {
            tracing::error!(records = body.records(), promised = segments.open(), "a bulk and its receipts do not agree; given back");
            return;
        }
        let mut open = vec![Parcel::new(body, segments)];
        while let Some(parcel) = take_due(&mut open) {
            if parcel.body.records() == 0 {
                continue;
            }
            tokio::time::sleep_until(parcel.due).await;
            match self.attempt(parcel).await {
                Ok(rest) => open.extend(rest),
                // What is unsound is given back, and comes again from the source.
                Err(fault) => tracing::error!(%fault, "a bulk is unsound; given back"),
            }
        }
    }

    /// Sends once; answers what is still open.
    async fn attempt(&self, mut parcel: Parcel) -> Result<Vec<Parcel>, Unsound> {
        if parcel.body.records() > 1 && self.ceiling.exceeded_by(parcel.body.plain_bytes()) {
            return self.halve(parcel).await;
        }
        let permit = self.limit.acquire().await;
        let turn = self.nodes.turn().await;
        let request = Request {
            method: Method::Post,
            path: &self.path,
            query: &self.query,
            body: Content::Lines { bytes: parcel.body.wire.clone(), gzip: parcel.body.gzip },
            timeout: self.timeout,
        };
        let sent = turn.node().send(request).await;
        match sent {
            Ok(reply) => self.judge(parcel, &reply, turn, permit).await,
            Err(fault) => {
                self.report.unreachable(&turn, &fault);
                if matches!(fault, SendFault::Timeout(_)) {
                    permit.overloaded();
                }
                // No pause here: another node may work, and where none does the turn is what is waited for.
                turn.failed();
                parcel.breaks += u32::from(matches!(fault, SendFault::Broken(_)));
                if parcel.breaks >= BREAKS && parcel.body.records() > 1 {
                    self.ceiling.refused(parcel.body.plain_bytes());
                    return self.halve(parcel).await;
                }
                Ok(vec![parcel])
            }
        }
    }

    async fn judge(&self, parcel: Parcel, reply: &Reply, turn: Turn<'_>, permit: Permit<'_>) -> Result<Vec<Parcel>, Unsound> {
        let fate = judge::request(reply.status);
        match fate {
            RequestFate::Read => {
                self.report.reachable(&turn);
                turn.worked();
                self.read(parcel, reply, permit).await
            }
            RequestFate::NodeDown => {
                self.report.node_down(&turn, reply);
                // A gateway's 502 says nothing about load.
                if reply.status != 502 {
                    permit.overloaded();
                }
                turn.failed();
                Ok(vec![parcel])
            }
            RequestFate::Busy | RequestFate::Again => {
                turn.worked();
                self.report.again(reply.status, &answer::error_of(&reply.body));
                if fate == RequestFate::Busy {
                    permit.overloaded();
                }
                Ok(vec![self.later(parcel)])
            }
            RequestFate::Hold => {
                turn.worked();
                self.report.held(reply.status, &answer::error_of(&reply.body), parcel.body.records());
                Ok(vec![self.later(parcel)])
            }
            RequestFate::Split => {
                turn.worked();
                drop(permit);
                self.too_large(parcel, reply).await
            }
            RequestFate::Isolate => {
                turn.worked();
                drop(permit);
                self.isolate(parcel, reply).await
            }
        }
    }

    /// Settles what the answer tells of each item; answers what is still open.
    async fn read(&self, mut parcel: Parcel, reply: &Reply, permit: Permit<'_>) -> Result<Vec<Parcel>, Unsound> {
        let records = parcel.body.records();
        let told = match Answer::read(&reply.body) {
            Ok(told) if told.count == records => told,
            Ok(told) => {
                self.report.unreadable(&format!("it tells of {} items, {records} were sent", told.count));
                return Ok(vec![self.later(parcel)]);
            }
            Err(fault) => {
                self.report.unreadable(&fault);
                return Ok(vec![self.later(parcel)]);
            }
        };
        self.accepted.fetch_add(1, Relaxed);
        parcel.suspicion = None;
        let mut fates = vec![ItemFate::Done(Outcome::Indexed); records];
        for (position, item) in &told.notable {
            if let Some(fate) = fates.get_mut(*position) {
                *fate = judge::item(item);
            }
        }
        if fates.contains(&ItemFate::Busy) {
            permit.overloaded();
        } else {
            permit.good();
        }
        self.report.read(&told.notable, &fates);
        let in_failure_store = told.notable.iter().filter(|(_, item)| item.in_failure_store).count();
        if in_failure_store > 0 {
            self.parking.count_elsewhere("failure-store", in_failure_store as u64);
        }
        let done: Vec<Option<Outcome>> = fates.iter().map(|fate| if let ItemFate::Done(outcome) = fate { Some(*outcome) } else { None }).collect();
        parcel.segments.settle(&done);
        let is_open = |fate: &ItemFate| !matches!(fate, ItemFate::Done(_));
        if !fates.iter().any(is_open) {
            return Ok(Vec::new());
        }
        self.go_on(parcel, &fates, &told.notable).await
    }

    /// Parks what will never pass and cuts out what may.
    async fn go_on(&self, parcel: Parcel, fates: &[ItemFate], notable: &[(usize, Item)]) -> Result<Vec<Parcel>, Unsound> {
        let Parcel { body, mut segments, failures, .. } = parcel;
        let items = plain_items(body).await?;
        let mut letters = Vec::new();
        let mut outcomes = Vec::new();
        let mut rest = Vec::new();
        let open = fates.iter().enumerate().filter(|(_, fate)| !matches!(fate, ItemFate::Done(_)));
        // The segments hold only what is open by now, so that both run in step.
        for ((position, fate), source) in open.zip(segments.sources()) {
            let Some(item) = items.get(position) else { continue };
            let ItemFate::Park(code) = fate else {
                outcomes.push(None);
                rest.push(item.clone());
                continue;
            };
            let told = notable.binary_search_by_key(&position, |(at, _)| *at).ok().and_then(|at| notable.get(at));
            let (status, reason) = told.map_or((0, String::new()), |(_, item)| (item.status, reason(item)));
            letters.push(Letter { code, status, reason, source: Arc::clone(source), item: item.clone() });
            outcomes.push(Some(Outcome::Parked));
        }
        self.park(letters).await;
        segments.settle(&outcomes);
        if rest.is_empty() {
            return Ok(Vec::new());
        }
        let failures = if rest.len() < fates.len() { 0 } else { failures };
        let level = self.level;
        let body = blocking(move || Ok(Body::of(&rest, level))).await?;
        Ok(vec![self.later(Parcel { failures, ..Parcel::new(body, segments) })])
    }

    async fn too_large(&self, parcel: Parcel, reply: &Reply) -> Result<Vec<Parcel>, Unsound> {
        let bytes = parcel.body.plain_bytes();
        if parcel.body.records() > 1 {
            self.report.too_large(bytes);
            self.ceiling.refused(bytes);
            return self.halve(parcel).await;
        }
        let reason = format!("a request with this record alone, {bytes} bytes, was refused as too large");
        self.park_whole(parcel, "too-large", reply.status, &reason).await
    }

    async fn isolate(&self, mut parcel: Parcel, reply: &Reply) -> Result<Vec<Parcel>, Unsound> {
        let accepted = self.accepted.load(Relaxed);
        let suspicion = parcel.suspicion.unwrap_or(Suspicion { accepted, halvings: 0 });
        parcel.suspicion = Some(suspicion);
        let settings_work = accepted > suspicion.accepted;
        let told = answer::error_of(&reply.body);
        if parcel.body.records() == 1 && settings_work {
            let reason = format!("a request with this record alone was refused: {}", reason(&told));
            return self.park_whole(parcel, "request-refused", reply.status, &reason).await;
        }
        let may_halve = parcel.body.records() > 1 && (settings_work || suspicion.halvings < BLIND_HALVINGS);
        if may_halve {
            parcel.suspicion = Some(Suspicion { halvings: suspicion.halvings.saturating_add(1), ..suspicion });
            return self.halve(parcel).await;
        }
        self.report.held(reply.status, &told, parcel.body.records());
        Ok(vec![self.later(parcel)])
    }

    /// Two pieces of about the same size.
    async fn halve(&self, parcel: Parcel) -> Result<Vec<Parcel>, Unsound> {
        let Parcel { body, mut segments, suspicion, .. } = parcel;
        let level = self.level;
        let (front, back) = blocking(move || {
            let items = body.plain_items()?;
            let (front, back) = items.split_at(middle(&body));
            Ok((Body::of(front, level), Body::of(back, level)))
        })
        .await?;
        let taken = segments.take_front(front.records() as u64);
        let piece = |body, segments| Parcel { suspicion, ..Parcel::new(body, segments) };
        Ok(vec![piece(front, taken), piece(back, segments)])
    }

    async fn park_whole(&self, parcel: Parcel, code: &'static str, status: u16, reason: &str) -> Result<Vec<Parcel>, Unsound> {
        let Parcel { body, mut segments, .. } = parcel;
        let items = plain_items(body).await?;
        let outcomes = vec![Some(Outcome::Parked); items.len()];
        let mut letters = Vec::new();
        for (item, source) in items.into_iter().zip(segments.sources()) {
            letters.push(Letter { code, status, reason: reason.to_owned(), source: Arc::clone(source), item });
        }
        self.park(letters).await;
        segments.settle(&outcomes);
        Ok(Vec::new())
    }

    /// Returns when the letters are on disk; a full disk is waited for.
    async fn park(&self, letters: Vec<Letter>) {
        let letters = Arc::new(letters);
        let mut failures = 0;
        while !letters.is_empty() {
            let (parking, sent) = (Arc::clone(&self.parking), Arc::clone(&letters));
            let parked = tokio::task::spawn_blocking(move || report::park(&parking, &sent)).await;
            match parked.unwrap_or_else(|fault| Err(std::io::Error::other(fault))) {
                Ok(()) => return self.report.parked(&letters),
                Err(fault) => self.report.cannot_park(&fault),
            }
            failures += 1;
            tokio::time::sleep(self.backoff.pause(failures)).await;
        }
    }

    fn later(&self, mut parcel: Parcel) -> Parcel {
        parcel.failures = parcel.failures.saturating_add(1);
        parcel.due = Instant::now() + self.backoff.pause(parcel.failures);
        parcel
    }
}

/// The parcel that is due first.
fn take_due(open: &mut Vec<Parcel>) -> Option<Parcel> {
    let first = (0..open.len()).min_by_key(|at| open.get(*at).map(|parcel| parcel.due))?;
    Some(open.remove(first))
}

/// Where to cut a body in two: at least one item on each side, if there are two.
fn middle(body: &Body) -> usize {
    let half = body.plain_bytes() / 2;
    let mut size = 0;
    let fitting = body.items.iter().take_while(|length| {
        size += **length as usize;
        size <= half
    });
    fitting.count().clamp(1, body.records().saturating_sub(1).max(1)).min(body.records())
}

async fn plain_items(body: Body) -> Result<Vec<Bytes>, Unsound> {
    blocking(move || body.plain_items()).await
}

/// Runs what takes CPU off the async threads.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, Unsound> + Send + 'static) -> Result<T, Unsound> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(fault) => Err(Unsound::Gzip(fault.to_string())),
    }
}

fn reason(item: &Item) -> String {
    match (item.kind.is_empty(), item.reason.is_empty()) {
        (false, false) => format!("{}: {}", item.kind, item.reason),
        (false, true) => item.kind.clone(),
        (true, false) => item.reason.clone(),
        (true, true) => "the server gave no reason".to_owned(),
    }
}
