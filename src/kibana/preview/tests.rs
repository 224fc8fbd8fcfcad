//! Pages from made-up answers: escaped, whole, the same each time.

use super::{Shown, abilities, draw};
use crate::kibana::dashboards::answer::{Cell, Key, Line, Table};
use crate::kibana::dashboards::ask::{Answer, Searcher};
use crate::kibana::dashboards::model::Dashboard;
use crate::kibana::dashboards::search::{Abilities, Scope, Search};
use crate::kibana::dashboards::{Options, all, source};
use serde_json::{Value, json};
use std::collections::BTreeMap;

const SOURCE: &str = r#"
id: d
title: A <b>title</b>
description: 'What "this" is'
time: 24h
controls: [{field: cloud.region, title: Region}]
rows:
  - height: 4
    panels:
      - {id: text, width: 48, draw: {text: '[Other](#/dashboard/other) <i>'}}
  - height: 6
    panels:
      - {id: number, title: N, help: "It's <good>", width: 8, draw: {metric: {value: {label: n, of: count}, color: bad, zero: good, trend: true}}}
      - {id: last, width: 8, draw: {metric: {value: {label: Newest, of: {max: '@timestamp'}}}}}
      - {id: chart, title: C, width: 32, draw: {chart: {style: bars-stacked, over: time, split: {terms: {field: user.name, label: U}}, values: [{label: n, of: count}]}}}
  - height: 6
    panels:
      - {id: table, title: T, width: 24, draw: {table: {rows: [{terms: {field: user.name, label: U}}], values: [{label: n, of: count, color: bad}, {label: a, of: {last: event.action}}]}}}
      - {id: heat, title: H, width: 24, draw: {heatmap: {x: {terms: {field: cloud.region, label: R}}, y: {terms: {field: user.name, label: U}}, value: {label: n, of: count}}}}
"#;

const HOSTILE: &str = "</script><script>alert(1)</script><img src=x onerror=\"alert('2')\">\u{2028}${{7*7}}";

fn dashboard() -> Dashboard {
    source::read("d.yml", SOURCE).unwrap()
}

fn scope() -> Scope {
    let abilities = Abilities { top_metrics: true, computed: None };
    Scope { from: "2026-03-02T22:00:00Z".parse().unwrap(), to: "2026-03-03T02:00:00Z".parse().unwrap(), abilities }
}

fn table(lines: &[(&[Key], &[Cell])]) -> Table {
    let lines = lines.iter().map(|(keys, values)| Line { keys: keys.to_vec(), values: values.to_vec() });
    Table { total: 5, lines: lines.collect() }
}

fn text(text: &str) -> Key {
    Key::Text(text.to_owned())
}

fn answers(name: &str) -> BTreeMap<String, Shown> {
    let time = Key::Time(1_772_488_800_000);
    let number = Cell::Number;
    let answer = |main: Table| Shown::Answer(Answer { main, trend: None });
    let trend = table(&[(&[Key::Time(0)], &[number(1.0)]), (&[Key::Time(1)], &[number(4.0)])]);
    let shown = [
        ("number", Shown::Answer(Answer { main: table(&[(&[], &[number(1234.0)])]), trend: Some(trend) })),
        ("last", answer(table(&[(&[], &[number(1_772_488_828_000.0)])]))),
        ("chart", answer(table(&[(&[text(name), time], &[number(3.0)])]))),
        ("table", answer(table(&[(&[text(name)], &[number(3.0), Cell::Text(name.to_owned())])]))),
        ("heat", answer(table(&[(&[text(name), text(name)], &[number(3.0)])]))),
    ];
    shown.map(|(id, shown)| (id.to_owned(), shown)).into()
}

fn page(shown: BTreeMap<String, Shown>) -> String {
    let dashboard = dashboard();
    draw(&[(&dashboard, scope(), shown)])[1].html.clone()
}

#[test]
fn values_never_become_markup_or_code() {
    let (hostile, clean) = (page(answers(HOSTILE)), page(answers("alice")));
    for (element, why) in
        [("<script", "scripts"), ("<img", "pictures"), ("</script", "ends of scripts"), ("<b>", "marks")]
    {
        assert_eq!(hostile.matches(element).count(), clean.matches(element).count(), "{why}");
    }
    assert!(!hostile.contains("onerror=\""));
    let data = hostile.split("<script type=\"application/json\">").nth(1).unwrap().split("</script>").next().unwrap();
    let data: Value = serde_json::from_str(data).unwrap();
    assert_eq!(data["series"][0]["label"], HOSTILE, "the chart has the value as it is");
    assert!(hostile.contains("A &lt;b&gt;title&lt;/b&gt;") && hostile.contains("It&#39;s &lt;good&gt;"));
    let mut unable = answers("x");
    unable.insert("number".to_owned(), Shown::Unable(HOSTILE.to_owned()));
    assert_eq!(page(unable).matches("<script").count(), clean.matches("<script").count());
}

#[test]
fn a_page_holds_all_that_it_needs_and_may_run_nothing_else() {
    let page = page(answers("alice"));
    for outside in ["src=", "@import", "url(", "<link", "<iframe"] {
        let own = page.split("<script>").next().unwrap();
        assert!(!own.contains(outside), "{outside}");
    }
    let policy = page.split("Content-Security-Policy\" content=\"").nth(1).unwrap().split('"').next().unwrap();
    assert!(policy.starts_with("default-src 'none'; ") && !policy.contains("script-src 'unsafe-inline'"), "{policy}");
    let scripts: Vec<&str> =
        page.split("<script>").skip(1).map(|rest| rest.split("</script>").next().unwrap()).collect();
    assert_eq!(scripts.len(), 2);
    for script in scripts {
        let digest = ring::digest::digest(&ring::digest::SHA256, script.as_bytes());
        assert!(policy.contains(&aws_smithy_types::base64::encode(digest.as_ref())), "a script that may not run");
    }
}

#[test]
fn panels_lie_in_the_grid_and_show_their_answers() {
    let page = page(answers("alice"));
    assert!(page.contains("id=\"chart\" style=\"grid-area:5/17/span 6/span 32\""), "{page:.2000}");
    assert!(page.contains("<p class=\"number\">1,234</p>") && page.contains("background:#E5525B"));
    assert!(page.contains("2026-03-02 22:00:28"), "a time is shown as such");
    assert!(page.contains("<a href=\"other.html\">Other</a>"));
    assert!(page.contains("<b>Region</b>"));
    assert!(page.contains("d=\"M0 76.2L1 5.0\""), "the line behind the number");
    let mut zero = answers("alice");
    zero.insert(
        "number".to_owned(),
        Shown::Answer(Answer { main: table(&[(&[], &[Cell::Number(0.0)])]), trend: None }),
    );
    let page = self::page(zero);
    assert!(page.contains("background:#16C5C0") && !page.contains("background:#E5525B"), "0 is good");
}

#[test]
fn panels_without_an_answer_say_so() {
    let mut shown = answers("alice");
    shown.insert("chart".to_owned(), Shown::Answer(Answer::default()));
    shown.insert("table".to_owned(), Shown::Unable("no such field".to_owned()));
    shown.remove("heat");
    let page = page(shown);
    for said in ["No results found", "no such field", "Not asked"] {
        assert!(page.contains(said), "{said}");
    }
}

#[test]
fn all_dashboards_are_drawn_and_lead_to_each_other() {
    let dashboards = all(&Options::default());
    let asked: Vec<_> = dashboards.iter().map(|one| (one, scope(), BTreeMap::new())).collect();
    let pages = draw(&asked);
    assert_eq!(pages, draw(&asked), "the same bytes");
    let names: Vec<&str> = pages.iter().map(|page| page.name.as_str()).collect();
    assert_eq!(names.len(), dashboards.len() + 1);
    assert_eq!(names[0], "index.html");
    for page in &pages {
        for link in page.html.split("href=\"").skip(1).map(|rest| rest.split('"').next().unwrap()) {
            assert!(names.contains(&link) || link.starts_with("https://"), "{}: {link}", page.name);
        }
        let links = page.html.matches("href=\"trailship-").count();
        assert!(links >= dashboards.len() - 1, "{}: {links} links", page.name);
    }
}

/// A server that knows of the given kinds of search.
struct Server(&'static [&'static str]);

impl Searcher for Server {
    async fn send(&self, search: &Search) -> Result<Value, String> {
        let body = search.body.to_string();
        let special = ["top_metrics", "runtime_mappings", "derived"].into_iter().find(|word| body.contains(word));
        if special.is_some_and(|word| !self.0.contains(&word)) {
            return Ok(json!({"error": {"reason": "unknown"}, "status": 400}));
        }
        Ok(json!({"timed_out": false, "_shards": {"total": 1, "failed": 0}, "hits": {"total": {"value": 0}}}))
    }
}

#[tokio::test]
async fn what_a_server_can_do_is_tried() {
    let tried = |known| async move { abilities(&Server(known)).await.unwrap() };
    let elasticsearch = Abilities { top_metrics: true, computed: Some("runtime_mappings") };
    assert_eq!(tried(&["top_metrics", "runtime_mappings"]).await, elasticsearch);
    assert_eq!(tried(&["derived"]).await, Abilities { top_metrics: false, computed: Some("derived") });
    assert_eq!(tried(&[]).await, Abilities { top_metrics: false, computed: None });
}
