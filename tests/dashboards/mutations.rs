//! The validator's own test: one fact is made wrong at a time, and it has to say so, by panel and fact.

use serde_json::{Value, json};

use super::{Mappings, check, check_together};
use crate::kibana::dashboards::{Options, all, ndjson};

/// The files as they are shipped.
pub fn exported() -> Vec<String> {
    all(&Options::default()).iter().map(ndjson).collect()
}

/// A file taken apart, JSON in texts included.
struct File {
    /// Data views, then the dashboard.
    lines: Vec<Value>,
    panels: Value,
    search: Value,
    options: Value,
    controls: Value,
}

const PANELS: &str = "/attributes/panelsJSON";
const SEARCH: &str = "/attributes/kibanaSavedObjectMeta/searchSourceJSON";
const OPTIONS: &str = "/attributes/optionsJSON";
const CONTROLS: &str = "/attributes/controlGroupInput/panelsJSON";

impl File {
    fn of(text: &str) -> Self {
        let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        let dashboard = lines.last().expect("a dashboard");
        let inner = |pointer: &str| {
            let text = dashboard.pointer(pointer).and_then(Value::as_str).expect("a text");
            serde_json::from_str(text).expect("JSON in a text")
        };
        let (panels, search, options, controls) = (inner(PANELS), inner(SEARCH), inner(OPTIONS), inner(CONTROLS));
        Self { panels, search, options, controls, lines }
    }

    fn text(mut self) -> String {
        let inner = [(PANELS, self.panels), (SEARCH, self.search), (OPTIONS, self.options), (CONTROLS, self.controls)];
        let dashboard = self.lines.last_mut().expect("a dashboard");
        for (pointer, value) in inner {
            // Absent when the mutation took away what lies above.
            if let Some(place) = dashboard.pointer_mut(pointer).filter(|place| place.is_string()) {
                *place = json!(value.to_string());
            }
        }
        self.lines.iter().map(|line| format!("{line}\n")).collect()
    }

    fn view(&mut self) -> &mut Value {
        &mut self.lines[0]
    }

    fn dashboard(&mut self) -> &mut Value {
        self.lines.last_mut().expect("a dashboard")
    }

    fn panel(&mut self, id: &str) -> &mut Value {
        let panels = self.panels.as_array_mut().expect("panels");
        panels.iter_mut().find(|panel| panel["panelIndex"] == id).unwrap_or_else(|| panic!("no panel `{id}`"))
    }

    fn lens(&mut self, id: &str) -> &mut Value {
        &mut self.panel(id)["embeddableConfig"]["attributes"]
    }

    fn state(&mut self, id: &str) -> &mut Value {
        &mut self.lens(id)["state"]["visualization"]
    }

    fn layer(&mut self, id: &str, layer: &str) -> &mut Value {
        &mut self.lens(id)["state"]["datasourceStates"]["formBased"]["layers"][layer]
    }

    fn column(&mut self, id: &str, column: &str) -> &mut Value {
        &mut self.layer(id, "main")["columns"][column]
    }
}

fn take(value: &mut Value, member: &str) {
    value.as_object_mut().expect("an object").remove(member).unwrap_or_else(|| panic!("no `{member}`"));
}

/// What is made wrong, the place that is named, and the fact that is told.
type Mutation = (fn(&mut File), &'static str, &'static str);

/// On the overview: `events` is a number with a line, `failed` too, `root` a number with colours by value, `outcomes` a
/// chart over time, `services` one over names, `errors` one with a split, `principals` a table, `places` a heatmap.
const MUTATIONS: &[Mutation] = &[
    // 1: lines
    (
        |f| take(f.dashboard(), "typeMigrationVersion"),
        "trailship-overview",
        "`typeMigrationVersion` null is no version",
    ),
    (
        |f| f.dashboard()["typeMigrationVersion"] = json!("10.2.0"),
        "trailship-overview",
        "is not between 8.7.0 and 8.9.0",
    ),
    (
        |f| f.dashboard()["typeMigrationVersion"] = json!("8.0.0"),
        "trailship-overview",
        "is not between 8.7.0 and 8.9.0",
    ),
    (
        |f| f.dashboard()["coreMigrationVersion"] = json!("9.0.0"),
        "trailship-overview",
        "is not between 8.8.0 and 8.8.0",
    ),
    (|f| f.view()["typeMigrationVersion"] = json!("8.9.0"), "trailship-cloudtrail", "is not between 7.11.0 and 8.0.0"),
    (|f| f.dashboard()["updated_at"] = json!("2026-01-01"), "trailship-overview", "`updated_at` does not belong"),
    (|f| take(&mut f.dashboard()["attributes"], "title"), "trailship-overview", "`attributes.title` is missing"),
    (|f| take(f.dashboard(), "references"), "trailship-overview", "`references` is not a list"),
    (|f| f.lines.insert(0, f.lines[0].clone()), "trailship-cloudtrail", "stands twice in the file"),
    (|f| f.view()["type"] = json!("lens"), "trailship-cloudtrail", "objects of type `lens` are not shipped"),
    // 2: members
    (|f| f.dashboard()["attributes"]["sections"] = json!([]), "trailship-overview", "has no `sections`"),
    (|f| f.dashboard()["attributes"]["panelsJSON"] = json!([]), "trailship-overview", "`panelsJSON` must be a text"),
    (
        |f| f.dashboard()["attributes"]["controlGroupInput"]["panelsJSON"] = json!({}),
        "trailship-overview",
        "must be a text",
    ),
    (|f| f.options["hidePanelTitles"] = json!(true), "trailship-overview", "hides the panels' titles"),
    (|f| f.options["useMargin"] = json!(true), "trailship-overview", "option `useMargin` is not known"),
    (|f| take(&mut f.dashboard()["attributes"], "timeFrom"), "trailship-overview", "`timeRestore`"),
    (|f| f.view()["attributes"]["title"] = json!("logs-*"), "trailship-cloudtrail", "more than one of our data sets"),
    (|f| f.view()["attributes"]["timeField"] = json!("t"), "trailship-cloudtrail", "a data view has no `timeField`"),
    (
        |f| f.view()["attributes"]["runtimeFieldMap"] = json!("{"),
        "trailship-cloudtrail",
        "`runtimeFieldMap` is a text that is no JSON",
    ),
    // 3: references
    (|f| drop(f.lines.remove(0)), "events", "which is not in the file"),
    (
        |f| f.dashboard()["references"].as_array_mut().expect("a list").clear(),
        "events",
        "the dashboard does not list `events:",
    ),
    (
        |f| {
            f.dashboard()["references"]
                .as_array_mut()
                .expect("a list")
                .push(json!({"type": "index-pattern", "id": "trailship-cloudtrail", "name": "gone:x"}))
        },
        "gone",
        "nothing uses the reference `gone:x`",
    ),
    (|f| f.dashboard()["references"][1]["id"] = json!("other"), "events", "leads to `other`"),
    // 4: grid
    (|f| f.panel("failed")["panelIndex"] = json!("events"), "events", "two panels have this `panelIndex`"),
    (|f| f.panel("failed")["gridData"]["i"] = json!("x"), "failed", "`gridData.i` is \"x\""),
    (|f| f.panel("accounts")["gridData"]["x"] = json!(41), "accounts", "lies outside of 48 columns"),
    (|f| f.panel("failed")["gridData"]["x"] = json!(7), "failed", "covers `events`"),
    (|f| f.panel("kinds")["gridData"]["y"] = json!(200), "kinds", "floats"),
    (|f| f.panel("events")["type"] = json!("vis"), "events", "panels of type `vis`"),
    (|f| f.panel("events")["panelRefName"] = json!("panel_events"), "events", "has 2 of `attributes`"),
    (|f| f.panel("events")["title"] = json!(""), "events", "has no title"),
    (|f| f.panel("failed")["title"] = json!("Events"), "failed", "two panels are called `Events`"),
    (|f| f.lens("events")["description"] = json!(""), "events", "has no help"),
    // 5: the frame of a Lens panel
    (|f| f.lens("events")["visualizationType"] = json!("lnsPie"), "events", "drawn as `lnsPie`"),
    (|f| take(f.lens("events"), "references"), "events", "`attributes.references` is missing"),
    (
        |f| drop(f.lens("events")["references"].as_array_mut().expect("a list").remove(0)),
        "events",
        "layer `main` has no reference",
    ),
    (
        |f| f.lens("events")["references"][0]["id"] = json!("trailship-cloudtrail-integrity"),
        "events",
        "search different data views",
    ),
    (|f| f.lens("events")["state"]["query"]["language"] = json!("lucene"), "events", "the panel's query is not in KQL"),
    (|f| f.lens("events")["state"]["filters"] = json!([]), "events", "no filter on the dataset"),
    (
        |f| f.lens("events")["state"]["filters"][0]["meta"]["index"] = json!("x"),
        "events",
        "names `x`, which is no reference",
    ),
    (
        |f| f.lens("events")["state"]["filters"][0]["query"]["match_phrase"]["data_stream.dataset"] = json!("aws.s3"),
        "events",
        "no filter on the dataset",
    ),
    // 6: columns
    (
        |f| f.layer("outcomes", "main")["columnOrder"] = json!(["x", "value0"]),
        "outcomes",
        "`value1` is not in `columnOrder`",
    ),
    (
        |f| f.layer("outcomes", "main")["columnOrder"] = json!(["x", "value0", "value1", "y"]),
        "outcomes",
        "names `y`, which is no column",
    ),
    (
        |f| f.layer("outcomes", "main")["columnOrder"] = json!(["value0", "x", "value1"]),
        "outcomes",
        "a number before a group",
    ),
    (|f| take(f.column("principals", "value2"), "sourceField"), "principals", "`value2` has no `sourceField`"),
    (|f| f.column("events", "value0")["sourceField"] = json!("__records__"), "events", "instead of `___records___`"),
    (|f| take(&mut f.column("errors", "split")["params"], "orderBy"), "errors", "lacks the parameter `orderBy`"),
    (
        |f| f.column("errors", "split")["params"]["orderBy"]["columnId"] = json!("value9"),
        "errors",
        "ordered by `value9`",
    ),
    (|f| f.column("errors", "split")["params"]["orderBy"]["columnId"] = json!("x"), "errors", "no number to order by"),
    (|f| f.column("errors", "split")["params"]["size"] = json!(0), "errors", "`split` shows 0 names"),
    (|f| f.column("countries", "x")["params"]["otherBucket"] = json!(false), "countries", "only with `otherBucket`"),
    (|f| f.column("errors", "x")["params"]["interval"] = json!("1h"), "errors", "a fixed interval"),
    (|f| f.column("errors", "x")["isBucketed"] = json!(false), "errors", "`isBucketed` of `x`"),
    (|f| f.column("errors", "x")["scale"] = json!("ratio"), "errors", "scale `ratio` of `x`"),
    (|f| f.column("addresses", "row0")["dataType"] = json!("string"), "addresses", "it is ip"),
    (|f| f.column("principals", "value5")["dataType"] = json!("number"), "principals", "it is date"),
    (|f| f.column("events", "value0")["label"] = json!(""), "events", "`value0` has no label"),
    (|f| take(f.column("events", "value0"), "customLabel"), "events", "without `customLabel`"),
    (|f| f.column("outcomes", "value1")["label"] = json!("Success"), "outcomes", "two columns are called `Success`"),
    // 7: accessors
    (|f| f.state("events")["layerId"] = json!("x"), "events", "`layerId` is \"x\", which is no layer"),
    (|f| f.state("events")["metricAccessor"] = json!("x"), "events", "`metricAccessor` leads to \"x\""),
    (|f| f.state("events")["trendlineTimeAccessor"] = json!("trend0"), "events", "`trend0`, which is not a group"),
    (|f| f.state("events")["trendlineLayerType"] = json!("data"), "events", "`trendlineLayerType`"),
    (|f| take(f.layer("events", "trend"), "linkToLayers"), "events", "not linked"),
    (|f| f.layer("events", "trend")["linkToLayers"] = json!(["x"]), "events", "no other layer"),
    (|f| f.state("outcomes")["layers"][0]["xAccessor"] = json!("value0"), "outcomes", "`value0`, which is not a group"),
    (
        |f| f.state("outcomes")["layers"][0]["accessors"] = json!(["value0"]),
        "outcomes",
        "column `value1` of layer `main` is not shown",
    ),
    (|f| f.state("outcomes")["layers"][0]["seriesType"] = json!("bars"), "outcomes", "`seriesType` `bars`"),
    (
        |f| f.state("outcomes")["layers"][0]["yConfig"][0]["forAccessor"] = json!("x"),
        "outcomes",
        "`yConfig` is for \"x\"",
    ),
    (
        |f| f.state("outcomes")["layers"][0]["yConfig"][0]["color"] = json!("green"),
        "outcomes",
        "\"green\" is no colour",
    ),
    (|f| take(f.state("outcomes"), "valueLabels"), "outcomes", "`valueLabels` is missing"),
    (
        |f| take(&mut f.state("errors")["layers"][0], "splitAccessor"),
        "errors",
        "column `split` of layer `main` is not shown",
    ),
    (|f| f.state("root")["palette"]["params"]["stops"][1]["stop"] = json!(0), "root", "does not rise"),
    (
        |f| f.state("principals")["columns"][1]["columnId"] = json!("value9"),
        "principals",
        "`columns` leads to \"value9\"",
    ),
    (|f| f.state("principals")["sorting"]["columnId"] = json!("value9"), "principals", "sorted by \"value9\""),
    (|f| f.state("places")["yAccessor"] = json!("value0"), "places", "`value0`, which is not a group"),
    (|f| f.state("places")["gridConfig"] = json!({}), "places", "`gridConfig`"),
    (
        |f| take(&mut f.column("actions", "x")["params"], "orderAgg"),
        "actions",
        "ordered by `orderAgg`, which counts nothing",
    ),
    (|f| f.state("principals")["columns"][1]["width"] = json!("wide"), "principals", "pixels wide"),
    // 8: fields and KQL
    (
        |f| f.column("services", "x")["sourceField"] = json!("event.provder"),
        "services",
        "`event.provder` is not a field",
    ),
    (
        |f| f.column("services", "x")["sourceField"] = json!("user.name.text"),
        "services",
        "match_only_text, which cannot be aggregated",
    ),
    (|f| f.column("services", "x")["sourceField"] = json!("event.original"), "services", "stored only"),
    (
        |f| f.column("services", "x")["sourceField"] = json!("aws.cloudtrail.flattened.digest.a"),
        "services",
        "a key inside",
    ),
    (|f| f.column("principals", "value5")["sourceField"] = json!("user.id"), "principals", "does not take `user.id`"),
    (
        |f| f.lens("denied")["state"]["query"]["query"] = json!("event.outcom: failure"),
        "denied",
        "asks about `event.outcom`",
    ),
    (|f| f.lens("denied")["state"]["query"]["query"] = json!("event.outcome: (a or"), "denied", "KQL breaks"),
    (
        |f| f.column("outcomes", "value0")["filter"]["query"] = json!("outcome: success"),
        "outcomes",
        "asks about `outcome`",
    ),
    // 9: what only some versions read
    (|f| f.lens("events")["version"] = json!(1), "events", "`attributes.version`"),
    (|f| f.state("errors")["layers"][0]["splitAccessors"] = json!(["split"]), "errors", "`splitAccessors` is not read"),
    (|f| f.state("errors")["legend"]["legendStats"] = json!([]), "errors", "`legendStats` is not read"),
    (|f| f.column("events", "value0")["operationType"] = json!("formula"), "events", "computes `formula`"),
    (
        |f| f.lens("events")["state"]["datasourceStates"]["indexpattern"] = json!({"layers": {"a": {}}}),
        "events",
        "under `indexpattern`",
    ),
    // 10: filter and controls
    (|f| f.search["filter"] = json!([]), "trailship-overview", "has 0 filters on `data_stream.dataset`"),
    (|f| f.search["filter"][0]["meta"]["negate"] = json!(true), "trailship-overview", "off or turned round"),
    (
        |f| f.search["filter"][0]["query"]["match_phrase"]["data_stream.dataset"] = json!("aws.s3"),
        "trailship-overview",
        "its filter finds",
    ),
    (|f| f.search["filter"][0]["meta"]["indexRefName"] = json!("x"), "trailship-overview", "filter 0 is not called"),
    (|f| take(&mut f.controls["cloud-region"]["explicitInput"], "fieldName"), "cloud-region", "has no `fieldName`"),
    (
        |f| f.controls["cloud-region"]["explicitInput"]["fieldName"] = json!("cloud.zone"),
        "cloud-region",
        "`cloud.zone` is not a field",
    ),
    (|f| f.controls["cloud-region"]["explicitInput"]["dataViewId"] = json!("x"), "cloud-region", "`dataViewId` \"x\""),
    (|f| f.controls["cloud-region"]["order"] = json!(0), "cloud-region", "have the place 0"),
    (|f| f.controls["cloud-region"]["type"] = json!("timeSlider"), "cloud-region", "controls of type"),
    (|f| f.controls = json!({}), "trailship-overview", "fewer than two controls"),
];

#[test]
fn each_wrong_fact_is_named() {
    let mappings = Mappings::shipped();
    let text = exported().remove(0);
    assert_eq!(check(&text, &mappings), Vec::<String>::new());
    for (index, (mutate, place, fact)) in MUTATIONS.iter().enumerate() {
        let mut file = File::of(&text);
        mutate(&mut file);
        let changed = file.text();
        assert_ne!(changed, text, "mutation {index} ({fact}) changes nothing");
        let findings = check(&changed, &mappings);
        let told =
            findings.iter().any(|finding| finding.starts_with(&format!("`{place}`: ")) && finding.contains(fact));
        assert!(told, "mutation {index}: `{place}`: {fact}\nfound:\n{}", findings.join("\n"));
    }
}

#[test]
fn texts_that_are_no_file_are_named() {
    let mappings = Mappings::shipped();
    for (text, finding) in [
        ("", "`the file`: holds 0 dashboards instead of one"),
        ("{\n", "`line 1`: is no JSON"),
        ("[]\n", "`line 1`: `type` is missing"),
        ("{}", "`the file`: does not end with a line feed"),
    ] {
        let findings = check(text, &mappings);
        assert!(findings.iter().any(|found| found.starts_with(finding)), "{text:?}: {findings:?}");
    }
}

#[test]
fn files_that_do_not_fit_together_are_named() {
    let texts = exported();
    let told = |texts: &[String], finding: &str| {
        let findings = check_together(texts);
        assert!(findings.iter().any(|found| found.contains(finding)), "{finding}\n{}", findings.join("\n"));
    };
    let mut twice = texts.clone();
    twice.push(texts[0].clone());
    told(&twice, "`trailship-overview`: is the id of two dashboards");
    told(&texts[..5], "links to `trailship-health`, which is not there");
    let mut renamed = texts.clone();
    renamed[1] = renamed[1].replace("\"name\":\"CloudTrail\"", "\"name\":\"Trail\"");
    told(&renamed, "`trailship-cloudtrail`: is not the same in all files");
    let mut unlinked = texts.clone();
    unlinked[2] = unlinked[2].replace("(#/dashboard/trailship-regions)", "(#)");
    told(&unlinked, "`trailship-changes`: has no link to `trailship-regions`");
}
