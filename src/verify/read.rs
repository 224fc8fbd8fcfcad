//! One object at a time: a digest into memory, a log file through its hash. What breaks off is read again.

use super::digest::Digest;
use super::evidence::{Content, Failure, Fetched, LogRead, Reading};
use super::key::hex;
use super::scope::Name;
use super::store::{NotOpened, Opened, Share, Store};
use super::unpack::{Ending, Unpack, UnpackFault};
use ring::digest::{Context, SHA256};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Inflated bytes of a digest: a hundred thousand log files in an hour.
const DIGEST_BYTES: u64 = 64 << 20;
/// Inflated bytes of a log file: CloudTrail delivers at most 50 MB compressed, and gzip shrinks JSON 30 times at best.
const LOG_BYTES: u64 = 8 << 30;
/// Stored bytes that are inflated at a time; gzip shrinks a thousand times at best.
const STEP: usize = 2048;
/// Tries for a body that breaks off; opening has the SDK's own.
const ATTEMPTS: u32 = 4;
const PAUSE: Duration = Duration::from_millis(200);

/// Reads the digest at `name`.
pub async fn digest(store: &Store, name: &Name) -> Fetched {
    digest_with_share(store, name).await.0
}

/// The same, with the share of the store's room that it takes when it is large: to be kept as long as what was read.
pub async fn digest_with_share(store: &Store, name: &Name) -> (Fetched, Option<Share>) {
    for attempt in 1.. {
        let mut opened = match store.open(name).await {
            Ok(opened) => opened,
            Err(NotOpened::Missing) => return (Fetched::Missing, None),
            Err(NotOpened::Failed(failure)) => return (Fetched::Failed(failure), None),
        };
        match content(&mut opened, store).await {
            Ok((content, share)) => {
                let bare = opened.metadata.is_none();
                let mut metadata = opened.metadata.unwrap_or_default();
                let mut taken = |name: &str| metadata.remove(name);
                let reading = Box::new(Reading {
                    content,
                    signature: taken("signature"),
                    algorithm: taken("signature-algorithm"),
                    generated: taken("backfill-generation-timestamp"),
                    bare,
                });
                return (Fetched::Read(reading), share);
            }
            Err(failure) if attempt >= ATTEMPTS => return (Fetched::Failed(failure), None),
            Err(_) => tokio::time::sleep(PAUSE * attempt).await,
        }
    }
    (Fetched::Missing, None)
}

/// Hashes the log file at `name`; stored bytes are counted in `bytes` as they arrive.
pub async fn log(store: &Store, name: &Name, bytes: &AtomicU64) -> LogRead {
    for attempt in 1.. {
        let mut opened = match store.open(name).await {
            Ok(opened) => opened,
            Err(NotOpened::Missing) => return LogRead::Missing,
            Err(NotOpened::Failed(failure)) => return LogRead::Failed(failure),
        };
        match hash(&mut opened, bytes).await {
            Ok(read) => return read,
            Err(failure) if attempt >= ATTEMPTS => return LogRead::Failed(failure),
            Err(_) => tokio::time::sleep(PAUSE * attempt).await,
        }
    }
    LogRead::Missing
}

async fn content(opened: &mut Opened, store: &Store) -> Result<(Content, Option<Share>), Failure> {
    let (mut unpack, mut text, mut context) = (Unpack::new(DIGEST_BYTES), Vec::new(), Context::new(&SHA256));
    let (mut fault, mut share) = (None, None);
    while let Some(stored) = opened.next().await? {
        for step in stored.chunks(STEP) {
            if fault.is_none() {
                fault = unpack
                    .push(step, &mut |window| {
                        context.update(window);
                        text.extend_from_slice(window);
                    })
                    .err();
            }
            // Before the next step, and before what it lists is parsed.
            if share.is_none() && text.len() > store.room.from {
                share = store.room.take().await;
            }
        }
    }
    let content = match (fault, unpack.finish()) {
        (Some(fault), _) => Content::Broken(fault),
        (None, Ending::Cut) => Content::Cut,
        (None, ending) => match Digest::parse(&text, hex(context.finish().as_ref())) {
            Ok(digest) => Content::Digest(Box::new(digest), ending),
            Err(why) => Content::NoDigest(why, ending),
        },
    };
    Ok((content, share))
}

async fn hash(opened: &mut Opened, bytes: &AtomicU64) -> Result<LogRead, Failure> {
    let (mut unpack, mut context) = (Unpack::new(LOG_BYTES), Context::new(&SHA256));
    let mut fault: Option<UnpackFault> = None;
    while let Some(stored) = opened.next().await? {
        bytes.fetch_add(stored.len() as u64, Ordering::Relaxed);
        if fault.is_none() {
            fault = unpack.push(&stored, &mut |window| context.update(window)).err();
        }
    }
    Ok(match fault {
        Some(UnpackFault::TooLarge { limit }) => LogRead::Failed(Failure {
            code: "TooLarge".to_owned(),
            action: "GetObject",
            message: format!("more than {limit} bytes inflated"),
            text: format!("the log file inflates to more than {limit} bytes, and was not read to its end"),
        }),
        Some(fault) => LogRead::Broken(fault),
        None => LogRead::Hashed { hash: hex(context.finish().as_ref()), ending: unpack.finish() },
    })
}
