//! A dashboard as one page that needs nothing else, and a page that leads to all of them.

use super::number::date;
use super::panel::{Shown, panel};
use super::text::{escape, file_name};
use crate::kibana::dashboards::Dashboard;
use crate::kibana::dashboards::search::Scope;
use std::collections::BTreeMap;

const STYLE: &str = include_str!("style.css");
const CHARTS: &str = include_str!("charts.js");
/// Chart.js 4.6.1; see `vendor/README.md`.
const LIBRARY: &str = include_str!("vendor/chart.umd.min.js");

/// One file of a preview.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// File name.
    pub name: String,
    pub html: String,
}

/// Draws each dashboard from what its panels show, by their ids, and `index.html` before them.
pub fn draw(dashboards: &[(&Dashboard, Scope, BTreeMap<String, Shown>)]) -> Vec<Page> {
    let pages = dashboards.iter().map(|(dashboard, scope, shown)| {
        let html = page(dashboard, scope, shown);
        Page { name: file_name(&dashboard.id), html }
    });
    let names: Vec<&Dashboard> = dashboards.iter().map(|(dashboard, ..)| *dashboard).collect();
    std::iter::once(Page { name: "index.html".to_owned(), html: index(&names) }).chain(pages).collect()
}

fn page(dashboard: &Dashboard, scope: &Scope, shown: &BTreeMap<String, Shown>) -> String {
    let interval = scope.interval().ms;
    let panels: String = dashboard
        .placed()
        .map(|(place, one)| panel(place, one, one.data(dashboard), shown.get(&one.id), interval))
        .collect();
    let controls: String = dashboard
        .controls
        .iter()
        .map(|control| {
            let (field, title) = (escape(&control.field), escape(&control.title));
            format!("<span class=\"control\" title=\"{field}\"><b>{title}</b><i>Any</i></span>")
        })
        .collect();
    let (from, to) = (date(scope.from.as_millisecond()), date(scope.to.as_millisecond()));
    let (title, about) = (escape(&dashboard.title), escape(&dashboard.description));
    let body = format!(
        "<header><div><h1>{title}</h1><p>{about}</p></div><p class=\"when\">{from} to {to} UTC</p></header>\n\
         <div class=\"controls\">{controls}</div>\n<main>\n{panels}</main>\n\
         <script>{LIBRARY}</script>\n<script>{CHARTS}</script>\n"
    );
    html(&dashboard.title, &body)
}

fn index(dashboards: &[&Dashboard]) -> String {
    let cards: String = dashboards
        .iter()
        .map(|dashboard| {
            let (title, about) = (escape(&dashboard.title), escape(&dashboard.description));
            format!("<a class=\"card\" href=\"{}\"><h2>{title}</h2><p>{about}</p></a>\n", file_name(&dashboard.id))
        })
        .collect();
    html("Dashboards", &format!("<header><div><h1>Dashboards</h1></div></header>\n<nav>\n{cards}</nav>\n"))
}

/// A whole document. Its policy lets it load nothing and run no script but the two above.
fn html(title: &str, body: &str) -> String {
    let title = escape(title);
    let scripts = format!("'{}' '{}'", digest(LIBRARY), digest(CHARTS));
    let policy = format!(
        "default-src 'none'; style-src 'unsafe-inline'; script-src {scripts}; base-uri 'none'; form-action 'none'"
    );
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{policy}\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<title>{title}</title>\n\
         <style>\n{STYLE}</style>\n</head>\n<body>\n{body}</body>\n</html>\n"
    )
}

fn digest(script: &str) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, script.as_bytes());
    format!("sha256-{}", aws_smithy_types::base64::encode(digest.as_ref()))
}
