//! The settings as a tree that remembers where each key and value was written.
//!
//! Dotted and nested spelling are one thing here: `a.b: 1` opens the map `a`. A leaf that is written
//! twice in one layer is a problem that names both places; a later layer (a further file, `-E`)
//! replaces what an earlier one set. Scalars stay text, with how they were written, until somebody
//! asks for a type. Depth is bounded by whoever builds the tree, so recursion over it is safe.

use super::source::{Extent, Place, Problem};

/// The deepest nesting of settings, in maps and lists; real configurations need about ten.
pub(super) const MAX_DEPTH: usize = 64;

/// A value and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Node {
    pub place: Place,
    /// Line and column of the first character behind the value.
    pub end: (usize, usize),
    pub value: Value,
}

/// What a setting holds.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Scalar(Scalar),
    List(Vec<Node>),
    Map(Map),
}

/// A text as it was written.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Scalar {
    pub text: String,
    /// Written without quotes, so that `5` and `true` are not text where any type will do.
    pub plain: bool,
    /// From the environment or the command line, so that `a,b` is a list where a list is wanted.
    pub loose: bool,
}

/// Settings by name, in the order of writing; names are unique.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Map {
    pub entries: Vec<Entry>,
}

/// One setting.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Entry {
    pub key: String,
    pub key_place: Place,
    pub value: Node,
}

/// What happens to a leaf that is there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Again {
    /// It stays, and the second one is a problem.
    Refused,
    /// It stays (a YAML merge key gives what is not set otherwise).
    Kept,
}

impl Node {
    pub(super) fn map(place: Place, map: Map) -> Self {
        Self { place, end: (place.line, place.column), value: Value::Map(map) }
    }

    pub(super) fn scalar(place: Place, text: impl Into<String>, loose: bool) -> Self {
        Self {
            place,
            end: (place.line, place.column),
            value: Value::Scalar(Scalar { text: text.into(), plain: true, loose }),
        }
    }

    /// Whether nothing is set: a blank, `~` or `null` without quotes.
    pub(super) fn is_null(&self) -> bool {
        matches!(&self.value, Value::Scalar(scalar) if scalar.is_null())
    }

    pub(super) fn extent(&self) -> Extent {
        Extent { start: (self.place.line, self.place.column), end: self.end }
    }

    /// The kind of value as a message names it.
    pub(super) fn kind(&self) -> &'static str {
        match &self.value {
            Value::Scalar(_) => "a single value",
            Value::List(_) => "a list",
            Value::Map(_) => "a map of settings",
        }
    }

    /// The names of the settings in it.
    pub(super) fn keys(&self) -> Vec<String> {
        match &self.value {
            Value::Map(map) => map.entries.iter().map(|entry| entry.key.clone()).collect(),
            _ => Vec::new(),
        }
    }

    /// The entry at a dotted path, which may hold indexes: `trailship.inputs[0].type`.
    pub(super) fn find(&self, path: &str) -> Option<&Node> {
        let mut node = self;
        for part in path.split('.') {
            let mut pieces = part.split('[');
            let Value::Map(map) = &node.value else {
                return None;
            };
            node = &map.get(pieces.next()?)?.value;
            for index in pieces {
                let Value::List(items) = &node.value else {
                    return None;
                };
                node = items.get(index.strip_suffix(']')?.parse::<usize>().ok()?)?;
            }
        }
        Some(node)
    }

    /// The same for a path without indexes, to be changed.
    pub(super) fn find_mut(&mut self, path: &str) -> Option<&mut Node> {
        let mut node = self;
        for part in path.split('.') {
            let Value::Map(map) = &mut node.value else {
                return None;
            };
            node = &mut map.get_mut(part)?.value;
        }
        Some(node)
    }

    /// Lays a later layer over this one: maps are merged, anything else is replaced.
    ///
    /// A map of indexes over a list (`-E trailship.inputs.0.id=x`) changes those items; an index
    /// behind the end is a problem.
    pub(super) fn overlay(&mut self, over: Node, problems: &mut Vec<Problem>) {
        match (&mut self.value, over.value) {
            (Value::Map(below), Value::Map(above)) => {
                for entry in above.entries {
                    match below.get_mut(&entry.key) {
                        Some(there) => {
                            there.key_place = entry.key_place;
                            there.value.overlay(entry.value, problems);
                        }
                        None => below.entries.push(entry),
                    }
                }
            }
            (Value::List(items), Value::Map(above)) if above.is_indexes() => {
                for entry in above.entries {
                    let index = entry.key.parse::<usize>().unwrap_or(usize::MAX);
                    let length = items.len();
                    match items.get_mut(index) {
                        Some(item) => item.overlay(entry.value, problems),
                        None if index == length => items.push(entry.value),
                        None => problems.push(
                            Problem::new(
                                entry.key_place,
                                "",
                                format!("there is no item {index} in a list of {length}"),
                            )
                            .hint("items are counted from 0"),
                        ),
                    }
                }
            }
            (_, value) => {
                self.place = over.place;
                self.end = over.end;
                self.value = value;
            }
        }
    }

    /// Calls back for every scalar below with its dotted path.
    pub(super) fn visit_scalars(&mut self, path: &str, visit: &mut impl FnMut(&str, &mut Node)) {
        match &mut self.value {
            Value::Scalar(_) => visit(path, self),
            Value::List(items) => {
                for (index, item) in items.iter_mut().enumerate() {
                    item.visit_scalars(&format!("{path}[{index}]"), visit);
                }
            }
            Value::Map(map) => {
                for entry in &mut map.entries {
                    entry.value.visit_scalars(&join(path, &entry.key), visit);
                }
            }
        }
    }

    /// Calls back for every scalar below, itself included.
    pub(super) fn each_scalar(&self, visit: &mut impl FnMut(&Node, &Scalar)) {
        match &self.value {
            Value::Scalar(scalar) => visit(self, scalar),
            Value::List(items) => items.iter().for_each(|item| item.each_scalar(visit)),
            Value::Map(map) => {
                let values = map.entries.iter().map(|entry| &entry.value);
                values.for_each(|value| value.each_scalar(visit));
            }
        }
    }

    /// Gives all of it one place: that of the text which was found to hold it.
    pub(super) fn move_to(&mut self, place: Place) {
        self.place = place;
        self.end = (place.line, place.column);
        match &mut self.value {
            Value::Scalar(_) => {}
            Value::List(items) => items.iter_mut().for_each(|item| item.move_to(place)),
            Value::Map(map) => {
                for entry in &mut map.entries {
                    entry.key_place = place;
                    entry.value.move_to(place);
                }
            }
        }
    }

    /// How many levels of values there are, itself included.
    pub(super) fn height(&self) -> usize {
        let below = match &self.value {
            Value::Scalar(_) => 0,
            Value::List(items) => items.iter().map(Node::height).max().unwrap_or(0),
            Value::Map(map) => {
                let heights = map.entries.iter().map(|entry| entry.value.height());
                heights.max().unwrap_or(0)
            }
        };
        below + 1
    }

    /// How many values there are and how many bytes of text they hold, itself included.
    pub(super) fn size(&self) -> Size {
        let mut size = Size { values: 1, bytes: 0 };
        match &self.value {
            Value::Scalar(scalar) => size.bytes = scalar.text.len(),
            Value::List(items) => items.iter().for_each(|item| size.add(item.size())),
            Value::Map(map) => {
                for entry in &map.entries {
                    size.add(entry.value.size());
                    size.bytes += entry.key.len();
                }
            }
        }
        size
    }
}

/// What a tree costs in memory.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Size {
    pub values: usize,
    pub bytes: usize,
}

impl Size {
    pub(super) fn add(&mut self, more: Size) {
        self.values = self.values.saturating_add(more.values);
        self.bytes = self.bytes.saturating_add(more.bytes);
    }
}

impl Scalar {
    /// Whether nothing is set.
    pub(super) fn is_null(&self) -> bool {
        self.plain && matches!(self.text.as_str(), "" | "~" | "null" | "Null" | "NULL")
    }
}

impl Map {
    pub(super) fn get(&self, key: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.key == key)
    }

    fn get_mut(&mut self, key: &str) -> Option<&mut Entry> {
        self.entries.iter_mut().find(|entry| entry.key == key)
    }

    fn is_indexes(&self) -> bool {
        let digits = |key: &str| !key.is_empty() && key.bytes().all(|b| b.is_ascii_digit());
        !self.entries.is_empty() && self.entries.iter().all(|entry| digits(&entry.key))
    }

    /// Sets what stands at a key that may have dots, opening the maps on the way.
    pub(super) fn insert(
        &mut self,
        key: &str,
        key_place: Place,
        value: Node,
        again: Again,
        problems: &mut Vec<Problem>,
    ) {
        let (first, rest) = match key.split_once('.') {
            Some((first, rest)) => (first, Some(rest)),
            None => (key, None),
        };
        let value = match rest {
            None => value,
            Some(rest) => {
                let mut inner = Map::default();
                inner.insert(rest, key_place, value, again, problems);
                Node::map(key_place, inner)
            }
        };
        match self.get_mut(first) {
            None => self.entries.push(Entry { key: first.to_owned(), key_place, value }),
            Some(there) => there.unite(key_place, value, again, first, problems),
        }
    }
}

impl Entry {
    /// Brings together what two spellings of one layer say about one setting.
    fn unite(&mut self, key_place: Place, value: Node, again: Again, path: &str, problems: &mut Vec<Problem>) {
        match (&mut self.value.value, value.value) {
            (Value::Map(there), Value::Map(more)) => {
                for entry in more.entries {
                    match there.get_mut(&entry.key) {
                        None => there.entries.push(entry),
                        Some(inner) => {
                            let path = join(path, &entry.key);
                            inner.unite(entry.key_place, entry.value, again, &path, problems);
                        }
                    }
                }
            }
            // `output:` with nothing behind it, and `output.console.enabled` elsewhere.
            (Value::Scalar(there), more @ Value::Map(_)) if there.is_null() => {
                self.value = Node { place: value.place, end: value.end, value: more };
            }
            (Value::Map(_), Value::Scalar(more)) if more.is_null() => {}
            _ if again == Again::Kept => {}
            _ => {
                let Place { line, column, .. } = self.key_place;
                let message = format!("`{path}` is already set at {line}:{column}");
                problems.push(Problem::new(key_place, "", message).hint("keep one of the two"));
            }
        }
    }
}

/// A path with one more name.
pub(super) fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::yaml;
    use super::*;

    fn tree(text: &str) -> Node {
        let document = yaml::parse(0, text);
        assert_eq!(document.problems, []);
        document.root
    }

    fn overlaid(below: &str, above: &str) -> (Node, Vec<Problem>) {
        let mut node = tree(below);
        let mut problems = Vec::new();
        node.overlay(tree(above), &mut problems);
        (node, problems)
    }

    fn text<'a>(node: &'a Node, path: &str) -> Option<&'a str> {
        match &node.find(path)?.value {
            Value::Scalar(scalar) => Some(&scalar.text),
            _ => None,
        }
    }

    #[test]
    fn finds_by_path() {
        let node = tree("a:\n  b: [x, {c: y}]\n");
        assert_eq!(text(&node, "a.b[0]"), Some("x"));
        assert_eq!(text(&node, "a.b[1].c"), Some("y"));
        assert_eq!(text(&node, "a.b[2]"), None);
        assert_eq!(text(&node, "a.c"), None);
        assert_eq!(text(&node, "a.b.c"), None);
        assert_eq!(text(&node, ""), None);
    }

    #[test]
    fn a_later_layer_replaces_leaves_and_lists_and_merges_maps() {
        let (node, problems) = overlaid("a: {x: 1, y: 2}\nl: [1, 2]", "a.x: 3\nl: [9]\nn: 4");
        assert_eq!(problems, []);
        assert_eq!(text(&node, "a.x"), Some("3"));
        assert_eq!(text(&node, "a.y"), Some("2"));
        assert_eq!(text(&node, "l[0]"), Some("9"));
        assert_eq!(text(&node, "l[1]"), None);
        assert_eq!(text(&node, "n"), Some("4"));
    }

    #[test]
    fn a_later_layer_changes_items_by_index() {
        let (node, problems) = overlaid("l: [{id: a}, {id: b}]", "l.1.id: c\nl.2.id: d");
        assert_eq!(problems, []);
        assert_eq!(text(&node, "l[0].id"), Some("a"));
        assert_eq!(text(&node, "l[1].id"), Some("c"));
        assert_eq!(text(&node, "l[2].id"), Some("d"));
        let (_, problems) = overlaid("l: [a]", "l.7: c");
        assert_eq!(problems[0].message, "there is no item 7 in a list of 1");
    }

    #[test]
    fn measures_itself() {
        let node = tree("a:\n  b: [x, {c: y}]\n");
        assert_eq!(node.height(), 5);
        assert_eq!(node.size(), Size { values: 6, bytes: 5 });
    }
}
