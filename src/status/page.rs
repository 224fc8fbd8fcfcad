//! `/status`: one page for people, without scripts, that loads itself anew every five seconds.

use super::summary::{Lasted, grouped};
use super::{Health, InputStatus, IntegrityStatus, Summary};
use crate::visible;
use std::fmt::{self, Display, Write};

/// The page as HTML.
pub(super) fn render(name: &str, summary: &Summary, health: &Health) -> String {
    let mut out = String::new();
    // Writing into a string cannot fail.
    let _ = write(&mut out, name, summary, health);
    out
}

fn write(out: &mut String, name: &str, summary: &Summary, health: &Health) -> fmt::Result {
    let name = Text(name);
    write!(
        out,
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta http-equiv=\"refresh\" content=\"5\">\
         <meta name=\"viewport\" content=\"width=device-width\"><title>trailship {name}</title><style>{STYLE}</style></head>\
         <body><h1>trailship <small>{name}</small></h1>"
    )?;
    let troubles = health.troubles();
    match (troubles.is_empty(), health.is_ready()) {
        (true, true) => out.push_str("<p class=\"good\">Everything works.</p>"),
        (true, false) => out.push_str("<p class=\"wait\">Starting.</p>"),
        (false, _) => {
            for trouble in &troubles {
                write!(
                    out,
                    "<p class=\"bad\"><strong>{}: {} answers {}</strong> since {:.0}<br>{}</p>",
                    Text(&trouble.part),
                    Text(&trouble.api),
                    Text(&trouble.code),
                    trouble.since,
                    Text(&trouble.reason)
                )?;
            }
        }
    }
    out.push_str("<div class=\"figures\">");
    for (label, number) in [
        ("records", summary.records),
        ("indexed", summary.indexed),
        ("duplicate", summary.duplicate),
        ("filtered", summary.filtered),
        ("parked", summary.parked),
        ("objects", summary.objects),
    ] {
        let class = if label == "parked" && number > 0 { " class=\"warn\"" } else { "" };
        write!(out, "<div{class}><b>{}</b>{label}</div>", grouped(number))?;
    }
    out.push_str("</div>");
    inputs(out, &summary.inputs)?;
    if !summary.parked_by_code.is_empty() {
        out.push_str("<h2>Dead letter</h2><table><tr><th>Reason<th>Records");
        for (code, number) in &summary.parked_by_code {
            write!(out, "<tr><td>{}<td>{}", Text(code), grouped(*number))?;
        }
        out.push_str("</table>");
    }
    faults(out, &summary.inputs)?;
    if let Some(integrity) = &summary.integrity {
        of_integrity(out, integrity)?;
    }
    write!(
        out,
        "<footer>version {}, running for {}</footer></body></html>",
        env!("CARGO_PKG_VERSION"),
        Lasted(summary.seconds)
    )
}

fn inputs(out: &mut String, inputs: &[InputStatus]) -> fmt::Result {
    out.push_str(
        "<h2>Inputs</h2><table><tr><th>Input<th>Received<th>Indexed<th>Duplicate<th>Filtered<th>Parked<th>Given back<th>In \
         flight<th>Unbalanced<th>Objects<th>Waiting",
    );
    for input in inputs {
        let records = &input.records;
        write!(out, "<tr><td>{}", Text(&input.id))?;
        for number in [
            records.received,
            records.indexed,
            records.duplicate,
            records.filtered,
            records.parked,
            records.returned,
            records.in_flight,
        ] {
            write!(out, "<td>{}", grouped(number))?;
        }
        write!(out, "<td>{}<td>{}<td>", input.unbalanced, grouped(input.objects))?;
        match input.waiting {
            Some(waiting) => write!(out, "{}", grouped(waiting))?,
            None => out.push('–'),
        }
    }
    out.push_str("</table>");
    Ok(())
}

/// What could not be shipped; nothing when there is nothing.
fn faults(out: &mut String, inputs: &[InputStatus]) -> fmt::Result {
    if inputs.iter().all(|input| input.faults.is_empty()) {
        return Ok(());
    }
    out.push_str("<h2>Could not be shipped</h2><table><tr><th>Input, cause and policy<th>Times");
    for input in inputs {
        for (cause, by) in &input.faults {
            for (policy, number) in by {
                write!(out, "<tr><td>{}: {cause}, {policy}<td>{}", Text(&input.id), grouped(*number))?;
            }
        }
    }
    out.push_str("</table>");
    Ok(())
}

/// What verification found, and what of it has not arrived.
fn of_integrity(out: &mut String, it: &IntegrityStatus) -> fmt::Result {
    out.push_str("<h2>Integrity</h2><table><tr><th>Since the start<th>Number");
    for (label, number) in [
        ("digests verified", it.digests_verified),
        ("digests not valid", it.digests_invalid),
        ("findings made", it.findings_made()),
        ("documents waiting", it.outbox),
        ("of these refused by the data stream", it.refused_documents()),
        ("documents given up", it.dropped_findings + it.dropped_ledger),
    ] {
        write!(out, "<tr><td>{label}<td>{}", grouped(number))?;
    }
    out.push_str("</table>");
    Ok(())
}

const STYLE: &str = "\
    :root{color-scheme:light dark;--line:#8884;--soft:#8882}\
    body{font:15px/1.5 system-ui,sans-serif;max-width:72rem;margin:2rem auto;padding:0 1rem}\
    h1{font-size:1.5rem}h1 small{font-weight:400;opacity:.6}h2{font-size:1.1rem;margin-top:2rem}\
    p{padding:.6rem 1rem;border-left:4px solid;border-radius:4px;background:var(--soft)}\
    .good{border-color:#2a9d6f}.wait{border-color:#c99a2e}.bad{border-color:#d0453f}\
    .figures{display:grid;grid-template-columns:repeat(auto-fit,minmax(9rem,1fr));gap:.8rem}\
    .figures div{padding:.8rem 1rem;border:1px solid var(--line);border-radius:6px}\
    .figures b{display:block;font-size:1.6rem;font-variant-numeric:tabular-nums}.warn b{color:#c9722e}\
    table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}\
    th,td{padding:.35rem .6rem;text-align:right;border-bottom:1px solid var(--line)}\
    th:first-child,td:first-child{text-align:left}th{font-weight:600;opacity:.7}\
    footer{margin-top:2rem;opacity:.6}";

/// A text in HTML: nothing in it is markup.
struct Text<'a>(&'a str);

impl Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        visible::line(self.0).chars().try_for_each(|c| match c {
            '<' => f.write_str("&lt;"),
            '>' => f.write_str("&gt;"),
            '&' => f.write_str("&amp;"),
            '"' => f.write_str("&quot;"),
            '\'' => f.write_str("&#39;"),
            c => f.write_char(c),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_shipped_is_told_and_nothing_hidden_passes() {
        let faults = [("broken_json".to_owned(), [("park".to_owned(), 1_234)].into())].into();
        let input = InputStatus { id: "a<\u{1b}[2J\u{202e}".to_owned(), faults, ..InputStatus::default() };
        let page = render("n", &Summary { inputs: vec![input], ..Summary::default() }, &Health::default());
        assert!(page.contains("<tr><td>a&lt;\\u{1b}[2J\\u{202e}: broken_json, park<td>1,234"), "{page}");
        assert!(!page.contains(['\u{1b}', '\u{202e}']));
        let page = render("n", &Summary::default(), &Health::default());
        assert!(!page.contains("Could not be shipped") && !page.contains("Integrity"));
    }

    #[test]
    fn findings_that_do_not_arrive_are_told() {
        let refused = [("mapping-refused".to_owned(), 1_002)].into();
        let integrity = IntegrityStatus { outbox: 1_005, refused, ..IntegrityStatus::default() };
        let page = render("n", &Summary { integrity: Some(integrity), ..Summary::default() }, &Health::default());
        assert!(
            page.contains("<tr><td>documents waiting<td>1,005<tr><td>of these refused by the data stream<td>1,002")
        );
    }
}
