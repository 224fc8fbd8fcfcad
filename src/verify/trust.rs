//! The keys of each region: from a key ring, or from CloudTrail, each period asked for once.

use super::evidence::KeyAnswer;
use super::key::Key;
use super::keys::KeyRing;
use super::store::failure;
use crate::aws::cloudtrail::{CloudTrail, PublicKey};
use jiff::Timestamp;
use std::collections::HashMap;
use std::sync::Arc;
use tokio::sync::{Mutex, OnceCell};

/// Where keys come from.
pub enum Origin {
    Api(Box<CloudTrail>),
    Ring(KeyRing),
}

type Asked = (String, Timestamp, Timestamp);

/// Answers that are kept; backfill digests may ask for many periods.
const KEPT: usize = 10_000;

/// Keys by region and period.
pub struct Trust {
    origin: Origin,
    answers: Mutex<HashMap<Asked, Arc<OnceCell<KeyAnswer>>>>,
}

impl Trust {
    pub fn new(origin: Origin) -> Trust {
        Trust { origin, answers: Mutex::default() }
    }

    /// The keys of a region that were valid at any moment from `from` to `to`.
    pub async fn between(&self, region: &str, from: Timestamp, to: Timestamp) -> KeyAnswer {
        let cloudtrail = match &self.origin {
            Origin::Ring(ring) => return KeyAnswer::Keys(ring.between(region, from, to)),
            Origin::Api(cloudtrail) => cloudtrail,
        };
        let cell = {
            let mut answers = self.answers.lock().await;
            if answers.len() >= KEPT {
                answers.clear();
            }
            Arc::clone(answers.entry((region.to_owned(), from, to)).or_default())
        };
        let ask = || async {
            match cloudtrail.public_keys(region, from.as_second(), to.as_second()).await {
                Ok(keys) => KeyAnswer::Keys(keys.into_iter().map(key).collect()),
                Err(fault) => KeyAnswer::Failed(failure(&fault)),
            }
        };
        cell.get_or_init(ask).await.clone()
    }
}

fn key(key: PublicKey) -> Key {
    let time = |second: Option<i64>| Timestamp::from_second(second?).ok();
    Key { valid_from: time(key.valid_from), valid_to: time(key.valid_to), der: key.der, fingerprint: key.fingerprint }
}
