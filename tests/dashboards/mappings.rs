//! Fields as the installed mappings declare them, and what a data view adds.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::Value;

use super::{Findings, text_of};
use crate::kibana::kql::Query;

/// Fields by dataset.
#[derive(Debug)]
pub struct Mappings(BTreeMap<String, BTreeMap<String, Field>>);

/// What a search can do with a field.
#[derive(Debug, Clone)]
pub struct Field {
    pub kind: String,
    /// Whether it can be searched and grouped by, as far as its type allows.
    indexed: bool,
}

/// A data view: the fields of its dataset, and those that are computed.
#[derive(Debug, Clone)]
pub struct View {
    pub dataset: String,
    fields: BTreeMap<String, Field>,
}

impl Mappings {
    /// Of all component templates in `mappings/elasticsearch` that declare fields.
    pub fn shipped() -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("mappings/elasticsearch");
        let mut all = BTreeMap::new();
        for file in fs::read_dir(&folder).expect("the folder of mappings") {
            let text = fs::read_to_string(file.expect("a file").path()).expect("a file that can be read");
            let template: Value = serde_json::from_str(&text).expect("a template");
            let properties = &template["template"]["mappings"]["properties"];
            let dataset = text_of(&properties["data_stream"]["properties"]["dataset"]["value"]);
            if !dataset.is_empty() {
                let mut fields = BTreeMap::new();
                collect(properties, "", &mut fields);
                all.insert(dataset.to_owned(), fields);
            }
        }
        Self(all)
    }

    /// The fields of a data view.
    pub fn of_view(&self, object: &Value, findings: &mut Findings) -> View {
        let (id, attributes) = (text_of(&object["id"]), &object["attributes"]);
        let pattern = text_of(&attributes["title"]);
        let dataset = pattern.strip_prefix("logs-").and_then(|rest| rest.strip_suffix("-*")).unwrap_or(pattern);
        let mut fields = self.0.get(dataset).cloned().unwrap_or_default();
        findings.expect(!fields.is_empty(), id, format!("there is no mapping of the dataset `{dataset}`"));
        let computed: Value = serde_json::from_str(text_of(&attributes["runtimeFieldMap"])).unwrap_or_default();
        for (name, field) in computed.as_object().into_iter().flatten() {
            let kind = text_of(&field["type"]);
            let whole = ["long", "keyword", "date", "double", "ip", "boolean"].contains(&kind)
                && text_of(&field["script"]["source"]).contains("emit(");
            findings.expect(whole, id, format!("the computed field `{name}` has no type or gives nothing"));
            findings.expect(
                !fields.contains_key(name),
                id,
                format!("the computed field `{name}` hides one of the mapping"),
            );
            fields.insert(name.clone(), Field { kind: kind.to_owned(), indexed: true });
        }
        View { dataset: dataset.to_owned(), fields }
    }
}

impl View {
    /// A field that documents can be grouped by or counted over; otherwise why not.
    pub fn aggregatable(&self, name: &str) -> Result<&Field, String> {
        let Some(field) = self.fields.get(name) else {
            return Err(match self.flattened(name) {
                Some(root) => format!("`{name}` is a key inside `{root}`, which no data view lists"),
                None => format!("`{name}` is not a field of {}", self.dataset),
            });
        };
        match field.kind.as_str() {
            "text" | "match_only_text" | "flattened" | "geo_point" => {
                Err(format!("`{name}` is {}, which cannot be aggregated", field.kind))
            }
            _ if !field.indexed => Err(format!("`{name}` is stored only")),
            _ => Ok(field),
        }
    }

    /// Whether a KQL text can be read and asks about fields of the view.
    pub fn query(&self, text: &str, id: &str, what: &str, findings: &mut Findings) {
        let query = match Query::parse(text) {
            Ok(query) => query,
            Err(fault) => return findings.add(id, format!("{what} `{text}`: {fault}")),
        };
        for name in query.fields() {
            let there = self.fields.get(name).is_some_and(|field| field.indexed) || self.flattened(name).is_some();
            findings.expect(there, id, format!("{what} asks about `{name}`, which is not a field of {}", self.dataset));
        }
    }

    fn flattened(&self, name: &str) -> Option<&str> {
        let above = |(root, field): &(&String, &Field)| {
            field.kind == "flattened" && name.strip_prefix(root.as_str()).is_some_and(|rest| rest.starts_with('.'))
        };
        self.fields.iter().find(above).map(|(root, _)| root.as_str())
    }
}

fn collect(properties: &Value, above: &str, fields: &mut BTreeMap<String, Field>) {
    for (name, property) in properties.as_object().into_iter().flatten() {
        let name = if above.is_empty() { name.clone() } else { format!("{above}.{name}") };
        collect(&property["properties"], &name, fields);
        for (sub, field) in property["fields"].as_object().into_iter().flatten() {
            fields.insert(format!("{name}.{sub}"), field_of(field));
        }
        if property["type"].is_string() {
            fields.insert(name, field_of(property));
        }
    }
}

fn field_of(property: &Value) -> Field {
    let indexed = property["index"] != false && property["doc_values"] != false;
    Field { kind: text_of(&property["type"]).to_owned(), indexed }
}
