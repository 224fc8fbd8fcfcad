//! Drives one bulk to its end: every record of it indexed, known or parked.
//!
//! Only what failed is sent again, cut out of the body; what is too large is halved; what nobody can index is parked;
//! what somebody must mend is held and tried until it is. Invariants: a record is settled exactly once; the pieces of a
//! bulk hold together all records without outcome; cancelling drops the receipts, so that the source gets them back.

use super::answer;
use super::answer::{Answer, Item};
use super::blocks::Blocks;
use super::judge::{self, ItemFate, RequestFate};
use super::limit::{Ceiling, Limit, Permit};
use super::nodes::{Nodes, Turn};
use super::parcel::{self, Parcel, Suspicion};
use super::report::{self, Letter, Report};
use super::rollover::{Doubt, Looked, Rollovers};
use super::send::{Content, Node, Reply, Request, SendFault};
use super::settings::Settings;
use crate::ack::Outcome;
use crate::output::Bulk;
use crate::output::backoff::Backoff;
use crate::output::body::{Body, Unsound};
use crate::output::parking::Parking;
use crate::output::segments::Segments;
use crate::status;
use elasticsearch::http::Method;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// Sends bulks to one data stream of one cluster.
pub struct Sender {
    nodes: Nodes,
    limit: Limit,
    ceiling: Ceiling,
    parking: Arc<Parking>,
    report: Report,
    rollovers: Rollovers,
    blocks: Blocks,
    backoff: Backoff,
    path: String,
    query: Vec<(String, String)>,
    timeout: Duration,
    level: u8,
    /// Requests that were answered item by item, since the start.
    accepted: AtomicU64,
}

/// Broken connections after which a body is halved: some servers and proxies break off what is too large for them
/// before they say so.
const BREAKS: u32 = 3;

/// Refusals for overload in a row after which a bulk is halved, and the size in bytes (plain) below which it takes twice
/// as many: small bulks cost an overloaded cluster more than they spare it.
const REFUSALS: u32 = 3;
const SMALL: usize = 256 << 10;

/// Halvings that a refusal is worth while nothing at all is accepted.
const BLIND_HALVINGS: u8 = 2;

impl Sender {
    pub fn new(nodes: Vec<Node>, settings: &Settings, parking: Arc<Parking>, health: status::Part) -> Sender {
        let mut query = vec![("filter_path".to_owned(), answer::FILTER_PATH.to_owned())];
        query.extend(settings.pipeline.iter().map(|name| ("pipeline".to_owned(), name.clone())));
        query.extend(settings.parameters.iter().cloned());
        let path = format!("{}/_bulk", settings.stream);
        Sender {
            nodes: Nodes::new(nodes, settings.spread, settings.backoff),
            limit: Limit::new(settings.concurrency),
            ceiling: Ceiling::default(),
            parking,
            report: Report::new(&path, health),
            rollovers: Rollovers::new(&settings.stream, settings.timeout, settings.compression_level),
            blocks: Blocks::new(&settings.stream, settings.timeout, settings.backoff),
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
            tracing::error!(
                records = body.records(),
                promised = segments.open(),
                "a bulk and its receipts do not agree; given back"
            );
            return;
        }
        let doubt = if segments.any_repeat() { Doubt::of_a_repeat() } else { Doubt::default() };
        let mut open = vec![Parcel { doubt, ..Parcel::new(body, segments) }];
        while let Some(parcel) = parcel::take_due(&mut open) {
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
            return parcel.halve(self.level).await;
        }
        let permit = self.limit.acquire().await;
        if let Some(due) = self.blocks.wait_until(&self.nodes, &self.report).await {
            return Ok(vec![Parcel { due, ..parcel }]);
        }
        let turn = self.nodes.turn().await;
        if parcel.doubt.open {
            match self.rollovers.look(parcel, turn.node(), &self.report).await? {
                Looked::Send(rest) => parcel = rest,
                Looked::Done => return Ok(Vec::new()),
                Looked::Later(parcel) => return Ok(vec![parcel.later(self.backoff)]),
                Looked::Unanswered(parcel, fault) => {
                    self.unanswered(turn, permit, &fault);
                    return Ok(vec![parcel]);
                }
            }
        }
        self.rollovers.note(&mut parcel.doubt);
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
                self.unanswered(turn, permit, &fault);
                // Only without a connection is it certain that nothing arrived.
                parcel.doubt.open |= !matches!(fault, SendFault::Unreachable(_));
                parcel.breaks += u32::from(matches!(fault, SendFault::Broken(_)));
                if parcel.breaks >= BREAKS && parcel.body.records() > 1 {
                    self.ceiling.refused(parcel.body.plain_bytes());
                    return parcel.halve(self.level).await;
                }
                Ok(vec![parcel])
            }
        }
    }

    /// A node gave no whole answer. No pause here: another one may work, and where none does the turn is what is waited
    /// for.
    fn unanswered(&self, turn: Turn<'_>, permit: Permit<'_>, fault: &SendFault) {
        self.report.unreachable(&turn, fault);
        if matches!(fault, SendFault::Timeout(_)) {
            permit.overloaded();
        }
        turn.failed();
        self.down("no answer", &fault.to_string());
    }

    /// A node has failed: says so where no other is left.
    fn down(&self, code: &str, reason: &str) {
        if self.nodes.all_rest() {
            self.report.nobody(code, reason);
        }
    }

    async fn judge(
        &self,
        mut parcel: Parcel,
        reply: &Reply,
        turn: Turn<'_>,
        permit: Permit<'_>,
    ) -> Result<Vec<Parcel>, Unsound> {
        let fate = judge::request(reply.status);
        // A gateway may say so of what the cluster has done all the same.
        parcel.doubt.open |= matches!(fate, RequestFate::NodeDown | RequestFate::Again);
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
                self.down(&reply.status.to_string(), "a node, or what stands before it, is not available");
                Ok(vec![parcel])
            }
            RequestFate::Busy => {
                turn.worked();
                self.report.again(reply.status, &answer::error_of(&reply.body));
                permit.overloaded();
                self.relieve(parcel).await
            }
            RequestFate::Again => {
                turn.worked();
                self.report.again(reply.status, &answer::error_of(&reply.body));
                Ok(vec![parcel.later(self.backoff)])
            }
            RequestFate::Hold => {
                turn.worked();
                self.report.held(reply.status, &answer::error_of(&reply.body), parcel.body.records());
                Ok(vec![parcel.later(self.backoff)])
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
        let read = Answer::read(&reply.body).and_then(|told| match told.count {
            count if count == records => Ok(told),
            count => Err(format!("it tells of {count} items, {records} were sent")),
        });
        let told = match read {
            Ok(told) => told,
            Err(fault) => {
                self.report.unreadable(&fault);
                parcel.doubt.open = true;
                return Ok(vec![parcel.later(self.backoff)]);
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
        let there = told.notable.iter().filter(|(_, item)| item.in_failure_store).count();
        // With the permit, so that nobody sends before it is known.
        if there > 0 && self.blocks.sent_there(there, &self.nodes, &self.report).await {
            for (position, _) in told.notable.iter().filter(|(_, item)| item.in_failure_store) {
                if let Some(fate) = fates.get_mut(*position) {
                    *fate = ItemFate::Hold;
                }
            }
        } else if there > 0 {
            self.parking.count_elsewhere("failure-store", there as u64);
        }
        if fates.contains(&ItemFate::Busy) {
            permit.overloaded();
        } else {
            permit.good();
        }
        self.report.read(&told.notable, &fates);
        let done: Vec<Option<Outcome>> =
            fates.iter().map(|fate| if let ItemFate::Done(outcome) = fate { Some(*outcome) } else { None }).collect();
        parcel.segments.settle(&done);
        let is_open = |fate: &ItemFate| !matches!(fate, ItemFate::Done(_));
        if !fates.iter().any(is_open) {
            return Ok(Vec::new());
        }
        self.go_on(parcel, &fates, &told.notable).await
    }

    /// Parks what will never pass and cuts out what may.
    async fn go_on(
        &self,
        parcel: Parcel,
        fates: &[ItemFate],
        notable: &[(usize, Item)],
    ) -> Result<Vec<Parcel>, Unsound> {
        let Parcel { body, mut segments, failures, mut doubt, .. } = parcel;
        let items = parcel::plain_items(body).await?;
        let mut letters = Vec::new();
        let mut outcomes = Vec::new();
        let mut rest = Vec::new();
        let open = fates.iter().enumerate().filter(|(_, fate)| !matches!(fate, ItemFate::Done(_)));
        // The segments hold only what is open by now, so that both run in step.
        for ((position, fate), source) in open.zip(segments.sources()) {
            let Some(item) = items.get(position) else {
                continue;
            };
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
        let body = parcel::packed(rest, level).await?;
        doubt.open |= fates.iter().any(|fate| matches!(fate, ItemFate::Again | ItemFate::Busy));
        let parcel = Parcel { failures, doubt, ..Parcel::new(body, segments) };
        if fates.contains(&ItemFate::Busy) {
            return self.relieve(parcel).await;
        }
        Ok(vec![parcel.later(self.backoff)])
    }

    async fn too_large(&self, parcel: Parcel, reply: &Reply) -> Result<Vec<Parcel>, Unsound> {
        let bytes = parcel.body.plain_bytes();
        if parcel.body.records() > 1 {
            self.report.too_large(bytes);
            self.ceiling.refused(bytes);
            return parcel.halve(self.level).await;
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
            return parcel.halve(self.level).await;
        }
        self.report.held(reply.status, &told, parcel.body.records());
        Ok(vec![parcel.later(self.backoff)])
    }

    async fn park_whole(
        &self,
        parcel: Parcel,
        code: &'static str,
        status: u16,
        reason: &str,
    ) -> Result<Vec<Parcel>, Unsound> {
        let Parcel { body, mut segments, .. } = parcel;
        let items = parcel::plain_items(body).await?;
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
                Ok(()) if self.parking.keeps() => return self.report.parked(&letters),
                Ok(()) => return,
                Err(fault) => self.report.cannot_park(&fault),
            }
            failures += 1;
            tokio::time::sleep(self.backoff.pause(failures)).await;
        }
    }

    /// After overload: waits, and asks less at once when that alone does not help, as a server whose memory for
    /// requests is smaller than the bulk refuses it for ever.
    async fn relieve(&self, parcel: Parcel) -> Result<Vec<Parcel>, Unsound> {
        let parcel = parcel.later(self.backoff);
        let bytes = parcel.body.plain_bytes();
        let enough = if bytes > SMALL { REFUSALS } else { 2 * REFUSALS };
        if parcel.body.records() < 2 || parcel.failures < enough {
            return Ok(vec![parcel]);
        }
        if bytes > SMALL {
            self.ceiling.refused(bytes);
        }
        let due = parcel.due;
        let mut pieces = parcel.halve(self.level).await?;
        pieces.iter_mut().for_each(|piece| piece.due = due);
        Ok(pieces)
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
