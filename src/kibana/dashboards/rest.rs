//! The group "Other": what a list of names cuts off.
//!
//! Servers do not count it, so Kibana sends a second search: the same documents without those of the names shown. Left
//! out: the rest inside a rest, which Kibana does not show either.

use super::answer::{AnswerFault, Cut, Key, Line, Table, read_inside, whole};
use super::grouping::Grouping;
use super::model::{Bucket, Dashboard, Panel};
use super::search::{Asking, Scope, Search, SearchFault};
use serde_json::{Map, Value, json};

/// The rest at one level of a panel's groups.
#[derive(Debug)]
pub struct Rest {
    pub search: Search,
    cuts: Vec<Cut>,
}

/// The searches for all that was cut off, one a level.
///
/// # Errors
/// As those of [`search`](super::search::search).
pub fn rests(
    dashboard: &Dashboard,
    panel: &Panel,
    grouping: &Grouping,
    scope: &Scope,
    cuts: Vec<Cut>,
) -> Result<Vec<Rest>, SearchFault> {
    let asking = Asking::new(dashboard, panel, scope)?;
    let mut rests = Vec::new();
    for level in 0..grouping.buckets.len() {
        let cuts: Vec<Cut> = cuts.iter().filter(|cut| cut.parents.len() == level).cloned().collect();
        if cuts.is_empty() {
            continue;
        }
        let mut filters = Map::new();
        for (index, cut) in cuts.iter().enumerate() {
            filters.insert(index.to_string(), beyond(&asking, grouping, cut)?);
        }
        let mut rest = json!({"filters": {"filters": filters}});
        let inner = asking.aggregations(grouping, level + 1)?;
        if let (false, Value::Object(rest)) = (inner.is_empty(), &mut rest) {
            rest.insert("aggs".to_owned(), Value::Object(inner));
        }
        rests.push(Rest { search: asking.search(Map::from_iter([(REST.to_owned(), rest)])), cuts });
    }
    Ok(rests)
}

const REST: &str = "rest";

impl Rest {
    /// Puts the answer's lines into the table, each behind those that it is the rest of.
    ///
    /// # Errors
    /// The answer is a refusal, not whole, or the answer to something else.
    pub fn read(&self, grouping: &Grouping, body: &Value, table: &mut Table) -> Result<(), AnswerFault> {
        whole(body)?;
        let lacks = || AnswerFault::Lacks(REST.to_owned());
        let groups = body.pointer("/aggregations/rest/buckets").ok_or_else(lacks)?;
        for (index, cut) in self.cuts.iter().enumerate() {
            let group = groups.get(index.to_string()).ok_or_else(lacks)?;
            if group.get("doc_count").and_then(Value::as_u64) == Some(0) {
                continue;
            }
            let keys: Vec<Key> = cut.parents.iter().cloned().chain([Key::Other]).collect();
            let lines = read_inside(grouping, &keys, group)?;
            let last = table.lines.iter().rposition(|line: &Line| line.keys.starts_with(&cut.parents));
            let at = last.map_or(table.lines.len(), |last| last + 1);
            table.lines.splice(at..at, lines);
        }
        Ok(())
    }
}

/// Which documents were cut off: those of the groups outside, without the names that are shown.
fn beyond(asking: &Asking, grouping: &Grouping, cut: &Cut) -> Result<Value, SearchFault> {
    let mut filter = Vec::new();
    let mut must_not = Vec::new();
    for (bucket, key) in grouping.buckets.iter().zip(&cut.parents) {
        filter.push(has(asking, bucket, key)?);
    }
    if let Some(bucket) = grouping.buckets.get(cut.parents.len()) {
        for key in &cut.shown {
            must_not.push(has(asking, bucket, key)?);
        }
        if let Bucket::Terms { field, missing: false, .. } = bucket {
            filter.push(json!({"exists": {"field": field}}));
        }
    }
    Ok(json!({"bool": {"must": [], "filter": filter, "should": [], "must_not": must_not}}))
}

/// The documents of one group.
fn has(asking: &Asking, bucket: &Bucket, key: &Key) -> Result<Value, SearchFault> {
    Ok(match (bucket, key) {
        (Bucket::Terms { field, .. }, Key::Text(text)) => json!({"match_phrase": {field: text}}),
        (Bucket::Terms { field, .. }, Key::Missing) => json!({"bool": {"must_not": [{"exists": {"field": field}}]}}),
        (Bucket::Filters(named), Key::Text(label)) => match named.iter().find(|one| one.label == *label) {
            Some(one) => asking.kql(&one.only)?,
            None => json!({"match_none": {}}),
        },
        // Time is the innermost group, and a rest has none: nothing lies in these.
        _ => json!({"match_none": {}}),
    })
}
