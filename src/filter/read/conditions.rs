//! Conditions as they are written under `when`.

use super::Reads;
use crate::config::{Malformed, Pattern, Written};
use crate::filter::condition::{Bounds, Condition, Expected, Test};
use crate::filter::place::Place;

const NAMES: [&str; 9] = ["equals", "contains", "regexp", "range", "network", "has_fields", "and", "or", "not"];
const BOUNDS: [&str; 4] = ["lt", "lte", "gt", "gte"];

impl Reads {
    /// One condition: a map with a single name of a condition in it.
    pub(super) fn condition(&mut self, written: &Written, path: &str) -> Option<Condition> {
        let settings = self.settings(written, path, &NAMES)?;
        let [(name, path, value)] = settings.as_slice() else {
            let message = match settings.len() {
                0 => "a condition is missing".to_owned(),
                more => format!("one condition is wanted here, not {more}"),
            };
            self.wrong(path, message, "join several in a list under `and` or `or`");
            return None;
        };
        match *name {
            "and" => self.conditions(value, path).map(Condition::All),
            "or" => self.conditions(value, path).map(Condition::Any),
            "not" => self.condition(value, path).map(|condition| Condition::Not(Box::new(condition))),
            "has_fields" => {
                let places = value.items(path).into_iter().map(|(path, item)| self.place_of(item, &path));
                let places: Option<Vec<Place>> = places.collect();
                let places = places?;
                if places.is_empty() {
                    self.wrong(path, "no field is named", "name fields in a list");
                    return None;
                }
                Some(Condition::Has(places))
            }
            "range" => self.ranges(value, path),
            test => self.values(value, path, test),
        }
    }

    fn conditions(&mut self, written: &Written, path: &str) -> Option<Vec<Condition>> {
        let items = written.items(path);
        if items.is_empty() {
            self.wrong(path, "a list of conditions is missing", "begin each with `- equals:` and so on");
        }
        let conditions: Vec<Option<Condition>> =
            items.into_iter().map(|(path, item)| self.condition(item, &path)).collect();
        conditions.into_iter().collect::<Option<Vec<_>>>().filter(|conditions| !conditions.is_empty())
    }

    /// A test for each field that is named.
    fn values(&mut self, written: &Written, path: &str, test: &str) -> Option<Condition> {
        let mut leaves = Vec::new();
        self.leaves(written, path, "", &mut leaves);
        self.some(&leaves, path)?;
        let mut tests = Vec::new();
        for (name, path, value) in leaves {
            let place = self.take_name(&path, Place::read(&name));
            let test = match test {
                "equals" => self.text(value, &path).map(|text| Test::Equals(Expected::new(text))),
                "contains" => self.text(value, &path).map(|text| Test::Contains(text.to_owned())),
                "regexp" => self.pattern(value, &path).map(Test::Matches),
                _ => {
                    let ranges = self.texts(value, &path).into_iter().map(|text| self.take(&path, text.parse()));
                    let ranges: Vec<_> = ranges.collect();
                    ranges.into_iter().collect::<Option<Vec<_>>>().map(Test::Network)
                }
            };
            tests.push(place.zip(test));
        }
        tests.into_iter().collect::<Option<Vec<_>>>().map(Condition::Values)
    }

    /// `range`, whose bounds are the last parts of the names: `field.gte: 400`.
    fn ranges(&mut self, written: &Written, path: &str) -> Option<Condition> {
        let mut leaves = Vec::new();
        self.leaves(written, path, "", &mut leaves);
        self.some(&leaves, path)?;
        let mut ranges: Vec<(String, Bounds)> = Vec::new();
        let mut tests = Vec::new();
        let before = self.problems.len();
        for (name, path, value) in leaves {
            let Some((field, bound)) = name.rsplit_once('.').filter(|(_, bound)| BOUNDS.contains(bound)) else {
                let bound = name.rsplit('.').next().unwrap_or_default();
                self.unknown("bound", bound, &path, &BOUNDS);
                continue;
            };
            let Some(text) = self.text(value, &path) else { continue };
            let Some(number) = text.trim().parse().ok().filter(|number: &f64| number.is_finite()) else {
                self.wrong(&path, format!("`{text}` is not a number"), "write a number such as `400`");
                continue;
            };
            let at = ranges.iter().position(|(known, _)| known == field).unwrap_or_else(|| {
                ranges.push((field.to_owned(), Bounds::default()));
                tests.push(self.take_name(&path, Place::read(field)));
                ranges.len() - 1
            });
            let Some((_, bounds)) = ranges.get_mut(at) else { continue };
            match bound {
                "lt" => bounds.lt = Some(number),
                "lte" => bounds.lte = Some(number),
                "gt" => bounds.gt = Some(number),
                _ => bounds.gte = Some(number),
            }
        }
        if self.problems.len() > before {
            return None;
        }
        let places: Option<Vec<Place>> = tests.into_iter().collect();
        let tests = places?.into_iter().zip(ranges).map(|(place, (_, bounds))| (place, Test::Range(bounds)));
        Some(Condition::Values(tests.collect()))
    }

    /// Names and values of a map whose dotted names may be nested maps.
    fn leaves<'w>(
        &mut self,
        written: &'w Written,
        path: &str,
        above: &str,
        leaves: &mut Vec<(String, String, &'w Written)>,
    ) {
        let Some(settings) = written.settings(path) else {
            self.wrong(
                path,
                format!("must be fields with their values, not {}", written.kind()),
                "write `field: value`",
            );
            return;
        };
        for (key, path, value) in settings {
            let name = if above.is_empty() { key.to_owned() } else { format!("{above}.{key}") };
            match value {
                Written::Map(_) => self.leaves(value, &path, &name, leaves),
                value => leaves.push((name, path, value)),
            }
        }
    }

    fn some<T>(&mut self, leaves: &[T], path: &str) -> Option<()> {
        if leaves.is_empty() {
            self.wrong(path, "no field is named", "write `field: value`");
            return None;
        }
        Some(())
    }

    fn place_of(&mut self, written: &Written, path: &str) -> Option<Place> {
        let name = self.text(written, path)?;
        self.take(path, Place::read(name))
    }

    /// A pattern that can match.
    pub(super) fn pattern(&mut self, written: &Written, path: &str) -> Option<Pattern> {
        let text = self.text(written, path)?;
        let read = text.parse().and_then(|pattern: Pattern| {
            let blank = || Malformed::new("the pattern is blank", "write a regular expression");
            if pattern.is_blank() { Err(blank()) } else { Ok(pattern) }
        });
        self.take(path, read)
    }
}
