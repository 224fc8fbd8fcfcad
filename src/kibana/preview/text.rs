//! Texts in a page: escaped, or of the little markdown that the dashboards use.
//!
//! Markdown is what the sources write: paragraphs, lists, `#` headings, **bold**, `code` and links. All else stays text.
//! A link leads to another page of the preview or to an https address, nowhere else.

/// A text in HTML, as text or in a quoted attribute.
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            '\0' => escaped.push('\u{fffd}'),
            other => escaped.push(other),
        }
    }
    escaped
}

/// JSON that can stand in a `<script>`: nothing in it ends the element or begins a comment.
pub fn json_in_script(json: &str) -> String {
    let mut escaped = String::with_capacity(json.len());
    for character in json.chars() {
        match character {
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => escaped.push_str(&format!("\\u{:04x}", u32::from(character))),
            other => escaped.push(other),
        }
    }
    escaped
}

/// Markdown as HTML.
pub fn markdown(text: &str) -> String {
    let mut html = String::new();
    for block in text.split("\n\n").map(str::trim).filter(|block| !block.is_empty()) {
        let lines: Vec<&str> = block.lines().map(str::trim).collect();
        if lines.iter().all(|line| line.starts_with("- ")) {
            let items = lines.iter().map(|line| format!("<li>{}</li>", inline(&line[2..])));
            html.push_str(&format!("<ul>{}</ul>", items.collect::<String>()));
        } else if let Some(heading) = block.strip_prefix('#') {
            html.push_str(&format!("<h3>{}</h3>", inline(heading.trim_start_matches('#').trim())));
        } else {
            html.push_str(&format!("<p>{}</p>", inline(&lines.join(" "))));
        }
    }
    html
}

fn inline(mut text: &str) -> String {
    let mut html = String::new();
    while !text.is_empty() {
        let taken = marked(text, "**", "strong").or_else(|| marked(text, "`", "code")).or_else(|| link(text));
        if let Some((shown, rest)) = taken {
            html.push_str(&shown);
            text = rest;
            continue;
        }
        // The mark that begins nothing is a character like others.
        let first = text.chars().next().map_or(0, char::len_utf8);
        let next = text[first..].find(['*', '`', '[']).map_or(text.len(), |at| first + at);
        html.push_str(&escape(&text[..next]));
        text = &text[next..];
    }
    html
}

fn marked<'a>(text: &'a str, mark: &str, element: &str) -> Option<(String, &'a str)> {
    let (inside, rest) = text.strip_prefix(mark)?.split_once(mark)?;
    (!inside.is_empty()).then(|| (format!("<{element}>{}</{element}>", escape(inside)), rest))
}

fn link(text: &str) -> Option<(String, &str)> {
    let (label, rest) = text.strip_prefix('[')?.split_once("](")?;
    let (target, rest) = rest.split_once(')')?;
    let label = escape(label);
    let shown = match address(target) {
        Some(address) => format!("<a href=\"{}\">{label}</a>", escape(&address)),
        None => label,
    };
    Some((shown, rest))
}

fn address(target: &str) -> Option<String> {
    if let Some(id) = target.strip_prefix("#/dashboard/") {
        return Some(file_name(id));
    }
    target.starts_with("https://").then(|| target.to_owned())
}

/// The page of a dashboard; its id is no path.
pub fn file_name(id: &str) -> String {
    let safe = id.chars().map(|c| if c.is_ascii_alphanumeric() || matches!(c, '-' | '_') { c } else { '_' });
    format!("{}.html", safe.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markdown_of_the_sources_becomes_html() {
        let cases = [
            (
                "**Here**  |  [There](#/dashboard/a-b)",
                "<p><strong>Here</strong>  |  <a href=\"a-b.html\">There</a></p>",
            ),
            ("One\ntwo.\n\nThree `x<y`.", "<p>One two.</p><p>Three <code>x&lt;y</code>.</p>"),
            ("## Head\n\n- a\n- **b**", "<h3>Head</h3><ul><li>a</li><li><strong>b</strong></li></ul>"),
            (
                "[AWS](https://docs.aws.amazon.com/a?b&c)",
                "<p><a href=\"https://docs.aws.amazon.com/a?b&amp;c\">AWS</a></p>",
            ),
            ("2 * 3 [x] **open `open", "<p>2 * 3 [x] **open `open</p>"),
        ];
        for (text, html) in cases {
            assert_eq!(markdown(text), html);
        }
    }

    #[test]
    fn nothing_becomes_markup_or_leads_elsewhere() {
        assert_eq!(escape("<a href='x'>&\"\0"), "&lt;a href=&#39;x&#39;&gt;&amp;&quot;\u{fffd}");
        assert_eq!(markdown("[x](javascript:alert)"), "<p>x</p>");
        assert_eq!(markdown("[<b>](#/dashboard/../../etc)"), "<p><a href=\"______etc.html\">&lt;b&gt;</a></p>");
        assert_eq!(markdown("<script>1</script>"), "<p>&lt;script&gt;1&lt;/script&gt;</p>");
        assert_eq!(json_in_script("\"</script><!--&\u{2028}\""), "\"\\u003c/script\\u003e\\u003c!--\\u0026\\u2028\"");
    }
}
