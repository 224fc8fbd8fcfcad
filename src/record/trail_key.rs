//! The grammar of CloudTrail's object keys and file names (CloudTrail formats 1.1 to 1.3).
//!
//! ```text
//! [PREFIX/]AWSLogs/[ORGANIZATION/]ACCOUNT/CATEGORY/REGION/YYYY/MM/DD/FILE
//! ACCOUNT_CATEGORY_REGION_YYYYMMDDTHHMMZ_UNIQUE.json.gz
//! ACCOUNT_CloudTrail-Digest_REGION_TRAIL_HOMEREGION_YYYYMMDDTHHMMSSZ[_backfill].json.gz
//! ```
//!
//! Folders and file name are read independently, so that a copy in a flat folder, or with names of its own in the
//! right folders, is still known; a key whose two halves contradict each other is not a trail key. Leaves out which
//! objects are read: that is the user's choice, by patterns.

use jiff::civil::{Date, DateTime};

/// What an object holds, by its category folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Management and data events.
    Log,
    Insight,
    NetworkActivity,
    Aggregated,
    /// An integrity digest: one JSON object without `Records`.
    Digest,
}

/// The parts of a key that CloudTrail gave to an object. Everything borrows from the key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrailKey<'a> {
    /// What stands before `AWSLogs`, without the slash at its end; empty when there is nothing.
    pub prefix: &'a str,
    /// `o-...`, for trails of an organization.
    pub organization: Option<&'a str>,
    /// The account that the records belong to. Usually twelve digits.
    pub account: &'a str,
    pub kind: Kind,
    /// The region in which the records were made.
    pub region: &'a str,
    /// The day of delivery (UTC), by the folders.
    pub date: Option<Date>,
    /// The time of delivery (UTC, by the minute), or the end of a digest's hour (by the second).
    pub time: Option<DateTime>,
    /// What only the name of a digest tells.
    pub digest: Option<DigestName<'a>>,
}

/// The parts of a digest's file name that logs do not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DigestName<'a> {
    pub trail: &'a str,
    /// The region in which the trail was made.
    pub home_region: &'a str,
    /// Written late, in a chain of its own.
    pub backfill: bool,
}

const KINDS: [(&str, Kind); 5] = [
    ("CloudTrail", Kind::Log),
    ("CloudTrail-Insight", Kind::Insight),
    ("CloudTrail-NetworkActivity", Kind::NetworkActivity),
    ("CloudTrail-Aggregated", Kind::Aggregated),
    ("CloudTrail-Digest", Kind::Digest),
];

impl Kind {
    /// The name of the category folder.
    pub fn folder(self) -> &'static str {
        KINDS.iter().find(|(_, kind)| *kind == self).map_or("", |(folder, _)| folder)
    }

    fn of_folder(folder: &str) -> Option<Kind> {
        KINDS.iter().find(|(name, _)| *name == folder).map(|(_, kind)| *kind)
    }
}

impl TrailKey<'_> {
    /// Reads a key, a path or a bare file name. `None` when neither the folders nor the name are CloudTrail's, or when
    /// they contradict each other.
    pub fn parse(key: &str) -> Option<TrailKey<'_>> {
        let (folders, file) = key.rsplit_once('/').unwrap_or(("", key));
        if file.is_empty() {
            return None;
        }
        let name = FileName::parse(file);
        let Some(folders) = Folders::parse(folders) else {
            let name = name?;
            return Some(TrailKey {
                prefix: "",
                organization: None,
                account: name.account,
                kind: name.kind,
                region: name.region,
                date: None,
                time: Some(name.time),
                digest: name.digest,
            });
        };
        if name.as_ref().is_some_and(|name| name.kind != folders.kind) {
            return None;
        }
        Some(TrailKey {
            prefix: folders.prefix,
            organization: folders.organization,
            account: folders.account,
            kind: folders.kind,
            region: folders.region,
            date: folders.date,
            time: name.as_ref().map(|name| name.time),
            digest: name.and_then(|name| name.digest),
        })
    }
}

struct Folders<'a> {
    prefix: &'a str,
    organization: Option<&'a str>,
    account: &'a str,
    kind: Kind,
    region: &'a str,
    date: Option<Date>,
}

impl Folders<'_> {
    /// Anchors on the last category folder, since a prefix may hold anything, even `AWSLogs`.
    fn parse(path: &str) -> Option<Folders<'_>> {
        let (before, kind, after) = last_category(path)?;
        let mut after = after.split('/');
        let region = after.next().filter(|region| !region.is_empty())?;
        let (year, month, day) = (after.next(), after.next(), after.next());
        let date = year.zip(month).zip(day).and_then(|((year, month), day)| folder_date(year, month, day));

        let (mut rest, account) = before.rsplit_once('/').unwrap_or(("", before));
        let mut organization = None;
        let (above, last) = rest.rsplit_once('/').unwrap_or(("", rest));
        if is_organization(last) {
            organization = Some(last);
            rest = above;
        }
        let prefix = rest.strip_suffix("AWSLogs").filter(|prefix| prefix.is_empty() || prefix.ends_with('/'));
        if account.is_empty() || (prefix.is_none() && !is_account(account)) {
            return None;
        }
        let prefix = prefix.unwrap_or(rest).trim_end_matches('/');
        Some(Folders { prefix, organization, account, kind, region, date })
    }
}

/// What stands before and after the last folder that is a category.
fn last_category(path: &str) -> Option<(&str, Kind, &str)> {
    let mut end = path.len();
    loop {
        let start = path.get(..end)?.rfind('/')?;
        if let Some(kind) = Kind::of_folder(path.get(start + 1..end)?) {
            return Some((path.get(..start)?, kind, path.get(end + 1..)?));
        }
        end = start;
    }
}

fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// `o-` and 10 to 32 lower-case letters or digits.
fn is_organization(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    text.strip_prefix("o-").is_some_and(|id| (10..=32).contains(&id.len()) && id.bytes().all(plain))
}

fn folder_date(year: &str, month: &str, day: &str) -> Option<Date> {
    if (year.len(), month.len(), day.len()) != (4, 2, 2) {
        return None;
    }
    Date::new(digits(year)?, digits(month)?, digits(day)?).ok()
}

struct FileName<'a> {
    account: &'a str,
    kind: Kind,
    region: &'a str,
    time: DateTime,
    digest: Option<DigestName<'a>>,
}

impl FileName<'_> {
    fn parse(file: &str) -> Option<FileName<'_>> {
        let stem = file.strip_suffix(".json.gz").or_else(|| file.strip_suffix(".json"))?;
        let (account, rest) = stem.split_once('_')?;
        let (category, rest) = rest.split_once('_')?;
        let (region, rest) = rest.split_once('_')?;
        let kind = Kind::of_folder(category)?;
        if account.is_empty() || region.is_empty() {
            return None;
        }
        let (time, digest) = if kind == Kind::Digest {
            let (time, digest) = digest_tail(rest)?;
            (time, Some(digest))
        } else {
            (log_tail(rest)?, None)
        };
        Some(FileName { account, kind, region, time, digest })
    }
}

/// `YYYYMMDDTHHMMZ_UNIQUE`; one published example lacks the last underscore.
fn log_tail(tail: &str) -> Option<DateTime> {
    let (stamp, unique) = tail.split_at_checked("YYYYMMDDTHHMMZ".len())?;
    let unique = unique.strip_prefix('_').unwrap_or(unique);
    if unique.is_empty() || !unique.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
        return None;
    }
    stamp_time(stamp)
}

/// `TRAIL_HOMEREGION_YYYYMMDDTHHMMSSZ[_backfill]`, read from the right: a trail's name may hold underscores.
fn digest_tail(tail: &str) -> Option<(DateTime, DigestName<'_>)> {
    let (tail, backfill) = match tail.strip_suffix("_backfill") {
        Some(tail) => (tail, true),
        None => (tail, false),
    };
    let (tail, stamp) = tail.rsplit_once('_')?;
    let (trail, home_region) = tail.rsplit_once('_')?;
    if trail.is_empty() || home_region.is_empty() || stamp.len() != "YYYYMMDDTHHMMSSZ".len() {
        return None;
    }
    Some((stamp_time(stamp)?, DigestName { trail, home_region, backfill }))
}

/// `YYYYMMDDTHHMM[SS]Z`.
fn stamp_time(stamp: &str) -> Option<DateTime> {
    let (date, time) = stamp.strip_suffix('Z')?.split_once('T')?;
    let part = |text: &str, from: usize, to: usize| digits(text.get(from..to)?);
    if date.len() != 8 || !matches!(time.len(), 4 | 6) {
        return None;
    }
    let second = if time.len() == 6 { part(time, 4, 6)? } else { 0 };
    let narrow = |number: i16| i8::try_from(number).ok();
    DateTime::new(
        part(date, 0, 4)?,
        narrow(part(date, 4, 6)?)?,
        narrow(part(date, 6, 8)?)?,
        narrow(part(time, 0, 2)?)?,
        narrow(part(time, 2, 4)?)?,
        narrow(second)?,
        0,
    )
    .ok()
}

/// A number of nothing but digits (`parse` alone would take a sign).
fn digits<N: std::str::FromStr>(text: &str) -> Option<N> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use jiff::civil::date;
    use proptest::prelude::*;

    #[test]
    fn an_organization_trail_with_a_prefix() {
        let key = "audit/all/AWSLogs/o-exampleorg1/111122223333/CloudTrail/eu-west-1/2026/03/04/\
                   111122223333_CloudTrail_eu-west-1_20260304T0515Z_Ab12Cd34Ef56Gh78.json.gz";
        let expected = TrailKey {
            prefix: "audit/all",
            organization: Some("o-exampleorg1"),
            account: "111122223333",
            kind: Kind::Log,
            region: "eu-west-1",
            date: Some(date(2026, 3, 4)),
            time: Some(date(2026, 3, 4).at(5, 15, 0, 0)),
            digest: None,
        };
        assert_eq!(TrailKey::parse(key), Some(expected));
    }

    #[test]
    fn every_category_by_folder_and_by_name() {
        for (folder, kind) in KINDS {
            let tail = if kind == Kind::Digest {
                "trail_us-east-1_20260304T051500Z"
            } else {
                "20260304T0515Z_Ab12Cd34Ef56Gh78"
            };
            let file = format!("111122223333_{folder}_us-east-1_{tail}.json.gz");
            let path = format!("AWSLogs/111122223333/{folder}/us-east-1/2026/03/04/anything");
            assert_eq!(TrailKey::parse(&file).unwrap().kind, kind, "{file}");
            assert_eq!(TrailKey::parse(&path).unwrap().kind, kind, "{path}");
            assert_eq!(kind.folder(), folder);
        }
    }

    #[test]
    fn a_control_tower_prefix_repeats_the_organization() {
        let key =
            TrailKey::parse("o-abcdefghij/AWSLogs/o-abcdefghij/111122223333/CloudTrail/us-east-1/2026/03/04/x.json.gz")
                .unwrap();
        assert_eq!((key.prefix, key.organization, key.account), ("o-abcdefghij", Some("o-abcdefghij"), "111122223333"));
    }

    #[test]
    fn a_prefix_may_look_like_a_trail() {
        let key = TrailKey::parse(
            "AWSLogs/x/CloudTrail/AWSLogs/111122223333/CloudTrail-Insight/us-east-1/2026/03/04/x.json.gz",
        )
        .unwrap();
        assert_eq!((key.prefix, key.kind), ("AWSLogs/x/CloudTrail", Kind::Insight));
    }

    #[test]
    fn a_digest_name_is_read_from_the_right() {
        let key = TrailKey::parse(
            "111122223333_CloudTrail-Digest_eu-west-1_my_odd_trail_us-east-1_20260304T051501Z_backfill.json.gz",
        )
        .unwrap();
        assert_eq!(key.region, "eu-west-1");
        assert_eq!(key.time, Some(date(2026, 3, 4).at(5, 15, 1, 0)));
        assert_eq!(key.digest, Some(DigestName { trail: "my_odd_trail", home_region: "us-east-1", backfill: true }));
        // A trail named like the suffix: only the end of the name counts.
        let key =
            TrailKey::parse("111122223333_CloudTrail-Digest_eu-west-1__backfill_us-east-1_20260304T051501Z.json.gz")
                .unwrap();
        assert_eq!(key.digest, Some(DigestName { trail: "_backfill", home_region: "us-east-1", backfill: false }));
    }

    #[test]
    fn what_the_formats_ask_to_tolerate() {
        for (key, why) in [
            (
                "111122223333_CloudTrail_us-east-2_20260304T1255ZHdkvFTXOA3Vnhbc.json.gz",
                "no underscore before the unique part",
            ),
            ("AWSLogs/sandbox-a/CloudTrail/us-east-1/2026/03/04/x.json.gz", "an account that is not digits"),
            ("AWSLogs/111122223333/CloudTrail/us-east-1/renamed.json", "no date folders"),
            ("copy/111122223333/CloudTrail/us-east-1/2026/03/04/x.json.gz", "a copy without AWSLogs"),
            (
                "/var/cloudtrail/AWSLogs/111122223333/CloudTrail/us-east-1/2026/13/04/x.json.gz",
                "a folder that is not a month",
            ),
            ("111122223333_CloudTrail_us-east-2_20260304T1255Z_HdkvFTXOA3Vnhbc1.json", "unpacked"),
        ] {
            assert!(TrailKey::parse(key).is_some(), "{why}: {key}");
        }
        assert_eq!(TrailKey::parse("AWSLogs/111122223333/CloudTrail/us-east-1/2026/13/04/x").unwrap().date, None);
    }

    #[test]
    fn what_is_not_a_trail_key() {
        for key in [
            "",
            "/",
            "AWSLogs/111122223333/CloudTrail/us-east-1/2026/03/04/",
            "AWSLogs/111122223333/elasticloadbalancing/us-east-1/2026/03/04/x.log.gz",
            "AWSLogs/111122223333/CloudTrail",
            "AWSLogs/111122223333/CloudTrail/x.json.gz",
            "notes/CloudTrail/readme/x.txt",
            "CloudTrail/us-east-1/2026/03/04/x.json.gz",
            // Folder and name contradict each other.
            "AWSLogs/111122223333/CloudTrail/us-east-1/2026/03/04/111122223333_CloudTrail-Insight_us-east-1_20260304T0515Z_Ab12Cd34Ef56Gh78.json.gz",
            "111122223333_CloudTrail_us-east-1_20261304T0515Z_Ab12Cd34Ef56Gh78.json.gz",
            "111122223333_CloudTrail_us-east-1_2026+304T0515Z_Ab12Cd34Ef56Gh78.json.gz",
            "111122223333_CloudTrail_us-east-1_20260304T0515Z_.json.gz",
            "111122223333_CloudTrail-Digest_us-east-1_20260304T051500Z.json.gz",
        ] {
            assert_eq!(TrailKey::parse(key), None, "{key}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(key in "\\PC*") {
            let _ = TrailKey::parse(&key);
        }

        #[test]
        fn anything_like_a_key_is_read_or_refused(key in "(AWSLogs/|o-abcdefghij/|1111/|CloudTrail(-Digest)?/|us-east-1/|[_/Z0-9Té]{0,20}|_CloudTrail(-Digest)?_|_backfill|\\.json\\.gz){0,12}") {
            if let Some(read) = TrailKey::parse(&key) {
                prop_assert!(key.contains(read.account) && key.contains(read.region) && key.starts_with(read.prefix));
            }
        }
    }
}
