//! Which members of a record name entities: `data/entities.tsv`, and how its paths are followed.
//!
//! A path is names with dots; `rp` and `re` stand for requestParameters and responseElements. `a[]` is each element
//! of the list `a`, followed by `.path`, by a group `<x,y>` or by several of these in parentheses. A group's values
//! are added in order until one is missing or known already (ECS mapping 10); `a[]!` is a list that is such a group
//! itself. `=text` takes a value of any type as text. Event names are `*` for all, `~part` for those that contain it,
//! or exact.

use crate::ecs::java;
use crate::record::json::Value;
use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

/// The set that values go to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Set {
    /// E: everything that took part.
    Related,
    /// T: what was acted on.
    Target,
}

/// A value of an unexpected type on a path; nothing can be said of the record's entities then.
#[derive(Debug, PartialEq, Eq)]
pub struct Unfit(pub &'static str);

/// Distinct texts in order of insertion.
#[derive(Debug, Default)]
pub struct Entities<'r> {
    pub texts: Vec<Cow<'r, str>>,
    known: HashSet<Cow<'r, str>>,
    /// Groups do not stop at what is known.
    complete_groups: bool,
}

impl<'r> Entities<'r> {
    pub fn new(complete_groups: bool) -> Self {
        Entities { complete_groups, ..Entities::default() }
    }

    /// Adds a text; false if it is there already.
    pub fn add(&mut self, text: Cow<'r, str>) -> bool {
        let new = self.known.insert(text.clone());
        if new {
            self.texts.push(text);
        }
        new
    }

    /// Adds a string.
    pub fn add_value(&mut self, value: Value<'r>) -> Result<bool, Unfit> {
        value.as_str().map(|text| self.add(Cow::Borrowed(text))).ok_or(Unfit("a value is not a string"))
    }
}

/// A row of the table.
pub struct Row {
    event: &'static str,
    pub set: Set,
    paths: Vec<Path>,
}

#[derive(Debug, Default)]
struct Path {
    names: Vec<&'static str>,
    end: End,
}

#[derive(Debug, Default)]
enum End {
    /// The value itself, which is a string.
    #[default]
    Value,
    /// The value as text.
    Text,
    /// The list's elements, each by these.
    Each(Vec<Path>),
    /// The elements of the list, as a group.
    Elements,
    /// Values below, as a group.
    Group(Vec<Path>),
}

/// The rows by service, without `.amazonaws.com`.
static ROWS: LazyLock<HashMap<&str, Vec<Row>>> = LazyLock::new(|| {
    let mut rows: HashMap<&str, Vec<Row>> = HashMap::new();
    for line in include_str!("../data/entities.tsv").lines().skip(1) {
        let mut cells = line.split('\t');
        let (Some(service), Some(event), Some(set), Some(paths)) =
            (cells.next(), cells.next(), cells.next(), cells.next())
        else {
            continue;
        };
        let set = if set == "T" { Set::Target } else { Set::Related };
        rows.entry(service).or_default().push(Row { event, set, paths: Paths { text: paths }.all() });
    }
    rows
});

/// The rows that apply to an event.
pub fn rows(service: &str, event: &str) -> impl Iterator<Item = &'static Row> {
    ROWS.get(service).into_iter().flatten().filter(move |row| match row.event.strip_prefix('~') {
        Some(part) => event.contains(part),
        None => row.event == "*" || row.event == event,
    })
}

impl Row {
    /// Adds what the row's paths lead to in `record`; missing members are passed over.
    pub fn collect<'r>(&self, record: Value<'r>, entities: &mut Entities<'r>) -> Result<(), Unfit> {
        self.paths.iter().try_for_each(|path| path.collect(record, entities))
    }
}

impl Path {
    fn collect<'r>(&self, from: Value<'r>, entities: &mut Entities<'r>) -> Result<(), Unfit> {
        let Some(value) = self.follow(from)? else { return Ok(()) };
        match &self.end {
            End::Value => entities.add_value(value).map(|_| ()),
            End::Text => {
                entities.add(Cow::Owned(java::text(value)));
                Ok(())
            }
            End::Each(paths) => elements(value)?
                .try_for_each(|element| paths.iter().try_for_each(|path| path.collect(element, entities))),
            End::Elements => {
                for element in elements(value)? {
                    if !entities.add_value(element)? && !entities.complete_groups {
                        break;
                    }
                }
                Ok(())
            }
            End::Group(paths) => {
                for path in paths {
                    let added = path.follow(value)?.map_or(Ok(false), |value| entities.add_value(value))?;
                    if !added && !entities.complete_groups {
                        break;
                    }
                }
                Ok(())
            }
        }
    }

    fn follow<'r>(&self, from: Value<'r>) -> Result<Option<Value<'r>>, Unfit> {
        let mut value = from;
        for name in &self.names {
            if !value.is_object() {
                return Err(Unfit("a value is not an object"));
            }
            let Some(member) = value.get(name) else { return Ok(None) };
            value = member;
        }
        Ok(Some(value))
    }
}

fn elements<'r>(value: Value<'r>) -> Result<impl Iterator<Item = Value<'r>>, Unfit> {
    if value.is_list() { Ok(value.elements()) } else { Err(Unfit("a value is not a list")) }
}

/// Reads the paths of a row.
struct Paths {
    text: &'static str,
}

impl Paths {
    /// Paths with spaces between, up to the end or a closing parenthesis.
    fn all(&mut self) -> Vec<Path> {
        let mut paths = Vec::new();
        loop {
            paths.push(self.path());
            if !self.take(" ") {
                return paths;
            }
        }
    }

    fn path(&mut self) -> Path {
        if self.take("<") {
            return Path { names: Vec::new(), end: self.group() };
        }
        let end = self.text.find([' ', '[', '=', '(', ')', '<', ',', '>']).unwrap_or(self.text.len());
        let (names, rest) = self.text.split_at(end);
        self.text = rest;
        let names = names.split('.').filter(|name| !name.is_empty()).map(full_name).collect();
        Path { names, end: self.end() }
    }

    fn end(&mut self) -> End {
        if self.take("=text") {
            return End::Text;
        }
        if !self.take("[]") {
            return End::Value;
        }
        if self.take("!") {
            return End::Elements;
        }
        if self.take("(") {
            let paths = self.all();
            self.take(")");
            return End::Each(paths);
        }
        End::Each(vec![self.path()])
    }

    fn group(&mut self) -> End {
        let mut paths = Vec::new();
        loop {
            paths.push(self.path());
            if !self.take(",") {
                self.take(">");
                return End::Group(paths);
            }
        }
    }

    fn take(&mut self, token: &str) -> bool {
        let rest = self.text.strip_prefix(token);
        self.text = rest.unwrap_or(self.text);
        rest.is_some()
    }
}

fn full_name(name: &'static str) -> &'static str {
    match name {
        "rp" => "requestParameters",
        "re" => "responseElements",
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::record::json::{Blanks, Tape};

    fn collect(paths: &'static str, json: &str) -> Result<Vec<String>, Unfit> {
        let mut tape = Tape::default();
        let record = tape.parse(json.as_bytes(), Blanks::Dropped).unwrap();
        let row = Row { event: "*", set: Set::Related, paths: Paths { text: paths }.all() };
        let mut entities = Entities::default();
        row.collect(record, &mut entities)?;
        Ok(entities.texts.iter().map(|text| text.to_string()).collect())
    }

    #[test]
    fn paths_lead_through_objects_and_lists() {
        let json = r#"{"requestParameters":{"a":"1","n":7,"l":["2","3"]},"responseElements":{"s":{"items":[{"x":{"y":"4"}},{"z":"5"}]}},"top":"6"}"#;
        for (paths, expected) in [
            ("rp.a", vec!["1"]),
            ("rp.missing.deeper top", vec!["6"]),
            ("rp.n=text", vec!["7"]),
            ("rp.l[]", vec!["2", "3"]),
            ("re.s.items[].x.y rp.a", vec!["4", "1"]),
            ("re.s.items[](x.y z)", vec!["4", "5"]),
        ] {
            assert_eq!(collect(paths, json).unwrap(), expected, "{paths}");
        }
    }

    #[test]
    fn groups_end_at_what_is_missing_or_known() {
        let json =
            r#"{"l":[{"a":"1","b":"2","c":"3"},{"a":"1","b":"4"},{"b":"5"},{"a":"6","c":"7"}],"m":["1","8","1","9"]}"#;
        assert_eq!(collect("l[]<a,b,c>", json).unwrap(), ["1", "2", "3", "6"]);
        assert_eq!(collect("m[]!", json).unwrap(), ["1", "8"]);
        assert_eq!(collect("l[](<a,b> c)", json).unwrap(), ["1", "2", "3", "6", "7"]);
    }

    #[test]
    fn another_type_than_the_path_says_is_unfit() {
        for paths in ["a.b", "n", "a[]", "l[].x", "o"] {
            assert!(collect(paths, r#"{"a":"1","n":7,"l":["2"],"o":{"x":"y"}}"#).is_err(), "{paths}");
        }
    }

    #[test]
    fn the_table_is_read_whole() {
        let lines = include_str!("../data/entities.tsv").lines().skip(1);
        assert_eq!(ROWS.values().map(Vec::len).sum::<usize>(), lines.clone().count());
        for line in lines {
            assert!(matches!(line.split('\t').nth(2), Some("E" | "T")), "{line}");
            let mut paths = Paths { text: line.rsplit('\t').next().unwrap() };
            assert!(!paths.all().is_empty() && paths.text.is_empty(), "{line}: `{}` is left", paths.text);
        }
    }
}
