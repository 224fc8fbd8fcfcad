//! Where the last run ended, so that the next one goes on there (`--since-last`).
//!
//! The newest authentic digest of each chain is kept with its hash: a past that was rewritten since, with a stolen key or by
//! whoever holds the bucket, no longer fits what was seen.

use super::evidence::{Evidence, Fetched};
use super::finding::{Finding, Kind};
use super::run::Outcome;
use super::scope::{Chain, Name};
use crate::state::{self, StateError};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

const VERSION: u64 = 1;
const FILE: &str = "validate.json";

/// The end of the last run, by chain.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Last {
    chains: BTreeMap<String, Seen>,
}

/// The newest authentic digest that was seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Seen {
    bucket: String,
    key: String,
    /// Lower-case hex SHA-256.
    hash: String,
    /// Seconds since 1970.
    end: i64,
}

impl Last {
    /// Reads what `data` holds; nothing at the first run.
    ///
    /// # Errors
    /// State that cannot be understood.
    pub fn load(data: &Path) -> Result<Last, StateError> {
        Ok(state::load(&file(data), VERSION)?.unwrap_or_default())
    }

    /// # Errors
    /// State that cannot be written.
    pub fn save(&self, data: &Path) -> Result<(), StateError> {
        state::save(&file(data), VERSION, self)
    }

    /// The earliest end among the chains in `bucket` and of `trail` (its home region and name), if given: from there on
    /// everything is asked about again. `None` when none of them was seen before.
    pub fn earliest(&self, bucket: Option<&str>, trail: Option<(&str, &str)>) -> Option<Timestamp> {
        let tail = trail.map(|(home, name)| format!(" {home} {name}"));
        let asked = |name: &str| {
            bucket.is_none_or(|bucket| name.split(' ').next() == Some(bucket))
                && tail.as_ref().is_none_or(|tail| name.ends_with(tail.as_str()))
        };
        let seen = self.chains.iter().filter(|(name, _)| asked(name));
        seen.filter_map(|(_, seen)| Timestamp::from_second(seen.end).ok()).min()
    }

    /// Compares what was seen with what is there now.
    pub fn compare(&self, chain: &Chain, evidence: &Evidence) -> Option<Finding> {
        let seen = self.chains.get(&name(chain))?;
        let object = Name::new(seen.bucket.clone(), seen.key.clone());
        match evidence.digest(&object) {
            Ok(Fetched::Read(reading)) if reading.digest().is_none_or(|digest| digest.hash != seen.hash) => {
                Some(Finding::of(Kind::ChainRewritten, &object, "it is not the digest that the last run saw here"))
            }
            Ok(Fetched::Missing) => {
                Some(Finding::of(Kind::ChainRewritten, &object, "the last run saw this digest, and it is gone"))
            }
            _ => None,
        }
    }

    /// The digest that the last run saw as the newest of a chain.
    pub fn seen(&self, chain: &Chain) -> Option<Name> {
        self.chains.get(&name(chain)).map(|seen| Name::new(seen.bucket.clone(), seen.key.clone()))
    }

    /// Notes how far a chain was verified; not when something could not be read, so that it is looked at again.
    pub fn advance(&mut self, outcome: &Outcome) {
        let unread = outcome.findings.iter().any(|finding| finding.kind == Kind::Unreadable);
        let Some(newest) = outcome.audit.newest.as_ref().filter(|_| !unread) else { return };
        let (digest, end, hash) = newest;
        let later = |seen: &Seen| seen.end <= end.as_second();
        let key = name(&outcome.chain);
        if self.chains.get(&key).is_none_or(later) {
            let seen = Seen {
                bucket: digest.bucket.clone(),
                key: digest.key.clone(),
                hash: hash.clone(),
                end: end.as_second(),
            };
            self.chains.insert(key, seen);
        }
    }
}

fn file(data: &Path) -> PathBuf {
    data.join(FILE)
}

fn name(chain: &Chain) -> String {
    let scope = &chain.scope;
    let organization = scope.organization.as_deref().unwrap_or_default();
    [&scope.bucket, &scope.prefix, organization, &scope.account, &scope.region, &chain.home_region, &chain.trail]
        .join(" ")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::verify::testing::hour;

    #[test]
    fn only_chains_that_are_asked_about_tell_where_to_go_on() {
        let mut last = Last::default();
        let base = crate::verify::scope::tests::chain();
        for (bucket, trail, end) in [("a", "main", 3), ("a", "other", 2), ("b", "main", 1)] {
            let mut chain = Chain { trail: trail.to_owned(), ..base.clone() };
            chain.scope.bucket = bucket.to_owned();
            chain.scope.prefix = "with space".to_owned();
            let seen =
                Seen { bucket: String::new(), key: String::new(), hash: String::new(), end: hour(end).as_second() };
            last.chains.insert(name(&chain), seen);
        }
        for (bucket, trail, expected) in [
            (Some("a"), Some(("us-east-1", "main")), Some(3)),
            (Some("a"), None, Some(2)),
            (None, Some(("us-east-1", "main")), Some(1)),
            (None, Some(("eu-west-1", "main")), None),
            (Some("a"), Some(("us-east-1", "ain")), None),
            (Some("c"), Some(("us-east-1", "main")), None),
        ] {
            assert_eq!(last.earliest(bucket, trail), expected.map(hour), "{bucket:?} {trail:?}");
        }
    }
}
