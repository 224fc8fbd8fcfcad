//! From YAML text to the tree of settings.
//!
//! Builds on the parser's events, without recursion. Hostile text costs an error, never the
//! process: depth and number of values are bounded, also for what aliases multiply. Leaves out what
//! a configuration has no use for: several documents, keys that are no text, local tags.
//! Merge keys (`<<: *base`) work as in the YAML 1.1 type repository, since Beats reads them.

use std::collections::HashMap;

use saphyr_parser::{Event, Parser, ScalarStyle, Span, Tag};

use super::error::MAX_FINDINGS;
use super::redact::{is_secret_path, is_secret_text};
use super::source::{Extent, Place, Problem, shown};
use super::tree::{Again, MAX_DEPTH, Map, Node, Scalar, Size, Value, join};

/// Most values in one text, those that aliases repeat included.
pub(super) const MAX_VALUES: usize = 20_000;

/// Most bytes of text in the values of one text, those that aliases repeat included.
pub(super) const MAX_BYTES: usize = 4 << 20;

/// What a text holds: always a tree, with the problems met on the way.
#[derive(Debug)]
pub(super) struct Document {
    pub root: Node,
    pub problems: Vec<Problem>,
    /// Where secrets stand, also those of settings that were refused.
    pub secrets: Vec<Extent>,
    /// Whether the text could be read to its end.
    pub whole: bool,
}

/// Reads a text; what comes before a syntax error is kept, so that more can be said about it.
pub(super) fn parse(source: usize, text: &str) -> Document {
    parse_at(source, text, 0, 0)
}

/// Reads a text that begins `columns` into the first line of its source, `depth` levels down.
pub(super) fn parse_at(source: usize, text: &str, columns: usize, depth: usize) -> Document {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut builder = Builder {
        source,
        columns,
        base_depth: depth,
        frames: Vec::new(),
        anchors: HashMap::new(),
        root: None,
        size: Size::default(),
        problems: Vec::new(),
        secrets: Vec::new(),
    };
    let whole = match builder.read(text) {
        Ok(()) => true,
        Err(problem) => {
            builder.problems.push(problem);
            false
        }
    };
    builder.close_all();
    let start = Place { source, line: 1, column: columns + 1 };
    Document {
        root: builder.root.unwrap_or_else(|| Node::scalar(start, "", false)),
        problems: builder.problems,
        secrets: builder.secrets,
        whole,
    }
}

struct Builder {
    source: usize,
    columns: usize,
    base_depth: usize,
    frames: Vec<Frame>,
    anchors: HashMap<usize, Anchor>,
    root: Option<Node>,
    size: Size,
    problems: Vec<Problem>,
    secrets: Vec<Extent>,
}

/// A value that aliases may repeat, with what repeating it costs.
struct Anchor {
    node: Node,
    height: usize,
    size: Size,
}

/// A list or map that is still open.
struct Frame {
    place: Place,
    anchor: usize,
    depth: usize,
    items: Items,
}

enum Items {
    List(Vec<Node>),
    Map { pending: Option<(String, Place)>, written: Vec<(String, Place, Node)>, merged: Vec<Node> },
}

impl Builder {
    fn read(&mut self, text: &str) -> Result<(), Problem> {
        let mut parser = Parser::new_from_str(text);
        let mut documents = 0;
        while let Some(next) = parser.next_event() {
            if self.problems.len() >= MAX_FINDINGS {
                return Ok(());
            }
            let (event, span) = next.map_err(|fault| {
                let place = self.place(fault.marker().line(), fault.marker().col());
                Problem::new(place, self.path(), format!("not valid YAML: {}", shown(fault.info())))
            })?;
            let place = self.place(span.start.line(), span.start.col());
            match event {
                Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => {}
                Event::DocumentStart(_) => {
                    documents += 1;
                    if documents > 1 {
                        return Err(Problem::new(place, "", "a second document begins here")
                            .hint("one file holds one document; give further files with `-c`"));
                    }
                }
                Event::Alias(anchor) => self.alias(anchor, place)?,
                Event::Scalar(text, style, anchor, tag) => {
                    let plain = self.is_plain(style, tag.as_deref(), place);
                    self.scalar(text.into_owned(), plain, anchor, &span)?;
                }
                Event::SequenceStart(anchor, tag) => {
                    self.check_tag(tag.as_deref(), place);
                    self.open(Items::List(Vec::new()), anchor, place)?;
                }
                Event::MappingStart(anchor, tag) => {
                    self.check_tag(tag.as_deref(), place);
                    let items = Items::Map { pending: None, written: Vec::new(), merged: Vec::new() };
                    self.open(items, anchor, place)?;
                }
                Event::SequenceEnd | Event::MappingEnd => {
                    self.close((span.end.line(), span.end.col() + 1));
                }
            }
        }
        Ok(())
    }

    fn place(&self, line: usize, column: usize) -> Place {
        let before = if line == 1 { self.columns } else { 0 };
        Place { source: self.source, line, column: column + 1 + before }
    }

    fn path(&self) -> String {
        let mut path = String::new();
        for frame in &self.frames {
            match &frame.items {
                Items::List(items) => path.push_str(&format!("[{}]", items.len())),
                Items::Map { pending, .. } => {
                    if let Some((key, _)) = pending {
                        path = join(&path, key);
                    }
                }
            }
        }
        path
    }

    fn is_plain(&mut self, style: ScalarStyle, tag: Option<&Tag>, place: Place) -> bool {
        match tag {
            Some(tag) if tag.is_yaml_core_schema() => tag.suffix != "str",
            _ => {
                self.check_tag(tag, place);
                style == ScalarStyle::Plain
            }
        }
    }

    /// Only the tags of YAML itself and the bare `!` mean something.
    fn check_tag(&mut self, tag: Option<&Tag>, place: Place) {
        let is_bare = |tag: &Tag| tag.handle.is_empty() && tag.suffix == "!";
        if let Some(tag) = tag.filter(|tag| !tag.is_yaml_core_schema() && !is_bare(tag)) {
            let message = format!("the tag `{}` has no meaning here", shown(&tag.to_string()));
            self.problems.push(Problem::new(place, self.path(), message).hint("leave the tag out"));
        }
    }

    /// The depth at which the next value of the innermost frame stands.
    fn next_depth(&self) -> usize {
        match self.frames.last() {
            None => self.base_depth + 1,
            Some(frame) => match &frame.items {
                Items::Map { pending: Some((key, _)), .. } => frame.depth + key.split('.').count(),
                _ => frame.depth + 1,
            },
        }
    }

    /// Counts what is about to be added, and refuses what is too deep or too much.
    fn admit(&mut self, height: usize, size: Size, place: Place) -> Result<(), Problem> {
        if self.next_depth().saturating_add(height - 1) > MAX_DEPTH {
            return Err(too_deep(place));
        }
        self.size.add(size);
        let message = if self.size.values > MAX_VALUES {
            format!("there are more than {MAX_VALUES} values")
        } else if self.size.bytes > MAX_BYTES {
            format!("the values hold more than {MAX_BYTES} bytes")
        } else {
            return Ok(());
        };
        Err(Problem::new(place, "", message).hint("aliases count as often as they are used"))
    }

    fn scalar(&mut self, text: String, plain: bool, anchor: usize, span: &Span) -> Result<(), Problem> {
        let place = self.place(span.start.line(), span.start.col());
        if self.awaits_key() {
            return self.key(text, place);
        }
        let bytes = text.len();
        self.admit(1, Size { values: 1, bytes }, place)?;
        let end = self.place(span.end.line(), span.end.col());
        let node = Node {
            place: self.place_of_value(place, &text, plain),
            end: (end.line, end.column),
            value: Value::Scalar(Scalar { text, plain, loose: false }),
        };
        self.note_secret(&node);
        self.remember(anchor, &node);
        self.attach(node);
        Ok(())
    }

    fn note_secret(&mut self, node: &Node) {
        let by_name = is_secret_path(&self.path());
        let secrets = &mut self.secrets;
        node.each_scalar(&mut |node, scalar| {
            if by_name || is_secret_text(&scalar.text) {
                secrets.push(node.extent());
            }
        });
    }

    /// An absent value is where its key is: the parser places it on the next token.
    fn place_of_value(&self, place: Place, text: &str, plain: bool) -> Place {
        match self.frames.last().map(|frame| &frame.items) {
            Some(Items::Map { pending: Some((_, key_place)), .. }) if plain && text.is_empty() => *key_place,
            _ => place,
        }
    }

    fn awaits_key(&self) -> bool {
        matches!(self.frames.last().map(|frame| &frame.items), Some(Items::Map { pending: None, .. }))
    }

    fn key(&mut self, key: String, place: Place) -> Result<(), Problem> {
        if key.split('.').any(|part| part.is_empty()) {
            let message = format!("`{}` is not the name of a setting", shown(&key));
            self.problems.push(
                Problem::new(place, self.path(), message)
                    .hint("names are joined by single dots, such as `output.console.enabled`"),
            );
        }
        if key.split('.').count() > MAX_DEPTH {
            return Err(too_deep(place));
        }
        if let Some(Items::Map { pending, .. }) = self.frames.last_mut().map(|f| &mut f.items) {
            *pending = Some((key, place));
        }
        Ok(())
    }

    fn alias(&mut self, anchor: usize, place: Place) -> Result<(), Problem> {
        if self.awaits_key() {
            return Err(no_key(place));
        }
        let Some((height, size)) = self.anchors.get(&anchor).map(|a| (a.height, a.size)) else {
            return Err(Problem::new(place, self.path(), "the alias stands inside the value that it repeats"));
        };
        self.admit(height, size, place)?;
        if let Some(node) = self.anchors.get(&anchor).map(|anchor| anchor.node.clone()) {
            self.note_secret(&node);
            self.attach(node);
        }
        Ok(())
    }

    fn open(&mut self, items: Items, anchor: usize, place: Place) -> Result<(), Problem> {
        if self.awaits_key() {
            return Err(no_key(place));
        }
        let size = Size { values: 1, bytes: 0 };
        self.admit(1, size, place)?;
        let depth = self.next_depth();
        self.frames.push(Frame { place, anchor, depth, items });
        Ok(())
    }

    fn close(&mut self, end: (usize, usize)) {
        let Some(frame) = self.frames.pop() else {
            return;
        };
        let value = match frame.items {
            Items::List(items) => Value::List(items),
            Items::Map { written, merged, .. } => {
                let first_new = self.problems.len();
                let map = fold(written, merged, &mut self.problems);
                let path = self.path();
                for problem in self.problems.iter_mut().skip(first_new) {
                    problem.path.clone_from(&path);
                }
                Value::Map(map)
            }
        };
        let node = Node { place: frame.place, end, value };
        self.remember(frame.anchor, &node);
        self.attach(node);
    }

    /// Closes what a syntax error left open.
    fn close_all(&mut self) {
        while let Some(frame) = self.frames.last() {
            let end = (frame.place.line, frame.place.column);
            self.close(end);
        }
    }

    fn remember(&mut self, anchor: usize, node: &Node) {
        if anchor > 0 {
            let anchored = Anchor { node: node.clone(), height: node.height(), size: node.size() };
            self.anchors.insert(anchor, anchored);
        }
    }

    fn attach(&mut self, node: Node) {
        let Some(frame) = self.frames.last_mut() else {
            self.root = Some(node);
            return;
        };
        match &mut frame.items {
            Items::List(items) => items.push(node),
            Items::Map { pending, written, merged } => {
                let Some((key, place)) = pending.take() else {
                    return;
                };
                if key != "<<" {
                    written.push((key, place, node));
                    return;
                }
                match node.value {
                    Value::Map(_) => merged.push(node),
                    Value::List(items) if items.iter().all(is_map) => merged.extend(items),
                    _ => self.problems.push(
                        Problem::new(place, "", "`<<` wants a map or a list of maps")
                            .hint("write `<<: *name` with the name of an anchored map"),
                    ),
                }
            }
        }
    }
}

fn is_map(node: &Node) -> bool {
    matches!(node.value, Value::Map(_))
}

fn too_deep(place: Place) -> Problem {
    let message = format!("settings are nested deeper than {MAX_DEPTH} levels");
    Problem::new(place, "", message)
}

fn no_key(place: Place) -> Problem {
    Problem::new(place, "", "the name of a setting must be a text")
}

/// Makes a map of what was written, dotted keys opened; merged maps give what is not written.
fn fold(written: Vec<(String, Place, Node)>, merged: Vec<Node>, problems: &mut Vec<Problem>) -> Map {
    let mut map = Map::default();
    for (key, place, node) in written {
        map.insert(&key, place, node, Again::Refused, problems);
    }
    let own: Vec<String> = map.entries.iter().map(|entry| entry.key.clone()).collect();
    for base in merged {
        let Value::Map(base) = base.value else {
            continue;
        };
        for entry in base.entries {
            if !own.contains(&entry.key) {
                map.insert(&entry.key, entry.key_place, entry.value, Again::Kept, problems);
            }
        }
    }
    map
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The tree as text without places: to compare spellings.
    fn outline(node: &Node) -> String {
        match &node.value {
            Value::Scalar(scalar) if scalar.plain => scalar.text.clone(),
            Value::Scalar(scalar) => format!("{:?}", scalar.text),
            Value::List(items) => {
                let items: Vec<String> = items.iter().map(outline).collect();
                format!("[{}]", items.join(", "))
            }
            Value::Map(map) => {
                let mut entries: Vec<String> =
                    map.entries.iter().map(|entry| format!("{}: {}", entry.key, outline(&entry.value))).collect();
                entries.sort();
                format!("{{{}}}", entries.join(", "))
            }
        }
    }

    fn read(text: &str) -> String {
        let document = parse(0, text);
        assert_eq!(document.problems, []);
        assert!(document.whole);
        outline(&document.root)
    }

    fn problems(text: &str) -> Vec<String> {
        parse(0, text)
            .problems
            .into_iter()
            .map(|problem| {
                let Place { line, column, .. } = problem.place;
                format!("{line}:{column}: {}: {}", problem.path, problem.message)
            })
            .collect()
    }

    #[test]
    fn keeps_quoting_and_order() {
        assert_eq!(read("a: 5\nb: '5'\nc: \"x\"\nd: |\n  y\ne:\n"), "{a: 5, b: \"5\", c: \"x\", d: \"y\\n\", e: }");
        assert_eq!(read("a: !!str 5"), "{a: \"5\"}");
        assert_eq!(read("\u{feff}a: 5"), "{a: 5}");
        assert_eq!(read(""), "");
        assert_eq!(read("# nothing\n"), "");
    }

    #[test]
    fn keeps_the_place_of_keys_and_values() {
        let document = parse(3, "a:\n  b: [x,  y]\n  c:\nd: 'q'\n");
        let node = |path: &str| document.root.find(path).unwrap().place;
        let place = |line, column| Place { source: 3, line, column };
        assert_eq!(node("a.b"), place(2, 6));
        assert_eq!(node("a.b[1]"), place(2, 11));
        assert_eq!(node("a.c"), place(3, 3));
        assert_eq!(node("d"), place(4, 4));
        assert_eq!(document.root.find("d").unwrap().end, (4, 7));
        let Value::Map(map) = &document.root.value else { unreachable!("another kind of value") };
        assert_eq!(map.get("d").unwrap().key_place, place(4, 1));
    }

    #[test]
    fn dotted_and_nested_keys_are_one() {
        let nested = read("output:\n  elasticsearch:\n    hosts: [a]\n    worker: 2\n");
        for text in [
            "output.elasticsearch.hosts: [a]\noutput.elasticsearch.worker: 2\n",
            "output.elasticsearch:\n  hosts: [a]\noutput:\n  elasticsearch.worker: 2\n",
            "output:\noutput.elasticsearch: {hosts: [a], worker: 2}\n",
            "'output.elasticsearch': {hosts: [a], worker: 2}\noutput: ~\n",
        ] {
            assert_eq!(read(text), nested);
        }
    }

    #[test]
    fn the_same_leaf_twice_names_both_places() {
        assert_eq!(
            problems("output.elasticsearch:\n  worker: 1\noutput:\n  elasticsearch.worker: 2\n"),
            ["4:3: : `output.elasticsearch.worker` is already set at 2:3"]
        );
        assert_eq!(problems("a:\n  b: 1\n  b: 2\n"), ["3:3: a: `b` is already set at 2:3"]);
        assert_eq!(problems("a: 1\na.b: 2\n"), ["2:1: : `a` is already set at 1:1"]);
        assert_eq!(problems("a: [1]\na: [2]\n"), ["2:1: : `a` is already set at 1:1"]);
    }

    #[test]
    fn anchors_aliases_and_merge_keys() {
        assert_eq!(read("a: &x [1]\nb: *x\n"), "{a: [1], b: [1]}");
        assert_eq!(read("a: &x {p: 1, q: 2}\nb:\n  <<: *x\n  q: 3\n"), "{a: {p: 1, q: 2}, b: {p: 1, q: 3}}");
        assert_eq!(
            read("a: &x {p: 1}\nb: &y {p: 2, q: 2}\nc: {<<: [*x, *y]}\n"),
            "{a: {p: 1}, b: {p: 2, q: 2}, c: {p: 1, q: 2}}"
        );
        assert_eq!(problems("a: {<<: 5}\n"), ["1:5: : `<<` wants a map or a list of maps"]);
        assert_eq!(problems("a: &x [*x]\n"), ["1:8: a[0]: the alias stands inside the value that it repeats"]);
    }

    #[test]
    fn alias_bombs_are_errors() {
        let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..12 {
            let alias = format!("*a{}", level - 1);
            let aliases = vec![alias; 10].join(", ");
            text.push_str(&format!("a{level}: &a{level} [{aliases}]\n"));
        }
        let found = problems(&text);
        assert_eq!(found.len(), 1);
        assert!(found[0].ends_with("there are more than 20000 values"));

        let long = "x".repeat(100_000);
        let found = problems(&format!("a: &a {long}\nb: [{}]\n", vec!["*a"; 100].join(", ")));
        assert_eq!(found, ["2:165: : the values hold more than 4194304 bytes"]);
    }

    #[test]
    fn deep_nesting_is_an_error() {
        let deep = |levels: usize| {
            [
                format!("{}{}", "[".repeat(levels), "]".repeat(levels)),
                format!("{}x", "- ".repeat(levels)),
                format!("{}: x", vec!["k"; levels].join(".")),
                format!("{}x{}", "{k: ".repeat(levels), "}".repeat(levels)),
            ]
        };
        for text in deep(MAX_DEPTH - 2) {
            assert_eq!(problems(&text), [""; 0], "{text}");
        }
        for text in deep(MAX_DEPTH + 1).into_iter().chain(deep(300)).chain(deep(100_000)) {
            let found = problems(&text);
            assert_eq!(found.len(), 1, "{}", &text[..20]);
        }
        // Each alias stands deeper than the value that it repeats.
        let mut text = format!("a0: &a0 {}x{}\n", "[".repeat(40), "]".repeat(40));
        text.push_str(&format!("a1: {}*a0{}\n", "[".repeat(40), "]".repeat(40)));
        let found = problems(&text);
        assert_eq!(found, ["2:45: : settings are nested deeper than 64 levels"]);
    }

    #[test]
    fn what_a_configuration_has_no_use_for_is_an_error() {
        assert_eq!(problems("a: 1\n---\nb: 2\n"), ["2:1: : a second document begins here"]);
        assert_eq!(problems("? [a]\n: b\n"), ["1:3: : the name of a setting must be a text"]);
        assert_eq!(problems("a: !secret x\n"), ["1:4: a: the tag `!secret` has no meaning here"]);
        assert_eq!(problems("a..b: 1\n"), ["1:1: : `a..b` is not the name of a setting"]);
    }

    #[test]
    fn notes_where_secrets_stand() {
        let extents = |text: &str| -> Vec<((usize, usize), (usize, usize))> {
            let secrets = parse(0, text).secrets;
            secrets.iter().map(|secret| (secret.start, secret.end)).collect()
        };
        assert_eq!(extents("a: {password: x, b: y}"), [((1, 15), (1, 16))]);
        assert_eq!(extents("api_key.id: x"), [((1, 13), (1, 14))]);
        assert_eq!(extents("password: x\npassword: yy\n"), [((1, 11), (1, 12)), ((2, 11), (2, 13))]);
        assert_eq!(extents("a: &x [p]\npassword: *x\n"), [((1, 8), (1, 9))]);
        assert_eq!(extents("key: |\n  -----BEGIN PRIVATE KEY-----\n  AAA\nz: 1\n"), [((2, 3), (4, 1))]);
    }

    #[test]
    fn syntax_errors_keep_what_came_before() {
        let document = parse(0, "a: 1\nb: [x\nc: 2\n");
        assert!(!document.whole);
        assert_eq!(document.problems.len(), 1);
        assert!(document.problems[0].message.starts_with("not valid YAML: "));
        assert_eq!(document.root.find("a").unwrap().height(), 1);
    }

    /// A random tree as nested YAML in flow style, and the same with dots.
    fn spellings() -> impl Strategy<Value = Vec<(Vec<String>, u8)>> {
        prop::collection::vec((prop::collection::vec("[a-e]", 1..5), any::<u8>()), 1..8)
    }

    proptest! {
        #[test]
        fn any_text_gives_a_tree(text in "(?s).*") {
            let _ = parse(0, &text);
        }

        #[test]
        fn any_yaml_like_text_gives_a_tree(
            text in r#"([a-c&*!%|>?@~#'"{}\[\]:,. \n\t-]|: |- |\n  |<<|\.\.\.|---){0,60}"#,
        ) {
            let _ = parse(0, &text);
        }

        #[test]
        fn dotted_and_nested_spelling_are_equal(leaves in spellings()) {
            // One leaf that lies on the way to another is a problem in either spelling.
            let clash = |a: &[String], b: &[String]| a.starts_with(b) || b.starts_with(a);
            let mut kept: Vec<(Vec<String>, u8)> = Vec::new();
            for (path, value) in leaves {
                if !kept.iter().any(|(other, _)| clash(other, &path)) {
                    kept.push((path, value));
                }
            }
            let mut dotted = String::new();
            let mut nested = String::new();
            let mut half = String::new();
            for (path, value) in &kept {
                dotted.push_str(&format!("{}: {value}\n", path.join(".")));
                let open: String = path.iter().skip(1).map(|key| format!("{{{key}: ")).collect();
                let close = "}".repeat(path.len() - 1);
                nested.push_str(&format!("{}: {open}{value}{close}\n", path[0]));
                let (head, tail) = path.split_at(path.len().div_ceil(2));
                if tail.is_empty() {
                    half.push_str(&format!("{}: {value}\n", head.join(".")));
                } else {
                    half.push_str(&format!("{}:\n  {}: {value}\n", head.join("."), tail.join(".")));
                }
            }
            let expected = read(&dotted);
            prop_assert_eq!(read(&nested), expected.clone());
            prop_assert_eq!(read(&half), expected);
        }
    }
}
