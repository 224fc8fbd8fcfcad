//! A panel without its drawing: by what documents are grouped, outermost first, and which numbers each group has.
//!
//! Lens puts names outside and time inside: the same names at every time. All else keeps the order of the source.

use super::model::{Bucket, Draw, Measure, Rank};

/// What one search of a panel asks.
#[derive(Debug, Clone)]
pub struct Grouping<'a> {
    pub buckets: Vec<&'a Bucket>,
    pub values: Vec<&'a Measure>,
    /// What orders names, the largest first.
    pub by: Rank,
    /// The smallest comes first instead.
    pub smallest_first: bool,
}

/// Where in a group's keys the axis of a chart or heatmap stands, and where the other kind of name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Axes {
    pub over: usize,
    pub split: Option<usize>,
}

impl<'a> Grouping<'a> {
    /// The main search of a panel; nothing for one that only says something.
    pub fn main(draw: &'a Draw) -> Option<Self> {
        let (buckets, values) = match draw {
            Draw::Text(_) => return None,
            Draw::Metric { value, beside, .. } => {
                let values = std::iter::once(value).chain(beside).collect();
                return Some(Self { buckets: Vec::new(), values, by: Rank::Name, smallest_first: false });
            }
            Draw::Chart { over, split, values, .. } => (ordered(over, split.as_ref()), values.as_slice()),
            Draw::Table { rows, values, .. } => (rows.iter().collect(), values.as_slice()),
            Draw::Heatmap { x, y, value } => (ordered(x, Some(y)), std::slice::from_ref(value)),
        };
        let smallest_first = matches!(draw, Draw::Table { smallest_first: true, .. });
        Some(Self { buckets, values: values.iter().collect(), by: draw.rank(), smallest_first })
    }

    /// `asc` or `desc`, as names are ordered.
    pub fn direction(&self) -> &'static str {
        if self.smallest_first || self.by == Rank::Name { "asc" } else { "desc" }
    }

    /// The search behind the line of a number.
    pub fn trend(draw: &'a Draw) -> Option<Self> {
        match draw {
            Draw::Metric { value, trend: true, .. } => {
                Some(Self { buckets: vec![&Bucket::Time], values: vec![value], by: Rank::Name, smallest_first: false })
            }
            _ => None,
        }
    }
}

impl Axes {
    /// Of a chart (axis, series) or a heatmap (x, y).
    pub fn of(draw: &Draw) -> Option<Self> {
        let (over, split) = match draw {
            Draw::Chart { over, split, .. } => (over, split.as_ref()),
            Draw::Heatmap { x, y, .. } => (x, Some(y)),
            _ => return None,
        };
        Some(match split {
            None => Self { over: 0, split: None },
            Some(_) if matches!(over, Bucket::Time) => Self { over: 1, split: Some(0) },
            Some(_) => Self { over: 0, split: Some(1) },
        })
    }
}

fn ordered<'a>(over: &'a Bucket, split: Option<&'a Bucket>) -> Vec<&'a Bucket> {
    match (over, split) {
        (Bucket::Time, Some(split)) => vec![split, over],
        (_, Some(split)) => vec![over, split],
        (_, None) => vec![over],
    }
}
