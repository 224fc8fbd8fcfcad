//! `${NAME}` in values, as Beats expands it.
//!
//! | written | gives |
//! |---|---|
//! | `${NAME}` | the variable; nothing, with a warning, where it is not set |
//! | `${NAME:default}` | the default where the variable is not set or empty; it may hold `${..}` |
//! | `${NAME:+text}` | the text where the variable is set and not empty, else nothing |
//! | `${NAME:?text}` | the variable, or an error with that text |
//! | `$${`, `$$`, `$}` | `${`, `$`, `}` themselves |
//!
//! A value keeps its place, and is typed after its expansion: `worker: ${N}` is a number. What a
//! variable holds is never expanded again. Leaves out references to other settings and keystores.

use super::source::{Place, Problem, shown};
use super::tree::{Node, Value};

/// Where variables come from: the process's environment, or a table in a test.
pub type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Longest value after expansion, in bytes.
const MAX_EXPANDED: usize = 1 << 20;

/// Deepest nesting of `${..}` in defaults.
const MAX_NESTING: usize = 16;

/// What expansion has to say.
#[derive(Debug, Default)]
pub(super) struct Notes {
    pub errors: Vec<Problem>,
    pub warnings: Vec<Problem>,
}

/// Expands every value of a tree.
pub(super) fn expand(root: &mut Node, environment: Environment<'_>) -> Notes {
    let mut notes = Notes::default();
    root.visit_scalars("", &mut |path, node| {
        let place = node.place;
        let Value::Scalar(scalar) = &mut node.value else {
            return;
        };
        if !scalar.text.contains('$') {
            return;
        }
        let mut expansion = Expansion { environment, place, path, notes: &mut notes, replaced: false };
        match expansion.run(&scalar.text) {
            Ok(text) => {
                // An empty variable is an empty value, not an absent one.
                scalar.plain &= !text.trim().is_empty();
                scalar.loose |= expansion.replaced;
                scalar.text = text;
            }
            Err(problem) => notes.errors.push(*problem),
        }
    });
    notes
}

struct Expansion<'a> {
    environment: Environment<'a>,
    place: Place,
    path: &'a str,
    notes: &'a mut Notes,
    /// Whether anything but an escape was met.
    replaced: bool,
}

/// One reference that is still open while its text is read.
#[derive(Default)]
struct Reference {
    name: String,
    operator: Option<Operator>,
    operand: String,
    /// Warnings of the operand, which count only if it is used.
    first_warning: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Operator {
    Default,
    Alternative,
    Required,
}

impl Expansion<'_> {
    fn run(&mut self, text: &str) -> Result<String, Box<Problem>> {
        let mut expanded = String::new();
        let mut open: Vec<Reference> = Vec::new();
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            let mut taken = first.len_utf8();
            let inside = !open.is_empty();
            if first == '$' && rest.starts_with("${") {
                if open.len() >= MAX_NESTING {
                    let message = format!("`${{` stands more than {MAX_NESTING} deep");
                    return Err(self.problem(message, None));
                }
                open.push(Reference { first_warning: self.notes.warnings.len(), ..Reference::default() });
                taken = 2;
            } else if first == '$' && (rest.starts_with("$$") || rest.starts_with("$}")) {
                let escaped = if rest.starts_with("$$") { '$' } else { '}' };
                push(escaped, &mut open, &mut expanded);
                taken = 2;
            } else if inside && first == '}' {
                if let Some(reference) = open.pop() {
                    let value = self.resolve(reference)?;
                    for c in value.chars() {
                        push(c, &mut open, &mut expanded);
                    }
                }
            } else if inside && first == ':' && open.last().is_some_and(|r| r.operator.is_none()) {
                let (operator, length) = match rest.get(1..2) {
                    Some("+") => (Operator::Alternative, 2),
                    Some("?") => (Operator::Required, 2),
                    _ => (Operator::Default, 1),
                };
                if let Some(reference) = open.last_mut() {
                    reference.operator = Some(operator);
                }
                taken = length;
            } else {
                push(first, &mut open, &mut expanded);
            }
            if expanded.len() > MAX_EXPANDED {
                let message = format!("the value expands to more than {MAX_EXPANDED} bytes");
                return Err(self.problem(message, None));
            }
            rest = rest.get(taken..).unwrap_or_default();
        }
        if !open.is_empty() {
            return Err(
                self.problem("`${` has no closing `}`".to_owned(), Some("write `$${` for the two signs themselves"))
            );
        }
        Ok(expanded)
    }

    fn resolve(&mut self, reference: Reference) -> Result<String, Box<Problem>> {
        self.replaced = true;
        let Reference { name, operator, operand, first_warning } = reference;
        if name.is_empty() {
            return Err(self.problem(
                "`${}` names no variable".to_owned(),
                Some("write `${NAME}`, or `$${` for the two signs themselves"),
            ));
        }
        let value = (self.environment)(&name).filter(|value| !value.contains('\0'));
        let set = value.as_deref().is_some_and(|value| !value.is_empty());
        let operand_used = match operator {
            Some(Operator::Default | Operator::Required) => !set,
            Some(Operator::Alternative) => set,
            None => false,
        };
        if !operand_used && operator.is_some() {
            self.notes.warnings.truncate(first_warning);
        }
        match operator {
            Some(Operator::Default) if !set => Ok(operand),
            Some(Operator::Alternative) => Ok(if set { operand } else { String::new() }),
            Some(Operator::Required) if !set => {
                let text = if operand.trim().is_empty() { "it is not set".to_owned() } else { shown(&operand) };
                let name = shown(&name);
                Err(self
                    .problem(format!("the variable `{name}` is required: {text}"), Some("set it in the environment")))
            }
            _ => Ok(value.unwrap_or_else(|| {
                self.warn_unset(&name);
                String::new()
            })),
        }
    }

    fn warn_unset(&mut self, name: &str) {
        let name = shown(name);
        let hint = if name.contains('.') {
            "only environment variables are expanded, not other settings".to_owned()
        } else {
            format!("set the variable, or give a default: `${{{name}:default}}`")
        };
        let message = format!("the variable `{name}` is not set, so the value is empty here");
        let problem = Problem::new(self.place, self.path, message).hint(hint);
        self.notes.warnings.push(problem);
    }

    fn problem(&self, message: String, hint: Option<&str>) -> Box<Problem> {
        let mut problem = Problem::new(self.place, self.path, message);
        problem.hint = hint.map(str::to_owned);
        Box::new(problem)
    }
}

/// Adds a character to the innermost open reference, or to the value itself.
fn push(c: char, open: &mut [Reference], expanded: &mut String) {
    match open.last_mut() {
        None => expanded.push(c),
        Some(reference) if reference.operator.is_none() => reference.name.push(c),
        Some(reference) => reference.operand.push(c),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::yaml;
    use super::*;
    use proptest::prelude::*;

    fn environment(name: &str) -> Option<String> {
        let value = match name {
            "HOST" => "es1",
            "LIST" => "a,b",
            "EMPTY" => "",
            "NESTED" => "${HOST}",
            "NAME" => "HOST",
            "N" => "4",
            _ => return None,
        };
        Some(value.to_owned())
    }

    /// The value after expansion, and the notes as `error: ..` and `warning: ..`.
    fn expanded(value: &str) -> (String, Vec<String>) {
        let place = Place { source: 0, line: 1, column: 4 };
        let mut node = Node::scalar(place, value, false);
        let notes = expand(&mut node, &environment);
        let errors = notes.errors.iter().map(|p| format!("error: {}", p.message));
        let warnings = notes.warnings.iter().map(|p| format!("warning: {}", p.message));
        let Value::Scalar(scalar) = node.value else { unreachable!("another kind of value") };
        (scalar.text, errors.chain(warnings).collect())
    }

    fn quietly(value: &str) -> String {
        let (text, notes) = expanded(value);
        assert_eq!(notes, [""; 0], "{value}");
        text
    }

    #[test]
    fn expands_as_beats_does() {
        assert_eq!(quietly("https://${HOST}:9200"), "https://es1:9200");
        assert_eq!(quietly("${HOST}${HOST}"), "es1es1");
        assert_eq!(quietly("${NOPE:x}"), "x");
        assert_eq!(quietly("${EMPTY:x}"), "x");
        assert_eq!(quietly("${HOST:x}"), "es1");
        assert_eq!(quietly("${NOPE:}"), "");
        assert_eq!(quietly("${EMPTY}"), "");
        assert_eq!(quietly("${NOPE:http://h:9200}"), "http://h:9200");
        assert_eq!(quietly("${NOPE:${HOST}}"), "es1");
        assert_eq!(quietly("${NOPE:${ALSO:z}}"), "z");
        assert_eq!(quietly("${HOST:${NOPE}}"), "es1");
        assert_eq!(quietly("${${NAME}}"), "es1");
        assert_eq!(quietly("${HOST:+yes}"), "yes");
        assert_eq!(quietly("${NOPE:+yes}"), "");
        assert_eq!(quietly("${HOST:?needed}"), "es1");
    }

    #[test]
    fn signs_are_escaped_as_in_beats() {
        assert_eq!(quietly("$${HOST}"), "${HOST}");
        assert_eq!(quietly("a$$b"), "a$b");
        assert_eq!(quietly("${NOPE:a$}b}"), "a}b");
        assert_eq!(quietly("^a$"), "^a$");
        assert_eq!(quietly("$HOST"), "$HOST");
        assert_eq!(quietly("{a}"), "{a}");
    }

    #[test]
    fn what_a_variable_holds_is_not_expanded_again() {
        assert_eq!(quietly("${NESTED}"), "${HOST}");
    }

    #[test]
    fn an_unset_variable_is_empty_with_a_warning() {
        assert_eq!(
            expanded("a${NOPE}b"),
            ("ab".to_owned(), vec!["warning: the variable `NOPE` is not set, so the value is empty here".to_owned()])
        );
    }

    #[test]
    fn faults_leave_the_value_as_it_was() {
        for (value, note) in [
            ("${NOPE:?give a key}", "error: the variable `NOPE` is required: give a key"),
            ("${NOPE:?}", "error: the variable `NOPE` is required: it is not set"),
            ("${HOST", "error: `${` has no closing `}`"),
            ("${}", "error: `${}` names no variable"),
            ("${:x}", "error: `${}` names no variable"),
        ] {
            assert_eq!(expanded(value), (value.to_owned(), vec![note.to_owned()]));
        }
        let deep = "${A:".repeat(20) + &"}".repeat(20);
        assert_eq!(expanded(&deep).1, ["error: `${` stands more than 16 deep"]);
    }

    #[test]
    fn keeps_place_and_types_after_expansion() {
        let mut root = yaml::parse(0, "a: ${N}\nb: '${N}'\nc: ${EMPTY}\nd: x\n").root;
        let before: Vec<Place> = ["a", "b", "c", "d"].map(|path| root.find(path).unwrap().place).to_vec();
        expand(&mut root, &environment);
        let after: Vec<(Place, String, bool, bool)> = ["a", "b", "c", "d"]
            .map(|path| {
                let node = root.find(path).unwrap();
                let Value::Scalar(scalar) = &node.value else { unreachable!("another kind of value") };
                (node.place, scalar.text.clone(), scalar.plain, scalar.loose)
            })
            .to_vec();
        let expected = [("4", true, true), ("4", false, true), ("", false, true), ("x", true, false)];
        for (index, (text, plain, loose)) in expected.into_iter().enumerate() {
            assert_eq!(after[index], (before[index], text.to_owned(), plain, loose));
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in r"([${}:+?a-c]|HOST|NOPE|\$\{|é){0,40}") {
            let _ = expanded(&text);
        }

        #[test]
        fn text_without_the_sign_stays(text in "[^$]*") {
            prop_assert_eq!(quietly(&text), text);
        }
    }
}
