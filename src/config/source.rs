//! The texts that a configuration was read from, kept for quoting them in findings.
//!
//! Every place in the tree points into one of them. Quoted lines are masked here: the values of
//! secret settings and the credentials in URLs never leave this file.

use super::error::ConfigError;
use super::redact::{is_secret_key, leaves_a_secret};
use super::types::{credentials_range, without_credentials};

/// A place in a source: line and column from 1, the column in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Place {
    pub source: usize,
    pub line: usize,
    pub column: usize,
}

/// From where to where (exclusive) a value stands in its source; both as line and column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Extent {
    pub start: (usize, usize),
    pub end: (usize, usize),
}

/// Something found at a place, before it is made into a text for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Problem {
    pub place: Place,
    pub path: String,
    pub message: String,
    pub hint: Option<String>,
    /// Whether the line may be quoted.
    pub quotable: bool,
}

impl Problem {
    pub(super) fn new(place: Place, path: impl Into<String>, message: impl Into<String>) -> Self {
        Self { place, path: path.into(), message: message.into(), hint: None, quotable: true }
    }

    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// One text: a file, or one `-E` of the command line.
#[derive(Debug, Clone)]
pub(super) struct Source {
    name: String,
    text: String,
    /// Whether lines are counted for people; there is but one in a `-E`.
    numbered: bool,
    secrets: Vec<Extent>,
}

/// The name by which settings of the command line are reported.
const COMMAND_LINE: &str = "-E";

/// What stands in a quoted line in place of a secret.
const MASK: &str = "********";

/// Longest part of a line that is quoted, in characters on either side of the caret.
const QUOTED_SIDE: usize = 60;

impl Source {
    pub(super) fn file(name: String, text: String) -> Self {
        Self { name, text, numbered: true, secrets: Vec::new() }
    }

    pub(super) fn command_line(text: String) -> Self {
        Self { name: COMMAND_LINE.to_owned(), text, numbered: false, secrets: Vec::new() }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    #[cfg(test)]
    pub(super) fn rename(&mut self, rename: &dyn Fn(String) -> String) {
        self.name = rename(std::mem::take(&mut self.name));
    }

    /// Notes where a secret stands, so that it is masked whenever the line is quoted.
    pub(super) fn hide(&mut self, extent: Extent) {
        self.secrets.push(extent);
    }

    /// Makes a finding of a problem in this source.
    pub(super) fn report(&self, problem: Problem) -> ConfigError {
        let snippet = if problem.quotable { self.snippet(problem.place) } else { None };
        let (line, column) = if self.numbered { (problem.place.line, problem.place.column) } else { (0, 0) };
        ConfigError {
            file: self.name.clone(),
            line,
            column,
            path: problem.path,
            message: without_credentials(&problem.message),
            hint: problem.hint,
            snippet,
        }
    }

    /// Whether the line, or the setting that it continues, may hold a secret.
    ///
    /// For text that could not be parsed, where no extents are known.
    pub(super) fn may_hold_secret(&self, line: usize) -> bool {
        let names_key = |text: &&str| text.contains(':') || text.contains('=');
        let looked_at: Vec<&str> = self.text.lines().take(line).collect();
        let Some(last) = looked_at.last() else {
            return false;
        };
        let setting = looked_at.iter().rev().find(|text| names_key(text));
        is_secret_key(last) || setting.is_some_and(|text| is_secret_key(text))
    }

    fn snippet(&self, place: Place) -> Option<String> {
        self.text.lines().nth(place.line.checked_sub(1)?)?;
        let (line, column) = self.masked_line(place.line, place.column);
        if line.trim().is_empty() || leaves_a_secret(&line, MASK) {
            return None;
        }
        let caret = column.saturating_sub(1);
        let first = if line.chars().count() > 2 * QUOTED_SIDE { caret.saturating_sub(QUOTED_SIDE) } else { 0 };
        let quoted: Vec<char> = line
            .chars()
            .skip(first)
            .take(2 * QUOTED_SIDE)
            // A control character would be obeyed by the terminal.
            .map(|c| if c.is_control() && c != '\t' { '\u{fffd}' } else { c })
            .collect();
        let pad: String = quoted
            .iter()
            .chain(std::iter::repeat(&' '))
            .take(caret - first)
            .map(|c| if *c == '\t' { '\t' } else { ' ' })
            .collect();
        let quoted: String = quoted.into_iter().collect();
        Some(format!("{}\n{pad}^", quoted.trim_end()))
    }

    /// The line with its secrets masked, and where the column went by that.
    fn masked_line(&self, number: usize, column: usize) -> (String, usize) {
        let line = self.text.lines().nth(number - 1).unwrap_or_default();
        let length = line.chars().count();
        let mut hidden: Vec<(usize, usize)> = self
            .secrets
            .iter()
            .filter(|extent| extent.start.0 <= number && number <= extent.end.0)
            .map(|extent| {
                let from = if extent.start.0 == number { extent.start.1 - 1 } else { 0 };
                let to = if extent.end.0 == number { extent.end.1 - 1 } else { length };
                (from, to.min(length))
            })
            .collect();
        hidden.extend(credentials_in(line));
        hidden.retain(|(from, to)| from < to);
        hidden.sort_unstable();
        let mut signs = line.chars();
        let mut masked = String::new();
        let mut moved = column;
        let mut reached = 0;
        for (from, to) in hidden {
            if to <= reached {
                continue;
            }
            let from = from.max(reached);
            masked.extend(signs.by_ref().take(from - reached));
            masked.push_str(MASK);
            signs.by_ref().take(to - from).for_each(drop);
            if column > to {
                moved = moved + MASK.len() - (to - from);
            } else if column > from + 1 {
                moved -= column - 1 - from;
            }
            reached = to;
        }
        masked.extend(signs);
        (masked, moved)
    }
}

/// Where credentials of URLs stand in a line, in characters.
fn credentials_in(line: &str) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    let mut rest = line;
    let mut before = 0;
    while let Some(range) = credentials_range(rest) {
        let (ahead, from_start) = rest.split_at(range.start);
        let (credentials, behind) = from_start.split_at(range.len());
        let start = before + ahead.chars().count();
        let end = start + credentials.chars().count();
        found.push((start, end));
        before = end;
        rest = behind;
    }
    found
}

/// A text as it is quoted in a message: one line, not too long, without control characters.
pub(super) fn shown(text: &str) -> String {
    const LONGEST: usize = 80;
    let mut end = text.char_indices().nth(LONGEST).map(|(at, _)| at);
    if is_secret_key(text) {
        // A forgotten quote can make a text of what was meant as `password: ..`.
        end = text.find([':', '=']).or(end);
    }
    let quoted = text.get(..end.unwrap_or(text.len())).unwrap_or_default();
    let mut line: String = quoted.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    if end.is_some() {
        line.push('…');
    }
    line
}

/// Words in backticks, as a message lists them.
pub(super) fn enumerate(words: &[&str]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
    quoted.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(line: usize, column: usize) -> Place {
        Place { source: 0, line, column }
    }

    #[test]
    fn quotes_the_line_with_a_caret() {
        let source = Source::file("a.yml".to_owned(), "x: 1\n\ty: two\n".to_owned());
        let text = source.report(Problem::new(at(2, 5), "y", "no")).to_string();
        assert_eq!(text, "a.yml:2:5: y: no\n\ty: two\n\t   ^");
    }

    #[test]
    fn masks_secrets_and_keeps_the_caret_in_place() {
        let text = "out: {password: hunter2, worker: two}\n";
        let mut source = Source::file("a.yml".to_owned(), text.to_owned());
        source.hide(Extent { start: (1, 17), end: (1, 24) });
        let text = source.report(Problem::new(at(1, 34), "", "no")).to_string();
        assert_eq!(
            text,
            "a.yml:1:34: no\n\
             out: {password: ********, worker: two}\n\
             \x20                                 ^"
        );
        let text = source.report(Problem::new(at(1, 20), "", "no")).to_string();
        assert_eq!(
            text,
            "a.yml:1:20: no\n\
             out: {password: ********, worker: two}\n\
             \x20               ^"
        );
    }

    #[test]
    fn does_not_quote_what_looks_like_a_secret() {
        let text = "a: 1 # password: hunter2\nb: 'x, password: hunter2'\n";
        let source = Source::file("a.yml".to_owned(), text.to_owned());
        assert_eq!(source.snippet(at(1, 1)), None);
        assert_eq!(source.snippet(at(2, 1)), None);
        assert_eq!(shown("x, password: hunter2"), "x, password…");
        assert_eq!(shown("x\ny"), "x y");
        assert_eq!(shown(&"x".repeat(81)), format!("{}…", "x".repeat(80)));
    }

    #[test]
    fn masks_every_line_of_a_long_secret() {
        let mut source = Source::file("a.yml".to_owned(), "k: |\n  AAA\n  BBB\nz: 1\n".to_owned());
        source.hide(Extent { start: (1, 4), end: (4, 1) });
        let text = source.report(Problem::new(at(2, 3), "", "no")).to_string();
        assert_eq!(text, "a.yml:2:3: no\n********\n^");
        let text = source.report(Problem::new(at(4, 1), "", "no")).to_string();
        assert_eq!(text, "a.yml:4:1: no\nz: 1\n^");
    }

    #[test]
    fn masks_credentials_of_urls() {
        let text = "hosts: ['https://u:p@es:9200', 'https://v:q@es2']";
        let source = Source::file("a.yml".to_owned(), text.to_owned());
        let text = source.report(Problem::new(at(1, 1), "", "`https://u:p@es` is bad")).to_string();
        assert_eq!(
            text,
            "a.yml:1:1: `https://[redacted]@es` is bad\n\
             hosts: ['https://********@es:9200', 'https://********@es2']\n^"
        );
    }

    #[test]
    fn an_override_has_no_line_number() {
        let source = Source::command_line("output.elasticsearch.worker=two".to_owned());
        let text = source.report(Problem::new(at(1, 29), "output.elasticsearch.worker", "no")).to_string();
        assert_eq!(
            text,
            "-E: output.elasticsearch.worker: no\n\
             output.elasticsearch.worker=two\n\
             \x20                           ^"
        );
    }

    #[test]
    fn knows_lines_that_may_hold_a_secret() {
        let text = "a: 1\npassword: 'x\n  y\nb: 2\n";
        let source = Source::file("a.yml".to_owned(), text.to_owned());
        let judged: Vec<bool> = (1..=4).map(|line| source.may_hold_secret(line)).collect();
        assert_eq!(judged, [false, true, true, false]);
    }

    #[test]
    fn long_lines_are_cut_around_the_caret() {
        let text = format!("a: {}X{}", "b".repeat(500), "c".repeat(500));
        let source = Source::file("a.yml".to_owned(), text);
        let quoted = source.snippet(at(1, 504)).unwrap_or_default();
        let mut lines = quoted.lines();
        let line = lines.next().unwrap_or_default();
        let caret = lines.next().unwrap_or_default();
        assert_eq!(line.chars().count(), 120);
        assert_eq!(line.chars().nth(caret.chars().count() - 1), Some('X'));
    }
}
