//! A dashboard as its source file says it: questions and where they lie, nothing of Kibana's own form.
//!
//! `dashboards/src/<name>.yml` is read into [`Dashboard`]. `lens.rs` writes it as Kibana keeps it, `search.rs` as the
//! searches that Kibana would send, `preview/` draws the answers: three readers of one model.
//!
//! Panels lie in rows from left to right; a row has a height, a panel a width, and the grid follows from that.

use serde::Deserialize;

/// Columns of Kibana's grid.
pub const COLUMNS: u32 = 48;

/// One dashboard.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dashboard {
    /// Saved object's id; stable, and what links name.
    pub id: String,
    pub title: String,
    pub description: String,
    /// Panels read it unless they name another.
    #[serde(default)]
    pub data: DataView,
    /// How far back it looks when opened, such as `24h`.
    pub time: String,
    #[serde(default)]
    pub controls: Vec<Control>,
    pub rows: Vec<Row>,
}

/// What is searched. Each is a data view in the exported file, with a filter on its dataset.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DataView {
    /// `logs-aws.cloudtrail-*`
    #[default]
    Cloudtrail,
    /// `logs-aws.cloudtrail_integrity-*`: findings and the hourly ledger.
    Integrity,
    /// `logs-aws.cloudtrail_dead_letter-*`: parked records.
    DeadLetter,
}

/// A list from which a person picks values.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Control {
    pub field: String,
    pub title: String,
}

/// Panels beside each other.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Row {
    /// In grid rows of about 20 pixels.
    pub height: u32,
    pub panels: Vec<Panel>,
}

/// One panel: a question, and how its answer is drawn.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Panel {
    /// Unique in its dashboard.
    pub id: String,
    #[serde(default)]
    pub title: String,
    /// What the panel answers and what to do with the answer: its description in Kibana.
    #[serde(default)]
    pub help: String,
    /// In grid columns of 48.
    pub width: u32,
    #[serde(default)]
    pub data: Option<DataView>,
    /// KQL: only these documents. In all KQL `{approved_regions}` becomes `"a" or "b"`.
    #[serde(default)]
    pub only: Option<String>,
    pub draw: Draw,
}

/// How an answer is drawn.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Draw {
    /// Markdown; `#/dashboard/<id>` links to another dashboard, `{links}` becomes a row of links to all of them.
    Text(String),
    /// One number.
    Metric {
        value: Measure,
        /// A second, smaller number.
        #[serde(default)]
        beside: Option<Measure>,
        #[serde(default)]
        color: Option<Color>,
        /// Its colour while the number is 0; without it 0 has no colour of its own.
        #[serde(default)]
        zero: Option<Color>,
        /// A line behind the number that shows its course.
        #[serde(default)]
        trend: bool,
    },
    /// Bars, lines or areas.
    Chart {
        style: Style,
        /// The axis: time or names.
        over: Bucket,
        /// A series for each of these.
        #[serde(default)]
        split: Option<Bucket>,
        values: Vec<Measure>,
    },
    /// Rows of names with numbers beside them.
    Table {
        rows: Vec<Bucket>,
        values: Vec<Measure>,
        /// Names with the smallest value come first instead of those with the largest.
        #[serde(default)]
        smallest_first: bool,
    },
    /// Shades where two kinds of name meet.
    Heatmap { x: Bucket, y: Bucket, value: Measure },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Style {
    Bars,
    BarsStacked,
    BarsPercent,
    BarsHorizontal,
    BarsHorizontalStacked,
    Line,
    AreaStacked,
}

/// What documents are grouped by.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Bucket {
    /// `@timestamp`, in intervals that fit the range.
    Time,
    /// The values of a field, those with the largest value first; see [`Draw::rank`].
    Terms {
        field: String,
        label: String,
        /// So many.
        #[serde(default = "ten")]
        size: u32,
        /// Documents without the field as a value of their own; Kibana shows them only together with `other`.
        #[serde(default)]
        missing: bool,
        /// The rest as one more value.
        #[serde(default)]
        other: bool,
    },
    /// Named conditions.
    Filters(Vec<Named>),
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Named {
    pub label: String,
    /// KQL.
    pub only: String,
}

/// A number over the documents of a bucket.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Measure {
    pub label: String,
    /// KQL: counts only these documents.
    #[serde(default)]
    pub only: Option<String>,
    #[serde(default)]
    pub color: Option<Color>,
    #[serde(default)]
    pub format: Format,
    pub of: Of,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Of {
    /// Documents.
    Count,
    /// Different values of a field.
    Unique(String),
    Sum(String),
    Min(String),
    Max(String),
    Average(String),
    /// Field and percentile.
    Percentile(String, u32),
    /// The field's value in the newest document that has one.
    Last(String),
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    #[default]
    Number,
    Percent,
    Bytes,
    /// Milliseconds shown as a duration.
    Duration,
    Date,
}

/// Colours by meaning, so that one meaning has one colour on all dashboards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Color {
    Good,
    Warn,
    Bad,
    Neutral,
    Accent,
}

/// Where a panel lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    pub x: u32,
    pub y: u32,
    pub width: u32,
    pub height: u32,
}

impl Dashboard {
    /// Panels with their places, in reading order.
    pub fn placed(&self) -> impl Iterator<Item = (Place, &Panel)> {
        let mut top = 0;
        self.rows.iter().flat_map(move |row| {
            let (y, mut left) = (top, 0);
            top += row.height;
            row.panels.iter().map(move |panel| {
                let place = Place { x: left, y, width: panel.width, height: row.height };
                left += panel.width;
                (place, panel)
            })
        })
    }
}

impl Panel {
    /// What it searches, in its dashboard.
    pub fn data(&self, dashboard: &Dashboard) -> DataView {
        self.data.unwrap_or(dashboard.data)
    }
}

/// What orders the names of [`Bucket::Terms`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rank {
    /// The value with this index.
    Value(usize),
    /// How many documents they have.
    Documents,
    /// The alphabet.
    Name,
}

impl Draw {
    /// The first value that a search can order by. Where the values of a chart are parts of a whole, the whole.
    pub fn rank(&self) -> Rank {
        let part = |value: &Measure| value.of == Of::Count && value.only.is_some();
        let values = match self {
            Draw::Chart { values, .. } if values.len() > 1 && values.iter().all(part) => return Rank::Documents,
            Draw::Chart { values, .. } | Draw::Table { values, .. } => values.as_slice(),
            Draw::Heatmap { value, .. } => std::slice::from_ref(value),
            Draw::Text(_) | Draw::Metric { .. } => &[],
        };
        let first = values.iter().position(|value| !matches!(value.of, Of::Last(_)));
        first.map_or(Rank::Name, Rank::Value)
    }
}

impl DataView {
    pub const ALL: [DataView; 3] = [DataView::Cloudtrail, DataView::Integrity, DataView::DeadLetter];

    /// Value of `data_stream.dataset`.
    pub fn dataset(self) -> &'static str {
        match self {
            DataView::Cloudtrail => "aws.cloudtrail",
            DataView::Integrity => "aws.cloudtrail_integrity",
            DataView::DeadLetter => "aws.cloudtrail_dead_letter",
        }
    }

    /// Id of the data view's saved object: a name, never a pattern, since patterns as ids collide across spaces.
    pub fn id(self) -> &'static str {
        match self {
            DataView::Cloudtrail => "trailship-cloudtrail",
            DataView::Integrity => "trailship-cloudtrail-integrity",
            DataView::DeadLetter => "trailship-cloudtrail-dead-letter",
        }
    }

    /// What Kibana's menus call it.
    pub fn name(self) -> &'static str {
        match self {
            DataView::Cloudtrail => "CloudTrail",
            DataView::Integrity => "CloudTrail integrity",
            DataView::DeadLetter => "CloudTrail dead letters",
        }
    }

    /// Data streams of every namespace.
    pub fn pattern(self) -> String {
        format!("logs-{}-*", self.dataset())
    }
}

fn ten() -> u32 {
    10
}
