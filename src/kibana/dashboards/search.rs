//! The searches that Kibana sends for a panel: Lens's aggregations with the panel's KQL, the filter on the dataset and the
//! range of time.
//!
//! Used to draw previews and to try every panel on a real server. Written from the same model as the panel itself, so
//! what is left out there is left out here. Same panel and scope, same bytes.

use super::fields::LAG;
use super::grouping::Grouping;
use super::interval::{Interval, auto};
use super::model::{Bucket, Dashboard, DataView, Measure, Of, Panel, Rank};
use crate::kibana::kql::{self, Query};
use jiff::Timestamp;
use serde_json::{Map, Value, json};

/// What a key of [`Bucket::Terms`] with `missing` is called in a search.
pub const MISSING: &str = "__missing__";

/// When is looked at, and what the server can do.
#[derive(Debug, Clone, Copy)]
pub struct Scope {
    pub from: Timestamp,
    pub to: Timestamp,
    pub abilities: Abilities,
}

/// What servers do differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Abilities {
    /// The aggregation `top_metrics`, by which Lens finds the newest value; `top_hits` finds it too.
    pub top_metrics: bool,
    /// Key under which a search takes fields that are computed: `runtime_mappings` of Elasticsearch, `derived` of
    /// OpenSearch. Without one, panels over such a field cannot be searched.
    pub computed: Option<&'static str>,
}

/// One search.
#[derive(Debug, Clone, PartialEq)]
pub struct Search {
    /// Pattern of data streams.
    pub index: String,
    pub body: Value,
}

/// Why a panel cannot be searched.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SearchFault {
    #[error("panel `{panel}`: `{text}` is no query: {fault}")]
    Query { panel: String, text: String, fault: kql::Fault },
    #[error("panel `{panel}` needs the field `{field}`, which this server cannot compute")]
    Computed { panel: String, field: &'static str },
}

/// The search of a panel, grouped as `grouping` says.
///
/// # Errors
/// A query cannot be read, or the server cannot compute a field.
pub fn search(dashboard: &Dashboard, panel: &Panel, grouping: &Grouping, scope: &Scope) -> Result<Search, SearchFault> {
    let asking = Asking::new(dashboard, panel, scope)?;
    let aggregations = asking.aggregations(grouping, 0)?;
    Ok(asking.search(aggregations))
}

impl Search {
    /// Path and query of the request; data streams that do not exist yet hold nothing.
    pub fn path(&self) -> String {
        format!("{}/_search?ignore_unavailable=true&allow_no_indices=true", self.index)
    }
}

impl Scope {
    /// The bars of this range.
    pub fn interval(&self) -> Interval {
        auto(self.to.as_millisecond() - self.from.as_millisecond())
    }
}

/// A panel being asked.
pub(super) struct Asking<'a> {
    panel: &'a Panel,
    data: DataView,
    scope: &'a Scope,
    query: Value,
}

impl<'a> Asking<'a> {
    pub(super) fn new(dashboard: &Dashboard, panel: &'a Panel, scope: &'a Scope) -> Result<Self, SearchFault> {
        let data = panel.data(dashboard);
        let mut asking = Self { panel, data, scope, query: Value::Null };
        if asking.computes_lag() && scope.abilities.computed.is_none() {
            return Err(SearchFault::Computed { panel: panel.id.clone(), field: LAG.name });
        }
        let mut filter = Vec::new();
        if let Some(only) = &panel.only {
            filter.push(asking.kql(only)?);
        }
        filter.push(json!({"match_phrase": {"data_stream.dataset": data.dataset()}}));
        let range = json!({
            "gte": scope.from.to_string(), "lte": scope.to.to_string(), "format": "strict_date_optional_time",
        });
        filter.push(json!({"range": {"@timestamp": range}}));
        asking.query = json!({"bool": {"must": [], "filter": filter, "should": [], "must_not": []}});
        Ok(asking)
    }

    pub(super) fn search(&self, aggregations: Map<String, Value>) -> Search {
        let mut body = json!({"size": 0, "track_total_hits": true, "query": self.query, "aggs": aggregations});
        if self.computes_lag()
            && let (Some(key), Value::Object(body)) = (self.scope.abilities.computed, &mut body)
        {
            let field = json!({"type": LAG.kind, "script": {"source": LAG.script}});
            body.insert(key.to_owned(), json!({LAG.name: field}));
        }
        Search { index: self.data.pattern(), body }
    }

    /// Aggregations of the groups from `level` on, and of the numbers inside the innermost.
    pub(super) fn aggregations(&self, grouping: &Grouping, level: usize) -> Result<Map<String, Value>, SearchFault> {
        let first_value = grouping.buckets.len();
        let mut inner = Map::new();
        for (index, value) in grouping.values.iter().enumerate() {
            inner.extend(self.value(first_value + index, value)?);
        }
        let by = match grouping.by {
            Rank::Value(index) => grouping.values.get(index).map(|value| (first_value + index, *value)),
            Rank::Documents | Rank::Name => None,
        };
        for (index, bucket) in grouping.buckets.iter().enumerate().skip(level).rev() {
            let mut group = self.bucket(bucket, by, grouping)?;
            // Names are ordered by a number of theirs, which must be there at every level.
            if let (Bucket::Terms { .. }, Some((id, value))) = (bucket, by) {
                inner.extend(self.value(id, value)?);
            }
            if let (false, Value::Object(group)) = (inner.is_empty(), &mut group) {
                group.insert("aggs".to_owned(), Value::Object(inner));
            }
            inner = Map::from_iter([(index.to_string(), group)]);
        }
        Ok(inner)
    }

    /// A KQL text as a query of the server.
    pub(super) fn kql(&self, text: &str) -> Result<Value, SearchFault> {
        let fault = |fault| SearchFault::Query { panel: self.panel.id.clone(), text: text.to_owned(), fault };
        Query::parse(text).map(|query| query.to_search()).map_err(fault)
    }

    fn bucket(
        &self,
        bucket: &Bucket,
        by: Option<(usize, &Measure)>,
        grouping: &Grouping,
    ) -> Result<Value, SearchFault> {
        Ok(match bucket {
            Bucket::Time => {
                let interval = self.scope.interval();
                let (from, to) = (self.scope.from.as_millisecond(), self.scope.to.as_millisecond());
                let mut histogram = json!({
                    "field": "@timestamp", "time_zone": "UTC", "min_doc_count": 0,
                    "extended_bounds": {"min": from, "max": to},
                });
                if let Value::Object(histogram) = &mut histogram {
                    histogram.insert(interval.key.to_owned(), json!(interval.text));
                }
                json!({"date_histogram": histogram})
            }
            Bucket::Terms { field, size, missing, other, .. } => {
                let direction = grouping.direction();
                let order = match (by, grouping.by) {
                    (Some((id, value)), _) => json!({path(id, value): direction}),
                    (None, Rank::Documents) => json!({"_count": direction}),
                    (None, _) => json!({"_key": direction}),
                };
                let mut terms = json!({"field": field, "size": size, "order": order});
                // Lens shows what is missing only where it shows the rest.
                if let (true, true, Value::Object(terms)) = (missing, other, &mut terms) {
                    terms.insert("missing".to_owned(), json!(MISSING));
                }
                json!({"terms": terms})
            }
            Bucket::Filters(named) => {
                let mut filters = Map::new();
                for one in named {
                    filters.insert(one.label.clone(), self.kql(&one.only)?);
                }
                json!({"filters": {"filters": filters}})
            }
        })
    }

    /// The aggregation of a number; nothing for the count, which every group has.
    fn value(&self, id: usize, value: &Measure) -> Result<Option<(String, Value)>, SearchFault> {
        let metric = self.metric(&value.of);
        let Some(only) = only(value) else { return Ok(metric.map(|metric| (id.to_string(), metric))) };
        let mut group = json!({"filter": self.kql(&only)?});
        if let (Some(metric), Value::Object(group)) = (metric, &mut group) {
            group.insert("aggs".to_owned(), json!({metric_id(id): metric}));
        }
        Ok(Some((bucket_id(id), group)))
    }

    fn metric(&self, of: &Of) -> Option<Value> {
        Some(match of {
            Of::Count => return None,
            Of::Unique(field) => json!({"cardinality": {"field": field}}),
            Of::Sum(field) => json!({"sum": {"field": field}}),
            Of::Min(field) => json!({"min": {"field": field}}),
            Of::Max(field) => json!({"max": {"field": field}}),
            Of::Average(field) => json!({"avg": {"field": field}}),
            Of::Percentile(field, percentile) => json!({"percentiles": {"field": field, "percents": [percentile]}}),
            Of::Last(field) if self.scope.abilities.top_metrics => {
                json!({"top_metrics": {"metrics": {"field": field}, "size": 1, "sort": {"@timestamp": "desc"}}})
            }
            Of::Last(field) => json!({"top_hits": {
                "size": 1, "sort": [{"@timestamp": {"order": "desc"}}], "_source": false, "fields": [{"field": field}],
            }}),
        })
    }

    fn computes_lag(&self) -> bool {
        let values = Grouping::main(&self.panel.draw).map(|grouping| grouping.values).unwrap_or_default();
        self.data == DataView::Cloudtrail && values.iter().any(|value| field(&value.of) == Some(LAG.name))
    }
}

/// The KQL by which a number's documents are chosen, if they are not all.
pub(super) fn only(value: &Measure) -> Option<String> {
    match (&value.of, &value.only) {
        // Otherwise the newest document may be one without the field.
        (Of::Last(field), Some(only)) => Some(format!("({only}) and {field}: *")),
        (Of::Last(field), None) => Some(format!("{field}: *")),
        (_, only) => only.clone(),
    }
}

/// Names of the two aggregations of a number whose documents are chosen.
pub(super) fn bucket_id(id: usize) -> String {
    format!("{id}-bucket")
}

pub(super) fn metric_id(id: usize) -> String {
    format!("{id}-metric")
}

/// Where the number lies by which groups are ordered.
fn path(id: usize, value: &Measure) -> String {
    let metric = match (&value.of, &value.only) {
        (Of::Count, None) => return "_count".to_owned(),
        (Of::Count, Some(_)) => return bucket_id(id),
        (_, None) => id.to_string(),
        (_, Some(_)) => format!("{}>{}", bucket_id(id), metric_id(id)),
    };
    match value.of {
        Of::Percentile(_, percentile) => format!("{metric}.{percentile}"),
        _ => metric,
    }
}

fn field(of: &Of) -> Option<&str> {
    match of {
        Of::Count => None,
        Of::Unique(field)
        | Of::Sum(field)
        | Of::Min(field)
        | Of::Max(field)
        | Of::Average(field)
        | Of::Percentile(field, _)
        | Of::Last(field) => Some(field),
    }
}

#[cfg(test)]
#[path = "search_tests.rs"]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests;
