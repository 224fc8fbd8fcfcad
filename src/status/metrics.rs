//! The figures in Prometheus' text format. Every metric is one entry here; docs/monitoring.md says what each is for.

use super::{Health, IntegrityStatus, Summary};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::{Registry, Unit};
use std::fmt;

/// The text of all metrics.
pub(super) fn render(summary: &Summary, health: &Health) -> String {
    let mut registry = Registry::with_prefix("trailship");
    registry.register_collector(Box::new(Figures { summary: summary.clone(), health: health.clone() }));
    let mut out = String::new();
    // Writing into a string cannot fail.
    let _ = text::encode(&mut out, &registry);
    out
}

#[derive(Debug)]
struct Figures {
    summary: Summary,
    health: Health,
}

impl Collector for Figures {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let Figures { summary, health } = self;
        let mut all = Families(&mut encoder);
        all.gauges("build", "Version of the program.", [([("version", env!("CARGO_PKG_VERSION"))], 1)])?;
        all.gauges(
            "ready",
            "Whether everything runs and nothing is in the way.",
            [([], i64::from(health.is_ready()))],
        )?;
        let troubles = health.troubles();
        let told = troubles.iter().map(|it| ([("part", it.part.as_str()), ("api", &it.api), ("code", &it.code)], 1));
        all.gauges("trouble", "What is in the way right now.", told)?;
        all.seconds("uptime", "Time since the start.", summary.seconds)?;

        let inputs = || summary.inputs.iter().map(|input| ([("input", input.id.as_str())], input));
        let records = inputs().flat_map(|([input], it)| {
            let records = &it.records;
            [
                ("indexed", records.indexed),
                ("duplicate", records.duplicate),
                ("filtered", records.filtered),
                ("parked", records.parked),
            ]
            .map(|(outcome, n)| ([input, ("outcome", outcome)], n))
        });
        all.counters("records", "Records by their outcome.", records)?;
        all.counters(
            "records_received",
            "Records taken out of objects.",
            inputs().map(|(at, it)| (at, it.records.received)),
        )?;
        all.counters(
            "records_returned",
            "Records given back to the source.",
            inputs().map(|(at, it)| (at, it.records.returned)),
        )?;
        all.counters(
            "records_repaired",
            "Records whose document had to be changed for the index.",
            inputs().map(|(at, it)| (at, it.records.repaired)),
        )?;
        let in_flight = inputs().map(|(at, it)| (at, i64::try_from(it.records.in_flight).unwrap_or(i64::MAX)));
        all.gauges("records_in_flight", "Records without outcome.", in_flight)?;
        all.gauges(
            "records_unbalanced",
            "Records received less those in flight and those with an outcome; anything but 0 is a fault of the program.",
            inputs().map(|(at, it)| (at, it.unbalanced)),
        )?;
        all.counters(
            "objects_miscounted",
            "Objects whose records did not add up at their end; anything but 0 is a fault of the program.",
            inputs().map(|(at, it)| (at, it.records.miscounted)),
        )?;
        let objects = inputs().flat_map(|([input], it)| {
            [("read", it.objects), ("skipped", it.skipped)].map(|(result, n)| ([input, ("result", result)], n))
        });
        all.counters("objects", "Objects, files or pages.", objects)?;
        all.counters("source_bytes", "Bytes read, as stored.", inputs().map(|(at, it)| (at, it.bytes)))?;
        let messages = inputs().flat_map(|([input], it)| {
            [
                ("received", it.messages_received),
                ("deleted", it.messages_deleted),
                ("released", it.messages_released),
                ("unknown", it.messages_unknown),
            ]
            .map(|(fate, n)| ([input, ("fate", fate)], n))
        });
        all.counters("messages", "Messages of the queue.", messages)?;
        let faults = inputs().flat_map(|([input], it)| {
            let each = it
                .faults
                .iter()
                .flat_map(|(cause, by)| by.iter().map(move |(policy, n)| (cause.as_str(), policy.as_str(), *n)));
            each.map(move |(cause, policy, n)| ([input, ("cause", cause), ("policy", policy)], n))
        });
        all.counters("input_faults", "Objects, records and messages that could not be shipped.", faults)?;
        let waiting = inputs().filter_map(|(at, it)| Some((at, i64::try_from(it.waiting?).ok()?)));
        all.gauges("waiting", "Messages or files that wait, where the source tells.", waiting)?;

        let groups = || inputs().filter_map(|([at], it)| Some((at, it.log_groups.as_ref()?)));
        let read = groups().flat_map(|(input, it)| {
            [("read", it.groups), ("failing", it.failing)]
                .map(|(state, n)| ([input, ("state", state)], i64::try_from(n).unwrap_or(i64::MAX)))
        });
        all.gauges("log_groups", "Log groups that are read, and those of them that fail at present.", read)?;
        let repeated = groups().map(|(input, it)| ([input], it.repeated));
        all.counters("log_events_repeated", "Log events that were recognised as read before.", repeated)?;
        let calls = groups().flat_map(|(input, it)| {
            [("granted", it.calls_granted), ("throttled", it.calls_throttled)]
                .map(|(fate, n)| ([input, ("fate", fate)], n))
        });
        all.counters(
            "quota_calls",
            "Calls under the quota of CloudWatch Logs, and answers that they are too many.",
            calls,
        )?;
        let waited = groups().map(|(input, it)| ([input], it.calls_waited_ms));
        all.counters("quota_waited_ms", "Milliseconds that calls waited for the quota.", waited)?;

        let parked = summary.parked_by_code.iter().map(|(code, n)| ([("code", code.as_str())], *n));
        all.counters("parked", "Records in the dead letter, by reason.", parked)?;
        let dropped = summary.filtered_by_rule.iter().map(|(rule, n)| ([("rule", rule.as_str())], *n));
        all.counters("rule_dropped", "Records that a processor dropped.", dropped)?;
        let failed = summary.failed_by_rule.iter().map(|(rule, n)| ([("rule", rule.as_str())], *n));
        all.counters("rule_failed", "Documents that a processor failed on.", failed)?;
        match &summary.integrity {
            Some(integrity) => all.integrity(integrity),
            None => Ok(()),
        }
    }
}

/// Writes one family of metrics after the other.
struct Families<'a, 'e>(&'a mut DescriptorEncoder<'e>);

impl Families<'_, '_> {
    fn integrity(&mut self, it: &IntegrityStatus) -> fmt::Result {
        let digests = [("verified", it.digests_verified), ("invalid", it.digests_invalid)];
        self.counters(
            "integrity_digests",
            "Digests that were judged.",
            digests.map(|(result, n)| ([("result", result)], n)),
        )?;
        let files = it.files.iter().map(|(result, n)| ([("result", result.as_str())], *n));
        self.counters("integrity_files", "Log files that were compared with their digest.", files)?;
        let findings = it.findings.iter().map(|(action, n)| ([("action", action.as_str())], *n));
        self.counters("integrity_findings", "Findings, by `event.action`.", findings)?;
        self.counters("integrity_hours_closed", "Hours of the ledger that were closed.", [([], it.hours_closed)])?;
        let failures = [("store", it.store_failures), ("call", it.calls_failed)];
        self.counters(
            "integrity_failures",
            "Writes of the store and calls of AWS that failed and are repeated.",
            failures.map(|(what, n)| ([("what", what)], n)),
        )?;
        let level = |n: u64| [([], i64::try_from(n).unwrap_or(i64::MAX))];
        self.gauges("integrity_awaiting", "Checks that wait for their time.", level(it.awaiting))?;
        self.gauges("integrity_outbox", "Findings and hours that were not delivered yet.", level(it.outbox))?;
        let refused =
            it.refused.iter().map(|(code, n)| ([("code", code.as_str())], i64::try_from(*n).unwrap_or(i64::MAX)));
        self.gauges("integrity_refused", "Those of them that the data stream refuses, by code.", refused)?;
        let refusals = it.refusals.iter().map(|(code, n)| ([("code", code.as_str())], *n));
        self.counters("integrity_refusals", "Tries that the data stream refused, by code.", refusals)?;
        let dropped = [("finding", it.dropped_findings), ("ledger", it.dropped_ledger)];
        self.counters(
            "integrity_dropped",
            "Findings and hours that were given up without having been delivered.",
            dropped.map(|(what, n)| ([("what", what)], n)),
        )?;
        self.gauges("integrity_store_bytes", "Size of the store.", level(it.store_bytes))
    }

    fn counters<'l, const N: usize>(
        &mut self,
        name: &str,
        help: &str,
        values: impl IntoIterator<Item = ([(&'l str, &'l str); N], u64)>,
    ) -> fmt::Result {
        self.family(name, help, MetricType::Counter, values.into_iter().map(|(at, n)| (at, ConstCounter::new(n))))
    }

    fn gauges<'l, const N: usize>(
        &mut self,
        name: &str,
        help: &str,
        values: impl IntoIterator<Item = ([(&'l str, &'l str); N], i64)>,
    ) -> fmt::Result {
        self.family(name, help, MetricType::Gauge, values.into_iter().map(|(at, n)| (at, ConstGauge::new(n))))
    }

    fn seconds(&mut self, name: &str, help: &str, value: f64) -> fmt::Result {
        let value = ConstGauge::new(value);
        let encoder = self.0.encode_descriptor(name, help, Some(&Unit::Seconds), value.metric_type())?;
        value.encode(encoder)
    }

    fn family<'l, M: EncodeMetric, const N: usize>(
        &mut self,
        name: &str,
        help: &str,
        kind: MetricType,
        values: impl Iterator<Item = ([(&'l str, &'l str); N], M)>,
    ) -> fmt::Result {
        let mut values = values.peekable();
        if values.peek().is_none() {
            return Ok(());
        }
        let mut family = self.0.encode_descriptor(name, help, None, kind)?;
        for (labels, value) in values {
            if N == 0 {
                // A metric without labels stands alone in its family.
                return value.encode(family);
            }
            value.encode(family.encode_family(&labels)?)?;
        }
        Ok(())
    }
}
