//! What is said of two neighbours in a chain and of the time between them, by whoever finds it: over a bucket, and while
//! shipping.

use super::links::hours;
use crate::verify::finding::{Finding, Kind};
use crate::verify::moment::display;
use crate::verify::scope::Name;
use jiff::Timestamp;

/// `newer` states the hash `stated` of `older`, which has `found`.
pub fn other_hash(newer: &Name, older: &Name, stated: Option<&str>, found: &str) -> Finding {
    let stated = stated.unwrap_or("none");
    let reason = format!("the later digest `{newer}` states the hash `{stated}`, it has `{found}`");
    Finding::of(Kind::ChainHashMismatch, older, reason)
}

/// `newer` states another signature of `older` than that has.
pub fn other_signature(newer: &Name, older: &Name) -> Finding {
    let reason = format!("the later digest `{newer}` states another signature than it has");
    Finding::of(Kind::ChainSignatureMismatch, older, reason)
}

/// `newer` starts at `start`, which is not where the digest before it ends.
pub fn discontinuity(newer: &Name, start: Timestamp, end: Timestamp) -> Finding {
    let what = if start > end { "between the two lies time that neither covers" } else { "the two overlap" };
    let reason = format!("it starts at {}, the digest before it ends at {}: {what}", display(start), display(end));
    Finding::of(Kind::ChainDiscontinuity, newer, reason).during(start.min(end), start.max(end))
}

/// `newer` names another digest before it than `orphan`.
pub fn orphan(newer: &Name, orphan: &Name) -> Finding {
    Finding::of(Kind::ChainOrphan, orphan, format!("the later digest `{newer}` names another before it"))
}

/// A chain begins with `name` at `start`, after a digest that ends at `end`.
pub fn beginning(name: &Name, end: Timestamp, start: Timestamp) -> Finding {
    let (kind, reason) = if end < start {
        (
            Kind::Gap,
            "the chain starts anew here: logging or validation was off before, and log files of that time are covered by no digest",
        )
    } else {
        (Kind::ChainRestarted, "the chain starts anew here, without a pause")
    };
    Finding::of(kind, name, reason).during(end, start)
}

/// Nothing covers the time before `name`, whose link cannot be believed.
pub fn hole(name: &Name, end: Timestamp, start: Timestamp) -> Finding {
    let count = hours(end, start);
    let reason = format!("before this digest, which proves nothing, {count} more are not there");
    Finding { count, ..Finding::of(Kind::Gap, name, reason).during(end, start) }
}

/// `gone`, which a digest from `start` on names, is not there, and with it all down to `end`.
pub fn missing(gone: &Name, end: Timestamp, start: Timestamp) -> Finding {
    let count = hours(end, start);
    let reason = match count {
        1 => "a later digest names it, but it is not there".to_owned(),
        count => format!(
            "a later digest names it, but it is not there, nor are the {} before it: {count} digests are missing",
            count - 1
        ),
    };
    Finding { count, ..Finding::of(Kind::DigestMissing, gone, reason).during(end.min(start), start) }
}
