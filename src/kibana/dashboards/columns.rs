//! Columns of a Lens layer: what documents are grouped by, and the numbers over each group.
//!
//! Shapes are those that Kibana 8.9 to 9.x read. Ids are the caller's, so that a panel's state can name them.

use serde_json::{Map, Value, json};

use crate::ecs::Kind;

use super::fields;
use super::model::{Bucket, DataView, Format, Measure, Named, Of};

/// One layer of a panel: groups first, then numbers, in the order in which they were added.
pub(super) struct Layer {
    data: DataView,
    order: Vec<String>,
    columns: Map<String, Value>,
    linked_to: Option<&'static str>,
}

/// How names are ordered.
#[derive(Debug, Clone)]
pub(super) struct Order {
    pub by: By,
    /// `asc` or `desc`.
    pub direction: &'static str,
}

/// What names are ordered by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum By {
    /// A column of the same layer.
    Column(String),
    Documents,
    Name,
}

impl Layer {
    pub(super) fn new(data: DataView) -> Self {
        Self { data, order: Vec::new(), columns: Map::new(), linked_to: None }
    }

    /// The line behind a number, which Kibana keeps as a layer of its own.
    pub(super) fn linked_to(data: DataView, layer: &'static str) -> Self {
        Self { linked_to: Some(layer), ..Self::new(data) }
    }

    /// Groups documents.
    pub(super) fn bucket(&mut self, id: &str, bucket: &Bucket, order: &Order) {
        let mut column = match bucket {
            Bucket::Time => json!({
                "operationType": "date_histogram", "sourceField": "@timestamp",
                "dataType": "date", "isBucketed": true, "scale": "interval",
                "label": "Time", "customLabel": true,
                "params": {"interval": "auto", "includeEmptyRows": true, "dropPartials": false},
            }),
            Bucket::Terms { field, label, size, missing, other } => json!({
                "operationType": "terms", "sourceField": field,
                "dataType": self.data_type(field), "isBucketed": true, "scale": "ordinal",
                "label": label, "customLabel": true,
                "params": {
                    "size": size,
                    "orderBy": match &order.by {
                        By::Column(id) => json!({"type": "column", "columnId": id}),
                        By::Documents => json!({"type": "custom"}),
                        By::Name => json!({"type": "alphabetical", "fallback": false}),
                    },
                    "orderDirection": order.direction,
                    "otherBucket": other, "missingBucket": missing,
                    "parentFormat": {"id": "terms"},
                    "include": [], "exclude": [], "includeIsRegex": false, "excludeIsRegex": false,
                },
            }),
            Bucket::Filters(named) => json!({
                "operationType": "filters",
                "dataType": "string", "isBucketed": true, "scale": "ordinal",
                "label": "Kind", "customLabel": true,
                "params": {"filters": named.iter().map(filter).collect::<Vec<_>>()},
            }),
        };
        if let (By::Documents, Bucket::Terms { .. }) = (&order.by, bucket)
            && let Some(Value::Object(params)) = column.get_mut("params")
        {
            params.insert("orderAgg".to_owned(), documents());
        }
        self.add(id, column);
    }

    /// A number over each group.
    pub(super) fn measure(&mut self, id: &str, measure: &Measure) {
        let mut column = self.operation(&measure.of);
        column.insert("label".to_owned(), json!(measure.label));
        column.insert("customLabel".to_owned(), json!(true));
        column.insert("isBucketed".to_owned(), json!(false));
        let only = match (&measure.of, &measure.only) {
            // Otherwise the newest document may be one without the field.
            (Of::Last(field), Some(only)) => Some(format!("({only}) and {field}: *")),
            (Of::Last(field), None) => Some(format!("{field}: *")),
            (_, only) => only.clone(),
        };
        if let Some(only) = only {
            column.insert("filter".to_owned(), kuery(&only));
        }
        if let Some(format) = format(measure.format)
            && let Some(Value::Object(params)) = column.get_mut("params")
        {
            params.insert("format".to_owned(), format);
        }
        self.add(id, Value::Object(column));
    }

    /// The layer as Kibana keeps it.
    pub(super) fn into_json(self) -> Value {
        let mut layer = json!({"columnOrder": self.order, "columns": self.columns, "incompleteColumns": {}});
        if let (Some(main), Value::Object(layer)) = (self.linked_to, &mut layer) {
            layer.insert("linkToLayers".to_owned(), json!([main]));
        }
        layer
    }

    fn add(&mut self, id: &str, column: Value) {
        self.order.push(id.to_owned());
        self.columns.insert(id.to_owned(), column);
    }

    fn operation(&self, of: &Of) -> Map<String, Value> {
        let number = |operation: &str, field: &str, params: Value| json!({"operationType": operation, "sourceField": field, "dataType": "number", "scale": "ratio", "params": params});
        let counted = || json!({"emptyAsNull": false});
        let column = match of {
            Of::Count => number("count", "___records___", counted()),
            Of::Unique(field) => number("unique_count", field, counted()),
            Of::Sum(field) => number("sum", field, counted()),
            Of::Average(field) => number("average", field, json!({})),
            Of::Percentile(field, percentile) => number("percentile", field, json!({"percentile": percentile})),
            Of::Min(field) => self.extreme("min", field),
            Of::Max(field) => self.extreme("max", field),
            Of::Last(field) => json!({
                "operationType": "last_value", "sourceField": field, "dataType": self.data_type(field),
                "scale": if self.data_type(field) == "number" { "ratio" } else { "ordinal" },
                "params": {"sortField": "@timestamp", "showArrayValues": false},
            }),
        };
        match column {
            Value::Object(column) => column,
            _ => Map::new(),
        }
    }

    fn extreme(&self, operation: &str, field: &str) -> Value {
        json!({
            "operationType": operation, "sourceField": field,
            "dataType": self.data_type(field), "scale": "ratio", "params": {},
        })
    }

    fn data_type(&self, field: &str) -> &'static str {
        match fields::kind(self.data, field) {
            Some(Kind::Ip) => "ip",
            Some(Kind::Date) => "date",
            Some(Kind::Boolean) => "boolean",
            Some(Kind::Long) => "number",
            _ => "string",
        }
    }
}

/// The column that names are ordered by where it is not shown.
fn documents() -> Value {
    json!({
        "operationType": "count", "sourceField": "___records___", "dataType": "number", "isBucketed": false,
        "scale": "ratio", "label": "Documents", "params": {"emptyAsNull": false},
    })
}

/// A query in Kibana's own language.
pub(super) fn kuery(query: &str) -> Value {
    json!({"language": "kuery", "query": query})
}

fn filter(named: &Named) -> Value {
    json!({"label": named.label, "input": kuery(&named.only)})
}

fn format(format: Format) -> Option<Value> {
    let (id, params) = match format {
        // Numbers and dates are shown as Kibana's settings say.
        Format::Number | Format::Date => return None,
        Format::Percent => ("percent", json!({"decimals": 1})),
        Format::Bytes => ("bytes", json!({"decimals": 1})),
        Format::Duration => {
            let units =
                json!({"decimals": 1, "fromUnit": "milliseconds", "toUnit": "humanizePrecise", "compact": true});
            ("duration", units)
        }
    };
    Some(json!({"id": id, "params": params}))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn measured(of: Of, only: Option<&str>) -> Value {
        let mut layer = Layer::new(DataView::Cloudtrail);
        let only = only.map(str::to_owned);
        layer.measure("m", &Measure { label: "L".to_owned(), only, color: None, format: Format::default(), of });
        layer.into_json()["columns"]["m"].clone()
    }

    #[test]
    fn the_newest_value_is_of_documents_that_have_one() {
        let column = measured(Of::Last("source.ip".to_owned()), Some("a: b or c: d"));
        assert_eq!(column["filter"]["query"], "(a: b or c: d) and source.ip: *");
        assert_eq!((&column["dataType"], &column["scale"]), (&json!("ip"), &json!("ordinal")));
        assert_eq!(measured(Of::Last("source.ip".to_owned()), None)["filter"]["query"], "source.ip: *");
    }

    #[test]
    fn the_latest_time_is_a_date() {
        assert_eq!(measured(Of::Max("@timestamp".to_owned()), None)["dataType"], "date");
        assert_eq!(measured(Of::Max("log.offset".to_owned()), None)["dataType"], "number");
    }

    #[test]
    fn groups_come_in_the_order_of_adding() {
        let alphabetical = Order { by: By::Name, direction: "asc" };
        let mut layer = Layer::linked_to(DataView::Cloudtrail, "main");
        layer.bucket("z", &Bucket::Time, &alphabetical);
        layer.bucket("a", &Bucket::Filters(Vec::new()), &alphabetical);
        let layer = layer.into_json();
        assert_eq!((&layer["columnOrder"], &layer["linkToLayers"]), (&json!(["z", "a"]), &json!(["main"])));
    }
}
