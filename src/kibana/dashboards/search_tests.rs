//! Requests and answers by the form that Lens and the servers give them; the numbers here are made up.

use super::super::answer::{AnswerFault, Cell, Key, Line, Table, read};
use super::super::ask::{AskFault, Searcher, ask};
use super::super::grouping::{Axes, Grouping};
use super::super::model::{Dashboard, Draw, Panel};
use super::super::rest::rests;
use super::super::search::{Abilities, Scope, Search, SearchFault, search};
use super::super::source;
use serde_json::{Value, json};
use std::sync::Mutex;

const SOURCE: &str = r#"
id: d
title: D
description: ''
time: 24h
rows:
  - height: 4
    panels:
      - {id: text, width: 48, draw: {text: hello}}
      - id: number
        width: 8
        only: 'event.outcome: failure'
        draw:
          metric:
            value: {label: n, of: count}
            beside: {label: users, of: {unique: user.name}, only: 'user.name: *'}
            trend: true
      - id: course
        width: 8
        draw:
          chart:
            style: bars-stacked
            over: time
            split: {terms: {field: event.outcome, label: Outcome, size: 2, missing: true, other: true}}
            values: [{label: n, of: count}]
      - id: names
        width: 8
        data: integrity
        draw:
          table:
            rows:
              - terms: {field: cloud.account.id, label: Account, size: 3}
              - filters: [{label: alerts, only: 'event.kind: alert'}, {label: all, only: ''}]
            values:
              - {label: newest, of: {last: event.action}}
              - {label: bad, of: {percentile: [event.severity, 95]}, only: 'event.kind: alert'}
              - {label: last, of: {max: '@timestamp'}}
      - id: alone
        width: 8
        draw:
          heatmap:
            x: {terms: {field: cloud.region, label: Region, missing: true}}
            y: {terms: {field: event.outcome, label: Outcome, size: 2}}
            value: {label: n, of: count}
      - id: lag
        width: 8
        draw: {metric: {value: {label: lag, of: {max: trailship.lag}}}}
      - id: broken
        width: 8
        only: 'a: (b'
        draw: {metric: {value: {label: n, of: count}}}
"#;

const ABLE: Abilities = Abilities { top_metrics: true, computed: Some("runtime_mappings") };

fn dashboard() -> Dashboard {
    source::read("d.yml", SOURCE).unwrap()
}

fn panel<'a>(dashboard: &'a Dashboard, id: &str) -> &'a Panel {
    dashboard.placed().find(|(_, panel)| panel.id == id).unwrap().1
}

fn scope(abilities: Abilities) -> Scope {
    Scope { from: "2026-03-02T22:00:00Z".parse().unwrap(), to: "2026-03-03T22:00:00Z".parse().unwrap(), abilities }
}

fn asked(id: &str, abilities: Abilities) -> Search {
    let dashboard = dashboard();
    let panel = panel(&dashboard, id);
    search(&dashboard, panel, &Grouping::main(&panel.draw).unwrap(), &scope(abilities)).unwrap()
}

fn lines(id: &str, body: &Value) -> Result<Table, AnswerFault> {
    let dashboard = dashboard();
    read(&Grouping::main(&panel(&dashboard, id).draw).unwrap(), body).map(|(table, _)| table)
}

/// An answer around these aggregations.
fn answer(total: u64, aggregations: &Value) -> Value {
    json!({
        "timed_out": false, "_shards": {"total": 2, "successful": 2, "failed": 0},
        "hits": {"total": {"value": total, "relation": "eq"}}, "aggregations": aggregations,
    })
}

fn line(keys: &[Key], values: &[Cell]) -> Line {
    Line { keys: keys.to_vec(), values: values.to_vec() }
}

fn text(text: &str) -> Key {
    Key::Text(text.to_owned())
}

#[test]
fn a_number_is_asked_as_lens_asks_it() {
    let search = asked("number", ABLE);
    assert_eq!(search.path(), "logs-aws.cloudtrail-*/_search?ignore_unavailable=true&allow_no_indices=true");
    let outcome = json!({"bool": {"should": [{"match": {"event.outcome": "failure"}}], "minimum_should_match": 1}});
    let named = json!({"bool": {"should": [{"exists": {"field": "user.name"}}], "minimum_should_match": 1}});
    let range = json!({
        "gte": "2026-03-02T22:00:00Z", "lte": "2026-03-03T22:00:00Z", "format": "strict_date_optional_time",
    });
    let expected = json!({
        "size": 0, "track_total_hits": true,
        "query": {"bool": {"must": [], "should": [], "must_not": [], "filter": [
            outcome,
            {"match_phrase": {"data_stream.dataset": "aws.cloudtrail"}},
            {"range": {"@timestamp": range}},
        ]}},
        "aggs": {"1-bucket": {"filter": named, "aggs": {"1-metric": {"cardinality": {"field": "user.name"}}}}},
    });
    assert_eq!(search.body, expected);
}

#[test]
fn names_are_outside_and_time_is_inside() {
    let search = asked("course", ABLE);
    let expected = json!({"0": {
        "terms": {"field": "event.outcome", "size": 2, "order": {"_count": "desc"}, "missing": "__missing__"},
        "aggs": {"1": {"date_histogram": {
            "field": "@timestamp", "fixed_interval": "30m", "time_zone": "UTC", "min_doc_count": 0,
            "extended_bounds": {"min": 1_772_488_800_000_i64, "max": 1_772_575_200_000_i64},
        }}},
    }});
    assert_eq!(search.body["aggs"], expected);
    let dashboard = dashboard();
    let axes = Axes::of(&panel(&dashboard, "course").draw);
    assert_eq!(axes, Some(Axes { over: 1, split: Some(0) }));
}

#[test]
fn what_is_missing_is_shown_only_with_the_rest() {
    let search = asked("alone", ABLE);
    let terms = json!({"field": "cloud.region", "size": 10, "order": {"_count": "desc"}});
    assert_eq!(search.body["aggs"]["0"]["terms"], terms, "Lens leaves it out too");
    assert_eq!(search.body["aggs"]["0"]["aggs"]["1"]["terms"]["field"], "event.outcome");
}

#[test]
fn names_are_ordered_by_the_first_number_that_can_order() {
    let search = asked("names", ABLE);
    assert_eq!(search.index, "logs-aws.cloudtrail_integrity-*");
    let accounts = &search.body["aggs"]["0"];
    assert_eq!(accounts["terms"]["order"], json!({"3-bucket>3-metric.95": "desc"}));
    let severity = json!({"percentiles": {"field": "event.severity", "percents": [95]}});
    assert_eq!(accounts["aggs"]["3-bucket"]["aggs"]["3-metric"], severity, "at the level that it orders");
    let inner = &accounts["aggs"]["1"];
    assert_eq!(inner["filters"]["filters"]["all"], json!({"match_all": {}}));
    assert_eq!(inner["aggs"]["3-bucket"]["aggs"]["3-metric"], severity, "and inside");
    assert_eq!(inner["aggs"]["4"], json!({"max": {"field": "@timestamp"}}));
}

#[test]
fn servers_find_the_newest_value_by_what_they_know() {
    let newest = |abilities| asked("names", abilities).body["aggs"]["0"]["aggs"]["1"]["aggs"]["2-bucket"].clone();
    let known = newest(ABLE);
    let metrics = json!({"metrics": {"field": "event.action"}, "size": 1, "sort": {"@timestamp": "desc"}});
    assert_eq!(known["aggs"]["2-metric"], json!({"top_metrics": metrics}));
    assert!(known["filter"].to_string().contains("exists"), "{known}");
    let hits = newest(Abilities { top_metrics: false, ..ABLE });
    assert_eq!(hits["aggs"]["2-metric"]["top_hits"]["fields"], json!([{"field": "event.action"}]));
}

#[test]
fn the_computed_field_goes_with_the_panels_that_need_it() {
    let field = asked("lag", ABLE).body["runtime_mappings"]["trailship.lag"].clone();
    assert_eq!(field["type"], "long");
    assert!(field["script"]["source"].as_str().unwrap().contains("event.ingested"));
    let derived = asked("lag", Abilities { computed: Some("derived"), ..ABLE });
    assert_eq!(derived.body["derived"]["trailship.lag"], field);
    assert!(asked("number", ABLE).body.get("runtime_mappings").is_none());

    let dashboard = dashboard();
    let lag = panel(&dashboard, "lag");
    let unable = Abilities { computed: None, ..ABLE };
    let fault = search(&dashboard, lag, &Grouping::main(&lag.draw).unwrap(), &scope(unable)).unwrap_err();
    assert_eq!(fault.to_string(), "panel `lag` needs the field `trailship.lag`, which this server cannot compute");
}

#[test]
fn a_query_that_breaks_is_named() {
    let dashboard = dashboard();
    let broken = panel(&dashboard, "broken");
    let fault = search(&dashboard, broken, &Grouping::main(&broken.draw).unwrap(), &scope(ABLE)).unwrap_err();
    assert!(matches!(fault, SearchFault::Query { .. }));
    assert!(fault.to_string().starts_with("panel `broken`: `a: (b` is no query: "), "{fault}");
}

#[test]
fn answers_become_lines() {
    let number = json!({"1-bucket": {"doc_count": 7, "1-metric": {"value": 3}}});
    let table = lines("number", &answer(9, &number)).unwrap();
    assert_eq!(table, Table { total: 9, lines: vec![line(&[], &[Cell::Number(9.0), Cell::Number(3.0)])] });

    let inside = |newest: Value, bad: Value, documents: u64| {
        json!({
            "doc_count": documents, "2-bucket": {"doc_count": documents, "2-metric": newest},
            "3-bucket": {"doc_count": documents, "3-metric": {"values": {"95.0": bad}}}, "4": {"value": 1.5e12},
        })
    };
    let metrics = json!({"top": [{"sort": [1], "metrics": {"event.action": "chain_broken"}}]});
    let hits = json!({"hits": {"hits": [{"fields": {"event.action": ["late"]}}]}});
    let accounts = json!({"0": {"sum_other_doc_count": 5, "buckets": [{
        "key": "111122223333", "doc_count": 4,
        "1": {"buckets": {"alerts": inside(metrics, json!(80.0), 3), "all": inside(hits, json!("NaN"), 4)}},
    }]}});
    let table = lines("names", &answer(4, &accounts)).unwrap();
    let newest = |action: &str, bad| [Cell::Text(action.to_owned()), bad, Cell::Number(1.5e12)];
    let expected = vec![
        line(&[text("111122223333"), text("alerts")], &newest("chain_broken", Cell::Number(80.0))),
        line(&[text("111122223333"), text("all")], &newest("late", Cell::Empty)),
    ];
    assert_eq!(table.lines, expected);
}

#[test]
fn an_answer_that_is_not_whole_is_a_fault() {
    let failed = json!({"timed_out": false, "_shards": {"total": 2, "failed": 1, "failures": [
        {"reason": {"type": "x", "reason": "outer", "caused_by": {"reason": "Fielddata is disabled"}}},
    ]}, "hits": {"total": {"value": 1}}});
    let fault = lines("number", &failed).unwrap_err();
    assert_eq!(fault.to_string(), "1 of 2 shards failed: Fielddata is disabled");
    let refused =
        json!({"status": 400, "error": {"reason": "all shards failed", "root_cause": [{"reason": "no such"}]}});
    assert_eq!(lines("number", &refused).unwrap_err().to_string(), "the search was refused: no such");
    let mut late = answer(1, &json!({}));
    late["timed_out"] = json!(true);
    assert_eq!(lines("number", &late), Err(AnswerFault::TimedOut));
    for foreign in
        [json!({}), json!([]), json!("x"), answer(1, &json!({"0": 5})), answer(1, &json!({"0": {"buckets": [3]}}))]
    {
        assert!(matches!(lines("names", &foreign), Err(AnswerFault::Lacks(_))), "{foreign}");
    }
}

#[test]
fn no_data_stream_is_no_fault() {
    let nothing = json!({
        "timed_out": false, "_shards": {"total": 0, "successful": 0, "failed": 0}, "hits": {"total": {"value": 0}},
    });
    for id in ["number", "course", "names"] {
        assert_eq!(lines(id, &nothing).unwrap(), Table::default(), "{id}");
    }
}

#[test]
fn the_rest_is_asked_without_what_is_shown_and_stands_behind_it() {
    let dashboard = dashboard();
    let course = panel(&dashboard, "course");
    let grouping = Grouping::main(&course.draw).unwrap();
    let bars = |count: u64| json!({"buckets": [{"key": 1_772_488_800_000_i64, "doc_count": count}]});
    let shown = json!({"0": {"sum_other_doc_count": 4, "buckets": [
        {"key": "success", "doc_count": 9, "1": bars(9)}, {"key": "__missing__", "doc_count": 5, "1": bars(5)},
    ]}});
    let (mut table, cuts) = read(&grouping, &answer(18, &shown)).unwrap();
    let rests = rests(&dashboard, course, &grouping, &scope(ABLE), cuts).unwrap();
    assert_eq!(rests.len(), 1);
    let body = &rests[0].search.body;
    assert_eq!(body["query"], asked("course", ABLE).body["query"]);
    let beyond = json!({"bool": {"must": [], "filter": [], "should": [], "must_not": [
        {"match_phrase": {"event.outcome": "success"}},
        {"bool": {"must_not": [{"exists": {"field": "event.outcome"}}]}},
    ]}});
    assert_eq!(body["aggs"]["rest"]["filters"]["filters"], json!({"0": beyond}));
    assert_eq!(body["aggs"]["rest"]["aggs"]["1"], asked("course", ABLE).body["aggs"]["0"]["aggs"]["1"]);

    let rest = json!({"rest": {"buckets": {"0": {"doc_count": 4, "1": bars(4)}}}});
    rests[0].read(&grouping, &answer(18, &rest), &mut table).unwrap();
    let time = Key::Time(1_772_488_800_000);
    let expected = vec![
        line(&[text("success"), time.clone()], &[Cell::Number(9.0)]),
        line(&[Key::Missing, time.clone()], &[Cell::Number(5.0)]),
        line(&[Key::Other, time], &[Cell::Number(4.0)]),
    ];
    assert_eq!(table.lines, expected);
}

/// Gives prepared answers and remembers what it was asked.
struct Fake {
    answers: Mutex<Vec<Value>>,
    asked: Mutex<Vec<Value>>,
}

impl Searcher for Fake {
    async fn send(&self, search: &Search) -> Result<Value, String> {
        self.asked.lock().unwrap().push(search.body["aggs"].clone());
        let mut answers = self.answers.lock().unwrap();
        if answers.is_empty() { Err("nobody there".to_owned()) } else { Ok(answers.remove(0)) }
    }
}

fn fake(answers: Vec<Value>) -> Fake {
    Fake { answers: Mutex::new(answers), asked: Mutex::new(Vec::new()) }
}

#[tokio::test]
async fn a_number_with_its_line_is_two_searches() {
    let dashboard = dashboard();
    let bars = json!({"0": {"buckets": [{"key": 1_772_488_800_000_i64, "doc_count": 2}, {"key": 1_772_490_600_000_i64, "doc_count": 0}]}});
    let number = json!({"1-bucket": {"doc_count": 2, "1-metric": {"value": 1}}});
    let server = fake(vec![answer(2, &number), answer(2, &bars)]);
    let number = panel(&dashboard, "number");
    let found = ask(&server, &dashboard, number, &scope(ABLE)).await.unwrap().unwrap();
    assert_eq!(found.main.lines[0].values, [Cell::Number(2.0), Cell::Number(1.0)]);
    let course: Vec<_> = found.trend.unwrap().lines.iter().map(|line| line.values[0].number()).collect();
    assert_eq!(course, [Some(2.0), Some(0.0)]);
    let asked = server.asked.lock().unwrap();
    assert!(asked[0].get("0").is_none() && asked[1]["0"].get("date_histogram").is_some(), "{asked:?}");
}

#[tokio::test]
async fn a_text_asks_nothing_and_silence_is_a_fault() {
    let dashboard = dashboard();
    let server = fake(Vec::new());
    let text = panel(&dashboard, "text");
    assert!(matches!(text.draw, Draw::Text(_)));
    assert_eq!(ask(&server, &dashboard, text, &scope(ABLE)).await.unwrap(), None);
    let fault = ask(&server, &dashboard, panel(&dashboard, "number"), &scope(ABLE)).await.unwrap_err();
    assert!(matches!(fault, AskFault::Unanswered { .. }));
    assert_eq!(fault.to_string(), "panel `number`: no answer: nobody there");
}
