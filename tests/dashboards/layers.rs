//! Layers of a Lens panel: which columns there are, in which order, and what each computes.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::mappings::View;
use super::panels::query;
use super::{Findings, items, text_of};

/// One layer of the panel `id`.
pub fn check(
    layer: &Value,
    id: &str,
    name: &str,
    layers: &Map<String, Value>,
    view: Option<&View>,
    findings: &mut Findings,
) {
    let none = Map::new();
    let columns = layer["columns"].as_object().unwrap_or(&none);
    findings.expect(!columns.is_empty(), id, format!("layer `{name}` has no columns"));
    findings.expect(layer["incompleteColumns"].is_object(), id, format!("layer `{name}` lacks `incompleteColumns`"));
    let order: Vec<&str> = items(&layer["columnOrder"]).iter().map(text_of).collect();
    let (ordered, there): (BTreeSet<&str>, BTreeSet<&str>) =
        (order.iter().copied().collect(), columns.keys().map(String::as_str).collect());
    for missing in there.difference(&ordered) {
        findings.add(id, format!("`{missing}` is not in `columnOrder`, so nothing computes it"));
    }
    for unknown in ordered.difference(&there) {
        findings.add(id, format!("`columnOrder` names `{unknown}`, which is no column"));
    }
    findings.expect(order.len() == ordered.len(), id, "`columnOrder` names a column twice");
    let groups: Vec<bool> = order.iter().map(|column| columns.get(*column).is_some_and(bucketed)).collect();
    findings.expect(groups.is_sorted_by(|a, b| a >= b), id, "`columnOrder` has a number before a group");
    for linked in items(&layer["linkToLayers"]) {
        let there = layers.contains_key(text_of(linked)) && text_of(linked) != name;
        findings.expect(there, id, format!("layer `{name}` is linked to {linked}, which is no other layer"));
    }
    let mut labels = BTreeSet::new();
    for (column, content) in columns {
        let label = text_of(&content["label"]);
        findings.expect(!label.is_empty(), id, format!("column `{column}` has no label"));
        findings.expect(
            content["customLabel"] == true,
            id,
            format!("Kibana replaces the label of `{column}` without `customLabel`"),
        );
        findings.expect(labels.insert(label), id, format!("two columns are called `{label}`"));
        check_column(content, &Column { id, name: column, columns, view }, findings);
    }
}

/// Whether a column groups documents.
pub fn bucketed(column: &Value) -> bool {
    column["isBucketed"] == true
}

struct Column<'a> {
    id: &'a str,
    name: &'a str,
    columns: &'a Map<String, Value>,
    view: Option<&'a View>,
}

fn check_column(column: &Value, at: &Column<'_>, findings: &mut Findings) {
    let operation = text_of(&column["operationType"]);
    let (id, name) = (at.id, at.name);
    // (groups documents, scales, types of field; no field at all where there are none)
    let (groups, scales, kinds): (bool, &[&str], &[&str]) = match operation {
        "date_histogram" => (true, &["interval"], &["date"]),
        "terms" => (true, &["ordinal"], &["keyword", "constant_keyword", "ip", "boolean", "long", "date"]),
        "filters" => (true, &["ordinal"], &[]),
        "count" => (false, &["ratio"], &[]),
        "unique_count" => (false, &["ratio"], &["keyword", "constant_keyword", "ip", "boolean", "long", "date"]),
        "sum" | "average" | "percentile" => (false, &["ratio"], &["long", "double"]),
        "min" | "max" => (false, &["ratio"], &["long", "double", "date"]),
        "last_value" => (false, &["ratio", "ordinal"], &["keyword", "ip", "boolean", "long", "date"]),
        _ => {
            findings.add(id, format!("`{name}` computes `{operation}`, which is not shipped"));
            return;
        }
    };
    findings.expect(column["isBucketed"] == groups, id, format!("`isBucketed` of `{name}` does not fit `{operation}`"));
    let scale = text_of(&column["scale"]);
    findings.expect(scales.contains(&scale), id, format!("scale `{scale}` of `{name}` does not fit `{operation}`"));
    field(column, operation, kinds, at, findings);
    params(column, operation, at, findings);
    if !column["filter"].is_null() {
        query(&column["filter"], id, &format!("the filter of `{name}`"), at.view, findings);
    }
}

fn field(column: &Value, operation: &str, kinds: &[&str], at: &Column<'_>, findings: &mut Findings) {
    let (id, name) = (at.id, at.name);
    let source = column["sourceField"].as_str();
    let given = text_of(&column["dataType"]);
    let expected = match (operation, source) {
        ("count", Some("___records___")) => Some("number"),
        ("count", _) => {
            findings.add(id, format!("`{name}` counts {} instead of `___records___`", column["sourceField"]));
            None
        }
        ("filters", None) => Some("string"),
        ("filters", Some(_)) => {
            findings.add(id, format!("`{name}` groups by conditions and has a field too"));
            None
        }
        (_, None) => {
            findings.add(id, format!("`{name}` has no `sourceField`"));
            None
        }
        (_, Some(source)) => match at.view.map(|view| view.aggregatable(source)) {
            None => None,
            Some(Err(why)) => {
                findings.add(id, why);
                None
            }
            Some(Ok(field)) => {
                let kind = field.kind.as_str();
                let fits = kinds.contains(&kind);
                findings.expect(
                    fits,
                    id,
                    format!("`{operation}` of `{name}` does not take `{source}`, which is {kind}"),
                );
                match operation {
                    "unique_count" | "sum" | "average" | "percentile" => Some("number"),
                    _ => Some(data_type(kind)),
                }
            }
        },
    };
    if let Some(expected) = expected {
        findings.expect(given == expected, id, format!("`{name}` says it is {given}, but it is {expected}"));
    }
}

fn data_type(kind: &str) -> &'static str {
    match kind {
        "date" => "date",
        "ip" => "ip",
        "boolean" => "boolean",
        "long" | "double" => "number",
        _ => "string",
    }
}

fn params(column: &Value, operation: &str, at: &Column<'_>, findings: &mut Findings) {
    let (id, name, params) = (at.id, at.name, &column["params"]);
    let needed: &[&str] = match operation {
        "date_histogram" => &["interval", "includeEmptyRows", "dropPartials"],
        "terms" => &[
            "size",
            "orderBy",
            "orderDirection",
            "otherBucket",
            "missingBucket",
            "parentFormat",
            "include",
            "exclude",
            "includeIsRegex",
            "excludeIsRegex",
        ],
        "filters" => &["filters"],
        "percentile" => &["percentile"],
        "last_value" => &["sortField", "showArrayValues"],
        "count" | "unique_count" | "sum" => &["emptyAsNull"],
        _ => &[],
    };
    for param in needed.iter().filter(|param| params[**param].is_null()) {
        findings.add(id, format!("`{name}` lacks the parameter `{param}`"));
    }
    match operation {
        "date_histogram" => findings.expect(params["interval"] == "auto", id, format!("`{name}` has a fixed interval")),
        "terms" => terms(params, at, findings),
        "filters" => {
            for one in items(&params["filters"]) {
                let label = text_of(&one["label"]);
                findings.expect(!label.is_empty(), id, format!("a condition of `{name}` has no label"));
                query(&one["input"], id, &format!("the condition `{label}`"), at.view, findings);
            }
            findings.expect(
                items(&params["filters"]).len() >= 2,
                id,
                format!("`{name}` has fewer than two conditions"),
            );
        }
        "percentile" => {
            let fits = params["percentile"].as_u64().is_some_and(|percentile| (1..100).contains(&percentile));
            findings.expect(
                fits,
                id,
                format!("percentile {} of `{name}` is not between 1 and 99", params["percentile"]),
            );
        }
        "last_value" => {
            findings.expect(
                params["sortField"] == "@timestamp",
                id,
                format!("`{name}` is not the newest by `@timestamp`"),
            );
            let asks = format!("{}: *", text_of(&column["sourceField"]));
            let only = text_of(&column["filter"]["query"]).contains(&asks);
            findings.expect(
                only,
                id,
                format!("`{name}` may be of a document without the field: it lacks the filter `{asks}`"),
            );
        }
        _ => {}
    }
    if let Some(format) = params["format"]["id"].as_str() {
        let known = ["number", "percent", "bytes", "duration"].contains(&format);
        findings.expect(known, id, format!("format `{format}` of `{name}` is not known"));
        let units = !text_of(&params["format"]["params"]["fromUnit"]).is_empty()
            && !text_of(&params["format"]["params"]["toUnit"]).is_empty();
        findings.expect(format != "duration" || units, id, format!("the duration `{name}` has no units"));
    }
}

fn terms(params: &Value, at: &Column<'_>, findings: &mut Findings) {
    let (id, name) = (at.id, at.name);
    let size = params["size"].as_u64().is_some_and(|size| (1..=1000).contains(&size));
    findings.expect(size, id, format!("`{name}` shows {} names", params["size"]));
    let direction = text_of(&params["orderDirection"]);
    findings.expect(["asc", "desc"].contains(&direction), id, format!("`{name}` is ordered `{direction}`"));
    let shown = params["missingBucket"] != true || params["otherBucket"] == true;
    findings.expect(shown, id, format!("`{name}` shows what is missing only with `otherBucket`"));
    match text_of(&params["orderBy"]["type"]) {
        "alphabetical" => {}
        "custom" => {
            let by = &params["orderAgg"];
            let whole =
                by["operationType"] == "count" && by["sourceField"] == "___records___" && by["isBucketed"] == false;
            findings.expect(whole, id, format!("`{name}` is ordered by `orderAgg`, which counts nothing"));
        }
        "column" => {
            let by = text_of(&params["orderBy"]["columnId"]);
            match at.columns.get(by) {
                None => findings.add(id, format!("`{name}` is ordered by `{by}`, which is no column of its layer")),
                Some(column) => {
                    let number = !bucketed(column) && column["operationType"] != "last_value";
                    findings.expect(
                        number,
                        id,
                        format!("`{name}` is ordered by `{by}`, which is no number to order by"),
                    );
                }
            }
        }
        other => findings.add(id, format!("`{name}` is ordered by `{other}`")),
    }
}
