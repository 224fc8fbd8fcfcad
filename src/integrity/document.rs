//! Findings and closed hours as documents of `logs-aws.cloudtrail_integrity-<namespace>` (fields: `ecs::table::integrity`).
//!
//! The `_id` is a hash of what the document is about, so that saying it again is a duplicate, whoever says it.

use super::ledger::Entry;
use super::model::{ChainState, DigestRow, FileState, Hour, HourKey, Listed};
use super::peers::{self, FILES_A_DOCUMENT};
use crate::output::document::prune;
use crate::record::trail_key::TrailKey;
use crate::verify::finding::{Finding, Kind, Severity};
use crate::verify::key::hex;
use crate::verify::moment::{self, display};
use crate::verify::scope::Name;
use jiff::Timestamp;
use ring::digest::{SHA256, digest};
use serde_json::{Value, json};

/// `event.action` of findings that only shipping can make.
pub(super) const LATE: &str = "log_file_late";
pub(super) const SILENT: &str = "account_silent";

/// What is told: to the stream, to metrics and to the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Told {
    pub action: &'static str,
    /// Else an hour of the ledger.
    pub is_finding: bool,
    pub severity: Severity,
    pub id: String,
    pub reason: String,
    pub document: Value,
}

/// The file that a finding is about, as far as known.
#[derive(Default, Clone, Copy)]
pub(super) struct About<'a> {
    pub chain: Option<&'a ChainState>,
    pub listed: Option<&'a Listed>,
    /// SHA-256 of the file as it was read.
    pub sha256: Option<&'a str>,
    /// The time of the digest that lists it.
    pub covers: Option<(Timestamp, Timestamp)>,
}

/// Writes documents.
#[derive(Debug, Clone)]
pub(super) struct Writer {
    pub namespace: String,
    /// Tells this process apart, where others ship from the same sources.
    pub process: Option<String>,
}

impl Writer {
    /// A finding of the checks.
    pub fn finding(&self, finding: &Finding, about: About<'_>, now: Timestamp) -> Told {
        let action = finding.kind.action();
        let told = Finding { period: finding.period.or(about.covers), ..finding.clone() };
        // Two findings of one action about one object are two when their kinds differ.
        let kind = serde_json::to_value(finding.kind).unwrap_or_default();
        self.told(action, kind.as_str().unwrap_or(action), finding.severity, &told, about, now)
    }

    /// A log file that came after it was missed, or that lies in the bucket without having been shipped.
    pub fn late(&self, file: &FileState, reason: &str, about: About<'_>, now: Timestamp) -> Told {
        let finding = Finding { period: about.covers, ..Finding::of(Kind::LogUnlisted, &file.name, reason) };
        self.told(LATE, LATE, Severity::Incomplete, &finding, about, now)
    }

    /// A chain that speaks no more.
    pub fn silent(&self, chain: &ChainState, now: Timestamp) -> Told {
        let key = chain.chain().key_at(chain.newest);
        let reason = format!(
            "no digest of the trail `{}` for account `{}` in `{}` has come since the one of {}; logging or validation was switched off, the account closed, or digests are not announced any more: look at the trail, then run `trailship validate`",
            chain.trail,
            chain.account,
            chain.region,
            display(chain.newest)
        );
        let name = Name::new(chain.bucket.clone(), key);
        let finding = Finding::of(Kind::NoDigests, &name, reason).during(chain.newest, now);
        let about = About { chain: Some(chain), ..About::default() };
        // Told by where the chain ends, not by when that was noticed.
        let id = id(&[SILENT, &chain.id, &display(chain.newest)]);
        Told { id, ..self.told(SILENT, SILENT, Severity::Incomplete, &finding, about, now) }
    }

    /// An hour of the ledger.
    pub fn hour(&self, hour: &Hour, entry: &Entry, now: Timestamp) -> Told {
        let key = &hour.key;
        let reason = if entry.is_complete { "all log files of the hour are shipped" } else { &*entry.reason };
        let mut document = json!({
            "@timestamp": display(key.hour),
            "event": {
                "kind": "metric",
                "category": ["file"],
                "type": ["info"],
                "action": "ledger_hour",
                "outcome": if entry.is_complete { "success" } else { "failure" },
                "severity": severity(if entry.is_complete { Severity::Note } else { Severity::Incomplete }),
                "reason": (!entry.is_complete).then_some(&entry.reason),
            },
            "message": format!("{} in {} at {}: {reason}", key.account, key.region, display(key.hour)),
            "cloud": {"account": {"id": key.account}, "region": key.region},
            "trailship": {"ledger": {
                "hour": display(key.hour),
                "process": self.process,
                "expected": entry.expected,
                "notified": hour.notified,
                "read": hour.read,
                "indexed": hour.indexed,
                "failed": hour.failed,
                "records": hour.records,
            }},
        });
        self.complete(&mut document, now);
        // Each process counts its own part.
        let process = self.process.as_deref().unwrap_or_default();
        let id = id(&["ledger_hour", process, &key.account, &key.region, &display(key.hour)]);
        let severity = if entry.is_complete { Severity::Note } else { Severity::Incomplete };
        Told { action: "ledger_hour", is_finding: false, severity, id, reason: reason.to_owned(), document }
    }

    /// What this process knows of log files of one hour, for the others; nothing when there are none.
    pub fn files(&self, key: &HourKey, files: &[FileState], now: Timestamp) -> Vec<Told> {
        let Some(process) = &self.process else { return Vec::new() };
        let told = files.chunks(FILES_A_DOCUMENT).map(|files| {
            let (lists, hour) = (peers::lists(files), display(key.hour));
            // Another content is another document.
            let id = id(&[peers::FILES, process, &key.account, &key.region, &hour, &lists.to_string()]);
            let reason = format!("{} log files of {} in {} at {hour}", files.len(), key.account, key.region);
            let ledger = json!({"hour": hour, "process": process, "files": lists});
            self.state(peers::FILES, id, reason, (&key.account, &key.region), key.hour, json!({"ledger": ledger}), now)
        });
        told.collect()
    }

    /// The time that an authentic digest covers, for other processes; nothing when there are none.
    pub fn covered(&self, chain: &ChainState, row: &DigestRow, now: Timestamp) -> Option<Told> {
        let (process, (start, end)) =
            (self.process.as_ref()?, row.covers.filter(|_| row.authentic && !chain.backfill)?);
        let id = id(&[peers::DIGEST, process, &row.name.to_string(), &row.hash]);
        let reason = format!("{} is authentic", row.name);
        let integrity = json!({"digest_key": row.name.key, "digest_start": display(start), "digest_end": display(end)});
        let more = json!({"ledger": {"process": process}, "integrity": integrity});
        Some(self.state(peers::DIGEST, id, reason, (&chain.account, &chain.region), end, more, now))
    }

    /// What processes tell each other; neither a finding nor a count.
    #[expect(clippy::too_many_arguments, reason = "the parts of one document")]
    fn state(
        &self,
        action: &'static str,
        id: String,
        reason: String,
        (account, region): (&str, &str),
        time: Timestamp,
        trailship: Value,
        now: Timestamp,
    ) -> Told {
        let mut document = json!({
            "@timestamp": display(time),
            "event": {
                "kind": "state",
                "category": ["file"],
                "type": ["info"],
                "action": action,
                "severity": severity(Severity::Note),
            },
            "message": reason,
            "cloud": {"account": {"id": account}, "region": region},
            "trailship": trailship,
        });
        self.complete(&mut document, now);
        Told { action, is_finding: false, severity: Severity::Note, id, reason, document }
    }

    fn told(
        &self,
        action: &'static str,
        kind: &str,
        severity: Severity,
        finding: &Finding,
        about: About<'_>,
        now: Timestamp,
    ) -> Told {
        let place = finding.object.as_ref().map_or(String::new(), Name::to_string);
        // Another content of the same object is another finding.
        let id = id(&[action, kind, &place, about.sha256.unwrap_or_default()]);
        let document = self.document(action, severity, finding, about, now);
        let reason = if place.is_empty() { finding.reason.clone() } else { format!("{place}: {}", finding.reason) };
        Told { action, is_finding: true, severity, id, reason, document }
    }

    fn document(
        &self,
        action: &'static str,
        severity_of: Severity,
        finding: &Finding,
        about: About<'_>,
        now: Timestamp,
    ) -> Value {
        let object = finding.object.as_ref();
        let key = object.and_then(|name| TrailKey::parse(&name.key));
        let is_digest = key.as_ref().is_some_and(|key| key.digest.is_some());
        let digest_key =
            about.listed.map(|listed| &listed.digest.key).or(object.map(|name| &name.key).filter(|_| is_digest));
        // An organization's trail belongs to an account that neither digests nor keys name.
        let trail = about.chain.filter(|chain| chain.organization.is_none()).map(|chain| chain.chain().arn);
        let is_file = action.starts_with("log_file");
        let change = match action {
            "log_file_missing" | "digest_missing" => "deletion",
            "log_file_altered" | "digest_altered" => "change",
            _ => "info",
        };
        let mut document = json!({
            "@timestamp": time(now),
            "event": {
                "kind": "alert",
                "category": [if is_file { "file" } else { "configuration" }],
                "type": [change],
                "action": action,
                "outcome": "failure",
                "severity": severity(severity_of),
                "reason": finding.reason,
            },
            "message": format!("{}: {}", words(action), object.map_or_else(|| finding.reason.clone(), |name| format!("{name}: {}", finding.reason))),
            "cloud": {
                "account": {"id": key.as_ref().map(|key| key.account)},
                "region": key.as_ref().map(|key| key.region),
            },
            "organization": {"id": key.as_ref().and_then(|key| key.organization)},
            "aws": {"s3": {
                "bucket": {"name": object.map(|name| &name.bucket)},
                "object": {"key": object.map(|name| &name.key)},
            }},
            "file": {"hash": {"sha256": about.sha256}},
            "trailship": {"integrity": {
                "trail_arn": trail,
                "digest_key": digest_key,
                "digest_start": finding.period.map(|(start, _)| display(start)),
                "digest_end": finding.period.map(|(_, end)| display(end)),
                "expected_sha256": about.listed.and_then(|listed| listed.sha256.as_ref()),
            }},
        });
        self.complete(&mut document, now);
        document
    }

    /// What all documents have in common; what is null goes.
    fn complete(&self, document: &mut Value, now: Timestamp) {
        document["ecs"] = json!({"version": "8.11.0"});
        document["data_stream"] =
            json!({"type": "logs", "dataset": "aws.cloudtrail_integrity", "namespace": self.namespace});
        let event = &mut document["event"];
        event["created"] = json!(time(now));
        event["ingested"] = json!(time(now));
        event["module"] = json!("aws");
        event["dataset"] = json!("aws.cloudtrail_integrity");
        prune(document);
    }
}

/// Elastic's four steps: 21 low, 47 medium, 73 high.
fn severity(severity: Severity) -> u64 {
    match severity {
        Severity::Note => 21,
        Severity::Incomplete | Severity::Operational => 47,
        Severity::Invalid => 73,
    }
}

/// `log_file_missing` as `log file missing`.
fn words(action: &str) -> String {
    action.replace('_', " ")
}

fn time(now: Timestamp) -> String {
    format!("{now:.3}")
}

fn id(parts: &[&str]) -> String {
    let hash = digest(&SHA256, parts.join("\n").as_bytes());
    hex(hash.as_ref().get(..20).unwrap_or_default())
}

/// The time that a digest covers, by what lists a file.
pub(super) fn covers_of(listed: &Listed) -> Option<(Timestamp, Timestamp)> {
    let end = moment::utc(TrailKey::parse(&listed.digest.key)?.time?)?;
    Some((moment::plus(end, -moment::HOUR), end))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::ecs::table::integrity::FIELDS;
    use crate::integrity::ledger::tests::{at, hour};

    fn writer() -> Writer {
        Writer { namespace: "prod".to_owned(), process: None }
    }

    const KEY: &str = "AWSLogs/o-exampleorg1/111122223333/CloudTrail/us-east-1/2026/03/01/111122223333_CloudTrail_us-east-1_20260301T0310Z_AbCdEfGhIjKlMnOp.json.gz";
    const DIGEST: &str = "AWSLogs/111122223333/CloudTrail-Digest/us-east-1/2026/03/01/111122223333_CloudTrail-Digest_us-east-1_t_us-east-1_20260301T040000Z.json.gz";

    fn altered() -> Told {
        let finding = Finding::of(Kind::LogAltered, &Name::new("b", KEY), "other bytes");
        let listed = Listed { digest: Name::new("b", DIGEST), sha256: Some("aa".to_owned()), at: at("04:11:00") };
        let about = About { listed: Some(&listed), sha256: Some("bb"), covers: covers_of(&listed), ..About::default() };
        writer().finding(&finding, about, "2026-03-01T04:12:00.25Z".parse().unwrap())
    }

    #[test]
    fn a_finding_about_a_log_file() {
        let told = altered();
        assert_eq!((told.action, told.severity), ("log_file_altered", Severity::Invalid));
        assert_eq!(
            told.document,
            json!({
                "@timestamp": "2026-03-01T04:12:00.250Z",
                "ecs": {"version": "8.11.0"},
                "event": {
                    "kind": "alert", "category": ["file"], "type": ["change"], "action": "log_file_altered",
                    "outcome": "failure", "severity": 73, "reason": "other bytes", "module": "aws",
                    "dataset": "aws.cloudtrail_integrity", "created": "2026-03-01T04:12:00.250Z",
                    "ingested": "2026-03-01T04:12:00.250Z",
                },
                "message": format!("log file altered: s3://b/{KEY}: other bytes"),
                "data_stream": {"type": "logs", "dataset": "aws.cloudtrail_integrity", "namespace": "prod"},
                "cloud": {"account": {"id": "111122223333"}, "region": "us-east-1"},
                "organization": {"id": "o-exampleorg1"},
                "aws": {"s3": {"bucket": {"name": "b"}, "object": {"key": KEY}}},
                "file": {"hash": {"sha256": "bb"}},
                "trailship": {"integrity": {
                    "digest_key": DIGEST, "digest_start": "2026-03-01T03:00:00Z", "digest_end": "2026-03-01T04:00:00Z",
                    "expected_sha256": "aa",
                }},
            })
        );
    }

    #[test]
    fn the_same_finding_has_the_same_id_whenever_it_is_made() {
        let later = {
            let finding = Finding::of(Kind::LogAltered, &Name::new("b", KEY), "said otherwise");
            writer().finding(&finding, About { sha256: Some("bb"), ..About::default() }, at("09:00:00"))
        };
        assert_eq!(altered().id, later.id);
        let chain = ChainState::of(&Name::new("b", DIGEST), at("04:11:00")).unwrap();
        assert_eq!(writer().silent(&chain, at("05:00:00")).id, writer().silent(&chain, at("06:00:00")).id);
    }

    #[test]
    fn an_hour_without_digests_expects_nothing_and_says_so() {
        let entry = Entry { expected: None, lacking: 0, is_complete: true, reason: String::new() };
        let document = writer().hour(&hour("03:00:00"), &entry, at("09:00:00")).document;
        assert_eq!(document["trailship"]["ledger"]["expected"], Value::Null);
        assert_eq!(document["trailship"]["ledger"]["notified"], 0);
        assert_eq!(
            (&document["event"]["outcome"], &document["@timestamp"]),
            (&json!("success"), &json!("2026-03-01T03:00:00Z"))
        );
    }

    #[test]
    fn every_field_is_in_the_table() {
        let chain = ChainState::of(&Name::new("b", DIGEST), at("04:11:00")).unwrap();
        let entry = Entry { expected: Some(1), lacking: 1, is_complete: false, reason: "x".to_owned() };
        let one = hour("03:00:00");
        let hour = writer().hour(&one, &entry, at("09:00:00"));
        let several = Writer { process: Some("p".to_owned()), ..writer() };
        let covers = Some((at("03:00:00"), at("04:00:00")));
        let row = DigestRow { covers, authentic: true, ..DigestRow::new(Name::new("b", DIGEST), one.first).unwrap() };
        let file = FileState {
            notified: true,
            compared: Some(crate::integrity::model::Compared::Missing),
            ..crate::integrity::ledger::tests::listed(KEY)
        };
        let mut states = several.files(&one.key, &[file], at("09:00:00"));
        states.extend(several.covered(&chain, &row, at("09:00:00")));
        assert_eq!(states.len(), 2);
        assert_eq!(writer().covered(&chain, &row, at("09:00:00")), None, "there is nobody else");
        for told in states.into_iter().chain([altered(), writer().silent(&chain, at("09:00:00")), hour]) {
            let mut fields = Vec::new();
            leaves(&told.document, String::new(), &mut fields);
            for field in fields {
                assert!(FIELDS.iter().any(|known| known.name == field), "{field}");
            }
        }
    }

    fn leaves(value: &Value, path: String, fields: &mut Vec<String>) {
        match value {
            Value::Object(members) => members.iter().for_each(|(key, value)| {
                leaves(value, if path.is_empty() { key.clone() } else { format!("{path}.{key}") }, fields);
            }),
            _ => fields.push(path),
        }
    }
}
