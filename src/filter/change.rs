//! What processors do to a document, in Beats' words.

use super::tree::{Added, Tree};
use crate::config::Pattern;
use crate::record::json::{Blanks, Kind, Tape, write};

/// One change; a failure leaves the document as the rule says.
#[derive(Debug)]
pub(super) enum Change {
    DropFields(Vec<Selector>),
    IncludeFields(Vec<Selector>),
    /// Members, from the top of the document.
    AddFields(Vec<(String, Added)>),
    AddTags {
        target: Vec<String>,
        tags: Vec<String>,
    },
    Rename {
        pairs: Vec<(Vec<String>, Vec<String>)>,
        tolerance: Tolerance,
    },
    Truncate {
        fields: Vec<Vec<String>>,
        limit: Limit,
        tolerance: Tolerance,
    },
}

/// Names of fields: one path, or all whose dotted name a pattern is found in.
#[derive(Debug)]
pub(super) enum Selector {
    Path(Vec<String>),
    Pattern(Pattern),
}

/// Longest text that is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Limit {
    Bytes(usize),
    Characters(usize),
}

/// What a processor makes of fields that it cannot work on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tolerance {
    /// A field that is not there is no failure.
    pub(super) ignore_missing: bool,
    /// A failure undoes the whole processor; else it goes on with the next field.
    pub(super) fail_on_error: bool,
}

/// The one field that every document keeps: a data stream takes none without it.
const KEPT: &str = "@timestamp";

impl Change {
    /// Changes the document.
    ///
    /// # Errors
    /// What failed first, for the log: names of fields, no values.
    pub(super) fn apply(&self, tree: &mut Tree) -> Result<(), String> {
        match self {
            Change::DropFields(selectors) => {
                for path in select(selectors, tree).iter().filter(|path| !is_kept(path)) {
                    tree.remove(path);
                }
                Ok(())
            }
            Change::IncludeFields(selectors) => {
                let mut paths = select(selectors, tree);
                paths.push(vec![KEPT.to_owned()]);
                tree.retain(&paths);
                Ok(())
            }
            Change::AddFields(members) => {
                tree.merge(members);
                Ok(())
            }
            Change::AddTags { target, tags } => add_tags(tree, target, tags),
            Change::Rename { pairs, tolerance } => {
                each(tree, *tolerance, pairs, |tree, (from, to)| rename(tree, from, to, tolerance.ignore_missing))
            }
            Change::Truncate { fields, limit, tolerance } => {
                each(tree, *tolerance, fields, |tree, field| truncate(tree, field, *limit, tolerance.ignore_missing))
            }
        }
    }
}

impl Limit {
    /// The beginning of `text` that is within the limit, in whole characters.
    fn cut(self, text: &str) -> &str {
        let end = match self {
            Limit::Bytes(bytes) => text.floor_char_boundary(bytes),
            Limit::Characters(characters) => text.char_indices().nth(characters).map_or(text.len(), |(at, _)| at),
        };
        text.get(..end).unwrap_or(text)
    }
}

/// Does something for every item. The first failure is told; with `fail_on_error` it undoes all of them.
fn each<T>(
    tree: &mut Tree,
    tolerance: Tolerance,
    items: &[T],
    mut work: impl FnMut(&mut Tree, &T) -> Result<(), String>,
) -> Result<(), String> {
    let mut backup = tolerance.fail_on_error.then(|| tree.backup());
    let mut first = Ok(());
    for item in items {
        if let Err(failure) = work(tree, item) {
            if let Some(backup) = backup.take() {
                tree.restore(backup);
                return Err(failure);
            }
            first = first.and(Err(failure));
        }
    }
    first
}

fn rename(tree: &mut Tree, from: &[String], to: &[String], ignore_missing: bool) -> Result<(), String> {
    if tree.copy(from).is_none() {
        return if ignore_missing { Ok(()) } else { Err(format!("there is no field `{}`", from.join("."))) };
    }
    if tree.copy(to).is_some() {
        return Err(format!("there is a field `{}` already", to.join(".")));
    }
    let Some(node) = tree.remove(from) else { return Ok(()) };
    let kept = node.clone();
    if tree.put(to, node).is_err() {
        // Its place has just become free.
        let _ = tree.put(from, kept);
        return Err(format!("a single value is in the way of `{}`", to.join(".")));
    }
    Ok(())
}

fn truncate(tree: &mut Tree, field: &[String], limit: Limit, ignore_missing: bool) -> Result<(), String> {
    if tree.copy(field).is_none() {
        return if ignore_missing { Ok(()) } else { Err(format!("there is no field `{}`", field.join("."))) };
    }
    let mut tape = Tape::default();
    let value = tree.value(field).and_then(|json| tape.parse(json, Blanks::Kept).ok());
    let Some(text) = value.and_then(|value| value.as_str()) else {
        return Err(format!("`{}` is not a text", field.join(".")));
    };
    let cut = limit.cut(text);
    if cut.len() == text.len() {
        return Ok(());
    }
    let mut json = Vec::with_capacity(cut.len() + 2);
    write::string(&mut json, cut);
    let put = tree.put_json(field, &json).map_err(|_| format!("`{}` cannot be replaced", field.join(".")));
    // As Filebeat marks what it cut.
    put.and_then(|()| add_tags(tree, &["log".to_owned(), "flags".to_owned()], &["truncated".to_owned()]))
}

/// Appends texts to a list; a single value becomes its first element, and what is there already is not repeated.
fn add_tags(tree: &mut Tree, target: &[String], tags: &[String]) -> Result<(), String> {
    let failure = || format!("`{}` is no list of texts", target.join("."));
    let mut tape = Tape::default();
    let mut list = vec![b'['];
    let mut known: Vec<&str> = Vec::new();
    let there = tree.copy(target).is_some();
    let value = tree.value(target).and_then(|json| tape.parse(json, Blanks::Kept).ok());
    match value.map(|value| (value.kind(), value)) {
        None if there => return Err(failure()),
        None => {}
        Some((Kind::Object(_), _)) => return Err(failure()),
        Some((Kind::List(elements), _)) => {
            for element in elements.elements() {
                separate(&mut list);
                write::value(&mut list, element);
                known.extend(element.as_str());
            }
        }
        Some((_, single)) => {
            write::value(&mut list, single);
            known.extend(single.as_str());
        }
    }
    for tag in tags {
        if !known.contains(&tag.as_str()) {
            known.push(tag);
            separate(&mut list);
            write::string(&mut list, tag);
        }
    }
    list.push(b']');
    tree.put_json(target, &list).map_err(|_| failure())
}

fn separate(list: &mut Vec<u8>) {
    if list.len() > 1 {
        list.push(b',');
    }
}

fn select(selectors: &[Selector], tree: &mut Tree) -> Vec<Vec<String>> {
    let mut paths = Vec::new();
    for selector in selectors {
        match selector {
            Selector::Path(path) => paths.push(path.clone()),
            Selector::Pattern(pattern) => {
                paths.extend(tree.paths().into_iter().filter(|path| pattern.is_match(&path.join("."))));
            }
        }
    }
    paths
}

fn is_kept(path: &[String]) -> bool {
    matches!(path, [name] if name == KEPT)
}
