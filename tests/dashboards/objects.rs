//! Lines of the file and the outermost members of saved objects.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Findings, inner_json, items, text_of};

/// What a line may hold. Times and versions of an export make files differ without a reason.
const LINE: [&str; 7] =
    ["type", "id", "attributes", "references", "coreMigrationVersion", "typeMigrationVersion", "managed"];

/// What Kibana before model version 2 of dashboards knows; it refuses all else.
const DASHBOARD: [&str; 12] = [
    "title",
    "description",
    "kibanaSavedObjectMeta",
    "timeRestore",
    "timeFrom",
    "timeTo",
    "refreshInterval",
    "controlGroupInput",
    "panelsJSON",
    "optionsJSON",
    "hits",
    "version",
];

const INDEX_PATTERN: [&str; 11] = [
    "title",
    "name",
    "timeFieldName",
    "allowNoIndex",
    "allowHidden",
    "fieldAttrs",
    "fieldFormatMap",
    "fields",
    "runtimeFieldMap",
    "sourceFilters",
    "typeMeta",
];

/// The objects of the file, as far as they can be read.
pub fn read(text: &str, findings: &mut Findings) -> Vec<Value> {
    findings.expect(text.ends_with('\n'), "the file", "does not end with a line feed");
    let mut objects = Vec::new();
    let mut seen = BTreeSet::new();
    for (index, line) in text.lines().enumerate() {
        let place = format!("line {}", index + 1);
        let object: Value = match serde_json::from_str(line) {
            Ok(object) => object,
            Err(fault) => {
                findings.add(&place, format!("is no JSON: {fault}"));
                continue;
            }
        };
        let (kind, id) = (text_of(&object["type"]).to_owned(), text_of(&object["id"]).to_owned());
        let place = if id.is_empty() { place } else { id.clone() };
        line_members(&object, &place, findings);
        findings.expect(seen.insert((kind, id)), &place, "stands twice in the file");
        objects.push(object);
    }
    objects
}

fn line_members(object: &Value, place: &str, findings: &mut Findings) {
    for member in object.as_object().into_iter().flatten().map(|(member, _)| member) {
        findings.expect(LINE.contains(&member.as_str()), place, format!("`{member}` does not belong into a line"));
    }
    for member in ["type", "id"] {
        findings.expect(!text_of(&object[member]).is_empty(), place, format!("`{member}` is missing"));
    }
    findings.expect(!text_of(&object["attributes"]["title"]).is_empty(), place, "`attributes.title` is missing");
    findings.expect(object["references"].is_array(), place, "`references` is not a list");
    for reference in items(&object["references"]) {
        let whole = ["type", "id", "name"].iter().all(|member| !text_of(&reference[*member]).is_empty());
        findings.expect(whole, place, format!("reference without `type`, `id` or `name`: {reference}"));
    }
    // (least, most): below, migrations run that empty our panels; above, older Kibana refuses the file.
    let (least, most) = match text_of(&object["type"]) {
        "dashboard" => ("8.7.0", "8.9.0"),
        "index-pattern" => ("7.11.0", "8.0.0"),
        other => {
            findings.add(place, format!("objects of type `{other}` are not shipped"));
            return;
        }
    };
    version(&object["coreMigrationVersion"], "coreMigrationVersion", ("8.8.0", "8.8.0"), place, findings);
    version(&object["typeMigrationVersion"], "typeMigrationVersion", (least, most), place, findings);
}

fn version(value: &Value, name: &str, (least, most): (&str, &str), place: &str, findings: &mut Findings) {
    let numbers = |text: &str| text.split('.').map(str::parse::<u32>).collect::<Result<Vec<_>, _>>().ok();
    match numbers(text_of(value)) {
        Some(found) if found.len() == 3 => {
            let fits = numbers(least) <= Some(found.clone()) && Some(found) <= numbers(most);
            findings.expect(fits, place, format!("`{name}` {value} is not between {least} and {most}"));
        }
        _ => findings.add(place, format!("`{name}` {value} is no version")),
    }
}

/// A data view.
pub fn index_pattern(object: &Value, findings: &mut Findings) {
    let (place, attributes) = (text_of(&object["id"]), &object["attributes"]);
    for member in attributes.as_object().into_iter().flatten().map(|(member, _)| member) {
        let known = INDEX_PATTERN.contains(&member.as_str());
        findings.expect(known, place, format!("a data view has no `{member}`"));
    }
    for member in ["fieldAttrs", "fieldFormatMap", "runtimeFieldMap", "sourceFilters", "fields", "typeMeta"] {
        if !attributes[member].is_null() {
            inner_json(&attributes[member], place, member, findings);
        }
    }
    let pattern = text_of(&attributes["title"]);
    let narrow = pattern.starts_with("logs-aws.cloudtrail") && pattern.ends_with("-*") && !pattern.contains(',');
    findings.expect(narrow, place, format!("`{pattern}` finds more than one of our data sets"));
    findings.expect(!place.contains('*'), place, "the id of a data view must not be a pattern");
    findings.expect(attributes["timeFieldName"] == "@timestamp", place, "`timeFieldName` is not `@timestamp`");
    findings.expect(attributes["allowNoIndex"] == true, place, "does not open before the first document");
}

/// The outermost members of a dashboard.
pub fn dashboard(object: &Value, findings: &mut Findings) {
    let (place, attributes) = (text_of(&object["id"]), &object["attributes"]);
    for member in attributes.as_object().into_iter().flatten().map(|(member, _)| member) {
        let known = DASHBOARD.contains(&member.as_str());
        findings.expect(known, place, format!("a dashboard of Kibana 8.9 has no `{member}`"));
    }
    findings.expect(!text_of(&attributes["description"]).is_empty(), place, "has no description");
    let restores = attributes["timeRestore"] == true
        && text_of(&attributes["timeFrom"]).starts_with("now-")
        && attributes["timeTo"] == "now";
    findings.expect(restores, place, "`timeRestore` does not come with a range of time until now");
    let options = inner_json(&attributes["optionsJSON"], place, "optionsJSON", findings);
    let known = ["useMargins", "syncColors", "syncCursor", "syncTooltips", "hidePanelTitles"];
    for (member, value) in options.as_object().into_iter().flatten() {
        let fits = known.contains(&member.as_str()) && value.is_boolean();
        findings.expect(fits, place, format!("option `{member}` is not known or not a switch"));
    }
    findings.expect(options["hidePanelTitles"] != true, place, "hides the panels' titles");
    let meta: Vec<&String> =
        attributes["kibanaSavedObjectMeta"].as_object().into_iter().flatten().map(|(m, _)| m).collect();
    findings.expect(meta == ["searchSourceJSON"], place, "`kibanaSavedObjectMeta` must hold `searchSourceJSON` alone");
}
