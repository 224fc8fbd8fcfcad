//! What a server answers to a panel's search: lines of names and numbers.
//!
//! An answer that is not whole (a shard failed, the time ran out) is a fault: half a number is a wrong number. Depth is
//! that of the panel, so that no answer can make reading deeper.

use super::grouping::Grouping;
use super::model::{Bucket, Measure, Of};
use super::search::{MISSING, bucket_id, metric_id, only};
use serde_json::Value;

/// One answer.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Table {
    /// Documents that the panel's query found.
    pub total: u64,
    pub lines: Vec<Line>,
}

/// One group: a key for each bucket of the grouping, a cell for each value.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    pub keys: Vec<Key>,
    pub values: Vec<Cell>,
}

/// What a group has in common.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Key {
    /// Begin of a bar, in ms since 1970.
    Time(i64),
    /// A value, or the name of a condition.
    Text(String),
    /// The field is missing.
    Missing,
    /// All values that are not shown.
    Other,
}

/// A number of a group.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    /// There is none, such as the largest of nothing.
    Empty,
    Number(f64),
    /// The newest value of a field.
    Text(String),
}

/// Groups of a level that are not shown for themselves.
#[derive(Debug, Clone, PartialEq)]
pub struct Cut {
    /// Keys of the levels outside.
    pub parents: Vec<Key>,
    /// Keys of this level that are shown.
    pub shown: Vec<Key>,
}

/// Why an answer is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AnswerFault {
    #[error("the search was refused: {0}")]
    Refused(String),
    #[error("{failed} of {total} shards failed: {reason}")]
    Shards { failed: u64, total: u64, reason: String },
    #[error("the search ran out of time")]
    TimedOut,
    #[error("the answer lacks `{0}`")]
    Lacks(String),
}

/// Reads the answer to [`search`](super::search::search), and says where groups were cut off.
///
/// # Errors
/// It is a refusal, not whole, or the answer to something else.
pub fn read(grouping: &Grouping, body: &Value) -> Result<(Table, Vec<Cut>), AnswerFault> {
    let total = whole(body)?;
    let mut reading = Reading { grouping, lines: Vec::new(), cuts: Vec::new() };
    match body.get("aggregations") {
        Some(aggregations) => reading.group(aggregations, total, &mut Vec::new())?,
        // Without groups the document count says all; without data streams there are no aggregations at all.
        None if grouping.buckets.is_empty() => {
            reading.group(&Value::Null, total, &mut Vec::new()).or_else(|lacks| nothing(body, lacks))?;
        }
        None => nothing(body, AnswerFault::Lacks("aggregations".to_owned()))?,
    }
    Ok((Table { total, lines: reading.lines }, reading.cuts))
}

/// Reads what lies inside one of the answer's groups whose keys are known.
///
/// # Errors
/// The group is the answer to something else.
pub fn read_inside(grouping: &Grouping, keys: &[Key], group: &Value) -> Result<Vec<Line>, AnswerFault> {
    let mut reading = Reading { grouping, lines: Vec::new(), cuts: Vec::new() };
    reading.group(group, count(group)?, &mut keys.to_vec())?;
    Ok(reading.lines)
}

/// The number of documents of an answer that is whole.
pub(super) fn whole(body: &Value) -> Result<u64, AnswerFault> {
    if let Some(error) = body.get("error") {
        return Err(AnswerFault::Refused(reason(error)));
    }
    let shards = body.get("_shards").ok_or_else(|| AnswerFault::Lacks("_shards".to_owned()))?;
    let number = |key: &str| shards.get(key).and_then(Value::as_u64).unwrap_or(0);
    if number("failed") > 0 {
        let reason = shards.pointer("/failures/0/reason").map_or_else(String::new, reason);
        return Err(AnswerFault::Shards { failed: number("failed"), total: number("total"), reason });
    }
    if body.get("timed_out").and_then(Value::as_bool) == Some(true) {
        return Err(AnswerFault::TimedOut);
    }
    let total = body.pointer("/hits/total/value").and_then(Value::as_u64);
    total.ok_or_else(|| AnswerFault::Lacks("hits.total.value".to_owned()))
}

impl Key {
    /// The key as people read it; times as ms.
    pub fn text(&self) -> String {
        match self {
            Key::Time(ms) => ms.to_string(),
            Key::Text(text) => text.clone(),
            Key::Missing => "(missing value)".to_owned(),
            Key::Other => "Other".to_owned(),
        }
    }
}

impl Cell {
    /// The number, if it is one.
    pub fn number(&self) -> Option<f64> {
        match self {
            Cell::Number(number) => Some(*number),
            Cell::Empty | Cell::Text(_) => None,
        }
    }
}

struct Reading<'a> {
    grouping: &'a Grouping<'a>,
    lines: Vec<Line>,
    cuts: Vec<Cut>,
}

impl Reading<'_> {
    /// A group of `count` documents with these keys; deeper levels lie inside it.
    fn group(&mut self, group: &Value, count: u64, keys: &mut Vec<Key>) -> Result<(), AnswerFault> {
        let grouping = self.grouping;
        let Some(bucket) = grouping.buckets.get(keys.len()) else {
            let values = grouping.values.iter().enumerate();
            let values: Result<Vec<Cell>, AnswerFault> =
                values.map(|(index, value)| cell(group, count, grouping.buckets.len() + index, value)).collect();
            self.lines.push(Line { keys: keys.clone(), values: values? });
            return Ok(());
        };
        let id = keys.len().to_string();
        let aggregation = group.get(&id).ok_or_else(|| AnswerFault::Lacks(format!("aggregations.{id}")))?;
        let buckets = aggregation.get("buckets").ok_or_else(|| AnswerFault::Lacks(format!("{id}.buckets")))?;
        if let Bucket::Filters(named) = bucket {
            for one in named {
                let inner = buckets.get(&one.label).ok_or_else(|| AnswerFault::Lacks(one.label.clone()))?;
                self.inner(inner, Key::Text(one.label.clone()), keys)?;
            }
            return Ok(());
        }
        let mut shown = Vec::new();
        for inner in buckets.as_array().into_iter().flatten() {
            let key = key(bucket, inner).ok_or_else(|| AnswerFault::Lacks(format!("{id}.buckets.key")))?;
            shown.push(key.clone());
            self.inner(inner, key, keys)?;
        }
        let beyond = aggregation.get("sum_other_doc_count").and_then(Value::as_u64).unwrap_or(0);
        if matches!(bucket, Bucket::Terms { other: true, .. }) && beyond > 0 {
            self.cuts.push(Cut { parents: keys.clone(), shown });
        }
        Ok(())
    }

    fn inner(&mut self, inner: &Value, key: Key, keys: &mut Vec<Key>) -> Result<(), AnswerFault> {
        keys.push(key);
        self.group(inner, count(inner)?, keys)?;
        keys.pop();
        Ok(())
    }
}

/// An answer over no data stream at all is empty, and nothing is wrong with it.
fn nothing(body: &Value, otherwise: AnswerFault) -> Result<(), AnswerFault> {
    match body.pointer("/_shards/total").and_then(Value::as_u64) {
        Some(0) => Ok(()),
        _ => Err(otherwise),
    }
}

fn count(group: &Value) -> Result<u64, AnswerFault> {
    group.get("doc_count").and_then(Value::as_u64).ok_or_else(|| AnswerFault::Lacks("doc_count".to_owned()))
}

fn key(bucket: &Bucket, group: &Value) -> Option<Key> {
    let key = group.get("key")?;
    if let Bucket::Time = bucket {
        return key.as_i64().map(Key::Time);
    }
    let text = match (group.get("key_as_string"), key) {
        (Some(Value::String(text)), _) | (None, Value::String(text)) => text.clone(),
        (_, other) => other.to_string(),
    };
    Some(if text == MISSING { Key::Missing } else { Key::Text(text) })
}

fn cell(group: &Value, documents: u64, id: usize, value: &Measure) -> Result<Cell, AnswerFault> {
    let (group, documents, metric) = match only(value) {
        None => (group, documents, id.to_string()),
        Some(_) => {
            let name = bucket_id(id);
            let inner = group.get(&name).ok_or(AnswerFault::Lacks(name))?;
            (inner, count(inner)?, metric_id(id))
        }
    };
    if value.of == Of::Count {
        #[expect(clippy::cast_precision_loss, reason = "exact up to 2^53 documents")]
        return Ok(Cell::Number(documents as f64));
    }
    let answer = group.get(&metric).ok_or(AnswerFault::Lacks(metric))?;
    let found = match &value.of {
        Of::Percentile(..) => answer.get("values").and_then(Value::as_object).and_then(|values| values.values().next()),
        Of::Last(field) => {
            let newest = answer.pointer("/top/0/metrics").and_then(|metrics| metrics.get(field));
            newest.or_else(|| answer.pointer("/hits/hits/0/fields").and_then(|fields| fields.get(field)?.get(0)))
        }
        _ => answer.get("value"),
    };
    Ok(match found {
        Some(Value::Number(number)) => number.as_f64().map_or(Cell::Empty, Cell::Number),
        Some(Value::String(text)) if text != "NaN" => Cell::Text(text.clone()),
        Some(Value::Bool(flag)) => Cell::Text(flag.to_string()),
        _ => Cell::Empty,
    })
}

/// The reason of an error that is worth showing: the innermost.
fn reason(error: &Value) -> String {
    let first = error.pointer("/failed_shards/0/reason").or_else(|| error.pointer("/root_cause/0")).unwrap_or(error);
    let cause = first.pointer("/caused_by").unwrap_or(first);
    match cause.get("reason").or_else(|| first.get("reason")) {
        Some(Value::String(text)) => text.clone(),
        _ => error.to_string(),
    }
}
