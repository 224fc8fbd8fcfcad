//! Verifies one scope: lists, reads within bounds, each object once, and lets the pure checks judge.

use super::chain::{Audit, Auditor, Window, link};
use super::digest::LogEntry;
use super::discover::Roots;
use super::evidence::{Evidence, Failure, Fetched, KeyAnswer, Listing, LogRead, Need};
use super::finding::{Finding, Kind};
use super::logs;
use super::moment::{self, HOUR, folders};
use super::read;
use super::report::Tally;
use super::scope::{Chain, Name, Scope};
use super::since::Last;
use super::store::Store;
use super::trust::Trust;
use super::verdict::SIGNATURE_ALGORITHM;
use super::walk::{self, Event, Walk};
use crate::aws::listing::Range;
use crate::aws::region::partition;
use crate::record::trail_key::{Kind as Category, TrailKey};
use jiff::Timestamp;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

const DAY: i64 = 24 * HOUR;
/// 2013-01-01, the year in which CloudTrail began: no log file is older.
const LAUNCH: i64 = 1_356_998_400;
/// Over longer times than this, seconds, it is looked first which days have a folder at all.
const ASKED_BY_DAY: i64 = 31 * DAY;
/// Keys of one folder that are held: log files of one account and region in a day, digests of many years.
const LISTED: usize = 2_000_000;

/// Counts while work goes on.
#[derive(Debug, Default)]
pub struct Progress {
    pub digests: AtomicU64,
    /// Log files that digests list, as far as known.
    pub logs: AtomicU64,
    pub logs_done: AtomicU64,
    /// Stored bytes of log files.
    pub bytes: AtomicU64,
}

/// What does the work, shared by all scopes.
pub struct Verifier {
    pub store: Store,
    pub trust: Trust,
    pub window: Window,
    /// Only what the AWS CLI prints is wanted.
    pub compat: bool,
    /// Region that is asked for keys; by default that of the digests.
    pub key_region: Option<String>,
    /// Objects read, or folders listed, at a time.
    pub permits: Arc<Semaphore>,
    /// Where the last run ended.
    pub last: Option<Last>,
    pub progress: Progress,
    pub roots: Roots,
}

/// What came out for one chain.
#[derive(Debug)]
pub struct Outcome {
    pub chain: Chain,
    pub window: Window,
    /// What the AWS CLI's walk comes across.
    pub events: Vec<Event>,
    pub logs: Arc<HashMap<Name, LogRead>>,
    pub audit: Audit,
    /// Log files that authentic digests list, and those of them without a finding.
    pub listed: u64,
    pub valid: u64,
    pub findings: Vec<Finding>,
    /// The AWS CLI's counts, once the lines are no longer needed.
    pub tally: Option<Tally>,
}

impl Verifier {
    /// Verifies the chains of a scope; with `wanted` only that trail's.
    pub async fn scope(self: &Arc<Self>, scope: &Scope, wanted: Option<Chain>) -> Vec<Outcome> {
        let mut evidence = Evidence::default();
        // Three things that need not wait for each other.
        let (listing, keys, logs) = tokio::join!(
            self.list_digests(&scope.bucket, scope, wanted.as_ref()),
            self.keys(scope),
            self.list_logs(scope),
        );
        let (period, answer) = keys;
        evidence.keys.insert(period, answer);
        let found = chains(scope, &listing);
        let is_wanted = |chain: &Chain| match &wanted {
            Some(wanted) => (&wanted.trail, &wanted.home_region) == (&chain.trail, &chain.home_region),
            None => true,
        };
        // The account may have a trail of its own here beside the organization's.
        if !found.iter().any(is_wanted)
            && !self.compat
            && let Some(inside) = self.in_organization(scope).await
        {
            let wanted = wanted.map(|chain| Chain { scope: inside.clone(), ..chain });
            return Box::pin(self.scope(&inside, wanted)).await;
        }
        if wanted.is_none()
            && let Listing::Failed(failure) = &listing
        {
            return vec![self.nothing(scope, Finding::new(Kind::Unreadable, failure.text.clone()))];
        }
        if wanted.is_none() && found.is_empty() {
            let text = format!("there is no digest for account `{}` in `{}`", scope.account, scope.region);
            return vec![self.nothing(scope, Finding::new(Kind::NoDigests, text))];
        }
        evidence.listings.insert(scope.bucket.clone(), listing);
        let chains = wanted.map_or_else(|| found.clone(), |chain| vec![chain]);
        let mut outcomes = Vec::new();
        for chain in chains {
            self.prefetch(&chain, &mut evidence).await;
            let audit = if self.compat { Audit::default() } else { self.audit(&chain, &mut evidence).await };
            lend_signatures(&audit, &mut evidence);
            let events = self.walk(&chain, &mut evidence).await;
            let logs = Arc::new(HashMap::new());
            let (window, mut findings) = (self.window, audit.findings.clone());
            findings.extend(self.compare_with_last(&chain, &mut evidence).await);
            outcomes.push(Outcome { chain, window, events, logs, audit, listed: 0, valid: 0, findings, tally: None });
        }
        self.read_logs(&mut outcomes, &mut evidence).await;
        if !self.compat {
            for outcome in &mut outcomes {
                judge_logs(outcome, &evidence);
            }
            self.look_for_unlisted(scope, &found, logs, &mut outcomes, &mut evidence).await;
        }
        outcomes
    }

    /// A scope in which no chain was found.
    fn nothing(&self, scope: &Scope, finding: Finding) -> Outcome {
        let chain =
            Chain { scope: scope.clone(), trail: String::new(), home_region: scope.region.clone(), arn: String::new() };
        Outcome {
            chain,
            window: self.window,
            events: Vec::new(),
            logs: Arc::default(),
            audit: Audit::default(),
            listed: 0,
            valid: 0,
            findings: vec![finding],
            tally: None,
        }
    }

    /// Every digest of the window is read at once; links lead mostly to these.
    async fn prefetch(self: &Arc<Self>, chain: &Chain, evidence: &mut Evidence) {
        let Some(Listing::Keys(keys)) = evidence.listings.get(&chain.scope.bucket) else { return };
        let (from, last) = (self.window.from, moment::plus(self.window.to, HOUR));
        let in_window = |key: &&String| match chain.is_ours(key) {
            Some(ours) => ours.end >= from && ours.end <= last,
            None => false,
        };
        let needs: Vec<Need> = keys
            .iter()
            .filter(in_window)
            .map(|key| Name::new(chain.scope.bucket.clone(), key.clone()))
            .filter(|name| !evidence.digests.contains_key(name))
            .map(Need::Digest)
            .collect();
        self.satisfy(chain, needs, evidence).await;
    }

    async fn audit(self: &Arc<Self>, chain: &Chain, evidence: &mut Evidence) -> Audit {
        let mut auditor = Auditor::new(chain, self.window);
        loop {
            match auditor.audit(evidence) {
                Ok(audit) => return audit,
                Err(needs) => self.satisfy(chain, needs, evidence).await,
            }
        }
    }

    /// What the last run saw must still be there.
    async fn compare_with_last(self: &Arc<Self>, chain: &Chain, evidence: &mut Evidence) -> Option<Finding> {
        let last = self.last.as_ref()?;
        let need = evidence.digest(&last.seen(chain)?).err();
        self.satisfy(chain, need.into_iter().collect(), evidence).await;
        last.compare(chain, evidence)
    }

    async fn walk(self: &Arc<Self>, chain: &Chain, evidence: &mut Evidence) -> Vec<Event> {
        let mut walk = Walk::new(chain, self.window.from, self.window.to, self.compat);
        let mut events = Vec::new();
        loop {
            match walk.next(evidence) {
                Ok(Some(event)) => events.push(event),
                Ok(None) => return events,
                Err(need) => self.satisfy(chain, vec![need], evidence).await,
            }
        }
    }

    async fn satisfy(self: &Arc<Self>, chain: &Chain, needs: Vec<Need>, evidence: &mut Evidence) {
        let mut digests = Vec::new();
        for need in needs {
            match need {
                Need::Digest(name) => digests.push(name),
                Need::Listing(bucket) => {
                    let listing = self.list_digests(&bucket, &chain.scope, Some(chain)).await;
                    evidence.listings.insert(bucket, listing);
                }
                Need::Keys(from, to) => {
                    let region = self.key_region.as_deref().unwrap_or(&chain.scope.region);
                    evidence.keys.insert((from, to), self.trust.between(region, from, to).await);
                }
            }
        }
        let verifier = Arc::clone(self);
        let fetch = move |name: Name| {
            let verifier = Arc::clone(&verifier);
            async move {
                let fetched = read::digest(&verifier.store, &name).await;
                verifier.progress.digests.fetch_add(1, Ordering::Relaxed);
                (name, fetched)
            }
        };
        evidence.digests.extend(self.all(digests, fetch).await);
    }

    /// Every log file that a digest lists, once.
    async fn read_logs(self: &Arc<Self>, outcomes: &mut [Outcome], evidence: &mut Evidence) {
        let mut names = BTreeSet::new();
        for outcome in outcomes.iter() {
            let walked = outcome.events.iter().flat_map(|event| match event {
                Event::Valid { logs, .. } => logs.as_slice(),
                _ => &[],
            });
            let proved = outcome.audit.authentic.iter().flat_map(|name| entries(evidence, name));
            names.extend(walked.chain(proved).map(|entry| Name::new(entry.bucket.clone(), entry.key.clone())));
        }
        self.progress.logs.fetch_add(names.len() as u64, Ordering::Relaxed);
        let verifier = Arc::clone(self);
        let hash = move |name: Name| {
            let verifier = Arc::clone(&verifier);
            async move {
                let read = read::log(&verifier.store, &name, &verifier.progress.bytes).await;
                verifier.progress.logs_done.fetch_add(1, Ordering::Relaxed);
                (name, read)
            }
        };
        let read = Arc::new(self.all(names, hash).await.into_iter().collect::<HashMap<_, _>>());
        for outcome in outcomes {
            outcome.logs = Arc::clone(&read);
        }
    }

    /// Log files in the bucket that no digest of any trail lists.
    async fn look_for_unlisted(
        self: &Arc<Self>,
        scope: &Scope,
        found: &[Chain],
        keys: Result<Vec<String>, Failure>,
        outcomes: &mut [Outcome],
        evidence: &mut Evidence,
    ) {
        let Some(outcome) = outcomes.first() else { return };
        let covered: Vec<_> = outcomes.iter().flat_map(|outcome| outcome.audit.covered.iter().copied()).collect();
        if covered.is_empty() {
            return;
        }
        let first = outcome.chain.clone();
        let (keys, failed) = match keys {
            Ok(keys) => (keys, None),
            Err(failure) => (Vec::new(), Some(failure)),
        };
        let mut listed: HashSet<Name> = HashSet::new();
        for outcome in outcomes.iter() {
            listed.extend(outcome.audit.authentic.iter().flat_map(|name| entries(evidence, name)).map(named));
        }
        let mut names = logs::unlisted(scope, keys.into_iter(), &listed, &covered);
        if !names.is_empty() {
            // Another trail may deliver to the same folder; its digests count when they prove themselves.
            for other in found.iter().filter(|other| outcomes.iter().all(|outcome| outcome.chain != **other)) {
                self.prefetch(other, evidence).await;
                let audit = self.audit(other, evidence).await;
                listed.extend(audit.authentic.iter().flat_map(|name| entries(evidence, name)).map(named));
            }
            names.retain(|name| !listed.contains(name));
        }
        let mut findings = logs::unlisted_findings(&names);
        findings.extend(failed.map(|failure| Finding::new(Kind::Unreadable, failure.text)));
        if let Some(outcome) = outcomes.iter_mut().find(|outcome| outcome.chain == first) {
            outcome.findings.extend(findings);
        }
    }

    /// The keys for the whole window.
    async fn keys(&self, scope: &Scope) -> ((Timestamp, Timestamp), KeyAnswer) {
        let region = self.key_region.as_deref().unwrap_or(&scope.region);
        let (from, to) = (self.window.from, moment::plus(self.window.to, 2 * HOUR));
        ((from, to), self.trust.between(region, from, to).await)
    }

    /// Keys of the log files that lie in the folders of the window's days.
    async fn list_logs(self: &Arc<Self>, scope: &Scope) -> Result<Vec<String>, Failure> {
        if self.compat {
            return Ok(Vec::new());
        }
        let Window { from, to, now } = self.window;
        let first = from.max(Timestamp::from_second(LAUNCH).unwrap_or(from));
        let last = to.min(moment::plus(now, DAY));
        let prefixes: Vec<String> = if moment::plus(first, ASKED_BY_DAY) < last {
            self.days(scope, Category::Log, first, last).await?
        } else {
            let days = (0..).map(|n| moment::plus(first, n * DAY)).take_while(|day| folders(*day) <= folders(last));
            days.map(|day| scope.day(Category::Log, day)).collect()
        };
        let (verifier, bucket) = (Arc::clone(self), scope.bucket.clone());
        let list = move |prefix: String| {
            let (verifier, bucket) = (Arc::clone(&verifier), bucket.clone());
            async move { verifier.list(&bucket, &prefix, None, |_| false).await }
        };
        let mut keys = Vec::new();
        for listed in self.all(prefixes, list).await {
            keys.extend(listed?);
        }
        keys.sort_unstable();
        Ok(keys)
    }

    /// The digest folder of a scope around the window, in this bucket.
    ///
    /// Goes on until the AWS CLI's own listing would have stopped: that depends on keys, not on folders.
    async fn list_digests(&self, bucket: &str, scope: &Scope, chain: Option<&Chain>) -> Listing {
        let Window { from, to, .. } = self.window;
        let folder = scope.folder(Category::Digest);
        let after = format!("{folder}{}", folders(moment::plus(from, -DAY)));
        let bound = format!("{folder}{}~", folders(moment::plus(to, DAY + HOUR)));
        let mut past = chain.is_none();
        let stop = |key: &str| {
            past |= chain.is_some_and(|chain| walk::is_past(chain, to, key));
            past && key > bound.as_str()
        };
        match self.list(bucket, &folder, Some(&after), stop).await {
            Ok(keys) => Listing::Keys(keys.into_iter().collect()),
            Err(failure) => Listing::Failed(failure),
        }
    }

    /// Keys with a prefix, until `stop` says so of one.
    async fn list(
        &self,
        bucket: &str,
        prefix: &str,
        after: Option<&str>,
        mut stop: impl FnMut(&str) -> bool,
    ) -> Result<Vec<String>, Failure> {
        let mut keys = Vec::new();
        let mut token = None;
        loop {
            let range = Range { bucket, prefix, after, folders: false };
            let page = self.store.list(range, token).await?;
            let stopped = page.keys.iter().any(|key| stop(key));
            keys.extend(page.keys);
            if keys.len() > LISTED {
                return Err(too_many(bucket, prefix));
            }
            token = page.next;
            if stopped || token.is_none() {
                return Ok(keys);
            }
        }
    }

    /// Runs `work` on each item, as many at a time as there are permits.
    pub(super) async fn all<I, T, F>(&self, items: impl IntoIterator<Item = I>, work: impl Fn(I) -> F) -> Vec<T>
    where
        T: Send + 'static,
        F: Future<Output = T> + Send + 'static,
    {
        let (mut tasks, mut done) = (JoinSet::new(), Vec::new());
        for item in items {
            let Ok(permit) = Arc::clone(&self.permits).acquire_owned().await else { break };
            let work = work(item);
            tasks.spawn(async move {
                let ended = work.await;
                drop(permit);
                ended
            });
            while let Some(ended) = tasks.try_join_next() {
                done.extend(ended);
            }
        }
        while let Some(ended) = tasks.join_next().await {
            done.extend(ended);
        }
        done
    }
}

fn too_many(bucket: &str, prefix: &str) -> Failure {
    let text = format!("more than {LISTED} objects lie in `s3://{bucket}/{prefix}`; ask about a shorter time");
    Failure { code: "TooMany".to_owned(), action: "ListObjectsV2", message: text.clone(), text }
}

/// The chains whose digests a listing holds.
fn chains(scope: &Scope, listing: &Listing) -> Vec<Chain> {
    let Listing::Keys(keys) = listing else { return Vec::new() };
    let mut found = BTreeSet::new();
    for key in keys {
        let Some(read) = TrailKey::parse(key) else { continue };
        if let Some(digest) = read.digest {
            found.insert((digest.trail, digest.home_region));
        }
    }
    let chain = |(trail, home): (&str, &str)| Chain {
        scope: scope.clone(),
        trail: trail.to_owned(),
        home_region: home.to_owned(),
        arn: format!("arn:{}:cloudtrail:{home}:{}:trail/{trail}", partition(home), scope.account),
    };
    found.into_iter().map(chain).collect()
}

/// In a copy without metadata the walk has the signatures by which the audit proved the digests: those that the next
/// ones state.
fn lend_signatures(audit: &Audit, evidence: &mut Evidence) {
    for name in &audit.authentic {
        let Some(Fetched::Read(later)) = evidence.digests.get(name) else { continue };
        let Some(digest) = later.digest() else { continue };
        let Some((previous, signature)) = link(name, digest).zip(digest.previous_signature.text()) else { continue };
        let signature = signature.to_owned();
        if let Some(Fetched::Read(reading)) = evidence.digests.get_mut(&previous)
            && reading.bare
        {
            reading.signature.get_or_insert(signature);
            reading.algorithm.get_or_insert_with(|| SIGNATURE_ALGORITHM.to_owned());
        }
    }
}

fn entries<'e>(evidence: &'e Evidence, name: &Name) -> &'e [LogEntry] {
    match evidence.digest(name) {
        Ok(Fetched::Read(reading)) => reading.digest().map_or(&[], |digest| digest.entries()),
        _ => &[],
    }
}

fn named(entry: &LogEntry) -> Name {
    Name::new(entry.bucket.clone(), entry.key.clone())
}

/// The log files that authentic digests list, each entry once.
fn judge_logs(outcome: &mut Outcome, evidence: &Evidence) {
    let mut seen = HashSet::new();
    for name in &outcome.audit.authentic {
        for entry in entries(evidence, name) {
            let Some(read) = outcome.logs.get(&named(entry)).filter(|_| seen.insert(entry.clone())) else { continue };
            outcome.listed += 1;
            match logs::finding(entry, read) {
                Some(finding) => outcome.findings.push(finding),
                None => outcome.valid += 1,
            }
        }
    }
}
