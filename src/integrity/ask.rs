//! Asks S3 for digests and log files, and CloudTrail for keys. Whoever may read is asked: each input has its identity.

use super::book::{Ask, Judged, Result};
use super::model::{ChainState, DigestRow};
use super::note::Access;
use crate::verify::chain::link;
use crate::verify::digest::{LogEntry, Logs};
use crate::verify::evidence::{Content, Evidence, Failure, Fetched, KeyAnswer, LogRead, Need, Reading};
use crate::verify::finding::Kind;
use crate::verify::keys::KeyRing;
use crate::verify::moment::{self, HOUR};
use crate::verify::scope::Name;
use crate::verify::store::{NotOpened, Room, Store};
use crate::verify::trust::{Origin, Trust};
use crate::verify::{read, verdict};
use jiff::Timestamp;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Those who may be asked. Clones share them.
#[derive(Clone)]
pub(super) struct Sources {
    ring: Option<KeyRing>,
    room: Room,
    all: Arc<Mutex<Vec<Arc<Source>>>>,
}

/// Buckets and keys as one input sees them.
struct Source {
    store: Store,
    trust: Trust,
}

/// CloudTrail may deliver the digest of an hour so much later.
const DELIVERY: i64 = 2 * HOUR;
const DAY: i64 = 24 * HOUR;
/// Keys that one digest may need.
const ROUNDS: usize = 4;
/// Inflated bytes from which on digests are judged one at a time. Anybody who may announce objects may announce forged ones,
/// so that what all take together must not grow with their number.
const LARGE: usize = 256 << 10;

impl Sources {
    /// Nobody yet. Keys are those of `ring`, where there is one.
    pub fn new(ring: Option<KeyRing>) -> Sources {
        Sources { ring, room: Room::new(LARGE, 1), all: Arc::default() }
    }

    pub fn add(&self, access: Access) {
        let origin = match &self.ring {
            Some(ring) => Origin::Ring(ring.clone()),
            None => Origin::Api(Box::new(access.cloudtrail)),
        };
        let store = Store::new(Some(access.buckets), Vec::new()).within(self.room.clone());
        let source = Source { store, trust: Trust::new(origin) };
        self.lock().push(Arc::new(source));
    }

    pub fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    /// Asks one after the other until somebody may answer.
    pub async fn answer(&self, ask: &Ask, now: Timestamp) -> Result {
        let all = self.lock().clone();
        let mut last = None;
        for source in all {
            let result = source.answer(ask, now).await;
            if !result.is_failure() {
                return result;
            }
            last = Some(result);
        }
        last.unwrap_or_else(|| failed(ask, nobody()))
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Arc<Source>>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Result {
    fn is_failure(&self) -> bool {
        match self {
            Result::Digest(judged) => judged.failure().is_some(),
            Result::File(read) => matches!(read, LogRead::Failed(_)),
            Result::Previous(previous) => previous.is_err(),
            Result::Backfills(all) => all.iter().any(|(_, judged)| judged.failure().is_some()),
        }
    }
}

fn failed(ask: &Ask, failure: Failure) -> Result {
    match ask {
        Ask::Digest(_) => Result::Digest(Judged::Failed(failure)),
        Ask::File(_) => Result::File(LogRead::Failed(failure)),
        Ask::Previous(_) => Result::Previous(Err(failure)),
        Ask::Backfills(names) => {
            Result::Backfills(names.iter().map(|name| (name.clone(), Judged::Failed(failure.clone()))).collect())
        }
    }
}

fn nobody() -> Failure {
    let text = "no input has given its access to S3 yet".to_owned();
    Failure { code: "NoAccess".to_owned(), action: "GetObject", message: text.clone(), text }
}

impl Source {
    async fn answer(&self, ask: &Ask, now: Timestamp) -> Result {
        match ask {
            Ask::Digest(name) => Result::Digest(self.digest(name, now).await),
            Ask::File(name) => Result::File(read::log(&self.store, name, &AtomicU64::new(0)).await),
            Ask::Previous(name) => Result::Previous(match self.store.open(name).await {
                Ok(_) => Ok(true),
                Err(NotOpened::Missing) => Ok(false),
                Err(NotOpened::Failed(failure)) => Err(failure),
            }),
            Ask::Backfills(names) => {
                let mut all = Vec::with_capacity(names.len());
                for name in names {
                    all.push((name.clone(), self.digest(name, now).await));
                }
                Result::Backfills(all)
            }
        }
    }

    async fn digest(&self, name: &Name, now: Timestamp) -> Judged {
        // Kept until nothing but the verdict is left.
        let (fetched, _share) = read::digest_with_share(&self.store, name).await;
        let reading = match fetched {
            Fetched::Missing => return Judged::Missing,
            Fetched::Failed(failure) => return Judged::Failed(failure),
            Fetched::Read(reading) => reading,
        };
        let (Some(state), Some(mut row)) = (ChainState::of(name, now), DigestRow::new(name.clone(), now)) else {
            return Judged::Missing;
        };
        let chain = state.chain();
        let mut evidence = match self.keys(&state, &reading).await {
            Ok(evidence) => evidence,
            Err(failure) => return Judged::Failed(failure),
        };
        let mut rounds = 0;
        let verdict = loop {
            match verdict::judge(&chain, name, state.backfill, &reading, None, &evidence) {
                Ok(verdict) => break verdict,
                Err(Need::Keys(from, to)) if rounds < ROUNDS => {
                    let answer = self.trust.between(&state.region, from, to).await;
                    evidence.keys.insert((from, to), answer);
                    rounds += 1;
                }
                Err(_) => return Judged::Failed(no_keys(&state.region)),
            }
        };
        if let Some(finding) = verdict.findings.iter().find(|finding| finding.kind == Kind::Unreadable) {
            return Judged::Failed(Failure { text: finding.reason.clone(), ..no_keys(&state.region) });
        }
        row.valid = verdict.is_valid();
        row.authentic = verdict.authentic;
        row.signature.clone_from(&reading.signature);
        if let Some(digest) = reading.digest() {
            row.covers = digest.start().zip(digest.end());
            row.hash.clone_from(&digest.hash);
            row.previous = link(name, digest);
            row.previous_hash = digest.previous_hash.text().map(str::to_owned);
            row.previous_signature = digest.previous_signature.text().map(str::to_owned);
            row.files = digest.entries().len() as u64;
        }
        // What a forged digest lists counts for nothing.
        let entries = if row.authentic { listed(reading.content) } else { Vec::new() };
        Judged::Read { row: Box::new(row), findings: verdict.findings, entries }
    }

    /// The keys of the digest's day, which one call brings for many digests; and, when its own is not among them, those of
    /// its hour, since a key may be younger than the answer for the day.
    async fn keys(&self, state: &ChainState, reading: &Reading) -> std::result::Result<Evidence, Failure> {
        let end = reading.digest().and_then(|digest| digest.end()).unwrap_or(state.newest);
        let day = moment::plus(end, -end.as_second().rem_euclid(DAY));
        let wide = (moment::plus(day, -HOUR), moment::plus(day, DAY + DELIVERY));
        let narrow = (moment::plus(end, -HOUR), moment::plus(end, DELIVERY));
        let fingerprint = reading.digest().and_then(|digest| digest.fingerprint.text()).unwrap_or_default();
        let mut evidence = Evidence::default();
        let mut any = false;
        for (from, to) in [wide, narrow] {
            match self.trust.between(&state.region, from, to).await {
                KeyAnswer::Failed(failure) => return Err(failure),
                KeyAnswer::Keys(keys) => {
                    any |= !keys.is_empty();
                    evidence.keys.insert((from, to), KeyAnswer::Keys(keys));
                }
            }
            if evidence.key(fingerprint, Some((end, end))).is_some() {
                break;
            }
        }
        if any { Ok(evidence) } else { Err(no_keys(&state.region)) }
    }
}

fn listed(content: Content) -> Vec<LogEntry> {
    match content {
        Content::Digest(digest, _) => match digest.logs {
            Logs::List(entries) => entries,
            Logs::Absent | Logs::None | Logs::Other => Vec::new(),
        },
        Content::NoDigest(..) | Content::Cut | Content::Broken(_) => Vec::new(),
    }
}

fn no_keys(region: &str) -> Failure {
    Failure {
        code: "NoKeys".to_owned(),
        action: "ListPublicKeys",
        message: String::new(),
        text: format!("there are no public keys of CloudTrail in `{region}` for the time of a digest"),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use std::io::Write;
    use std::path::Path;
    use std::sync::atomic::Ordering;
    use tokio::task::JoinSet;

    /// A digest of `files` forged entries in the folder that stands for the bucket `b`.
    fn forge(bucket: &Path, number: usize, files: usize) -> Name {
        let (day, hour) = (1 + number / 24, number % 24);
        let key = format!(
            "AWSLogs/111122223333/CloudTrail-Digest/us-east-1/2026/03/{day:02}/111122223333_CloudTrail-Digest_us-east-1_t_us-east-1_202603{day:02}T{hour:02}0000Z.json.gz"
        );
        let path = bucket.join(&key);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let mut gzip = GzEncoder::new(std::fs::File::create(path).unwrap(), Compression::fast());
        let entries = vec!["{}"; files].join(",");
        write!(gzip, "{{\"awsAccountId\":\"111122223333\",\"logFiles\":[{entries}]}}").unwrap();
        gzip.finish().unwrap();
        Name::new("b", key)
    }

    #[tokio::test(start_paused = true)]
    async fn a_hundred_large_digests_are_judged_one_at_a_time() {
        let bucket = tempfile::tempdir().unwrap();
        let sources = Sources::new(None);
        let maps = vec![format!("s3://b={}", bucket.path().display()).parse().unwrap()];
        let store = Store::new(None, maps).within(sources.room.clone());
        let source = Source { store, trust: Trust::new(Origin::Ring(KeyRing::default())) };
        sources.lock().push(Arc::new(source));
        let now = Timestamp::UNIX_EPOCH;
        let held = sources.room.take().await;
        let done = Arc::new(AtomicU64::new(0));
        let mut jobs = JoinSet::new();
        for number in 0..100 {
            let (name, sources, done) =
                (forge(bucket.path(), number, LARGE / 3 + 1), sources.clone(), Arc::clone(&done));
            jobs.spawn(async move {
                let result = sources.answer(&Ask::Digest(name), now).await;
                done.fetch_add(1, Ordering::Relaxed);
                result
            });
        }
        // One that is not large waits for none of them.
        let small = forge(bucket.path(), 100, 10);
        sources.answer(&Ask::Digest(small), now).await;
        // The clock goes on by itself when nobody can.
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        assert_eq!(done.load(Ordering::Relaxed), 0, "the room is taken");
        drop(held);
        while jobs.join_next().await.is_some() {}
        assert_eq!(done.load(Ordering::Relaxed), 100);
    }
}
