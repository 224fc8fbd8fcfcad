//! How a panel is drawn: the visualization state of Lens for numbers, charts, tables and heatmaps.

use serde_json::{Map, Value, json};

use super::colours::SHADES;
use super::columns::{By, Order};
use super::lens::{MAIN, TREND};
use super::model::{Color, Measure, Of, Style};

/// Names of columns that a state refers to.
pub(super) const TIME: &str = "time";
pub(super) const X: &str = "x";
pub(super) const Y: &str = "y";
pub(super) const SPLIT: &str = "split";

/// Name of the column of the `index`th value.
pub(super) fn value_column(index: usize) -> String {
    format!("value{index}")
}

/// Name of the column of the `index`th kind of row.
pub(super) fn row_column(index: usize) -> String {
    format!("row{index}")
}

/// Name of the column behind a number's line.
pub(super) fn trend_column(index: usize) -> String {
    format!("trend{index}")
}

/// One number, with a second beside it and a line behind it.
pub(super) fn metric(beside: bool, color: Option<Color>, zero: Option<Color>, trend: bool) -> Value {
    let mut state = Map::new();
    let mut set = |key: &str, value: Value| state.insert(key.to_owned(), value);
    set("layerId", json!(MAIN));
    set("layerType", json!("data"));
    set("metricAccessor", json!(value_column(0)));
    if beside {
        set("secondaryMetricAccessor", json!(value_column(1)));
    }
    match (color, zero) {
        (Some(color), Some(zero)) => set("palette", from_one(zero, color)),
        (Some(color), None) | (None, Some(color)) => set("color", json!(color.hex())),
        (None, None) => None,
    };
    if trend {
        set("trendlineLayerId", json!(TREND));
        set("trendlineLayerType", json!("metricTrendline"));
        set("trendlineTimeAccessor", json!(TIME));
        set("trendlineMetricAccessor", json!(trend_column(0)));
        if beside {
            set("trendlineSecondaryMetricAccessor", json!(trend_column(1)));
        }
    }
    Value::Object(state)
}

/// Bars, lines or areas. `wide` panels have their legend at the right, narrow ones below.
pub(super) fn chart(style: Style, split: bool, values: &[Measure], wide: bool) -> Value {
    let series = match style {
        Style::Bars => "bar",
        Style::BarsStacked => "bar_stacked",
        Style::BarsPercent => "bar_percentage_stacked",
        Style::BarsHorizontal => "bar_horizontal",
        Style::BarsHorizontalStacked => "bar_horizontal_stacked",
        Style::Line => "line",
        Style::AreaStacked => "area_stacked",
    };
    let accessors: Vec<String> = (0..values.len()).map(value_column).collect();
    let coloured: Vec<Value> = values
        .iter()
        .zip(&accessors)
        .filter_map(|(value, id)| Some(json!({"forAccessor": id, "color": value.color?.hex(), "axisMode": "left"})))
        .collect();
    let several = split || values.len() > 1;
    let mut layer = json!({
        "layerId": MAIN, "layerType": "data", "seriesType": series,
        "xAccessor": X, "accessors": accessors, "yConfig": coloured,
        "palette": {"type": "palette", "name": "default"},
    });
    if let (true, Value::Object(layer)) = (split, &mut layer) {
        layer.insert("splitAccessor".to_owned(), json!(SPLIT));
    }
    let alone = style == Style::BarsHorizontal && !several;
    json!({
        "preferredSeriesType": series,
        "legend": {"isVisible": several, "position": if wide { "right" } else { "bottom" }, "showSingleSeries": false},
        "valueLabels": if alone { "show" } else { "hide" },
        // An interval without documents is one with none, where things are counted on top of each other.
        "fittingFunction": if style == Style::AreaStacked { "Zero" } else { "None" },
        // The panel's title says what the axes show.
        "axisTitlesVisibilitySettings": {"x": false, "yLeft": false, "yRight": false},
        "tickLabelsVisibilitySettings": {"x": true, "yLeft": true, "yRight": true},
        "gridlinesVisibilitySettings": {"x": false, "yLeft": true, "yRight": false},
        "labelsOrientation": {"x": 0, "yLeft": 0, "yRight": 0},
        "layers": [layer],
    })
}

/// Rows of names with numbers beside them, ordered like the search that finds them.
pub(super) fn table(rows: usize, values: &[Measure], order: &Order) -> Value {
    let names = (0..rows).map(|index| json!({"columnId": row_column(index), "isMetric": false, "isTransposed": false}));
    let numbers = values.iter().enumerate().map(|(index, value)| {
        let mut column = json!({"columnId": value_column(index), "isMetric": true, "isTransposed": false});
        if let Value::Object(column) = &mut column {
            if let Some(width) = width(value) {
                column.insert("width".to_owned(), json!(width));
            }
            if let Some(color) = value.color {
                column.insert("colorMode".to_owned(), json!("text"));
                column.insert("palette".to_owned(), from_one(Color::Neutral, color));
            }
        }
        column
    });
    let sorted = match &order.by {
        By::Column(id) => id.clone(),
        By::Documents | By::Name => row_column(0),
    };
    json!({
        "layerId": MAIN, "layerType": "data",
        "columns": names.chain(numbers).collect::<Vec<_>>(),
        "sorting": {"columnId": sorted, "direction": order.direction},
        "paging": {"enabled": true, "size": 10},
        "rowHeight": "single", "rowHeightLines": 1,
        "headerRowHeight": "single", "headerRowHeightLines": 1,
    })
}

/// Width of a column in pixels: what a number or a time needs, so that names get the rest.
fn width(value: &Measure) -> Option<usize> {
    match &value.of {
        Of::Last(_) => None,
        Of::Min(field) | Of::Max(field) if field == "@timestamp" => Some(200),
        _ => Some(50 + 8 * value.label.chars().count()),
    }
}

/// Shades where two kinds of name meet.
pub(super) fn heatmap() -> Value {
    let step = |index: usize| 100 * index / SHADES.len();
    let shades = |upper: usize| -> Vec<Value> {
        let stops = SHADES.iter().enumerate();
        stops.map(|(index, color)| json!({"color": color, "stop": step(index + upper)})).collect()
    };
    let mut palette = custom("percent", shades(0), shades(1));
    if let Value::Object(palette) = &mut palette {
        palette.insert("accessor".to_owned(), json!(value_column(0)));
    }
    json!({
        "layerId": MAIN, "layerType": "data", "shape": "heatmap",
        "xAccessor": X, "yAccessor": Y, "valueAccessor": value_column(0),
        "legend": {"isVisible": false, "position": "right", "type": "heatmap_legend"},
        "gridConfig": {
            "type": "heatmap_grid", "isCellLabelVisible": true,
            "isXAxisLabelVisible": true, "isYAxisLabelVisible": true,
            "isXAxisTitleVisible": false, "isYAxisTitleVisible": false,
        },
        "palette": palette,
    })
}

/// Larger than any count: the first stop above a value gives its colour.
const BEYOND: u64 = 1_000_000_000_000;

/// One colour for 0, another from 1 on.
fn from_one(zero: Color, color: Color) -> Value {
    let (zero, color) = (zero.hex(), color.hex());
    custom(
        "number",
        vec![json!({"color": zero, "stop": 0}), json!({"color": color, "stop": 1})],
        vec![json!({"color": zero, "stop": 1}), json!({"color": color, "stop": BEYOND})],
    )
}

/// Colours by value: `starts` where each begins, `ends` where it stops.
fn custom(range: &str, starts: Vec<Value>, ends: Vec<Value>) -> Value {
    // The last colour goes on for ever, but percentages end at 100.
    let (most, continuity) = if range == "percent" { (json!(100), "none") } else { (Value::Null, "above") };
    json!({
        "type": "palette", "name": "custom",
        "params": {
            "name": "custom", "rangeType": range, "rangeMin": 0, "rangeMax": most, "continuity": continuity,
            "progression": "fixed", "reverse": false, "steps": starts.len(), "maxSteps": 5,
            "colorStops": starts, "stops": ends,
        },
    })
}
